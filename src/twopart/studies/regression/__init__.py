"""Studies of SGD on least squares and its kin."""

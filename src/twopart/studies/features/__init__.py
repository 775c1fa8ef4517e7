"""Studies of what gradient descent picks up."""

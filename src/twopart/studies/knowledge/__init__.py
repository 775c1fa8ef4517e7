"""Studies of language models as compressors."""

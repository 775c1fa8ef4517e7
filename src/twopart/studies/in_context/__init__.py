"""Studies of learning in context."""

"""Studies of learning in context: what attention can do."""

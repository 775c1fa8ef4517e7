"""Studies of samplers and their laws."""

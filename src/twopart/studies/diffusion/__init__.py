"""Studies of what diffusion models learn."""

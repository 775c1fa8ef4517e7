"""Studies of what diffusion models and their kin learn."""

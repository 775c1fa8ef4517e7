"""Studies of what reinforcement selects."""

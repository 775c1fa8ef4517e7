"""Worlds of diffusion models and their kin.

grids.py   grids of tokens whose joint law is known, and a user's own
"""

from twopart.worlds.diffusion.grids import GaussianGrid, IsingGrid, TokenGrid, neighbours

__all__ = ["GaussianGrid", "IsingGrid", "TokenGrid", "neighbours"]

"""Worlds of diffusion models and their kin.

grids.py     grids of tokens whose joint law is known, and a user's own
pictures.py  digits, or a user's folder of pictures, as points
"""

from twopart.worlds.diffusion.grids import GaussianGrid, IsingGrid, TokenGrid, neighbours
from twopart.worlds.diffusion.pictures import pictures

__all__ = ["GaussianGrid", "IsingGrid", "TokenGrid", "neighbours", "pictures"]

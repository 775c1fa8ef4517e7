"""Worlds of diffusion models and their kin.

grids.py     grids of tokens whose joint law is known, and a user's own
latents.py   pixels whose classes many of them share, and images in classes
"""

from twopart.worlds.diffusion.grids import GaussianGrid, IsingGrid, TokenGrid, neighbours
from twopart.worlds.diffusion.latents import ClusterPixels, pictures

__all__ = ["ClusterPixels", "GaussianGrid", "IsingGrid", "TokenGrid", "neighbours", "pictures"]

"""Worlds of diffusion models and their kin.

grids.py     grids of tokens whose joint law is known, and a user's own
latents.py   pixels whose classes many of them share

`pictures` are images in classes, of scikit-learn, torchvision, or a user's folder.
"""

from twopart.worlds._image_folders import pictures
from twopart.worlds.diffusion.grids import GaussianGrid, IsingGrid, TokenGrid, neighbours
from twopart.worlds.diffusion.latents import ClusterPixels

__all__ = ["ClusterPixels", "GaussianGrid", "IsingGrid", "TokenGrid", "neighbours", "pictures"]

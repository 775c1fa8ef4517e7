"""Worlds of diffusion models and their kin.

grids.py     grids of tokens whose joint law is known, and a user's own
latents.py   pixels whose classes many of them share
rules.py     pairs of features with a hidden rule, exact at every noise level
scenes.py    small images of them, with readers

`pictures` are images in classes, of scikit-learn, torchvision, or a user's folder.
"""

from twopart.worlds._image_folders import pictures
from twopart.worlds.diffusion.grids import GaussianGrid, IsingGrid, TokenGrid, neighbours
from twopart.worlds.diffusion.latents import ClusterPixels
from twopart.worlds.diffusion.rules import RULES, Rule, RulePairs, band_classifier, ratio, total
from twopart.worlds.diffusion.scenes import SCENES, Mirror, Perspective, Rotation, Scene, SunShadow

__all__ = [
    "RULES",
    "SCENES",
    "ClusterPixels",
    "GaussianGrid",
    "IsingGrid",
    "Mirror",
    "Perspective",
    "Rotation",
    "Rule",
    "RulePairs",
    "Scene",
    "SunShadow",
    "TokenGrid",
    "band_classifier",
    "neighbours",
    "pictures",
    "ratio",
    "total",
]

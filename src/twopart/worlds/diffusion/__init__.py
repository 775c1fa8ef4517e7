"""Worlds of diffusion models and their kin.

grids.py   grids of tokens whose joint law is known, and a user's own
rules.py   pairs of features with a hidden rule, exact at every noise level
scenes.py  small images of them, with readers
"""

from twopart.worlds.diffusion.grids import GaussianGrid, IsingGrid, TokenGrid, neighbours
from twopart.worlds.diffusion.rules import RULES, Rule, RulePairs, band_classifier, ratio, threshold, total
from twopart.worlds.diffusion.scenes import SCENES, Mirror, Perspective, Rotation, Scene, SunShadow

__all__ = [
    "RULES",
    "SCENES",
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
    "ratio",
    "threshold",
    "total",
]

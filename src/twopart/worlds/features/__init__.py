"""Worlds of features: which of several features does gradient descent pick up?

clusters.py  points around orthogonal centres, in two classes
images.py    real images, grouped in two classes
"""

from twopart.worlds.features.clusters import OrthogonalClusters, Points
from twopart.worlds.features.images import Images

__all__ = ["Images", "OrthogonalClusters", "Points"]

"""Worlds of features: which of several features does gradient descent pick up?

clusters.py      points around orthogonal centres, in two classes
images.py        real images, grouped in two classes
signal_noise.py  patches that hold features or noise: signed, by class, XOR, common and rare, strong and weak
digit_patches.py the same with real digits: strokes beside shuffled pixels
whitened.py      regression on inputs of exact covariance
"""

from twopart.worlds.features.clusters import OrthogonalClusters, Points
from twopart.worlds.features.digit_patches import DigitPatches
from twopart.worlds.features.images import Images
from twopart.worlds.features.signal_noise import CommonRare, Patches, PerClass, SignalNoise, Signed, StrongWeak, Xor
from twopart.worlds.features.whitened import Whitened

__all__ = [
    "CommonRare",
    "DigitPatches",
    "Images",
    "OrthogonalClusters",
    "Patches",
    "PerClass",
    "Points",
    "SignalNoise",
    "Signed",
    "StrongWeak",
    "Whitened",
    "Xor",
]

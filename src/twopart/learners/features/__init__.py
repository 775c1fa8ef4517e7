"""Learners of features: classifiers that are small enough to be understood, and how fragile they are.

two_layer.py  a two-layer ReLU network with a fixed second layer, many trained at once
neurons.py    which features its neurons have learned
attacks.py    how far an input must move before a classifier errs: attacks from above, a certificate from below
"""

from twopart.learners.features.attacks import (
    Merge,
    certified_radius,
    fast_gradient,
    gradient,
    projected_gradient,
    radii_by_attack,
    radius_along,
    smallest_radius,
    through_a_leak,
)
from twopart.learners.features.neurons import Coefficients, coefficients
from twopart.learners.features.two_layer import TwoLayer, TwoLayerConfig, initialise, train_two_layer

__all__ = [
    "Coefficients",
    "Merge",
    "TwoLayer",
    "TwoLayerConfig",
    "certified_radius",
    "coefficients",
    "fast_gradient",
    "gradient",
    "initialise",
    "projected_gradient",
    "radii_by_attack",
    "radius_along",
    "smallest_radius",
    "through_a_leak",
    "train_two_layer",
]

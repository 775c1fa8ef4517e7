"""Laws of features: which of several features gradient descent picks up, and what follows for the classifier.

feature_averaging.py  how far a two-layer network's inputs may move before it errs: its neurons average a class's features
"""

from twopart.laws.features import feature_averaging

__all__ = ["feature_averaging"]

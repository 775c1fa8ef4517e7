"""Laws of features: which of several features gradient descent picks up, and what follows for the classifier.

feature_averaging.py  how far a two-layer network's inputs may move before it errs: its neurons average a class's features
patch_step.py         one step of gradient descent on a network of patches, which laws and learners share
gram.py               gradient descent on given patches, exactly and at a cost without d: a recursion in inner products
"""

from twopart.laws.features import feature_averaging
from twopart.laws.features.gram import PatchGram, gram_descent
from twopart.laws.features.patch_step import Step

__all__ = ["PatchGram", "Step", "feature_averaging", "gram_descent"]

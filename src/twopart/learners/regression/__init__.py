"""Learners of regression: stochastic gradient descent on least squares, many runs at once, and modules that come to that.

sgd.py        every order of the training points: with replacement, without, reshuffled by epochs, all at once
transfer.py   pretraining on a source and fine-tuning on a target, of linear models and of torch modules
runs.py       samples and first weights, of NumPy or torch; walk.py: many runs over them, whatever their step
quantisers.py     rounding to few bits: formats by name, unbiased rounding, and how large its error is
quantised_sgd.py  SGD with rounded data, weights, outputs, gradients; the same for a torch module by hooks
linearise.py  a torch module as features, so that the laws of least squares foretell its fine-tuning
steepest.py   steepest descent in any norm as a torch optimiser: SignSGD, normalised SGD, Muon; margins of modules
glm_tron.py   a neuron with a link whose slope is left out of the step, and the same for a torch module's last layer
glm_tron_regressor.py   that with scikit-learn's interface; scikit-learn is loaded when it is asked for
random_features.py   fits by random features of least norm; random_feature_regressor.py the same for scikit-learn
shift_report.py   what a shift of its inputs costs a torch module that is tuned
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from twopart.laws.regression.schedule import geometric
from twopart.learners.regression.glm_tron import (
    LINKS,
    StraightLink,
    glm_tron,
    glm_tron_step,
    straight_link,
)
from twopart.learners.regression.linearise import linearise, tangent_gram
from twopart.learners.regression.quantised_sgd import Quantisation, quantised_sgd, quantised_sgd_step, store, wrap
from twopart.learners.regression.quantisers import (
    FORMATS,
    BlockFloat,
    Dither,
    FloatRounding,
    NearestRounding,
    Quantiser,
    ScalarNoise,
    StochasticRounding,
    quantise,
)
from twopart.learners.regression.random_features import MinNorm, feature_weights, random_features
from twopart.learners.regression.sgd import ORDERS, least_squares_sgd
from twopart.learners.regression.shift_report import ShiftReport, shift_report
from twopart.learners.regression.steepest import SteepestDescent, normalised_margin
from twopart.learners.regression.transfer import GeometricLR, Transfer, pretrain_finetune, pretrain_finetune_module

if TYPE_CHECKING:
    from twopart.learners.regression.glm_tron_regressor import GLMTronRegressor
    from twopart.learners.regression.random_feature_regressor import RandomFeatureRegressor

__all__ = [
    "FORMATS",
    "LINKS",
    "ORDERS",
    "BlockFloat",
    "Dither",
    "FloatRounding",
    "GLMTronRegressor",
    "GeometricLR",
    "MinNorm",
    "NearestRounding",
    "Quantisation",
    "Quantiser",
    "RandomFeatureRegressor",
    "ScalarNoise",
    "ShiftReport",
    "SteepestDescent",
    "StochasticRounding",
    "StraightLink",
    "Transfer",
    "feature_weights",
    "geometric",
    "glm_tron",
    "glm_tron_step",
    "least_squares_sgd",
    "linearise",
    "normalised_margin",
    "pretrain_finetune",
    "pretrain_finetune_module",
    "quantise",
    "quantised_sgd",
    "quantised_sgd_step",
    "random_features",
    "shift_report",
    "store",
    "straight_link",
    "tangent_gram",
    "wrap",
]


ESTIMATORS = {"GLMTronRegressor": "glm_tron_regressor", "RandomFeatureRegressor": "random_feature_regressor"}


def __getattr__(name: str) -> Any:
    if name not in ESTIMATORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{ESTIMATORS[name]}"), name)

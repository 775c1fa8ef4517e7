"""Learners of features: classifiers that are small enough to be understood, and how fragile they are.

two_layer.py  a two-layer ReLU network with a fixed second layer, many trained at once
neurons.py    which features its neurons have learned
attacks.py    how far an input must move before a classifier errs: attacks from above, a certificate from below
balance.py    of any ReLU network: what gradient flow conserves of each neuron, and which of its layers has grown
benign.py     of any two-class model: what of its answers is signal, what memory of noise, and whether that is benign
uniformity.py     of any classifier: how uniform its margins are, and those of its batch-normalised channels
residual_account.py  the account of residuals of any training loop: which points oscillation feeds; sharpness
per_example.py  gradients of examples, each by itself, as a penalty of any torch module
mixup.py      Mixup of any batch: weights of features and labels, partners, an early stop; what a model makes of features
feature_balance.py   of any torch module: what of its features' answers is signal, and what training noise

denoiser.py       denoisers with tied weights, trained on their exact expected loss
patch_net.py      networks whose filters all patches share: any power of ReLU, second layer fixed or trained, normalised
normalised_linear.py  a linear model with batch normalisation, by autograd
patch_reading.py  what they know of features and of training noise, and their error on fresh points
spike_watch.py  how far the next loss spike of any normalised module is, and a clamp of the rate that prevents it
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
from twopart.learners.features.balance import Balance, balance
from twopart.learners.features.benign import OverfittingReport, diagnose_overfitting, exchange_patches
from twopart.learners.features.denoiser import (
    Denoiser,
    DenoiserConfig,
    expected_denoising_loss,
    initialise_denoiser,
    train_denoiser,
)
from twopart.learners.features.feature_balance import FeatureBalance, feature_balance
from twopart.learners.features.mixup import (
    Beta,
    Mixed,
    Mixup,
    feature_account,
    mixup,
    soft_cross_entropy,
    stop_when,
    unmixed_accuracy,
)
from twopart.learners.features.neurons import Coefficients, coefficients
from twopart.learners.features.normalised_linear import NormalisedLinear, train_normalised
from twopart.learners.features.patch_net import Moment, PatchNet, PatchNetConfig, initialise_patches, train_patches
from twopart.learners.features.patch_reading import active_share, fresh_error, memory, signal, stack
from twopart.learners.features.per_example import (
    GradientNoise,
    gradient_noise,
    per_example_penalty,
)
from twopart.learners.features.residual_account import Account, Oscillation, oscillation
from twopart.learners.features.spike_watch import Forecast, SpikeWatch, effective_rate
from twopart.learners.features.two_layer import TwoLayer, TwoLayerConfig, initialise, train_two_layer
from twopart.learners.features.uniformity import MarginReport, margins, uniformity

__all__ = [
    "Account",
    "Balance",
    "Beta",
    "Coefficients",
    "Denoiser",
    "DenoiserConfig",
    "FeatureBalance",
    "Forecast",
    "GradientNoise",
    "MarginReport",
    "Merge",
    "Mixed",
    "Mixup",
    "Moment",
    "NormalisedLinear",
    "Oscillation",
    "OverfittingReport",
    "PatchNet",
    "PatchNetConfig",
    "SpikeWatch",
    "TwoLayer",
    "TwoLayerConfig",
    "active_share",
    "balance",
    "certified_radius",
    "coefficients",
    "diagnose_overfitting",
    "effective_rate",
    "exchange_patches",
    "expected_denoising_loss",
    "fast_gradient",
    "feature_account",
    "feature_balance",
    "fresh_error",
    "gradient",
    "gradient_noise",
    "initialise",
    "initialise_denoiser",
    "initialise_patches",
    "margins",
    "memory",
    "mixup",
    "oscillation",
    "per_example_penalty",
    "projected_gradient",
    "radii_by_attack",
    "radius_along",
    "signal",
    "smallest_radius",
    "soft_cross_entropy",
    "stack",
    "stop_when",
    "through_a_leak",
    "train_denoiser",
    "train_normalised",
    "train_patches",
    "train_two_layer",
    "uniformity",
    "unmixed_accuracy",
]

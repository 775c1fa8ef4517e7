"""Laws of features: which of several features gradient descent picks up, and what follows for the classifier.

feature_averaging.py  how far a two-layer network's inputs may move before it errs: its neurons average a class's features
initialization.py     how signal and memory grow where both layers train, and what the output layer's first scale costs
xor.py                what a network that has memorised flipped labels and noise errs on XOR data, and when that is benign
noise_reply.py        what such a network replies to fresh noise, and how often that drowns its signal
batch_norm.py         how fast a batch-normalised linear model comes to uniform margins, and what they are worth
oscillation.py        what a strong feature that never settles does to a weak one: residual, growth, end
denoising.py          what a denoiser learns of signal and noise, at first and at rest, and who wins a classifier's race
gradient_penalty.py   when a penalty on gradients lets a network learn a signal and not memorise noise
mixup.py              what Mixup teaches of common and rare features: early phase, end, and every step
patch_step.py         one step of gradient descent on a network of patches, which laws and learners share
gram.py               gradient descent on given patches, exactly and at a cost without d: a recursion in inner products
spikes.py             when the loss of a normalised model spikes, how high, and why it is stable afterwards
"""

from twopart.laws.features import batch_norm, denoising, feature_averaging, mixup, oscillation, spikes
from twopart.laws.features.gradient_penalty import (
    Penalised,
    penalty_cap,
    penalty_rates,
    penalty_window,
    race_threshold,
)
from twopart.laws.features.gram import PatchGram, gram_descent
from twopart.laws.features.initialization import benign_norm, early, growth_rates, output_scale_error
from twopart.laws.features.memory_pull import pull_over_memory, uneven_memory
from twopart.laws.features.mixup import MixedStep, early_matrix
from twopart.laws.features.noise_reply import memory_spread, reply_error, reply_spread, rivalry
from twopart.laws.features.patch_step import Step
from twopart.laws.features.xor import XorLaw, samples_for, xor_error

__all__ = [
    "MixedStep",
    "PatchGram",
    "Penalised",
    "Step",
    "XorLaw",
    "batch_norm",
    "benign_norm",
    "denoising",
    "early",
    "early_matrix",
    "feature_averaging",
    "gram_descent",
    "growth_rates",
    "memory_spread",
    "mixup",
    "oscillation",
    "output_scale_error",
    "penalty_cap",
    "penalty_rates",
    "penalty_window",
    "pull_over_memory",
    "race_threshold",
    "reply_error",
    "reply_spread",
    "rivalry",
    "samples_for",
    "spikes",
    "uneven_memory",
    "xor_error",
]

"""Laws of regression: the risk of stochastic gradient descent on least squares, exact at finite size.

critical_batch.py  steps to a target by batch size, weights averaged on the way, and where they leave linear scaling
schedule.py     learning rates that are halved again and again
sgd_moments.py  one pass over fresh data: second moments of the error, direction by direction or for any covariance
multi_pass.py   many passes over a training set: gradient descent's risk and what sampling adds, and the largest stable step
transfer.py     pretraining on a source and fine-tuning on a target: the risk for any two covariances
exchange.py     how many source samples a target sample is worth, on a world or on a user's own features
precision.py    data, weights, outputs and gradients of few bits: the risk, effective sizes, the best split of bits
relu_neuron.py  one ReLU neuron: GLM-tron's linear mean, the risk under Gaussian inputs, and, by Markov chains, on axes
steepest_norms.py    norms of matrices and the direction of steepest descent in each
steepest_descent.py  the margin that steepest descent ends with, by norm, batch and momentum, and the largest there is
random_features.py   fits by random features under shift: given ones, infinitely many, and what a finite width adds
"""

from twopart.laws.regression.critical_batch import BatchLaw, LeastSquaresSGD, batch_law, published_batches
from twopart.laws.regression.exchange import (
    Tuned,
    best_split,
    exchange,
    exchange_rate,
    from_features,
    tuned_risk,
)
from twopart.laws.regression.multi_pass import (
    Best,
    MultiPassLaw,
    excess_risk,
    growth,
    kernel_features,
    largest_stable_step,
    population,
    sgd_risk,
)
from twopart.laws.regression.precision import (
    BestBits,
    Noise,
    PrecisionLaw,
    Sizes,
    best_bits,
    effective_sizes,
    equivalent_features,
    precision_risk,
)
from twopart.laws.regression.random_features import FeatureRisk, WidthLaw, exact_risk, width_law
from twopart.laws.regression.relu_neuron import (
    Chain,
    GaussianRisk,
    bernoulli_risk,
    closed_risk,
    gaussian_risk,
    mean_weights,
    sgd_floor,
)
from twopart.laws.regression.schedule import geometric
from twopart.laws.regression.sgd_moments import OnePass, mean_error, one_pass
from twopart.laws.regression.steepest_descent import (
    ClassMean,
    MaxMargin,
    certificate,
    class_mean,
    margin,
    max_margin,
    mean_field,
)
from twopart.laws.regression.steepest_norms import direction
from twopart.laws.regression.transfer import Domains, TransferLaw, transfer_risk
from twopart.worlds.regression.arc_cosine import arc_cosine

__all__ = [
    "BatchLaw",
    "Best",
    "BestBits",
    "Chain",
    "ClassMean",
    "Domains",
    "FeatureRisk",
    "GaussianRisk",
    "LeastSquaresSGD",
    "MaxMargin",
    "MultiPassLaw",
    "Noise",
    "OnePass",
    "PrecisionLaw",
    "Sizes",
    "TransferLaw",
    "Tuned",
    "WidthLaw",
    "arc_cosine",
    "batch_law",
    "bernoulli_risk",
    "best_bits",
    "best_split",
    "certificate",
    "class_mean",
    "closed_risk",
    "direction",
    "effective_sizes",
    "equivalent_features",
    "exact_risk",
    "excess_risk",
    "exchange",
    "exchange_rate",
    "from_features",
    "gaussian_risk",
    "geometric",
    "growth",
    "kernel_features",
    "largest_stable_step",
    "margin",
    "max_margin",
    "mean_error",
    "mean_field",
    "mean_weights",
    "one_pass",
    "population",
    "precision_risk",
    "published_batches",
    "sgd_floor",
    "sgd_risk",
    "transfer_risk",
    "tuned_risk",
    "width_law",
]

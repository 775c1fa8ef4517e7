"""Laws of diffusion models and their kin.

collapse.py    what an error of the score at one noise level does to samples, and what one level's fit costs another
denoising.py   what errors of denoising at each noise level are worth in nats, and errors of one prediction as another's
parallel.py    what generating groups of tokens at once loses
random_features.py  training and consistency distillation of random features, exact at every time
"""

from twopart.laws.diffusion.collapse import SeeSaw, churn_to_forget, see_saw, sensitivity, variance_ratio
from twopart.laws.diffusion.denoising import Nats, error_factor, gaussian_loss, nats
from twopart.laws.diffusion.parallel import (
    decoded,
    decoding_steps,
    gaussian_bits,
    gaussian_cost,
    gaussian_order_loss,
    order_loss,
    sampled_order_loss,
    table_cost,
    unfitted,
)
from twopart.laws.diffusion.random_features import (
    Level,
    Moments,
    chain,
    regression,
    rounded_share,
)

__all__ = [
    "Level",
    "Moments",
    "Nats",
    "SeeSaw",
    "chain",
    "churn_to_forget",
    "decoded",
    "decoding_steps",
    "error_factor",
    "gaussian_bits",
    "gaussian_cost",
    "gaussian_loss",
    "gaussian_order_loss",
    "nats",
    "order_loss",
    "regression",
    "rounded_share",
    "sampled_order_loss",
    "see_saw",
    "sensitivity",
    "table_cost",
    "unfitted",
    "variance_ratio",
]

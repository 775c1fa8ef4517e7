"""Laws of diffusion models and their kin.

parallel.py   what decoding groups of tokens at once loses
"""

from twopart.laws.diffusion.parallel import (
    decoded,
    gaussian_bits,
    gaussian_cost,
    gaussian_loss,
    loss,
    sampled_loss,
    steps,
    table_cost,
    unfitted,
)

__all__ = [
    "decoded",
    "gaussian_bits",
    "gaussian_cost",
    "gaussian_loss",
    "loss",
    "sampled_loss",
    "steps",
    "table_cost",
    "unfitted",
]

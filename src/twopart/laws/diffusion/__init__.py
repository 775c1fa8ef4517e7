"""Laws of diffusion models.

collapse.py    what an error of the score at one noise level does to samples, and what one level's fit costs another
denoising.py   what errors of denoising at each noise level are worth in nats, and errors of one prediction as another's
"""

from twopart.laws.diffusion.collapse import SeeSaw, churn_to_forget, see_saw, sensitivity, variance_ratio
from twopart.laws.diffusion.denoising import Nats, error_factor, gaussian_loss, nats

__all__ = [
    "Nats",
    "SeeSaw",
    "churn_to_forget",
    "error_factor",
    "gaussian_loss",
    "nats",
    "see_saw",
    "sensitivity",
    "variance_ratio",
]

"""Laws of diffusion models.

denoising.py   what errors of denoising at each noise level are worth in nats, and errors of one prediction as another's
"""

from twopart.laws.diffusion.denoising import Nats, error_factor, gaussian_loss, nats

__all__ = ["Nats", "error_factor", "gaussian_loss", "nats"]

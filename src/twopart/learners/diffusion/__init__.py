"""Learners of diffusion: the kit that studies of diffusion models share, for anybody's network.

samplers.py    along a grid of times from noise to data or back: Euler, Heun, DDIM, with churn; guidance
denoisers.py   small networks, and anybody's in the same place, those of diffusers too
denoising.py   training, many networks of one shape at once; errors by noise
densities.py   what the ODE takes the density to be
"""

from twopart.learners.diffusion.denoisers import ConvDenoiser, MLPDenoiser, Wrapped, from_diffusers, wrap
from twopart.learners.diffusion.denoising import Denoised, error_by_noise, train_denoisers
from twopart.learners.diffusion.densities import Line, line_density, log_density
from twopart.learners.diffusion.samplers import guided, pure_noise, sample

__all__ = [
    "ConvDenoiser",
    "Denoised",
    "Line",
    "MLPDenoiser",
    "Wrapped",
    "error_by_noise",
    "from_diffusers",
    "guided",
    "line_density",
    "log_density",
    "pure_noise",
    "sample",
    "train_denoisers",
    "wrap",
]

"""Learners of diffusion: the kit that studies of diffusion models share, for anybody's network.

samplers.py    along a grid of times from noise to data or back: Euler, Heun, DDIM, with churn; guidance
denoisers.py   small networks, and anybody's in the same place, those of diffusers too
denoising.py   training, many networks of one shape at once; errors by noise
densities.py   what the ODE takes the density to be
two_stage.py   two denoisers in place of one; by how much a score is too strong; whether samples are too dense
"""

from twopart.learners.diffusion.denoisers import ConvDenoiser, MLPDenoiser, Wrapped, from_diffusers, wrap
from twopart.learners.diffusion.denoising import Denoised, error_by_noise, train_denoisers
from twopart.learners.diffusion.densities import Line, line_density, log_density
from twopart.learners.diffusion.samplers import guided, pure_noise, sample
from twopart.learners.diffusion.two_stage import Concentration, TwoStage, concentration, strength

__all__ = [
    "Concentration",
    "ConvDenoiser",
    "Denoised",
    "Line",
    "MLPDenoiser",
    "TwoStage",
    "Wrapped",
    "concentration",
    "error_by_noise",
    "from_diffusers",
    "guided",
    "line_density",
    "log_density",
    "pure_noise",
    "sample",
    "strength",
    "train_denoisers",
    "wrap",
]

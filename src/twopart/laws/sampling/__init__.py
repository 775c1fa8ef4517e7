"""Laws of samplers: where chains with a finite step are after finitely many, exactly.

diffusion_mc.py  scores by nested Langevin chains: calls, Gaussian targets, segments, grids; what Langevin forgets, and when
langevin.py      SGLD and Laplacian-smoothing SGLD on quadratic potentials, their best step and the smoothing worth having
"""

from twopart.laws.sampling.diffusion_mc import (
    Affine,
    cost,
    gaussian_kl,
    gaussian_sampler,
    gaussian_score,
    langevin_gap,
    on_grid,
    one_segment,
    segments,
)
from twopart.laws.sampling.langevin import (
    Best,
    Modes,
    Moments,
    best_learning_rate,
    best_sigma,
    largest_learning_rate,
    linear_moments,
    minibatch_noise,
    mode_moments,
    preconditioner,
    smoothing_eigenvalues,
    stationary_modes,
    ula_density,
)

__all__ = [
    "Affine",
    "Best",
    "Modes",
    "Moments",
    "best_learning_rate",
    "best_sigma",
    "cost",
    "gaussian_kl",
    "gaussian_sampler",
    "gaussian_score",
    "langevin_gap",
    "largest_learning_rate",
    "linear_moments",
    "minibatch_noise",
    "mode_moments",
    "on_grid",
    "one_segment",
    "preconditioner",
    "segments",
    "smoothing_eigenvalues",
    "stationary_modes",
    "ula_density",
]

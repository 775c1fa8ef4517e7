"""Laws of samplers: where chains with a finite step are after finitely many, exactly.

langevin.py  SGLD and Laplacian-smoothing SGLD on quadratic potentials, their best step and the smoothing worth having
"""

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
    "Best",
    "Modes",
    "Moments",
    "best_learning_rate",
    "best_sigma",
    "largest_learning_rate",
    "linear_moments",
    "minibatch_noise",
    "mode_moments",
    "preconditioner",
    "smoothing_eigenvalues",
    "stationary_modes",
    "ula_density",
]

"""Laws of samplers: where chains with a finite step are after finitely many, exactly.

bit_diffusion.py  quantised transition diffusion: evaluations, flips, the generated law, its error and its peers
diffusion_mc.py   scores by nested Langevin chains: calls, Gaussian targets, segments
grids.py          any target in one dimension: where Langevin settles, how fast it forgets, what estimated scores give
langevin.py       SGLD and Laplacian-smoothing SGLD on quadratic potentials, their best step and the smoothing worth having
"""

from twopart.laws.sampling.bit_diffusion import (
    Errors,
    Learned,
    Segments,
    diffused,
    early_stop_rate,
    errors,
    euler,
    evaluations,
    flips,
    generated,
    learned,
    ratios,
    schedule,
    start_rate,
    theorem,
    theorem_times,
    walsh_hadamard,
)
from twopart.laws.sampling.diffusion_mc import (
    cost,
    gaussian_kl,
    gaussian_sampler,
    gaussian_score,
    segments,
)
from twopart.laws.sampling.grids import langevin_gap, on_grid, one_segment, ula_density
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
)

__all__ = [
    "Best",
    "Errors",
    "Learned",
    "Modes",
    "Moments",
    "Segments",
    "best_learning_rate",
    "best_sigma",
    "cost",
    "diffused",
    "early_stop_rate",
    "errors",
    "euler",
    "evaluations",
    "flips",
    "gaussian_kl",
    "gaussian_sampler",
    "gaussian_score",
    "generated",
    "langevin_gap",
    "largest_learning_rate",
    "learned",
    "linear_moments",
    "minibatch_noise",
    "mode_moments",
    "on_grid",
    "one_segment",
    "preconditioner",
    "ratios",
    "schedule",
    "segments",
    "smoothing_eigenvalues",
    "start_rate",
    "theorem",
    "theorem_times",
    "ula_density",
    "walsh_hadamard",
]

"""Learners of sampling: methods that draw from a density by its score, on a user's own module or function.

bit_diffusion.py  quantised transition diffusion: columns as bits, denoised by truncated uniformisation
diffusion_mc.py   along a reverse diffusion whose scores are estimated: recursive, amortised, plain
langevin.py       SGLD and Laplacian-smoothing SGLD as a torch optimiser; steps and chains of both: langevin_chains.py
scores.py         scores from log densities, and the range of their curvature
"""

from twopart.learners.sampling.bit_diffusion import (
    BitDenoiser,
    Quantizer,
    Trajectory,
    on_all_states,
    posterior_ratios,
    train_bits,
    uniformize,
)
from twopart.learners.sampling.diffusion_mc import (
    AmortisedScore,
    RecursiveScore,
    Samples,
    annealed,
    diffusion_monte_carlo,
)
from twopart.learners.sampling.langevin import (
    LangevinSmoothed,
    verify,
)
from twopart.learners.sampling.langevin_chains import chains, smooth
from twopart.learners.sampling.scores import curvature, score_of

__all__ = [
    "AmortisedScore",
    "BitDenoiser",
    "LangevinSmoothed",
    "Quantizer",
    "RecursiveScore",
    "Samples",
    "Trajectory",
    "annealed",
    "chains",
    "curvature",
    "diffusion_monte_carlo",
    "on_all_states",
    "posterior_ratios",
    "score_of",
    "smooth",
    "train_bits",
    "uniformize",
    "verify",
]

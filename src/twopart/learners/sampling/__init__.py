"""Learners of sampling: methods that draw from a density by its score, on a user's own module or function.

diffusion_mc.py  along a reverse diffusion whose scores are estimated: recursive, amortised, plain
langevin.py      SGLD and Laplacian-smoothing SGLD: as a torch optimiser, and as many chains at once
"""

from twopart.learners.sampling.diffusion_mc import (
    AmortisedScore,
    RecursiveScore,
    Samples,
    annealed,
    curvature,
    diffusion_monte_carlo,
    score_of,
)
from twopart.learners.sampling.langevin import (
    LangevinSmoothed,
    chains,
    on_batches,
    power_spectrum,
    smooth,
    verify,
)

__all__ = [
    "AmortisedScore",
    "LangevinSmoothed",
    "RecursiveScore",
    "Samples",
    "annealed",
    "chains",
    "curvature",
    "diffusion_monte_carlo",
    "on_batches",
    "power_spectrum",
    "score_of",
    "smooth",
    "verify",
]

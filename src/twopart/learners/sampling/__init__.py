"""Learners of sampling: methods that draw from a density by its score, on a user's own module or function.

langevin.py  SGLD and Laplacian-smoothing SGLD: as a torch optimiser, and as many chains at once
"""

from twopart.learners.sampling.langevin import (
    LangevinSmoothed,
    chains,
    on_batches,
    power_spectrum,
    smooth,
    verify,
)

__all__ = ["LangevinSmoothed", "chains", "on_batches", "power_spectrum", "smooth", "verify"]

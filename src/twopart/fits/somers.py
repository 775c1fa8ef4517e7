"""Whether things happen in a predicted order: Somers' D, with ties and things that never happen."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import kendalltau

Floats = NDArray[np.float64]


def agreement(frequency: ArrayLike, times: ArrayLike) -> float:
    """Somers' D of falling frequency and time; 1: exactly the predicted order, 0: none; nan if nothing happens.

    Of all pairs that did not happen at the same moment, those in the predicted order less those in the other, as a share
    (Somers 1962). What never happens (inf) comes after all else and is not compared with its like, so that D = 2C - 1 for
    Harrell's concordance C of censored times (1982). Kendall's tau-b would punish a learner for those ties: if three quarters
    of the facts are never learned, it cannot pass 0.66.
    """
    x, y = -np.asarray(frequency, float), np.asarray(times, float)
    tau = float(kendalltau(x, y, variant="b").statistic)
    return tau * np.sqrt(_untied(x) / _untied(y)) if np.isfinite(tau) else float("nan")


def _untied(x: Floats) -> float:
    """Number of pairs that differ."""
    count = np.unique(x, return_counts=True)[1].astype(float)
    return float((len(x) ** 2 - (count**2).sum()) / 2)

"""What is forgotten, in which order, and what comes back: of facts that are asked for again and again.

`known` says which facts are known at which moment, booleans of shape (..., moments, facts), the first moment before.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart.fits.somers import agreement

Floats = NDArray[np.float64]


def retained(known: ArrayLike) -> Floats:
    """Of the facts known at the first moment, the share that is at each, shape (..., moments); nan where none was."""
    known = np.asarray(known, bool)
    before = known[..., :1, :]
    return share((known & before).sum(-1), before.sum(-1))


def relearned(known: ArrayLike, again: ArrayLike) -> Floats:
    """Of the facts known at the first moment and not at the last, the share that is at each moment of `again`; nan if none.

    Shapes (..., moments, facts) and (..., later moments, facts) to (..., later moments).
    """
    known = np.asarray(known, bool)
    lost = known[..., :1, :] & ~known[..., -1:, :]
    return share((np.asarray(again, bool) & lost).sum(-1), lost.sum(-1))


def forgetting_order(known: ArrayLike, rank: ArrayLike) -> float:
    """Somers' D of the rank of a fact (facts,) and the last of the moments at which it is known, known (moments, facts).

    Over facts known at the first moment; 1: those of the highest rank, which is the least frequent, go first; nan for fewer
    than two facts.
    """
    known = np.asarray(known, bool)
    before, last = known[0], len(known) - 1 - known[::-1].argmax(0)
    return agreement(np.asarray(rank)[before], last[before]) if before.sum() > 1 else float("nan")


def share(part: ArrayLike, whole: ArrayLike) -> Floats:
    """part / whole of counts; nan where the whole is 0."""
    whole = np.asarray(whole)
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)

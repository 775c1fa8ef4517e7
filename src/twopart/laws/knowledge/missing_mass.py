"""What has not been seen yet, estimated from what has: the missing mass by Good and Turing, with an interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from twopart._checks import check, check_real


@dataclass(frozen=True)
class MissingMass:
    """The probability that the next draw is of a kind not seen before."""

    estimate: float
    """N1/N."""
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end of the interval."""
    level: float
    """How often such an interval is to hold the missing mass, for large N."""


def good_turing(
    counts: ArrayLike | None = None, *, blocks: ArrayLike | None = None, level: float = 0.95
) -> MissingMass:
    """The Good-Turing estimate N1/N, N1 of N draws being of kinds seen once, and a central interval of the given level.

    Give the `counts` of the kinds (each >= 0), or `blocks`, with blocks[j-1] the number of kinds seen j times. The interval is
    N1/N ± z sqrt(N1 + 2 N2 - N1²/N) / N: the missing mass is a random quantity, and its distance from N1/N is asymptotically
    normal with this variance (Esty 1983, Annals of Statistics 11, 905, theorem 1). Clipped to [0, 1].
    """
    check((counts is None) != (blocks is None), "counts", counts, "given unless `blocks` is", "give one of the two")
    check_real("level", level, 0, 1, "0.95 is customary", closed="()")
    if blocks is not None:
        kinds = _whole("blocks", blocks)
        once, twice = (float(kinds[j]) if len(kinds) > j else 0.0 for j in (0, 1))
        total = float(np.dot(kinds, np.arange(1, len(kinds) + 1)))
    else:
        seen = _whole("counts", counts)
        once, twice, total = float(np.sum(seen == 1)), float(np.sum(seen == 2)), float(seen.sum())
    check(total > 0, "counts", counts if blocks is None else blocks, "of one draw at least", "nothing was seen")
    share = once / total
    half = float(ndtri((1 + level) / 2)) * np.sqrt(max(once + 2 * twice - once * share, 0.0)) / total
    return MissingMass(share, max(share - half, 0.0), min(share + half, 1.0), level)


def _whole(name: str, values: ArrayLike | None) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    array = np.asarray(values, float)
    fine = array.ndim == 1 and bool(np.all((array >= 0) & (array == np.floor(array)) & np.isfinite(array)))
    check(fine, name, values, "a row of whole numbers >= 0", "they are counts")
    return array

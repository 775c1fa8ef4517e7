"""The arc-cosine kernel: what two ReLU features, or two inputs of many of them, have in common.

    arc_cosine(x, z)          E relu(<w, x>) relu(<w, z>) over weights w ~ N(0, I): the kernel of infinitely many features
    arc_cosine(weights)       E relu(<w_i, x>) relu(<w_j, x>) over inputs x ~ N(0, I): second moments of given features

Both are |a| |b| (sin ϑ + (π - ϑ) cos ϑ)/(2π), ϑ the angle between a and b. Source: Cho and Saul 2009, equation 6.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from twopart._arrays import Floats, finite


def arc_cosine(x: ArrayLike, others: ArrayLike | None = None) -> Floats:
    """The kernel between the rows of `x` (n, d) and of `others` (k, d), or of `x` itself: shape (n, k), in float64.

    Raises `InputError` for wrong shapes and nan.
    """
    a: Floats = finite("x", x, (None, None), "give a row for each input")
    b: Floats = a if others is None else finite("others", others, (None, a.shape[1]), "it needs the columns of `x`")
    long, wide = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    lengths = np.outer(long, wide)
    cos = np.divide(a @ b.T, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    np.clip(cos, -1, 1, out=cos)
    if others is None:
        np.fill_diagonal(cos, 1.0)  # the square root below would make much of its rounding
    found = (np.pi - np.arccos(cos)) * cos
    found += np.sqrt((1 - cos) * (1 + cos))
    return np.asarray(found * lengths / (2 * np.pi))

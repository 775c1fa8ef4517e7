"""The arc-cosine kernel: what two ReLU neurons, or two inputs under random features, have in common."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from twopart._arrays import Floats, finite


def arc_cosine(x: ArrayLike, others: ArrayLike | None = None) -> Floats:
    """|a| |b| (sin ϑ + (π - ϑ) cos ϑ)/(2π) of rows a of `x` (n, d), b of `others` (k, d) or `x`, ϑ their angle: (n, k).

    It is E relu(<w, a>) relu(<w, b>) over w ~ N(0, I): of two inputs under random weights, the kernel of infinitely many
    features, and of two features' weights under random inputs. In float64. Source: Cho and Saul 2009, equation 6. Raises
    `InputError` for wrong shapes and nan.
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

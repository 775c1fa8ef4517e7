"""The lower convex hull of points: what a mixture of codes, or of models, can reach."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def falling_hull(x: ArrayLike, y: ArrayLike) -> NDArray[np.int64]:
    """The lower convex hull of points (n,), from the least x on, as far as it falls: indices of its corners."""
    x, y = np.asarray(x, float), np.asarray(y, float)

    def above(a: int, b: int, c: int) -> bool:
        """Whether b lies on or above the line from a to c."""
        return bool((y[b] - y[a]) * (x[c] - x[a]) >= (y[c] - y[a]) * (x[b] - x[a]))

    corners: list[int] = []
    for i in np.lexsort((y, x)).tolist():
        if corners and y[i] >= y[corners[-1]]:
            continue
        while len(corners) > 1 and above(corners[-2], corners[-1], i):
            corners.pop()
        corners.append(i)
    return np.array(corners)

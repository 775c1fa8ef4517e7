"""A scale that is fitted by least squares: tried octave by octave, and found between those that were tried.

tried = Octaves(-8, 4, 480)
tried.lowest(loss)      # log2 of the best scale, from the loss at each of `tried.fine`
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Octaves:
    """log2 of the scales that are tried: a coarse row, to solve a law at, and a finer one, to interpolate it at."""

    low: float
    high: float
    steps: int
    """Coarse steps."""
    finer: int = 1
    """Fine steps in each of them."""

    @property
    def coarse(self) -> Floats:
        return np.linspace(self.low, self.high, self.steps + 1)

    @property
    def fine(self) -> Floats:
        return np.linspace(self.low, self.high, self.steps * self.finer + 1)

    def lowest(self, loss: Floats) -> float:
        """The bottom of the parabola through the least loss and its neighbours, one loss for each of `fine`; ends stay ends."""
        row, best = self.fine, int(np.argmin(loss))
        if not 0 < best < len(row) - 1:
            return float(row[best])
        left, middle, right = loss[best - 1 : best + 2]
        bend = left - 2 * middle + right
        return float(row[best] + (row[1] - row[0]) * (0.5 * (left - right) / bend if bend > 0 else 0.0))

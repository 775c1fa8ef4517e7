"""Template probabilities at a chosen precision: sticks broken one by one, each at one of so many places.

ψ ~ Dirichlet(α, ..., α) over m templates is m - 1 breaks: b_i ~ Beta(α, (m - i) α), ψ_i = b_i times the stick that is left.
In the angle φ = arcsin √b a use of the stick has Fisher information 4 wherever b is, and a stick of length r is used in r
of all sentences: so √r · fineness cells of equal angle lose the same at each break. A cell costs -log2 of its prior probability
and stands for the prior mean within it, which is the best answer to not knowing where in it b is.

Cells of an angle Δ lose about 4 r (Δ²/12)/(2 ln 2) bits a use: π²/(24 ln 2 · fineness²) at each of the m - 1 breaks.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

Floats = NDArray[np.float64]
Choose = Callable[[Floats, Floats], int]
"""Given prior probabilities of the cells, (cells,), and where they end, (cells + 1,) from 0 to 1: the cell of the break."""


def broken(templates: int, alpha: float, fineness: float, choose: Choose) -> Floats:
    """The template probabilities, (templates,), that a choice of cells stands for; none is 0."""
    left, pieces = 1.0, []
    for after in range(templates - 1, 0, -1):
        a, b = alpha, after * alpha
        cells = max(1, round(fineness * np.sqrt(left)))
        edges = np.sin(np.linspace(0.0, np.pi / 2, cells + 1)) ** 2
        mass = np.maximum(np.diff(betainc(a, b, edges)), 1e-12)
        mean = a / (a + b) * np.diff(betainc(a + 1, b, edges)) / mass
        cell = choose(mass / mass.sum(), edges)
        share = np.clip(mean[cell], max(edges[cell], 1e-9), min(edges[cell + 1], 1 - 1e-9))
        pieces.append(left * share)
        left *= 1 - share
    return np.array([*pieces, left])


def nearest(psi: Floats) -> Choose:
    """Chooses the cells that `psi` itself falls into."""
    left = np.cumsum(psi[::-1])[::-1]
    breaks = iter(psi[:-1] / np.maximum(left[:-1], 1e-300))

    def choose(mass: Floats, edges: Floats) -> int:
        return int(np.clip(np.searchsorted(edges, next(breaks), side="right") - 1, 0, len(mass) - 1))

    return choose

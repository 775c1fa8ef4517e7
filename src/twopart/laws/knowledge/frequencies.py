"""Expected sums over entities as sums over a table: E Σ_k f(p_k) = Σ_i count_i f(p_i).

For functions of a frequency that a running sum from the top (`tails.py`) cannot give, such as (1-p)^N (1-p/2)^n.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray
from scipy.special import betainc

from twopart.laws.knowledge.tails import TOP, WIDTH, Atoms, Entities, Spread, _jacobi, pieces
from twopart.worlds.knowledge._integrals import log_beta

Floats = NDArray[np.float64]

DUST = 1e-3  # what lies below the lowest frequency is told as entities so much rarer, of the same mass

_X, _W = leggauss(8)


def frequencies(entities: Entities, lowest: float) -> tuple[Floats, Floats]:
    """Frequencies and how many entities have each, shape (points,), for f smooth in ln p above `lowest` and ~ p below."""
    tables = [
        (part.weights, part.counts) if isinstance(part, Atoms) else _spread(part, lowest) for part in pieces(entities)
    ]
    p, counts = (np.concatenate(columns) for columns in zip(*tables, strict=True))
    return p, counts


def _spread(spread: Spread, lowest: float) -> tuple[Floats, Floats]:
    """Nodes of ∫ f(Rp)/p Beta(p; a, b) dp: panels in ln p below 1/2, Gauss-Jacobi above, as in `SpreadTail`."""
    a, b = 1 - spread.law.discount, spread.law.concentration + spread.law.discount
    norm = np.exp(-log_beta(a, b))
    x = min(lowest / spread.mass, 0.25)
    panels = int(np.ceil((TOP - np.log(x)) / WIDTH))
    u = (TOP - WIDTH * np.arange(panels)[:, None] - WIDTH / 2 * (1 - _X)).ravel()
    body = np.exp(u), norm * np.tile(WIDTH / 2 * _W, panels) * np.exp((a - 1) * u + (b - 1) * np.log1p(-np.exp(u)))
    whole = np.ceil(b) - 1
    s, w = _jacobi(b - whole)
    top = 1 - s / 2
    measure = norm * w * 0.5 ** (b - whole) * top ** (a - 2) * (s / 2) ** whole
    end = np.exp(TOP - WIDTH * panels)
    dust = DUST * end
    p = np.concatenate([top, body[0], [dust]])
    return spread.mass * p, np.concatenate([measure, body[1], [betainc(a, b, end) / dust]])

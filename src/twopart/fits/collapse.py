"""Losses at many lengths of context and sizes of text on one curve: excess = n^-gamma l(P / n^b), b = 2 beta in the theory.

ln excess + gamma ln n is taken as a linear spline of ln P - b ln n, with knots at quantiles, and both exponents are those of
the least root mean square, gamma up to 10 and b up to 20: at each b the best gamma and spline are a linear fit. A collapse
alone proves little (docs/laws/text-exponent.md): beside it stand `uncollapsed`, the same with gamma = b = 0, and `spread`, the
same at any pair, the predicted one above all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar

from twopart._arrays import finite
from twopart._checks import check

Floats = NDArray[np.float64]
KNOTS = 6
MOST = 10.0  # gamma: curves that hardly fall lie on one at exponents without end
TRIED = np.linspace(0, 20, 101)  # b


@dataclass(frozen=True, eq=False)
class Collapse:
    """The exponents at which the curves are nearest to one."""

    gamma: float
    twice_beta: float
    residual: float
    """Root mean square of ln excess about the one curve."""
    uncollapsed: float
    """The same without exponents."""
    n: Floats
    P: Floats
    excess: Floats

    def spread(self, gamma: float, twice_beta: float) -> float:
        """Root mean square of ln excess about one curve, at exponents that a theory gives."""
        return _spread(np.log(self.n), np.log(self.P), np.log(self.excess), gamma, twice_beta)


def collapse(n: ArrayLike, P: ArrayLike, excess: ArrayLike) -> Collapse:
    """Of losses less the entropy rate, `excess` > 0 (N, S), at the contexts `n` > 0 (N,) and sizes `P` > 0 of text (S,).

    Raises `InputError` for fewer than two contexts or sizes, or numbers that are not positive.
    """
    lengths = finite("n", n, (None,), "lengths of context")
    sizes = finite("P", P, (None,), "tokens of text")
    losses = finite("excess", excess, (len(lengths), len(sizes)), "a row for each context, less the entropy rate")
    for name, values in (("n", lengths), ("P", sizes), ("excess", losses)):
        check(bool((values > 0).all()), name, float(values.min()), "> 0", "leave out what is not")
        several = values.ndim == 2 or len(np.unique(values)) > 1
        check(several, name, len(values), "two different ones at least", "take more")
    logs = np.log(lengths), np.log(sizes), np.log(losses)
    at = int(np.argmin([_nearest(*logs, b)[0] for b in TRIED]))
    between = TRIED[max(at - 1, 0)], TRIED[min(at + 1, len(TRIED) - 1)]
    b = float(minimize_scalar(lambda b: _nearest(*logs, b)[0], bounds=between, method="bounded").x)
    residual, gamma = _nearest(*logs, b)
    return Collapse(gamma, b, residual, _spread(*logs, 0.0, 0.0), lengths, sizes, losses)


def _spread(ln_n: Floats, ln_P: Floats, ln_excess: Floats, gamma: float, b: float) -> float:
    return _left(_hats(ln_n, ln_P, b), (ln_excess + gamma * ln_n[:, None]).ravel())


def _nearest(ln_n: Floats, ln_P: Floats, ln_excess: Floats, b: float) -> tuple[float, float]:
    """The least spread at this b, and its gamma."""
    hats, n = _hats(ln_n, ln_P, b), np.repeat(ln_n, len(ln_P))
    solved = np.linalg.lstsq(np.column_stack([hats, -n]), ln_excess.ravel(), rcond=None)[0]
    gamma = min(max(float(solved[-1]), 0.0), MOST)
    return _left(hats, ln_excess.ravel() + gamma * n), gamma


def _hats(ln_n: Floats, ln_P: Floats, b: float) -> Floats:
    """What each knot's share of the spline is at ln P - b ln n (points, knots)."""
    u = (ln_P - b * ln_n[:, None]).ravel()
    knots = np.unique(np.quantile(u, np.linspace(0, 1, KNOTS)))
    each = np.arange(len(knots))
    return np.asarray(np.maximum(1 - np.abs(np.interp(u, knots, each)[:, None] - each), 0))


def _left(hats: Floats, w: Floats) -> float:
    """Root mean square of what the best spline leaves."""
    off = w - hats @ np.linalg.lstsq(hats, w, rcond=None)[0]
    return float(np.sqrt((off**2).mean()))

"""Losses at many lengths of context and sizes of text on one curve: excess = n^-gamma l(P / n^b), b = 2 beta in the theory.

ln excess + gamma ln n is taken as a linear spline of ln P - b ln n, with knots at quantiles, and both exponents are those of
the least root mean square, gamma up to 10 and b up to 20. A collapse alone proves little (docs/laws/text-exponent.md): beside
it stand `uncollapsed`, the same with gamma = b = 0, and `spread`, the same at any pair, the predicted one above all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from twopart._arrays import finite
from twopart._checks import check

Floats = NDArray[np.float64]
KNOTS = 6
BOUNDS = (0.0, 10.0), (0.0, 20.0)  # of gamma and b: curves that hardly fall lie on one at exponents without end


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
    starts = [(gamma, b) for gamma in (0.2, 1.0) for b in (0.5, 1.5, 3.0)]
    found = [minimize(lambda e: _spread(*logs, *e), start, method="Nelder-Mead", bounds=BOUNDS) for start in starts]
    best = min(found, key=lambda one: float(one.fun))
    gamma, b = best.x.tolist()
    return Collapse(gamma, b, float(best.fun), _spread(*logs, 0.0, 0.0), lengths, sizes, losses)


def _spread(ln_n: Floats, ln_P: Floats, ln_excess: Floats, gamma: float, b: float) -> float:
    u, w = (ln_P - b * ln_n[:, None]).ravel(), (ln_excess + gamma * ln_n[:, None]).ravel()
    # What np.quantile gives, which takes a third of the whole for its checks.
    knots = np.unique(np.interp(np.linspace(0, len(u) - 1, KNOTS), np.arange(len(u)), np.sort(u)))
    hats = np.stack([np.interp(u, knots, one) for one in np.eye(len(knots))], 1)
    off = w - hats @ np.linalg.lstsq(hats, w, rcond=None)[0]
    return float(np.sqrt((off**2).mean()))

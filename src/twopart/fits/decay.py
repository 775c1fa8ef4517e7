"""Power laws with a right to be refused, and what two of them foretell: alpha = gamma/(2 beta).

    beta = decay(lags, norms, jackknife=norms_without_a_block)          # .exponent, .interval, .window, or .refused: why not
    gamma = decay(contexts, savings, bootstrap=draws, **SAVINGS)        # of what each doubling of the context saves
    horizon_prediction(beta, gamma).alpha

A refusal is a result: it says in words which test a curve fails. The tests: docs/laws/text-exponent.md, refusals.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from twopart._arrays import finite
from twopart._checks import check, check_real
from twopart._html import element
from twopart._notebook import quantities, shown

Floats = NDArray[np.float64]
SAVINGS = {"start": 1.0, "span": 8.0, "significance": 2.0, "residual": np.inf, "above": 0.0}
"""The tests of what doublings of context save; those of norms over lags are the defaults of `decay`."""
WIDEST = 0.15  # interval of a prediction
QUANTILES = ndtri((np.arange(500) + 0.5) / 500)


@dataclass(frozen=True, eq=False)
class Decay:
    """y ~ x^-exponent over a window of x; nan where there is none."""

    exponent: float
    interval: tuple[float, float]
    window: tuple[float, float]
    draws: Floats
    """Of the exponent, as its error has it."""
    refused: str | None
    """Why this is no power law."""

    def _repr_html_(self) -> str:
        said = element(
            "p",
            f"Over {self.window[0]:g} to {self.window[1]:g}. " + (f"Refused: {self.refused}." if self.refused else ""),
        )
        return shown("Power law x^-exponent", quantities([("exponent", self.exponent, self.interval)]), said)


@dataclass(frozen=True)
class Prediction:
    """The exponent of data that the horizon foretells; nan where it cannot be computed."""

    alpha: float
    interval: tuple[float, float]
    refused: str | None


def decay(
    x: ArrayLike,
    y: ArrayLike,
    jackknife: ArrayLike | None = None,
    bootstrap: ArrayLike | None = None,
    *,
    start: float = 2.0,
    span: float = 10.0,
    significance: float = 3.0,
    bend: float = 0.25,
    residual: float = 0.15,
    above: float = 0.5,
) -> Decay:
    """The widest window of the rising `x` (n,), from `start` on and of a factor >= `span`, in which `y` (n,) is a power law.

    That is: every y exceeds 0 by so many standard errors, the slopes of the two halves differ by less than `bend`, the root
    mean square about the line, least squares on logarithms, is below `residual`, and the 95 % interval of the exponent lies
    above `above`. Errors come from `y` with one part left out (parts, n), or from resamples (draws, n).
    """
    x, check_span = (
        finite("x", x, (None,), "one number for each y"),
        check_real("span", span, 1, np.inf, "10 is a decade"),
    )
    y = finite("y", y, x.shape, "one number for each x")
    check(
        (jackknife is None) != (bootstrap is None),
        "jackknife",
        "both or none",
        "given, or `bootstrap`",
        "give one of them",
    )
    others = finite("replicates", jackknife if bootstrap is None else bootstrap, (None, len(x)), "rows like y")
    check(bool(np.all(np.diff(x, prepend=0) > 0)), "x", x, "rising, above 0", "give lags, or lengths of context")
    widening = np.sqrt(len(others) - 1) if bootstrap is None else 1.0
    sure, windows, bent = (y > significance * widening * others.std(0)) & (x >= start), [], 0
    for i, j in combinations(range(len(x) + 1), 2):
        if j - i < 4 or x[j - 1] < check_span * x[i] * (1 - 1e-9) or not sure[i:j].all():
            continue
        ln_x, ln_y, half = np.log(x[i:j]), np.log(y[i:j]), (j - i + 1) // 2
        line, first, last = (
            np.polyfit(ln_x[part], ln_y[part], 1) for part in (slice(None), slice(half), slice(-half, None))
        )
        straight = bool(abs(first[0] - last[0]) < bend and np.std(ln_y - np.polyval(line, ln_x)) < residual)
        windows += [(x[j - 1] / x[i], -i, j, -float(line[0]))] * straight
        bent += not straight
    if not windows:
        why = f"each of {bent} windows bends" if bent else f"no window of a factor {span:g} stands out of the noise"
        return Decay(np.nan, (np.nan, np.nan), (np.nan, np.nan), np.empty(0), why)
    _, i, j, exponent = max(windows)
    draws = -np.polyfit(np.log(x[-i:j]), np.log(np.maximum(others[:, -i:j], 1e-300)).T, 1)[0]
    if bootstrap is None:  # parts left out: a normal with the jackknife's error
        draws = exponent + widening * draws.std() * QUANTILES
    low, high = np.quantile(draws, (0.025, 0.975)).tolist()
    why = f"the interval of the exponent, {low:.2f} to {high:.2f}, reaches {above:g}"
    return Decay(exponent, (low, high), (float(x[-i]), float(x[j - 1])), draws, why if low <= above else None)


def horizon_prediction(beta: Decay, gamma: Decay) -> Prediction:
    """alpha = gamma/(2 beta), with quantiles of the ratio; refused if either is, or if the interval is wider than 0.15."""
    refused = [f"{name}: {one.refused}" for name, one in (("beta", beta), ("gamma", gamma)) if one.refused]
    alpha, low, high = gamma.exponent / (2 * beta.exponent), np.nan, np.nan
    if len(beta.draws) and len(gamma.draws):
        low, high = np.quantile(np.divide.outer(gamma.draws, 2 * beta.draws), (0.025, 0.975)).tolist()
    if high - low > WIDEST:
        refused += [f"its interval is {high - low:.2f} wide"]
    return Prediction(alpha, (low, high), "; ".join(refused) or None)

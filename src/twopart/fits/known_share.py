"""The share of facts that is known, by frequency, where answers can be guessed: right = known, or not known and guessed.

    P(right_i) = K(x_i) + (1 - K(x_i)) g_i        x = log10 frequency, g_i the guess rate of fact i

known_share       K that only rises: by EM over isotonic regressions (the problem is concave)
threshold_curve   K of two numbers, by maximum likelihood: where half are known, and how sharply that is so
anchored          guess rates moved so that they are right where nothing is known
Derived in docs/tools/probe.md; tests plant K and guess rates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from math import exp
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, isotonic_regression, minimize
from scipy.special import expit, gammainc, gammaincinv, logit, ndtr

from twopart._arguments import shares
from twopart._checks import check, check_choice, check_integer

Floats = NDArray[np.float64]
Form = Literal["probit", "exposures", "step"]
PLACES, WIDTHS = (-0.5, -0.25, 0.0, 0.25, 0.5), ((0.03, 0.2), (1.0, 8.0))
CLOSE = {"xatol": 1e-3, "fatol": 1e-3}
LEAST = 1e-9
LAPSES = np.linspace(0.0, 0.4, 41)


@dataclass(frozen=True)
class ThresholdCurve:
    """K by two numbers, and a lapse rate where it was asked for."""

    form: Form
    threshold: float
    """log10 frequency at which half are known."""
    width: float
    """Standard deviation in decades of the probit; exposures T needed, of `exposures`; 0 for the step."""
    lapse: float
    """Share of answers, on both sides of the threshold, that are as if on the other."""
    log_likelihood: float
    """In nats."""

    def known(self, x: ArrayLike) -> Floats:
        """K at log10 frequencies x."""
        return _known(self.form, np.asarray(x, float), self.threshold, self.width, self.lapse)

    @property
    def ninety_ten(self) -> float:
        """Frequency at which 90 % are known over that at which 10 % are: 10^(2.563 width) for the probit, for exposures
        `sharpness_after(T)`; inf where that is more than floats hold."""
        if self.form == "step":
            return 1.0
        if self.form == "probit":
            return float(10 ** (2.5631031310892007 * self.width))
        least, most = gammaincinv(self.width, (0.1, 0.9))
        return float(most / least) if least > 0 else math.inf


def known_share(x: ArrayLike, right: ArrayLike, guess: ArrayLike, steps: int = 200) -> Floats:
    """K at each x (N,), rising with x, of largest likelihood given who was `right` (N,) and the `guess` rates (N,).

    Each step takes the probability that a right answer was known, r = right K / (K + (1 - K) g), and fits K to it by isotonic
    regression, ties of x pooled. Raises `InputError` for arrays of other shapes, or numbers outside [0, 1].
    """
    x, right, guess = _checked(x, right, guess)
    check_integer("steps", steps, 1, None, "200 is customary")
    _, place, count = np.unique(x, return_inverse=True, return_counts=True)
    known = np.full(len(x), 0.5)
    for _ in range(steps):
        responsible = right * known / np.maximum(known + (1 - known) * guess, LEAST)
        fit = isotonic_regression(np.bincount(place, responsible) / count, weights=count.astype(float)).x[place]
        if np.abs(fit - known).max() < 1e-7:
            break
        known = fit
    return np.asarray(known)


def threshold_curve(
    x: ArrayLike,
    right: ArrayLike,
    guess: ArrayLike,
    form: Form = "probit",
    *,
    lapse: bool = False,
    width: float | None = None,
) -> ThresholdCurve:
    """The K of largest likelihood of a `form`, arrays as in `known_share`: `probit` Φ((x - x0)/σ); `exposures` P(Gamma(T) <=
    median(T) 10^(x - x0)); `step`. With `lapse` a third parameter l: l + (1 - 2l) K. A `width` that is given stays so.

    If x is log10 q with an error of deviation s, and what is held is q >= λ, then K is the probit with σ = s (derived in
    docs/tools/probe.md): the width bounds the learner's own.
    """
    x, right, guess = _checked(x, right, guess)
    check_choice("form", form, ("probit", "exposures", "step"))
    if form == "step":
        return _step(x, right, guess, LAPSES if lapse else LAPSES[:1])
    middle, reach = float(np.median(x)), max(float(np.ptp(x)), 1e-6)
    true, false = np.flatnonzero(right), np.flatnonzero(right < 1)  # one logarithm for each fact, not two
    rows, weights, free = np.r_[true, false], np.r_[right[true], 1 - right[false]], 1 - guess
    at, base, gain = x[rows], np.r_[guess[true], free[false]], np.r_[free[true], -free[false]]

    def numbers(parameters: Floats) -> tuple[float, float, float]:
        each = iter(parameters.tolist())
        threshold = middle + reach * min(max(next(each), -3.0), 3.0)
        scale = width if width is not None else exp(min(max(next(each), -7.0), 4.0))
        return threshold, scale, 0.49 * float(expit(next(each))) if lapse else 0.0

    def cost(parameters: Floats) -> float:
        likely = base + gain * _known(form, at, *numbers(parameters))
        return -float(np.log(np.minimum(np.maximum(likely, LEAST), 1 - LEAST)) @ weights)

    widths = [[[np.log(w)] for w in some] for some in WIDTHS] if width is None else [[[]]]
    starts = [[np.array([place, *w, *([-3.0] if lapse else [])]) for place in PLACES for w in some] for some in widths]
    found = [minimize(cost, min(some, key=cost), method="Nelder-Mead", options=CLOSE) for some in starts]
    best = min(found, key=lambda one: float(one.fun))
    return ThresholdCurve(form, *numbers(best.x), log_likelihood=-float(best.fun))


def anchored(guess: ArrayLike, accuracy: float) -> tuple[Floats, float]:
    """Guess rates (N,), in (0, 1), moved by one δ in logits so that their mean is `accuracy`, in (0, 1); and δ.

    For the facts that are hardest to know: what they have right was guessed.
    """
    rates = shares("guess", guess)
    check(0 < accuracy < 1, "accuracy", accuracy, "in (0, 1)", "take more facts")
    logits = logit(np.clip(rates, 1e-4, 1 - 1e-4))
    shift = float(brentq(lambda d: float(expit(logits + d).mean()) - accuracy, -30, 30))
    return expit(logits + shift), shift


def _checked(x: ArrayLike, right: ArrayLike, guess: ArrayLike) -> tuple[Floats, Floats, Floats]:
    values, known, rates = np.asarray(x, float), shares("right", right), shares("guess", guess)
    check(values.ndim == 1 and len(values) > 1, "x", values.shape, "of shape (N,), N > 1", "give one for each fact")
    check(bool(np.isfinite(values).all()), "x", "a number that is not finite", "finite", "leave the fact out")
    for name, array in (("right", known), ("guess", rates)):
        check(array.shape == values.shape, name, array.shape, f"of shape {values.shape}", "give one for each fact")
    return values, known, rates


def _known(form: Form, x: Floats, threshold: float, width: float, lapse: float) -> Floats:
    if form == "step":
        known = (x >= threshold).astype(float)
    elif form == "probit":
        known = ndtr((x - threshold) / width)
    else:
        known = gammainc(width, gammaincinv(width, 0.5) * 10 ** np.clip(x - threshold, -100, 100))
    return np.asarray(lapse + (1 - 2 * lapse) * known if lapse else known)


def _step(x: Floats, right: Floats, guess: Floats, lapses: Floats) -> ThresholdCurve:
    """Every place between two facts is tried, by cumulative sums."""
    order = np.argsort(x, kind="stable")
    x, right, guess = x[order], right[order], guess[order]
    places = np.flatnonzero(np.diff(x) > 0) + 1
    best = (-np.inf, 0.0, 0.0)
    for lapse in lapses:
        below, above = (
            np.r_[0.0, np.cumsum(right * np.log(p) + (1 - right) * np.log1p(-p))]
            for p in (np.clip(k + (1 - k) * guess, LEAST, 1 - LEAST) for k in (lapse, 1 - lapse))
        )
        sums = below[places] + above[-1] - above[places]
        at = int(sums.argmax()) if len(places) else -1
        if at >= 0 and sums[at] > best[0]:
            best = float(sums[at]), float(x[places[at] - 1 : places[at] + 1].mean()), float(lapse)
    check(bool(np.isfinite(best[0])), "x", "one value", "of two values at least", "give facts of different frequencies")
    return ThresholdCurve("step", best[1], 0.0, best[2], best[0])

"""Steps to a target by batch size, exact for least squares: SGD whose weights are averaged on the way.

    law = LeastSquaresSGD(eigenvalues, square, noise=1.0)      # variances of the inputs, E (w_0 - w*)² along them
    law.excess(rates, batch=16)                                # after each step, by average of the weights
    batch_law(law, data=4096).critical                         # B*, rate and average tuned for every batch

Fresh Gaussian inputs; the average ŵ is τ ŵ + (1 - τ) w at each step, from 0, over 1 - τ^t. Only the sum over directions of its
squared error is ever needed, so an average costs three multiplications a direction. Batches need not be whole: only 1/B enters.
Derived in docs/laws/critical-batch-size.md, the law.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from twopart._arrays import Floats, finite
from twopart._checks import check, check_integer, check_real
from twopart._numba import REASSOCIATE, kernel
from twopart.worlds.regression.arrays import step_sizes, variances

AVERAGES = (0.0, 0.9, 0.97, 0.99, 0.997, 0.999, 0.9997)
"""The decays τ that are tried; 0 is the last weights."""
RATES = 16  # tried at first, each 1/√2 of the one before, from where descent is sure to diverge
ZOOM = (2**0.25, 2**0.125, 2**0.0625, 2**0.03125)  # then around the best
GROWN = 1e6  # so many times the first risk is divergence; a mere rise is none, it may fall again
OCTAVES = 20  # of batch sizes
FOUR = 4  # steps at a time


class Best(NamedTuple):
    """The learning rate and average that are best, and what they reach."""

    value: float
    """Steps, or excess risk; inf where no rate reaches the target."""
    rate: float
    average: float
    """τ."""


@dataclass(frozen=True, eq=False)
class LeastSquaresSGD:
    """Least squares in its eigenbasis, and how it is learned but for rate and batch. Risks are halves of squares."""

    eigenvalues: ArrayLike
    """λ, shape (d,), each >= 0."""
    square: ArrayLike
    """E (w_0 - w*)², shape (d,)."""
    noise: float = 0.0
    """σ >= 0."""
    momentum: float = 0.0
    """β in [0, 1)."""
    averages: Sequence[float] = AVERAGES
    """τ, each in [0, 1)."""

    def __post_init__(self) -> None:
        λ = variances("eigenvalues", self.eigenvalues)
        check(λ.max() > 0, "eigenvalues", float(λ.max()), "> 0 in some direction", "nothing can be learned else")
        m = finite("square", self.square, (len(λ),), "give one squared error for each eigenvalue")
        check(m.min() >= 0, "square", float(m.min()), ">= 0", "it is the mean of a square")
        check_real("noise", self.noise, 0, np.inf, "it is a standard deviation", closed="[)")
        check_real("momentum", self.momentum, 0, 1, "0 is plain SGD, 0.9 customary", closed="[)")
        τ = finite("averages", self.averages, (None,), "0 is the last weights, 0.99 a memory of 100 steps")
        check(bool(np.all((τ >= 0) & (τ < 1))), "averages", self.averages, "in [0, 1)", "0 is the last weights")
        for name, array in (("eigenvalues", λ), ("square", m), ("averages", τ)):
            object.__setattr__(self, name, array)

    def excess(self, rates: ArrayLike, batch: float) -> Floats:
        """Expected excess risk after each of the steps (T,), by average: shape (T, averages); inf once it has diverged."""
        γ = step_sizes("rates", rates, np.size(rates))
        check(len(γ) > 0, "rates", rates, "of shape (steps,)", "give one for each step")
        out = np.full((len(γ), len(self.averages)), np.inf)
        self._walk(γ, batch, out=out)
        return np.asarray(out)

    def steps_to(self, target: float, *, rate: float, batch: float, most: int) -> Floats:
        """Steps at a constant rate until the excess is `target`, by average: shape (averages,); nan after `most` steps.

        Between two steps it is interpolated in ln(excess).
        """
        γ = step_sizes("rate", rate, check_integer("most", most, 1, 2**31, "where to give up"))
        goal = check_real("target", target, 0, np.inf, "it is an excess risk", closed="()")
        return np.asarray(self._walk(γ, batch, goal)[0])

    def best_steps(self, target: float, *, batch: float, most: int, rates: ArrayLike | None = None) -> Best:
        """The fewest steps to `target` over constant rates and averages, the best rate refined; inf beyond `most`."""
        check_real("target", target, 0, np.inf, "it is an excess risk", closed="()")
        check_integer("most", most, 1, 2**31, "where to give up")

        def of(rate: float, best: float) -> Floats:
            γ = np.full(int(min(most, np.ceil(best))), rate)  # what is slower than the best need not be followed
            return np.asarray(np.nan_to_num(self._walk(γ, batch, target, enough=1)[0], nan=np.inf))

        return self._best(of, batch, rates)

    def least_excess(self, steps: int, *, batch: float, rates: ArrayLike | None = None) -> Best:
        """The least excess within so many steps over constant rates, averages and moments, the best rate refined."""
        check_integer("steps", steps, 1, 2**31, "it is what the data allow")
        return self._best(lambda rate, best: self._walk(np.full(steps, rate), batch)[1], batch, rates)

    def noise_scale(self, moments: ArrayLike) -> float:
        """tr Σ / |G|² of single gradients where the weights' squared errors are `moments` (d,): McCandlish's simple scale."""
        λ: Any = self.eigenvalues
        m = finite("moments", moments, λ.shape, "give one squared error for each eigenvalue")
        return float(λ.sum() * (λ @ m + self.noise**2) / (λ**2 @ m) + 1)

    def _walk(self, γ: Floats, batch: float, target: float = 0.0, enough: int = 0, out: Any = None) -> Any:
        share, τ = 1 / check_real("batch", batch, 0, np.inf, "1 is plain SGD", closed="()"), self.averages
        out, m, β = np.empty((1, len(τ))) if out is None else out, np.array(self.square), self.momentum
        plain = β == 0 and bool(np.all(γ == γ[0]))
        return _walk(self.eigenvalues, m, γ, self.noise**2, share, β, plain, τ, 2 * target, enough or len(τ), out)

    def _best(self, of: Callable[[float, float], Floats], batch: float, rates: ArrayLike | None) -> Best:
        """The least of what `of` gives for a rate and the best so far, by average."""
        λ: Any = self.eigenvalues
        first = λ.max() + λ.sum() / batch
        grid = 2 * (1 + self.momentum) / first * 2 ** (-np.arange(RATES) / 2)
        best = Best(np.inf, float("nan"), float("nan"))

        def better(rate: float) -> Best:
            values = of(rate, best.value)
            k = int(values.argmin())
            return Best(float(values[k]), rate, float(self.averages[k])) if values[k] < best.value else best

        for rate in finite("rates", grid if rates is None else rates, (None,), "give the rates to try").tolist():
            best = better(rate)
        for factor in ZOOM if np.isfinite(best.value) else ():
            for rate in (best.rate * factor, best.rate / factor):
                best = better(rate)
        return best


@partial(kernel, fastmath=REASSOCIATE, error_model="numpy")
def _walk(
    λ: Floats, m: Floats, rates: Floats, variance: float, share: float, β: float, plain: bool,
    averages: Floats, target: float, enough: int, out: Floats,
) -> Any:  # fmt: skip
    """Steps at which each average's full square reaches `target`, and its least half; stops when `enough` of them have.

    `out` (T, K) takes all halves, or (1, K) the last; `m` is used up. Noise σ² `variance`, `share` 1/B. SGD at a constant rate
    without momentum, `plain`, takes `FOUR` steps at a time, so that an average is read and written once for all of them.
    """
    n, d, K, γ, risk = len(λ), -(-len(λ) // 32) * 32, len(averages), rates[0], 0.0  # loops over d have no slow rest
    keep, λλ, keep_λλ, decay, m_λ, λm = np.zeros(d), np.zeros(d), np.zeros(d), np.zeros(d), np.zeros(d), np.zeros(d)
    lifts, pushes, ahead, risks = np.zeros(FOUR), np.zeros(FOUR), np.zeros(FOUR), np.zeros(FOUR)
    for i in range(n):
        keep[i], λλ[i], λm[i], power = 1 - γ * λ[i], λ[i] * λ[i], λ[i] * m[i], 1.0
        keep_λλ[i], decay[i] = keep[i] * λλ[i], keep[i] * keep[i] + share * γ * γ * λλ[i]
        m_λ[i] = m[i] / λ[i] if λ[i] > 0 else 0.0
        risk += λm[i]
        for s in range(FOUR):
            lifts[s] += λλ[i] * power
            power *= decay[i]
            ahead[s] += λm[i] * power
    # with_v and with_δ are λ E va and λ E δa, over 1 - τ; plain: times keep
    δv, vv, with_v, with_δ = np.zeros(n), np.zeros(n), np.zeros((K, n)), np.zeros((K, d))
    kept, cross = np.zeros((FOUR, d)), np.zeros((FOUR, K))
    square, left, last = np.zeros(K), np.ones(K), np.full(K, risk)
    crossed, least, reached, highest = np.full(K, np.nan), np.full(K, np.inf), 0, GROWN * (risk + variance)
    for start in range(0, len(rates), FOUR if plain else 1):
        if plain:
            for s in range(FOUR):
                pushes[s], risk = share * γ * γ * (risk + variance), ahead[s]
                for r in range(s + 1):
                    risk += pushes[r] * lifts[s - r]
                risks[s] = risk
            first, second, third, fourth = pushes[0], pushes[1], pushes[2], pushes[3]
            one, two, three, four = 0.0, 0.0, 0.0, 0.0
            for i in range(d):
                by, x = decay[i], m_λ[i]
                x = by * x + first
                kept[0, i] = keep_λλ[i] * x
                x = by * x + second
                kept[1, i] = keep_λλ[i] * x
                x = by * x + third
                kept[2, i] = keep_λλ[i] * x
                x = by * x + fourth
                kept[3, i] = keep_λλ[i] * x
                m_λ[i] = x
                x *= λλ[i] * by
                one += x
                x *= by
                two += x
                x *= by
                three += x
                x *= by
                four += x
            ahead[0], ahead[1], ahead[2], ahead[3] = one, two, three, four
            for k in range(K):
                a, τ, one, two, three, four = with_δ[k], averages[k], 0.0, 0.0, 0.0, 0.0
                for i in range(d if τ > 0 else 0):
                    by, x = τ * keep[i], a[i]
                    one += x
                    x = by * x + kept[0, i]
                    two += x
                    x = by * x + kept[1, i]
                    three += x
                    x = by * x + kept[2, i]
                    four += x
                    a[i] = by * x + kept[3, i]
                cross[0, k], cross[1, k], cross[2, k], cross[3, k] = one, two, three, four
        else:
            γ, push, risk = rates[start], share * (risk + variance), 0.0
            for i in range(n):
                turn = β * δv[i] + λm[i]  # E δv'
                vv[i] = β * (β * vv[i] + 2 * λ[i] * δv[i]) + λ[i] * (λm[i] * (1 + share) + push)
                δv[i] = turn - γ * vv[i]
                m[i] += γ * (γ * vv[i] - 2 * turn)
                λm[i] = λ[i] * m[i]
                risk += λm[i]
            for k in range(K):
                one, τ = 0.0, averages[k]
                for i in range(n):
                    turn = β * with_v[k, i] + λ[i] * with_δ[k, i]
                    old = with_δ[k, i] - γ * turn
                    one += old
                    with_v[k, i] = τ * turn + λ[i] * δv[i]
                    with_δ[k, i] = τ * old + λm[i]
                cross[0, k] = one
            risks[0] = risk
        for t in range(start, min(start + FOUR, len(rates)) if plain else start + 1):
            for k in range(K):
                τ, fresh = averages[k], (1 - averages[k]) ** 2
                square[k] = τ * (τ * square[k] + 2 * fresh * cross[t - start, k]) + fresh * risks[t - start]
                left[k] *= τ
                now = square[k] / (1 - left[k]) ** 2
                out[min(t, len(out) - 1), k] = now / 2
                least[k] = min(least[k], now / 2)
                if now <= target and np.isnan(crossed[k]):
                    crossed[k] = t + (np.log(last[k] / target) / np.log(last[k] / now) if last[k] > target else 1.0)
                    reached += 1
                last[k] = now
            if reached >= enough or not risks[t - start] < highest:
                return crossed, least
    return crossed, least


class BatchLaw(NamedTuple):
    """Steps to one target by batch size, and where they depart from linear scaling."""

    target: float
    """The least excess that the reference batch reaches with D samples."""
    batch: Floats
    """B, the reference first, doubling."""
    best: tuple[Best, ...]
    """Steps, rate and average for each."""
    critical: float
    """B*, where B T(B) crosses (1 + overhead) D, interpolated in logarithms; nan if no batch tried gets there."""

    @property
    def steps(self) -> Floats:
        """T(B)."""
        return np.array([one.value for one in self.best])

    @property
    def around(self) -> tuple[int, int]:
        """Which batches lie below and above B*."""
        above = int(np.searchsorted(self.batch, self.critical))
        return above - 1, above


def batch_law(problem: LeastSquaresSGD, data: int, *, reference: float = 4, overhead: float = 0.2) -> BatchLaw:
    """T(B) to the least excess that batches of `reference` reach with `data` samples, until B T(B) is four times D.

    Rates are constant; rate and average are tuned for each batch. Raises `InputError` for arguments out of range.
    """
    check_real("reference", reference, 0, np.inf, "it is a batch size", closed="()")
    check_integer("data", data, int(np.ceil(2 * reference)), 2**31, "two steps of the reference batch, at least")
    check_real("overhead", overhead, 0, 3, "0.2 is the authors'", closed="()")
    first = problem.least_excess(round(data / reference), batch=reference)
    sizes, best = [float(reference)], [first._replace(value=data / reference)]
    while sizes[-1] * best[-1].value < 4 * data and len(best) <= OCTAVES:
        sizes.append(2 * sizes[-1])
        most = max(2, int(np.ceil(2 * best[-1].value)))  # a larger batch needs hardly more steps than a smaller
        best.append(problem.best_steps(first.value, batch=sizes[-1], most=most))
    over = np.log([b * one.value / data for b, one in zip(sizes, best, strict=True)]) - np.log1p(overhead)
    k = int(np.argmax(over > 0))
    at = np.interp(0.0, over[k - 1 : k + 1], np.log(sizes[k - 1 : k + 1])) if k else np.nan
    return BatchLaw(first.value, np.array(sizes), tuple(best), float(np.exp(at)))


PUBLISHED = {
    "85M": (85, 3.42, (46000, 23000, 13282, 7000, 3840, 2528, 1917, 1600, 1600), 745.3),
    "151M": (151, 3.24, (96000, 49000, 24000, 12000, 7128, 4350, 2940, 2400, 2300), 955.2),
    "302M": (302, 3.07, (196000, 90000, 46000, 23400, 13300, 7224, 4980, 3400, 2879), 1393.7),
    "604M": (604, 2.92, (311000, 166000, 81000, 37440, 21320, 11400, 7199, 4700, 3800), 1888.5),
    "1.2B": (1200, 2.736, (642000, 331000, 176000, 94000, 46500, 25000, 15360, 8900, 6500), 2533.4),
}  # parameters in millions, target loss, steps at B = 64, ..., 16384, the authors' B*


def published_batches() -> pl.DataFrame:
    """The authors' table: model, millions of parameters, target loss, batch, steps, their B* from 256 by 20 %.

    Source: Zhang et al. 2024, arXiv 2410.21676, the notebook of github.com/hlzhang109/critical-batch-size (models trained on
    Chinchilla-optimal amounts of C4; batches in sequences of 512 tokens). Their B* grow as parameters^0.4683.
    """
    rows = [
        (name, params, target, 64 << k, steps, critical)
        for name, (params, target, table, critical) in PUBLISHED.items()
        for k, steps in enumerate(table)
    ]
    return pl.DataFrame(rows, schema=["model", "params", "target", "batch", "steps", "critical"], orient="row")

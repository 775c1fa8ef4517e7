"""How many source samples is a target sample worth: the law of transfer, solved for the amount of data.

    tuned_risk(world, 2507, 32)                         # the best learning rates for so many source and target samples
    exchange(world, target_samples=256)                 # source samples that do as well as 256 target samples alone
    exchange(world, 256, finetune=32)                   # the same, if 32 target samples fine-tune
    best_split(world, budget=1000, prices=(1, 20))[0]   # how to spend it on source and target samples
    exchange_rate(source_features, target_features, pilot_labels, 256)      # on a user's own embeddings

Learning rates are those of `geometric`, in units of 1/E|x|² of the phase's inputs, and tuned: each number is the best over the
grid `rates`, for target data alone as well; fine-tuning may also stay where it is (rate 0).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from twopart._arrays import Floats, finite
from twopart._checks import check, check_choice, check_integer, check_real
from twopart.laws.regression.schedule import geometric
from twopart.laws.regression.sgd_moments import Sampled
from twopart.laws.regression.transfer import Domains
from twopart.worlds.regression import CovariateShift

RATES = (0.05, 0.1, 0.2, 0.4, 0.8)
LARGEST = 2e8  # operations of a step with the rows' own fourth moments: about a hundredth of a second
CLOSE = 1.01  # amounts of data whose ratio is less are interpolated between
ROUNDS = 3  # of narrowing down the best split
RIDGES = np.geomspace(1e-8, 1e2, 41)  # candidates, in units of the largest eigenvalue of a pilot's covariance


@dataclass(frozen=True)
class Tuned:
    """The best learning rates for so many source and target samples."""

    source: int
    target: int
    risk: float
    rate_source: float
    """Of the source's first step, absolute."""
    rate_target: float
    """Of the target's; 0 leaves the pretrained weights as they are."""
    batch: int

    @property
    def rates(self) -> tuple[Floats, Floats]:
        """Those of each step, for the law and for runs."""
        steps = self.source // self.batch, self.target // self.batch
        return geometric(steps[0], self.rate_source), geometric(steps[1], self.rate_target)


@dataclass(frozen=True)
class Exchange:
    """Source samples that do as well as target samples alone."""

    samples: float
    """M, between whole numbers interpolated in logarithms; infinite if `most` do not do."""
    target_samples: int
    """N."""
    finetune: int
    """Target samples that fine-tune after the M."""
    risk: float
    """What both reach, each at its best learning rates, which `tuned_risk` gives."""

    @property
    def each(self) -> float:
        """Source samples for each target sample saved, M / (N - n); nan where none is."""
        saved = self.target_samples - self.finetune
        return self.samples / saved if saved > 0 else float("nan")


def tuned_risk(
    problem: CovariateShift | Domains, source: int, target: int, rates: Sequence[float] = RATES, batch: int = 1
) -> Tuned:
    """The least target risk after `source` and then `target` samples, over all pairs of first rates on the grid.

    A batch of b samples is one step; what is left of a division is not used.
    """
    domains, grid = Domains.of_world(problem), finite("rates", rates, (None,), "give first rates to choose from")
    check(grid.min() > 0, "rates", float(grid.min()), "> 0", "a phase that may rest has the rate 0 anyway")
    check_integer("batch", batch, 1, None, "1 is plain SGD")
    for name, count in (("source", source), ("target", target)):
        check_integer(name, count, 0, None, "it is a number of samples")
    found, first, then = [], geometric(source // batch, 1.0), geometric(target // batch, 1.0)
    with np.errstate(over="ignore", invalid="ignore"):  # a rate too large grows without bound, and is not the best
        for γ in grid / domains.source.trace if len(first) else (0.0,):
            S = domains.pretrain(γ * first, batch)
            for η in (0.0, *grid / domains.target.trace) if len(then) else (0.0,):
                T = domains.finetune(S, η * then, batch) if η else S
                found.append(Tuned(source, target, domains.risk_of(T), float(γ), float(η), batch))
    return min(found, key=lambda tuned: tuned.risk if np.isfinite(tuned.risk) else np.inf)


def exchange(
    problem: CovariateShift | Domains, target_samples: int, finetune: int = 0, *, most: int = 2**17, **search: Any
) -> Exchange:
    """The source samples M that, with `finetune` target samples after them, reach the risk of `target_samples` alone.

    The least on a grid that doubles and is then refined; above about 100 it is good to 1 %, as the schedule of a whole number
    of steps makes the risk slightly rough. `most` bounds the search; `search` are `rates` and `batch` of `tuned_risk`. Raises
    `InputError` for numbers out of range.
    """
    check_integer("target_samples", target_samples, 1, None, "the number to be replaced")
    check_integer("finetune", finetune, 0, None, "0 only pretrains")
    check_integer("most", most, 1, None, "it bounds the search")
    domains = Domains.of_world(problem)
    level = tuned_risk(domains, 0, target_samples, **search).risk

    def risk(M: int) -> float:
        return tuned_risk(domains, M, finetune, **search).risk

    hopeless = finetune == 0 and domains.floor() >= level
    return Exchange(np.inf if hopeless else _first_below(risk, level, most), target_samples, finetune, level)


def best_split(
    problem: CovariateShift | Domains, budget: float, prices: tuple[float, float], **search: Any
) -> list[Tuned]:
    """Source and target samples that `budget` buys at `prices`, (of a source sample, of a target sample), least risk first.

    Splits are tried on a grid, then twice between the best and its neighbours; as the risk is slightly rough, a split next to
    the first may be better by as much. `search` are `rates` and `batch` of `tuned_risk`. Raises `InputError` for budgets that
    buy nothing.
    """
    check_real("budget", budget, 0, np.inf, "in the unit of the prices", closed="()")
    check(len(prices) == 2, "prices", prices, "two numbers", "give the source sample's and the target sample's")
    p, q = (check_real("prices", price, 0, np.inf, "of one sample", closed="()") for price in prices)
    check(budget >= min(p, q), "budget", budget, f"at least {min(p, q):g}", "it should buy a sample")
    domains, tried, low, high = Domains.of_world(problem), dict[int, Tuned](), 0, int(budget / q)
    for _ in range(ROUNDS):
        few = (round(low + (high - low) * share) for share in np.linspace(0, 1, 17) ** 2)  # denser at the low end
        for n in set(few if high - low > 16 else range(low, high + 1)) - tried.keys():
            tried[n] = tuned_risk(domains, int((budget - q * n) / p), n, **search)
        order = sorted(tried)
        place = order.index(min(tried, key=lambda n: tried[n].risk))
        low, high = order[max(place - 1, 0)], order[min(place + 1, len(order) - 1)]
    return sorted(tried.values(), key=lambda split: split.risk)


def from_features(
    source_features: ArrayLike,
    target_features: ArrayLike,
    pilot_labels: ArrayLike,
    *,
    source_labels: ArrayLike | None = None,
    start: ArrayLike | None = None,
    fourth_moments: str = "sample",
) -> Domains:
    """The law's view of a user's own shift: features (m, d) and (n, d) without labels, and labels of the first target rows.

    The pilot labels, shape (k,), k >= 2, belong to the first k rows of `target_features`. A ridge regression on them, its
    strength by generalised cross-validation (Golub, Heath, Wahba 1979), gives the truth and, from its residuals, the noise.
    `source_labels`, of the first source rows, give the source a truth and a noise of its own in the same way; without them it
    has the target's. `start` is the weights to begin with, (d,), 0 without it. Features are taken as they are: add a column of
    ones if the head has an intercept. `fourth_moments`: "sample" takes those of the rows, at n d² operations a step; "gaussian"
    those of Gaussian inputs with the same covariance, at d a step. Raises `InputError` for wrong shapes, ranges and nan.
    """
    x = finite("source_features", source_features, (None, None), "give a row for each sample")
    z = finite("target_features", target_features, (None, x.shape[1]), "it needs the columns of `source_features`")
    check_choice("fourth_moments", fourth_moments, ("sample", "gaussian"))
    w0 = np.zeros(x.shape[1]) if start is None else finite("start", start, x.shape[1:], "one weight for each column")
    for name, rows in (("source_features", x), ("target_features", z)):
        check(bool(np.any(rows)), name, "only zeros", "features that vary", "there is nothing to learn from")
    truth, noise = _pilot("pilot_labels", z, pilot_labels)
    own, source_noise = (truth, None) if source_labels is None else _pilot("source_labels", x, source_labels)
    if fourth_moments == "gaussian":
        return Domains.of(x.T @ x / len(x), z.T @ z / len(z), w0 - truth, noise, 3.0, own - truth, source_noise)
    work, remedy = max(len(x), len(z)) * x.shape[1] ** 2, 'give fewer rows or columns, or fourth_moments="gaussian"'
    check(work <= LARGEST, "source_features and target_features", work, f"of n d² at most {LARGEST:.0e}", remedy)
    return Domains(Sampled.of(x), Sampled.of(z), w0 - truth, noise, own - truth, source_noise)


def exchange_rate(
    source_features: ArrayLike,
    target_features: ArrayLike,
    pilot_labels: ArrayLike,
    target_samples: int,
    finetune: int = 0,
    *,
    rates: Sequence[float] = RATES,
    batch: int = 1,
    most: int = 2**14,
    **features: Any,
) -> Exchange:
    """`exchange` on features of one's own: how many source samples do as well as `target_samples` labelled target samples.

    `features` are the options of `from_features`; the other arguments are those of `exchange`.
    """
    domains = from_features(source_features, target_features, pilot_labels, **features)
    return exchange(domains, target_samples, finetune, most=most, rates=rates, batch=batch)


def _first_below(risk: Callable[[int], float], level: float, most: int) -> float:
    """Where a falling function of whole numbers reaches `level`, interpolated in logarithms; 0 if it begins there."""
    (low, above), (high, below) = ((M, risk(M)) for M in (0, 1))
    if above <= level:
        return 0.0
    while below > level and high < most:
        low, above, high = high, below, min(2 * high, most)
        below = risk(high)
    if below > level:
        return float("inf")

    def crossing() -> float:
        return float(low * (high / low) ** (np.log(above / level) / np.log(above / below)))

    nudge = 1.0
    while high - low > 1 and high > CLOSE * low:  # guess where it crosses, a little to the side that moved last
        middle = int(np.clip(round(crossing() * nudge), low + 1, high - 1))
        if (found := risk(middle)) > level:
            low, above, nudge = middle, found, 1.005
        else:
            high, below, nudge = middle, found, 0.995
    return crossing() if low else 1.0


def _pilot(name: str, rows: Floats, labels: ArrayLike) -> tuple[Floats, float]:
    """Weights by ridge regression, its strength by generalised cross-validation, and the standard deviation of the noise."""
    y = finite(name, labels, (None,), "give one number for each of the first rows")
    check(2 <= len(y) <= len(rows), name, len(y), f"2 to {len(rows)} labels", "they are of the first rows")
    U, s, V = np.linalg.svd(rows[: len(y)], full_matrices=False)
    along = U.T @ y

    def fit(ridge: float) -> tuple[float, Floats, float]:
        shrink = s**2 / (s**2 + ridge * s[0] ** 2)
        missed, free = along * (1 - shrink), float(len(y) - shrink.sum())
        left = float(y @ y - along @ along + missed @ missed)
        weights = V.T @ (along * shrink / np.where(s > 0, s, 1.0))
        return (left * len(y) / free**2 if free > 1e-9 else np.inf), weights, np.sqrt(max(left, 0.0) / max(free, 1e-9))

    _, weights, noise = min(map(fit, RIDGES), key=lambda found: found[0])
    return weights, float(noise)

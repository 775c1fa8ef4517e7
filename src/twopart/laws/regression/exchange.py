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
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from twopart._arrays import Floats, finite
from twopart._checks import check, check_integer, check_real
from twopart.laws.regression.schedule import geometric
from twopart.laws.regression.sgd_moments import Sampled
from twopart.laws.regression.transfer import Domains
from twopart.worlds.regression import CovariateShift

RATES = (0.05, 0.1, 0.2, 0.4, 0.8)
CLOSE = 1.01  # amounts of data whose ratio is less are interpolated between
RIDGES = np.geomspace(1e-8, 1e2, 41)  # candidates, in units of the largest eigenvalue of a pilot's covariance


class Tuned(NamedTuple):
    """The best learning rates for so many source and target samples."""

    source: int
    target: int
    risk: float
    rate_source: float
    """Of the source's first step, absolute."""
    rate_target: float
    """Of the target's; 0 leaves the pretrained weights as they are."""

    @property
    def rates(self) -> tuple[Floats, Floats]:
        """Those of each step, for the law and for runs."""
        return geometric(self.source, self.rate_source), geometric(self.target, self.rate_target)


def tuned_risk(problem: CovariateShift | Domains, source: int, target: int, rates: Sequence[float] = RATES) -> Tuned:
    """The least target risk after `source` and then `target` samples, one a step, over all pairs of first rates on the grid."""
    domains, grid = Domains.of_world(problem), finite("rates", rates, (None,), "give first rates to choose from")
    check(grid.min() > 0, "rates", float(grid.min()), "> 0", "a phase that may rest has the rate 0 anyway")
    for name, count in (("source", source), ("target", target)):
        check_integer(name, count, 0, None, "it is a number of samples")
    found, first, then = [], geometric(source, 1.0), geometric(target, 1.0)
    with np.errstate(over="ignore", invalid="ignore"):  # a rate too large grows without bound, and is not the best
        for γ in grid / domains.source.trace if source else (0.0,):
            S = domains.source.descend(domains.start, γ * first, domains.noise, 1)
            for η in (0.0, *grid / domains.target.trace) if target else (0.0,):
                T = domains.target.descend(S, η * then, domains.noise, 1) if η else S
                found.append(Tuned(source, target, domains.risk_of(T), float(γ), float(η)))
    return min(found, key=lambda tuned: tuned.risk if np.isfinite(tuned.risk) else np.inf)


def exchange(
    problem: CovariateShift | Domains,
    target_samples: int,
    finetune: int = 0,
    *,
    rates: Sequence[float] = RATES,
    most: int = 2**17,
) -> float:
    """The source samples M that, with `finetune` target samples after them, reach the risk of `target_samples` alone.

    The least on a grid that doubles and is then refined, between whole numbers interpolated in logarithms; above about 100 it
    is good to 1 %, as the schedule of a whole number of steps makes the risk slightly rough. Infinite if `most` do not do.
    Raises `InputError` for numbers out of range.
    """
    check_integer("target_samples", target_samples, 1, None, "the number to be replaced")
    check_integer("finetune", finetune, 0, None, "0 only pretrains")
    check_integer("most", most, 1, None, "it bounds the search")
    domains = Domains.of_world(problem)
    level = tuned_risk(domains, 0, target_samples, rates).risk
    if finetune == 0 and domains.floor() >= level:
        return float("inf")
    return _first_below(lambda M: tuned_risk(domains, M, finetune, rates).risk, level, most)


def exchange_rate(
    source_features: ArrayLike, target_features: ArrayLike, pilot_labels: ArrayLike, target_samples: int, **search: Any
) -> float:
    """`exchange` on features of one's own: how many source samples do as well as `target_samples` labelled target samples.

    The first arguments are those of `from_features`; `search` is `finetune`, `rates` and `most` (here 2^14) of `exchange`.
    """
    domains = from_features(source_features, target_features, pilot_labels)
    return exchange(domains, target_samples, **{"most": 2**14, **search})


def best_split(
    problem: CovariateShift | Domains, budget: float, prices: tuple[float, float], rates: Sequence[float] = RATES
) -> list[Tuned]:
    """Source and target samples that `budget` buys at `prices`, (of a source sample, of a target sample), least risk first.

    At most 65 splits are tried, denser where target samples are few: about the best the risk is flat, and slightly rough.
    Raises `InputError` for budgets that buy nothing.
    """
    check_real("budget", budget, 0, np.inf, "in the unit of the prices", closed="()")
    check(np.shape(prices) == (2,), "prices", prices, "two numbers", "give the source sample's and the target sample's")
    p, q = (check_real("prices", price, 0, np.inf, "of one sample", closed="()") for price in prices)
    check(budget >= min(p, q), "budget", budget, f"at least {min(p, q):g}", "it should buy a sample")
    domains, most = Domains.of_world(problem), int(budget / q)
    targets = {round(most * share) for share in np.linspace(0, 1, 65) ** 2}
    tried = (tuned_risk(domains, int((budget - q * n) / p), n, rates) for n in sorted(targets))
    return sorted(tried, key=lambda split: split.risk)


def from_features(
    source_features: ArrayLike, target_features: ArrayLike, pilot_labels: ArrayLike, *, gaussian: bool = False
) -> Domains:
    """The law's view of a user's own shift: features (m, d) and (n, d) without labels, and labels of the first target rows.

    The pilot labels, shape (k,), k >= 2, belong to the first k rows of `target_features`. A ridge regression on them, its
    strength by generalised cross-validation (Golub, Heath, Wahba 1979), gives the truth and, from its residuals, the noise.
    Weights begin at 0: of a model that is there, give what it leaves of the labels. Features are taken as they are: add a
    column of ones if the head has an intercept. Fourth moments are the rows' own, at n d² operations a step; `gaussian` takes
    those of Gaussian inputs with the same covariance, at d a step. Raises `InputError` for wrong shapes, ranges and nan.
    """
    x = finite("source_features", source_features, (None, None), "give a row for each sample")
    z = finite("target_features", target_features, (None, x.shape[1]), "it needs the columns of `source_features`")
    for name, rows in (("source_features", x), ("target_features", z)):
        check(bool(np.any(rows)), name, "only zeros", "features that vary", "there is nothing to learn from")
    truth, noise = _pilot(z, pilot_labels)
    if gaussian:
        return Domains.of(x.T @ x / len(x), z.T @ z / len(z), -truth, noise)
    return Domains(Sampled.of(x), Sampled.of(z), -truth, noise)


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


def _pilot(rows: Floats, labels: ArrayLike) -> tuple[Floats, float]:
    """Weights by ridge regression, its strength by generalised cross-validation, and the standard deviation of the noise."""
    y = finite("pilot_labels", labels, (None,), "give one number for each of the first rows")
    check(2 <= len(y) <= len(rows), "pilot_labels", len(y), f"2 to {len(rows)} labels", "they are of the first rows")
    U, s, V = np.linalg.svd(rows[: len(y)], full_matrices=False)
    along, kept = U.T @ y, s**2 / (s**2 + RIDGES[:, None] * s[0] ** 2)  # what each candidate keeps of each direction
    free = np.maximum(len(y) - kept.sum(1), 1e-9)
    left = np.maximum(y @ y - along @ along + np.square(along * (1 - kept)).sum(1), 0)
    best = int(np.argmin(np.where(free > 1e-9, left / free**2, np.inf)))
    return V.T @ (along * kept[best] / np.where(s > 0, s, 1.0)), float(np.sqrt(left[best] / free[best]))

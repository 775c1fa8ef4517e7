"""SGD on least squares in few bits: the risk of one pass whose data, weights, outputs and gradients are rounded, exact.

    noise = Noise(additive=0.01, parameter=1e-4)        # variances of unbiased rounding; arrays make many points
    law = precision_risk(moments, noise, rate=0.3, steps=500, batch=2)
    law.quantised  law.clean  law.floor                 # mean squared errors: on rounded inputs, on exact ones, in the end

Many points (noises, rates, steps and batches, broadcast against each other) share the eigenvectors of H: a point then costs M
for each step. Derived in docs/laws/precision-scaling.md. Setting: Zhang, Tang, Liang, Zou 2026, arXiv 2602.19241.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._arrays import Floats, finite, numbers
from twopart._checks import check, check_integer, check_real
from twopart._numba import REASSOCIATE, kernel
from twopart.laws.regression.schedule import geometric
from twopart.worlds.regression.arrays import covariance
from twopart.worlds.regression.sketch import SecondMoments

Schedule = Callable[[int, float], Floats]
TARGETS = ("data", "parameter", "activation", "gradient")


@dataclass(frozen=True, eq=False)
class Noise:
    """Variances of what rounding adds, each of mean 0 and fresh: numbers >= 0 or arrays that broadcast, one entry a point."""

    additive: ArrayLike = 0.0
    """Of every feature alike: ε I."""
    scalar: ArrayLike = 0.0
    """Of one factor for a whole vector of features, relative to it: ε H, before the additive part."""
    covariance: ArrayLike | None = None
    """Any other noise of the features, (M,) or (M, M), the same at all points: ε diag(H) for coordinatewise floats."""
    label: ArrayLike = 0.0
    parameter: ArrayLike = 0.0
    """Of every weight as a step reads it, the same for the samples of a batch."""
    activation: ArrayLike = 0.0
    """Of the output <v, x>."""
    gradient: ArrayLike = 0.0
    """Of the output's gradient."""
    stored: ArrayLike = 0.0
    """Of every weight as a step writes it."""

    def points(self, **others: ArrayLike) -> dict[str, NDArray[Any]]:
        """The variances and the other arrays, broadcast; `InputError` for what is negative or nan, or shapes that clash."""
        names = [field.name for field in fields(self) if field.name != "covariance"]
        arrays = {name: numbers(name, getattr(self, name), 0, np.inf, "[)", "it is a variance") for name in names}
        arrays |= {name: np.asarray(other) for name, other in others.items()}
        shapes = [array.shape for array in arrays.values()]
        try:
            np.broadcast_shapes(*shapes)
        except ValueError:
            check(False, "noise", shapes, "of shapes that broadcast with rate, steps and batch", "one entry a point")
        return dict(zip(arrays, np.broadcast_arrays(*arrays.values()), strict=True))


class PrecisionLaw(NamedTuple):
    """Mean squared errors <v, x> against y, the answers' noise included; each has the points' shape."""

    quantised: NDArray[Any]
    """On inputs that are rounded as in training."""
    clean: NDArray[Any]
    """On exact inputs."""
    floor: NDArray[Any]
    """What `quantised` comes to with data without end and rates that fall, nothing else being rounded: σ_q²."""
    clean_floor: NDArray[Any]
    """The same for `clean`."""
    scaled_floor: NDArray[Any]
    """`clean_floor` after v_q was multiplied by the best number."""


def precision_risk(
    moments: SecondMoments,
    noise: Noise = Noise(),
    *,
    rate: ArrayLike,
    steps: ArrayLike,
    batch: ArrayLike = 1,
    schedule: Schedule = geometric,
    start: float = 0.0,
) -> PrecisionLaw:
    """The risk after `steps` steps from weights `start` v_q, a fresh batch at each; exact for Gaussian features and data noise.

    `schedule(steps, rate)` gives each step's rate: halved again and again by default. From `start` 1, quantised - floor is the
    variance alone. Noise in proportion to features is not Gaussian, and then the law is right to a relative order of its ε (the
    floors always). A rate too large lets the result grow, to infinity. Raises `InputError` for wrong shapes, ranges and nan.
    """
    check_real("start", start, -np.inf, np.inf, "0 is from nothing, 1 from where it ends", closed="()")
    points = noise.points(rate=rate, steps=steps, batch=batch)
    shape, flat = points["rate"].shape, {name: np.array(array).reshape(-1) for name, array in points.items()}
    rates, counts = _phases(schedule, flat.pop("rate"), flat.pop("steps"))
    share = 1 / np.array([check_integer("batch", one, 1, None, "1 is plain SGD") for one in flat.pop("batch").tolist()])
    C = noise.covariance
    M, H, c = len(moments.cross), moments.covariance, moments.cross
    extra = None if C is None else covariance("covariance", C, M)
    λ, U = np.linalg.eigh(H if extra is None else H + (np.diag(extra) if extra.ndim == 1 else extra))
    μ = (1 + flat["scalar"])[:, None] * np.maximum(λ, 0) + flat["additive"][:, None]
    c, h = U.T @ c, np.diag(np.maximum(λ, 0)) if extra is None else U.T @ H @ U
    a = np.divide(c, μ, out=np.zeros_like(μ), where=μ > M * np.finfo(float).eps * μ.max(1, keepdims=True))
    floor, ha, ca = moments.power - a @ c, a @ h, a @ c
    aha = (ha * a).sum(1)
    scaled = moments.power - np.divide(ca**2, aha, out=np.zeros_like(ca), where=aha > 0)

    noises = floor + flat["label"] + flat["activation"] + flat["gradient"] + flat["parameter"] * μ.sum(1)
    first = (start - 1) * a
    m, mean = first**2, first.copy()
    _descend(μ, m, mean, rates, counts, noises, flat["parameter"], flat["stored"], share)
    clean_floor = floor - ca + aha
    clean = clean_floor + 2 * (mean * (ha - c)).sum(1) + m @ np.diag(h)
    if extra is not None:
        clean += _crossed(μ, first, h, rates, counts, share)
    found = floor + (μ * m).sum(1), clean, floor, clean_floor, scaled
    return PrecisionLaw(*(part.reshape(shape) for part in found))


class Sizes(NamedTuple):
    """The sizes in full precision that few bits come to."""

    features: NDArray[Any]
    """M_eff <= M: the number of first features that fit as well as v_q does, but for one factor (`scaled_floor`)."""
    steps: NDArray[Any]
    """N_eff <= N: after which M features have the same variance; 0 where no number has as much."""


def equivalent_features(moments: SecondMoments, error: ArrayLike) -> NDArray[Any]:
    """How many first features leave that mean squared error at best, between whole numbers by lines; at most all, M."""
    M, wanted = len(moments.cross), np.asarray(error, float)
    check(bool(np.all(np.isfinite(wanted))), "error", error, "finite", "it is a mean squared error")
    ridge = 1e-12 * np.trace(moments.covariance) / M  # features that repeat others explain nothing more
    z = np.linalg.solve(np.linalg.cholesky(moments.covariance + ridge * np.eye(M)), moments.cross)
    left = moments.power - np.concatenate([[0], np.cumsum(z**2)])
    return np.asarray(np.interp(wanted, left[::-1], np.arange(M, -1, -1)))


def effective_sizes(
    moments: SecondMoments,
    noise: Noise,
    *,
    rate: float,
    steps: int,
    batch: int = 1,
    schedule: Schedule = geometric,
) -> Sizes:
    """M_eff and N_eff of each noise, by solving the law; between whole numbers by lines (M), and by lines of logarithms (N).

    A common factor is left out of M_eff, as noise of every kind shrinks weights; what that costs is an error of its own.
    Raises `InputError` as `precision_risk`.
    """

    options: dict[str, Any] = {"rate": rate, "batch": batch, "schedule": schedule, "start": 1.0}

    def variance(law: PrecisionLaw) -> Floats:
        return np.asarray(np.log(np.maximum(law.quantised - law.floor, 1e-300)))

    law = precision_risk(moments, noise, steps=steps, **options)
    features = equivalent_features(moments, law.scaled_floor)
    ladder = np.unique(np.geomspace(max(steps, 1), 1, 400).round().astype(int))[::-1]
    full = np.maximum.accumulate(variance(precision_risk(moments, steps=ladder, **options)))
    wanted = variance(law)
    n = np.exp(np.interp(wanted, full, np.log(ladder)))
    return Sizes(features, np.where(wanted > full[-1], 0.0, n))


class BestBits(NamedTuple):
    """The split of a budget with the least risk."""

    bits: dict[str, int]
    """Of each number, by what it is."""
    samples: int
    """That the budget pays at these widths."""
    risk: float
    """The mean squared error that the law gives."""


def best_bits(
    moments: SecondMoments,
    budget: float,
    cost: Mapping[str, float] | None = None,
    *,
    rate: float,
    batch: int = 1,
    widths: Sequence[int] = (1, 2, 3, 4, 6, 8, 12, 16),
    reach: float = 4.0,
    clean: bool = True,
    schedule: Schedule = geometric,
) -> BestBits:
    """How many bits for data, parameters, activations and gradients, and so how many samples, where a budget of bits is given.

    `cost`: numbers of each kind that a sample takes (None: M features, M weights, an output and its gradient); what it lacks is
    not rounded. A number of b bits is rounded stochastically to 2^b steps over ± `reach` standard deviations: the variance is
    step²/6. All |widths|^|cost| splits are tried. Raises `InputError` for wrong ranges, or a budget for less than a batch.
    """
    M, H = len(moments.cross), moments.covariance
    cost = {"data": M, "parameter": M, "activation": 1, "gradient": 1} if cost is None else dict(cost)
    bound = "some of " + ", ".join(TARGETS)
    check(bool(cost) and set(cost) <= set(TARGETS), "cost", sorted(cost), bound, "give numbers a sample for each")
    for name, count in cost.items():
        check_real(f"cost[{name!r}]", count, 0, np.inf, "it is a count of numbers", closed="()")
    check_real("budget", budget, 0, np.inf, "it is a number of bits", closed="()")
    check_real("reach", reach, 0, np.inf, "4 standard deviations leave out 6 in 100,000", closed="()")
    check(len(widths) > 0, "widths", widths, "at least one number of bits", "8 is an integer of a byte")
    for one in widths:
        check_integer("widths", one, 1, 52, "bits of a number")
    splits = np.array(list(product(sorted(widths), repeat=len(cost))))
    samples = budget // (splits @ np.array(list(cost.values())))
    check(bool((samples >= batch).any()), "budget", budget, f"enough for a batch of {batch}", "give more bits")
    splits, steps = splits[samples >= batch], (samples[samples >= batch] // batch).astype(int)
    v = np.linalg.lstsq(H, moments.cross, rcond=None)[0]
    spread = {"data": np.trace(H) / M, "parameter": v @ v / M, "activation": v @ H @ v, "gradient": moments.power}
    levels = {name: spread[name] * (2 * reach * 0.5 ** splits[:, k]) ** 2 / 6 for k, name in enumerate(cost)}
    noise = Noise(**{"additive" if name == "data" else name: level for name, level in levels.items()})
    law = precision_risk(moments, noise, rate=rate, steps=steps, batch=batch, schedule=schedule)
    risk = law.clean if clean else law.quantised
    best = int(np.nanargmin(risk))
    bits = dict(zip(cost, splits[best].tolist(), strict=True))
    return BestBits(bits, int(steps[best]) * batch, float(risk[best]))


def _phases(schedule: Schedule, rate: NDArray[Any], steps: NDArray[Any]) -> tuple[Floats, NDArray[np.int64]]:
    """Rates and how many steps have them, each (points, phases), the last padded by phases of no steps."""
    given = list(zip(rate.tolist(), steps.tolist(), strict=True))
    found = {}
    for first, count in dict.fromkeys(given):
        check_real("rate", first, 0, np.inf, "it is the first step's", closed="[)")
        check_integer("steps", count, 0, None, "0 gives the start")
        η = schedule(count, first)
        η = finite("schedule", η, (count,), "give a rate >= 0 for each step") if count else rate[:0]
        begin = np.flatnonzero(np.diff(η, prepend=np.nan))
        found[first, count] = η[begin], np.diff(begin, append=count)
    most = max([len(η) for η, _ in found.values()] + [1])
    padded = {key: [np.pad(part, (0, most - len(part))) for part in parts] for key, parts in found.items()}
    both = [np.array([padded[key][part] for key in given]).reshape(len(given), most) for part in (0, 1)]
    return both[0].astype(float), both[1].astype(np.int64)


@partial(kernel, fastmath=REASSOCIATE, error_model="numpy")
def _descend(
    μ: Floats,
    m: Floats,
    mean: Floats,
    rates: Floats,
    counts: NDArray[np.int64],
    noise: Floats,
    parameter: Floats,
    stored: Floats,
    share: Floats,
) -> None:
    """The diagonal of X and the mean after all phases, in place; μ, m and mean are (points, M)."""
    P, M = μ.shape
    keep, push, add = np.empty(M), np.empty(M), np.empty(M)
    for p in range(P):
        l, x = μ[p], m[p]
        risk = 0.0
        for i in range(M):
            risk += l[i] * x[i]
        for k in range(rates.shape[1]):
            if counts[p, k] == 0:
                continue
            γ, s = rates[p, k], share[p]
            for i in range(M):
                left, square = 1 - γ * l[i], (γ * l[i]) ** 2
                keep[i], push[i] = left * left + s * square, γ * γ * s * l[i]
                add[i] = parameter[p] * square * (1 + s) + stored[p]
                mean[p, i] *= left ** counts[p, k]
            for _ in range(counts[p, k]):
                level, after = risk + noise[p], 0.0
                for i in range(M):
                    x[i] = x[i] * keep[i] + level * push[i] + add[i]
                    after += l[i] * x[i]
                risk = after


@partial(kernel, fastmath=REASSOCIATE, error_model="numpy")
def _crossed(μ: Floats, first: Floats, h: Floats, rates: Floats, counts: NDArray[np.int64], share: Floats) -> Floats:
    """Σ_{i≠j} h_ij X_ij: off the diagonal an entry only shrinks, from f_i f_j, by a factor for each step."""
    (P, M), K = μ.shape, rates.shape[1]
    out, x, factor = np.zeros(P), np.empty(M), np.empty(M)
    for p in range(P):
        for i in range(M):
            for j in range(i):
                x[j] = 2 * h[i, j] * first[p, i] * first[p, j]
            k = 0
            while k < K:
                left, factor[:] = counts[p, k], 1.0
                while k < K and counts[p, k] == left:  # phases of one length are raised to it together
                    a, b = rates[p, k] * μ[p, i], rates[p, k] * (1 + share[p]) * rates[p, k] * μ[p, i]
                    for j in range(i):
                        factor[j] *= 1 - a + (b - rates[p, k]) * μ[p, j]
                    k += 1
                while left:  # the power by squaring, for a row at a time
                    if left & 1:
                        for j in range(i):
                            x[j] *= factor[j]
                    for j in range(i):
                        factor[j] *= factor[j]
                    left >>= 1
            for j in range(i):
                out[p] += x[j]
    return out

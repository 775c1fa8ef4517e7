"""SGD on least squares in few bits: the risk of one pass whose data, weights, outputs and gradients are rounded, exact.

    noise = Noise(additive=0.01, parameter=1e-4)        # variances of unbiased rounding; arrays make many points
    law = precision_risk(moments, noise, rate=0.3, steps=500, batch=2)
    law.quantised  law.clean  law.floor                 # mean squared errors: on rounded inputs, on exact ones, in the end

Many points (noises, rates, steps and batches, broadcast against each other) share the eigenvectors of H: a point then costs M
for each step. Derived in docs/laws/precision-scaling.md. Setting: Zhang, Tang, Liang, Zou 2026, arXiv 2602.19241.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._arrays import Floats, numbers
from twopart._checks import check, check_integer, check_real
from twopart._numba import REASSOCIATE, kernel
from twopart.laws.regression.schedule import phases
from twopart.worlds.regression.arrays import covariance
from twopart.worlds.regression.covariances import eigen, matrix
from twopart.worlds.regression.sketch import SecondMoments


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

    def points(self, **others: ArrayLike) -> tuple[tuple[int, ...], dict[str, Floats]]:
        """The shape of the points, and variances and the others for each, flat; `InputError` for what no point can have."""
        given = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "covariance"} | others
        arrays = [numbers(name, value, 0, np.inf, "[)", "no variance or size is less") for name, value in given.items()]
        shapes = [array.shape for array in arrays]
        try:
            shape = np.broadcast_shapes(*shapes)
        except ValueError:
            check(False, "noise", shapes, "of shapes that broadcast with rate, steps and batch", "one entry a point")
        return shape, {name: np.full(shape, array).ravel() for name, array in zip(given, arrays, strict=True)}


class PrecisionLaw(NamedTuple):
    """Mean squared errors <v, x> against y, the answers' noise included; each has the points' shape."""

    quantised: NDArray[Any]
    """On inputs that are rounded as in training."""
    clean: NDArray[Any]
    """On exact inputs."""
    floor: NDArray[Any]
    """What `quantised` comes to with data without end and rates that fall, nothing else being rounded: σ_q²."""
    scaled_floor: NDArray[Any]
    """What `clean` then comes to, after v_q was multiplied by the best number."""


def precision_risk(
    moments: SecondMoments,
    noise: Noise = Noise(),
    *,
    rate: ArrayLike,
    steps: ArrayLike,
    batch: ArrayLike = 1,
    halved: bool = True,
    start: float = 0.0,
) -> PrecisionLaw:
    """The risk after `steps` steps from weights `start` v_q, a fresh batch at each; exact for Gaussian features and data noise.

    The first step's `rate` is `halved` again and again, as by `geometric`, or stays. From `start` 1, quantised - floor is the
    variance alone. Noise in proportion to features is not Gaussian, and then the law is right to a relative order of its ε (the
    floors always). A rate too large lets the result grow, to infinity. Raises `InputError` for wrong shapes, ranges and nan.
    """
    check_real("start", start, -np.inf, np.inf, "0 is from nothing, 1 from where it ends", closed="()")
    shape, at = noise.points(rate=rate, steps=steps, batch=batch)
    check(bool(np.all(at["batch"] >= 1)), "batch", batch, ">= 1", "1 is plain SGD")
    check(bool(np.all(at["steps"] % 1 == 0)), "steps", steps, "whole numbers >= 0", "0 gives the start")
    constant = at["rate"][:, None], at["steps"][:, None].astype(np.int64)
    walk = *(phases(at["rate"], at["steps"]) if halved else constant), 1 / at["batch"]
    H, c, D = moments.covariance, moments.cross, noise.covariance
    λ, U = eigen(H if D is None else H + matrix(covariance("covariance", D, len(c))))
    μ = (1 + at["scalar"])[:, None] * λ + at["additive"][:, None]
    h, c = U.T @ H @ U, U.T @ c
    a = np.divide(c, μ, out=np.zeros_like(μ), where=μ > len(c) * np.finfo(float).eps * μ.max(1, keepdims=True))
    ha, ca = a @ h, a @ c
    aha = (ha * a).sum(1)
    floor = moments.power - ca
    scaled_floor = moments.power - np.divide(ca**2, aha, out=np.zeros_like(ca), where=aha > 0)

    first, parameter = (start - 1) * a, at["parameter"][:, None]
    m, mean, noises = first**2 + parameter, np.ones_like(μ), floor + at["label"] + at["activation"] + at["gradient"]
    _descend(μ, m, mean, noises, at["parameter"], at["stored"], *walk)
    m, mean = m - parameter, mean * first
    clean = floor - ca + aha + 2 * (mean * (ha - c)).sum(1) + m @ np.diag(h)
    if D is not None:
        clean += _crossed(μ, first, h, *walk)
    quantised = floor + (μ * m).sum(1)
    return PrecisionLaw(*(part.reshape(shape) for part in (quantised, clean, floor, scaled_floor)))


class Sizes(NamedTuple):
    """The sizes in full precision that few bits come to."""

    features: NDArray[Any]
    """M_eff <= M: the number of first features that fit as well as v_q does, but for one factor (`scaled_floor`)."""
    steps: NDArray[Any]
    """N_eff <= N: after which M features have the same variance; 0 where no number has as much."""


def equivalent_features(moments: SecondMoments, error: ArrayLike) -> NDArray[Any]:
    """How many first features leave that mean squared error at best, between whole numbers by lines; at most all, M."""
    M, wanted = len(moments.cross), numbers("error", error, -np.inf, np.inf, remedy="it is a mean squared error")
    ridge = 1e-12 * np.trace(moments.covariance) / M  # features that repeat others explain nothing more
    z = np.linalg.solve(np.linalg.cholesky(moments.covariance + ridge * np.eye(M)), moments.cross)
    left = moments.power - np.concatenate([[0], np.cumsum(z**2)])
    return np.asarray(np.interp(wanted, left[::-1], np.arange(M, -1, -1)))


def effective_sizes(moments: SecondMoments, noise: Noise, *, rate: float, steps: int, batch: int = 1) -> Sizes:
    """M_eff and N_eff of each noise, by solving the law; between whole numbers by lines (M), and by lines of logarithms (N).

    A common factor is left out of M_eff, as noise of every kind shrinks weights; what that costs is an error of its own.
    Raises `InputError` as `precision_risk`.
    """
    few = precision_risk(moments, noise, rate=rate, steps=steps, batch=batch, start=1.0)
    ladder = np.unique(np.geomspace(max(steps, 1), 1, 400).round())[::-1]
    full = precision_risk(moments, rate=rate, steps=ladder, batch=batch, start=1.0)
    wanted, found = (np.log(np.maximum(law.quantised - law.floor, 1e-300)) for law in (few, full))
    found = np.maximum.accumulate(found)
    n = np.exp(np.interp(wanted, found, np.log(ladder)))
    return Sizes(equivalent_features(moments, few.scaled_floor), np.where(wanted > found[-1], 0.0, n))


class BestBits(NamedTuple):
    """The split of a budget with the least risk."""

    bits: dict[str, int]
    """Of each number, by what it is."""
    samples: int
    """That the budget pays at these widths."""
    risk: float
    """The mean squared error on exact inputs that the law gives."""


def best_bits(
    moments: SecondMoments,
    budget: float,
    cost: Mapping[str, float] | None = None,
    *,
    rate: float,
    batch: int = 1,
    widths: Sequence[int] = (1, 2, 3, 4, 6, 8, 12, 16),
) -> BestBits:
    """How many bits for data, parameters, activations and gradients, and so how many samples, where a budget of bits is given.

    `cost`: numbers of each kind that a sample takes (None: M features, M weights, an output and its gradient); what it lacks is
    not rounded. A number of b bits is rounded stochastically to 2^b steps over ± 4 standard deviations: the variance is
    step²/6. All |widths|^|cost| splits are tried. Raises `InputError` for wrong ranges, or a budget for less than a batch.
    """
    M, squares = len(moments.cross), {**moments.squares, "gradient": moments.power}  # gradients are largest at first
    every = {"data": M, "parameter": M, "activation": 1, "gradient": 1}
    cost = every if cost is None else dict(cost)
    check(bool(cost) and set(cost) <= set(every), "cost", sorted(cost), f"some of {', '.join(every)}", "give counts")
    counts = numbers("cost", list(cost.values()), 0, np.inf, "()", "they are numbers a sample")
    numbers("widths", widths, 1, 52, "[]", "they are bits of a number")
    splits = np.array(list(product(sorted(widths), repeat=len(cost)))).reshape(-1, len(cost))
    samples = check_real("budget", budget, 0, np.inf, "it is bits", closed="()") // (splits @ counts)
    paid = samples >= check_integer("batch", batch, 1, None, "1 is plain SGD")
    check(bool(paid.any()), "budget", budget, f"enough for a batch of {batch} at some of {widths} bits", "give more")
    splits, steps = splits[paid], samples[paid] // batch
    levels = {name: np.mean(squares[name]) * (8 * 0.5 ** splits[:, k]) ** 2 / 6 for k, name in enumerate(cost)}
    noise = Noise(**{"additive" if name == "data" else name: level for name, level in levels.items()})
    risk = precision_risk(moments, noise, rate=rate, steps=steps, batch=batch).clean
    best = int(np.nanargmin(risk))
    bits = dict(zip(cost, splits[best].tolist(), strict=True))
    return BestBits(bits, int(steps[best]) * batch, float(risk[best]))


@partial(kernel, fastmath=REASSOCIATE, error_model="numpy")
def _descend(
    μ: Floats, m: Floats, mean: Floats, noise: Floats, parameter: Floats, stored: Floats,
    rates: Floats, counts: NDArray[np.int64], share: Floats,
) -> None:  # fmt: skip
    """The diagonal of X + ε_p I, second moments of weights as they are read, after all phases, and what is left of the mean.

    In place; μ, m and mean are (points, M).
    """
    keep = np.empty(μ.shape[1])
    for p in range(len(μ)):
        l, x, s, risk = μ[p], m[p], share[p], 0.0
        for i in range(len(l)):
            risk += l[i] * x[i]
        for k in range(rates.shape[1]):
            γ = rates[p, k]
            for i in range(len(l)):
                keep[i] = (1 - γ * l[i]) ** 2 + s * (γ * l[i]) ** 2
            for _ in range(counts[p, k]):
                push, after = γ * γ * s * (risk + noise[p]) + 2 * γ * parameter[p], 0.0
                for i in range(len(l)):
                    x[i] = x[i] * keep[i] + push * l[i] + stored[p]
                    after += l[i] * x[i]
                risk = after
        _shrink(mean[p], l, 0.0, rates[p], counts[p], s)


@partial(kernel, fastmath=REASSOCIATE, error_model="numpy")
def _crossed(μ: Floats, first: Floats, h: Floats, rates: Floats, counts: NDArray[np.int64], share: Floats) -> Floats:
    """Σ_{i≠j} h_ij X_ij: off the diagonal an entry only shrinks, from f_i f_j, by a factor for each step."""
    out, left = np.zeros(len(μ)), np.empty(len(h))
    for p in range(len(μ)):
        for i in range(len(h)):
            left[:i] = 1.0
            _shrink(left[:i], μ[p, :i], μ[p, i], rates[p], counts[p], share[p])
            for j in range(i):
                out[p] += 2 * h[i, j] * first[p, i] * first[p, j] * left[j]
    return out


@partial(kernel, fastmath=REASSOCIATE, error_model="numpy")
def _shrink(left: Floats, l: Floats, one: float, rates: Floats, counts: NDArray[np.int64], share: float) -> None:
    """`left`, ones, times (1 - γ one)(1 - γl) + γ² one l/B for each step: of the mean with `one` 0, of X off the diagonal."""
    for bit in range(int(np.log2(counts[0] + 1)), -1, -1):  # powers by squaring, those of all phases at once
        for j in range(len(l)):
            left[j] *= left[j]
        for k in range(len(rates)):
            if counts[k] >> bit & 1:
                γ = rates[k]
                at_zero, slope = 1 - γ * one, (1 + share) * γ * γ * one - γ
                for j in range(len(l)):
                    left[j] *= at_zero + slope * l[j]

"""Diffusion Monte Carlo: what it costs, what it gives for Gaussian targets, and where its posteriors are log-concave.

    cost             calls of the target's score, before anything is run
    segments         lengths at which every posterior is strongly log-concave, uniform or as the curvature allows
    gaussian_score   mean and variance of the estimate, exact for Gaussian targets;  gaussian_sampler  of the samples
For any target in one dimension: grids.py. Derived in docs/laws/recursive-score.md; the algorithm is of Huang, Zou, Dong, Ma,
Zhang 2024, arXiv 2401.06325.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from operator import mul
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from twopart._arrays import Floats, numbers
from twopart._checks import check, check_choice, check_integer, check_real

Number = TypeVar("Number", int, float)
Smoothness = float | Sequence[float] | Callable[[float], float]
"""One bound for all segments, one for each, or a function of the time at which a segment starts."""
Start = Literal["x", "likelihood"]
"""Where a chain starts."""
MOST = 1_000_000
"""Segments."""


class Affine(NamedTuple):
    """An estimate slope * x + offset + N(0, noise) of a score, coordinate by coordinate."""

    slope: Floats
    offset: Floats
    noise: Floats


def cost(segments: int, chains: int | Sequence[int], steps: int | Sequence[int], inner: int | Sequence[int] = 1) -> int:
    """Calls of the target's score for one sample: Σ_k R_k Π_{j<=k} n_j m_j, and R Σ_k (nm)^(k+1) where all are alike.

    `chains` n, `steps` m and `inner` R are one number for all `segments`, or one for each; segment 0 starts at the target.
    Exact. Raises `InputError` for counts below 1.
    """
    K = check_integer("segments", segments, 1, None, "one segment is plain diffusion Monte Carlo")
    n, m, R = (counts(name, value, K) for name, value in (("chains", chains), ("steps", steps), ("inner", inner)))
    return sum(map(mul, R, accumulate(map(mul, n, m), mul)))


def counts(name: str, value: int | Sequence[int], segments: int) -> list[int]:
    """A whole number >= 1 for each segment."""
    return [check_integer(name, v, 1, None, "each segment needs some") for v in per_segment(name, value, segments)]


def per_segment(name: str, value: Number | Sequence[Number], segments: int) -> list[Number]:
    """One value for each segment, from one for all or one for each."""
    values = [value] * segments if np.ndim(value) == 0 else list(value)  # type: ignore[arg-type]
    remedy = "give one for all, or one for each segment"
    check(len(values) == segments, name, f"{len(values)} values", f"{segments} values", remedy)
    return values  # type: ignore[return-value]


def lengths_of(segments: ArrayLike) -> Floats:
    """The lengths of the segments, shape (K,), each > 0."""
    lengths = np.atleast_1d(numbers("segments", segments, 0, math.inf, "()", "see `segments(smoothness, horizon)`"))
    check(lengths.ndim == 1 and lengths.size > 0, "segments", segments, "one length or more", "give a list")
    return lengths


class Recursion:
    """Segments, and the chains that estimate the score inside each: `lengths`, `smoothness`, `chains`, `steps` are K long."""

    def __init__(
        self,
        segments: ArrayLike,
        smoothness: Smoothness,
        *,
        chains: int | Sequence[int],
        steps: int | Sequence[int],
        step: float = 0.5,
        start: Start = "x",
    ) -> None:
        self.lengths = lengths_of(segments)
        K, remedy = len(self.lengths), "it bounds the curvature of -ln p in absolute value"
        if callable(smoothness):
            smoothness = [smoothness(float(t)) for t in np.cumsum(self.lengths) - self.lengths]
        bounds = per_segment("smoothness", smoothness, K)
        self.smoothness = [check_real("smoothness", value, 0, math.inf, remedy, closed="[)") for value in bounds]
        self.chains, self.steps = counts("chains", chains, K), counts("steps", steps, K)
        self.step = check_real("step", step, 0, 1, "0.5 is half of the inverse smoothness", closed="(]")
        self.start = check_choice("start", start, ("x", "likelihood"))

    def locate(self, t: float) -> tuple[int, float]:
        """The segment in which, or at whose end, time t lies, and how far behind its start: k and 0 < s <= S_k."""
        ends = np.cumsum(self.lengths)
        check_real("t", t, 0, float(ends[-1]) * (1 + 1e-9), "the segments end there; at 0 use the target", closed="(]")
        k = min(int(np.searchsorted(ends, t * (1 - 1e-9))), len(ends) - 1)
        return k, min(float(t - (ends[k] - self.lengths[k])), float(self.lengths[k]))


def segments(curvature: float | Callable[[float], float], horizon: float, convexity: float = 1.0) -> Floats:
    """Lengths, shape (K,), that add up to `horizon` and keep every posterior log-concave by at least convexity * curvature.

    `curvature` bounds the Hessian of ln p_t from above: the target's largest eigenvalue for all times (the theorem's uniform
    segments), or a function of the time t >= 0; where it is <= 0 any length will do. S = 1/2 ln(1 + 1/((1 + ρ) curvature)),
    with ρ the `convexity`; for L and ρ = 1 that is the paper's 1/2 ln((2L + 1)/(2L)).
    Raises `InputError` for more than a million segments, nan, and values out of range.
    """
    T = check_real("horizon", horizon, 0, math.inf, "3 brings variance within 0.5 % of the Gaussian", closed="()")
    check_real("convexity", convexity, 0, math.inf, "1 is the theorem's", closed="[)")
    found, time = [], 0.0
    while T - time > 1e-12 * T:
        c = curvature(time) if callable(curvature) else curvature
        check_real("curvature", c, -math.inf, math.inf, "bound it")
        longest = 0.5 * math.log1p(1 / ((1 + convexity) * c)) if c > 0 else math.inf
        check(longest * MOST > T, "curvature", c, f"below {MOST / T:.3g} or so", "rescale the target to unit variance")
        found.append(min(longest, T - time))
        time += found[-1]
    return np.array(found)


def moments_of_time(lengths: Floats, inner: Sequence[int]) -> Iterator[tuple[float, float]]:
    """The sampler's times, latest first, and the length of the step from each."""
    ends = np.cumsum(lengths)
    for k in reversed(range(len(lengths))):
        h = float(lengths[k] / inner[k])
        yield from ((float(ends[k] - r * h), h) for r in range(inner[k]))


def step_size(smoothness: float, s: float, share: float = 0.5) -> float:
    """The Langevin step inside a posterior: a share of 1/(L + e^-2s/(1 - e^-2s)), the inverse of its smoothness."""
    return share / (smoothness + math.exp(-2 * s) / -math.expm1(-2 * s))


def gaussian_score(
    mean: ArrayLike, variance: ArrayLike, segments: ArrayLike, smoothness: Smoothness, t: float, **nested: Any
) -> Affine:
    """What `learners.sampling.RecursiveScore` gives at time `t` for the target N(mean, variance), independent coordinates.

    The estimate is slope * x + offset + N(0, noise) whatever x is: exact at any number of chains n, steps m and segments.
    `mean` and `variance` are numbers or arrays (d,); `nested` are that class's `chains`, `steps`, `step` and `start`.
    """
    plan, μ = Recursion(segments, smoothness, **nested), numbers("mean", mean, -math.inf, math.inf)
    μ, v = np.broadcast_arrays(μ, numbers("variance", variance, 0, math.inf))
    k, s = plan.locate(t)
    found = Affine(-1 / v, μ / v, np.zeros_like(v))
    for j in range(k + 1):
        found = _lift(found, s if j == k else float(plan.lengths[j]), plan, j)
    return found


def _lift(below: Affine, s: float, plan: Recursion, k: int) -> Affine:
    """The estimate at s into segment k, from the one at its start."""
    e, D, τ = math.exp(-s), -math.expm1(-2 * s), step_size(plan.smoothness[k], s, plan.step)
    A, c = below.slope - e**2 / D, e / D
    P, Q, V = np.ones_like(A), np.zeros_like(A), np.zeros_like(A)  # a chain is at P x + Q, with variance V
    if plan.start == "likelihood":
        P, V = P / e, V + math.expm1(2 * s)
    for _ in range(plan.steps[k]):
        P, Q = P + τ * (A * P + c), Q + τ * (A * Q + below.offset)
        V = (1 + τ * A) ** 2 * V + τ**2 * below.noise + 2 * τ
    return Affine((e * P - 1) / D, e * Q / D, c**2 * V / plan.chains[k])


def gaussian_sampler(
    mean: ArrayLike, variance: ArrayLike, segments: ArrayLike, smoothness: Smoothness, *, inner: Any, **nested: Any
) -> tuple[Floats, Floats]:
    """Mean and variance of what `learners.sampling.diffusion_monte_carlo` gives for the target N(mean, variance): exact."""
    lengths = lengths_of(segments)
    M, V = np.zeros(()), np.ones(())
    for t, h in moments_of_time(lengths, counts("inner", inner, len(lengths))):
        α, β, w = gaussian_score(mean, variance, lengths, smoothness, t, **nested)
        grow, push = math.exp(h), 2 * math.expm1(h)
        M, V = grow * M + push * (α * M + β), (grow + push * α) ** 2 * V + push**2 * w + math.expm1(2 * h)
    return M, V


def gaussian_kl(mean: ArrayLike, variance: ArrayLike, to_mean: ArrayLike, to_variance: ArrayLike) -> float:
    """KL(N(mean, variance) || N(to_mean, to_variance)) in nats, over independent coordinates."""
    m, v, to, w = (np.asarray(a, float) for a in (mean, variance, to_mean, to_variance))
    return float(np.sum(v / w + (m - to) ** 2 / w - 1 - np.log(v / w)) / 2)

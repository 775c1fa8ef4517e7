"""Diffusion Monte Carlo: what it costs, what it gives for Gaussian targets, and where its posteriors are log-concave.

    cost             calls of the target's score, before anything is run
    segments         lengths at which every posterior is strongly log-concave, uniform or as the curvature allows
    gaussian_score   mean and variance of the estimate, exact for Gaussian targets;  gaussian_sampler  of the samples
For any target in one dimension: grids.py. Derived in docs/laws/recursive-score.md; the algorithm is of Huang, Zou, Dong, Ma,
Zhang 2024, arXiv 2401.06325.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from twopart._arrays import Floats, numbers, together
from twopart._checks import check, check_choice, check_integer, check_real, check_sizes

Smoothness = float | Callable[[float], float]
"""One bound for all segments, or a function of the time at which a segment starts."""
Start = Literal["x", "likelihood"]
"""Where a chain starts."""
MOST = 1_000_000
"""Segments."""


def cost(segments: int, chains: int, steps: int, inner: int | Sequence[int] = 1) -> int:
    """Calls of the target's score for one sample: Σ_k R_k (n m)^(k+1), with n `chains` of m `steps` for every estimate.

    `inner`, R, is one number for all `segments`, or one for each; segment 0 starts at the target. Exact. Raises `InputError`
    for counts below 1.
    """
    check_sizes(segments=segments, chains=chains, steps=steps)
    return sum(R * (chains * steps) ** (k + 1) for k, R in enumerate(_rounds(inner, segments)))


def _rounds(inner: int | Sequence[int], segments: int) -> list[int]:
    """The sampler's steps in each segment, from one number for all or one for each."""
    each = list(inner) if isinstance(inner, Sequence | np.ndarray) else [inner] * segments
    check(len(each) == segments, "inner", f"{len(each)} values", f"{segments} values", "or one for all segments")
    return [check_integer("inner", R, 1, None, "each segment needs a step") for R in each]


def lengths_of(segments: ArrayLike) -> Floats:
    """The lengths of the segments, shape (K,), each > 0."""
    lengths = np.atleast_1d(numbers("segments", segments, 0, math.inf, "()", "see `segments(smoothness, horizon)`"))
    check(lengths.ndim == 1 and lengths.size > 0, "segments", segments, "one length or more", "give a list")
    return lengths


def reverse_times(segments: ArrayLike, inner: int | Sequence[int]) -> list[tuple[float, float]]:
    """The sampler's times, latest first, and the length of the step from each."""
    lengths = lengths_of(segments)
    ends, found = np.cumsum(lengths), []
    for end, length, R in zip(ends[::-1], lengths[::-1], _rounds(inner, len(lengths))[::-1], strict=True):
        found += [(float(end - r * length / R), float(length / R)) for r in range(R)]
    return found


class Recursion:
    """Segments, and the chains that estimate the score inside each; `lengths` and `smoothness` are K long."""

    def __init__(
        self,
        segments: ArrayLike,
        smoothness: Smoothness,
        *,
        chains: int,
        steps: int,
        step: float = 0.5,
        start: Start = "x",
    ) -> None:
        self.lengths, remedy = lengths_of(segments), "it bounds the curvature of -ln p in absolute value"
        starts = np.cumsum(self.lengths) - self.lengths
        bounds = [smoothness(float(t)) if callable(smoothness) else smoothness for t in starts]
        self.smoothness = [check_real("smoothness", L, 0, math.inf, remedy, closed="[)") for L in bounds]
        check_sizes(chains=chains, steps=steps)
        self.chains, self.steps = chains, steps
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


def step_size(smoothness: float, s: float, share: float = 0.5) -> float:
    """The Langevin step inside a posterior: a share of 1/(L + e^-2s/(1 - e^-2s)), the inverse of its smoothness."""
    check_real("s", s, 0, math.inf, "at the target itself there is no posterior", closed="()")
    return share / (smoothness + math.exp(-2 * s) / -math.expm1(-2 * s))


def gaussian_score(
    mean: ArrayLike, variance: ArrayLike, segments: ArrayLike, smoothness: Smoothness, t: float, **nested: Any
) -> tuple[Floats, Floats, Floats]:
    """Slope, offset and noise of what `learners.sampling.RecursiveScore` gives at time `t` for the target N(mean, variance).

    The estimate is slope * x + offset + N(0, noise), coordinate by coordinate, whatever x is: exact at any n, m and segments.
    `mean` and `variance` are numbers or arrays (d,); `nested` are that class's `chains`, `steps`, `step` and `start`.
    """
    plan, μ = Recursion(segments, smoothness, **nested), numbers("mean", mean, -math.inf, math.inf)
    v = numbers("variance", variance, 0, math.inf)
    μ, v = (np.broadcast_to(a, together(mean=μ, variance=v)) for a in (μ, v))
    last, rest = plan.locate(t)
    slope, offset, noise = -1 / v, μ / v, np.zeros_like(v)  # the target's own score
    for k, s in enumerate([*plan.lengths[:last].tolist(), rest]):
        e, D, τ = math.exp(-s), -math.expm1(-2 * s), step_size(plan.smoothness[k], s, plan.step)
        A, P, Q, V = slope - e**2 / D, np.ones_like(v), np.zeros_like(v), np.zeros_like(v)
        if plan.start == "likelihood":
            P, V = P / e, V + math.expm1(2 * s)
        for _ in range(plan.steps):  # a chain is at P x + Q, with variance V
            P, Q = P + τ * (A * P + e / D), Q + τ * (A * Q + offset)
            V = (1 + τ * A) ** 2 * V + τ**2 * noise + 2 * τ
        slope, offset, noise = (e * P - 1) / D, e * Q / D, (e / D) ** 2 * V / plan.chains
    return slope, offset, noise


def gaussian_sampler(
    mean: ArrayLike, variance: ArrayLike, segments: ArrayLike, smoothness: Smoothness, *, inner: Any, **nested: Any
) -> tuple[Floats, Floats]:
    """Mean and variance of what `learners.sampling.diffusion_monte_carlo` gives for the target N(mean, variance): exact."""
    M, V = np.zeros(()), np.ones(())
    for t, h in reverse_times(segments, inner):
        α, β, w = gaussian_score(mean, variance, segments, smoothness, t, **nested)
        grow, push = math.exp(h), 2 * math.expm1(h)
        M, V = grow * M + push * (α * M + β), (grow + push * α) ** 2 * V + push**2 * w + math.expm1(2 * h)
    return M, V


def gaussian_kl(mean: ArrayLike, variance: ArrayLike, to_mean: ArrayLike, to_variance: ArrayLike) -> float:
    """KL(N(mean, variance) || N(to_mean, to_variance)) in nats, over independent coordinates."""
    m, to = (numbers(n, a, -math.inf, math.inf) for n, a in (("mean", mean), ("to_mean", to_mean)))
    v, w = (numbers(n, a, 0, math.inf) for n, a in (("variance", variance), ("to_variance", to_variance)))
    together(mean=m, variance=v, to_mean=to, to_variance=w)
    return float(np.sum(v / w + (m - to) ** 2 / w - 1 - np.log(v / w)) / 2)

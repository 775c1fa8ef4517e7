"""Recursive score estimation (RS-DMC): samples from a density that is known by its score alone, along a reverse diffusion.

    lengths = segments(smoothness, horizon=3)                                   # laws.sampling: short enough to be log-concave
    score = RecursiveScore(score0, lengths, smoothness, chains=8, steps=8)      # score0: (n, d) -> (n, d), the target's
    samples = diffusion_monte_carlo(score, 1000, d, segments=lengths, inner=4)  # .x (1000, d), .calls of score0
    score = AmortisedScore(score0, lengths, smoothness, chains=40, steps=40, points=points, inner=4)    # affordable

One segment is plain diffusion Monte Carlo. The algorithm, what it costs and what it gives: docs/laws/recursive-score.md.
Source: Huang, Zou, Dong, Ma, Zhang 2024, arXiv 2401.06325; amortising and the control variate are not in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, NamedTuple

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from twopart._checks import check, check_function, check_integer, check_real, check_sizes
from twopart.laws.sampling.diffusion_mc import Recursion, Smoothness, cost, reverse_times, step_size
from twopart.learners.sampling.scores import Score, answer, check_points, noise

Regression = Callable[[Tensor, Tensor], Score]
"""Fits (points, noisy scores), both (G, d), and returns the fit."""
BLOCK = 2**20  # numbers that chains of one block hold


class Samples(NamedTuple):
    """What a sampler gives."""

    x: Tensor
    """Shape (n, d)."""
    calls: int
    """How often the target's score was asked for, points counted."""


class RecursiveScore(Recursion):
    """The estimate of the score at any time, as a callable (x (n, d), t) -> (n, d).

    `segments` are lengths (K,); `smoothness` bounds the curvature of -ln p at a segment's start in absolute value: a number, or
    a function of time. `nested`: `chains` n and `steps` m of each estimate; `step`, 0.5, times the inverse smoothness of its
    posterior is a chain's step; `start`, where it begins: at "x", or by "likelihood" at a draw from N(e^s x, e^2s - 1), what x
    says of x0 alone. Averaged is what comes after a share `burn` of each chain; 1, as in the paper, takes the ends alone.
    `control` uses gradients, whose mean is zero, to cancel what they explain of the chains' spread (n >= 2); the calls are as
    many. `generator` draws on the points' device; `calls` counts the points at which `score0` was asked. Raises `InputError`
    for what is out of range.
    """

    def __init__(
        self,
        score0: Score,
        segments: ArrayLike,
        smoothness: Smoothness,
        *,
        burn: float = 1.0,
        control: bool = False,
        generator: torch.Generator | None = None,
        **nested: Any,
    ) -> None:
        check_function("score0", score0, "points (n, d)")
        super().__init__(segments, smoothness, **nested)
        check_integer("chains", self.chains, 2 if control else 1, None, "a control variate needs a spread")
        burned = math.floor(check_real("burn", burn, 0, 1, "1 takes the ends alone") * self.steps)
        self.kept = max(1, self.steps - burned)  # states at a chain's end that are averaged
        self.score0, self.control, self.generator, self.calls = score0, control, generator, 0

    def __call__(self, x: Tensor, t: float) -> Tensor:
        """The estimate of ∇ln p_t at `x`, independent from call to call."""
        return self._estimate(check_points(x), *self.locate(t))

    def _at_start(self, x: Tensor, k: int) -> Tensor:
        """The score where segment k starts."""
        if k:
            return self._estimate(x, k - 1, float(self.lengths[k - 1]))
        self.calls += len(x)
        return answer(self.score0, x)

    def _estimate(self, x: Tensor, k: int, s: float) -> Tensor:
        block = max(1, BLOCK // (self.chains * x.shape[1] * self.kept))
        return torch.cat([self._chains(part, k, s) for part in torch.split(x, block)])

    def _chains(self, x: Tensor, k: int, s: float) -> Tensor:
        (N, d), e, D, τ = x.shape, math.exp(-s), -math.expm1(-2 * s), step_size(self.smoothness[k], s, self.step)
        pull, states, gradients = (e / D * x)[:, None], [], []
        y = x[:, None].expand(N, self.chains, d)
        if self.start == "likelihood":
            y = y / e + math.sqrt(math.expm1(2 * s)) * noise(y, self.generator)
        for step in range(self.steps):
            gradient = self._at_start(y.reshape(-1, d), k).view(y.shape) + pull - (e**2 / D) * y
            after = y + τ * gradient + math.sqrt(2 * τ) * noise(y, self.generator)
            if step >= self.steps - self.kept:
                states.append(y if self.control else after)
                gradients.append(gradient)
            y = after
        found = torch.cat(states, 1)
        mean = found.mean(1)
        if self.control:
            slope = torch.cat(gradients, 1)
            spread = slope - slope.mean(1, keepdim=True)
            explained = (spread * found).sum(1) / spread.square().sum(1).clamp_min(torch.finfo(x.dtype).tiny)
            mean = mean - explained * slope.mean(1)
        return (e * mean - x) / D


class AmortisedScore(RecursiveScore):
    """The same with a fit in place of the recursion: its cost is linear in the number of segments, not exponential.

    Up the segments, the score at each time of the sampler is estimated at G points by chains that read the fit below, and
    fitted; so `score0` is asked in segment 0 alone, R_0 G n m times, and all else asks fits (`evaluations` counts both).
    `points` are (G, d), the same at all times, or a function of the time that gives some, which should cover where samples go.
    `regression` is a function of yours, or for d = 1 a `table` and else `features`. Between the fitted times chains that read
    the fit below answer. Further arguments are RecursiveScore's.
    """

    def __init__(
        self,
        score0: Score,
        segments: ArrayLike,
        smoothness: Smoothness,
        *,
        points: Tensor | Callable[[float], Tensor],
        inner: int | Sequence[int],
        regression: Regression | None = None,
        on_fit: Callable[[int, int], None] = lambda done, total: None,
        **options: Any,
    ) -> None:
        super().__init__(score0, segments, smoothness, **options)
        check_function("regression", regression or table, "points and scores")
        self.evaluations, self._fits = 0, {}
        times = [t for t, _ in reverse_times(segments, inner)][::-1]
        for done, t in enumerate(times, 1):
            x = check_points(points(t) if callable(points) else points, "points")
            self.dimension, fit = x.shape[1], regression or (table if x.shape[1] == 1 else features)
            self._fits[round(t, 9)] = fit(x, self._estimate(x, *self.locate(t)))
            on_fit(done, len(times))

    def __call__(self, x: Tensor, t: float) -> Tensor:
        """The fit at `t`, or where there is none the estimate of chains that read the fit at the segment's start."""
        x, at = check_points(x, dimension=self.dimension), self.locate(t)
        if fit := self._fits.get(round(t, 9)):
            self.evaluations += len(x)
            return answer(fit, x)
        return self._estimate(x, *at)

    def _at_start(self, x: Tensor, k: int) -> Tensor:
        self.evaluations += len(x)
        return self._fits[round(float(self.lengths[:k].sum()), 9)](x) if k else super()._at_start(x, k)


def diffusion_monte_carlo(
    score: Callable[[Tensor, float], Tensor],
    n: int,
    d: int,
    *,
    segments: ArrayLike,
    inner: int | Sequence[int],
    generator: torch.Generator | None = None,
    budget: float = 1e9,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> Samples:
    """`n` samples in `d` dimensions along the reverse diffusion from N(0, I), with R = `inner` steps in each segment.

    x <- e^h x + 2 (e^h - 1) score(x, t) + sqrt(e^2h - 1) z: the drift is exact between scores. `score` is any callable (x, t):
    an estimate, a network, the exact score of a noised target. Raises `InputError` where a recursive one would make more than
    `budget` calls of the target's score, before any is made; an amortised one has made its calls.
    """
    check_sizes(n=n, d=d)
    check_real("budget", budget, 0, math.inf, "it is how many calls you can pay", closed="[]")
    floats = isinstance(dtype, torch.dtype) and dtype.is_floating_point
    check(floats, "dtype", dtype, "of floats", "torch.float32 is the default")
    plan, recursive = reverse_times(segments, inner), score if isinstance(score, RecursiveScore) else None
    calls, before = 0, 0 if recursive is None else recursive.calls
    if recursive is not None and not isinstance(recursive, AmortisedScore):
        calls = n * cost(len(recursive.lengths), recursive.chains, recursive.steps, inner)
    shown = f"10^{len(str(calls)) - 1}" if calls > 1e6 else str(calls)
    remedy = "take fewer or longer segments, or `AmortisedScore`; or raise `budget`"
    check(calls <= budget, "calls of the target's score", shown, f"at most the budget of {budget:g}", remedy)
    x = torch.randn(n, d, generator=generator, dtype=dtype, device=device)
    for done, (t, h) in enumerate(plan, 1):
        push, spread = 2 * math.expm1(h), math.sqrt(math.expm1(2 * h))
        x = math.exp(h) * x + push * answer(score, x, t) + spread * noise(x, generator)
        on_step(done, len(plan))
    return Samples(x, 0 if recursive is None else recursive.calls - before)


def annealed(score0: Score, steps: int) -> Score:
    """The score of p^β N(0, I)^(1-β), β rising by each call to 1 over the first half of `steps`: for `chains`, a peer."""
    calls, T = count(1), check_integer("steps", steps, 1, None, "as many as the chains have")

    def score(x: Tensor) -> Tensor:
        β = min(1.0, 2 * next(calls) / T)
        return β * answer(score0, check_points(x)) - (1 - β) * x

    return score


def _pairs(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Points and what is fitted at them."""
    x, y = check_points(x, "points"), check_points(y, "scores")
    check(len(x) == len(y), "scores", tuple(y.shape), f"{len(x)} rows", "one for each of `points`")
    return x, y


def table(x: Tensor, y: Tensor) -> Score:
    """Linear between points (G, 1), and beyond them along lines fitted to the outer eighths."""
    remedy = "give it more points, or another `regression`"
    x, y = _pairs(x, y)
    check(x.shape[1] == 1 and len(x) >= 16, "points", tuple(x.shape), "(G, 1), G >= 16", remedy)
    order = x[:, 0].argsort()
    at, value = x[order, 0].contiguous(), y[order, 0]
    slope, far = value.diff() / at.diff(), len(at) // 8
    left, right = (_line(at[part], value[part]) for part in (slice(None, far), slice(-far, None)))

    def fit(x: Tensor) -> Tensor:
        x = x[:, 0].contiguous()
        i = (torch.searchsorted(at, x) - 1).clamp(0, len(slope) - 1)
        inside = value[i] + slope[i] * (x - at[i])
        return torch.where(x < at[0], left(x), torch.where(x > at[-1], right(x), inside))[:, None]

    return fit


def _line(x: Tensor, y: Tensor) -> Score:
    """The line of least squares, which does not rise: beyond the points a density falls."""
    slope = (((x - x.mean()) * y).sum() / (x - x.mean()).square().sum()).clamp_max(0)
    return lambda z: y.mean() + slope * (z - x.mean())


def features(x: Tensor, y: Tensor, units: int = 100) -> Score:
    """A line and `units` random tanh features of points (G, d), always the same, by ridge regression on the features."""
    check_sizes(units=units)
    x, y = _pairs(x, y)
    random = torch.Generator(x.device).manual_seed(0)
    centre, scale = x.mean(0), x.std(0)
    weights = 2 * torch.randn(x.shape[1], units, generator=random, dtype=x.dtype, device=x.device)
    shift = 2 * torch.randn(units, generator=random, dtype=x.dtype, device=x.device)

    def design(x: Tensor) -> Tensor:
        x = (x - centre) / scale
        return torch.cat([torch.ones_like(x[:, :1]), x, torch.tanh(x @ weights + shift)], 1)

    A = design(x).double()
    penalty = torch.full(A.shape[1:], 1e-4 * len(x), dtype=A.dtype, device=A.device)
    penalty[: 1 + x.shape[1]] = 0  # the line is free
    found = torch.linalg.solve(A.T @ A + penalty.diag(), A.T @ y.double()).to(x.dtype)
    return lambda x: design(x) @ found

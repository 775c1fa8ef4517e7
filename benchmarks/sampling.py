"""Sampling: chains together against one by one, smoothing by FFT against a dense solve, scores, SGLD against blackjax,
bits against flow_matching, Wasserstein distances against POT.

The loop does a few chains and is scaled up. blackjax (with jax) comes with the extra `test`; without it its row is left out.
Both SGLD do the same chains on one Gaussian target of 32 dimensions with exact gradients, ours smoothed and not.
POT (extra `bench`) solves transport exactly: Gaussians by the same formula, samples as a linear program. Both must agree.
flow_matching, whose licence is for research alone, is in no extra; both denoise the same bits with the same exact posterior.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np
import torch

from benchmarks._table import Row, median_seconds, ratios
from twopart.fits.distances import gaussian_w2, quantile_w2
from twopart.laws.sampling import errors, evaluations, mode_moments, schedule, theorem_times
from twopart.laws.sampling.bit_diffusion import tv
from twopart.learners.sampling import RecursiveScore, chains, smooth, uniformize
from twopart.worlds.quantized import QuantizedTarget
from twopart.worlds.spectra import spectrum
from twopart.worlds.targets import GaussianTarget, MixtureTarget

D, CHAINS, FEW, STEPS, RATE = 32, 1000, 4, 100, 0.02
POINTS = 1000
FIELD = spectrum("field", D)
BITS = QuantizedTarget(MixtureTarget([0.6, 0.4], [[-1.0], [1.5]], scales=0.5), bits=6, radius=4.0)


def run() -> Iterator[Row]:
    torch.set_num_threads(1)
    yield together()
    for d in (256, 1024, 4096):
        yield fast_transform(d)
    yield many_points()
    yield against_noise()
    yield bits_together()
    yield from stepwise()
    yield from transport()
    try:
        blackjax, jax = import_module("blackjax"), import_module("jax")
    except ImportError:
        return
    yield sgld(blackjax, jax)


def together() -> Row:
    """1000 chains at once, against chain by chain."""
    target = GaussianTarget.circulant(FIELD)

    def ours() -> None:
        chains(target.score, torch.zeros(CHAINS, D), RATE, STEPS, sigma=1.0, thin=STEPS)

    def peer() -> None:
        for _ in range(FEW):
            chains(target.score, torch.zeros(1, D), RATE, STEPS, sigma=1.0, thin=STEPS)

    times = CHAINS / FEW * ratios(ours, peer, 5)
    return Row("1000 smoothed chains, d = 32", f"{median_seconds(ours, 5):.3f} s", "chain by chain", times, ">= 20")


def fast_transform(d: int) -> Row:
    """A^{-1} of 16 vectors, against a dense solve whose factors are kept."""
    x = torch.randn(16, d)
    matrix = torch.eye(d) * 3 - torch.roll(torch.eye(d), 1, 0) - torch.roll(torch.eye(d), -1, 0)
    factors = torch.linalg.lu_factor(matrix)
    times = ratios(lambda: smooth(x, 1.0), lambda: torch.linalg.lu_solve(*factors, x.T), 9)
    assert torch.allclose(smooth(x, 1.0), torch.linalg.lu_solve(*factors, x.T).T, atol=1e-5)
    value = f"{1e6 * median_seconds(lambda: smooth(x, 1.0)):.0f} µs"
    return Row(f"smooth, d = {d}", value, "a dense solve, factored", times, "> 1 from d = 1024")


def score0(x: torch.Tensor) -> torch.Tensor:
    return 3 * torch.tanh(3 * x) - x


def estimate(points: int) -> None:
    RecursiveScore(score0, [1.0], 8.0, chains=16, steps=STEPS)(torch.zeros(points, 1), 0.5)


def many_points() -> Row:
    """16 chains at each of 1000 points, against a loop over points and chains, a few points of it scaled up."""
    D = -math.expm1(-1.0)
    pull, τ = math.exp(-1.0) / D, 0.5 / (8 + math.exp(-1.0) / D)

    def loop() -> None:
        for _ in range(FEW * 16):
            y = torch.zeros(1, 1)
            for _ in range(STEPS):
                y = y + τ * (score0(y) - pull * y) + math.sqrt(2 * τ) * torch.randn(1, 1)

    seconds = median_seconds(lambda: estimate(POINTS), 3)
    ratio = ratios(lambda: estimate(POINTS), loop, 3) * POINTS / FEW
    return Row(
        "scores at 1000 points, 16 chains of 100 steps", f"{seconds:.2f} s", "a loop over chains", ratio, ">= 20"
    )


def against_noise() -> Row:
    """The same against its normal random numbers alone."""

    def noise() -> None:
        for _ in range(STEPS):
            torch.randn(POINTS, 16, 1)

    ratio = ratios(lambda: estimate(POINTS), noise, 3)
    return Row(
        "the same, a call of the target's score", f"{1e9 * call_seconds():.0f} ns", "its noise alone", ratio, ">= 0.2"
    )


def call_seconds() -> float:
    return median_seconds(lambda: estimate(POINTS), 3) / (POINTS * 16 * STEPS)


def bits_together() -> Row:
    """1000 runs of uniformisation at once, against run by run."""
    segments = schedule(6, *theorem_times(6, 0.2))

    def ours() -> None:
        uniformize(BITS.ratios, 6, CHAINS, segments)

    def peer() -> None:
        for _ in range(FEW):
            uniformize(BITS.ratios, 6, 1, segments)

    times = CHAINS / FEW * ratios(ours, peer, 5)
    return Row("1000 runs of uniformisation, 6 bits", f"{median_seconds(ours, 5):.3f} s", "run by run", times, ">= 20")


def stepwise() -> Iterator[Row]:
    """Total variation after as many evaluations as uniformisation takes at ε, on 100,000 samples; theirs over ours.

    Their path keeps a bit with probability t and draws it afresh otherwise: ours at u = -ln(t)/2, so the posterior is the same.
    """
    try:
        path = import_module("flow_matching.path")
        solver = import_module("flow_matching.solver").MixtureDiscreteEulerSolver
    except ImportError:
        return
    q, n = BITS.mass, 100_000

    class Posterior(import_module("flow_matching.utils").ModelWrapper):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(None)

        def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            u = -t.double().clamp(1e-9, 1 - 1e-9).log() / 2
            tanh = u.tanh()[:, None]
            flip = (BITS.ratios(x, u) - tanh) / (1 / tanh - tanh)
            one = torch.where(x == 1, 1 - flip, flip).clamp(0, 1)
            return torch.stack([1 - one, one], -1)

    scheduler = import_module("flow_matching.path.scheduler").PolynomialConvexScheduler(n=1.0)
    theirs = solver(Posterior(), path.MixtureDiscreteProbPath(scheduler), 2)
    for eps in (0.2, 0.05):
        segments = schedule(6, *theorem_times(6, eps))
        steps = round(evaluations(segments))
        x = theirs.sample(torch.randint(2, (n, 6)), step_size=1 / steps)
        found = np.bincount((x << torch.arange(5, -1, -1)).sum(1).numpy(), minlength=64) / n
        ours = errors(q, *segments.times).total
        name = f"TV after {steps} evaluations, 6 bits"
        yield Row(name, f"{ours:.4f}", "flow_matching", tv(found, q) / ours, "below 1: theirs does not stop early")


def transport() -> Iterator[Row]:
    """Our distances and POT's: between 200 pairs of Gaussians, and between samples on the line, by its linear program.

    Between samples in 4 dimensions the distance of their moments is a lower bound of the program's, and close to it.
    """
    try:
        ot = import_module("ot")
    except ImportError:
        return
    random = np.random.default_rng(0)
    m, n = random.standard_normal((2, 200, 16))
    roots = random.standard_normal((2, 200, 16, 16))
    C, S = roots @ roots.swapaxes(-1, -2)

    def ours() -> Any:
        return gaussian_w2(m, C, n, S)

    def peer() -> Any:
        return [ot.gaussian.bures_wasserstein_distance(*pair) for pair in zip(m, n, C, S, strict=True)]

    assert np.allclose(ours(), peer(), rtol=1e-8)
    value = f"{1e3 * median_seconds(ours, 5):.1f} ms"
    yield Row("W2 of 200 pairs of Gaussians, d = 16", value, "POT, pair by pair", ratios(ours, peer, 5), ">= 1")
    weights, x, y = np.full(500, 1 / 500), random.standard_normal(500), 1 + 2 * random.standard_normal(500)

    def program() -> float:
        return float(ot.emd2(weights, weights, (x[:, None] - y) ** 2) ** 0.5)

    assert math.isclose(quantile_w2(x, y), program(), rel_tol=1e-8)
    value = f"{1e6 * median_seconds(lambda: quantile_w2(x, y), 9):.0f} µs"
    times = ratios(lambda: quantile_w2(x, y), program, 5)
    yield Row("W2 of 500 points on the line", value, "POT's linear program", times, ">= 1")
    a, b = random.standard_normal((2, 500, 4))
    b = b * 2 + 1
    exact = float(ot.emd2(weights, weights, ot.dist(a, b)) ** 0.5)
    bound = float(gaussian_w2(a.mean(0), np.cov(a.T, bias=True), b.mean(0), np.cov(b.T, bias=True)))
    yield Row(
        "W2 of the moments of 500 points, d = 4", f"{bound:.3f}", "POT's linear program", exact / bound, "1 to 1.1"
    )


def sgld(blackjax: Any, jax: Any) -> Row:
    """The same 1000 chains and steps; both must have the law's variances, within 5 standard errors."""
    target, precision = (
        GaussianTarget.circulant(FIELD),
        jax.numpy.asarray(GaussianTarget.circulant(FIELD).precision.numpy()),
    )
    sampler = blackjax.sgld(lambda x, batch: -precision @ x)

    @jax.jit
    def peer_chains(key: Any) -> Any:
        def step(x: Any, key: Any) -> Any:
            return jax.vmap(lambda k, x: sampler.step(k, x, 0, RATE))(jax.random.split(key, CHAINS), x), None

        return jax.lax.scan(step, jax.numpy.zeros((CHAINS, D)), jax.random.split(key, STEPS))[0]

    def ours() -> torch.Tensor:
        return chains(target.score, torch.zeros(CHAINS, D), RATE, STEPS, thin=STEPS)[-1]

    def peer() -> Any:
        return peer_chains(jax.random.key(0)).block_until_ready()

    law = mode_moments(FIELD, 0.0, RATE, STEPS, mean=0.0).variance
    for x in (ours(), torch.tensor(np.asarray(peer()))):
        power = torch.fft.fft(x, norm="ortho").abs().square().mean(0)
        assert bool(((power.numpy() / law - 1).__abs__() < 5 * (2 / CHAINS) ** 0.5).all())
    value = f"{median_seconds(ours, 5):.3f} s"
    return Row("1000 chains of SGLD, d = 32", value, "blackjax.sgld, jitted", ratios(ours, peer, 5), ">= 0.5")

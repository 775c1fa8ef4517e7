"""Laws: 10,000 points of each, against the same numbers by `scipy.integrate.quad` and `brentq`, one point after another.

The peer is timed on a few points and scaled up; it takes one kind of attribute and leaves out syntax, so it does less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import betaln

from benchmarks._table import Row, median_seconds, ratios
from twopart.laws import capacity_at, capacity_law, hallucination_law, joint_law
from twopart.laws.knowledge.learner_flow import SIGMAS, STRENGTHS, flow_table
from twopart.worlds import Attribute, SyntaxKnowledge

POINTS, SAMPLE = 10_000, 10
DISCOUNT, CONCENTRATION, BITS = 0.5, 1.0, 6.0


def run() -> Iterator[Row]:
    world = SyntaxKnowledge(DISCOUNT, CONCENTRATION, (Attribute("birth_city"),))
    bits, prices = np.logspace(1, 7, POINTS), np.logspace(-12, -1, POINTS)
    grid, n = np.logspace(1, 7, 100), np.logspace(1, 7, 100)[:, None]
    some = np.logspace(1, 7, SAMPLE)
    yield _row(
        "capacity law, by bits", lambda: capacity_law(world, bits), lambda: [_peer(b, np.inf) for b in some], "< 1 s"
    )
    yield _row(
        "capacity law, by price",
        lambda: capacity_at(world, prices),
        lambda: [_paid(p, np.inf) for p in some**-1],
        "< 0.1 s",
    )
    yield _row(
        "joint law, 100 x 100", lambda: joint_law(world, n, grid), lambda: [_peer(b, 1e4) for b in some], "< 2 s"
    )
    yield _row(
        "hallucination law, 100 x 100",
        lambda: hallucination_law(world, n, grid),
        lambda: [_peer(b, 1e4) for b in some],
        "< 2 s",
    )
    yield _flows()


def _flows() -> Row:
    """The learner's flows through noise, each of 64 values true in turn, against Heun's steps of as many noises, one true."""
    noises = np.random.default_rng(0).standard_normal((192, 64))

    def ours() -> None:
        flow_table.cache_clear()
        flow_table(64)

    def peer() -> None:
        for sigma in SIGMAS:
            a, s = np.zeros_like(noises), 0.0
            while s < STRENGTHS[-1]:
                step = max(0.06, 0.06 * s)
                first = _slope(sigma * noises + a)
                a, s = a + step / 2 * (first + _slope(sigma * noises + a + step * first)), s + step

    name = f"flows through noise, {len(SIGMAS)} x {len(STRENGTHS)}"
    return Row(name, f"{median_seconds(ours, 3):.2f} s", "Heun's steps", ratios(ours, peer, rounds=3), "< 2 s, >= 1")


def _slope(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of a flow whose first value is true."""
    shares = np.exp(logits - logits.max(1, keepdims=True))
    shares /= -shares.sum(1, keepdims=True)
    shares[:, 0] += 1
    return shares


def _row(name: str, ours: Callable[[], object], peer: Callable[[], object], aim: str) -> Row:
    times = POINTS / SAMPLE * ratios(ours, peer, rounds=3)
    return Row(
        f"{name}, {POINTS:,} points", f"{median_seconds(ours, 3):.2f} s", "quad and brentq", times, f"{aim}, >= 10"
    )


def _peer(bits: float, n: float) -> float:
    """Redundancy at a budget: the price by `brentq`, every integral by `quad`."""

    def excess(log_price: float) -> float:
        return BITS * _held(np.exp(log_price), n) - bits

    low, high = np.log(1e-30), -1e-9
    return _paid(float(np.exp(brentq(excess, low, high))) if excess(low) > 0 > excess(high) else 1e-30, n)


def _held(price: float, n: float) -> float:
    """Expected number of told facts above the price."""
    return _quad(lambda p: _told(p, n) / p, price, 1.0)


def _paid(price: float, n: float) -> float:
    """Bits per sentence for what is too rare or not told."""
    return BITS * (_quad(lambda p: 1.0 + 0 * p, 0.0, price) + _quad(lambda p: 1 - _told(p, n), price, 1.0))


def _told(p: float, n: float) -> float:
    return 1.0 if np.isinf(n) else float(-np.expm1(n * np.log1p(-p)))


def _quad(f: Callable[[float], float], low: float, high: float) -> float:
    """∫ f(p) Beta(p; 1-d, θ+d) dp, in ln p."""
    a, b = 1 - DISCOUNT, CONCENTRATION + DISCOUNT
    norm = np.exp(-betaln(a, b))

    def integrand(u: float) -> float:
        p = min(np.exp(u), 1 - 1e-16)
        return float(f(p) * norm * np.exp(a * u) * (1 - p) ** (b - 1))

    start: float = np.log(max(low, 1e-40))
    edges: NDArray[np.float64] = np.linspace(start, np.log(high), 2 + int((np.log(high) - start) / 5))
    return float(sum(quad(integrand, x, y)[0] for x, y in pairwise(edges)))

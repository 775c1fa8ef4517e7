"""Sampling: recursive scores against the same chains one after the other, and against the random numbers that they need."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from benchmarks._table import Row, median_seconds, ratios
from twopart.learners.sampling import RecursiveScore

CHAINS, STEPS, POINTS, FEW = 16, 100, 1000, 2


def run() -> Iterator[Row]:
    yield many_points()
    yield against_noise()


def score0(x: torch.Tensor) -> torch.Tensor:
    return 3 * torch.tanh(3 * x) - x


def estimate(points: int) -> None:
    RecursiveScore(score0, [1.0], 8.0, chains=CHAINS, steps=STEPS)(torch.zeros(points, 1), 0.5)


def many_points() -> Row:
    """16 chains at each of 1000 points, against a loop over points and chains, two points of it scaled up."""
    D = -math.expm1(-1.0)
    pull, τ = math.exp(-1.0) / D, 0.5 / (8 + math.exp(-1.0) / D)

    def loop() -> None:
        for _ in range(FEW * CHAINS):
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
            torch.randn(POINTS, CHAINS, 1)

    ratio = ratios(lambda: estimate(POINTS), noise, 3)
    return Row(
        "the same, a call of the target's score", f"{1e9 * call_seconds():.0f} ns", "its noise alone", ratio, ">= 0.2"
    )


def call_seconds() -> float:
    return median_seconds(lambda: estimate(POINTS), 3) / (POINTS * CHAINS * STEPS)

"""Policies: laws against simulation at the same accuracy, and advantages against TRL's formula.

A simulation of R runs knows masses to a standard error of sd/√R; as many runs are counted as an error of 0.001 takes, timed on
200 of them and scaled up. TRL's own trainer is not installed: its formula, written out in torch, stands for it, and must agree.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks._table import Row, median_seconds, ratios
from twopart.laws.policies import escape, luck, recursion, two_pattern_time
from twopart.learners.policies import GRPO, Majority, Reinforce, descend, train
from twopart.worlds.policies import Patterns

RUNS, ERROR = 200, 0.001


def run() -> Iterator[Row]:
    torch.set_num_threads(1)
    yield course()
    yield waiting()
    yield lucky()
    yield advantages()


def course() -> Row:
    """Masses after 150 steps of GRPO, G = 4."""
    world, method = Patterns(), GRPO(4)
    start = np.tile(np.log(world.masses), (RUNS, 1, 1))
    found = train(start, world, method, 150, 0.1).policy[:, 0]
    needed = float(found.var(0).max()) / ERROR**2

    def ours() -> None:
        recursion(world.masses[0], world.rates[0], 0.1, 150, group=4)

    ratio = ratios(ours, lambda: train(start, world, method, 150, 0.1), 5) * needed / RUNS
    value = f"{1e3 * median_seconds(ours):.1f} ms"
    return Row("masses after 150 steps, to 0.001", value, f"{needed:.0f} runs of the method", ratio, ">= 100")


def waiting() -> Row:
    """Time to half from 0.03 of two patterns; as many runs as 0.001 of it takes."""
    world = Patterns((0.03, 0.97), (0.6, 0.2))
    start, times = np.tile(np.log(world.masses), (RUNS, 1, 1)), np.full(RUNS, np.nan)

    def peer() -> None:
        times[:] = np.nan
        for step, (policy, _) in enumerate(descend(start, world, Reinforce(), 0.2), 1):
            times[np.isnan(times) & (policy[:, 0, 0] >= 0.5)] = step
            if not np.isnan(times).any():
                break

    peer()
    needed = float(times.var() / times.mean() ** 2) / ERROR**2
    assert abs(float(two_pattern_time(0.03, 0.5, 0.4)) / escape((0.03, 0.97), (0.6, 0.2)).time - 1) < 1e-8

    def ours() -> None:
        two_pattern_time(0.03, 0.5, 0.4)

    ratio = ratios(ours, peer, 3) * needed / RUNS
    value = f"{1e6 * median_seconds(ours):.0f} µs"
    return Row("time to half, to a part in 1000", value, f"{needed:.0f} runs of the method", ratio, ">= 100")


def lucky() -> Row:
    """P(ends right) by votes of 8, to the 0.015 that the law is good for."""
    world = Patterns((0.46, 0.54), (1.0, 0.0))
    start = np.tile(np.log(world.masses), (RUNS, 1, 1))
    needed = 0.1 * 0.9 / 0.015**2

    def peer() -> None:
        train(start, world, Reinforce(), 300, 0.1, reward=Majority())

    ratio = ratios(lambda: luck(0.46, 8, 0.2), peer, 3) * needed / RUNS
    value = f"{1e6 * median_seconds(lambda: luck(0.46, 8, 0.2)):.0f} µs"
    return Row("P(ends right), to 0.015", value, f"{needed:.0f} runs of 300 steps", ratio, ">= 100")


def advantages() -> Row:
    """4096 groups of 16."""
    rewards = torch.rand(4096, 16, generator=torch.Generator().manual_seed(0))

    def trl() -> torch.Tensor:
        return (rewards - rewards.mean(1, keepdim=True)) / (rewards.std(1, keepdim=True) + 1e-4)

    ours = GRPO(16, ddof=1, epsilon=1e-4)
    torch.testing.assert_close(ours.advantages(rewards), trl())
    value = f"{1e6 * median_seconds(lambda: ours.advantages(rewards)):.0f} µs"
    ratio = ratios(lambda: ours.advantages(rewards), trl, 9)
    return Row("advantages of 4096 groups, checked", value, "TRL's formula, unchecked", ratio, ">= 0.2")

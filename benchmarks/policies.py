"""Policies: laws against simulation at the same accuracy, and advantages against TRL's formula.

As many runs are counted as know the answer to what the law is off, by runs drawn for that; a few are timed and scaled up.
TRL's own trainer is not installed: its formula, written out in torch, stands for it, and must agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch

from benchmarks._table import Row, median_seconds, ratios
from twopart.laws.policies import escape, luck, recursion, two_pattern_time
from twopart.learners.policies import GRPO, Majority, Reinforce, descend, train
from twopart.worlds.policies import Patterns

RUNS = 200


def run() -> Iterator[Row]:
    torch.set_num_threads(1)
    yield from course()
    yield waiting()
    yield lucky()
    yield advantages()


def course() -> Iterator[Row]:
    """Masses after 150 steps of GRPO, G = 8: of one question alone, and of 1024 at once.

    Off at most, as a root mean square over patterns: what 100,000 runs of the first question show beyond their noise, and two
    standard errors of that.
    """
    random, many = np.random.default_rng(0), 100_000
    base, rates = random.dirichlet(np.full(4, 2.0), 1024), random.uniform(0.1, 0.9, (1024, 4))

    def ours(questions: int) -> np.ndarray:
        return recursion(base[:questions], rates[:questions], 0.1, 150, group=8).policy[-1]

    def peer(questions: int, runs: int, seed: int = 0) -> np.ndarray:
        start = np.tile(np.log(base[:questions]), (runs, 1, 1))
        return train(start, Patterns(base[:questions], rates[:questions]), GRPO(8), 150, 0.1, seed=seed).policy

    found = np.concatenate([peer(1, many // 10, seed) for seed in range(10)])[:, 0]
    noise = np.cov(found.T)
    beyond = np.square(found.mean(0) - ours(1)).sum() - np.trace(noise) / many
    off = np.sqrt((beyond + 2 * np.sqrt(2 * np.trace(noise @ noise)) / many) / 4)
    needed = np.trace(noise) / 4 / off**2
    for questions, runs in ((1, 2000), (1024, 4)):
        law = partial(ours, questions)
        ratio = ratios(law, partial(peer, questions, runs), 3) * needed / runs
        value = f"{1e3 * median_seconds(law, 3):.0f} ms"
        yield Row(f"masses, questions: {questions}, to {off:.5f}", value, f"{needed:.0f} runs of each", ratio, ">= 100")


def waiting() -> Row:
    """Time to half from 0.03 of two patterns."""
    world = Patterns((0.03, 0.97), (0.6, 0.2))
    start, times = np.tile(np.log(world.masses), (RUNS, 1, 1)), np.full(RUNS, np.nan)

    def peer() -> None:
        times[:] = np.nan
        for step, (policy, _) in enumerate(descend(start, world, Reinforce(), 0.2), 1):
            times[np.isnan(times) & (policy[:, 0, 0] >= 0.5)] = step
            if not np.isnan(times).any():
                break

    peer()
    law, waits = float(two_pattern_time(0.03, 0.5, 0.4)), 0.2 * 7 / 8 * times
    assert abs(law / escape((0.03, 0.97), (0.6, 0.2)).time - 1) < 1e-8
    off = abs(waits.mean() / law - 1)
    needed = float((waits.std() / waits.mean() / off) ** 2)

    def ours() -> None:
        two_pattern_time(0.03, 0.5, 0.4)

    ratio = ratios(ours, peer, 3) * needed / RUNS
    value = f"{1e6 * median_seconds(ours):.0f} µs"
    return Row(f"time to half, off {off:.1%}", value, f"{needed:.0f} runs of the method", ratio, ">= 100")


def lucky() -> Row:
    """P(ends right) by votes of 8, to the 0.015 that the law is good for."""
    world = Patterns((0.46, 0.54), (1.0, 0.0))
    start = np.tile(np.log(world.masses), (RUNS, 1, 1))
    needed = 0.1 * 0.9 / 0.015**2

    def peer() -> np.ndarray:
        return train(start, world, Reinforce(), 300, 0.1, reward=Majority()).policy[:, 0, 0]

    off = abs(peer().mean() - float(luck(0.46, 8, 0.2)))
    assert off < 0.015 + 5 * np.sqrt(0.09 / RUNS)
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

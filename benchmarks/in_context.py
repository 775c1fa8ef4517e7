"""Learning in context: laws against the simulation that is as accurate, readers against prompts asked one by one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks._table import Row, median_seconds, ratios
from twopart.laws.in_context import hijack_error, hijack_logits
from twopart.learners.in_context import GradientTransformer, answers, hijack_curve
from twopart.worlds.in_context import HijackedClassification

STEPS, TOKENS = (0.0109, 0.0109), (1, 4, 12, 40)


def run() -> Iterator[Row]:
    yield hijacking()
    yield one_by_one()


def hijacking() -> Row:
    """The curve of two layers at d = 20, against forward passes on so many prompts that their standard error is the law's.

    The passes are of 4000 prompts, and scaled up: p (1 - p) / error² are needed where the law is least accurate.
    """
    world, few = HijackedClassification(), 4000
    law = hijack_error(0.553, STEPS, TOKENS, dimension=20)
    needed = float((law.value * (1 - law.value) / law.error**2).min())
    model = GradientTransformer(2, 20, tied=True, isotropic=True).set(
        torch.from_numpy(0.553 * world.prior).float(), STEPS[0]
    )

    def ours() -> None:
        hijack_error(0.553, STEPS, TOKENS, dimension=20)

    def peer() -> None:
        hijack_curve(model, world, TOKENS, count=few)

    pairs = world.pairs(200_000)
    wrong = (hijack_logits(0.553 * world.prior, STEPS, pairs.query, pairs.hijacker, TOKENS) < 0).mean(1)
    off = float(np.abs(wrong - law.value).max())
    name = f"hijacked error, L = 2, off {off:.0e}"
    times = needed / few * ratios(ours, peer, 3)
    return Row(name, f"{1e3 * median_seconds(ours):.1f} ms", f"{needed:,.0f} prompts, simulated", times, ">= 100")


def one_by_one() -> Row:
    """1000 prompts of 40 tokens, in batches of 256 against one at a time."""
    model = GradientTransformer(4, 20, isotropic=True)
    prompts = HijackedClassification().hijacked(1000, 40)
    value = f"{1e3 * median_seconds(lambda: answers(model, prompts), 5):.1f} ms"
    times = ratios(lambda: answers(model, prompts), lambda: answers(model, prompts, batch=1), 3)
    return Row("1000 prompts of 40 tokens", value, "one by one", times, ">= 5")

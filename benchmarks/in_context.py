"""Learning in context: laws against the simulation that is as accurate, readers against prompts asked one by one or anew.

The law of pretraining has no error: its peer is as many runs as bring the standard error of the excess risk down to 0.1 %.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks._table import Row, median_seconds, ratios
from twopart.laws.in_context import Geometric, hijack_error, hijack_logits, optimum, risk, stable_step, trajectory
from twopart.learners.in_context import GradientTransformer, SequenceRegressor, answers, descend, hijack_curve
from twopart.worlds.in_context import HijackedClassification, InContextRegression

LAYERS, TOKENS = (0.0109, 0.0109), (1, 4, 12, 40)
STEPS, FEW, RUNS, ERROR = 1000, 100, 400, 0.001


def run() -> Iterator[Row]:
    yield hijacking()
    yield one_by_one()
    yield pretraining_tasks(8)
    yield pretraining_tasks(20)
    yield pretraining_tasks(20, per_step=4)
    yield reading()


def hijacking() -> Row:
    """The curve of two layers at d = 20, against forward passes on so many prompts that their standard error is the law's.

    The passes are of 4000 prompts, and scaled up: p (1 - p) / error² are needed where the law is least accurate.
    """
    world, few = HijackedClassification(), 4000
    law = hijack_error(0.553, LAYERS, TOKENS, dimension=20)
    needed = float((law.value * (1 - law.value) / law.error**2).min())
    model = GradientTransformer(2, 20, tied=True, isotropic=True).set(
        torch.from_numpy(0.553 * world.prior).float(), LAYERS[0]
    )

    def ours() -> None:
        hijack_error(0.553, LAYERS, TOKENS, dimension=20)

    def peer() -> None:
        hijack_curve(model, world, TOKENS, count=few)

    pairs = world.pairs(200_000)
    wrong = (hijack_logits(0.553 * world.prior, LAYERS, pairs.query, pairs.hijacker, TOKENS) < 0).mean(1)
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


def pretraining_tasks(d: int, per_step: int = 1) -> Row:
    """1000 steps, N = 20: the law against runs, 400 at once, of which a tenth of the steps is timed."""
    world = InContextRegression.power(d, 2.0)
    rates = Geometric(0.3 * stable_step(world, 20)).rates(STEPS)

    def law() -> float:
        return float(trajectory(world, 20, rates, tasks_per_step=per_step)[-1, 0])

    def runs(steps: int = FEW) -> np.ndarray:
        return descend(world, 20, rates[:steps], runs=RUNS, tasks_per_step=per_step)

    excess = risk(world, runs(STEPS), 20) - optimum(world, 20).risk
    needed = (excess.std() / excess.mean() / ERROR) ** 2
    times = STEPS / FEW * needed / RUNS * ratios(law, runs, 3)
    name = f"law of 1000 steps, d = {d}" + f", {per_step} tasks each" * (per_step > 1)
    peer = f"{needed:,.0f} runs, error {ERROR:.1%}"
    return Row(name, f"{1e3 * median_seconds(law, 5):.0f} ms", peer, times, ">= 100")


def reading() -> Row:
    """GPT-2's body at 20 lengths of context: with its keys and values kept, and asked anew at each."""
    from transformers import GPT2Config, GPT2Model

    sizes = {"n_embd": 64, "n_layer": 4, "n_head": 4, "n_positions": 128, "vocab_size": 2}
    body = GPT2Model(GPT2Config(**sizes, bos_token_id=None, eos_token_id=None))
    model, prompts, lengths = (
        SequenceRegressor(body, 8, 64),
        InContextRegression.power(8).sample(64, 40),
        range(2, 41, 2),
    )
    model = model.to(torch.float64)

    def ours() -> np.ndarray:
        return answers(model, prompts, lengths=list(lengths))

    def peer() -> np.ndarray:
        return np.stack([answers(model, prompts.first(n)) for n in lengths], 1)

    off = float(np.abs(ours() - peer()).max())
    name = f"GPT-2 at 20 lengths of context, off {off:.0e}"
    return Row(name, f"{median_seconds(ours, 3):.2f} s", "each prompt anew", ratios(ours, peer, 3), ">= 4")

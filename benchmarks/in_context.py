"""Learning in context: an exact law against the runs that it replaces, readers that keep what they read against others.

The law has no error. Runs have: the peer is as many of them as bring the standard error of the excess risk down to 0.1 %.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks._table import Row, median_seconds, ratios
from twopart.laws.in_context import Geometric, optimum, risk, stable_step, trajectory
from twopart.learners.in_context import SequenceRegressor, answers, descend
from twopart.worlds.in_context import InContextRegression

STEPS, FEW, RUNS, ERROR = 1000, 100, 400, 0.001


def run() -> Iterator[Row]:
    yield pretraining_tasks(8)
    yield pretraining_tasks(20)
    yield pretraining_tasks(20, per_step=4)
    yield reading()


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

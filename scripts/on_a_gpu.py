"""What transformers of a study's `full` preset would hold and do on a GPU, counted on a CPU: for docs/beyond-one-machine.md.

    python scripts/on_a_gpu.py acquisition capacity-law

Each cell is rehearsed up to its training. One update of it then runs in float64, which takes the formulas that a GPU runs, and
is watched: floating-point operations, kernels, and tensors kept for the way back, counted at a GPU's four bytes. The time
assumes 5 microseconds to launch a kernel, and 10 TFLOP/s; small models wait for the launches.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from twopart.lab import Cell
from twopart.lab.source import find
from twopart.learners import TokenStream, TrainingConfig, Transformer, TransformerConfig
from twopart.learners.losses import sentence_bits
from twopart.roles import Role
from twopart.studies import config
from twopart.studies._study import load, place

LAUNCH, SPEED = 5e-6, 1e13  # seconds a call, floating-point operations a second
VIEWS = ("view", "transpose", "t.", "detach", "expand", "slice", "select", "alias", "unsqueeze", "split", "permute")


class Calls(TorchDispatchMode):
    """Counts operators that launch a kernel."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += not any(view in str(func) for view in VIEWS)
        return func(*args, **(kwargs or {}))


def update(shape: TransformerConfig, batch: int) -> tuple[float, float, float]:
    """Bytes held, operations and kernels of one update."""
    model = Transformer(shape, 0).double()
    tokens = torch.randint(shape.vocabulary, (batch, shape.context + 1))
    roles = torch.full(tokens.shape, int(Role.VALUE))
    optimiser, kept = torch.optim.AdamW(model.parameters(), foreach=True), dict[int, int]()

    def keep(x: Tensor) -> Tensor:
        kept[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes() // (2 if x.dtype == torch.float64 else 1)
        return x

    calls, flops = Calls(), FlopCounterMode(display=False)
    with calls, flops:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
            objective = sentence_bits(model, tokens, roles)[0]
        torch.autograd.backward(objective)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        optimiser.step()
    return 16.0 * shape.parameters + sum(kept.values()), flops.get_total_flops(), calls.count


class Asked(BaseException):
    """A cell has come to its training."""


def trainings(study: str) -> Iterator[tuple[TrainingConfig, TransformerConfig, int, int]]:
    """How each cell of `full` trains, what, on how many sentences, and how many cells are alike: each is run up to there."""

    def ask(config: TrainingConfig, model: TransformerConfig, stream: TokenStream, **_: Any) -> None:
        raise Asked(config, model, len(stream))

    module = place(study).module
    for work in load(study).cells(config(study, "full"), 0):
        with tempfile.TemporaryDirectory() as folder, patch("twopart.learners.train", ask):
            cell = Cell(Path(folder), 0, 0, "cpu", lambda *_: None, lambda *_: None)
            try:
                find(module, work.function)(work.case, cell)
            except Asked as asked:
                yield *asked.args, work.replicates


if __name__ == "__main__":
    print("| study | cells | parameters | kernels an update | MiB on the device | one GPU, minutes | eight |")
    for study in sys.argv[1:]:
        minutes, sizes, kernels, most = list[float](), list[int](), 0.0, 0.0
        for how, shape, sentences, alike in trainings(study):
            held, flops, kernels = update(shape, how.batch)
            minutes += [math.ceil(sentences / how.batch) * max(kernels * LAUNCH, flops / SPEED) / 60] * alike
            sizes, most = [*sizes, shape.parameters], max(most, held / 2**20)
        eight = max(sum(minutes) / 8, max(minutes))
        size = f"{min(sizes):,} to {max(sizes):,}"
        print(f"| {study} | {len(minutes)} | {size} | {kernels} | {most:.0f} | {sum(minutes):.0f} | {eight:.0f} |")

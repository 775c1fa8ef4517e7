"""Many runs at once over samples of one's own, for learners whose step is written in torch: what differs is the step alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from twopart._checks import check, check_choice, check_integer
from twopart._random import seed_sequence
from twopart.laws.regression.schedule import scheduled
from twopart.learners.regression.runs import first_weights, like, samples

ORDERS = ("reshuffle", "replacement")
Step = Callable[[Tensor, Tensor, Tensor, float, torch.Generator], None]
"""In place on weights (R, d): batches x (R, b, d) and y (R, b), the rate, and what else is random."""


def walk(
    x: Any,
    y: Any,
    step: Step,
    purpose: str,
    *,
    schedule: ArrayLike | None,
    steps: int | None,
    batch: int,
    start: Any,
    replicates: int,
    seed: int,
    order: str = "reshuffle",
) -> Any:
    """The weights after `steps` steps (None: one pass) from `start`, shape (R, d), of the kind and at the place of `x`.

    `x` (n, d) and `y` (n,) are NumPy arrays or torch tensors, float32 or float64. `schedule`: the rate of each step, or one
    number, from which it is halved every steps / log2(steps) steps; None begins at 1 over the mean of ‖x‖². `start` (d,) or
    (R, d), 0 without it. `order`: reshuffle reads every sample once an epoch, whose last batch may be smaller; replacement
    draws each afresh. `purpose` and `seed` name the orders. Raises `InputError` for wrong shapes, ranges and nan.
    """
    device = x.device if isinstance(x, Tensor) else "cpu"
    data, answers = (torch.tensor(part, device=device) for part in samples(x, y))
    n, R = len(data), check_integer("replicates", replicates, 1, None, "it is the number of runs")
    check_choice("order", order, ORDERS)
    check_integer("batch", batch, 1, n if order == "reshuffle" else None, "a batch holds no sample twice in an epoch")
    count = math.ceil(n / batch) if steps is None else check_integer("steps", steps, 0, None, "0 gives the start")
    w = torch.from_numpy(first_weights(start, R, data.shape[1])).to(data)
    first = 1 / max(float(data.square().sum(1).mean()), 1e-30) if schedule is None else schedule
    key = int(seed_sequence(seed, purpose).generate_state(1, np.uint64)[0] >> 1)
    random = torch.Generator(device).manual_seed(key)
    draws = _draws(n, batch, order, R, random)
    for rate, rows in zip(scheduled("schedule", first, count).tolist(), draws, strict=False):
        step(w, data[rows], answers[rows], rate, random)
    return like(w, x)


def check_batches(w: Tensor, x: Tensor, y: Tensor) -> None:
    """What a step of R runs asks of its batches."""
    fits = x.ndim == 3 and x.shape[::2] == w.shape and y.shape == x.shape[:2]
    check(fits, "x", tuple(x.shape), f"of shape (R, b, d) to weights {tuple(w.shape)}", "give each run a batch")


def _draws(n: int, batch: int, order: str, R: int, random: torch.Generator) -> Iterator[Tensor]:
    """Rows of the samples, shape (R, b), for ever."""
    while True:
        if order == "replacement":
            yield torch.randint(n, (R, batch), generator=random, device=random.device)
        else:
            yield from torch.split(torch.rand((R, n), generator=random, device=random.device).argsort(1), batch, 1)

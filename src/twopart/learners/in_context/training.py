"""The training of in-context modules on fresh prompts: by squared loss, or many at once by cross-entropy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from twopart._checks import check, check_integer, check_real
from twopart.learners.ensemble import Ensemble
from twopart.worlds.in_context.prompts import Prompts

M = TypeVar("M", bound=nn.Module)


def train_in_context(model: M, draw: Callable[[int], Prompts], *, steps: int = 600, learning_rate: float = 0.02) -> M:
    """Train any in-context module by Adam on squared loss against the labels, on fresh prompts `draw(step)` each time.

    The rate falls linearly to 0. Parameters named `steps` get the rate over n, the examples of a prompt: attention that sums
    over them is n times as sensitive. Returns the model. Raises `InputError` for bad numbers, and where the loss is not finite.
    """
    total = check_integer("steps", steps, 1, None, "600 are usual")
    rate = check_real("learning_rate", learning_rate, 0, float("inf"), "0.02 is usual", closed="()")
    n, like = draw(0).x.shape[1], next(model.parameters())
    groups: dict[bool, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        groups.setdefault(name.rpartition(".")[2] == "steps", []).append(parameter)
    adam = torch.optim.Adam([{"params": group, "lr": rate / n if sums else rate} for sums, group in groups.items()])
    falls = torch.optim.lr_scheduler.LambdaLR(adam, lambda step: 1 - step / total)
    model.train()
    for step in range(total):
        prompts = draw(step)
        x, y, query, label = (torch.as_tensor(p).to(like) for p in (prompts.x, prompts.y, prompts.query, prompts.label))
        loss = (model(x, y, query) - label).square().mean()
        check(bool(loss.isfinite()), "learning_rate", rate, "small enough to converge", "take a smaller one")
        adam.zero_grad()
        loss.backward()
        adam.step()
        falls.step()
    return model.eval()


def train_together(
    models: Sequence[nn.Module], task: Any, *, steps: int = 600, batch: int = 64, learning_rate: float = 3e-3,
    tests: int = 1000, looks: int = 20, seed: int = 0, on_look: Callable[[int], None] = lambda step: None,
) -> pl.DataFrame:  # fmt: skip
    """Train modules of one shape in place, each on sequences of its own: columns step, network and accuracy on the unseen part.

    The task is one of `worlds.in_context`, or has a `split()` into parts to train on and to test on, `looks` times, each with
    `sample(count, stream) -> (tokens, target)`. By Adam with a one-cycle rate on cross-entropy; modules are called by
    `torch.func.vmap`. Raises `InputError`.
    """
    R, least = len(models), {"models": 1, "batch": 1, "tests": 1, "looks": 1, "steps": 12}
    for (name, low), value in zip(least.items(), (R, batch, tests, looks, steps), strict=True):
        check_integer(name, value, low, None, "give more")
    check_real("learning_rate", learning_rate, 0, np.inf, "3e-3 is usual", closed="()")
    ensemble, (known, unseen) = Ensemble(models), task.split()
    like = ensemble.parameters()[0]
    adam = torch.optim.Adam(ensemble.parameters(), lr=learning_rate, betas=(0.9, 0.99))
    cycle = torch.optim.lr_scheduler.OneCycleLR(adam, learning_rate, total_steps=steps, pct_start=0.1)

    def draw(part: Any, count: int, stream: str) -> tuple[Tensor, Tensor]:
        x, y = (torch.as_tensor(one).to(like.device) for one in part.sample(count, stream))
        return x.to(like) if x.is_floating_point() else x, y

    (asked, answer), rows = draw(unseen, tests, f"{seed} tests"), []
    at = set(np.linspace(0, steps, looks + 1).astype(int)[1:].tolist())

    def look(step: int, losses: Tensor) -> None:
        if step in at:
            with torch.no_grad():
                right = ensemble(asked, shared=True).argmax(-1) == answer
            accuracy = right.double().mean(1).cpu().numpy()
            rows.append(pl.DataFrame({"step": step, "network": np.arange(R), "accuracy": accuracy}))
            on_look(step)

    drawn = (draw(known, R * batch, f"{seed} {step}") for step in range(1, steps + 1))
    batches = ([part.reshape(R, batch, *part.shape[1:]) for part in both] for both in drawn)
    ensemble.fit(batches, lambda model, x, y: cross_entropy(model(x), y), adam, schedule=cycle, on_step=look)
    ensemble.members()
    return pl.concat(rows)

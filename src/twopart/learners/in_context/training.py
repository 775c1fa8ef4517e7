"""The training of in-context modules: squared loss against the labels, on fresh prompts at every step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from twopart._checks import check, check_integer, check_real
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

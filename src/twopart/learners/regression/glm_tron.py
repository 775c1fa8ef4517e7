"""GLM-tron: regression through a link whose slope is left out of the step, w ← w - (γ/b) Σ (link(<x, w>) - y) x.

    w = glm_tron(x, y, link="relu")                     # one pass over (n, d) and (n,), shape (1, d)
    w = glm_tron(x, y, gate=True, replicates=2000)      # SGD on half the squared loss: the slope is in; 2,000 orders at once
    net = straighten(net)                               # your torch module, trained so through its last activation

A ReLU output with a true gradient has no slope where it is shut, and cannot be taught there; without the slope it can.
Source: Kakade, Kalai, Kanade, Shamir 2011, arXiv 1104.2018; rates of Wu et al. 2023, arXiv 2303.02255.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from twopart._checks import check, check_choice, check_integer
from twopart._random import seed_sequence
from twopart.laws.regression.schedule import scheduled
from twopart.learners.regression.runs import first_weights, like, samples

Link = str | Callable[[Tensor], Tensor]
LINKS: dict[str, Callable[[Tensor], Tensor]] = {"relu": torch.relu, "identity": torch.clone, "sigmoid": torch.sigmoid}
ORDERS = ("reshuffle", "replacement")


def glm_tron(
    x: Any,
    y: Any,
    *,
    link: Link = "relu",
    schedule: ArrayLike | None = None,
    steps: int | None = None,
    start: Any = None,
    batch: int = 1,
    order: str = "reshuffle",
    gate: bool = False,
    replicates: int = 1,
    seed: int = 0,
    on_step: Callable[[int, Any], None] | None = None,
) -> Any:
    """The weights after `steps` steps (None: one pass) from `start`, shape (R, d); the runs differ in the order of the samples.

    `x` (n, d) and `y` (n,) are NumPy arrays or torch tensors, float32 or float64, and decide the kind and place of the result.
    `link` is relu, identity, sigmoid or a function of tensors that works element by element; `gate` puts its slope in, which is
    SGD on half the squared loss. `schedule`: the rate of each step, or one number, from which it is halved every
    steps / log2(steps) steps; None begins at 1 over the mean of ‖x‖². `start` (d,) or (R, d), 0 without it: there a ReLU's gate
    is shut. `order`: reshuffle reads every sample once an epoch, replacement draws each afresh. `on_step(t, weights)` is called
    before the first step (t = 0) and after each; it must copy what it keeps. A rate too large makes weights grow without bound;
    nothing is raised. Raises `InputError` for wrong shapes, ranges and nan.
    """
    device = x.device if isinstance(x, Tensor) else "cpu"
    data, answers = (torch.tensor(part, device=device) for part in samples(x, y))
    n, R = len(data), check_integer("replicates", replicates, 1, None, "it is the number of runs")
    check_choice("order", order, ORDERS)
    check_integer("batch", batch, 1, n if order == "reshuffle" else None, "a batch holds no sample twice in an epoch")
    count = math.ceil(n / batch) if steps is None else check_integer("steps", steps, 0, None, "0 gives the start")
    w = torch.from_numpy(first_weights(start, R, data.shape[1])).to(data)
    first = 1 / max(float(data.square().sum(1).mean()), 1e-30) if schedule is None else schedule
    rates = scheduled("schedule", first, count)
    tell = on_step or (lambda step, weights: None)
    tell(0, like(w, x))
    draws = _batches(n, batch, order, R, seed, data.device)
    for step, (rate, rows) in enumerate(zip(rates.tolist(), draws, strict=False), 1):
        glm_tron_step(w, data[rows], answers[rows], rate, link=link, gate=gate)
        tell(step, like(w, x))
    return like(w, x)


@torch.no_grad()
def glm_tron_step(w: Tensor, x: Tensor, y: Tensor, rate: float, *, link: Link = "relu", gate: bool = False) -> None:
    """One step of R runs in place: weights (R, d), batches x (R, b, d) and y (R, b); only shapes and `link` are checked."""
    fits = x.ndim == 3 and x.shape[::2] == w.shape and y.shape == x.shape[:2]
    check(fits, "x", tuple(x.shape), f"of shape (R, b, d) to weights {tuple(w.shape)}", "give each run a batch")
    f = _link(link)
    z = (x * w[:, None]).sum(-1)
    push = f(z) - y
    if gate:
        push *= z > 0 if link == "relu" else torch.func.grad(lambda z: f(z).sum())(z)
    if x.shape[1] == 1:
        w.addcmul_(push, x[:, 0], value=-rate)
    else:
        w.sub_((push[:, None] @ x)[:, 0], alpha=rate / x.shape[1])


def straight_link(z: Tensor, link: Link = "relu") -> Tensor:
    """link(z), whose gradient is passed on as if the link were the identity: half the squared error then steps as GLM-tron."""
    out = _link(link)(z.detach().clone()).detach()  # an activation may work in place
    said = f"a function that keeps the shape {tuple(z.shape)}"
    check(out.shape == z.shape, "link", tuple(out.shape), said, "name another")
    return out + (z - z.detach()).nan_to_num()  # adds 0 of slope 1; where z is infinite, 0


class StraightLink(nn.Module):
    """`straight_link` as a layer: for the end of a `nn.Sequential`."""

    def __init__(self, link: Link = "relu") -> None:
        super().__init__()
        self.link = _link(link)

    def forward(self, z: Tensor) -> Tensor:
        return straight_link(z, self.link)


def straighten(module: nn.Module, layer: str | None = None) -> nn.Module:
    """The module, changed in place: the activation that ends it passes gradients straight through. Its answers stay the same.

    `layer` names the activation, as in `module.named_modules()`; None takes the last, which must be one of `torch.nn`'s. Saved
    weights keep their names. Raises `InputError` if there is no such layer, or if it has parameters: they would not be trained.
    """
    leaves = {name: part for name, part in module.named_modules() if name and not list(part.children())}
    names = ", ".join(leaves) or "none, as it has no layers"
    if layer is None:
        layer = next(reversed(leaves), "")
        ends = type(leaves.get(layer)).__module__ == "torch.nn.modules.activation"
        check(ends, "module", type(module).__name__, "one whose last layer is an activation", f"name one: {names}")
    check(layer in leaves, "layer", layer, f"one of the module's: {names}", "see module.named_modules()")
    own = sum(p.numel() for p in leaves[layer].parameters())
    check(own == 0, "layer", layer, f"without parameters (it has {own})", "they would get no gradient")
    parent, _, child = layer.rpartition(".")
    setattr(module.get_submodule(parent), child, StraightLink(leaves[layer]))
    return module


def _link(link: Link) -> Callable[[Tensor], Tensor]:
    return link if callable(link) else LINKS[check_choice("link", link, tuple(LINKS), "or give a function of tensors")]


def _batches(n: int, batch: int, order: str, R: int, seed: int, device: Any) -> Iterator[Tensor]:
    """Rows of the samples, shape (R, b), for ever; of an epoch the last batch may be smaller."""
    random = torch.Generator().manual_seed(int(seed_sequence(seed, "glm-tron").generate_state(1, np.uint64)[0] >> 1))
    while True:
        if order == "replacement":
            yield torch.randint(n, (R, batch), generator=random).to(device)
        else:
            yield from torch.split(torch.rand((R, n), generator=random).argsort(1).to(device), batch, 1)

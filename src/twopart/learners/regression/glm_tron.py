"""GLM-tron: regression through a link whose slope is left out of the step, w ← w - (γ/b) Σ (link(<x, w>) - y) x.

    w = glm_tron(x, y, link="relu")                     # one pass over (n, d) and (n,), shape (1, d)
    w = glm_tron(x, y, gate=True, replicates=2000)      # SGD on half the squared loss: the slope is in; 2,000 orders at once
    net[-1] = StraightLink(net[-1])                     # your torch module, trained so through its last activation

A ReLU output with a true gradient has no slope where it is shut, and cannot be taught there; without the slope it can.
Source: Kakade, Kalai, Kanade, Shamir 2011, arXiv 1104.2018; rates of Wu et al. 2023, arXiv 2303.02255.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from twopart._checks import check, check_choice
from twopart.learners.regression.walk import check_batches, walk

Link = str | Callable[[Tensor], Tensor]
LINKS: dict[str, Callable[[Tensor], Tensor]] = {"relu": torch.relu, "identity": torch.clone, "sigmoid": torch.sigmoid}


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
) -> Any:
    """The weights after `steps` steps (None: one pass) from `start`, shape (R, d); the runs differ in the order of the samples.

    `x` (n, d) and `y` (n,) are NumPy arrays or torch tensors, float32 or float64, and decide the kind and place of the result.
    `link` is relu, identity, sigmoid or a function of tensors that works element by element; `gate` puts its slope in, which is
    SGD on half the squared loss. `schedule`: the rate of each step, or one number, from which it is halved every
    steps / log2(steps) steps; None begins at 1 over the mean of ‖x‖². `start` (d,) or (R, d), 0 without it: there a ReLU's gate
    is shut. `order`: reshuffle reads every sample once an epoch, replacement draws each afresh. A rate too large makes weights
    grow without bound; nothing is raised. Raises `InputError` for wrong shapes, ranges and nan.
    """

    def step(w: Tensor, x: Tensor, y: Tensor, rate: float, _: torch.Generator) -> None:
        glm_tron_step(w, x, y, rate, link=link, gate=gate)

    given: dict[str, Any] = {"schedule": schedule, "steps": steps, "start": start, "batch": batch, "order": order}
    return walk(x, y, step, "glm-tron", **given, replicates=replicates, seed=seed)


@torch.no_grad()
def glm_tron_step(w: Tensor, x: Tensor, y: Tensor, rate: float, *, link: Link = "relu", gate: bool = False) -> None:
    """One step of R runs in place: weights (R, d), batches x (R, b, d) and y (R, b); only shapes and `link` are checked."""
    check_batches(w, x, y)
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
    check(out.shape == z.shape, "link", tuple(out.shape), f"one that keeps the shape {tuple(z.shape)}", "name another")
    return out + (z - z.detach()).nan_to_num()  # adds 0 of slope 1; where z is infinite, 0


class StraightLink(nn.Module):
    """`straight_link` as a layer, in the place of a last activation, whose own parameters, if it has some, are not trained."""

    def __init__(self, link: Link = "relu") -> None:
        super().__init__()
        self.link = _link(link)

    def forward(self, z: Tensor) -> Tensor:
        return straight_link(z, self.link)


def _link(link: Link) -> Callable[[Tensor], Tensor]:
    return link if callable(link) else LINKS[check_choice("link", link, tuple(LINKS), "or give a function of tensors")]

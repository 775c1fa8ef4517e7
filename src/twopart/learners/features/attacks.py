"""How far a classifier's input must move before it errs: attacks bound that radius from above, a certificate from below.

A classifier of two classes is seen through its margin, a function of points (B, n, D) -> (B, n) that is positive where
the class is right. FGSM is Goodfellow, Shlens, Szegedy 2015 (arXiv 1412.6572), PGD Madry et al. 2018 (arXiv 1706.06083);
both for the Euclidean norm and the largest coordinate, checked against the Adversarial Robustness Toolbox.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Literal

import torch
from torch import Tensor

from twopart._checks import check, check_choice, check_integer
from twopart.learners.features.two_layer import TwoLayer, outputs

Margin = Callable[[Tensor], Tensor]
Attack = Callable[[Margin, Tensor, Tensor], Tensor]
"""(margin, points (B, n, D), radius (B, n)) -> perturbed points no farther than the radius."""
Norm = Literal["l2", "linf"]
NORMS = ("l2", "linf")
TINY = 1e-30
ROUNDS = 10  # of bisection


@dataclass(frozen=True, eq=False)
class Merge:
    """Two classes out of C outputs: each output belongs to one of them."""

    positive: Tensor
    """Which outputs belong to the positive class, booleans of shape (C,) or (B, 1, C)."""
    by: Literal["max", "sum"] = "max"
    """A class's score: its largest output, or the sum of its outputs."""

    def __post_init__(self) -> None:
        check_choice("by", self.by, ("max", "sum"))
        both = bool((self.positive.any(-1) & (~self.positive).any(-1)).all())
        check(both, "positive", self.positive.tolist(), "True for some outputs and not for others", "name both classes")

    def margin(self, scores: Tensor, label: Tensor) -> Tensor:
        """Score of the right class less that of the wrong one: outputs (..., n, C), labels (..., n) in {0, 1}."""
        return (self._score(scores, self.positive) - self._score(scores, ~self.positive)) * (2 * label - 1)

    def _score(self, scores: Tensor, members: Tensor) -> Tensor:
        if self.by == "sum":
            return (scores * members).sum(-1)
        return scores.masked_fill(~members, float("-inf")).amax(-1)

    def of(self, network: TwoLayer, label: Tensor, leak: float = 0.0) -> Margin:
        """The margin of a network's points."""
        return lambda x: self.margin(network.outputs(x, leak), label)


def fast_gradient(margin: Margin, x: Tensor, radius: Tensor, norm: Norm = "l2") -> Tensor:
    """FGSM: one step of the whole radius down the margin's gradient."""
    return x - radius[..., None] * _steepest(gradient(margin, x), norm)


def projected_gradient(margin: Margin, x: Tensor, radius: Tensor, steps: int = 20, norm: Norm = "l2") -> Tensor:
    """PGD: `steps` steps of 2.5 radius / steps, each followed by projection onto the ball; it starts at x."""
    check_integer("steps", steps, 1, None, "20 is customary")
    size = (2.5 / steps * radius)[..., None]
    moved = x
    for _ in range(steps):
        moved = x + _project(moved - size * _steepest(gradient(margin, moved), norm) - x, radius[..., None], norm)
    return moved


def through_a_leak(attack: Attack, leaky: Margin) -> Attack:
    """The attack on a stand-in whose ReLUs leak, carried over to the network itself.

    A ReLU that is off has no gradient, so that attacks do not see that it could be switched on (Athalye, Carlini, Wagner 2018).
    """
    return lambda margin, x, radius: attack(leaky, x, radius)


def smallest_radius(attack: Attack, margin: Margin, x: Tensor, upper: float, rounds: int = ROUNDS) -> Tensor:
    """The least radius at which the attack succeeds, by bisection between 0 and `upper`, shape (B, n).

    0 where the point is wrong to begin with, infinite where even `upper` does not suffice. The answer is `upper` / 2^rounds too
    large at most, for an attack that succeeds at every radius beyond the least.
    """

    def succeeds(radius: Tensor) -> Tensor:
        return margin(attack(margin, x, radius)) <= 0

    high = torch.full(x.shape[:2], upper, dtype=x.dtype, device=x.device)
    low, broken = torch.zeros_like(high), succeeds(high)
    for _ in range(rounds):
        middle = (low + high) / 2
        success = succeeds(middle)
        low, high = torch.where(success, low, middle), torch.where(success, middle, high)
    high = torch.where(broken, high, torch.inf)
    return torch.where(margin(x) <= 0, 0.0, high)


def radius_along(
    network: TwoLayer, merge: Merge, x: Tensor, label: Tensor, direction: Tensor, upper: float, grid: int = 64
) -> Tensor:
    """Where the margin first vanishes on the ray from x along `direction` (B, n or 1, D); (B, n), infinite beyond `upper`.

    What neurons get is linear on a ray, so no point of it is computed in D dimensions. A grid brackets the crossing, then
    bisection.
    """
    start = network.preactivations(x)
    unit = direction / direction.norm(dim=-1, keepdim=True)
    rate = network.preactivations(unit) - network.biases[:, None]

    def margin(t: Tensor) -> Tensor:
        return merge.margin(outputs(start + t[..., None, None] * rate), label)

    step = upper / grid
    first = torch.full(x.shape[:2], torch.inf, dtype=x.dtype, device=x.device)
    for i in range(grid + 1):
        wrong = margin(torch.full_like(first, i * step)) <= 0
        first = torch.where(wrong & first.isinf(), i * step, first)
    low, high = (first - step).nan_to_num(0, posinf=0).clamp(min=0), first.nan_to_num(posinf=upper)
    for _ in range(24):
        middle = (low + high) / 2
        wrong = margin(middle) <= 0
        low, high = torch.where(wrong, low, middle), torch.where(wrong, middle, high)
    return torch.where(first.isinf() | (first == 0), first, high)


def certified_radius(network: TwoLayer, merge: Merge, x: Tensor, label: Tensor) -> Tensor:
    """A radius within which no perturbation whatever makes the point wrong, shape (B, n); merging by max only.

    Output i exceeds j as far as (F_i(x) - F_j(x))/L_ij, and L_ij², the square of the steepest slope of F_i - F_j under any
    pattern of active neurons, is at most the sum of the positive parts of what pairs of neurons contribute to it.
    """
    check(merge.by == "max", "by", merge.by, "'max'", "a sum has no certificate here")
    scores = network.outputs(x)
    room = (scores[..., :, None] - scores[..., None, :]) / _steepness(network)[:, None]
    own = merge.positive == label[..., None].bool()
    against_all = room.masked_fill(own[..., None, :], torch.inf).amin(-1)
    return against_all.masked_fill(~own, -torch.inf).amax(-1).clamp(min=0)


def radii_by_attack(
    network: TwoLayer,
    merge: Merge,
    x: Tensor,
    label: Tensor,
    upper: float,
    leak: float = 0.1,
    on_progress: Callable[[float], None] = lambda share: None,
) -> dict[str, Tensor]:
    """How far each point is from an error by each way to see it, shapes (B, n); infinite beyond `upper`; merging by max only.

    FGSM: along the gradient; PGD: the better of the network itself and a copy whose ReLUs leak; certified: nothing does with
    less. `on_progress` is told the share that is done after each run of PGD.
    """
    margin, runs = merge.of(network, label), count(1)

    def pgd(margin: Margin, x: Tensor, radius: Tensor) -> Tensor:
        moved = projected_gradient(margin, x, radius)
        on_progress(next(runs) / (2 * (ROUNDS + 1)))
        return moved

    tries = pgd, through_a_leak(pgd, merge.of(network, label, leak))
    return {
        "FGSM": radius_along(network, merge, x, label, -gradient(margin, x), upper),
        "PGD": torch.minimum(*(smallest_radius(attack, margin, x, upper) for attack in tries)),
        "certified": certified_radius(network, merge, x, label),
    }


def _steepness(network: TwoLayer) -> Tensor:
    """L, shape (B, C, C)."""
    B, C, m, D = network.weights.shape
    flat = network.weights.view(B, C * m, D)
    products = (flat @ flat.mT).view(B, C, m, C, m) / m**2
    within = torch.einsum("bcmcn->bc", products.clamp(min=0))
    against = (-products).clamp(min=0).sum((2, 4))
    return (within[:, :, None] + within[:, None, :] + 2 * against).sqrt()


def gradient(margin: Margin, x: Tensor) -> Tensor:
    """Of the margin, at each point, shape (B, n, D)."""
    x = x.detach().requires_grad_()
    return torch.autograd.grad(margin(x).sum(), x)[0]


def _steepest(gradient: Tensor, norm: Norm) -> Tensor:
    """The direction of length one in which the margin rises most."""
    check_choice("norm", norm, NORMS)
    return gradient.sign() if norm == "linf" else gradient / _length(gradient)


def _project(offset: Tensor, radius: Tensor, norm: Norm) -> Tensor:
    """The nearest offset inside the ball."""
    if norm == "linf":
        return torch.minimum(torch.maximum(offset, -radius), radius)
    return offset * (radius / _length(offset)).clamp(max=1)


def _length(x: Tensor) -> Tensor:
    length: Tensor = x.norm(dim=-1, keepdim=True)
    return length.clamp(min=TINY)

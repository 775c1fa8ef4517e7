"""Mixup of any torch batch: features and labels each with a weight of their own, partners of a choice, an early stop.

    x, y = mixup(images, labels, 0.4, classes=10)                     # as torchvision.transforms.v2.MixUp does
    soft_cross_entropy(model(x), y).backward()

    mix = Mixup(Beta(0.4), label_weight=0.8, pairs="different-class", stop=0.2)
    for step in range(steps):
        mix.loss(model, images, one_hot, progress=step / steps).backward()      # from a fifth of training on as it is
    unmixed_accuracy(model, images, one_hot)                          # accuracy on mixed points says nothing

One weight a batch. A pair's labels go with its features: both are mixed by the same pairs, which `batch` tells, and nothing
is written in place. Rare features are learned where they are mixed with common ones at the same place (docs/laws/mixup.md):
`feature_account` says what a model makes of each, and `stop_when` when that has stopped to rise, from where on Mixup only holds
common features back. Source: Zhang, Cisse, Dauphin, Lopez-Paz 2018, arXiv 1710.09412; separate weights and the early stop: Zou,
Cao, Li, Gu 2023, arXiv 2303.08433.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.special import betaincinv
from torch import Tensor, nn

from twopart._arrays import finite, finite_tensor
from twopart._checks import check, check_choice, check_integer, check_real

PAIRS = ("permutation", "roll", "all", "different-class", "common-rare")
ONE_HOT = "torch.nn.functional.one_hot(y, classes).to(x.dtype) makes them of class numbers"


@dataclass(frozen=True)
class Beta:
    """A weight drawn from Beta(alpha, alpha), alpha > 0: near 0 points are hardly mixed, a large one mixes halves."""

    alpha: float = 1.0

    def __post_init__(self) -> None:
        check_real("alpha", self.alpha, 0, math.inf, "1 draws all weights alike", closed="()")

    def quantile(self, u: float) -> float:
        """The weight below which a share u of all lie, u in [0, 1]."""
        return float(betaincinv(self.alpha, self.alpha, check_real("u", u, 0, 1, "it is a share")))


class Mixed(NamedTuple):
    """A mixed batch of m points."""

    x: Tensor
    """lam x_i + (1 - lam) x_j, shape (m, ...)."""
    y: Tensor
    """mu y_i + (1 - mu) y_j, shape (m,) or (m, C)."""
    pairs: Tensor
    """i and j of each, shape (m, 2)."""
    weights: tuple[float, float]
    """lam and mu."""


@dataclass(frozen=True)
class Mixup:
    """How batches are mixed, and until when."""

    weight: float | Beta = Beta()
    """lam, of the first point of a pair, in [0, 1], or how it is drawn for each batch."""
    label_weight: float | Beta | None = None
    """mu, the share in the label of the point that weighs more, in [1/2, 1]; a `Beta` draws it at lam's quantile, so that more
    of a point means more of its label. None: the same as lam."""
    pairs: str = "permutation"
    """Partners: a random "permutation" (of which a point may be its own); "roll", the point before; "all" n² pairs, exact;
    "different-class", any of another class; "common-rare", one of another group, all others being equally likely."""
    stop: float = 1.0
    """The share of training after which points are left as they are."""

    def __post_init__(self) -> None:
        for name, low in (("weight", 0.0), ("label_weight", 0.5)):
            value = getattr(self, name)
            if not (isinstance(value, Beta) or (value is None and low)):
                check_real(name, value, low, 1, "or draw it, as in Beta(1.0)")
        check_choice("pairs", self.pairs, PAIRS)
        check_real("stop", self.stop, 0, 1, "it is a share of training")

    def batch(
        self,
        x: Tensor,
        y: Tensor,
        generator: torch.Generator | None = None,
        *,
        groups: Any = None,
        progress: float = 0.0,
    ) -> Mixed:
        """Mix points x (n, ...) and their labels y, floats (n, C) such as one-hot ones, or (n,) such as -1 and 1.

        `groups` (n,), numbers or names, says for "common-rare" who is rare; `progress` in [0, 1] is how much of training is
        over. Raises `InputError` for shapes that do not fit, numbers that are not finite, class numbers, and a point without a
        partner.
        """
        finite_tensor("x", x, (None,) * max(1, getattr(x, "ndim", 1)), "give points (n, ...)")
        _labels(y, len(x))
        if check_real("progress", progress, 0, 1, "it is a share of training") >= self.stop < 1:
            return Mixed(x, y, torch.arange(len(x), device=x.device)[:, None].repeat(1, 2), (1.0, 1.0))
        index = self._index(y, groups, generator).to(x.device)
        lam, mu = self._weights(generator)
        i, j = index[:, 0], index[:, 1]
        (first, own), all_pairs = (x, y), len(index) > len(x)
        if all_pairs:
            first, own = x.index_select(0, i), y.index_select(0, i)
        others = x.roll(1, 0) if self.pairs == "roll" else x.index_select(0, j)  # copies, which are written into
        return Mixed(others.lerp_(first, lam), y.index_select(0, j).lerp_(own, mu), index, (lam, mu))

    def loss(
        self, model: Callable[[Tensor], Tensor], x: Tensor, y: Tensor, loss: Callable[[Tensor, Tensor], Tensor] | None = None,
        generator: torch.Generator | None = None, *, groups: Any = None, progress: float = 0.0,
    ) -> Tensor:  # fmt: skip
        """`loss(model(mixed x), mixed y)`, by default `soft_cross_entropy`, mixed or not: labels are soft always."""
        mixed = self.batch(x, y, generator, groups=groups, progress=progress)
        return (loss or soft_cross_entropy)(model(mixed.x), mixed.y)

    def _weights(self, generator: torch.Generator | None) -> tuple[float, float]:
        """One uniform number for both, so that they rise together; mu is on lam's side of 1/2."""
        drawn = isinstance(self.weight, Beta) or isinstance(self.label_weight, Beta)
        u = float(_random(torch.rand, 1, generator, dtype=torch.float64)) if drawn else 0.5
        lam, mu = (w.quantile(u) if isinstance(w, Beta) else w for w in (self.weight, self.label_weight))
        assert lam is not None
        if mu is None:
            return lam, lam
        return lam, max(mu, 1 - mu) if lam >= 0.5 else min(mu, 1 - mu)

    def _index(self, y: Tensor, groups: Any, generator: torch.Generator | None) -> Tensor:
        each, by_group = torch.arange(len(y)), self.pairs == "common-rare"
        given = (groups is not None) == by_group
        check(given, "groups", groups, "given for pairs='common-rare', and for no others", "it says who is rare")
        if self.pairs == "all":
            return torch.cartesian_prod(each, each)
        if self.pairs == "roll":
            return torch.stack([each, each.roll(1)], 1)
        if self.pairs == "permutation":
            return torch.stack([each, _random(torch.randperm, len(y), generator)], 1)
        of = groups if by_group else (y.argmax(1) if y.ndim == 2 else y > 0)
        names = np.asarray(of.detach().cpu() if isinstance(of, Tensor) else of)
        kind, each_one = names.dtype.kind, names.shape == (len(y),)
        fits = each_one and kind in "biufUS" and (kind != "f" or bool(np.isfinite(names).all()))
        check(fits, "groups", names, f"({len(y)},) finite numbers, or names", "give one a point")
        which, count = (torch.from_numpy(a) for a in np.unique(names, return_inverse=True, return_counts=True)[1:])
        several = f"of two {'groups' if by_group else 'classes'} or more"
        check(
            len(count) > 1, "groups" if by_group else "y", f"{len(count)} alike", several, "shuffle, or mix any pairs"
        )
        share = (which[:, None] != which) / (count[which] if by_group else torch.ones(1)).double()
        device = generator.device if generator is not None else "cpu"
        return torch.stack([each, torch.multinomial(share.to(device), 1, generator=generator)[:, 0].cpu()], 1)


def mixup(
    x: Tensor, y: Tensor, alpha: float = 1.0, *, beta_labels: float | None = None, classes: int | None = None,
    pairs: str = "roll", generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """A mixed batch x (n, ...) with its labels: class numbers (n,) of `classes` in all, which become (n, C), or floats.

    The weight is from Beta(alpha, alpha), one a batch, and each point is mixed with the one before it: equal in distribution to
    torchvision.transforms.v2.MixUp(alpha=alpha, num_classes=classes), for batches that are shuffled. `beta_labels` gives labels
    a weight from Beta(beta_labels, beta_labels), at the same quantile: near 0 they are those of the point that weighs more,
    large they are halves. Raises `InputError` as `Mixup.batch`, and for class numbers without `classes` or outside them.
    """
    if isinstance(y, Tensor) and not y.is_floating_point():
        several = check_integer("classes", classes, 2, None, "a batch may lack some: say how many there are")
        number = y.ndim == 1 and not y.is_complex() and bool(((y >= 0) & (y < several)).all())
        check(
            number, "y", y.flatten()[:5].tolist(), f"class numbers (n,) in [0, {several})", "or give soft labels (n, C)"
        )
        floats = isinstance(x, Tensor) and x.is_floating_point()
        y = nn.functional.one_hot(y.long(), several).to(x.dtype if floats else torch.float32)
    if beta_labels is not None:
        check_real("beta_labels", beta_labels, 0, math.inf, "None gives labels the weight of features", closed="()")
    mixed = Mixup(Beta(alpha), None if beta_labels is None else Beta(beta_labels), pairs).batch(x, y, generator)
    return mixed.x, mixed.y


def soft_cross_entropy(outputs: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
    """-Σ_c y_c log softmax(f)_c of logits f (n, C) and soft labels y (n, C), meaned; reduction="none" gives (n,)."""
    finite_tensor("outputs", outputs, (None, None), "give logits (n, C)")
    finite_tensor("labels", labels, tuple(outputs.shape), ONE_HOT)
    check_choice("reduction", reduction, ("mean", "sum", "none"))
    return nn.functional.cross_entropy(outputs, labels.to(outputs.dtype), reduction=reduction)


def unmixed_accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Share of points, not mixed, whose largest of logits (n, C) is that of labels (n, C); the model is left as it was."""
    points = isinstance(x, Tensor) and x.ndim > 0 and len(x) > 0
    check(
        points, "x", f"{type(x).__name__} {getattr(x, 'shape', '')}", "a tensor of points (n, ...)", "give one or more"
    )
    _labels(y, len(x))
    outputs = _asked(model, x)
    check(outputs.shape == y.shape and y.ndim == 2, "y", tuple(y.shape), f"as outputs {tuple(outputs.shape)}", ONE_HOT)
    return float((outputs.argmax(1) == y.argmax(1)).double().mean())


def feature_account(model: nn.Module, directions: Tensor, points: Tensor | None = None) -> Tensor:
    """What a model makes of each feature: how much its outputs (C,) change when it is added to a point, shape (K, C).

    `directions` (K, ...) are features in the shape of a point, such as a stroke in an image; the mean is over `points`
    (n, ...), by default the point 0 alone. Outputs may be (n,), then C = 1.
    """
    finite_tensor("directions", directions, (None,) * max(1, getattr(directions, "ndim", 1)), "give features (K, ...)")
    points = torch.zeros_like(directions[:1]) if points is None else points
    finite_tensor("points", points, (None, *directions.shape[1:]), "points are of the shape of a direction")
    asked = torch.cat([points, *(points + one for one in directions)])
    changed = _asked(model, asked).reshape(1 + len(directions), len(points), -1)
    return (changed[1:] - changed[0]).mean(1)


def stop_when(history: ArrayLike, patience: int = 1) -> int:
    """The first of looks (T,) at what is made of rare features that none of the next `patience` exceeds; T - 1 if all rise."""
    account = finite("history", history, (None,), "give a number for each look at the rare features' account")
    check_integer("patience", patience, 1, None, "it is how many looks may pass without a rise")
    later = (account[t + 1 : t + 1 + patience].max(initial=-math.inf) for t in range(len(account)))
    return next(t for t, most in enumerate(later) if most <= account[t])


def _asked(model: nn.Module, x: Tensor) -> Tensor:
    """Outputs in evaluation mode, without a graph; every part's mode stays."""
    modes = {part: part.training for part in model.modules()} if isinstance(model, nn.Module) else {}
    try:
        for part in modes:
            part.training = False
        with torch.no_grad():
            found: Tensor = model(x)
        fits = isinstance(found, Tensor) and found.ndim in (1, 2) and len(found) == len(x)
        given = f"{type(found).__name__} {tuple(getattr(found, 'shape', ()))}"
        check(fits, "model", given, f"of outputs ({len(x)}, C) or ({len(x)},)", "wrap it in one that answers so")
        check(bool(found.isfinite().all()), "model", "outputs that are nan or infinite", "finite", "see its weights")
        return found
    finally:
        for part, mode in modes.items():
            part.training = mode


def _labels(y: Tensor, n: int) -> None:
    check(isinstance(y, Tensor) and y.is_floating_point(), "y", getattr(y, "dtype", type(y)), "floats", ONE_HOT)
    check(y.ndim in (1, 2), "y", tuple(y.shape), f"of shape ({n}, C) or ({n},)", ONE_HOT)
    finite_tensor("y", y, (n, None)[: y.ndim], "one label for each point")


def _random(draw: Callable[..., Tensor], size: int, generator: torch.Generator | None, **kind: Any) -> Tensor:
    """On the generator's device, brought to the CPU."""
    return draw(size, generator=generator, device=generator.device if generator is not None else None, **kind).cpu()

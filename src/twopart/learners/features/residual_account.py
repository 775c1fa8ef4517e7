"""Which points are fed by oscillation, and which have settled: the account of residuals of any training loop.

    watch = oscillation(model)                       # any torch module
    for x, y, group in batches:
        outputs = model(x)
        watch(outputs, y, group)                     # keeps one number a group
        ...                                          # your loss, backward and optimiser, as they are
    watch.accounts()["strong"].drift                 # mean residual, late in training, with its interval
    watch.sharpness(lambda: loss(model(x), y))       # rate x sharpness = 2 is the edge of stability

A residual is how far a point's output is short of its target: where training settles its sum over time converges, and where it
oscillates the sum goes on growing, and with it every weak feature of these points (docs/laws/benign-oscillation.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import t as student
from torch import Tensor, nn

from twopart._checks import check, check_choice, check_integer, check_real

LOSSES = ("square", "logistic", "cross-entropy")
BLOCKS = 10


@dataclass(frozen=True, eq=False)
class Account:
    """The residuals of a group of points."""

    residuals: NDArray[np.float64]
    """Their mean over the group's points, each time that some were seen, shape (T,)."""

    @property
    def total(self) -> float:
        """Their sum over time: bounded where training settles, proportional to time where it oscillates."""
        return float(self.residuals.sum())

    @property
    def drift(self) -> float:
        """Their mean over the later half: by how much the sum grows each time."""
        return float(self._late.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the drift, from means over 10 successive blocks (Student's t); infinite for less than 40 times."""
        if len(self._late) < 2 * BLOCKS:
            return -math.inf, math.inf
        size = len(self._late) // BLOCKS
        means = self._late[-BLOCKS * size :].reshape(BLOCKS, size).mean(1)
        reach = float(student.ppf(0.975, BLOCKS - 1)) * float(means.std(ddof=1)) / math.sqrt(BLOCKS)
        return float(means.mean()) - reach, float(means.mean()) + reach

    @property
    def turns(self) -> float:
        """How often, of all successive times of the later half, the residual changes its sign: 1 in a cycle of two."""
        signs = np.sign(self._late)
        return float((signs[1:] * signs[:-1] < 0).mean()) if len(signs) > 1 else 0.0

    @property
    def _late(self) -> NDArray[np.float64]:
        return self.residuals[len(self.residuals) // 2 :]


@dataclass(eq=False)
class Oscillation:
    """A watch over a module's training; `oscillation` makes it."""

    module: nn.Module
    loss: str
    _seen: dict[Any, list[float]] = field(default_factory=dict)

    def __call__(self, outputs: Any, targets: Any, groups: Any = None) -> None:
        """Note the residuals of a batch: outputs (n,) or (n, 1), for cross-entropy (n, C), with targets (n,).

        `groups` (n,) says of each point which account it goes to, numbers or words; without it all go to "all".
        """
        found = residuals(self.loss, outputs, targets).numpy(force=True)
        names = np.full(len(found), "all") if groups is None else _array(groups)
        check(names.shape == found.shape, "groups", names.shape, f"({len(found)},), one a point", "see its shape")
        for name in np.unique(names):
            self._seen.setdefault(name.item(), []).append(float(found[names == name].mean()))

    def accounts(self) -> dict[Any, Account]:
        """An account for each group that was seen."""
        return {name: Account(np.array(values)) for name, values in self._seen.items()}

    def sharpness(
        self, loss: Callable[[], Tensor], *, iterations: int = 200, tolerance: float = 1e-4, seed: int = 0
    ) -> float:
        """The eigenvalue of greatest size of the Hessian of `loss()` by the module's parameters, by power iteration.

        Gradient descent at a rate above 2/sharpness cannot settle. Ends when a step changes it by less than `tolerance` of
        itself. Raises `InputError` if the loss is no finite number or does not depend on the parameters.
        """
        check_integer("iterations", iterations, 1, None, "200 are mostly enough")
        check_real("tolerance", tolerance, 0, 1, "it is relative", closed="()")
        parts = [p for p in self.module.parameters() if p.requires_grad]
        with torch.enable_grad():
            value = loss()
            good = value.ndim == 0 and bool(torch.isfinite(value)) and value.requires_grad
            check(
                good, "loss", value, "a finite number that depends on the module", "return the mean loss of some points"
            )
            slopes = torch.autograd.grad(value, parts, create_graph=True, materialize_grads=True)
            flat = torch.cat([slope.flatten() for slope in slopes])
            random = torch.Generator().manual_seed(seed)
            v = torch.randn(len(flat), generator=random, dtype=torch.float64).to(flat)
            found = 0.0  # of a loss that is linear in the parameters
            for _ in range(iterations if flat.requires_grad else 0):
                unit, before = v / v.norm(), found
                turned = torch.autograd.grad(flat, parts, unit, retain_graph=True, materialize_grads=True)
                v = torch.cat([part.flatten() for part in turned])
                found = float(unit @ v)
                if abs(found - before) <= tolerance * abs(found):
                    break
        return found


def oscillation(module: nn.Module, loss: str = "square") -> Oscillation:
    """Watch the training of any torch module; see the head of this file.

    `loss` says what a residual is: "square" sign(y) (y - f), which is 1 - y f of labels -1 and 1; "logistic" the probability of
    the wrong label, targets -1 or 0 and 1; "cross-entropy" that of all wrong classes, targets whole numbers. The last two are
    never negative: they tell who is still taught, not who oscillates.
    """
    check(isinstance(module, nn.Module), "module", type(module).__name__, "a torch module", "give the model itself")
    return Oscillation(module, check_choice("loss", loss, LOSSES))


def residuals(loss: str, outputs: Any, targets: Any) -> Tensor:
    """Of each point, shape (n,); see `oscillation`. Raises `InputError` for shapes and targets that do not fit, and for nan."""
    f, y = torch.as_tensor(outputs).detach(), torch.as_tensor(targets).detach()
    check(bool(torch.isfinite(f).all()), "outputs", "nan or infinite numbers", "finite", "training has diverged")
    classes = check_choice("loss", loss, LOSSES) == "cross-entropy"
    fits = y.ndim == 1 and len(y) > 0 and (f.ndim == 2 if classes else f.shape in (y.shape, (*y.shape, 1)))
    shape = "(n, C)" if classes else "(n,) or (n, 1)"
    check(
        fits and len(f) == len(y),
        "outputs",
        tuple(f.shape),
        f"{shape} with targets (n,), got {tuple(y.shape)}",
        "see both",
    )
    y = y.to(f.device)
    if classes:
        whole = not y.is_floating_point() and bool(((y >= 0) & (y < f.shape[1])).all())
        check(whole, "targets", y[:5].tolist(), f"whole numbers in [0, {f.shape[1]})", "give class numbers")
        return 1 - f.softmax(1).gather(1, y[:, None].long())[:, 0]
    f = f.reshape(y.shape)
    if loss == "logistic":
        two = bool(((y == 1) | (y == -1)).all() | ((y == 1) | (y == 0)).all())
        check(two, "targets", y[:5].tolist(), "-1 or 1, or 0 or 1", "2 * y - 1 of booleans")
        return torch.where(y == 1, -f, f).sigmoid()
    sided = bool((torch.isfinite(y) & (y != 0)).all())
    check(sided, "targets", y[:5].tolist(), "finite and not 0", "a target of 0 has no side from which to be short")
    return y.sign() * (y - f)


def _array(groups: Any) -> NDArray[Any]:
    return np.asarray(groups.numpy(force=True) if isinstance(groups, Tensor) else groups)

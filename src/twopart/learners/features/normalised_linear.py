"""A linear model with batch normalisation, on points or on patches that share its weights, trained by gradient descent.

    model = train_normalised(x, y, steps=1000, rate=0.1)       # x (n, d) or (n, P, d), y (n,) in {-1, 1}
    model.margins(x, y)                                        # (n, P): all near 1 in the end
    model(x_test)                                              # f, shape (n,)

f(x) = γ Σ_p <w, x_p>/‖w‖_Σ, ‖w‖_Σ the root mean square of <w, x_ip> over the training patches: no centring, no epsilon.
Source: Cao, Zou, Li, Gu 2023, arXiv 2306.11680; what it comes to is docs/laws/batch-norm-bias.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import mse_loss, softplus

from twopart._arrays import finite_tensor
from twopart._checks import InputError, check, check_choice, check_integer, check_real

FORM = "points (n, d), or patches (n, P, d)"


@dataclass(frozen=True, eq=False)
class NormalisedLinear:
    """The model; float32 or float64, as its weight is."""

    weight: Tensor
    """w, shape (d,)."""
    gamma: float
    scale: float
    """‖w‖_Σ of the training points, by which others are divided, too."""

    def __call__(self, x: Tensor) -> Tensor:
        """f of points (n, d) or (n, P, d), shape (n,)."""
        return self.gamma / self.scale * (_patches(x, len(self.weight)) @ self.weight.to(x)).sum(1)

    def margins(self, x: Tensor, y: Tensor) -> Tensor:
        """y_i <w, x_ip>/‖w‖_Σ of each patch, shape (n, P), times the sign of γ: the model is the same with w and γ negated."""
        h = _patches(x, len(self.weight)) @ self.weight.to(x)
        labels = finite_tensor("y", torch.as_tensor(y).to(h), (len(h),), "one label a point")
        return math.copysign(1 / self.scale, self.gamma) * labels[:, None] * h


def train_normalised(
    x: Tensor,
    y: Tensor,
    steps: int,
    rate: float,
    rate_gamma: float | None = None,
    loss: str = "logistic",
    initial: Tensor | float = 1.0,
    gamma: float = 1.0,
    on_step: Callable[[int, NormalisedLinear], object] | None = None,
) -> NormalisedLinear:
    """Gradient descent by autograd on w and γ, from γ = `gamma`, on the mean "logistic" loss, or on (y - f)²/2, "square".

    `initial` is w itself, or ‖w‖_Σ of the mean of y x, from where w starts within the span of the data: what it had beyond
    would stay for ever. Speed is that of `rate`/‖w‖_Σ². `rate_gamma` is the rate of γ (None: `rate`; 0 fixes it).
    `on_step(step, model)` sees the model before the first step and after each, and stops by answering True. Labels of the
    logistic loss are -1 or 1, of the square loss any numbers. Raises `InputError` for shapes, ranges and numbers that do not
    fit, and for a rate at which weights overflow.
    """
    points, n = _patches(x), len(x)
    y = finite_tensor("y", torch.as_tensor(y).to(x), (n,), "one label a point")
    check_choice("loss", loss, ("logistic", "square"))
    signs = loss == "square" or bool((y.abs() == 1).all())
    check(signs, "y", y, "labels -1 or 1", "2 * y - 1 of classes 0 and 1, or loss='square'")
    steps = check_integer("steps", steps, 0, None, "0 leaves the start")
    η = check_real("rate", rate, 0, math.inf, "it is the size of a step", closed="()")
    η_γ = η if rate_gamma is None else check_real("rate_gamma", rate_gamma, 0, math.inf, "0 fixes γ", closed="[)")
    if isinstance(initial, Tensor):
        w = finite_tensor("initial", initial.detach().to(x), x.shape[-1:], "one weight for each coordinate").clone()
    else:
        w = (y[:, None, None] * points).mean((0, 1))
        w *= check_real("initial", initial, 0, math.inf, "a length", closed="()") / (points @ w).square().mean().sqrt()
    met = bool(w.isfinite().all()) and bool((points @ w).any())
    check(met, "initial", "orthogonal to all points", "of a length on the data", "give another direction")
    w.requires_grad_()
    g = x.new_tensor(check_real("gamma", gamma, -math.inf, math.inf, "1 is usual", closed="()")).requires_grad_()
    for step in range(steps + 1):
        with torch.enable_grad():
            h = points @ w
            s = h.square().mean().sqrt()
            f = g * h.sum(1) / s
            value = softplus(-y * f).mean() if loss == "logistic" else mse_loss(f, y) / 2
        model = NormalisedLinear(w.detach(), float(g.detach()), float(s.detach()))
        if (on_step is not None and on_step(step, model)) or step == steps:
            break
        dw, dg = torch.autograd.grad(value, (w, g))
        w, g = (w.detach() - η * dw).requires_grad_(), (g.detach() - η_γ * dg).requires_grad_()
    if not math.isfinite(model.gamma * model.scale):
        raise InputError(f"`rate` must be small enough to converge, got {rate}; take a smaller one")
    return model


def _patches(x: Tensor, d: int | None = None) -> Tensor:
    """Points as patches (n, P, d)."""
    finite_tensor("x", x, (*(None,) * (2 if getattr(x, "ndim", 2) > 2 else 1), d), FORM)
    return x[:, None] if x.ndim == 2 else x

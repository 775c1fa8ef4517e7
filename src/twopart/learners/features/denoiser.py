"""Denoisers with tied weights, trained without drawing a single noise: the loss is a polynomial, and its mean is exact.

    expected_denoising_loss(weights, patches, alpha, beta)      # mean over all noise, for weights (m, d) and your points (N, d)
    start = initialise_denoiser(DenoiserConfig(neurons=10), dimension=300, seeds=[0, 1])
    trained = train_denoiser(start, x, steps=4000, rate=0.01)   # x (2, n, P, 300); trained.weights (2, 10, 300)

The noise ε in α x + β ε is predicted as s f, f(x) = m^(-1/2) Σ_r act(<w_r, x>) w_r, act a power. Let A_jr be the mean of the
j-th derivative of act at <w_r, α x + β ε>, a polynomial in a_r = α <w_r, x> and q_r = ‖w_r‖², and G = W W^T. Then for a patch

    E ‖s f - ε‖²/2 = 1/2 { s²/m Σ_rk G_rk Σ_j (β² G_rk)^j/j! A_jr A_jk - 2 s β/√m Σ_r q_r A_1r + d },

by Price's theorem for the first sum and Stein's lemma for the second. Its slopes are as short: ∂A_j/∂a = A_(j+1), and
∂A_j/∂q = (β²/2) A_(j+2). Source: derived in docs/laws/diffusion-feature-learning.md; the setting, with the square, is that of
Han, Huang, Cao, Zou 2025, arXiv 2412.01021.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import torch
from torch import Tensor

from twopart._arrays import finite_tensor
from twopart._checks import InputError, check, check_choice, check_integer, check_real
from twopart.laws.features.denoising import noising
from twopart.settings import at_least, between, one_of, settings

POWERS = {"identity": 1, "square": 2, "cube": 3}
SETS, WIDE = "one data set for each denoiser, of points in patches", "as wide as the filters"
POSITIVE = between(0, math.inf, "()")


@settings
class DenoiserConfig:
    """What a denoiser is made of, and at which noise it is trained."""

    neurons: Annotated[int, at_least(1).because("an output needs a neuron"), "m."] = 20
    activation: Annotated[str, one_of(*POWERS), "act, a power of what a neuron sees."] = "square"
    time: Annotated[float, POSITIVE.because("at 0 nothing is to be predicted"), "t; α = e^-t, β² = 1 - e^-2t."] = 0.2
    scale: Annotated[float, POSITIVE, "s, by which the output is multiplied."] = 1.0
    initial: Annotated[float, POSITIVE.because("at 0 no slope leads away"), "Deviation of first weights."] = 1e-3


@dataclass(frozen=True, eq=False)
class Denoiser:
    """B denoisers; float32 or float64, as their weights are."""

    config: DenoiserConfig
    weights: Tensor
    """w, shape (B, m, d)."""

    def __call__(self, x: Tensor) -> Tensor:
        """The noise s f that is seen in noisy patches x (B, N, d), of that shape."""
        form = (*(None,) * (getattr(x, "ndim", 1) - 1), self.weights.shape[-1])
        alike = finite_tensor("x", x, form, WIDE).dtype == self.weights.dtype
        check(alike, "x", x.dtype, f"{self.weights.dtype}, as the weights", "x.to(dtype)")
        seen = (x @ self.weights.mT) ** POWERS[self.config.activation]
        predicted: Tensor = self.config.scale / math.sqrt(self.config.neurons) * seen @ self.weights
        return predicted

    def loss(self, x: Tensor) -> Tensor:
        """The expected loss of points x (B, n, P, d), patches summed, shape (B,)."""
        finite_tensor("x", x, (len(self.weights), None, None, self.weights.shape[-1]), SETS)
        alpha, beta = noising(self.config.time)
        of_patch = expected_denoising_loss(
            self.weights, x.flatten(1, 2), alpha, beta, self.config.scale, activation=self.config.activation
        )
        return x.shape[2] * of_patch


def initialise_denoiser(
    config: DenoiserConfig,
    dimension: int,
    seeds: Sequence[int],
    *,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
) -> Denoiser:
    """Normal weights, a denoiser for each seed, the same on every device."""
    shape = config.neurons, check_integer("dimension", dimension, 1, None, "it is that of a patch")
    whole = [check_integer("seeds", seed, -(2**63), 2**64 - 1, "it seeds torch") for seed in seeds]
    check(bool(whole), "seeds", seeds, "one or more", "one for each denoiser")
    drawn = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in whole]
    return Denoiser(config, (torch.stack(drawn).to(dtype) * config.initial).to(device))


def expected_denoising_loss(
    weights: Tensor, patches: Tensor, alpha: float, beta: float, scale: float = 1.0, *, activation: str = "square"
) -> Tensor:
    """E over ε of ‖s f(α x + β ε) - ε‖²/2, the mean over patches x: no sampling, and differentiable in weights and patches.

    `weights` (m, d) and `patches` (N, d), or (B, m, d) and (B, N, d) for B at once: shape () or (B,). Where a point has P
    patches, its loss is P times that. Raises `InputError` for shapes that do not fit, other numbers, nan and infinities.
    """
    several = isinstance(weights, Tensor) and weights.ndim == 3
    w = finite_tensor("weights", weights, (None,) * (3 if several else 2), "filters, or B sets of these")
    x = finite_tensor("patches", patches, (*w.shape[:-2], None, w.shape[-1]), f"{WIDE}, a set for each")
    check(x.dtype == w.dtype, "patches", x.dtype, f"{w.dtype}, as the weights", "convert one of them")
    power = POWERS[check_choice("activation", activation, tuple(POWERS))]
    for name, value in (("alpha", alpha), ("beta", beta), ("scale", scale)):
        check_real(name, value, 0, math.inf, "see `noising` for a time", closed="[)")
    m, d = w.shape[-2:]
    G, means, kernels = _moments(w, x, power, alpha, beta)
    tied = sum((G * kernel * (A.mT @ A)).sum((-2, -1)) for A, kernel in zip(means, kernels, strict=True)) / x.shape[-2]
    told = (G.diagonal(dim1=-2, dim2=-1) * means[1].mean(-2)).sum(-1)
    loss: Tensor = (scale**2 / m * tied - 2 * scale * beta / math.sqrt(m) * told + d) / 2
    return loss


def _moments(w: Tensor, x: Tensor, power: int, alpha: float, beta: float) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """G; A_j, shapes (..., N, m); and (β² G)^j/j!; j = 0, ..., power."""
    G, a = w @ w.mT, alpha * x @ w.mT
    noise, variance = beta**2 * G, beta**2 * G.diagonal(dim1=-2, dim2=-1)[..., None, :]
    raw, kernels = [torch.ones_like(a), a], [torch.ones_like(G)]  # E h^k = a E h^(k-1) + (k - 1) β² q E h^(k-2)
    for k in range(2, power + 1):
        raw.append(a * raw[-1] + (k - 1) * variance * raw[-2])
    for j in range(1, power + 1):
        kernels.append(kernels[-1] * noise / j)
    return G, [math.perm(power, j) * raw[power - j] for j in range(power + 1)], kernels


def _slope(w: Tensor, x: Tensor, power: int, alpha: float, beta: float, scale: float) -> Tensor:
    """The gradient of `expected_denoising_loss` by the weights, without a graph."""
    m, N = w.shape[-2], x.shape[-2]
    G, A, kernels = _moments(w, x, power, alpha, beta)
    q, pull = G.diagonal(dim1=-2, dim2=-1)[..., None, :], scale * beta / math.sqrt(m) / N
    by_mean = [scale**2 / m / N * part @ (G * kernel) for part, kernel in zip(A, kernels, strict=True)]
    by_mean[1] = by_mean[1] - pull * q
    by_a: Tensor = sum((slope * after for slope, after in zip(by_mean, A[1:], strict=False)), torch.zeros_like(A[0]))
    by_q = sum(beta**2 / 2 * slope * after for slope, after in zip(by_mean, A[2:], strict=False)) - pull * A[1]
    by_G = sum((j + 1) * kernel * (part.mT @ part) for j, (part, kernel) in enumerate(zip(A, kernels, strict=True)))
    around = scale**2 / m / N * by_G + torch.diag_embed(2 * by_q.sum(-2))
    gradient: Tensor = alpha * by_a.mT @ x + around @ w
    return gradient


Watch = Callable[[int, Callable[[], Denoiser]], object]


def train_denoiser(denoiser: Denoiser, x: Tensor, *, steps: int, rate: float, on_step: Watch | None = None) -> Denoiser:
    """Gradient descent on the expected loss of points x (B, n, P, d), in float64, from `denoiser`.

    A step is a share of the length of all weights, `rate` at first and falling to 0 in a straight line: with steps in
    proportion to the gradient a rate that is small enough at the end would take for ever at the start, as slopes grow with the
    square of the weights. Weights stay in the span of patches and first weights, so steps cost nothing for a larger d.
    `on_step(step, now)` is called before the first step and after each, now() being the denoiser; answering True stops. Raises
    `InputError` for shapes that do not fit and numbers that are not finite.
    """
    config, w = denoiser.config, finite_tensor("weights", denoiser.weights, (None,) * 3, "(B, m, d)")
    finite_tensor("x", x, (len(w), None, None, w.shape[-1]), SETS)
    check(x.dtype == denoiser.weights.dtype, "x", x.dtype, f"{denoiser.weights.dtype}, as the weights", "x.to(dtype)")
    check_integer("steps", steps, 1, None, "without a step nothing is learned")
    check_real("rate", rate, 0, 1, "it is a share of the weights' length; 0.01 is usual", closed="()")
    basis, inside = torch.linalg.qr(torch.cat([denoiser.weights, x.flatten(1, 2)], 1).detach().double().mT)
    w, points = inside.mT.split([w.shape[1], x[0, ..., 0].numel()], 1)
    w, noised = w.clone(), (POWERS[config.activation], *noising(config.time), config.scale)

    def now() -> Denoiser:
        return replace(denoiser, weights=(w @ basis.mT).to(x.dtype))

    for done in range(steps + 1):
        if (on_step is not None and on_step(done, now)) or done == steps:
            break
        slope = _slope(w, points, *noised)
        share = rate * (1 - done / steps) * w.flatten(1).norm(dim=1) / slope.flatten(1).norm(dim=1)
        w -= share[:, None, None] * slope
    if not bool(w.isfinite().all()):
        raise InputError(f"`x` must be points at which the loss has a slope, got {tuple(x.shape)}; see whether it is 0")
    return now()

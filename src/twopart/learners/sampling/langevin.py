"""Laplacian-smoothing stochastic gradient Langevin dynamics, LS-SGLD (Wang, Zou, Gu, Osher 2019, arXiv 1911.00782).

    smooth(x, sigma)                     A^{-1} x for A = I - σ circ(-2, 1, 0, ..., 0, 1), by FFT in O(d log d)
    LangevinSmoothed(params, lr, ...)    the sampler as a torch optimiser of any module; sigma=0 is SGLD
    chains(score, x0, lr, steps)         many chains at once, on any score
    verify(LangevinSmoothed)             an optimiser class on a Gaussian of known variance

All do θ ← θ - η A^{-1} g + √(2 η T) A^{-½} ξ with g an unbiased estimate of ∇f, f = -log posterior, and ξ ~ N(0, I). Where
the chain ends: `twopart.laws.sampling`, docs/laws/laplacian-smoothing.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, overload

import torch
from torch import Tensor

from twopart._checks import check, check_choice, check_integer, check_real
from twopart.learners.sampling.scores import Score, answer, check_points, noise

Variant = Literal["langevin", "published"]
VARIANTS: tuple[Variant, ...] = ("langevin", "published")
Order = Literal["flat", "tensor", "axis"] | Mapping[str, Tensor]
ORDERS = ("flat", "tensor", "axis")
STEP = "the largest stable step is 2 over the largest eigenvalue of A^{-1} H, see twopart.laws.sampling"


def smooth(x: Tensor, sigma: float, power: float = 1.0, dim: int = -1) -> Tensor:
    """A^{-power} x along `dim`, for A = I - σ circ(-2, 1, 0, ..., 0, 1): of the shape, type and device of x.

    Fourier modes are divided by a_j^power, a_j = 1 + 2σ (1 - cos 2πj/d): O(d log d). Half precision is computed in single.
    Raises `InputError` for a tensor that is not of floats or has no dimension, and for sigma < 0.
    """
    _real("x", x)
    check(x.ndim > 0, "x", tuple(x.shape), "a tensor with a dimension", "give it one with `x[None]`")
    check_real("sigma", sigma, 0, math.inf, "0 leaves x as it is", closed="[)")
    if sigma == 0 or x.numel() == 0:
        return x.clone()
    return _inverse(_forward(x, dim) * _factors(x, sigma, -power, dim), x, dim)


def _forward(x: Tensor, dim: int) -> Tensor:
    modes: Tensor = torch.fft.rfft(x.float() if x.dtype in (torch.float16, torch.bfloat16) else x, dim=dim)
    return modes


def _inverse(modes: Tensor, like: Tensor, dim: int) -> Tensor:
    values: Tensor = torch.fft.irfft(modes, n=like.shape[dim], dim=dim)
    return values.to(like.dtype)


def _factors(x: Tensor, sigma: float, power: float, dim: int) -> Tensor:
    """a_j^power of the modes that rfft has, shaped to stand along `dim`."""
    d = x.shape[dim]
    j = torch.arange(d // 2 + 1, device=x.device, dtype=torch.float64)
    a = (1 + 2 * sigma * (1 - torch.cos(2 * math.pi * j / d))) ** power
    shape = [1] * x.ndim
    shape[dim] = -1
    return a.to(torch.float64 if x.dtype == torch.float64 else torch.float32).reshape(shape)


def _noisy_step(g: Tensor, noise: Tensor, sigma: float, lr: float, std: float, dim: int) -> Tensor:
    """-lr A^{-1} g + std A^{-½} noise, through one way back."""
    if sigma == 0:
        return std * noise - lr * g
    half = _factors(g, sigma, -0.5, dim)
    return _inverse(half * (std * _forward(noise, dim) - lr * half * _forward(g, dim)), g, dim)


class LangevinSmoothed(torch.optim.Optimizer):
    """SGLD (sigma = 0) and LS-SGLD for any module: θ ← θ - lr A^{-1} g + √(2 lr temperature) A^{-½} ξ.

    g = scale ∇(mean loss) + prior_precision θ. With `scale` the number of training examples, N, and a mean loss over a batch,
    it is unbiased for the gradient of the negative log posterior under the prior N(0, 1/prior_precision), so that small steps
    sample the posterior at temperature 1; temperature 0 is Laplacian-smoothing gradient descent (Osher et al. 2018).

        optimizer = LangevinSmoothed(model.parameters(), lr=1e-5, sigma=1.0, scale=len(data), prior_precision=1.0)
        loss(model(x), y).backward()     # the mean over a batch
        optimizer.step()

    `order` says which coordinates are neighbours, which is part of the method: "flat", all parameters of a group flattened one
    after another; "tensor", each tensor flattened by itself; "axis", along the last axis of each tensor; or permutations of
    flattened tensors by name, for `params = module.named_parameters()`, tensors that it lacks being "tensor".

    variant="published" does what the authors' released code does: the noise is added to the gradient and so multiplied by lr
    once more (its variance is lr² times what sampling needs), weight decay is added after smoothing, each tensor is smoothed
    by itself, and tensors with at most two entries are never updated. It optimises, it does not sample.

    Raises `InputError` for arguments out of range. Gradients are not checked for nan, as in torch's own optimisers.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        sigma: float = 1.0,
        scale: float = 1.0,
        prior_precision: float = 0.0,
        temperature: float = 1.0,
        order: Order = "flat",
        generator: torch.Generator | None = None,
        variant: Variant = "langevin",
    ):
        check_real("lr", lr, 0, math.inf, STEP, closed="()")
        check_real("sigma", sigma, 0, math.inf, "0 is SGLD", closed="[)")
        check_real("scale", scale, 0, math.inf, "it is the number of training examples for a mean loss", closed="()")
        check_real("prior_precision", prior_precision, 0, math.inf, "0 is a flat prior", closed="[)")
        check_real("temperature", temperature, 0, math.inf, "1 samples the posterior, 0 descends", closed="[)")
        check_choice("variant", variant, VARIANTS)
        if isinstance(order, str):
            check_choice("order", order, ORDERS, "or give permutations by parameter's name")
        self.order: Order = "tensor" if variant == "published" else order
        self.generator, self.variant = generator, variant
        options = {"lr": lr, "sigma": sigma, "scale": scale}
        groups = _groups(params)
        super().__init__(groups, {**options, "prior_precision": prior_precision, "temperature": temperature})
        known = {n: w for group in groups for n, w in zip(group["names"], group["params"], strict=True)}
        for weight in known.values():
            _real("params", weight)
        for name, permutation in {} if isinstance(order, str) else order.items():
            check(
                name in known, "order", name, "by names of parameters", "give `params` as `module.named_parameters()`"
            )
            fits = torch.equal(permutation.sort().values.cpu(), torch.arange(known[name].numel()))
            bound = f"a permutation of 0..{known[name].numel() - 1} for {name}"
            check(fits, "order", tuple(permutation.shape), bound, "it says which entry of the flattened tensor is i-th")

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One step on the gradients that stand in `.grad`; a closure computes them anew, and its loss is returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            moved = [i for i, weight in enumerate(group["params"]) if weight.grad is not None]
            if self.variant == "published":
                moved = [i for i in moved if group["params"][i].numel() > 2]
            for part in [moved] if self.order == "flat" and moved else [[i] for i in moved]:
                self._move(group, [group["params"][i] for i in part], group["names"][part[0]])
        return loss

    def _move(self, group: dict[str, Any], weights: list[Tensor], name: str) -> None:
        """Move these weights as one vector, or one tensor along its last axis."""
        permutation = None if isinstance(self.order, str) or name not in self.order else self.order[name]

        def laid_out(values: list[Tensor]) -> Tensor:
            if self.order == "axis":
                return values[0] if values[0].ndim else values[0][None]
            flat = torch.cat([value.reshape(-1) for value in values])
            return flat if permutation is None else flat[permutation.to(flat.device)]

        θ, grad = laid_out(weights), laid_out([weight.grad for weight in weights if weight.grad is not None])
        prior, lr, sigma = group["prior_precision"] * θ, group["lr"], group["sigma"]
        ξ = noise(θ, self.generator)
        std = math.sqrt(2 * lr * group["temperature"])
        if self.variant == "published":
            moved = _noisy_step(group["scale"] * grad, ξ, sigma, lr, lr * std, -1) - lr * prior
        else:
            moved = _noisy_step(group["scale"] * grad + prior, ξ, sigma, lr, std, -1)
        if permutation is not None:
            moved = torch.empty_like(moved).index_copy_(0, permutation.to(moved.device), moved)
        start = 0
        for weight in weights:
            weight.add_(moved.reshape(-1)[start : start + weight.numel()].reshape(weight.shape))
            start += weight.numel()


def _groups(params: Iterable[Any]) -> list[dict[str, Any]]:
    """Groups of parameters with their names; those that come without one are numbered."""
    items = list(params)
    groups = items if items and isinstance(items[0], dict) else [{"params": items}]
    found = []
    for g, group in enumerate(groups):
        parts = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        named = [part if isinstance(part, tuple) else (f"{g}.{i}", part) for i, part in enumerate(parts)]
        found.append({**group, "names": [name for name, _ in named], "params": [weight for _, weight in named]})
    return found


def chains(
    score: Score,
    x0: Tensor,
    lr: float,
    steps: int,
    sigma: float = 0.0,
    thin: int = 1,
    generator: torch.Generator | None = None,
    *,
    temperature: float = 1.0,
    variant: Variant = "langevin",
    on_step: Callable[[int, Tensor], None] = lambda k, x: None,
) -> Tensor:
    """Every `thin`-th state of C chains, shape (steps // thin, C, d), from x0 (C, d), all moved at once.

    `score` maps (C, d) to ∇ log p, exact or an unbiased estimate such as `on_batches` makes; `sigma` smooths along the last
    dimension. `on_step(k, x)` sees every state. Raises `InputError` for arguments out of range, and where chains have diverged.
    """
    x = check_points(x0, "x0")
    check_real("lr", lr, 0, math.inf, STEP, closed="()")
    check_real("sigma", sigma, 0, math.inf, "0 is SGLD", closed="[)")
    check_real("temperature", temperature, 0, math.inf, "1 samples, 0 descends", closed="[)")
    check_integer("steps", steps, 1, None, "a chain needs a step")
    check_integer("thin", thin, 1, steps, "every how many steps a state is kept")
    std = math.sqrt(2 * lr * temperature) * (lr if check_choice("variant", variant, VARIANTS) == "published" else 1.0)
    kept = x.new_empty((steps // thin, *x.shape))
    for k in range(1, steps + 1):
        ξ = noise(x, generator)
        x = x + _noisy_step(-answer(score, x), ξ, sigma, lr, std, -1)
        if k % thin == 0:
            kept[k // thin - 1] = x
        on_step(k, x)
    check(bool(torch.isfinite(x.sum())), "lr", lr, "small enough for chains to stay finite", STEP)
    return kept


def on_batches(
    minibatch_score: Callable[[Tensor, Tensor], Tensor],
    count: int,
    batch: int,
    generator: torch.Generator | None = None,
) -> Score:
    """A score for `chains`: `minibatch_score(theta (C, d), index (C, b))` on batches of `count` examples, with replacement."""
    check_integer("count", count, 1, None, "it is the number of examples")
    check_integer("batch", batch, 1, None, "1 is a single example")

    def score(x: Tensor) -> Tensor:
        device = x.device if generator is None else generator.device
        index = torch.randint(count, (len(x), batch), generator=generator, device=device)
        return minibatch_score(x, index.to(x.device))

    return score


def power_spectrum(x: Tensor) -> Tensor:
    """Mean square of each orthonormal Fourier mode over rows, (C, d) to (d,): what `twopart.laws.sampling.best_sigma` takes.

    Of full gradients at samples of the target it estimates the curvature h_j, since E ∇f ∇f^T = E ∇²f; of minibatch gradients
    less the full ones, the noise c_j.
    """
    _real("x", x)
    check(x.ndim == 2 and len(x) > 0, "x", tuple(x.shape), "of shape (C, d)", "one row for each gradient")
    modes: Tensor = torch.fft.fft(x, norm="ortho")
    return modes.abs().square().mean(0)


def verify(
    optimizer_class: Callable[..., torch.optim.Optimizer] = LangevinSmoothed,
    *,
    dimension: int = 16,
    examples: int = 100,
    chains: int = 256,
    steps: int = 400,
    seed: int = 0,
    **options: Any,
) -> float:
    """Measured over true variance of the posterior of a Gaussian's mean: 1 for a sampler, within about 5 % at these sizes.

    The data are `examples` points, the mean loss is half the mean square distance to them, so that the posterior is
    N(their mean, I / examples). The class is called as `optimizer_class([theta], lr=..., scale=examples, generator=...,
    **options)`; theta holds all chains in rows, `order="axis"` for ours. Released samplers that mistake the scale of the noise
    or of the gradient show at once.
    """
    if optimizer_class is LangevinSmoothed:
        options = {"order": "axis", **options}
    random = torch.Generator().manual_seed(seed)
    centre = torch.randn(examples, dimension, generator=random).mean(0)
    theta = torch.nn.Parameter(centre.repeat(chains, 1))
    optimizer = optimizer_class([theta], lr=0.05 / examples, scale=examples, generator=random, **options)
    total, count = 0.0, 0
    for k in range(steps):
        theta.grad = theta.detach() - centre  # of half the mean square distance to the examples
        optimizer.step()
        if k >= steps // 2:
            total, count = total + float((theta.detach() - centre).square().mean()), count + 1
    return total / count * examples


def _real(name: str, x: Any) -> None:
    got = str(x.dtype) if isinstance(x, Tensor) else type(x).__name__
    check(
        isinstance(x, Tensor) and x.is_floating_point(), name, got, "a tensor of floats", "convert it with `.float()`"
    )

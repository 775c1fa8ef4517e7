"""Laplacian-smoothing stochastic gradient Langevin dynamics, LS-SGLD (Wang, Zou, Gu, Osher 2019, arXiv 1911.00782).

    LangevinSmoothed(params, lr, ...)    the sampler as a torch optimiser of any module; sigma=0 is SGLD
    verify(LangevinSmoothed)             an optimiser class on a Gaussian of known variance

Steps, and many chains of them at once: langevin_chains.py. Where they end: docs/laws/laplacian-smoothing.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from twopart._checks import check, check_choice, check_function, check_real, check_sizes
from twopart.laws.sampling.langevin import Variant
from twopart.learners.sampling.langevin_chains import check_floats, check_step, noisy_step
from twopart.learners.sampling.scores import noise

Order = Literal["flat", "tensor", "axis"] | Mapping[str, Tensor]
ORDERS = ("flat", "tensor", "axis")


class LangevinSmoothed(torch.optim.Optimizer):
    """SGLD (sigma = 0) and LS-SGLD for any module: θ ← θ - lr A^{-1} g + √(2 lr temperature) A^{-½} ξ.

    g = scale ∇(mean loss) + prior_precision θ. With `scale` the number of training examples, N, and a mean loss over a batch,
    it is unbiased for the gradient of the negative log posterior under the prior N(0, 1/prior_precision), so that small steps
    sample the posterior at temperature 1; temperature 0 is Laplacian-smoothing gradient descent (Osher et al. 2018).

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
        check_step(lr, sigma, temperature, variant)
        check_real("scale", scale, 0, math.inf, "it is the number of examples for a mean loss", closed="()")
        check_real("prior_precision", prior_precision, 0, math.inf, "0 is a flat prior", closed="[)")
        if not isinstance(order, Mapping):
            check_choice("order", order, ORDERS, "or give permutations by parameter's name")
        else:
            order = {name: torch.as_tensor(permutation) for name, permutation in order.items()}
        self.order: Order = "tensor" if variant == "published" else order
        self.generator, self.variant = generator, variant
        groups, options = _groups(params), {"lr": lr, "sigma": sigma, "scale": scale, "temperature": temperature}
        super().__init__(groups, options | {"prior_precision": prior_precision})
        known = {n: w for group in groups for n, w in zip(group["names"], group["params"], strict=True)}
        check(len(known) > 0, "params", "none", "one parameter at least", "give `module.parameters()`")
        for group in self.param_groups:
            check_step(group["lr"], group["sigma"], group["temperature"], variant)
        for weight in known.values():
            check_floats("params", weight)
        for name, permutation in {} if isinstance(order, str) else order.items():
            check(name in known, "order", name, "by names of parameters", "give `module.named_parameters()`")
            whole = torch.arange(known[name].numel())
            fits, bound = torch.equal(permutation.sort().values.cpu(), whole), f"a permutation of 0..{len(whole) - 1}"
            check(fits, "order", tuple(permutation.shape), f"{bound} for {name}", "which entry of the tensor is i-th?")

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step on the gradients that stand in `.grad`; a closure computes them anew, and its loss is returned."""
        with torch.enable_grad():
            loss = None if closure is None else closure()
        least = 2 if self.variant == "published" else -1
        for group in self.param_groups:
            named = zip(group["names"], group["params"], strict=True)
            moved = [(name, weight) for name, weight in named if weight.grad is not None and weight.numel() > least]
            for part in [moved] if self.order == "flat" and moved else [[one] for one in moved]:
                self._move(group, [weight for _, weight in part], part[0][0])
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
        grad, prior, lr = group["scale"] * grad, group["prior_precision"] * θ, group["lr"]
        std, ξ = math.sqrt(2 * lr * group["temperature"]), noise(θ, self.generator)
        if self.variant == "published":
            moved = noisy_step(grad, ξ, group["sigma"], lr, lr * std) - lr * prior
        else:
            moved = noisy_step(grad + prior, ξ, group["sigma"], lr, std)
        if permutation is not None:
            moved = torch.empty_like(moved).index_copy_(0, permutation.to(moved.device), moved)
        for weight, part in zip(weights, moved.reshape(-1).split([w.numel() for w in weights]), strict=True):
            weight.add_(part.view_as(weight))


def _groups(params: Iterable[Any]) -> list[dict[str, Any]]:
    """Groups of parameters with their names; those that come without one are numbered."""
    check(isinstance(params, Iterable), "params", params, "parameters", "give `module.parameters()`")
    items = list(params)
    groups = items if items and isinstance(items[0], dict) else [{"params": items}]
    found = []
    for g, group in enumerate(groups):
        parts = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        named = [part if isinstance(part, tuple) else (f"{g}.{i}", part) for i, part in enumerate(parts)]
        found.append({**group, "names": [name for name, _ in named], "params": [weight for _, weight in named]})
    return found


def verify(
    optimizer_class: Callable[..., torch.optim.Optimizer] = LangevinSmoothed,
    *,
    steps: int = 400,
    seed: int = 0,
    **options: Any,
) -> float:
    """Measured over true variance of the posterior of a Gaussian's mean: 1 for a sampler, within about 5 % at 400 steps.

    The data are 100 points, the mean loss is half the mean square distance to them, so that the posterior is
    N(their mean, I / 100). The class is called as `optimizer_class([theta], lr=..., scale=100, generator=..., **options)`;
    theta (256, 16) holds a chain in each row, `order="axis"` for ours.
    """
    check_sizes(steps=steps)
    check_function("optimizer_class", optimizer_class, "parameters and options")
    if optimizer_class is LangevinSmoothed:
        options = {"order": "axis", **options}
    random = torch.Generator().manual_seed(seed)
    centre = torch.randn(100, 16, generator=random).mean(0)
    theta = torch.nn.Parameter(centre.repeat(256, 1))
    optimizer = optimizer_class([theta], lr=0.05 / 100, scale=100, generator=random, **options)
    squares = []
    for _ in range(steps):
        theta.grad = theta.detach() - centre  # of half the mean square distance to the examples
        optimizer.step()
        squares.append(float((theta.detach() - centre).square().mean()))
    return sum(squares[steps // 2 :]) / (steps - steps // 2) * 100

"""Per-example gradient regularisation of any torch module: the mean of ‖∇ℓ_i‖² in the loss, and what it is not.

    loss = partial(cross_entropy, reduction="none")
    per_example_penalty(model, loss, x, y, weight=0.01, plus_loss=True, chunk=256).backward()
    gradient_noise(model, loss, x, y)                            # .mean_square = .square_of_mean + .variance

‖mean of ∇ℓ_i‖² is a penalty too (`over="mean"`), but another one: it leaves out the variance, which is where memorised noise
is. The penalty is differentiated where it is computed, chunk by chunk, so that memory is that of one chunk and one gradient,
however large the batch; a second derivative of it is refused. Three methods give the squares:

    closed      layers nn.Linear and nn.Conv2d, each called once, its weights used nowhere else: from inputs and slopes of
                outputs, without a gradient per example (Goodfellow 2015, arXiv 1510.01799)
    vmap        any other module that `torch.func.vmap` can run: gradients per example
    hutchinson  E (u·∇ℓ_i)² over normal probes u, by a second backward pass: unbiased, of any module that mixes no examples
    auto        closed where it can, else vmap

Source of the loss: Meng, Cao, Zou 2023, arXiv 2303.17940.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from twopart._checks import check, check_choice, check_integer, check_real

Loss = Callable[[Any, Tensor], Tensor]
METHODS = ("auto", "closed", "vmap", "hutchinson")
REMEDY = "pass reduction='none' to torch's losses"


@dataclass(frozen=True)
class GradientNoise:
    """Of the gradients ∇ℓ_i of n examples."""

    mean_square: float
    """(1/n) Σ ‖∇ℓ_i‖², what the penalty per example is on."""
    square_of_mean: float
    """‖(1/n) Σ ∇ℓ_i‖², what a penalty on a batch's gradient is on."""

    @property
    def variance(self) -> float:
        """Their difference: the mean square distance of a gradient from the mean."""
        return self.mean_square - self.square_of_mean


def per_example_penalty(
    model: nn.Module, loss: Loss, x: Tensor, y: Tensor, weight: float, *, over: str = "examples",
    plus_loss: bool = False, method: str = "auto", parameters: Mapping[str, Tensor] | None = None, chunk: int | None = None,
    probes: int = 1, generator: torch.Generator | None = None,
) -> Tensor:  # fmt: skip
    """(weight/2) (1/n) Σ_i ‖∇ℓ_i‖², a number that `backward` takes; with over="mean" (weight/2) ‖(1/n) Σ_i ∇ℓ_i‖².

    `plus_loss` adds (1/n) Σ_i ℓ_i, from the same pass: cheaper than a pass of its own.
    `loss(model(x), y)` gives a number for each of the n examples of x and y, shape (n,). Gradients are by `parameters`, names
    as in `model.named_parameters()`, by default all that require one. `chunk` examples are held at a time, by default all;
    `probes` and `generator` are for method="hutchinson". Raises `InputError` for losses of another shape, numbers that are
    not finite, batch normalisation in training mode, and a method that the module does not allow.
    """
    options = _Options(model, loss, parameters, method, over, chunk, probes, generator)
    return _summed(options, x, y, float(plus_loss), weight)


def gradient_noise(
    model: nn.Module, loss: Loss, x: Tensor, y: Tensor, *, method: str = "auto",
    parameters: Mapping[str, Tensor] | None = None, chunk: int | None = None,
) -> GradientNoise:  # fmt: skip
    """The mean square of the examples' gradients beside the square of their mean."""
    options = _Options(model, loss, parameters, method, "examples", chunk)
    with torch.no_grad():
        square = 2 * float(_summed(options, x, y, 0.0, 1.0))
    with torch.enable_grad():
        mean = _gradient(_summed(options, x, y, 1.0, 0.0), options.chosen, create_graph=False)
    return GradientNoise(square, float(sum(g.double().square().sum() for g in mean)))


class _Options:
    """What is asked of which module."""

    def __init__(
        self, model: nn.Module, loss: Loss, parameters: Mapping[str, Tensor] | None, method: str, over: str,
        chunk: int | None, probes: int = 1, generator: torch.Generator | None = None,
    ) -> None:  # fmt: skip
        named = dict(model.named_parameters())
        self.chosen = {k: p for k, p in named.items() if p.requires_grad} if parameters is None else dict(parameters)
        known = bool(self.chosen) and all(named.get(name) is p and p.requires_grad for name, p in self.chosen.items())
        check(known, "parameters", sorted(self.chosen), "some of the module's, by name", "and ask for their gradients")
        check_choice("method", method, METHODS)
        check_choice("over", over, ("examples", "mean"))
        check_integer("probes", probes, 1, None, "their mean is unbiased")
        check(chunk is None or over == "examples", "chunk", chunk, "None with over='mean'", "a mean needs all examples")
        if chunk is not None:
            check_integer("chunk", chunk, 1, None, "it is how many examples are held")
        self.model, self.loss, self.method, self.over, self.chunk = model, loss, method, over, chunk
        self.probes, self.generator = probes, generator

    def losses(self, x: Tensor, y: Tensor, state: Mapping[str, Tensor] | None = None) -> Tensor:
        """One for each example."""
        out = self.model(x) if state is None else functional_call(self.model, dict(state), (x,))
        losses = self.loss(out, y)
        check(losses.shape == (len(x),), "loss", tuple(losses.shape), f"of shape ({len(x)},), one an example", REMEDY)
        return losses

    def squares(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Losses and ‖∇ℓ_i‖², shapes (n,), or (1,) the square of the mean's."""
        if self.over == "mean":
            losses = self.losses(x, y)
            return losses, sum(g.square().sum() for g in _gradient(losses.mean(), self.chosen))[None]  # type: ignore[index]
        if self.method == "hutchinson":
            return self._by_probes(x, y)
        layers = _layers(self.model, self.chosen) if self.method != "vmap" else None
        found = None if layers is None else self._closed(layers, x, y)
        fits = found is not None or self.method != "closed"
        check(fits, "model", type(self.model).__name__, "of nn.Linear and nn.Conv2d called once", "method='vmap'")
        return self._by_vmap(x, y) if found is None else found

    def _by_vmap(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        def one(state: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
            return self.losses(x[None], y[None], state)[0]

        own = {
            name: p.expand(len(x), *p.shape) for name, p in self.chosen.items()
        }  # each example's, of which it has the slope
        losses = vmap(one, randomness="different")(own, x, y)
        squares = (g.flatten(1).square().sum(1) for g in _gradient(losses.sum(), own))
        return losses, sum(squares, torch.zeros_like(losses))

    def _by_probes(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        losses = self.losses(x, y)
        each = torch.ones_like(losses, requires_grad=True)  # d/d each_i of u·Σ each_i ∇ℓ_i is u·∇ℓ_i
        gradients = _gradient((each * losses).sum(), self.chosen)
        squares = torch.zeros_like(losses)
        for _ in range(self.probes):
            draws = (torch.randn(g.shape, generator=self.generator, dtype=g.dtype, device=g.device) for g in gradients)
            along = sum((g * u).sum() for g, u in zip(gradients, draws, strict=True))
            (found,) = torch.autograd.grad(along, each, create_graph=True)  # type: ignore[arg-type]
            squares = squares + found.square() / self.probes
        return losses, squares

    def _closed(self, layers: dict[str, nn.Module], x: Tensor, y: Tensor) -> tuple[Tensor, Tensor] | None:
        """None if layers were not called once each, on inputs whose first axis is that of the examples."""
        calls: list[tuple[nn.Module, Tensor, Tensor]] = []
        versions: list[int] = []

        def note(at: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> Tensor:
            calls.append((at, given[0], out))
            versions.append(given[0]._version)
            return out.clone()  # what follows may work in place

        with ExitStack() as hooks:
            for layer in layers.values():
                hooks.callback(layer.register_forward_hook(note).remove)
            losses = self.losses(x, y)
        once = sorted(id(at) for at, *_ in calls) == sorted(id(layer) for layer in layers.values())
        kept = all(given._version == version for (_, given, _), version in zip(calls, versions, strict=True))
        if not (once and kept) or any(len(given) != len(x) or given.ndim < 2 for _, given, _ in calls):
            return None
        slopes = torch.autograd.grad(losses.sum(), [out for *_, out in calls], create_graph=True)
        chosen = {id(p) for p in self.chosen.values()}
        parts = (_square(at, given, by, chosen) for (at, given, _), by in zip(calls, slopes, strict=True))
        return losses, sum(parts, torch.zeros_like(losses))


def _layers(model: nn.Module, chosen: Mapping[str, Tensor]) -> dict[str, nn.Module] | None:
    """The layers that own the chosen parameters, or None if there are others than linear ones and convolutions."""
    owners: dict[str, nn.Module] = {}
    holders = [id(p) for at in model.modules() for p in at.parameters(recurse=False)]
    for name, p in chosen.items():
        layer = model.get_submodule(name.rpartition(".")[0])
        simple = type(layer) is nn.Conv2d and layer.groups == 1 and layer.padding_mode == "zeros"
        simple = (simple and not isinstance(layer.padding, str)) or type(layer) is nn.Linear
        if not simple or holders.count(id(p)) > 1:
            return None
        owners[name.rpartition(".")[0]] = layer
    return owners


def _square(layer: nn.Module, given: Tensor, by: Tensor, chosen: set[int]) -> Tensor:
    """‖∇ℓ_i‖² by a layer's weights, from its inputs and the slopes of its outputs, shape (n,)."""
    if isinstance(layer, nn.Conv2d):
        shape = {"dilation": layer.dilation, "padding": layer.padding, "stride": layer.stride}
        given = nn.functional.unfold(given, layer.kernel_size, **shape).mT  # type: ignore[arg-type]
        by = by.flatten(2).mT
    given, by = (part.reshape(len(part), -1, part.shape[-1]) for part in (given, by))  # of each place
    square = torch.zeros(len(given), dtype=by.dtype, device=by.device)
    if id(layer.weight) in chosen:
        places, (rows, columns) = given.shape[1], (by.shape[-1], given.shape[-1])
        if places == 1:
            square = by.square().sum((1, 2)) * given.square().sum((1, 2))
        elif places * (rows + columns) < rows * columns:
            square = ((by @ by.mT) * (given @ given.mT)).sum((1, 2))
        else:
            square = (by.mT @ given).square().sum((1, 2))
    if layer.bias is not None and id(layer.bias) in chosen:
        square = square + by.sum(1).square().sum(1)
    return square


def _gradient(value: Tensor, parameters: Mapping[str, Tensor], create_graph: bool = True) -> tuple[Tensor, ...]:
    leaves = tuple(parameters.values())
    return torch.autograd.grad(value, leaves, create_graph=create_graph, allow_unused=True, materialize_grads=True)


class _Sum(torch.autograd.Function):
    """A number whose gradient is known."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, gradients: list[Tensor], *_: Tensor) -> Tensor:
        ctx.save_for_backward(*gradients)
        return value.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, by: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *(by * g for g in ctx.saved_tensors)


def _summed(options: _Options, x: Tensor, y: Tensor, loss: float, weight: float) -> Tensor:
    """`loss` times the mean loss plus the penalty, and their gradient, chunk by chunk."""
    _check(options, x, y, weight)
    wanted, n = torch.is_grad_enabled(), len(x)
    leaves = [p for p in options.model.parameters() if p.requires_grad]
    total, gradients = torch.zeros(()), [torch.zeros_like(p) for p in leaves] if wanted else []
    for first in range(0, n, options.chunk or n):
        part = slice(first, first + (options.chunk or n))
        with torch.enable_grad():
            of = options.squares if weight else lambda x, y: (options.losses(x, y), torch.zeros(()))
            losses, squares = of(x[part].detach(), y[part])
            value = loss * losses.sum() / n + weight / 2 * squares.sum() / (n if options.over == "examples" else 1)
            if wanted:
                found = torch.autograd.grad(value, leaves, allow_unused=True, materialize_grads=True)
                gradients = [a + b for a, b in zip(gradients, found, strict=True)]
        total = total.to(value) + value.detach()
    return _Sum.apply(total, gradients, *leaves) if wanted else total  # type: ignore[no-untyped-call]


def _check(options: _Options, x: Tensor, y: Tensor, weight: float) -> None:
    check_real("weight", weight, 0, math.inf, "0 leaves the loss as it is", closed="[)")
    check(len(x) == len(y) > 0, "y", len(y), f"{len(x)}, as many as x and at least 1", "one target an example")
    for name, part in (("x", x), ("y", y)):
        finite = not part.is_floating_point() or bool(torch.isfinite(part).all())
        check(finite, name, "nan or infinite numbers", "finite", "drop or fill those examples")
    remedy = "statistics of batches mix examples: use .eval() there, or GroupNorm"
    for name, at in options.model.named_modules():
        mixes = isinstance(at, nn.modules.batchnorm._BatchNorm) and (at.training or at.running_mean is None)
        check(not mixes, "model", f"{type(at).__name__} at {name!r}", "without norms over batches", remedy)

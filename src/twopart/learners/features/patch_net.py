"""Two-layer networks whose filters are shared by all patches of a point, trained by gradient descent, B of them at once.

    network = initialise_patches(PatchNetConfig(neurons=64), dimension=4000, seeds=[0, 1])
    trained = train_patches(network, x, y, steps=1000, rate=1.0)             # x (2, n, P, 4000), y (2, n) in {-1, 1}
    trained(x)                                                               # f, shape (2, n)

F_j(x) = scale Σ_r Σ_p v_jrp act(<w_jr, x_p>), and f = F_+ - F_-; with one `side` f = F_+. Settings give the networks of
Cao, Chen, Belkin, Gu 2022 (arXiv 2202.06526) and their kin: which activation, whether the second layer is fixed, trained with
one weight a neuron or one a patch, and whether neurons are normalised. With method="gram" the same steps are done in inner
products, exactly and in float64 (`laws.features.gram`): faster the larger the dimension.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import torch
from torch import Tensor

from twopart._checks import InputError, check, check_choice, check_integer, check_real
from twopart.laws.features.gram import GramState, PatchGram, gram_descent, visits
from twopart.laws.features.patch_step import ACTIVATIONS, Step, activate, root_mean_square
from twopart.settings import at_least, between, one_of, settings

POSITIVE = between(0, math.inf, "()")
OUTPUTS = ("fixed", "shared", "per-patch")


@settings
class PatchNetConfig:
    """What a patch network is made of."""

    neurons: Annotated[int, at_least(1).because("an output without neurons is constant"), "m, filters of a side."]
    activation: Annotated[str, one_of(*ACTIVATIONS), "Power of the positive part, or of the whole."] = "relu"
    output: Annotated[
        str, one_of(*OUTPUTS), "Second layer: 1 for ever, or trained, one weight a neuron or a patch."
    ] = "fixed"
    scale: Annotated[str, one_of("mean", "sum"), "A side is the mean of its neurons, or their sum."] = "mean"
    initial: Annotated[float, POSITIVE.because("at 0 no neuron is active"), "Deviation of first weights."] = 1e-4
    output_initial: Annotated[float, POSITIVE, "The second layer at first, where it is trained."] = 1.0
    normalise: Annotated[bool, "Batch normalisation without centring, of each neuron over points and patches."] = False
    sides: Annotated[int, one_of(1, 2), "2: f = F_+ - F_-; 1: f = F_+."] = 2

    @property
    def factors(self) -> Tensor:
        """Sign times scale of each neuron, those of F_+ first, shape (J m,)."""
        scale = 1 / self.neurons if self.scale == "mean" else 1.0
        return torch.tensor([scale, -scale], dtype=torch.float64)[: self.sides].repeat_interleave(self.neurons)


@dataclass(frozen=True, eq=False)
class PatchNet:
    """B networks; float32 or float64, as their weights are."""

    config: PatchNetConfig
    weights: Tensor
    """w, shape (B, J, m, d), J sides: F_+, F_-."""
    second: Tensor
    """v without sign and scale, shape (B, J, m, P), or (B, J, m, 1) where patches share it."""
    deviation: Tensor | None = None
    """By which normalised neurons are divided, those of the training points, shape (B, J, m)."""

    def preactivations(self, x: Tensor) -> Tensor:
        """<w, x_p> for points (B, n, P, d), shape (B, n, P, J, m)."""
        B, J, m, d = self.weights.shape
        return (x.flatten(1, 2) @ self.weights.view(B, J * m, d).mT).view(*x.shape[:3], J, m)

    def sides(self, x: Tensor) -> Tensor:
        """F_+ and F_-, shape (B, n, J)."""
        return self.sides_from(self.preactivations(x))

    def sides_from(self, h: Tensor) -> Tensor:
        """F_+ and F_- from pre-activations (B, n, P, J, m), shape (B, n, J)."""
        h = h if self.deviation is None else h / self.deviation[:, None, None]
        size = self.config.factors.abs().view(-1, self.config.neurons, 1).to(self.second)
        v = (self.second * size).permute(0, 3, 1, 2)[:, None]
        sides: Tensor = (activate(self.config.activation, h) * v).sum((2, 4))
        return sides

    def __call__(self, x: Tensor) -> Tensor:
        """f, shape (B, n)."""
        sides = self.sides(x)
        return sides[..., 0] - sides[..., 1] if self.config.sides == 2 else sides[..., 0]


@dataclass(frozen=True, eq=False)
class Moment:
    """Where training is."""

    step: int
    rows: Any
    """Which points the step is about, of n; None: all."""
    outputs: Tensor
    """f of these before the step, shape (B, b)."""
    network: Callable[[], PatchNet]
    """The networks before the step; copy what is kept."""


Watch = Callable[[Moment], object]
Penalty = Callable[[PatchNet, Tensor, Tensor], Tensor]
Mix = Callable[[Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]]


def initialise_patches(
    config: PatchNetConfig,
    dimension: int,
    seeds: Sequence[int],
    *,
    patches: int = 2,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
) -> PatchNet:
    """Normal weights, a network for each seed, the same on every device; `patches` matters for an output per patch."""
    shape = (config.sides, config.neurons, check_integer("dimension", dimension, 1, None, "it is that of a patch"))
    drawn = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    value = 1.0 if config.output == "fixed" else config.output_initial
    second = torch.full((len(drawn), *shape[:2], patches if config.output == "per-patch" else 1), value, dtype=dtype)
    return PatchNet(config, (torch.stack(drawn).to(dtype) * config.initial).to(device), second.to(device))


def train_patches(
    network: PatchNet,
    x: Tensor,
    y: Tensor,
    *,
    steps: int,
    rate: float,
    loss: str = "logistic",
    batch: int | None = None,
    penalty: Penalty | None = None,
    mix: Mix | None = None,
    method: str = "weights",
    step: Step | None = None,
    seed: int = 0,
    on_step: Watch | None = None,
) -> PatchNet:
    """Gradient descent from `network` on points x (B, n, P, d) with labels y (B, n) in {-1, 1}.

    `batch` points a step are visited in a fresh random order every epoch (`seed`); without it, all. `penalty(network, x, y)` is
    added to the mean loss, differentiated by autograd, a number or one a network; `mix(x, y, generator)` gives the points and
    labels in [-1, 1] that a step is about. `step` replaces slopes altogether. With method="gram" neither penalty nor mix may be
    given, and the steps are the same but for rounding. `on_step(moment)` is called before the first step and after each, with
    the outputs of the points of the next; answering True stops. Raises `InputError` for shapes that do not fit, numbers that
    are not finite, and a rate at which weights overflow.
    """
    _check(network, x, y)
    check_choice("method", method, ("weights", "gram"))
    check_real("rate", rate, 0, math.inf, "it is the size of a step", closed="()")
    check_integer("steps", steps, 1, None, "without a step nothing is learned")
    step = step or Step(network.config.activation, loss, network.config.normalise)
    order = None if batch is None else visits(x.shape[1], steps, batch, seed)
    if method == "gram":
        both = penalty is None and mix is None
        check(both, "method", method, "'weights' with a penalty or mix", "or put them into `step`")
        return _in_products(network, x, y, steps, rate, step, order, on_step)
    return _in_weights(network, x, y, steps, rate, step, order, on_step, penalty, mix, seed)


def _in_weights(
    network: PatchNet, x: Tensor, y: Tensor, steps: int, rate: float, step: Step, order: Any, on_step: Watch | None,
    penalty: Penalty | None, mix: Mix | None, seed: int,
) -> PatchNet:  # fmt: skip
    y, trained = y.to(x.dtype), network.config.output != "fixed"
    factors, random = network.config.factors.to(x), torch.Generator().manual_seed(seed)
    w, u = network.weights.clone(), network.second.clone()
    current = replace(network, weights=w, second=u)
    with torch.no_grad():
        for done in range(steps + 1):
            rows = None if order is None else torch.from_numpy(order[min(done, steps - 1)])
            part, labels = (x, y) if rows is None else (x[:, rows], y[:, rows])
            part, labels = (part, labels) if mix is None else mix(part, labels, random)
            h, v = current.preactivations(part).flatten(3), u.flatten(1, 2).mT * factors
            f, dh, dv = step(h, v, labels, trained)
            if (on_step and on_step(Moment(done, rows, f, lambda: _normalised(current, x)))) or done == steps:
                break
            dw, du = (dh.flatten(1, 2).mT @ part.flatten(1, 2)).view_as(w), torch.zeros_like(u)
            if trained:
                du += ((dv if u.shape[-1] > 1 else dv.sum(1, keepdim=True)) * factors).mT.view_as(u)
            if penalty is not None:
                for slope, more in zip((dw, du), _gradient(penalty, current, part, labels), strict=True):
                    slope += more
            w -= rate * dw
            u -= rate * du if trained else 0
    if not bool(torch.isfinite(w).all()):
        raise InputError(f"`rate` must be small enough to converge, got {rate}; take a smaller one")
    return _normalised(current, x)


def _in_products(
    network: PatchNet, x: Tensor, y: Tensor, steps: int, rate: float, step: Step, order: Any, on_step: Watch | None
) -> PatchNet:
    exact, factors, rows = x.double(), network.config.factors, x.double().flatten(1, 2)
    first = replace(network, weights=network.weights.double(), second=network.second.double())
    start, second = first.preactivations(exact).flatten(3), first.second.flatten(1, 2).mT * factors.to(x.device)

    def built(state: GramState) -> PatchNet:
        added = torch.from_numpy(state.coefficients).flatten(1, 2).to(x.device).mT @ rows
        u = (torch.from_numpy(state.second) / factors).mT.view_as(network.second)
        now = _normalised(
            replace(first, weights=first.weights + added.view_as(first.weights), second=u.to(x.device)), exact
        )
        parts = (now.weights, now.second, now.deviation)
        return PatchNet(network.config, *(part if part is None else part.to(x.dtype) for part in parts))  # type: ignore[arg-type]

    def watch(state: GramState) -> object:
        points = None if order is None else torch.from_numpy(order[min(state.step, steps - 1)])
        return on_step(Moment(state.step, points, torch.from_numpy(state.outputs), lambda: built(state)))  # type: ignore[misc]

    arrays = (part.numpy(force=True) for part in (y, start, second))
    end = gram_descent(
        PatchGram.of(exact.numpy(force=True)),
        *arrays,
        rate=rate,
        steps=steps,
        step=step,
        trained=network.config.output != "fixed",
        scale=factors.abs().numpy(),
        order=order,
        on_step=None if on_step is None else watch,
    )
    return built(end)


def _normalised(network: PatchNet, x: Tensor) -> PatchNet:
    """With the deviations of its training points, if its neurons are normalised."""
    if not network.config.normalise:
        return network
    deviation = root_mean_square(network.preactivations(x).flatten(3)).view(network.weights.shape[:3])
    return replace(network, deviation=deviation)


def _gradient(penalty: Penalty, network: PatchNet, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    """Of the penalty, by weights and second layer."""
    with torch.enable_grad():
        leaves = [part.detach().requires_grad_() for part in (network.weights, network.second)]
        value = penalty(replace(network, weights=leaves[0], second=leaves[1]), x, y).sum()
        found = torch.autograd.grad(value, leaves, allow_unused=True)
    return tuple(torch.zeros_like(leaf) if g is None else g for leaf, g in zip(leaves, found, strict=True))


def _check(network: PatchNet, x: Tensor, y: Tensor) -> None:
    B, d, P = *network.weights.shape[::3], network.second.shape[-1]
    fits = x.ndim == 4 and x.shape[::3] == (B, d) and P in (1, x.shape[2]) and y.shape == x.shape[:2]
    check(fits, "x", tuple(x.shape), f"({B}, n, P, {d}) with labels ({B}, n)", "one data set for each network")
    check(x.dtype == network.weights.dtype, "x", x.dtype, f"{network.weights.dtype}, as the weights", "x.to(dtype)")
    check(bool(torch.isfinite(x).all()), "x", "nan or infinite numbers", "finite", "drop or fill those points")
    check(
        bool((y.abs() == 1).all()),
        "y",
        sorted(set(y.flatten().tolist()))[:5],
        "-1 or 1",
        "2 * y - 1 of classes 0 and 1",
    )

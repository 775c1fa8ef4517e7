"""A two-layer ReLU network with a fixed second layer, trained by full-batch gradient descent; many at once.

Output c of C is F_c(x) = (1/m) Σ_r ReLU(<w_cr, x> + b_cr) over its own m neurons; the loss is the cross-entropy of softmax(F).
With C = 2 that is f = F_1 - F_0 under the logistic loss, the network of Li, Pan, Lyu, Li (arXiv 2410.10322); with C = k it is
their network under cluster labels. So supervision is a choice of labels, not of learner.

A batch of B networks, each with its own data, is one set of tensors: weights (B, C, m, D), biases (B, C, m).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from twopart._checks import InputError, check
from twopart.settings import at_least, between, settings

POSITIVE = between(0, math.inf, "()")


@settings
class TwoLayerConfig:
    """A network and how it is trained."""

    outputs: Annotated[int, at_least(2).because("a classifier has two outputs or more"), "C."]
    neurons: Annotated[int, at_least(1).because("an output without neurons is constant"), "m, neurons per output."]
    steps: Annotated[int, at_least(1).because("without a step nothing is learned"), "Steps of gradient descent."]
    learning_rate: Annotated[float, POSITIVE.because("it is the size of a step"), "η."]
    initial: Annotated[
        float,
        POSITIVE.because("at 0 no neuron is ever active"),
        "Standard deviation of the initial weights and biases.",
    ] = 1e-5


@dataclass(frozen=True, eq=False)
class TwoLayer:
    """B networks."""

    weights: Tensor
    """Shape (B, C, m, D)."""
    biases: Tensor
    """Shape (B, C, m)."""

    def preactivations(self, x: Tensor) -> Tensor:
        """<w, x> + b of every neuron for points of shape (B, n, D), shape (B, n, C, m)."""
        B, C, m, D = self.weights.shape
        flat = torch.baddbmm(self.biases.view(B, 1, C * m), x, self.weights.view(B, C * m, D).mT)
        return flat.view(B, -1, C, m)

    def outputs(self, x: Tensor, leak: float = 0.0) -> Tensor:
        """F for points of shape (B, n, D), shape (B, n, C). `leak` > 0 lets a part of what ReLU cuts off through."""
        return outputs(self.preactivations(x), leak)


def outputs(preactivations: Tensor, leak: float = 0.0) -> Tensor:
    """F from what the neurons get, shape (..., C, m) to (..., C)."""
    return torch.nn.functional.leaky_relu(preactivations, leak).mean(-1)


def initialise(config: TwoLayerConfig, dimension: int, seeds: list[int], device: str = "cpu") -> TwoLayer:
    """Normal weights and biases, a network for each seed; the same on every device."""
    shape = (config.outputs, config.neurons, dimension + 1)
    drawn = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    both = (torch.stack(drawn) * config.initial).to(device)
    return TwoLayer(both[..., :-1].contiguous(), both[..., -1].contiguous())


def train_two_layer(
    config: TwoLayerConfig,
    network: TwoLayer,
    x: Tensor,
    labels: Tensor,
    on_step: Callable[[int, TwoLayer], None] = lambda step, network: None,
) -> TwoLayer:
    """Gradient descent from `network` on points x (B, n, D) with labels (B, n) in 0..C-1.

    `on_step(t, network)` is called before the first step (t = 0) and after each; it must copy what it keeps.
    """
    B, C, m, D = network.weights.shape
    check(config.outputs == C, "network", C, f"one of {config.outputs} outputs", "initialise it from the same config")
    same = x.shape[::2] == (B, D) and labels.shape == x.shape[:2]
    check(same, "x", tuple(x.shape), f"({B}, n, {D}) with labels ({B}, n)", "one data set for each network")
    weights, biases = network.weights.clone().view(B, C * m, D), network.biases.clone().view(B, 1, C * m)
    current = TwoLayer(weights.view(B, C, m, D), biases.view(B, C, m))
    target = one_hot(labels, C).to(x.dtype)
    on_step(0, current)
    with torch.no_grad():
        for step in range(1, config.steps + 1):
            before = torch.baddbmm(biases, x, weights.mT)
            slope = _slope(before.view(B, -1, C, m), target, x.shape[1] * m)
            weights.baddbmm_(slope.mT, x, alpha=-config.learning_rate)
            biases.sub_(slope.sum(1, keepdim=True), alpha=config.learning_rate)
            on_step(step, current)
    if not bool(torch.isfinite(weights).all()):
        raise InputError(
            f"`learning_rate` must be small enough to converge, got {config.learning_rate}; take a smaller"
        )
    return current


def _slope(before: Tensor, target: Tensor, scale: int) -> Tensor:
    """Derivative of the mean cross-entropy by what the neurons get, shape (B, n, C, m) to (B, n, C m)."""
    error = (outputs(before).softmax(-1) - target).div_(scale)
    return (error[..., None] * (before > 0)).flatten(2)

"""What a network computes in a block, kept for its gradient, and views of it for each step, made once.

Rows are in order of time: row t B + b is step t of lane b, so a step is a slab of B rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from twopart.learners._operators import NORM_EPSILON
from twopart.learners.transformer import Block, TransformerConfig

SYMBOLS = 256
_EPSILON = np.float32(NORM_EPSILON)


class Layer(NamedTuple):
    """What one block of a network computed; a row per step and lane, R = T B rows."""

    attention_norm: Tensor
    attention_scale: Tensor
    qkv: Tensor
    """(R, 3C), queries and keys turned."""
    keys: Tensor
    """(B, heads, memory + T, D)."""
    values: Tensor
    weights: Tensor
    """(T, B, heads, memory + T), 0 beyond each step."""
    mixed: Tensor
    middle: Tensor
    feed_norm: Tensor
    feed_scale: Tensor
    gate_up: Tensor
    gated: Tensor


class Kept(NamedTuple):
    """What a network computed in a block, or, as views of it, in a step."""

    tokens: Tensor
    """(R,): the bytes it was given."""
    xs: list[Tensor]
    """The residual stream (R, C) before each layer and after the last."""
    layers: list[Layer]
    features: Tensor
    scale: Tensor
    rows: Tensor
    """(R, 256): the probabilities, and then their errors."""


class Loops(NamedTuple):
    """What the compiled loops of one layer and step are called with, as arrays: made once, as making them takes time."""

    attention_norm: tuple[Any, ...]
    attend: tuple[Any, ...]
    feed_norm: tuple[Any, ...]
    gate: tuple[Any, ...]


class Matrices(NamedTuple):
    """A layer's matrices without their gradient's books; the storage is the model's own."""

    query_key_value: Tensor
    out: Tensor
    gate_up: Tensor
    down: Tensor


def kept_of(config: TransformerConfig, lanes: int, block: int) -> Kept:
    rows, C = lanes * block, config.width
    return Kept(
        tokens=torch.zeros(rows, dtype=torch.int64),
        xs=[torch.zeros(rows, C) for _ in range(config.layers + 1)],
        layers=[_layer(config, lanes, block) for _ in range(config.layers)],
        features=torch.zeros(rows, C),
        scale=torch.zeros(rows),
        rows=torch.zeros(rows, SYMBOLS),
    )


def _layer(config: TransformerConfig, lanes: int, block: int) -> Layer:
    B, R, C, H = lanes, lanes * block, config.width, config.inner
    heads, D, S = config.heads, config.head_width, config.context
    return Layer(
        attention_norm=torch.zeros(R, C),
        attention_scale=torch.zeros(R),
        qkv=torch.zeros(R, 3 * C),
        keys=torch.zeros(B, heads, S, D),
        values=torch.zeros(B, heads, S, D),
        weights=torch.zeros(block, B, heads, S),
        mixed=torch.zeros(R, C),
        middle=torch.zeros(R, C),
        feed_norm=torch.zeros(R, C),
        feed_scale=torch.zeros(R),
        gate_up=torch.zeros(R, 2 * H),
        gated=torch.zeros(R, H),
    )


def step_of(kept: Kept, t: int, lanes: int) -> Kept:
    """Views of step t."""
    rows = slice(t * lanes, (t + 1) * lanes)
    layers = [
        Layer(*(tensor[rows] for tensor in layer))._replace(
            keys=layer.keys, values=layer.values, weights=layer.weights[t]
        )
        for layer in kept.layers
    ]
    xs = [x[rows] for x in kept.xs]
    return Kept(kept.tokens[rows], xs, layers, kept.features[rows], kept.scale[rows], kept.rows[rows])


def loops_of(block: Block, kept: Layer, x: Tensor, lanes: int) -> Loops:
    """For one step: `kept` and x are views of it."""
    split = lanes, 3, block.heads, -1
    return Loops(
        attention_norm=norm_of(x, block.attention_norm, kept.attention_norm, kept.attention_scale),
        attend=(
            kept.qkv.numpy().reshape(split),
            kept.keys.numpy(),
            kept.values.numpy(),
            kept.weights.numpy(),
            kept.mixed.numpy().reshape(lanes, block.heads, -1),
        ),
        feed_norm=norm_of(kept.middle, block.feed_norm, kept.feed_norm, kept.feed_scale),
        gate=(kept.gate_up.numpy().reshape(lanes, 2, -1), kept.gated.numpy()),
    )


def norm_of(x: Tensor, gain: Tensor, out: Tensor, scale: Tensor) -> tuple[Any, ...]:
    """What `norm_forward` is called with."""
    return x.numpy(), gain.detach().numpy(), _EPSILON, out.numpy(), scale.numpy()

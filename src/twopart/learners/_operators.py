"""The model's operators: PyTorch's own, or on a CPU the loops of `_kernels.py` and the products of `_products.py`.

    norm(x, gain, epsilon)                    RMSNorm
    attend(qkv, heads, cosines, sines)        rotary positions and causal attention, sentence by sentence
    gated(gate_up, activation)                SwiGLU: silu(gate) * up
    cross_entropy(x, table, targets, weights) what each target costs, with the gradient made on the way

Each is one node of the autograd graph on a CPU. Under torch.compile, on a GPU and in float64 they are plain formulas;
tests hold both ways against each other and against Hugging Face's model. A batch is a matrix with a row per token: row
b T + t is position t of sentence b, and only attention needs to know.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from twopart.learners import _kernels
from twopart.learners._products import multiply, plain, product, spaced, summed_products

NORM_EPSILON = 1e-6
"""Added to the mean square in RMSNorm; Hugging Face's default for Llama."""
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "silu": functional.silu,
    "gelu": functional.gelu,
    "gelu_tanh": partial(functional.gelu, approximate="tanh"),
    "relu": functional.relu,
}
"""What a gate may be put through."""
SHORT = 24
"""Longest sentence for the attention loop. Beside PyTorch's blocked attention it is 2 to 3 times as fast at 4 tokens, 1.2 to
1.4 times at 24, and no faster from 32 on (head widths 16 to 64)."""
LOGITS = 1 << 22
"""Most logits held at a time in training; fewer would only make the products smaller."""


def norm(x: Tensor, gain: Tensor, epsilon: float = NORM_EPSILON) -> Tensor:
    """x / sqrt(mean x^2 + epsilon) * gain over the last dimension (Zhang and Sennrich 2019, equation 4)."""
    if plain(x):
        return functional.rms_norm(x, gain.shape, gain, epsilon)
    return _norm(x, gain, epsilon)


def attend(qkv: Tensor, heads: int, cosines: Tensor, sines: Tensor) -> Tensor:
    """Causal attention (B T, heads D) from queries, keys and values side by side, turned by position first.

    Cosines and sines are (T, D/2). Keys and values may have fewer heads than queries, each for as many of these as come
    next to each other. `qkv` may be overwritten: nothing else may need it.
    """
    T, D = len(cosines), 2 * cosines.shape[1]
    every = qkv.shape[1] // D
    fewer = (every - heads) // 2  # heads of keys, and of values
    shape, split = (len(qkv) // T, T, every, D), (heads, fewer, fewer)
    if plain(qkv):
        queries, keys, values = qkv.view(shape).split_with_sizes(split, 2)
        queries, keys = turn(queries, cosines, sines), turn(keys, cosines, sines)
    else:
        qkv = _rotate(qkv, heads + fewer, cosines, sines)
        if T <= SHORT and fewer == heads:
            return _attend(qkv, T, heads)
        queries, keys, values = qkv.view(shape).split_with_sizes(split, 2)
    if fewer < heads:
        keys, values = (part.repeat_interleave(heads // fewer, 2) for part in (keys, values))
    q, k, v = queries.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2)
    mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    return mixed.transpose(1, 2).reshape(-1, heads * D)


def turn(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Rotary positions for x (B, T, heads, D): entry i turns with entry i + D/2 (Hugging Face's order of the pairs)."""
    first, second = x.chunk(2, -1)
    c, s = cosines.unsqueeze(1), sines.unsqueeze(1)
    return torch.cat((first * c - second * s, second * c + first * s), -1)


def gated(gate_up: Tensor, activation: str = "silu") -> Tensor:
    """silu(gate) * up of the two halves of the last dimension (Shazeer 2020), or another activation of the gate."""
    if plain(gate_up) or activation != "silu":
        gate, up = gate_up.chunk(2, -1)
        return ACTIVATIONS[activation](gate) * up
    return _gated(gate_up)


def cross_entropy(x: Tensor, table: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """The sum of weights * nats, and nats = -log softmax(x @ table.T)[targets] (not differentiable), for rows x (M, C)."""
    if not plain(x) and torch.is_grad_enabled():
        return _cross_entropy(x, table, targets, weights)
    logits = product(x, table.t())
    single_or_more = torch.promote_types(logits.dtype, torch.float32)
    nats = functional.cross_entropy(logits.to(single_or_more), targets, reduction="none")
    return (nats * weights).sum(), nats.detach()


def _array(x: Tensor) -> Any:
    return x.detach().contiguous().numpy()


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, epsilon: float) -> Tensor:
        y, scale = x.new_empty(x.shape), x.new_empty(len(x))
        _kernels.norm_forward(_array(x), _array(gain), np.float32(epsilon), _array(y), _array(scale))
        ctx.save_for_backward(x, gain, scale)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, Tensor, None]:
        x, gain, scale = ctx.saved_tensors
        dx, dgain = x.new_empty(x.shape), torch.zeros_like(gain)
        _kernels.norm_backward(_array(x), _array(gain), _array(scale), _array(dy), _array(dx), _array(dgain))
        return dx, dgain, None


class _Rotate(torch.autograd.Function):
    """In place both ways: the attention that follows has just made the gradient that comes back, and nobody else holds it."""

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, turned: int, cosines: Tensor, sines: Tensor) -> Tensor:
        ctx.turned = turned
        ctx.save_for_backward(cosines, sines)
        ctx.mark_dirty(qkv)
        _rotate_rows(qkv, turned, cosines, sines)
        return qkv

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        cosines, sines = ctx.saved_tensors
        gradient = gradient.contiguous()
        _rotate_rows(gradient, ctx.turned, cosines, -sines)
        return gradient, None, None, None


def _rotate_rows(qkv: Tensor, turned: int, cosines: Tensor, sines: Tensor) -> None:
    """Turn the first heads of each row: those of queries and keys."""
    T, half = cosines.shape
    rows = _array(qkv).reshape(len(qkv) // T, T, -1, 2 * half)
    _kernels.rotate(rows, turned, _array(cosines), _array(sines))


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, qkv: Tensor, length: int, heads: int) -> Tensor:
        B, C = len(qkv) // length, qkv.shape[1] // 3
        ctx.shape = B, length, 3, heads, C // heads
        out, weights = qkv.new_empty(len(qkv), C), qkv.new_empty(B, heads, length, length)
        _kernels.attention_forward(
            _array(qkv).reshape(ctx.shape), _array(out).reshape(B, length, heads, -1), _array(weights)
        )
        ctx.save_for_backward(qkv, weights)
        return out

    @staticmethod
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor, None, None]:
        qkv, weights = ctx.saved_tensors
        dqkv = qkv.new_zeros(qkv.shape)
        B, length, _, heads, size = ctx.shape
        x, dx = (_array(part).reshape(ctx.shape) for part in (qkv, dqkv))
        _kernels.attention_backward(x, _array(weights), _array(dout).reshape(B, length, heads, size), dx)
        return dqkv, None, None


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate_up: Tensor) -> Tensor:
        rows, width = gate_up.shape
        out = gate_up.new_empty(rows, width // 2)
        _kernels.gate_forward(_array(gate_up).reshape(rows, 2, -1), _array(out))
        ctx.save_for_backward(gate_up)
        return out

    @staticmethod
    def backward(ctx: Any, dout: Tensor) -> Tensor:
        (gate_up,) = ctx.saved_tensors
        result: Tensor = gate_up.new_empty(gate_up.shape)
        x, dx = (_array(part).reshape(len(part), 2, -1) for part in (gate_up, result))
        _kernels.gate_backward(x, _array(dout), dx)
        return result


class _CrossEntropy(torch.autograd.Function):
    """The gradient is made in the forward pass, where the logits are at hand, block by block of rows."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, table: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        nats, dx = x.new_empty(len(x)), list[Tensor]()
        dtable = None if len(x) else torch.zeros_like(table)  # a process's share of a batch may score nothing
        rows = max(1, LOGITS // len(table))
        for part in (slice(start, start + rows) for start in range(0, len(x), rows)):
            logits, block = spaced(x[part], table.t())
            tops, at = logits.amax(1), targets[part]
            _kernels.softmax_errors(*map(_array, (block, tops, at, weights[part], nats[part])), len(table))
            dx.append(multiply(logits, table))
            more = summed_products(logits, x[part])
            dtable = more if dtable is None else dtable.add_(more)
        ctx.save_for_backward(dx[0] if len(dx) == 1 else torch.cat([x[:0], *dx]), dtable)
        ctx.mark_non_differentiable(nats)
        return nats @ weights, nats

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor, Tensor, None, None]:
        dx, dtable = ctx.saved_tensors
        if gradient.item() != 1:  # it is 1 where the sum is what is descended
            dx, dtable = dx * gradient, dtable * gradient
        return dx, dtable, None, None


_norm: Callable[[Tensor, Tensor, float], Tensor] = _Norm.apply
_rotate: Callable[[Tensor, int, Tensor, Tensor], Tensor] = _Rotate.apply
_attend: Callable[[Tensor, int, int], Tensor] = _Attend.apply
_gated: Callable[[Tensor], Tensor] = _Gated.apply
_cross_entropy: Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]] = _CrossEntropy.apply

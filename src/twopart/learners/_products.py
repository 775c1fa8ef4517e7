"""Matrix products of float32 on a CPU through oneDNN, which is built into PyTorch's x86 wheels.

PyTorch sends float32 products to MKL, and MKL takes its AVX2 path on every processor that is not Intel's. On an AMD EPYC
with AVX-512 that is 105 GFLOP/s per core of the 258 it can do; oneDNN's kernels for the same product reach 240. All
three products of a linear layer and its gradient go this way; tests compare them with PyTorch's own.

    product(x, weight)     x (..., in) @ weight (in, out), differentiable

Weights are stored (in, out), the layout in which oneDNN gives the weight's gradient fastest and already contiguous.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

ONEDNN: bool = hasattr(torch.ops.mkldnn, "_linear_pointwise")
"""Whether this build of PyTorch has oneDNN's linear layer; without it the products are PyTorch's own."""


def product(x: Tensor, weight: Tensor) -> Tensor:
    """`x @ weight` for x (..., in) and weight (in, out)."""
    if not ONEDNN or x.device.type != "cpu":
        return x @ weight
    return _differentiable(x, weight)


def multiply(left: Tensor, right: Tensor) -> Tensor:
    """`left @ right` of two matrices, each contiguous or a transposed view; not differentiable."""
    if not ONEDNN or left.device.type != "cpu":
        return left @ right
    result: Tensor = torch.ops.mkldnn._linear_pointwise(left, right.t(), None, "none", [], "")
    return result


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return multiply(x.flatten(0, -2), weight).view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        rows = gradient.flatten(0, -2)
        return multiply(rows, weight.t()).view_as(x), multiply(x.flatten(0, -2).t(), rows)


_differentiable: Callable[[Tensor, Tensor], Tensor] = _Product.apply

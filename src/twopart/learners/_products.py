"""Matrix products of float32 on a CPU, with AVX-512 through oneDNN, which is built into PyTorch's x86 wheels.

PyTorch sends float32 products to MKL, and MKL takes its AVX2 path on every processor that is not Intel's. On an AMD EPYC
with AVX-512 that is 105 GFLOP/s per core of the 258 it can do; oneDNN's kernels for the same product reach 240. With AVX2
alone MKL is the faster of the two, by 5 to 25 % for outputs and 30 to 100 % for weights' gradients, and products stay with it.
All three products of a linear layer and its gradient go one way; tests compare both with float64.

    product(x, weight)     x (rows, in) @ weight (in, out), differentiable

Weights are stored (in, out), the layout in which oneDNN gives the weight's gradient fastest and already contiguous.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

ONEDNN: bool = hasattr(torch.ops.mkldnn, "_linear_pointwise") and torch.backends.cpu.get_cpu_capability() == "AVX512"
"""Whether products go to oneDNN's linear layer: this build of PyTorch has it, and the processor AVX-512."""


def product(x: Tensor, weight: Tensor) -> Tensor:
    """`x @ weight` for x (rows, in) and weight (in, out)."""
    return x @ weight if not ONEDNN or plain(x) else _differentiable(x, weight)


def plain(x: Tensor) -> bool:
    """Whether PyTorch's own operators are used: under the compiler, off the CPU, and in other precisions than float32."""
    return torch.compiler.is_compiling() or x.device.type != "cpu" or x.dtype != torch.float32


def multiply(left: Tensor, right: Tensor) -> Tensor:
    """`left @ right` of two matrices, each contiguous or a transposed view; not differentiable."""
    if not ONEDNN or plain(left):
        return left @ right
    result: Tensor = torch.ops.mkldnn._linear_pointwise(left, right.t(), None, "none", [], "")
    return result


def spaced(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """`multiply`, and the block it lies in, whose rows begin at multiples of 64 bytes.

    Into rows of an odd length MKL takes up to twice as long (1,024 x 64 by 64 x 1,025: 4.9 ms, not 1.9); numbers are the same.
    """
    if ONEDNN or plain(left):
        result = multiply(left, right)
        return result, result
    columns = right.shape[1]
    block = left.new_empty(len(left), columns + -columns % 16)
    return torch.mm(left, right, out=block[:, :columns]), block


def summed_products(x: Tensor, y: Tensor) -> Tensor:
    """`x.T @ y` for matrices with a row per token: a weight's gradient.

    oneDNN copies a transposed left factor, so the narrower of the two goes there.
    """
    if not ONEDNN or x.shape[1] <= y.shape[1]:
        return multiply(x.t(), y)
    return multiply(y.t(), x).t().contiguous()


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return multiply(x, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        return multiply(gradient, weight.t()), summed_products(x, gradient)


_differentiable: Callable[[Tensor, Tensor], Tensor] = _Product.apply

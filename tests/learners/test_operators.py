"""The compiled loops and oneDNN's products against PyTorch's own operators and autograd, values and gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from twopart.learners import _operators as operators
from twopart.learners import _products
from twopart.learners._kernels import exponential
from twopart.learners._products import multiply, product, summed_products
from twopart.learners.transformer import rotary_tables


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def assert_same(ours: Callable[..., Tensor], theirs: Callable[..., Tensor], *inputs: Tensor) -> None:
    """Equal values, and equal gradients for all inputs under one random direction; theirs is computed in float64."""
    mine = [x.clone().requires_grad_() for x in inputs]
    exact = [x.double().requires_grad_() for x in inputs]
    y, z = ours(*mine), theirs(*exact)
    direction = random(*y.shape, seed=99)
    torch.testing.assert_close(y.double(), z, rtol=1e-5, atol=1e-5)
    pairs = zip(torch.autograd.grad(y, mine, direction), torch.autograd.grad(z, exact, direction.double()), strict=True)
    for one, other in pairs:
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=2e-5)


def attention_by_hand(qkv: Tensor, T: int, heads: int, angles: Tensor) -> Tensor:
    """Scores position by position, each pair of entries turned as a complex number."""
    rows, C = qkv.shape[0], qkv.shape[1] // 3
    D = C // heads
    parts = qkv.view(rows // T, T, 3, heads, D)
    turned = torch.polar(torch.ones_like(angles), angles)
    out = []
    for part in (0, 1):
        pairs = torch.complex(parts[:, :, part, :, : D // 2].contiguous(), parts[:, :, part, :, D // 2 :].contiguous())
        pairs = pairs * turned[None, :, None]
        out.append(torch.cat((pairs.real, pairs.imag), -1))
    q, k, v = out[0], out[1], parts[:, :, 2]
    mixed = []
    for t in range(T):
        scores = torch.einsum("bhd,buhd->bhu", q[:, t], k[:, : t + 1]) / D**0.5
        mixed.append(torch.einsum("bhu,buhd->bhd", scores.softmax(-1), v[:, : t + 1]))
    return torch.stack(mixed, 1).reshape(rows, C)


@pytest.mark.parametrize(("rows", "width"), [(1, 2), (5, 7), (40, 128)])
def test_norm(rows: int, width: int) -> None:
    assert_same(
        operators.norm,
        lambda x, g: functional.rms_norm(x, (width,), g, operators.NORM_EPSILON),
        random(rows, width),
        random(width, seed=1),
    )


@pytest.mark.parametrize(("T", "heads", "size"), [(1, 1, 2), (6, 3, 8), (24, 2, 6), (25, 2, 8), (40, 1, 16)])
def test_attention(T: int, heads: int, size: int) -> None:
    """Below, at and above the length at which PyTorch's attention takes over."""
    cosines, sines = rotary_tables(T, size)
    frequencies = 10_000.0 ** (-torch.arange(0, size, 2).double() / size)
    angles = torch.outer(torch.arange(T).double(), frequencies)
    assert_same(
        lambda qkv: operators.attend(qkv * 1, heads, cosines, sines),
        lambda qkv: attention_by_hand(qkv, T, heads, angles),
        random(3 * T, 3 * heads * size),
    )


@pytest.mark.parametrize("scale", [1.0, 30.0, 1000.0])
def test_gate(scale: float) -> None:
    """Far beyond where e^x overflows, too."""
    x = random(13, 18)
    x[:, :9] *= scale
    assert_same(operators.gated, lambda x: functional.silu(x[:, :9]) * x[:, 9:], x)


def test_exponential() -> None:
    x = np.linspace(-87, 88, 200_001, dtype=np.float32)
    y = np.array([exponential(value) for value in x[::40]])
    np.testing.assert_allclose(y, np.exp(x[::40].astype(np.float64)), rtol=3e-7)
    assert 0 < exponential(np.float32(-1e9)) < 1e-37
    assert exponential(np.float32(1e9)) > 1e38


@pytest.mark.parametrize("onednn", [False, True])
@pytest.mark.parametrize("shape", [(1, 1, 1), (9, 4, 7), (9, 7, 4), (896, 128, 64)])
def test_products(shape: tuple[int, int, int], onednn: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways, whichever this processor takes."""
    if onednn and not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        pytest.skip("this build of PyTorch is without oneDNN")
    monkeypatch.setattr(_products, "ONEDNN", onednn)
    rows, inner, outer = shape
    assert_same(product, lambda x, w: x @ w, random(rows, inner), random(inner, outer, seed=1))
    x, y = random(rows, inner), random(rows, outer, seed=1)
    torch.testing.assert_close(summed_products(x, y), x.t() @ y, rtol=1e-4, atol=1e-4)
    assert summed_products(x, y).is_contiguous()
    torch.testing.assert_close(multiply(y.t(), x), y.t() @ x, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rows", [4, 1])
def test_cross_entropy(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all rows' logits at a time, and with those of one."""
    monkeypatch.setattr(operators, "LOGITS", 11 * rows)
    targets, weights = torch.tensor([3, 0, 10, 3]), torch.tensor([0.5, 0.25, 0.0, 0.25])

    def theirs(x: Tensor, table: Tensor) -> Tensor:
        return (functional.cross_entropy(x @ table.t(), targets, reduction="none") * weights).sum()

    x, table = random(4, 6), random(11, 6, seed=1)
    assert_same(lambda x, table: operators.cross_entropy(x, table, targets, weights)[0], theirs, x, table)
    nats = operators.cross_entropy(x.requires_grad_(), table.requires_grad_(), targets, weights)[1]
    torch.testing.assert_close(nats, functional.cross_entropy(x @ table.t(), targets, reduction="none"))
    assert not nats.requires_grad


def test_cross_entropy_of_nothing_is_nothing() -> None:
    x, table = random(0, 6).requires_grad_(), random(11, 6).requires_grad_()
    nothing, nats = operators.cross_entropy(x, table, torch.empty(0, dtype=torch.long), torch.empty(0))
    dx, dtable = torch.autograd.grad(nothing, (x, table))
    assert (nothing.item(), len(nats), len(dx), dtable.count_nonzero().item()) == (0, 0, 0, 0)


def test_cross_entropy_keeps_improbable_targets_finite() -> None:
    """A target 200 nats below the best costs 200 nats, though its probability is 0 in float32."""
    x, table = torch.tensor([[1.0]], requires_grad=True), torch.tensor([[200.0], [0.0]])
    _, nats = operators.cross_entropy(x, table, torch.tensor([1]), torch.ones(1))
    assert nats.item() == 200.0

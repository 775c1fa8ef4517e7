"""The account of residuals against arithmetic by hand, sharpness against whole Hessians, both on training that oscillates."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from twopart.laws.features import oscillation as law
from twopart.learners.features import Account, oscillation
from twopart.learners.features.residual_account import residuals

TYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def descend(net, loss, rate):
    """A step."""
    (slope,) = torch.autograd.grad(loss, [net.w])
    net.w.data -= rate * slope


class Mean2(nn.Module):
    """F_+ of m neurons: the mean of relu(<w, x>)²."""

    def __init__(self, m, d, dtype):
        super().__init__()
        torch.manual_seed(0)
        self.w = nn.Parameter(1e-2 * torch.randn(m, d, dtype=dtype))

    def forward(self, x):
        return (x @ self.w.T).clip(min=0).square().mean(-1)


@TYPES
def test_residuals_of_each_loss_by_hand(dtype):
    f = torch.tensor([0.5, -2.0, 3.0], dtype=dtype)
    assert residuals("square", f, torch.tensor([1.0, -1.0, 2.0])).tolist() == pytest.approx([0.5, -1.0, -1.0])
    assert residuals("square", f[:, None].numpy(), [1.0, -1.0, 2.0]).tolist() == pytest.approx([0.5, -1.0, -1.0])
    wrong = [1 / (1 + math.exp(0.5)), 1 / (1 + math.exp(2.0)), 1 / (1 + math.exp(-3.0))]
    for y in ([1, -1, -1], [1, 0, 0], [True, False, False]):
        assert residuals("logistic", f, torch.tensor(y)).tolist() == pytest.approx(wrong, rel=1e-6)
    logits = torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]], dtype=dtype)
    expected = [1 - math.e / (math.e + 2), 1 - 1 / (math.e**2 + 2)]
    assert residuals("cross-entropy", logits, torch.tensor([0, 2])).tolist() == pytest.approx(expected, rel=1e-6)


def test_groups_have_accounts_of_their_own():
    watch = oscillation(nn.Linear(2, 1))
    watch(torch.tensor([[0.5], [0.0], [2.0]]), torch.ones(3), ["a", "b", "a"])
    watch(torch.tensor([3.0]), torch.ones(1), ["a"])
    watch(torch.zeros(1), torch.ones(1))
    found = watch.accounts()
    assert {name: account.residuals.tolist() for name, account in found.items()} == {
        "a": [-0.25, -2.0],
        "b": [1.0],
        "all": [1.0],
    }
    assert (found["a"].total, found["a"].drift) == (-2.25, -2.0)
    assert found["b"].interval == (-math.inf, math.inf)
    numbered = oscillation(nn.Linear(2, 1))
    numbered(torch.zeros(2), torch.ones(2), torch.tensor([4, 7]))
    assert set(numbered.accounts()) == {4, 7}


def test_intervals_cover_the_mean_of_white_noise(size):
    random, count = np.random.default_rng(0), size(400, 4000)
    inside = [low < 0.3 < high for low, high in (Account(0.3 + random.normal(size=100)).interval for _ in range(count))]
    assert np.mean(inside) == pytest.approx(0.95, abs=5 * math.sqrt(0.95 * 0.05 / count))


@pytest.mark.parametrize(("k", "dtype"), [(0.8, torch.float64), (1.1, torch.float32)])
def test_training_that_oscillates_drifts_as_the_law_says(k, dtype):
    m, u = 8, torch.tensor([[2.0, 0.0]], dtype=dtype)
    net = Mean2(m, 2, dtype)
    watch, y = oscillation(net), torch.ones(1, dtype=dtype)
    for _ in range(240):
        f = net(u)
        watch(f, y)
        descend(net, ((y - f) ** 2).mean() / 2, k * m / 8)
    account = watch.accounts()["all"]
    low, high = account.interval
    assert low - 1e-4 <= law.mean_residual(k) <= high + 1e-4
    assert account.drift == pytest.approx(law.mean_residual(k), abs=1e-3)
    assert account.turns == pytest.approx(1.0) if k > 1 else abs(account.drift) < 1e-6
    assert (account.total > 10) == (k > 1)


@TYPES
def test_sharpness_is_the_largest_eigenvalue(dtype):
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).to(dtype)
    x, y = torch.randn(12, 3, dtype=dtype), torch.randn(12, dtype=dtype)
    names, parts = zip(*net.named_parameters(), strict=True)

    def loss(*values):
        return ((torch.func.functional_call(net, dict(zip(names, values, strict=True)), x)[:, 0] - y) ** 2).mean()

    blocks = torch.autograd.functional.hessian(loss, tuple(parts))
    whole = torch.cat(
        [torch.cat([b.reshape(p.numel(), -1) for b in row], 1) for p, row in zip(parts, blocks, strict=True)]
    )
    eigenvalues = torch.linalg.eigvalsh(whole)
    largest = float(eigenvalues[eigenvalues.abs().argmax()])
    watch = oscillation(net)
    assert watch.sharpness(lambda: loss(*parts), tolerance=1e-6, iterations=2000) == pytest.approx(largest, rel=1e-3)
    assert watch.sharpness(lambda: -loss(*parts), tolerance=1e-6, iterations=2000) == pytest.approx(-largest, rel=1e-3)
    linear = nn.Linear(3, 1).to(dtype)
    assert oscillation(linear).sharpness(lambda: linear(x).mean()) == 0


def test_where_the_weak_feature_stopped_rate_times_sharpness_is_two():
    k, m, point = 1.2, 8, torch.tensor([[1.0, 0.0], [0.0, 0.5]], dtype=torch.float64)  # patches: strong, weak
    net, y = Mean2(m, 2, torch.float64), 1.0

    def loss():
        return (y - net(point).sum()) ** 2 / 2

    for _ in range(400):
        descend(net, loss(), k * m / 2)
    strong, weak = net(point).tolist()
    assert weak == pytest.approx(law.weak_end(k, 0.5), rel=0.05)
    sharpness = oscillation(net).sharpness(loss)
    assert k * m / 2 * sharpness == pytest.approx(2, rel=0.05)
    assert k * m / 2 * sharpness == pytest.approx(2 * law.edge(k, strong, weak, 0.5), rel=0.01)  # equal at f = 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: oscillation(None), "`module` must be a torch module"),
        (lambda: oscillation(nn.Linear(1, 1), "hinge"), "`loss` must be one of"),
        (lambda: residuals("hinge", [1.0], [1.0]), "`loss`"),
        (lambda: residuals("square", [math.nan], [1.0]), "`outputs` must be finite"),
        (lambda: residuals("square", [1.0, 2.0], [1.0]), "`outputs` must be \\(n,\\)"),
        (lambda: residuals("square", [1.0], [0.0]), "`targets` must be finite and not 0"),
        (lambda: residuals("square", [1.0], [math.inf]), "`targets`"),
        (lambda: residuals("logistic", [1.0, 1.0], [-1, 0]), "`targets` must be -1 or 1"),
        (lambda: residuals("cross-entropy", [[1.0, 2.0]], [2]), "`targets` must be whole"),
        (lambda: residuals("cross-entropy", [1.0], [0]), "`outputs` must be \\(n, C\\)"),
        (lambda: oscillation(nn.Linear(1, 1))([1.0], [1.0], ["a", "b"]), "`groups`"),
        (lambda: oscillation(nn.Linear(1, 1)).sharpness(lambda: torch.tensor(1.0)), "`loss` must be a finite number"),
        (lambda: oscillation(nn.Linear(1, 1)).sharpness(lambda: torch.ones(1), iterations=0), "`iterations`"),
        (lambda: oscillation(nn.Linear(1, 1)).sharpness(lambda: torch.ones(1), tolerance=0.0), "`tolerance`"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_page_opens_with_what_it_says(capsys):
    """docs/laws/benign-oscillation.md: digits with a tile as the strong feature; then the law's own lines."""
    page = (Path(__file__).parents[3] / "docs/laws/benign-oscillation.md").read_text()
    blocks, names = re.findall(r"```python\n(.*?)```", page, flags=re.S), {}
    assert len(blocks) == 3
    for block in blocks:
        exec(block, names)
    assert 2 / names["tile"] == pytest.approx(8 / (2 * 8), rel=0.05), (
        "the edge is m/(2 norm²), but for what strokes add"
    )
    small, large = (names[watch].accounts()["tile"] for watch in ("small", "large"))
    assert small.interval[0] < 0 < small.interval[1]
    assert 0 < large.interval[0] < law.mean_residual(1.2) < large.interval[1]
    assert names["less"] < 0.7 * names["error"]
    assert len(capsys.readouterr().out.splitlines()) == 5

"""The optimiser against plain formulas, torch's own SGD and Muon, and torch's conventions; variance reduction by hand."""

import copy
import io
import pickle
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses import FakeTensorMode

from twopart._checks import InputError
from twopart.laws.regression import margin
from twopart.learners.regression import SteepestDescent, normalised_margin, steepest
from twopart.worlds.regression import SeparableClasses

MUON = {"norm": "spectral", "momentum": 0.95, "nesterov": True, "weight_decay": 0.1, "svd": "newton-schulz"}
WAYS = [
    {},
    {"momentum": 0.9, "weight_decay": 0.1},
    {"momentum": 0.9, "nesterov": True},
    {"norm": "2", "momentum": 0.5},
    {"norm": "spectral", "adjust_lr_fn": "match_rms_adamw"},
    {"norm": ("schatten", 3)},
    {**MUON, "adjust_lr_fn": "original"},
]


def tensors(dtype=torch.float32, shapes=((4, 6), (4, 6), (6,), (3, 2, 2), ()), seed=0):
    random = torch.Generator().manual_seed(seed)
    made = [torch.randn(s, generator=random, dtype=dtype).requires_grad_() for s in shapes]
    for p in made:
        p.grad = torch.randn(p.shape, generator=random, dtype=dtype)
    return made


def steps(params, optimiser, count=3):
    random = torch.Generator().manual_seed(9)
    for _ in range(count):
        for p in params:
            p.grad = None if p.grad is None else torch.randn(p.shape, generator=random, dtype=p.dtype)
        optimiser.step()
    return [p.detach().clone() for p in params]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_step_by_hand(dtype):
    a, b = tensors(dtype), tensors(dtype)
    for norm in ("inf", "2", "spectral"):
        SteepestDescent(a, 0.1, norm).step()
        for p in b:
            M = p.grad.double().reshape(len(p) if p.ndim > 1 else 1, -1)
            if norm == "spectral":
                left, _, right = torch.linalg.svd(M, full_matrices=False)
                M = left @ right
            M = M.sign() if norm == "inf" else M / M.norm() if norm == "2" else M
            p.data -= (0.1 * M).to(dtype).reshape(p.shape)
        for p, q in zip(a, b, strict=True):
            torch.testing.assert_close(p, q, atol=0.02 if dtype == torch.bfloat16 else 1e-5, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_signs_are_those_of_sgd_on_signs(dtype):
    """SGD with torch's momentum on signs, for β = 0; with momentum, a plain loop."""
    shapes = (5, 7), (300,), (300, 300)  # so many numbers take the pass of their own
    a, b = tensors(dtype, shapes), tensors(dtype, shapes)
    a[1].grad[:9] = b[1].grad[:9] = 0.0
    SteepestDescent(a, 0.01).step()
    for p in b:
        p.grad.sign_()
    torch.optim.SGD(b, 0.01).step()
    assert all(torch.equal(p, q) for p, q in zip(a, b, strict=True))
    optimiser, means = SteepestDescent(a, 0.01, momentum=0.8, weight_decay=0.5, nesterov=True), [0.0] * 3
    for _ in range(3):
        for i, (p, q) in enumerate(zip(a, b, strict=True)):
            p.grad = torch.sin(3 * p.detach())
            means[i] = 0.8 * means[i] + 0.2 * p.grad
            q.data = q.data * (1 - 0.005) - 0.01 * (0.2 * p.grad + 0.8 * means[i]).sign()
        optimiser.step()
    for p, q in zip(a, b, strict=True):
        torch.testing.assert_close(p, q)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch < 2.9 has no Muon")
@pytest.mark.parametrize("adjusted", ["original", "match_rms_adamw"])
def test_newton_schulz_is_muon(adjusted):
    """To the bit one by one; together, products of stacks round otherwise, in bfloat16."""
    shapes = ((4, 6), (9, 3), (9, 3))
    peer, ours, together = (tensors(shapes=shapes) for _ in range(3))
    expected = steps(peer, torch.optim.Muon(peer, 0.02, adjust_lr_fn=adjusted))
    options = {**MUON, "adjust_lr_fn": adjusted}
    found = steps(ours, SteepestDescent(ours, 0.02, **options, foreach=False))
    assert all(torch.equal(p, q) for p, q in zip(found, expected, strict=True))
    for p, q in zip(steps(together, SteepestDescent(together, 0.02, **options)), expected, strict=True):
        torch.testing.assert_close(p, q, atol=2e-3, rtol=0)


def test_newton_schulz_comes_near_the_exact_factor():
    (p,), (q,) = tensors(shapes=((16, 24),)), tensors(shapes=((16, 24),))
    SteepestDescent([p], 1.0, "spectral", svd="newton-schulz").step()
    SteepestDescent([q], 1.0, "spectral").step()
    start = tensors(shapes=((16, 24),))[0]
    near, exact = ((start - r).detach() for r in (p, q))
    assert torch.linalg.svdvals(exact) == pytest.approx(np.ones(16), abs=1e-5)
    values = torch.linalg.svdvals(near)
    assert 0.5 < float(values.min()) < float(values.max()) < 1.5
    assert float((near * exact).sum() / near.norm() / exact.norm()) > 0.95


@pytest.mark.parametrize("options", WAYS, ids=str)
def test_together_is_one_by_one(options):
    a, b = tensors(), tensors()
    close = 2e-3 if "svd" in options else 1e-6
    found = steps(a, SteepestDescent(a, 0.02, **options))
    for p, q in zip(found, steps(b, SteepestDescent(b, 0.02, **options, foreach=False)), strict=True):
        torch.testing.assert_close(p, q, atol=close, rtol=0)


@pytest.mark.parametrize("options", WAYS, ids=str)
def test_states_are_taken_up_again(options):
    """By state_dict through a file, by deepcopy and by pickle: the next steps are the same to the bit."""
    a, b = tensors(), tensors()
    first = SteepestDescent(a, 0.02, **options)
    steps(a, first)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    again = SteepestDescent(b, 0.5)
    again.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
    for p, q in zip(a, b, strict=True):
        q.data.copy_(p.data)
    copies = [copy.deepcopy(first), pickle.loads(pickle.dumps(first))]
    copied = [[p for group in one.param_groups for p in group["params"]] for one in copies]
    for p, q in zip([p for params in copied for p in params], a * 2, strict=True):
        p.grad = q.grad
    expected = steps(a, first)
    for params, one in ((b, again), *zip(copied, copies, strict=True)):
        assert all(torch.equal(p, q) for p, q in zip(steps(params, one), expected, strict=True))


def test_the_conventions_of_torch():
    a, b = tensors()[:2]
    optimiser = SteepestDescent([{"params": [a]}, {"params": [b], "norm": "2", "lr": 0.5}], lr=torch.tensor(0.1))
    before, b.grad = b.detach().clone(), None
    start = a.detach().clone()
    loss = optimiser.step(lambda: torch.tensor(3.0))
    assert loss == 3
    assert torch.equal(b, before), "without a gradient nothing moves"
    assert float((a - start).detach().abs().max()) == pytest.approx(0.1, abs=1e-6)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, 1, 0.1)
    optimiser.step()
    schedule.step()
    assert [float(group["lr"]) for group in optimiser.param_groups] == pytest.approx([0.01, 0.05])
    optimiser.zero_grad()
    assert a.grad is None
    optimiser.add_param_group({"params": [tensors()[2]], "norm": "inf"})
    for wrong in ({"norm": "max"}, {"momentum": 1.0}, {"params": [torch.zeros(2, dtype=torch.cfloat)]}):
        with pytest.raises(InputError):
            optimiser.add_param_group({"params": [torch.zeros(2)], **wrong})
    a.grad = torch.eye(4, 6).to_sparse()
    with pytest.raises(InputError, match="`grad` must be dense"):
        optimiser.step()


def test_gradients_are_left_as_they_are():
    for options in WAYS:
        params = tensors()
        kept = [p.grad.clone() for p in params]
        SteepestDescent(params, 0.1, **options).step()
        assert all(torch.equal(p.grad, g) for p, g in zip(params, kept, strict=True))


def test_tensors_that_do_not_lie_in_a_row():
    a, b = torch.zeros(300, 240).t().requires_grad_(), torch.zeros(240, 300).requires_grad_()
    a.grad = b.grad = torch.randn(240, 300, generator=torch.Generator().manual_seed(1))
    for p in (a, b):
        SteepestDescent([p], 0.1, momentum=0.5).step()
    assert torch.equal(a, b)


def test_signs_one_step_ahead_are_lion():
    """Chen et al. 2023, arXiv 2302.06675, algorithm 2, with β1 = β2²."""
    (p,), (q,), m = tensors(torch.float64, ((4, 6),)), tensors(torch.float64, ((4, 6),)), 0.0
    optimiser = SteepestDescent([p], 0.1, momentum=0.9, nesterov=True, weight_decay=0.2)
    for gradient in torch.randn(5, 4, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64):
        p.grad = gradient
        optimiser.step()
        q.data -= 0.1 * ((0.81 * m + 0.19 * gradient).sign() + 0.2 * q.data)
        m = 0.9 * m + 0.1 * gradient
    torch.testing.assert_close(p, q)


@pytest.fixture(params=["one thread", "two threads", "three threads", "two threads, no OpenMP"])
def threads(request, monkeypatch):
    before = torch.get_num_threads()
    torch.set_num_threads(["one", "two", "three"].index(request.param.split()[0]) + 1)
    if "no OpenMP" in request.param:
        monkeypatch.setattr(steepest, "_team", steepest._alone)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_signs_are_those_of_torch(dtype, threads):
    """To the bit: of sizes about where threads part, of neighbours on one page, and of every kind of number."""
    sizes = 0, 1, 31, (1 << 15) - 1, (1 << 15) + 1, (1 << 16) + 1, 700_001
    random = torch.Generator().manual_seed(0)
    memory, gradients = torch.randn(2, sum(sizes) + 70_000, generator=random, dtype=dtype)
    tiny = torch.finfo(dtype).smallest_normal
    odd = [0.0, -0.0, float("nan"), float("inf"), -float("inf"), tiny / 2, -tiny / 2, -float("nan")]
    gradients[:: 7 * len(odd)].mul_(0)
    for i, number in enumerate(odd):
        gradients[i :: 7 * len(odd)] = number
    params = [
        *memory[: sum(sizes)].split(sizes),
        memory[sum(sizes) :].view(350, 200),
        torch.ones(3, dtype=dtype)[:1].view(()),
    ]
    given = [
        *gradients[: sum(sizes)].split(sizes),
        gradients[sum(sizes) :].view(350, 200),
        torch.tensor(-2.0, dtype=dtype),
    ]
    expected = [p.add(g.sign(), alpha=-0.1) for p, g in zip(params, given, strict=True)]
    for p, g in zip(params, given, strict=True):
        p.grad = g
    SteepestDescent(params, 0.1).step()
    assert all(torch.equal(p, q) for p, q in zip(params, expected, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_threads_share_a_step(dtype, threads):
    shapes, options = ((1001, 700), (7,)), {"momentum": 0.5, "weight_decay": 0.1, "nesterov": True}
    together, alone = tensors(dtype, shapes), tensors(dtype, shapes)
    SteepestDescent(together, 0.1, **options).step()
    torch.set_num_threads(1)
    SteepestDescent(alone, 0.1, **options).step()
    assert all(torch.equal(p, q) for p, q in zip(together, alone, strict=True))


def test_memory_is_that_of_the_tensor():
    """Tensors without memory, which are there for their shapes, step too; gradients of another shape are torch's error."""
    for mode in (torch.device("meta"), FakeTensorMode()):
        with mode:
            p = torch.ones(5).requires_grad_()
            p.grad = torch.ones(5)
            SteepestDescent([p], 0.1).step()
    (p,) = tensors(shapes=((3,),))
    p.data = torch.ones(5)
    with pytest.raises(RuntimeError, match="size of tensor"):
        SteepestDescent([p], 0.1).step()


def test_without_openmp_one_thread_steps(monkeypatch):
    """As in torch for Windows: the library has none of the names."""
    monkeypatch.setattr(steepest.ctypes, "CDLL", lambda name: object())
    assert steepest._team.__wrapped__() == steepest._alone()


@pytest.mark.skipif(not torch.backends.openmp.is_available() or sys.platform != "linux", reason="torch without OpenMP")
def test_with_openmp_its_threads_step():
    assert steepest._team() != steepest._alone()


@pytest.mark.parametrize("size", [3, 300])
def test_autograd_knows_of_the_step(size):
    p = torch.ones(size, size, requires_grad=True)
    p.grad = torch.ones_like(p)
    square = (p * p).sum()
    SteepestDescent([p], 0.1).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        square.backward()


def test_stacks_are_matrices_each():
    (stack,), random = tensors(shapes=((3, 4, 5),)), np.random.default_rng(0)
    parts = [stack[i].detach().clone().requires_grad_() for i in random.permutation(3)]
    order = np.random.default_rng(0).permutation(3)
    for p, i in zip(parts, order, strict=True):
        p.grad = stack.grad[i].clone()
    SteepestDescent([stack], 0.1, "spectral", stacked=True).step()
    SteepestDescent(parts, 0.1, "spectral").step()
    for p, i in zip(parts, order, strict=True):
        torch.testing.assert_close(stack[i], p)


def head_and_loss():
    x, y = (torch.from_numpy(part) for part in SeparableClasses().data)
    head = nn.Linear(8, 3, bias=False).double()
    nn.init.zeros_(head.weight)

    def loss(rows):
        head.zero_grad()
        value = nn.functional.cross_entropy(head(x[rows]), y[rows])
        value.backward()
        return value

    return head, loss, torch.arange(12)


def test_variance_reduction_by_hand():
    head, loss, everything = head_and_loss()
    optimiser = SteepestDescent(head.parameters(), 0.1, "2", 0.5, 3)
    W, mean = torch.zeros(3, 8, dtype=torch.float64), 0.0
    anchor = W
    for step in range(7):
        rows = torch.tensor([step % 12, (5 * step + 1) % 12])
        other, other_loss, _ = head_and_loss()

        def gradient(at, rows, other=other, other_loss=other_loss):
            other.weight.data.copy_(at)
            other_loss(rows)
            return other.weight.grad.clone()

        anchor = W.clone() if step % 3 == 0 else anchor
        mean = 0.5 * mean + 0.5 * (gradient(W, rows) - gradient(anchor, rows) + gradient(anchor, everything))
        found = optimiser.step(lambda rows=rows: loss(rows), full=lambda: loss(everything))
        other.weight.data.copy_(W)
        assert float(found.detach()) == pytest.approx(float(other_loss(rows).detach()))
        W = W - 0.1 * mean / mean.norm()
        torch.testing.assert_close(head.weight.detach(), W)
    with pytest.raises(InputError, match="closure and full"):
        optimiser.step(lambda: loss(everything))


def test_an_error_in_a_closure_leaves_the_weights():
    head, loss, everything = head_and_loss()
    optimiser = SteepestDescent(head.parameters(), 0.1, variance_reduction=5)
    optimiser.step(lambda: loss(everything), full=lambda: loss(everything))
    now = head.weight.detach().clone()

    def fails():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        optimiser.step(fails, full=fails)
    assert torch.equal(head.weight, now)


def test_margins_of_modules():
    x, y = SeparableClasses().data
    W = np.random.default_rng(0).standard_normal((3, 8))
    points, classes = torch.from_numpy(x), torch.from_numpy(y)
    for norm in ("inf", "2", "spectral"):
        assert normalised_margin(torch.from_numpy(W), points, classes, norm) == pytest.approx(margin(W, x, y, norm))
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 16, bias=False), nn.ReLU(), nn.Linear(16, 3, bias=False)).double()
    found = normalised_margin(net, points, classes, "2")
    for p in net.parameters():
        p.data *= 3.0
    assert normalised_margin(net, points, classes, "2") == pytest.approx(found)
    outputs = net(points).detach().numpy()
    least = min(outputs[i, y[i]] - max(outputs[i, j] for j in range(3) if j != y[i]) for i in range(12))
    assert found == pytest.approx(least / np.prod([float(p.detach().norm()) for p in net.parameters()]))
    for module, labels, named in [
        (nn.Linear(8, 3), classes, "module"),
        (net, classes + 1, "y"),
        (net, classes[:3], "y"),
    ]:
        with pytest.raises(InputError, match=f"^`{named}` must be .+, got .+; .+$"):
            normalised_margin(module.double(), points, labels)


@pytest.mark.parametrize(
    "wrong",
    [
        {"lr": -1.0},
        {"lr": float("nan")},
        {"lr": torch.zeros(2)},
        {"norm": "l1"},
        {"norm": ("entrywise", 0.5)},
        {"norm": ("schatten", float("nan"))},
        {"momentum": 1.0},
        {"nesterov": True},
        {"variance_reduction": -1},
        {"weight_decay": -0.1},
        {"svd": "qr"},
        {"adjust_lr_fn": "adam"},
    ],
    ids=str,
)
def test_refusals(wrong):
    with pytest.raises(InputError, match=r"^.+ must be .+, got .+; .+$"):
        SteepestDescent(tensors(), **wrong)

"""Steepest descent's laws: directions against brute force, margins by programmes and duality, flows against plain loops."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import torch

from twopart._checks import InputError
from twopart.laws.regression import certificate, class_mean, margin, max_margin, mean_field
from twopart.laws.regression.steepest_descent import decaying
from twopart.laws.regression.steepest_norms import direction, dual, length
from twopart.worlds.regression import DigitClasses, SeparableClasses

X, Y = SeparableClasses().data
NORMS = ["inf", "2", "spectral", ("entrywise", 1), ("entrywise", 3), ("schatten", 1), ("schatten", 1.5)]
PAGE = Path(__file__).parents[3] / "docs/laws/steepest-descent.md"


@pytest.mark.parametrize("norm", NORMS, ids=str)
def test_no_matrix_of_unit_norm_gains_more(norm, size):
    random = np.random.default_rng(0)
    M, D = random.standard_normal((3, 5)), random.standard_normal((size(10_000, 100_000), 3, 5))
    found = direction(M, norm)
    assert length(found, norm) == pytest.approx(1)
    assert (found * M).sum() == pytest.approx(length(M, dual(norm)))
    others = ((D / length(D, norm)[:, None, None]) * M).sum((1, 2))
    near = found + 0.002 * D[:1000]
    near = ((near / length(near, norm)[:, None, None]) * M).sum((1, 2))
    assert max(others.max(), near.max()) <= (found * M).sum() * (1 + 1e-12)
    assert near.max() > 0.97 * (found * M).sum(), "it is a near thing: 5 % more would be seen"


@pytest.mark.parametrize("norm", NORMS, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_stacks_scales_zeros_and_torch(norm, dtype):
    M = np.random.default_rng(1).standard_normal((2, 4, 3, 5)).astype(dtype)
    M[0, 0] = 0
    found, close = direction(M, norm), 1e-4 if dtype == np.float32 else 1e-10
    assert found.dtype == dtype
    assert found[1, 2] == pytest.approx(direction(M[1, 2], norm), abs=close)
    assert (found[0, 0] == 0).all()
    tiny = dtype(1e-30 if dtype == np.float32 else 1e-200)
    assert direction(M * tiny, norm) == pytest.approx(found, abs=close)
    assert direction(torch.from_numpy(M), norm).numpy() == pytest.approx(found, abs=close)


def test_directions_in_closed_form():
    M = np.array([[3.0, -1.0], [0.0, 0.5]])
    assert direction(M, "inf").tolist() == [[1, -1], [0, 1]], "a zero has no sign"
    assert direction(M, ("entrywise", 1)).tolist() == [[1, 0], [0, 0]]
    assert direction(M, "2") == pytest.approx(M / np.sqrt(10.25))
    assert direction(M, "spectral") == pytest.approx(scipy.linalg.polar(M)[0])
    flat = np.outer([1.0, 2.0, -3.0], [1.0, 0.0, 1.0, 2.0])
    assert direction(flat, "spectral") == pytest.approx(flat / np.linalg.norm(flat)), "the support alone"
    assert length(M, ("schatten", 1)) == pytest.approx(np.linalg.norm(M, "nuc"))
    assert length(M, "spectral") == pytest.approx(np.linalg.norm(M, 2))


def test_published_margins():
    assert margin(class_mean(X, Y).mean, X, Y) == pytest.approx(-1.1221, abs=1e-4)
    assert max_margin(X, Y).upper == pytest.approx(0.97071, abs=1e-5)


@pytest.mark.parametrize("norm", ["inf", "2", "spectral", ("entrywise", 1), ("schatten", 3)], ids=str)
def test_the_largest_margin_lies_between_its_bounds(norm):
    """Exact where a programme says it; descent's bounds enclose it, and no weights at random pass the upper one."""
    found = max_margin(X, Y, norm, steps=600)
    exact = norm in ("inf", "2", ("entrywise", 1))
    assert found.lower == pytest.approx(found.upper, rel=1e-9 if exact else 0.3)
    assert found.lower <= found.upper * (1 + 1e-12)
    assert margin(found.weights, X, Y, norm) == pytest.approx(found.lower)
    near = found.weights + 0.02 * np.abs(found.weights).max() * np.random.default_rng(0).standard_normal((2000, 3, 8))
    assert margin(near, X, Y, norm).max() <= found.upper
    if exact:
        *_, W = mean_field(X, Y, norm, 12, rates=decaying(0.3, 600))
        bounds = certificate(W, X, Y, norm)
        assert 0.7 * found.upper < bounds.lower < found.upper * (1 + 1e-9)
        assert found.upper * (1 - 1e-9) < bounds.upper < (1.5 if norm == ("entrywise", 1) else 1.1) * found.upper
    elif norm == "spectral":
        assert found.lower < 0.3609, "the bounds of 20,000 steps"
        assert 0.3487 < found.upper < 0.40


def test_margins_against_a_loop():
    W = np.random.default_rng(2).standard_normal((2, 3, 8))
    for weights, found in zip(W, margin(W, X, Y, "2"), strict=True):
        gaps = [weights[y] @ x - weights[j] @ x for x, y in zip(X, Y, strict=True) for j in range(3) if j != y]
        assert found == pytest.approx(min(gaps) / np.sqrt(np.square(weights).sum()))
    assert margin(np.zeros((3, 8)), X, Y) == 0


@pytest.mark.parametrize("scale", [1, 10, 100])
def test_signs_of_single_samples_hang_on_no_weights(scale):
    W = scale * np.random.default_rng(3).standard_normal((3, 8)) / 8
    for x, y in zip(X, Y, strict=True):
        z = W @ x - (W @ x).max()
        own = np.exp(z) / np.exp(z).sum()
        own[y] = 0
        own[y] = -own.sum()
        assert (direction(np.outer(-own, x), "inf") == np.outer(2 * np.eye(3)[y] - 1, np.sign(x))).all()


def test_two_classes_in_any_norm():
    """Steps of single samples in the spectral norm are normalised samples: 400 steps against the class mean."""
    x, y = SeparableClasses(6, 5, 2).data
    mean, _ = class_mean(x, y, "spectral")
    unit = (2 * y - 1)[:, None] * x / np.linalg.norm(x, axis=1, keepdims=True) / np.sqrt(2)
    assert mean == pytest.approx(np.stack([-unit.mean(0), unit.mean(0)]))
    *_, W = mean_field(x, y, "spectral", 1, rates=decaying(0.1, 400))
    assert W / decaying(0.1, 400).sum() == pytest.approx(mean)


def slow_gradient(W, x, y):
    z = x @ W.T
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    return (p - np.eye(len(W))[y]).T @ x / len(x)


@pytest.mark.parametrize("norm", ["inf", "2", "spectral", ("schatten", 3)], ids=str)
@pytest.mark.parametrize("batch", [2, 12])
def test_mean_field_against_a_plain_loop(norm, batch):
    W = np.zeros((3, 8))
    for rate, found in zip(decaying(0.3, 6), mean_field(X, Y, norm, batch, rates=decaying(0.3, 6)), strict=True):
        each = [slow_gradient(W, X[list(B)], Y[list(B)]) for B in combinations(range(12), batch)]
        W = W - rate * np.mean([direction(G, norm) for G in each], axis=0)
        assert found == pytest.approx(W, abs=1e-9)


def test_runs_of_momentum_spread_around_the_replica_law():
    """Small steps: the mean over 300 runs is the law's within 5 standard errors of both."""
    rates, β = np.full(60, 0.01), 0.8
    laws = [list(mean_field(X, Y, "2", 2, rates=rates, momentum=β, replicas=64, seed=s))[-1] for s in range(6)]
    random, W, M = np.random.default_rng(4), np.zeros((300, 3, 8)), np.zeros((300, 3, 8))
    for rate in rates:
        rows = random.random((300, 12)).argsort(1)[:, :2]
        z = np.einsum("rbd,rkd->rbk", X[rows], W)
        p = np.exp(z) / np.exp(z).sum(-1, keepdims=True) - np.eye(3)[Y[rows]]
        M = β * M + (1 - β) * np.einsum("rbk,rbd->rkd", p, X[rows]) / 2
        W = W - rate * M / np.sqrt(np.square(M).sum((1, 2), keepdims=True))
    law = np.mean(laws, axis=0)
    along, lawful = ((law * weights).sum((-2, -1)) / np.square(law).sum() for weights in (W, np.array(laws)))
    error = np.sqrt(along.var(ddof=1) / 300 + lawful.var(ddof=1) / 6)
    assert abs(along.mean() - 1) < 5 * error
    assert 10 * error < 0.05, "5 % would be seen"
    assert np.abs(W.mean(0) - law).max() < 6 * np.sqrt(W.var(0) / 300 + np.var(laws, axis=0) / 6).max()


def test_the_full_batch_and_single_samples():
    def ends(batch, **options):
        *_, W = mean_field(X, Y, "inf", batch, rates=decaying(0.3, 300), **options)
        return margin(W, X, Y)

    assert ends(1) == pytest.approx(-1.12212, abs=1e-5)
    assert 0.8 * max_margin(X, Y).upper < ends(12) < max_margin(X, Y).upper
    assert ends(3, momentum=0.9, seed=1) > ends(3)


def test_digits_are_separable_and_single_samples_do_not_find_it():
    x, y = DigitClasses().data
    *_, W = mean_field(x, y, "inf", 1, rates=decaying(0.3, 100))
    assert ((x @ W.T).argmax(1) == y).mean() == pytest.approx(0.909, abs=0.01)
    assert margin(W, x, y) == pytest.approx(-2.65, abs=0.01)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: margin(np.ones((2, 8)), X, Y), "weights"),
        (lambda: margin(np.full((3, 8), np.nan), X, Y), "weights"),
        (lambda: margin(np.ones((3, 8)), X, Y, "max"), "norm"),
        (lambda: margin(np.ones((3, 8)), X, Y, ("schatten", 0.5)), "p of `norm`"),
        (lambda: certificate(np.ones((2, 3, 8)), X, Y), "weights"),
        (lambda: max_margin(X, Y, "spectral", steps=0), "steps"),
        (lambda: class_mean(X, Y, "spectral"), "norm"),
        (lambda: next(mean_field(X, Y, batch=13, rates=0.1)), "batch"),
        (lambda: next(mean_field(X, Y, rates=[-0.1])), "rates"),
        (lambda: next(mean_field(X, Y, rates=[np.nan])), "rates"),
        (lambda: next(mean_field(X, Y, rates=0.1, momentum=1.0)), "momentum"),
        (lambda: next(mean_field(X, Y, rates=0.1, replicas=0)), "replicas"),
        (lambda: next(mean_field(X, Y, rates=0.1, batches=0)), "batches"),
        (lambda: decaying(0.0, 3), "rate"),
        (lambda: list(mean_field(X, Y, batch=12, rates=np.full(5, 1e4))), "features"),
    ],
)
def test_refusals(call, named):
    with pytest.raises(InputError, match=f"^`?{named}`? must be .+, got .+; .+$"):
        call()


def test_the_page_runs(capsys):
    exec(PAGE.read_text().split("```python")[1].split("```")[0], {})
    first, last = capsys.readouterr().out.split("\n")[:2]
    law, most = map(float, last.split())
    assert 0 < law < most
    assert float(first) < most


@pytest.mark.parametrize("norm", ["inf", "2", ("entrywise", 1)], ids=str)
def test_points_that_cannot_be_told_apart_have_no_margin(norm):
    assert max_margin(np.ones((3, 2)), [0, 1, 2], norm).upper == pytest.approx(0, abs=1e-12)


def test_the_class_mean_and_spread_of_many_draws():
    """20,000 runs of four unequal steps: mean and deviation of each weight over the clock, within 5 standard errors."""
    rates = np.array([0.4, 0.3, 0.2, 0.1])
    U = (2 * np.eye(3)[Y] - 1)[:, :, None] * np.sign(X)[:, None, :]
    drawn = np.random.default_rng(5).integers(12, size=(20_000, 4))
    W = np.einsum("t,rtkd->rkd", rates, U[drawn]) / rates.sum()
    mean, spread = class_mean(X, Y)
    deviation = spread * np.sqrt(np.square(rates).sum()) / rates.sum()
    assert (np.abs(W.mean(0) - mean) <= 5 * deviation / np.sqrt(20_000) + 1e-12).all()
    assert W.std(0) == pytest.approx(deviation, rel=5 / np.sqrt(2 * 20_000), abs=1e-12)

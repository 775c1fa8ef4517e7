"""The law of Mixup against sums over pairs, autograd in d dimensions, training without noise, and values found before."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from twopart.laws.features import MixedStep, PatchGram, early_matrix, gram_descent
from twopart.laws.features.mixup import equilibrium, pair_coefficients, race

RANDOM = np.random.default_rng(3)
X, Y = RANDOM.normal(size=(7, 2, 4)), np.array([1.0, 1, 1, -1, -1, 1, -1])
WEIGHTS = [(0.6, None), (0.6, 0.9), (0.8, 0.5), (1.0, None), (0.3, 0.2)]


def pairs(lam, mu):
    """(x, label) of every ordered pair, by two loops."""
    mu = lam if mu is None else mu
    for i in range(len(X)):
        for j in range(len(X)):
            yield lam * X[i] + (1 - lam) * X[j], mu * Y[i] + (1 - mu) * Y[j]


@pytest.mark.parametrize(("lam", "mu"), WEIGHTS)
def test_the_early_matrix_is_the_sum_over_pairs(lam, mu):
    expected = np.mean([label / 2 * x.T @ x for x, label in pairs(lam, mu)], axis=0)
    assert early_matrix(X, Y, lam, mu) == pytest.approx(expected, abs=1e-15)
    assert early_matrix(X.astype(np.float32), Y.astype(int), lam, mu) == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_with_classes_of_equal_size_it_is_standard_training_slowed_and_a_coupling_of_means():
    x, y, lam, mu = X[:6], np.array([1, 1, 1, -1, -1, -1]), 0.7, 0.85
    standard = np.einsum("i,ipd,ipe->de", y / 2, x, x) / 6
    a, b = np.einsum("i,ipd->pd", y / 2, x) / 6, x.mean(0)
    expected = (mu * lam**2 + (1 - mu) * (1 - lam) ** 2) * standard + lam * (1 - lam) * (a.T @ b + b.T @ a)
    assert early_matrix(x, y, lam, mu) == pytest.approx(expected, abs=1e-15)
    assert pair_coefficients(y, 1.0) == pytest.approx(np.diag(y / 12), abs=1e-17)
    off = np.abs(early_matrix(x, y, 1.05 * lam, mu) - expected).max()
    assert off > 0.01 * np.abs(expected).max(), "a weight that is off by 5 % is seen"


@pytest.mark.parametrize("activation", ["square", "identity", "relu2"])
@pytest.mark.parametrize(("lam", "mu"), [(0.6, None), (0.7, 0.95)])
def test_twenty_steps_are_those_of_autograd_on_all_pairs_in_d_dimensions(activation, lam, mu):
    act = {"square": torch.square, "identity": lambda h: h, "relu2": lambda h: h.relu() ** 2}[activation]
    w, v = (torch.tensor(RANDOM.normal(size=size), requires_grad=True) for size in ((6, 4), (2, 6)))
    signs = torch.tensor([1.0, 1, 1, -1, -1, -1])
    mixed = list(pairs(lam, mu))
    x, labels = torch.tensor(np.stack([x for x, _ in mixed])), torch.tensor([label for _, label in mixed])
    start, second = (X @ w.detach().numpy().T)[None], (signs * v.detach()).numpy()[None]
    step = MixedStep(activation, weight=lam, label_weight=mu)
    state = gram_descent(PatchGram.of(X[None]), Y[None], start, second, rate=0.05, steps=20, step=step, trained=True)
    first = w.detach().clone()

    def outputs(x):
        return (act(x @ w.T) * v * signs).sum((1, 2))

    for _ in range(20):
        f, odds = outputs(x), (1 + labels) / 2
        loss = -(odds * torch.nn.functional.logsigmoid(f) + (1 - odds) * torch.nn.functional.logsigmoid(-f)).mean()
        for part, slope in zip((w, v), torch.autograd.grad(loss, (w, v)), strict=True):
            part.data -= 0.05 * slope
    added = np.einsum("ipf,ipd->fd", state.coefficients[0], X)
    assert first.numpy() + added == pytest.approx(w.detach().numpy(), abs=1e-10)
    assert state.second[0] == pytest.approx((signs * v).detach().numpy(), abs=1e-10)
    assert state.outputs[0] == pytest.approx(outputs(torch.tensor(X)).detach().numpy(), abs=1e-9), "points as they are"


def test_it_works_on_tensors_of_both_types_and_batches():
    step, h, v = MixedStep("square", weight=0.6), RANDOM.normal(size=(2, 5, 3, 4)), RANDOM.normal(size=(2, 1, 4))
    y = np.sign(RANDOM.normal(size=(2, 5)))
    expected = step(h, v, y)
    for dtype, off in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        found = step(*(torch.tensor(part, dtype=dtype) for part in (h, v, y)))
        for part, want in zip(found, expected, strict=True):
            assert part.dtype == dtype
            assert part.numpy() == pytest.approx(want, abs=off)
    alone = step(h[1:], v[1:], y[1:])
    assert all(part[1:] == pytest.approx(want, abs=1e-14) for part, want in zip(expected[:2], alone[:2], strict=True))


def test_the_end_is_the_root_and_the_values_found_before():
    def root(lam, mu, s):
        g = lam**2 - (1 - lam) ** 2
        return brentq(lambda A: s / (1 + math.exp(s * A)) - g * (1 / (1 + math.exp(-g * A)) - mu), -20, 60)

    assert equilibrium(0.6) == pytest.approx(3.99967, abs=5e-6)
    assert equilibrium(0.6, together=False) == pytest.approx(5.41297, abs=5e-6)
    lam, mu = np.array([0.6, 0.65, 0.75])[:, None], np.array([0.55, 0.8])
    expected = [[root(a, b, 1.0) for b in mu] for a in lam[:, 0]]
    assert equilibrium(lam, mu) == pytest.approx(np.array(expected), rel=1e-9)
    assert equilibrium([0.65, 0.75]) == pytest.approx([3.546, 3.175], abs=5e-4)
    assert equilibrium(0.4) == pytest.approx(equilibrium(0.6))
    assert equilibrium(1.0, 0.8) == pytest.approx(math.log(9)), (
        "labels alone mixed, in half of the pairs: their smoothing"
    )
    assert equilibrium([0.5, 1.0, 0.6], [0.5, 1.0, 1.0]).tolist() == [math.inf] * 3


@pytest.mark.parametrize(("lam", "mu", "patches"), [(0.6, None, 1), (0.7, 0.8, 1), (0.6, None, 8)])
def test_training_without_noise_ends_there(lam, mu, patches):
    """Each point's feature in the first patch, or in one of its own but for its own copy: then the chance is 1/8."""
    x, y = np.zeros((1, 16, patches, 2)), np.tile([1.0, -1.0], 8)[None]
    for i in range(16):
        x[0, i, (i // 2) % patches, i % 2] = 1
    start = 0.3 * RANDOM.normal(size=(2, 4))  # of direction, filter
    second = np.array([[[1.0, 1, -1, -1]]])
    step = MixedStep("square", weight=lam, label_weight=mu)
    end = gram_descent(PatchGram.of(x), y, x @ start, second, rate=2.0, steps=300, step=step)
    logits = (y * end.outputs)[0]
    predicted = equilibrium(lam, mu, 1 / patches)
    assert logits == pytest.approx(np.full(16, predicted), rel=1e-4)
    assert abs(equilibrium(1.05 * lam, mu, 1 / patches) / predicted - 1) > 0.01


def test_the_race_of_standard_training():
    """Growth of small filters in 20 small steps, on patches that are orthogonal: exactly the law's."""
    assert [float(rate) for rate in race(50, 0.12, 5.0)] == pytest.approx([0.44, 0.06, 0.1])
    x, y, rate = np.zeros((1, 16, 2, 20)), np.tile([1.0, -1.0], 8)[None], 0.05
    for i in range(16):  # a quarter of each class are rare
        x[0, i, 0, i % 2 + (2 if i < 4 else 0)] = 0.9 if i < 4 else 1.2
        x[0, i, 1, 4 + i] = math.sqrt(1.6)
    w = 1e-6 * RANDOM.normal(size=(20, 3))
    end = gram_descent(
        PatchGram.of(x), y, x @ w, np.ones((1, 1, 3)), rate=rate, steps=20, step=MixedStep("square", weight=1.0)
    )
    grown = np.log((w + np.einsum("ipf,ipd->df", end.coefficients[0], x[0])) / w) / 20
    for place, expected in zip((0, 2, slice(4, 20, 2)), race(16, 0.25, 1.6, 1.2, 0.9), strict=True):
        assert grown[place] == pytest.approx(math.log(1 + rate * expected) + 0 * grown[place], rel=1e-3)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: early_matrix(X[0], Y, 0.6), "x"),
        (lambda: early_matrix(X * np.nan, Y, 0.6), "x"),
        (lambda: early_matrix(X, Y[:5], 0.6), "y"),
        (lambda: early_matrix(X, 2 * Y, 0.6), "y"),
        (lambda: early_matrix(X, Y, 1.1), "weight"),
        (lambda: pair_coefficients(Y, 0.6, -0.1), "label_weight"),
        (lambda: pair_coefficients(Y, math.nan), "weight"),
        (lambda: equilibrium([0.6, math.nan]), "weight"),
        (lambda: equilibrium(0.6, 1.2), "label_weight"),
        (lambda: equilibrium(0.6, together=-0.1), "together"),
        (lambda: race(0, 0.1, 1.0), "n"),
        (lambda: race(10, 1.5, 1.0), "rare"),
        (lambda: race(10, 0.5, -1.0), "noise"),
        (lambda: race(10, 0.5, 1.0, 0.0), "norm"),
        (lambda: race(10, 0.5, 1.0, 1.0, math.inf), "rare_norm"),
        (lambda: MixedStep("square", weight=2.0), "weight"),
        (lambda: MixedStep("square", label_weight=math.nan), "label_weight"),
        (lambda: MixedStep("cube"), "activation"),
    ],
)
def test_refusals(call, name):
    with pytest.raises(ValueError, match=rf"`{name}` must be .*, got .*; "):
        call()

"""The law of multi-pass SGD against every order of the points there is, a slow twin in weights, and dense operators."""

import re
from contextlib import redirect_stdout
from io import StringIO
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.laws.regression import (
    excess_risk,
    growth,
    kernel_features,
    largest_stable_step,
    population,
    sgd_risk,
)
from twopart.worlds.regression import LeastSquares, Regression

PAGE = Path(__file__).parents[3] / "docs/laws/multi-pass-sgd.md"
RATES = np.array([0.3, 0.1, 0.25, 0.2, 0.15])


def problem(n, d, seed=0, m=4):
    random = np.random.default_rng(seed)
    return [random.standard_normal(shape) for shape in ((n, d), n, (m, d), m)]


def all_batches(n, b, replacement):
    return list(product(range(n), repeat=b)) if replacement else list(combinations(range(n), b))


@pytest.mark.parametrize("d", [2, 5])
@pytest.mark.parametrize(
    ("b", "replacement", "steps"),
    [(1, True, 5), (1, False, 4), (2, True, 3), (2, False, 5), (3, True, 2), (3, False, 5)],
)
def test_every_sequence_of_batches(d, b, replacement, steps):
    """n = 3: up to 729 sequences, each as likely."""
    x, y, x_test, y_test = problem(3, d)
    w = start = np.random.default_rng(9).standard_normal((1, d))
    for rate in RATES[:steps]:
        w = np.concatenate(
            [w - rate / b * (w @ x[k].T - y[k]) @ x[k] for k in map(list, all_batches(3, b, replacement))]
        )
    law = sgd_risk(x, y, x_test, y_test, learning_rate=RATES[:steps], steps=steps, batch=b, replacement=replacement,
                   start=start[0])  # fmt: skip
    out, mean = w @ x_test.T - y_test, w.mean(0) @ x_test.T - y_test
    assert law.risk[-1] == pytest.approx(np.square(out).mean() / 2, rel=1e-12)
    assert law.descent[-1] == pytest.approx(np.square(mean).mean() / 2, rel=1e-12)
    assert law.fluctuation[-1] == pytest.approx(np.square(out - mean).mean() / 2, rel=1e-11, abs=1e-15)
    assert law.training[-1] == pytest.approx(np.square(w @ x.T - y).mean() / 2, rel=1e-12)


def twin(x, y, x_test, y_test, rates, b, replacement):
    """The same recursion for the covariance Θ of the weights themselves, (d, d); risk and training loss after each step."""
    (n, d), found = x.shape, []
    f = 1.0 if replacement else (n - b) / (n - 1)
    H, w, Θ = x.T @ x / n, np.zeros(d), np.zeros((d, d))
    for rate in [*rates, 0.0]:
        s = x @ w - y
        v = s**2 + np.einsum("ia,ab,ib->i", x, Θ, x)
        risk = np.square(x_test @ w - y_test).mean() / 2 + np.einsum("ia,ab,ib->", x_test, Θ, x_test) / 2 / len(y_test)
        found.append((risk, v.mean() / 2))
        g = x.T @ s / n
        drift = np.eye(d) - rate * H
        Θ = drift @ Θ @ drift + f * rate**2 / b * ((x.T * v) @ x / n - H @ Θ @ H - np.outer(g, g))
        w = w - rate * g
    return np.array(found).T


def repeated(x, y):
    """A point twice, and one that is zero: a singular K."""
    x, y = x.copy(), y.copy()
    x[1], y[1], x[2] = x[0], y[0], 0.0
    return x, y


@pytest.mark.parametrize(("n", "d"), [(6, 3), (6, 15), (6, 6)])
@pytest.mark.parametrize(("b", "replacement"), [(1, True), (4, True), (4, False), (6, False)])
@pytest.mark.parametrize("spoil", [lambda x, y: (x, y), repeated])
def test_the_law_in_weights(n, d, b, replacement, spoil):
    x, y, *test = problem(n, d)
    x, y = spoil(x, y)
    rates = 0.05 + 0.1 * np.random.default_rng(3).random(60)
    law = sgd_risk(x, y, *test, learning_rate=rates, steps=60, batch=b, replacement=replacement)
    risk, training = twin(x, y, *test, rates, b, replacement)
    assert law.risk == pytest.approx(risk, rel=1e-9)
    assert law.training == pytest.approx(training, rel=1e-9)
    if b == n:
        assert not law.fluctuation.any()


def test_what_is_reported():
    x, y, *test = problem(8, 3)
    whole = sgd_risk(x, y, *test, learning_rate=0.05, steps=40, batch=2)
    part = sgd_risk(x.astype(np.float32), y, *test, learning_rate=0.05, steps=40, batch=2, at=[0, 7, 40])
    assert whole.steps.tolist() == list(range(41))
    assert part.steps.tolist() == [0, 7, 40]
    assert part.risk == pytest.approx(whole.risk[[0, 7, 40]], rel=1e-5)
    best = whole.best()
    assert best.risk == whole.risk.min() == whole.risk[best.step]
    assert best.evaluations == 2 * best.step
    level = whole.risk[5]
    assert whole.first_below(level) == np.flatnonzero(whole.risk <= level)[0]
    assert whole.first_below(0.0) is None
    still = sgd_risk(x, y, *test, learning_rate=0.0, steps=5)
    assert still.risk == pytest.approx(np.full(6, np.square(test[1]).mean() / 2))
    heard = []
    sgd_risk(x, y, *test, learning_rate=0.1, steps=3, on_step=heard.append)
    assert heard == [1, 2, 3]


def test_a_world_is_a_test_set():
    world = LeastSquares.power(30, noise=0.2, seed=4)
    w = np.random.default_rng(0).standard_normal((5, 30))
    test = population(world.spectrum, world.optimum)
    assert np.square(w @ test.x.T - test.y).mean(1) / 2 == pytest.approx(world.excess(w), rel=1e-12)
    data = world.sample(10)
    law = excess_risk(world, data, learning_rate=0.2, steps=30, batch=2, replacement=False)
    assert law.risk[0] == pytest.approx(world.excess(np.zeros(30)))
    w, K = np.zeros(30), data.x.T / 10
    for _ in range(30):
        w -= 0.2 * K @ (data.x @ w - data.y)
    assert law.descent[-1] == pytest.approx(world.excess(w), rel=1e-10)


def test_features_of_a_kernel_have_its_law():
    x, y, x_test, y_test = problem(7, 12)
    x[3] = x[2]
    rows, others = kernel_features(x @ x.T, x_test @ x.T)
    assert rows.shape == (7, 6)
    assert rows @ rows.T == pytest.approx(x @ x.T)
    one = sgd_risk(x, y, x_test, y_test, learning_rate=0.05, steps=30, batch=2)
    other = sgd_risk(rows, y, others, y_test, learning_rate=0.05, steps=30, batch=2)
    assert other.fluctuation == pytest.approx(one.fluctuation, rel=1e-9)
    assert other.risk == pytest.approx(one.risk, rel=1e-9)
    assert kernel_features(x @ x.T)[1] is None


def radius(x, rate, b, replacement):
    """The spectral radius of E (I - ηA) ⊗ (I - ηA) over all batches, A the mean of x x^T over a batch: on the row space."""
    n = len(x)
    basis = np.linalg.svd(x)[2][: np.linalg.matrix_rank(x)]
    total, batches = 0.0, all_batches(n, b, replacement)
    for k in map(list, batches):
        step = np.eye(len(basis)) - rate / b * basis @ x[k].T @ x[k] @ basis.T
        total = total + np.kron(step, step) / len(batches)
    return np.abs(np.linalg.eigvals(total)).max()


@pytest.mark.parametrize(("n", "d"), [(4, 6), (4, 2), (2, 3)])
@pytest.mark.parametrize(("b", "replacement"), [(1, True), (2, True), (2, False)])
def test_the_edge_is_where_the_radius_is_one(n, d, b, replacement):
    x = problem(n, d, seed=5)[0]
    edge = largest_stable_step(x, b, replacement=replacement)
    assert radius(x, edge, b, replacement) == pytest.approx(1, abs=1e-6)
    assert radius(x, 0.95 * edge, b, replacement) < 0.999 < 1.001 < radius(x, 1.05 * edge, b, replacement)
    assert edge <= 2 * n / np.linalg.norm(x, 2) ** 2 * (1 + 1e-9)
    for share in (0.7, 1.3):
        expected = radius(x, share * edge, b, replacement)
        assert growth(x, share * edge, b, replacement=replacement) == pytest.approx(expected, rel=1e-3)


def test_edges_that_are_known():
    x = problem(5, 9)[0]
    assert largest_stable_step(x[:1]) == pytest.approx(2 / (x[0] @ x[0]))
    assert largest_stable_step(x, 5, replacement=False) == pytest.approx(10 / np.linalg.norm(x, 2) ** 2)
    assert largest_stable_step(x, 10**9) == pytest.approx(10 / np.linalg.norm(x, 2) ** 2, rel=1e-6)
    assert largest_stable_step(x) < 2 / np.square(x).sum(1).mean()
    assert largest_stable_step(np.diag([1.0, 2.0, 3.0])) == pytest.approx(
        2 / 9
    )  # points that do not meet: each its own
    assert largest_stable_step(np.zeros((3, 2))) == np.inf


@pytest.mark.parametrize("block", range(2))
def test_the_page_runs(block):
    """What the page says a reader can do; the first example's numbers are those in its comments."""
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[block]
    names: dict = {}
    with redirect_stdout(StringIO()):
        exec(code, names)
    if block == 0:
        assert {b: round(edge, 2) for b, edge in names["edges"].items()} == {1: 0.14, 8: 0.41}
        assert round(2 / np.square(names["train"][0]).sum(1).mean(), 2) == 0.2
        assert 0 < names["best"].best().step < 1000
    else:
        assert np.mean(network_risks(names)) == pytest.approx(names["law"].risk[-1], rel=0.05)  # it is not quite lazy


def network_risks(names, runs=3):
    """What torch.optim.SGD makes of the page's network."""
    import torch

    network, x, y, train, test = (names[name] for name in ("network", "x", "y", "train", "test"))
    start = {name: weight.clone() for name, weight in network.state_dict().items()}
    found, generator = [], torch.Generator().manual_seed(1)
    for _ in range(runs):
        network.load_state_dict(start)
        descent = torch.optim.SGD(network.parameters(), lr=names["rate"])
        for _ in range(150):
            k = torch.randint(100, (8,), generator=generator)
            descent.zero_grad()
            ((network(x[train][k])[:, 0] - y[train][k]).square().mean() / 2).backward()
            descent.step()
        with torch.no_grad():
            found.append(float((network(x[test])[:, 0] - y[test]).square().mean() / 2))
    return found


GOOD = {"features": np.eye(3), "targets": np.ones(3), "test_features": np.eye(3), "test_targets": np.ones(3),
        "learning_rate": 0.1, "steps": 2}  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"features": np.ones(3)}, r"`features` must be of shape \(any, any\), got \(3,\)"),
        ({"features": np.full((3, 3), np.nan)}, "`features` must be finite, got '9 of 9 that are nan or infinite'"),
        ({"targets": np.ones(2)}, r"`targets` must be of shape \(3,\), got \(2,\)"),
        ({"test_features": np.ones((3, 2))}, r"`test_features` must be of shape \(any, 3\)"),
        ({"test_targets": np.ones(4)}, "`test_targets` must be"),
        ({"learning_rate": -0.1}, "`learning_rate` must be >= 0"),
        ({"learning_rate": [0.1, 0.1, 0.1]}, r"`learning_rate` must be of shape \(2,\)"),
        ({"steps": -1}, "`steps` must be"),
        ({"batch": 0}, "`batch` must be"),
        ({"batch": 4, "replacement": False}, r"`batch` must be a whole number in \[1, 3\], got 4"),
        ({"at": [3]}, r"`at` must be rising steps in 0\.\.2"),
        ({"at": []}, "`at` must be rising steps"),
        ({"start": np.ones(2)}, "`start` must be"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        sgd_risk(**{**GOOD, **arguments})


def test_bad_arguments_elsewhere():
    with pytest.raises(InputError, match="`gram` must be a symmetric matrix"):
        kernel_features([[1.0, 2.0], [0.0, 1.0]])
    with pytest.raises(InputError, match="`gram` must be a symmetric matrix"):
        kernel_features(np.ones((2, 3)))
    with pytest.raises(InputError, match="`test_gram` must be of shape"):
        kernel_features(np.eye(2), np.ones((4, 3)))
    with pytest.raises(InputError, match="`learning_rate` must be"):
        growth(np.eye(2), -1.0)
    with pytest.raises(InputError, match="`eigenvalues` must be >= 0"):
        population([-1.0], [1.0])
    with pytest.raises(InputError, match="`batch` must be"):
        largest_stable_step(np.eye(2), 0)
    assert isinstance(population([1.0], [1.0]), Regression)

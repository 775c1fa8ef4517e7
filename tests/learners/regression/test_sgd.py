"""SGD on least squares, step by step against torch and scikit-learn; what each order draws, read off weights that tell."""

import numpy as np
import pytest
import torch
from scipy.stats import chi2
from sklearn.linear_model import SGDRegressor

from twopart._checks import InputError
from twopart.laws.regression import sgd_risk
from twopart.learners.regression import ORDERS, least_squares_sgd

ONE_IN_A_MILLION = 1e-6


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    return random.standard_normal((7, 5)), random.standard_normal(7)


def path(x, y, **options):
    """Weights before the first step and after each, shape (steps + 1, R, d)."""
    seen = []
    last = least_squares_sgd(x, y, on_step=lambda t, w: seen.append((t, np.array(w))), **options)
    assert [t for t, _ in seen] == list(range(options["steps"] + 1))
    assert np.array_equal(seen[-1][1], last)
    return np.stack([w for _, w in seen])


def picks(n, rate=0.1, **options):
    """How often each point is in each batch, shape (steps, R, n): a point is alone in its direction, y_i = 1."""
    w = path(np.eye(n), np.ones(n), learning_rate=rate, **options)
    times = (w[1:] - w[:-1]) / (1 - w[:-1]) * options.get("batch", 1) / rate
    assert times == pytest.approx(np.round(times), abs=1e-6)
    return np.round(times).astype(int)


@pytest.mark.parametrize("order", ["replacement", "batch-without", "reshuffle"])
def test_a_step_is_that_of_torch_and_scikit_learn(data, order):
    x, y = data
    w = path(x, y, learning_rate=0.05, steps=30, order=order, seed=3)[:, 0]
    along = np.abs((w[1:] - w[:-1]) @ x.T) / np.linalg.norm(x, axis=1) / np.linalg.norm(w[1:] - w[:-1], axis=1)[:, None]
    points = along.argmax(1)
    assert along.max(1) == pytest.approx(np.ones(30))
    layer = torch.nn.Linear(5, 1, bias=False, dtype=torch.float64)
    torch.nn.init.zeros_(layer.weight)
    descent = torch.optim.SGD(layer.parameters(), lr=0.05)
    for i in points:
        descent.zero_grad()
        (0.5 * (layer(torch.from_numpy(x[i])) - y[i]).square().sum()).backward()
        descent.step()
    assert w[-1] == pytest.approx(layer.weight.detach().numpy()[0], rel=1e-9)
    peer = SGDRegressor(penalty=None, learning_rate="constant", eta0=0.05, shuffle=False, fit_intercept=False)
    peer.partial_fit(x[points], y[points])
    assert w[-1] == pytest.approx(peer.coef_, rel=1e-9)


def test_reshuffling_is_scikit_learns_order(data):
    """The mean risk after three epochs, over orders."""
    x, y = data
    options = {"penalty": None, "learning_rate": "constant", "eta0": 0.1, "fit_intercept": False, "shuffle": True}
    theirs = []
    for seed in range(200):
        peer = SGDRegressor(**options, random_state=seed)
        for _ in range(3):
            peer.partial_fit(x, y)
        theirs.append(peer.coef_)
    ours = least_squares_sgd(x, y, learning_rate=0.1, steps=21, order="reshuffle", replicates=4000)
    risks = [np.square(w @ x.T - y).mean(1) for w in (np.array(theirs), ours)]
    error = np.sqrt(sum(risk.var() / len(risk) for risk in risks))
    assert abs(risks[0].mean() - risks[1].mean()) < 5 * error
    replaced = least_squares_sgd(x, y, learning_rate=0.1, steps=21, replicates=4000)
    assert abs(np.square(replaced @ x.T - y).mean() - risks[1].mean()) > 5 * error


@pytest.mark.parametrize("batch", [1, 3])
def test_with_replacement_every_place_is_any_point(batch):
    times = picks(6, steps=20, batch=batch, replicates=250, seed=1)
    assert (times.sum(-1) == batch).all()
    _uniform(times.sum((0, 1)))
    alike, batches, share = (times == batch).sum(), 20 * 250, 6.0 ** (1 - batch)
    assert abs(alike - batches * share) <= 5 * np.sqrt(batches * share * (1 - share))


def _uniform(counts):
    statistic = np.square(counts - counts.mean()).sum() / counts.mean()
    assert chi2.sf(statistic, len(counts) - 1) > ONE_IN_A_MILLION


def test_without_replacement_every_pair_is_as_likely():
    times = picks(5, steps=20, batch=2, order="batch-without", replicates=500)
    assert (np.sort(times, -1) == [0, 0, 0, 1, 1]).all()
    pairs = times.reshape(-1, 5) @ 2 ** np.arange(5)
    counts = np.unique(pairs, return_counts=True)[1]
    assert len(counts) == 10
    _uniform(counts)
    follow = times[1:].reshape(-1, 5)[:, 0] * times[:-1].reshape(-1, 5)[:, 0]
    assert follow.mean() == pytest.approx(0.16, abs=5 * np.sqrt(0.16 * 0.84 / len(follow)))


def test_an_epoch_holds_each_point_once():
    times = picks(4, steps=12, batch=1, order="reshuffle", replicates=1000).reshape(3, 4, 1000, 4)
    assert (times.sum(1) == 1).all()
    orders = (times.argmax(-1) * 4 ** np.arange(4)[:, None]).sum(1)
    for epoch in orders:
        counts = np.unique(epoch, return_counts=True)[1]
        assert len(counts) == 24
        _uniform(counts)
    assert np.mean(orders[0] == orders[1]) == pytest.approx(1 / 24, abs=5 * np.sqrt(1 / 24 / 1000))


def test_the_last_batch_of_an_epoch_may_be_smaller(data):
    """5 points in batches of 2: a point alone moves by the whole rate."""
    w = path(np.eye(5), np.ones(5), learning_rate=0.1, steps=3, batch=2, order="reshuffle", replicates=50)
    assert np.sort(w[-1], -1) == pytest.approx(np.tile([0.05, 0.05, 0.05, 0.05, 0.1], (50, 1)))


def test_full_is_gradient_descent(data):
    x, y = data
    rates = np.linspace(0.01, 0.2, 10)
    start = np.random.default_rng(1).standard_normal((3, 5))
    w = start.copy()
    for rate in rates:
        w -= rate * (w @ x.T - y) @ x / 7
    assert least_squares_sgd(x, y, learning_rate=rates, steps=10, order="full", start=start, replicates=3) == (
        pytest.approx(w, rel=1e-12)
    )
    alike = least_squares_sgd(x, y, learning_rate=rates, steps=10, order="full", start=start[0], replicates=3)
    assert alike == pytest.approx(np.tile(w[0], (3, 1)), rel=1e-12)


@pytest.mark.parametrize(("batch", "order"), [(1, "replacement"), (3, "replacement"), (3, "batch-without")])
def test_the_mean_risk_is_the_laws(data, batch, order):
    x, y = data
    w = least_squares_sgd(x, y, learning_rate=0.1, steps=60, batch=batch, order=order, replicates=4000, seed=2)
    law = sgd_risk(x, y, x, y, learning_rate=0.1, steps=60, batch=batch, replacement=order == "replacement", at=[60])
    risk = np.square(w @ x.T - y).mean(1) / 2
    assert abs(risk.mean() - law.risk[0]) < 5 * risk.std() / np.sqrt(4000) < 0.02 * law.risk[0]


@pytest.mark.parametrize("order", ORDERS)
def test_a_run_hangs_on_data_seed_and_its_number(data, order):
    x, y = data
    options = {"learning_rate": 0.1, "steps": 20, "batch": 2, "order": order}
    many = least_squares_sgd(x, y, **options, replicates=8, seed=5)
    assert np.array_equal(many[:3], least_squares_sgd(x, y, **options, replicates=3, seed=5))
    assert np.array_equal(many, path(x, y, **options, replicates=8, seed=5)[-1])
    seen = []
    least_squares_sgd(x, y, **options, seed=5, on_step=lambda t, w: seen.append((t, w.copy())), at=(0, 7))
    assert [t for t, _ in seen] == [0, 7]
    if order != "full":
        assert not np.array_equal(many, least_squares_sgd(x, y, **options, replicates=8, seed=6))
        assert len(np.unique(many, axis=0)) == 8


def test_arrays_and_tensors_of_both_kinds_of_floats(data):
    x, y = data
    options = {"learning_rate": 0.1, "steps": 50, "replicates": 2}
    double = least_squares_sgd(x, y, **options)
    single = least_squares_sgd(x.astype(np.float32), y.tolist(), **options)
    assert (double.dtype, single.dtype) == (np.float64, np.float32)
    assert single == pytest.approx(double, rel=1e-4)
    tensor = least_squares_sgd(torch.from_numpy(x), torch.from_numpy(y), **options, start=torch.zeros(5))
    assert tensor.dtype == torch.float64
    assert np.array_equal(tensor.numpy(), double)
    assert np.array_equal(least_squares_sgd(np.asfortranarray(x), y, **options), double)
    assert least_squares_sgd(x, y, learning_rate=0.1, steps=0).tolist() == [[0.0] * 5]
    assert not np.isfinite(least_squares_sgd(x, y, learning_rate=50.0, steps=2000)).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": np.ones(3)}, r"`x` must be of shape \(any, any\), got \(3,\)"),
        ({"x": np.array([[np.nan], [1.0]])}, "`x` must be finite"),
        ({"y": np.ones(3)}, r"`y` must be of shape \(2,\), got \(3,\); give one answer for each row"),
        ({"steps": 1.5}, "`steps` must be a whole number >= 0, got 1.5"),
        ({"replicates": 0}, "`replicates` must be"),
        (
            {"order": "random"},
            "`order` must be one of 'replacement', 'batch-without', 'reshuffle', 'full', got 'random'",
        ),
        ({"batch": 0}, "`batch` must be"),
        ({"batch": 3, "order": "reshuffle"}, r"`batch` must be a whole number in \[1, 2\], got 3"),
        ({"learning_rate": -1}, "`learning_rate` must be >= 0"),
        ({"learning_rate": [0.1, 0.2, 0.3]}, r"`learning_rate` must be of shape \(4,\)"),
        ({"learning_rate": np.nan}, "`learning_rate` must be finite"),
        ({"start": np.ones(2)}, r"`start` must be of shape \(1,\)"),
        ({"start": np.ones((2, 1))}, r"`start` must be of shape \(1, 1\)"),
        ({"at": (3, 5), "on_step": print}, r"`at` must be rising steps in 0\.\.4"),
        ({"seed": -1}, "`seed` must be"),
    ],
)
def test_bad_arguments(arguments, message):
    good = {"x": np.ones((2, 1)), "y": np.ones(2), "learning_rate": 0.1, "steps": 4}
    with pytest.raises(InputError, match=message):
        least_squares_sgd(**{**good, **arguments})

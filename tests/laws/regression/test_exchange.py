"""The worth of a target sample against plain searches, planted data and real data with runs beside."""

import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits, load_wine

from twopart._checks import InputError
from twopart.laws.regression import (
    best_split,
    exchange,
    exchange_rate,
    from_features,
    geometric,
    transfer_risk,
    tuned_risk,
)
from twopart.laws.regression.exchange import RATES
from twopart.learners.regression import pretrain_finetune
from twopart.worlds.regression import CovariateShift

PAGE = Path(__file__).parents[3] / "docs" / "laws" / "covariate-shift.md"


def plain(world, M, n):
    """The least risk over the grid, from the full-matrix recursion, step by step."""
    G, H = world.covariance("source"), world.covariance("target")
    best = np.inf
    for γ, η in product(RATES if M else (0,), (0, *RATES) if n else (0,)):
        S = np.ones((world.dimension, world.dimension))
        for A, rates in ((G, geometric(M, γ / np.trace(G))), (H, geometric(n, η / np.trace(H)))):
            for rate in rates:
                D = np.eye(len(A)) - rate * A
                S = D @ S @ D + rate**2 * (A @ S @ A + (np.trace(A @ S) + world.noise**2) * A)
        best = min(best, np.trace(H @ S))
    return best


@pytest.mark.parametrize("angle", [0.0, 0.5])
def test_exchange_against_a_plain_search(angle):
    world = CovariateShift.power(4, source_decay=2.5)
    world = world.rotated(angle) if angle else world
    for n in (0, 2):
        level = tuned_risk(world, 0, 8).risk
        assert level == pytest.approx(plain(world, 0, 8))
        enough = int(np.ceil(exchange(world, 8, n)))
        assert plain(world, enough, n) <= level < plain(world, enough - 1, n)
        best = tuned_risk(world, enough, n)
        assert best.risk == pytest.approx(plain(world, enough, n))
        assert transfer_risk(world.source, world.target, -world.truth, 1.0, *best.rates).tuned == pytest.approx(
            best.risk
        )


def test_what_is_known_beforehand():
    same = CovariateShift.power(50, source_decay=None)
    assert exchange(same, 100) == pytest.approx(100)
    assert exchange(same, 100, 100) == 0
    assert exchange(same, 100, 40) == pytest.approx(60, rel=0.3)
    assert exchange(same.depressed((0,), 0), 100) == np.inf
    assert np.isfinite(exchange(same.depressed((0,), 0), 100, 50))
    assert exchange(CovariateShift.power(50), 100, most=64) == np.inf
    # units: inputs ten times larger, weights ten times smaller
    scaled = CovariateShift(100 * same.source, 100 * same.target, same.truth / 10)
    assert exchange(scaled, 64, 8) == pytest.approx(exchange(same, 64, 8))


def test_best_split_against_all_splits():
    world, prices = CovariateShift.power(8, source_decay=None).depressed(2, 0.01), (1.0, 5.0)
    every = {n: tuned_risk(world, int(60 - 5 * n), n).risk for n in range(13)}
    found = best_split(world, 60, prices)
    assert found[0].risk == pytest.approx(min(every.values()))
    assert found[0].target == min(every, key=every.get)
    assert 0 < found[0].target < 12
    assert [split.risk for split in found] == sorted(split.risk for split in found)
    for split in found:
        assert (split.source, split.risk) == (60 - 5 * split.target, pytest.approx(every[split.target]))
    assert best_split(world, 60, (1.0, 0.1))[0].source < 60  # target samples for a tenth
    assert best_split(CovariateShift.power(8, source_decay=None), 60, (1, 1.2))[0].target == 0


@pytest.mark.parametrize(("dtype", "gaussian"), [(np.float32, False), (np.float64, True)])
def test_features_of_a_known_world_give_what_the_world_gives(dtype, gaussian):
    """The estimates' errors move M by some per cent; the truth is recovered to its standard errors."""
    world = CovariateShift.power(5, source_decay=2.5, noise=0.5, seed=2).rotated(0.4)
    (x, _), (z, y) = world.sample(1000, "source", dtype=dtype), world.sample(1000, "target", dtype=dtype)
    domains = from_features(x, z, y, gaussian=gaussian)
    assert domains.noise == pytest.approx(0.5, rel=5 / np.sqrt(2 * 1000))
    assert domains.error == pytest.approx(-np.ones(5), abs=5 * 0.5 / np.sqrt(1000 * np.asarray(world.target).min()))
    assert exchange(domains, 16, 2, most=128) == pytest.approx(exchange(world, 16, 2), rel=0.4)
    assert exchange_rate(x[:99], z, y, 16, finetune=16, most=2) == 0


def test_a_pilot_smaller_than_the_dimension_is_shrunk():
    """The ridge's strength is that of least generalised cross-validation, by the hat matrix."""
    random = np.random.default_rng(0)
    z = random.standard_normal((30, 40))
    y = z[:, 0] + 0.3 * random.standard_normal(30)
    domains = from_features(z, z, y)
    scale, scores = np.linalg.svd(z)[1][0] ** 2, []
    for ridge in np.geomspace(1e-8, 1e2, 41):
        hat = z @ np.linalg.solve(z.T @ z + ridge * scale * np.eye(40), z.T)
        left, free = y - hat @ y, 30 - np.trace(hat)
        weights = np.linalg.solve(z.T @ z + ridge * scale * np.eye(40), z.T @ y)
        scores.append((30 * left @ left / free**2, np.sqrt(left @ left / free), weights))
    _, noise, weights = min(scores, key=lambda score: score[0])
    assert domains.noise == pytest.approx(noise, rel=1e-3)
    assert domains.error == pytest.approx(-weights, rel=1e-3, abs=1e-6)


def standardised(values):
    return (values - values.mean(0)) / np.maximum(values.std(0), 1e-9)


def halves(x, y, by):
    """Those below the median of a covariate, and those above."""
    x, low = np.column_stack([standardised(x), np.ones(len(x))]), by <= np.median(by)
    return x[low], y[low], x[~low], y[~low]


def diabetes():
    x, y = load_diabetes(return_X_y=True)
    return halves(x, standardised(y), x[:, 0])


def wine():
    x, _ = load_wine(return_X_y=True)
    return halves(np.delete(x, 0, axis=1), standardised(x[:, 0]), x[:, 4])  # alcohol from the rest, by magnesium


def digits():
    """Blurred images as the source, plain ones as the target; which digits are odd, from 12 pooled features."""
    images, kind = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8) / 16
    blurred = sum(np.roll(images, (i, j), (1, 2)) for i, j in product((-1, 0, 1), repeat=2)) / 9
    order, basis = np.random.default_rng(0).permutation(len(kind)), np.linalg.svd(images.reshape(-1, 64), False)[2][:12]
    source, target = order[:200], order[200:400]
    x, z = (part.reshape(-1, 64) @ basis.T for part in (blurred, images))
    y = np.where(kind % 2, 1.0, -1.0)
    return x[source], y[source], z[target], y[target]


@pytest.mark.parametrize("data", [diabetes, wine, digits])
def test_real_domains_against_runs(data, size):
    """Real features of two domains. Runs that draw rows, their answers from the pilot's fit with fresh noise, end where the law
    says; with the real answers of the target near it, as their residuals are not quite such a noise.
    """
    runs, (x, _, z, y) = size(2000, 30_000), data()
    random, domains = np.random.default_rng(1), from_features(x, z, y)
    truth = -domains.error

    def stream(rows, answers, noise):
        while True:
            drawn = random.integers(len(rows), size=(runs, 1))
            yield rows[drawn], answers[drawn] + noise * random.standard_normal((runs, 1))

    def risks(best, target_answers, noise):
        streams = stream(x, x @ truth, noise), stream(z, target_answers, noise)
        ran = pretrain_finetune(*streams, rates=best.rates, start=np.zeros(len(truth)), replicates=runs)
        return [np.square((weights - truth) @ z.T).mean(-1) for weights in (ran.pretrained, ran.tuned)]

    best = tuned_risk(domains, 120, 6)
    law = domains.risk(*best.rates)
    for found, expected in zip(risks(best, z @ truth, domains.noise), (law.pretrained, law.tuned), strict=True):
        assert abs(found.mean() - expected) < 5 * found.std() / np.sqrt(runs)
        assert found.std() / np.sqrt(runs) < 0.02 * expected
    alone = tuned_risk(domains, 0, 60)
    assert risks(alone, y, 0.0)[1].mean() == pytest.approx(alone.risk, rel=0.15)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target_features": np.ones((9, 4))}, "`target_features` must be of shape"),
        ({"source_features": np.zeros((9, 3))}, "`source_features` must be features that vary"),
        ({"source_features": np.full((9, 3), np.nan)}, "`source_features` must be finite"),
        ({"pilot_labels": np.ones(1)}, "`pilot_labels` must be 2 to 9 labels"),
        ({"pilot_labels": np.ones(10)}, "`pilot_labels` must be 2 to 9 labels"),
        ({"target_samples": 0}, "`target_samples`"),
        ({"finetune": -1}, "`finetune`"),
        ({"rates": (0.0, 0.1)}, "`rates` must be > 0"),
        ({"most": 0}, "`most`"),
    ],
)
def test_what_cannot_be_is_refused(change, message):
    random = np.random.default_rng(0)
    good = {
        "source_features": random.standard_normal((9, 3)),
        "target_features": random.standard_normal((9, 3)),
        "pilot_labels": random.standard_normal(9),
        "target_samples": 5,
    }
    assert exchange_rate(**good, most=8) > 0
    with pytest.raises(InputError, match=message):
        exchange_rate(**{**good, **change})


def test_budgets_that_buy_nothing_are_refused():
    world = CovariateShift.power(4)
    for budget, prices, message in (
        (1, (2, 3), "`budget` must be at least 2"),
        (9, (0, 1), "`prices`"),
        (9, (1,), "`prices`"),
        (9, 1, "`prices`"),
    ):
        with pytest.raises(InputError, match=message):
            best_split(world, budget, prices)


def test_the_page_opens_with_an_example_that_runs():
    example = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.S).group(1)
    assert PAGE.read_text().index(example) < 1500
    assert len(example.strip().splitlines()) <= 12
    scope = {}
    exec(example, scope)
    assert scope["found"] > 0

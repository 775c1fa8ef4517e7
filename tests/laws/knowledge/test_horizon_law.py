"""The horizon's laws against simulations of what they speak of."""

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.laws import hidden_horizon, horizon_loss, noise_floor, tagged_excess
from twopart.worlds import Lags


def test_told_lags_cost_what_a_table_of_them_pays(size):
    V, L, P, draws = 12, 90, np.array([300, 3000]), size(300, 3000)
    world, random = Lags(V, 1.7, L, tagged=True), np.random.default_rng(0)
    excess = []
    for _ in range(draws):
        lag, x = random.choice(L, P[-1], p=world.weights), random.integers(V, size=P[-1])
        unseen = [1 - np.bincount(np.unique(lag[:n] * V + x[:n]) // V, minlength=L) / V for n in P]
        excess.append(np.log2(V) * np.array(unseen) @ world.weights)
    mean, error = np.mean(excess, 0), np.std(excess, 0) / np.sqrt(draws)
    law = tagged_excess(world.weights, V, P)
    assert (np.abs(mean - law) < 5 * error).all()
    assert 5 * error[1] < 0.05 * law[1], "5 % would be seen"
    assert law == pytest.approx([0.694, 0.204], abs=0.002), "published with the derivation"
    assert tagged_excess(world.weights, V, 0) == pytest.approx(np.log2(V))


def test_entries_below_the_bar_are_noise():
    """Of counts without any excess, hardly one exceeds it; and the horizon is where an excess does."""
    V, L, P = 16, 100, 2**16
    weights = Lags(V, 1.35, L).weights
    z = np.sqrt(2 * np.log(V**2 * L))
    counts = np.random.default_rng(1).multinomial(P, np.full(V * V, 1 / V**2), size=L)
    assert (counts - P / V**2 > z * np.sqrt(P) / V).sum() <= 2
    expected = sum(P * q / V > z * np.sqrt(P) / V for q in weights)
    assert hidden_horizon(weights, V, P) == expected
    assert list(hidden_horizon(weights, V, 2.0 ** np.arange(12, 21, 2))) == [3, 5, 9, 15, 25], "as published with it"


def test_the_loss_at_the_horizon_is_that_of_hidden_lags():
    world, P = Lags(16, 1.35, 100), 2.0 ** np.arange(6, 21, 2)
    norms = [np.linalg.norm(world.covariance(n), 2) for n in range(1, 101)]
    scale = np.sqrt(2 * np.log(16**2 * 100)) / 16
    n = hidden_horizon(world.weights, 16, P).astype(int)
    assert horizon_loss(P, norms, world.entropies, scale) == pytest.approx(world.entropies[n])
    assert (n[0], n[-1]) == (0, 25)
    waves = horizon_loss([1.0, 100.0], [0.5, 0.01, 0.2, 0.05], [5, 4, 3, 2, 1], 1.0)
    assert waves.tolist() == [5, 2], "the largest, though the second is below the noise"


def test_noise_of_independent_tokens():
    p, T, draws = np.array([0.5, 0.3, 0.2]), 2000, 20_000
    pairs = np.random.default_rng(2).multinomial(T, np.outer(p, p).ravel(), size=draws).reshape(-1, 3, 3) / T
    centred = pairs - p[:, None] * pairs.sum(1)[:, None] - pairs.sum(2)[..., None] * p + np.outer(p, p)
    found = (centred**2).sum((1, 2))
    law, error = noise_floor([1 - p @ p], T), found.std() / np.sqrt(draws)
    assert abs(found.mean() - law) < 5 * error
    assert error * 5 < 0.05 * law, "5 % would be seen"
    assert noise_floor([0.5, 0.25], 10) == pytest.approx((0.25 + 2 * 0.0625) / 10)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: noise_floor([], 10), "`traces`"),
        (lambda: noise_floor([np.nan], 10), "`traces`"),
        (lambda: noise_floor([1.0], 0), "`pairs`"),
        (lambda: hidden_horizon([0.5, np.inf], 4, 10), "`weights`"),
        (lambda: hidden_horizon([0.5], 1, 10), "`values`"),
        (lambda: hidden_horizon([0.5], 4, [0]), "`tokens`"),
        (lambda: horizon_loss(0, [1.0], [2, 1], 1.0), "`tokens`"),
        (lambda: horizon_loss(1, [1.0], [2, 1, 0], 1.0), "`entropies`"),
        (lambda: horizon_loss(1, [np.nan], [2, 1], 1.0), "`norms`"),
        (lambda: horizon_loss(1, [1.0], [2, 1], 0), "`scale`"),
        (lambda: tagged_excess([0.5], 4, -1), "`tokens`"),
        (lambda: tagged_excess([[0.5]], 4, 1), "`weights`"),
        (lambda: tagged_excess([0.5], 1, 1), "`values`"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(InputError, match=words):
        call()

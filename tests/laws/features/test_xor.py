"""Benign overfitting on XOR data: the law against simulations of its own picture, a flow of margins, published prototypes."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from twopart._checks import InputError
from twopart.laws.features import memory_spread, reply_error, reply_spread, rivalry, samples_for, xor_error
from twopart.worlds.features import SignalNoise, Xor


@pytest.mark.parametrize("active", [0.5, 0.77, 0.95])
def test_a_reply_is_the_mean_of_positive_parts(active, size):
    draws = size(200_000, 2_000_000)
    N = np.random.default_rng(1).standard_normal(draws)
    for z in (-3.0, -0.5, 0.0, 1.2, 4.0):
        parts = np.maximum(active * z + np.sqrt(active * (1 - active)) * N, 0)
        assert memory_spread(z, active) == pytest.approx(parts.mean(), abs=5 * parts.std() / np.sqrt(draws) + 1e-7)


@pytest.mark.parametrize("active", [0.5, 0.77, 0.95])
def test_errors_are_how_often_a_reply_exceeds_the_signal(active, size):
    draws = size(400_000, 4_000_000)
    random, s = np.random.default_rng(2), np.sqrt(active * (1 - active))
    t = active * random.standard_normal((2, draws)) / s
    replies = s * (t * norm.cdf(t) + norm.pdf(t))
    difference = replies[0] - replies[1]
    assert reply_spread(active) == pytest.approx(difference.std(), rel=5 * np.sqrt(1.5 / draws))
    for k in (0.0, 0.05, 0.3, 1.0):
        law = reply_error(k, active)
        assert law == pytest.approx((difference > k).mean(), abs=5 * np.sqrt(law * (1 - law) / draws))
    assert reply_error(0.0, active) == pytest.approx(0.5, abs=1e-12)


def test_networks_that_remember_at_random_err_as_the_law_says(size):
    """Its own picture, neuron by neuron: orthogonal noise, each point remembered by a random share q of its side's neurons,
    flipped points with ρ + γ/q, half of the neurons alive on the signal. No ψ and no τ in sight.
    """
    n, d, m, q, p, nets, fresh = 240, 9000.0, 80, 0.75, 0.1, size(40, 400), 2000
    law = xor_error(n, d, 6.0, flips=p, active=q)
    random, found = np.random.default_rng(3), []
    for _ in range(nets):
        sides = []
        for _side in range(2):
            memory = np.where(np.arange(n // 2) < p * n / 2, 1 + law.ratio / q, 1.0)
            weights = (random.random((m, n // 2)) < q) * memory
            noise = random.standard_normal((fresh, n // 2)) / np.sqrt(d)
            sides.append(np.maximum(noise @ weights.T, 0).mean(1))
        found.append((sides[0] + law.ratio / 2 < sides[1]).mean())
    error = np.std(found, ddof=1) / np.sqrt(nets)
    assert np.mean(found) == pytest.approx(law.clean, abs=5 * error)
    assert 5 * error < 0.006, "k off by 5 % shows"


@pytest.mark.parametrize("active", [0.6, 0.78])
def test_sides_that_are_silent_at_the_others_noise_reply_against_each_other(active, size):
    """Neuron by neuron: at a point of the other label the positive part of cross-talk is taken away."""
    n, d, m, draws = 160, 2000, 4000, size(200_000, 2_000_000)
    random, s = np.random.default_rng(4), np.sqrt(active * n / (2 * d))
    own = (random.random((2, m, n // 2)) < active).mean(1)
    other = -np.maximum(s * random.standard_normal((2, m, n // 2)), 0).mean(1)
    along, against = (
        np.stack([own[0], other[1]]),
        np.stack([other[0], own[1]]),
    )  # weights of both labels' points, by side
    covariance = (along[0] * against[0]).sum() + (along[1] * against[1]).sum()
    scale = np.square(own[0]).sum() + np.square(other[0]).sum()
    r = rivalry(n, d, active)
    assert covariance / scale == pytest.approx(r, rel=0.03)
    z = random.standard_normal((2, draws))
    replies = np.asarray(memory_spread(np.stack([z[0], r * z[0] + np.sqrt(1 - r**2) * z[1]]), active))
    law = reply_error(0.2, active, r)
    assert law == pytest.approx((replies[1] - replies[0] > 0.2).mean(), abs=5 * np.sqrt(law * (1 - law) / draws))
    assert law > reply_error(0.2, active) + 0.005


@pytest.mark.parametrize(("k0", "flips", "active"), [(0.3, 0.1, 0.75), (1.5, 0.2, 0.7), (0.8, 0.0, 0.5)])
def test_margins_that_become_equal_give_the_late_ratio(k0, flips, active):
    """The flow of γ, ρ and ρ_flip, in steps of 0.1 on the margins, until these are near 2,000."""
    signal, clean, flipped = 0.0, 0.0, 0.0
    for _ in range(20_000):
        pulls = np.exp(-np.array([signal / 2 + active * clean, active * flipped - signal / 2]))
        pulls = 0.1 * pulls / pulls.max()
        signal += k0 * ((1 - flips) * pulls[0] - flips * pulls[1])
        clean, flipped = clean + pulls[0], flipped + pulls[1]
    n, d = 100, 4000.0
    size = np.sqrt(4 * k0 * d / n)
    law = xor_error(n, d, size, flips=flips, active=active)
    reply = np.sqrt(n / (2 * d) * ((1 - flips) * clean**2 + flips * flipped**2))
    assert signal / clean == pytest.approx(law.ratio, rel=1e-3)
    assert signal / 2 / reply == pytest.approx(law.margin, rel=1e-3)
    assert xor_error(n, d, size, flips=flips, active=active, late=False).ratio == pytest.approx(k0 * (1 - 2 * flips))


def test_numbers_of_a_prototype():
    """n = 160, d = 4000 at n norm⁴/d = 4, 16, 36; and n = 100, d = 3000, norm 3.1, q = .75."""
    norms = (np.array([4.0, 16.0, 36.0]) * 4000 / 160) ** 0.25
    law = xor_error(160, 4000, norms)
    assert law.clean == pytest.approx([0.152, 0.038, 0.007], abs=5e-4)
    assert law.margin**2 == pytest.approx(np.array([4.0, 16.0, 36.0]) / 32)
    assert xor_error(160, 4000, norms[:2], active=0.77).clean == pytest.approx([0.22, 0.109], abs=0.006)
    assert xor_error(100, 3000, 3.1, active=0.755).clean == pytest.approx(0.239, abs=0.005)


def test_arguments_broadcast_and_what_counts_of_an_angle():
    law = xor_error(np.array([[50], [100]]), 4000, np.array([2.0, 4.0, 6.0]), flips=0.1)
    assert law.clean.shape == law.noisy.shape == law.margin.shape == law.ratio.shape == (2, 3)
    assert law.noisy == pytest.approx(0.1 + 0.8 * law.clean)
    assert float(law.clean[1, 2]) == xor_error(100, 4000, 6.0, flips=0.1).clean
    turned = xor_error(100, 4000, 5 / np.sqrt(1 - 0.36), cosine=0.6)
    assert turned.clean == pytest.approx(xor_error(100, 4000, 5.0).clean)
    assert xor_error(100, 4000, 0.0).clean == pytest.approx(0.5)


def test_samples_are_enough_and_no_fewer_are():
    n = samples_for(0.05, 4000, 4.0)
    assert xor_error(n, 4000, 4.0, active=0.75).clean == pytest.approx(0.05, abs=1e-9)
    n = samples_for(0.05, 40_000, 8.0, flips=0.1, cosine=0.3, active=0.7)
    assert xor_error(n, 40_000, 8.0, flips=0.1, cosine=0.3, active=0.7).clean == pytest.approx(0.05, abs=1e-9)
    with pytest.raises(InputError, match="`norm` must be larger"):
        samples_for(0.05, 4000, 4.0, flips=0.1)


def test_no_linear_rule_tells_the_classes_apart_and_the_nearest_centre_does():
    world = SignalNoise(Xor(6.0, 0.5), dimension=200)
    train, test = world.sample(2000), world.sample(2000, stream=1)
    fit = LogisticRegression(fit_intercept=False, C=1e-3).fit(train.x.reshape(2000, -1), train.label)
    assert fit.score(test.x.reshape(2000, -1), test.label) == pytest.approx(0.5, abs=0.06)
    along = np.abs(test.x[:, 0] @ world.directions.T)
    assert np.array_equal(np.where(along[:, 0] > along[:, 1], 1, -1), test.clean)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"n": 0}, "n"),
        ({"dimension": np.nan}, "dimension"),
        ({"norm": -1.0}, "norm"),
        ({"noise": 0.0}, "noise"),
        ({"flips": 0.5}, "flips"),
        ({"cosine": 1.1}, "cosine"),
        ({"active": [0.5, 1.0]}, "active"),
        ({"norm": "large"}, "norm"),
    ],
)
def test_bad_arguments(changes, name):
    arguments = {"n": 100, "dimension": 4000, "norm": 3.0} | changes
    with pytest.raises(InputError, match=rf"`{name}` must be .*, got .*; "):
        xor_error(**arguments)


def test_bad_replies_and_samples():
    for ask in (
        lambda: memory_spread(np.nan),
        lambda: memory_spread(0.0, 0.0),
        lambda: reply_error(-0.1),
        lambda: reply_spread(1.0),
        lambda: reply_error(0.1, 0.5, 1.0),
        lambda: rivalry(0, 100),
        lambda: samples_for(0.5, 4000, 4.0),
        lambda: samples_for(0.1, 0, 4.0),
    ):
        with pytest.raises(InputError, match="must be"):
            ask()

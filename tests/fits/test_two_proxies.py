"""A learner's own width behind two bad proxies: planted, and what correlated errors do to it."""

import numpy as np
import pytest
from scipy.stats import norm

from twopart._checks import InputError
from twopart.fits.two_proxies import _likelihood, two_proxies


def planted(width, seed, n=5000, common=0.0):
    """s1 = 0.3, s2 = 0.4, a = 1, b = 1.2, t0 = 6.2; errors correlated by `common`."""
    random = np.random.default_rng(seed)
    t = random.uniform(4, 8.5, n)
    e1, other = random.normal(size=(2, n))
    e2 = common * e1 + np.sqrt(1 - common**2) * other
    x1, x2 = t + 0.3 * e1, 1 + 1.2 * t + 0.4 * e2
    guess = random.choice([0.05, 0.3, 0.6], n)
    known = t + width * random.normal(size=n) > 6.2
    inside = (x1 > 4.6) & (x1 < 7.9)  # a flat prior, away from its ends
    return x1[inside], x2[inside], (known | (random.random(n) < guess))[inside].astype(float), guess[inside]


def test_the_width_comes_back(size):
    """Over datasets: the mean of w within five standard errors, which are below a sixth of it."""
    for width in (0.3, 0.6):
        found = [two_proxies(*planted(width, seed)) for seed in range(size(3, 20))]
        w = np.array([one.width for one in found])
        assert w.std(ddof=1) < width / 3
        assert w.mean() == pytest.approx(width, abs=5 * max(w.std(ddof=1), 0.02) / np.sqrt(len(w)))
        one = found[0]
        assert one.threshold == pytest.approx(6.2, abs=0.1)
        assert (one.offset, one.slope) == (pytest.approx(1, abs=0.3), pytest.approx(1.2, abs=0.05))
        assert one.errors == pytest.approx((0.3, 0.4), abs=0.12)


def test_errors_that_go_together_make_it_too_large():
    apart, together = (two_proxies(*planted(0.1, 0, common=c)).width for c in (0, 0.7))
    assert together > apart + 0.1


def test_the_likelihood_is_an_integral_over_the_frequency():
    """P(right, x2 | x1) with the frequency integrated out, on a grid."""
    x1, x2, numbers = 5.9, 8.4, (6.2, 0.35, 0.3, 0.4, 1.0, 1.2)
    t = np.linspace(2, 10, 400_001)

    known = norm.cdf((t - 6.2) / 0.35)
    given = norm.pdf(x1 - t, scale=0.3) * norm.pdf(x2 - 1 - 1.2 * t, scale=0.4)
    integral = np.trapezoid(given * (known + (1 - known) * 0.2), t)
    found, _ = _likelihood(*(np.array([v]) for v in (x1, x2, 1.0, 0.2)), numbers)
    assert np.exp(found) == pytest.approx(integral, rel=1e-9)


def test_its_slopes_are_those_of_differences():
    arrays, numbers = planted(0.3, 0, n=300), np.array([6.1, 0.35, 0.28, 0.45, 0.9, 1.15])
    for k, slope in enumerate(_likelihood(*arrays, numbers)[1]):
        step = np.where(np.arange(6) == k, 1e-5, 0)
        above, below = (_likelihood(*arrays, numbers + sign * step)[0] for sign in (1, -1))
        assert slope == pytest.approx((above - below) / 2e-5, rel=1e-6)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"x1": np.arange(5.0), "x2": np.arange(5.0), "right": np.ones(5), "guess": np.zeros(5)}, "at least 20 facts"),
        ({"x1": np.ones(30)}, "`x1` must be of several values"),
        ({"x2": np.arange(29.0)}, "`x2`"),
        ({"x2": np.full(30, np.nan)}, "`x2`"),
        ({"right": np.full(30, 2.0)}, "`right`"),
        ({"guess": np.zeros(3)}, "`guess`"),
    ],
)
def test_refusals(wrong, words):
    given = {"x1": np.arange(30.0), "x2": np.arange(30.0), "right": np.ones(30), "guess": np.zeros(30)} | wrong
    with pytest.raises(InputError, match=words):
        two_proxies(**given)

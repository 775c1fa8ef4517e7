"""Discrete power laws against mpmath's zeta function, SciPy's Zipf law, a plain implementation, and laws to recover."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import zeta
from scipy.stats import binom, zipf

from tests.worlds.knowledge.partitions import FALSE_ALARM, agrees
from twopart._checks import InputError
from twopart.fits import _zeta, discrete_power_law
from twopart.fits._tables import tabulate
from twopart.fits._tails import CANDIDATES, Sample, best_tail, tail_at

EXPONENTS = [1.01, 1.1, 1.5, 2.0, 2.5, 3.5, 6.0, 20.0]


def sample_of(numbers):
    values, often = tabulate("samples", numbers, None)
    return Sample(values.astype(float), often)


@pytest.mark.parametrize("s", [1.0001, 1.05, 2.5, 7.0, 60.0])
@pytest.mark.parametrize("q", [1, 2, 30, 1000, 10**7])
def test_moments_are_mpmaths(s, q):
    with mpmath.workdps(500):  # its zeta is exact to so many decimals, and 1000^-60 is small
        m0, m1, m2 = (mpmath.zeta(mpmath.mpf(s), q, k) * mpmath.mpf(q) ** mpmath.mpf(s) for k in range(3))
        mean = -m1 / m0 - mpmath.log(q)  # mpmath's derivatives are those of Σ x^-s
        spread = m2 / m0 - (m1 / m0) ** 2
    ours = _zeta.log_moments(s, q)
    assert float(ours[0]) == pytest.approx(float(mpmath.log(m0)), rel=1e-11, abs=1e-13)
    assert float(ours[1]) == pytest.approx(float(mean), rel=1e-10)
    assert float(ours[2]) == pytest.approx(float(spread), rel=1e-9)


def plain_distance(numbers, xmin, s):
    """The largest gap between the two distribution functions at every whole number up to the largest, by SciPy's zeta."""
    tail = np.sort(np.asarray(numbers)[np.asarray(numbers) >= xmin])
    x = np.arange(xmin, tail[-1] + 1)
    law = 1 - zeta(s, x + 1) / zeta(s, xmin)
    return np.abs(np.searchsorted(tail, x, side="right") / len(tail) - law).max()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=3, max_size=80), st.integers(1, 60))
def test_a_tail_is_what_a_plain_implementation_finds(numbers, xmin):
    numbers += [xmin, xmin + 1]
    tail = tail_at(sample_of(numbers), float(xmin))
    inside = np.array([x for x in numbers if x >= xmin])

    def negative(s):
        return s * np.log(inside).mean() + np.log(zeta(s, xmin))

    found = minimize_scalar(negative, bounds=(1.0001, 60), method="bounded", options={"xatol": 1e-10})
    assert tail.size == len(inside)
    if found.x < 50:
        assert tail.exponent == pytest.approx(found.x, rel=1e-5)
        assert tail.distance == pytest.approx(plain_distance(numbers, xmin, tail.exponent), abs=1e-11)


def test_the_nearest_tail_is_chosen():
    random = np.random.default_rng(3)
    numbers = np.r_[zipf(2.5).rvs(400, random_state=1) + 9, random.integers(1, 12, 300)]
    sample = sample_of(numbers)
    every = [tail_at(sample, x) for x in sample.values[:-1]]
    best = best_tail(sample)
    assert len(every) < CANDIDATES
    nearest = min(every, key=lambda tail: tail.distance)
    assert (best.xmin, best.exponent) == (nearest.xmin, pytest.approx(nearest.exponent, rel=1e-12))
    assert best.distance == pytest.approx(nearest.distance, abs=1e-13)
    fit = discrete_power_law(numbers)
    assert (fit.xmin, fit.distance, fit.tail) == (best.xmin, best.distance, best.size)
    assert fit.chosen


def test_many_values_are_tried_at_256_starts():
    numbers = np.random.default_rng(1).integers(1, 10**6, 5000)
    fit = discrete_power_law(numbers)
    sample = sample_of(numbers)
    by_hand = tail_at(sample, float(fit.xmin))
    assert len(sample.values) > 4000
    assert (by_hand.exponent, by_hand.distance) == pytest.approx((fit.exponent, fit.distance))


@pytest.mark.parametrize("exponent", [1.3, 2.0, 3.2, 5.0])
def test_scipys_zipf_is_recovered(exponent):
    """40 samples of 2000: z of the exponent, the likelihood, and the coverage of 95 % intervals."""
    random = np.random.default_rng(int(100 * exponent))
    z, covered = [], 0
    for _ in range(40):
        numbers = np.minimum(zipf(exponent).rvs(2000, random_state=random).astype(float), 2.0**53)
        numbers = np.where(numbers > 0, numbers, 2.0**53)  # beyond int64 SciPy's draws wrap round
        fit = discrete_power_law(numbers, xmin=1)
        z.append((fit.exponent - exponent) / fit.exponent_error)
        low, high = fit.interval()
        covered += low <= exponent <= high
    assert fit.log_likelihood == pytest.approx(
        -fit.exponent * np.log(numbers).sum() - 2000 * np.log(zeta(fit.exponent))
    )
    assert abs(np.mean(z)) * np.sqrt(40) < 4.9
    assert covered >= binom.ppf(FALSE_ALARM, 40, 0.95)


def test_the_exponent_is_right_where_shortcuts_are_not():
    """Each shortcut is off by more than ten standard errors; the fit is within five."""
    steep = zipf(4.0).rvs(100_000, random_state=1)
    fit = discrete_power_law(steep, xmin=1)
    shortcut = 1 + len(steep) / np.log(steep / 0.5).sum()
    assert abs(fit.exponent - 4) < 5 * fit.exponent_error
    assert abs(shortcut - 4) > 10 * fit.exponent_error
    values, often = _zeta.draw_table(np.random.default_rng(2), 1.2, 1, 100_000)
    small = values < 2**53
    flat = discrete_power_law(values[small], often[small], xmin=1)
    x = np.arange(1, 10**6 + 1)
    mean_log = np.average(np.log(values), weights=often)
    cut = minimize_scalar(lambda s: s * mean_log + np.log(np.sum(x**-s)), bounds=(0.5, 3), method="bounded").x
    assert abs(flat.exponent - 1.2) < 5 * flat.exponent_error
    assert abs(cut - 1.2) > 10 * flat.exponent_error


@pytest.mark.parametrize("s", EXPONENTS[1:])
@pytest.mark.parametrize("q", [1, 7, 3000])
def test_draws_follow_the_law(s, q, monkeypatch):
    """With the head cut to 16 values, both ways of drawing share the counts."""
    monkeypatch.setattr(_zeta, "HEAD", 16)
    values, often = _zeta.draw_table(np.random.default_rng(q), s, q, 20_000)
    assert often.sum() == 20_000
    edges = q + np.unique(np.geomspace(1, 1000, 30).round()) - 1  # bins of values, the last one open
    mass = zeta(s, edges) / zeta(s, q) if s < 15 or q < 1000 else np.exp(-(s - 1) * np.log(edges / q))
    if s > 15 and q > 1000:
        mass = np.exp(
            [float(_zeta.log_moments(s, e)[0] - _zeta.log_moments(s, q)[0] - s * np.log(e / q)) for e in edges]
        )
    observed = [often[(values >= a) & (values < b)].sum() for a, b in zip(edges, np.r_[edges[1:], np.inf], strict=True)]
    assert agrees(np.array(observed), 20_000 * (mass - np.append(mass[1:], 0)))


@pytest.mark.slow
def test_the_p_value_tells_a_law_from_what_is_none():
    """Under the law p is uniform, here above 0.02 in all of 8 samples of a fixed seed (chance 0.85) and above 0.5 in some;
    geometric counts have no power tail."""
    random = np.random.default_rng(5)
    true = [discrete_power_law(zipf(2.2).rvs(500, random_state=random)).goodness(100).p_value for _ in range(8)]
    assert max(true) > 0.5
    assert min(true) > 0.001
    false = discrete_power_law(random.geometric(0.1, 5000), xmin=1).goodness(100)
    assert false.p_value < 0.02
    assert false.resamples == 100
    assert false.error < 0.02


@pytest.mark.slow
def test_p_values_are_uniform_under_the_law():
    """xmin known, 60 samples: the mean of the p-values is that of 1/20, ..., 20/20 within 5 standard errors."""
    random = np.random.default_rng(6)
    fits = [discrete_power_law(zipf(2.5).rvs(200, random_state=random), xmin=1) for _ in range(60)]
    values = [fit.goodness(19, seed=i).p_value for i, fit in enumerate(fits)]
    assert abs(np.mean(values) - 0.525) < 5 * np.sqrt(1 / 12 / 60)


def test_the_bootstrap_interval_is_wider_where_the_start_is_chosen():
    numbers = zipf(2.5).rvs(800, random_state=3) + 2  # bends into its power law, without a corner
    fit = discrete_power_law(numbers)
    known = discrete_power_law(numbers, xmin=fit.xmin)
    low, high = fit.bootstrap_interval(resamples=100)
    fixed = known.bootstrap_interval(resamples=100)
    wald = known.interval()
    assert not known.chosen
    assert low < fit.exponent < high
    assert high - low > fixed[1] - fixed[0]
    assert fixed[1] - fixed[0] == pytest.approx(wald[1] - wald[0], rel=0.35)
    assert fit.goodness(20, seed=1) == fit.goodness(20, seed=1)


@given(st.lists(st.integers(1, 60), min_size=2, max_size=50))
@settings(max_examples=30, deadline=None)
def test_tables_and_samples_give_one_fit(numbers):
    numbers += [3, 4]
    values, often = np.unique(numbers, return_counts=True)
    assert discrete_power_law(numbers) == discrete_power_law(values[::-1], often[::-1])
    assert discrete_power_law(numbers).samples == len(numbers)


@pytest.mark.parametrize("numbers", [[1, 2], [1] * 10**5 + [2], [5, 10**15], [1] * 3 + [2**52]])
def test_extremes(numbers):
    fit = discrete_power_law(numbers)
    low, high = fit.interval()
    assert 1 < low < fit.exponent < high < np.inf
    assert 0 < fit.goodness(5).p_value <= 1


@pytest.mark.parametrize(
    ("numbers", "xmin", "message"),
    [
        ([2**53, 2**53 - 1], None, "differ too little"),
        ([3, 3, 3], None, "must hold two different values, got one"),
        ([1, 2, 3], 3, "two different values from xmin = 3 on"),
        ([1, 2], 9, "two different values from xmin = 9 on"),
        ([1, 2], 0, r"`xmin` must be a whole number in \[1"),
        ([1, 2], 1.5, "`xmin` must be a whole number"),
        ([0, 1, 2], None, r"samples\[0\].* got 0"),
        ([1.5, 2], None, "got 1.5"),
        ([], None, "non-empty"),
    ],
)
def test_what_cannot_be_fitted_is_refused(numbers, xmin, message):
    with pytest.raises(InputError, match=message):
        discrete_power_law(numbers, xmin=xmin)


def test_bad_settings_are_refused():
    fit = discrete_power_law([1, 2, 3])
    for call in (lambda: fit.interval(1), lambda: fit.goodness(0), lambda: fit.bootstrap_interval(resamples=3)):
        with pytest.raises(InputError, match="must be"):
            call()
    with pytest.raises(InputError, match="level"):
        fit.bootstrap_interval(level=2.0)

"""The law of benign oscillation against roots and loops: the cycle of two, the cosine at κ = 2, where maps die, the end."""

import math

import numpy as np
import pytest
from scipy.optimize import bisect

from twopart.laws.features import oscillation as law


def step(a, k):
    return a * (1 + k * (1 - a * a))


@pytest.mark.parametrize(("k", "seen"), [(1.05, 0.02381), (1.1, 0.04545), (1.2, 0.08333), (1.236, 0.09547)])
def test_the_mean_residual_is_that_of_the_cycle_found_by_bisection(k, seen):
    a = bisect(lambda a: step(step(a, k), k) - a, 1.02, 1.4, xtol=1e-15)  # apart from the fixed point at 1
    assert abs(step(a, k) - a) > 0.1
    cycle = 1 - np.array([a, step(a, k)]) ** 2
    assert law.mean_residual(k) == pytest.approx(cycle.mean(), rel=1e-9)
    assert law.mean_residual(k) == pytest.approx(seen, abs=6e-6)
    grown = np.log(1 + 0.09 * k * cycle).mean()
    assert law.weak_growth(k, 0.3) == pytest.approx(grown, rel=1e-9)


def test_first_orders_and_what_is_smooth():
    assert law.weak_growth(1.1, 1e-3) == pytest.approx(1.1e-6 * law.mean_residual(1.1), rel=1e-4)
    assert law.mean_residual(0.7) == law.weak_growth(0.7, 0.2) == law.weak_end(0.7, 0.2) == 0
    _, c2 = law.orbit(0.005, 8000, start=1e-2, weak_over_strong=0.5, weak_start=1e-3)
    assert math.sqrt(c2[-1]) == pytest.approx(law.weak_smooth(0.5, 1e-2, 1e-3), rel=0.005)


def test_orbits_have_the_means_of_the_closed_form_and_the_published_values_of_chaos(size):
    k, steps = np.array([0.9, 1.05, 1.2]), 5000
    assert law.mean_residual(k, "orbit", steps=steps) == pytest.approx(law.mean_residual(k), abs=1e-5)
    k, steps = np.array([1.3, 1.4, 1.5, 1.55]), size(20_000, 200_000)
    assert law.mean_residual(k, "orbit", steps=steps) == pytest.approx([0.104, 0.115, 0.211, 0.441], abs=0.01)
    k = np.array([1.8, 1.9, 1.99])
    chaos = law.mean_residual(k, "orbit", activation="square", steps=steps)
    assert chaos == pytest.approx([0.256, 0.107, 0.037], abs=0.025)


def test_at_two_the_whole_square_is_a_cosine():
    """a = √2 cos φ goes to -√2 cos 3φ."""
    f, _ = law.orbit(2.0, 12, start=math.sqrt(2) * math.cos(1.0), activation="square")
    assert f == pytest.approx(2 * np.cos(3.0 ** np.arange(12)) ** 2, abs=1e-8)


def test_orbits_live_up_to_the_bound_and_die_past_it():
    bound = law.BOUNDED["relu2"]
    top = max(step(a, bound) for a in np.linspace(0, 1.3, 100_001))
    assert 1 + bound * (1 - top**2) == pytest.approx(0, abs=1e-8)
    k = np.array([bound - 0.01, bound + 0.02])
    f, _ = law.orbit(k, 5000, start=0.3)
    assert (f[-1] > 0).tolist() == [True, False]


def test_cycles_double_where_the_law_says():
    k = law.TWO_CYCLE_ENDS + np.array([-0.01, 0.01])
    f, _ = law.orbit(k, 4001, start=0.3)
    assert np.abs(f[-1] - f[-3]) == pytest.approx([0, 0.2], abs=0.19)
    assert abs(f[-1] - f[-3])[0] < 1e-9 < 1e-2 < abs(f[-1] - f[-3])[1]


@pytest.mark.parametrize(("k", "seen"), [(1.1, 0.0930), (1.2, 0.1702), (1.5, 0.339), (1.7, 0.418)])
def test_the_weak_feature_ends_where_rate_times_sharpness_is_two(k, seen):
    weak, activation = math.sqrt(0.02 / k), "relu2" if k < law.BOUNDED["relu2"] else "square"
    f, c2 = law.orbit(k, 15_000, start=1e-3, weak_over_strong=weak, weak_start=2e-4, activation=activation)
    end = law.weak_end(k, weak)
    assert end <= c2[-1] < 1.013 * end  # it overshoots the edge by a step of growth
    assert c2[-1] == pytest.approx(seen, rel=0.005)  # of a second simulation, but for the last
    assert f[-1] == pytest.approx(1, abs=1e-3)
    assert law.edge(k, f[-1] - c2[-1], c2[-1], weak) == pytest.approx(1, abs=0.01)
    assert law.edge(k, 1 - end, end, weak) == pytest.approx(1, abs=1e-12)


def test_rates():
    rate = law.rate_for(np.array([0.0, 0.1, 0.3]), 3.0, 1.0, 16)
    k = law.kappa(rate, 3.0, 16)
    assert k[0] == pytest.approx(law.ONSET)
    assert law.weak_end(k, 1 / 3) == pytest.approx([0, 0.1, 0.3])
    assert law.kappa(0.5, 2.0, 8) == 0.5


def test_numbers_stay_numbers_and_arrays_broadcast():
    assert isinstance(law.mean_residual(1.1), float)
    assert isinstance(law.kappa(np.float32(1), 1, 4), float)
    both = law.weak_end(np.array([1.1, 1.2], np.float32)[:, None], np.array([0.1, 0.2, 0.3]))
    assert both.shape == (2, 3)
    assert both.dtype == np.float64
    assert both[1, 1] == pytest.approx(law.weak_end(1.2, 0.2), rel=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: law.kappa(float("nan"), 1, 1), "`rate` must be in \\(0, inf\\)"),
        (lambda: law.kappa(1, -1.0, 1), "`norm`"),
        (lambda: law.rate_for(1.0, 1, 0.2, 8), "`weak_share`"),
        (lambda: law.rate_for(0.1, 1, 2.0, 8), "`weak`"),
        (lambda: law.mean_residual(1.3), "`kappa` must be in .*method='orbit'"),
        (lambda: law.mean_residual(1.1, "open"), "`method`"),
        (lambda: law.mean_residual(1.1, "orbit", steps=1), "`steps`"),
        (lambda: law.weak_growth(1.3, 0.2), "`kappa`"),
        (lambda: law.weak_growth(1.1, 1.0), "`weak_over_strong`"),
        (lambda: law.weak_end(1.8, 0.9), "`kappa` must be .*above 1 has no end"),
        (lambda: law.weak_end([1.1, np.nan], 0.2), "`kappa`"),
        (lambda: law.weak_smooth(0.2, 0.0, 0.1), "`strong_start`"),
        (lambda: law.edge(1.1, -0.1, 0.1, 0.2), "`strong`"),
        (lambda: law.orbit(2.1, 10), "`kappa`"),
        (lambda: law.orbit("1", 10), "`kappa`"),
        (lambda: law.orbit(1.1, 0), "`steps`"),
        (lambda: law.orbit(1.1, 10, activation="relu"), "`activation`"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()

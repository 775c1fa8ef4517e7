"""Learning times and crossings against plain loops and known curves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from twopart.fits import MISSING, bought, crossing, first_below, learning_times, sharpness_after


@given(arrays.arrays(bool, st.tuples(st.integers(2, 6), st.integers(1, 5))))
def test_learning_times_against_a_plain_loop(known: np.ndarray) -> None:
    moments = 10.0 ** np.arange(1, len(known) + 1)
    times = learning_times(moments, np.where(known, 1.0, -1.0))
    for fact in range(known.shape[1]):
        first = next((i for i in range(len(known)) if known[i:, fact].all()), None)
        between = np.inf if first is None else moments[0] if first == 0 else moments[first] / np.sqrt(10)
        assert times[fact] == pytest.approx(between)


def test_learning_times_are_interpolated() -> None:
    assert learning_times([10.0, 1000.0], np.array([[-1.0], [3.0]])) == pytest.approx(10 * 100**0.25)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_crossings_of_a_known_curve(share: float) -> None:
    """A logistic curve in ln(frequency), known exactly; the estimate comes within 5 standard errors found by repetition."""
    truth = 1e-3 * np.exp(np.log(share / (1 - share)) / 4)
    found = []
    for seed in range(20):
        random = np.random.default_rng(seed)
        frequency = np.exp(random.uniform(np.log(1e-5), np.log(1e-1), 3000))
        chance = 1 / (1 + (frequency / 1e-3) ** -4)
        found.append(np.log(crossing(frequency, random.random(3000) < chance, share)))
    assert abs(np.mean(found) - np.log(truth)) < 5 * np.std(found) / np.sqrt(20) + 0.03


def test_crossings_that_do_not_exist() -> None:
    frequency = np.geomspace(1e-4, 1e-1, 50)
    assert np.isnan(crossing(frequency, np.zeros(50)))
    assert np.isnan(crossing(frequency, np.ones(50)))
    assert crossing(frequency, frequency > 1e-2) == pytest.approx(1e-2, rel=0.95)


def test_equal_frequencies_share_a_block() -> None:
    assert np.isnan(crossing(np.full(10, 0.1), np.arange(10) >= 5))


def test_sharpness_of_the_bayes_code() -> None:
    assert sharpness_after(1.0) == pytest.approx(np.log(10) / np.log(10 / 9))
    assert sharpness_after(100.0) < 1.5


def test_where_a_curve_first_falls_below_a_level() -> None:
    x, curve = np.array([1.0, 10.0, 100.0, 1000.0]), np.array([4.0, 2.0, 1.0, 3.0])
    assert first_below(x, curve, 1.5) == pytest.approx(10**1.5)
    assert first_below(x, curve, 5.0) == 1
    assert first_below(x, curve, 0.5) == 1000


def test_what_falls_as_a_power_is_bought_at_a_known_size() -> None:
    sizes = np.geomspace(1, 1e6, 50)
    assert bought(sizes, 1 / sizes) == pytest.approx(1 / MISSING)
    assert bought(sizes, np.where(sizes > 1e5, 1.0, 1 / sizes)) == pytest.approx(1 / MISSING), (
        "noise does not sell again"
    )
    assert bought(sizes, np.full(50, 0.5)) == pytest.approx(1e6), "never: the largest"

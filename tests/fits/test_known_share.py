"""Known shares beside guessing: planted curves and guess rates come back; the law of a step seen through a proxy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import gammainc, gammaincinv
from scipy.stats import norm

from twopart._checks import InputError
from twopart.fits.known_share import anchored, known_share, threshold_curve

SIZE = 8_000


def planted(known: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Guess rates of groups, as far apart as countries are, and who is right."""
    random = np.random.default_rng(seed)
    guess = random.choice([0.02, 0.1, 0.5, 0.9], len(known))
    return guess, (random.random(len(known)) < known + (1 - known) * guess).astype(float)


@pytest.mark.parametrize("width", [0.3, 0.565])
def test_a_planted_probit_comes_back(width: float) -> None:
    x = np.random.default_rng(1).uniform(5, 7.5, SIZE * 5 // 9)  # as dense as 8,000 over all frequencies
    guess, right = planted(norm.cdf((x - 6.3) / width), 2)
    fit = threshold_curve(x, right, guess)
    assert fit.threshold == pytest.approx(6.3, abs=0.08)  # 5 standard errors of 8,000 facts
    assert fit.width == pytest.approx(width, abs=0.08)
    assert fit.ninety_ten == pytest.approx(10 ** (norm.ppf(0.9) * 2 * fit.width))
    free = known_share(x, right, guess)
    assert np.all(np.diff(free[np.argsort(x)]) >= -1e-12)
    assert x[np.argsort(x)][np.searchsorted(np.sort(free), 0.5)] == pytest.approx(6.3, abs=0.2)


def test_raw_accuracy_is_elsewhere() -> None:
    x = np.random.default_rng(1).uniform(3, 7.5, 2000)
    _, right = planted(norm.cdf((x - 6.3) / 0.5), 2)
    assert threshold_curve(x, right, np.zeros(2000)).threshold < 6.0, "what guessing does to a threshold"


def test_exposures_and_step_come_back() -> None:
    random = np.random.default_rng(3)
    x = random.uniform(5, 7, SIZE * 4 // 9)  # as dense as the others, where it is not known what is known
    guess, right = planted(gammainc(3.0, gammaincinv(3.0, 0.5) * 10 ** (x - 6.0)), 4)
    fit = threshold_curve(x, right, guess, "exposures")
    assert fit.threshold == pytest.approx(6.0, abs=0.08)
    assert fit.width == pytest.approx(3.0, rel=0.4)
    x = random.uniform(3, 7.5, SIZE)
    guess, right = planted(np.where(x >= 5.5, 0.98, 0.02), 5)
    step, curve = (threshold_curve(x, right, guess, form, lapse=True) for form in ("step", "probit"))
    assert step.threshold == pytest.approx(5.5, abs=0.02)
    assert step.lapse == pytest.approx(0.02, abs=0.015)
    assert abs(curve.log_likelihood - step.log_likelihood) < 3, "a step with lapses is no curve"
    bare = threshold_curve(x, right, guess, "step")
    assert bare.log_likelihood < step.log_likelihood - 100


def test_a_step_through_a_proxy_is_a_probit_at_a_place_that_the_law_tells(size: Callable[[Any, Any], Any]) -> None:
    """x0 = log10 λ + α ln(10) s² where log10 q has the tail 10^(-α t), derived in docs/tools/probe.md."""
    alpha, error, price = 1.0, 0.5, 6.0
    random, n = np.random.default_rng(6), size(1_000_000, 4_000_000)
    t = 4.3 + random.exponential(1 / (alpha * np.log(10)), n)
    x = t + error * random.normal(size=n)
    inside = (x > 6) & (x < 8)
    fit = threshold_curve(x[inside], (t >= price)[inside].astype(float), np.zeros(inside.sum()))
    assert fit.threshold == pytest.approx(
        price + alpha * np.log(10) * error**2, abs=0.025
    )  # 5 standard errors; of 0.576
    assert fit.width == pytest.approx(error, abs=0.02)


def test_an_anchor_moves_the_mean_to_what_was_right() -> None:
    rates, shift = anchored([0.05, 0.4, 0.9], 0.3)
    assert rates.mean() == pytest.approx(0.3)
    assert np.allclose(
        np.log(rates / (1 - rates)) - np.log(np.array([0.05, 0.4, 0.9]) / np.array([0.95, 0.6, 0.1])), shift
    )


@pytest.mark.parametrize(
    ("x", "right", "guess", "said"),
    [
        ([1.0], [1], [0], "`x` must be of shape"),
        ([1.0, np.nan], [1, 0], [0, 0], "`x` must be finite"),
        ([1.0, 2.0], [1, 2], [0, 0], "`right` must be in"),
        ([1.0, 2.0], [1, 0], [0, np.nan], "`guess` must be in"),
        ([1.0, 2.0], [1, 0, 1], [0, 0], "`right` must be of shape"),
    ],
)
def test_bad_arrays_are_refused(x: list[float], right: list[float], guess: list[float], said: str) -> None:
    for fit in (known_share, threshold_curve):
        with pytest.raises(InputError, match=said):
            fit(x, right, guess)

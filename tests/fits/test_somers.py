"""Somers' D against counting pairs."""

import numpy as np
import pytest

from twopart.fits import agreement


def test_agreement_by_counting_pairs() -> None:
    random = np.random.default_rng(1)
    frequency, times = random.random(60), np.where(random.random(60) < 0.3, np.inf, random.integers(1, 9, 60))
    signs = [
        (np.sign(frequency[j] - frequency[i]), np.sign(float(times[i] > times[j]) - float(times[i] < times[j])))
        for i in range(60)
        for j in range(i)
    ]
    score = sum(a * b for a, b in signs)
    assert agreement(frequency, times) == pytest.approx(score / sum(b != 0 for _, b in signs))


def test_what_never_happens_does_not_disturb_the_order() -> None:
    frequency = np.geomspace(1, 1e-3, 100)
    times = np.where(np.arange(100) < 20, 1 / frequency, np.inf)
    assert agreement(frequency, times) == pytest.approx(1)
    assert agreement(frequency[::-1], times) == pytest.approx(-1)
    assert np.isnan(agreement(frequency, np.full(100, np.inf)))

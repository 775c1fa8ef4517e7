"""Counts beside shares: the test's probability and the expected distance, by repetition."""

from __future__ import annotations

import numpy as np
import pytest

from twopart.fits import SharesTest

BASE = 1 / np.arange(1, 65) / (1 / np.arange(1, 65)).sum()


def test_no_false_alarms() -> None:
    """Under the shares the probability is uniform: the mean of 400 of them is 1/2 within 5 standard errors."""
    drawn = [SharesTest(counts, BASE) for counts in np.random.default_rng(4).multinomial(2000, BASE, size=400)]
    assert abs(np.mean([test.probability for test in drawn]) - 0.5) < 5 / np.sqrt(12 * 400) + 0.02
    assert np.mean([test.distance for test in drawn]) == pytest.approx(drawn[0].expected_distance, rel=0.05)


def test_other_shares_are_found_out() -> None:
    flat = SharesTest(np.full(64, 20), BASE)
    assert flat.probability < 1e-6
    assert flat.distance == pytest.approx(np.abs(1 / 64 - BASE).sum() / 2)


def test_too_few_draws_tell_nothing() -> None:
    assert np.isnan(SharesTest(np.array([3, 1]), np.array([0.5, 0.5])).probability)
    assert np.isnan(SharesTest(np.array([0, 0]), np.array([0.5, 0.5])).probability)

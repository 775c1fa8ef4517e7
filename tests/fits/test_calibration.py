"""Confidence beside accuracy, every question a row of its own."""

from __future__ import annotations

import numpy as np
import pytest

from twopart.fits import Calibration
from twopart.fits.calibration import BINS


def test_risk_and_error_against_plain_loops() -> None:
    """At coverages where no answer is cut and no two confidences tie."""
    random = np.random.default_rng(2)
    asked, right = random.integers(1, 9, 300), random.integers(0, 2, 300).astype(float)
    confidence = 0.99 * random.random(300).round(2) + 0.003
    found = Calibration(confidence, right, asked / asked.sum())
    right, confidence = right.repeat(asked), confidence.repeat(asked)
    for level in (0.2, 0.5, 0.9):
        taken = confidence > level
        assert found.risk(taken.mean()) == pytest.approx(1 - right[taken].mean())
    error = 0.0
    for low in np.arange(BINS) / BINS:
        inside = (confidence >= low) & (confidence < low + 1 / BINS)
        error += inside.sum() * abs(right[inside].mean() - confidence[inside].mean()) if inside.any() else 0.0
    assert found.error == pytest.approx(error / len(right))
    assert found.reliability["share"].sum() == pytest.approx(1)


def test_part_of_an_answer_may_be_given() -> None:
    found = Calibration(np.array([0.9, 0.5]), np.array([1.0, 0.0]), np.array([0.5, 0.5]))
    assert found.risk([0.25, 0.5, 0.75, 1.0]) == pytest.approx([0, 0, 1 / 3, 1 / 2])

"""Reports on planted samples, against closed forms and scikit-learn's."""

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from twopart._checks import InputError
from twopart.fits import rule_report

RANDOM = np.random.default_rng(0)
A = RANDOM.uniform(-1, 1, 4000)
PAIRS = np.column_stack([A, A**2 + 0.1 * RANDOM.standard_normal(4000)])


def same(x):
    return x


def test_a_rule_that_is_kept():
    found = rule_report(PAIRS, same, np.square, 0.1)
    assert found.rms == pytest.approx(0.1, abs=5 * 0.1 / 8000**0.5)
    assert found.median == pytest.approx(0.06745, rel=0.06)
    assert found.within == pytest.approx(0.9545, abs=5 * (0.9545 * 0.0455 / 4000) ** 0.5)
    wilson = binomtest(round(4000 * found.within), 4000).proportion_ci(method="wilson")
    assert found.within_interval == pytest.approx((wilson.low, wilson.high))
    assert found.slope_interval[0] < found.slope < found.slope_interval[1]
    assert found.slope == pytest.approx(1, abs=2.6 * (found.slope_interval[1] - found.slope))
    r = PAIRS[:, 1] - A**2
    assert found.r2 == pytest.approx(1 - np.mean(r**2) / PAIRS[:, 1].var())
    assert found.coarse == np.mean((PAIRS[:, 1] > np.mean(A**2)) == (np.mean(A**2) < A**2))


def test_a_rule_that_is_not_there():
    broken = np.column_stack([A, PAIRS[RANDOM.permutation(4000), 1]])
    found = rule_report(broken, same, np.square, 0.1)
    assert found.slope == pytest.approx(0, abs=2.6 * (found.slope_interval[1] - found.slope))
    assert found.rms**2 == pytest.approx(2 * (A**2).var() + 0.01, rel=0.1)
    assert abs(found.coarse - 0.5) < 0.1


def test_the_interval_of_the_slope_covers():
    """At its 95 %, in 100 samples of 50, with noise that grows with a."""
    inside = []
    for seed in range(100):
        random = np.random.default_rng(seed)
        a = random.uniform(0, 1, 50)
        low, high = rule_report(np.column_stack([a, a + 0.3 * a * random.standard_normal(50)]), same, same, 0.1)[-1]
        inside.append(low < 1 < high)
    assert np.mean(inside) == pytest.approx(0.93, abs=0.13)


def test_readers_of_tensors_and_those_that_say_how_sure_they_are():
    x = torch.from_numpy(PAIRS).float()
    assert rule_report(x, lambda y: (y, y[:, 0]), np.square, 0.1) == rule_report(x.numpy(), same, np.square, 0.1)
    assert rule_report(x, same, np.square, 0.1).rms == pytest.approx(rule_report(PAIRS, same, np.square, 0.1).rms)


def test_sums_of_several_features():
    x = RANDOM.uniform(-1, 1, (500, 3))
    x[:, 2] = 0.5 - x[:, 0] - x[:, 1]
    assert rule_report(x, same, lambda a: 0.5 - a.sum(1), 0.1).rms < 1e-12


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: rule_report(PAIRS, same, np.square, 0.0), "`tolerance` must be a number in"),
        (lambda: rule_report(PAIRS, same, np.square, 0.1, times=-1), "`times` must be a number in"),
        (lambda: rule_report(PAIRS * np.nan, same, np.square, 0.1), "`features` must be finite"),
        (lambda: rule_report(PAIRS[:2], same, np.square, 0.1), "`features` must be"),
        (lambda: rule_report(PAIRS[:, :1], same, np.square, 0.1), "`features` must be"),
        (lambda: rule_report(PAIRS, same, lambda a: a[:5], 0.1), "`rule` must be of shape"),
    ],
)
def test_refusals(wrong, said):
    with pytest.raises(InputError, match=said):
        wrong()

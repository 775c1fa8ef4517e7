"""Power laws that may be refused, and the prediction made of two."""

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.fits.decay import SAVINGS, Decay, decay, horizon_prediction

N = np.array([1, 2, 3, 4, 6, 8, 11, 16, 23, 32.0])


def noisy(y, share, seed=0, draws=400):
    random = np.random.default_rng(seed)
    found = y * (1 + share * random.standard_normal(len(y)))
    return found, found * (1 + share * random.standard_normal((draws, len(y))))


def test_a_power_law_with_noise_is_found():
    y, draws = noisy(N**-0.8, 0.01)
    found = decay(N, y, bootstrap=draws)
    assert found.refused is None
    assert found.window == (2, 32)
    assert abs(found.exponent - 0.8) < 0.02, "5 % would be seen"
    assert found.interval[0] < 0.8 < found.interval[1]
    left_out = y + (draws[:50] - y) / np.sqrt(49)  # a jackknife's parts lie closer together
    jack = decay(N, y, jackknife=left_out)
    assert jack.exponent == found.exponent
    assert np.diff(jack.interval) == pytest.approx(np.diff(found.interval), rel=0.4)


def test_the_interval_covers(size):
    drawn = (noisy(N**-0.8, 0.03, seed) for seed in range(size(100, 1000)))
    found = [decay(N, y, bootstrap=draws) for y, draws in drawn]
    share = np.mean([one.interval[0] < 0.8 < one.interval[1] for one in found])
    assert share > 0.8


def test_reasons_to_refuse():
    y, draws = noisy(N**-0.8, 0.5)
    assert "noise" in decay(N, y, bootstrap=draws).refused
    bent, draws = noisy(np.exp(-0.15 * N), 0.001)
    assert "bends" in decay(N, bent, bootstrap=draws).refused
    flat, draws = noisy(N**-0.3, 0.01)
    found = decay(N, flat, bootstrap=draws)
    assert "reaches 0.5" in found.refused
    assert abs(found.exponent - 0.3) < 0.02
    assert decay(N, flat, bootstrap=draws, **SAVINGS).refused is None
    rising, draws = noisy(N**0.2, 0.01)
    assert "reaches 0" in decay(N, rising, bootstrap=draws, **SAVINGS).refused
    assert "noise" in decay(N[:3], flat[:3], bootstrap=draws[:, :3], **SAVINGS).refused


def law(exponent, spread, refused=None):
    draws = exponent + spread * np.random.default_rng(0).standard_normal(400)
    return Decay(exponent, tuple(np.quantile(draws, (0.025, 0.975))), (2, 32), draws, refused)


def test_the_prediction_is_their_ratio():
    found = horizon_prediction(law(0.9, 0.02), law(0.3, 0.02))
    assert found.alpha == pytest.approx(0.3 / 1.8)
    spread = found.alpha * np.hypot(0.02 / 0.9, 0.02 / 0.3)
    assert found.interval == pytest.approx((found.alpha - 1.96 * spread, found.alpha + 1.96 * spread), rel=0.06)
    assert found.refused is None
    assert "wide" in horizon_prediction(law(0.9, 0.02), law(0.3, 0.2)).refused
    refused = horizon_prediction(
        law(0.9, 0.02, "it bends"), Decay(np.nan, (np.nan,) * 2, (np.nan,) * 2, np.empty(0), "noise")
    )
    assert refused.refused == "beta: it bends; gamma: noise"
    assert np.isnan(refused.alpha)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"x": N[::-1]}, "`x` must be rising"),
        ({"y": N[:3]}, "`y`"),
        ({"y": np.full(10, np.nan)}, "`y`"),
        ({"bootstrap": None}, "`jackknife` must be given"),
        ({"jackknife": np.ones((4, 10))}, "`jackknife`"),
        ({"bootstrap": np.ones((4, 3))}, "`replicates`"),
        ({"span": 0.5}, "`span`"),
    ],
)
def test_refusals(wrong, words):
    with pytest.raises(InputError, match=words):
        decay(**{"x": N, "y": N**-0.8, "bootstrap": np.ones((4, 10)), **wrong})

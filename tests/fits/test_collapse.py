"""Curves that collapse by construction, and the hidden lags, which nearly do."""

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.fits.collapse import collapse

N, P = 2.0 ** np.arange(5), 2.0 ** np.arange(8, 20)


def planted(gamma, b, noise=0.0):
    """One curve of P/n^b, of five straight pieces between quantiles."""
    u = np.log(P) - b * np.log(N[:, None])
    curve = np.interp(u, np.quantile(u, np.linspace(0, 1, 6)), [0, -0.1, -0.5, -1.5, -2, -4])
    return N[:, None] ** -gamma * np.exp(curve + noise * np.random.default_rng(0).normal(size=u.shape))


@pytest.mark.parametrize(("gamma", "b"), [(0.3, 1.8), (0.8, 2.6)])
def test_planted_exponents_come_back(gamma, b):
    found = collapse(N, P, planted(gamma, b, 0.01))
    assert (found.gamma, found.twice_beta) == (pytest.approx(gamma, rel=0.05), pytest.approx(b, rel=0.05))
    assert found.residual < 0.04 < 10 * found.residual < found.uncollapsed
    assert found.residual <= found.spread(gamma, b) < 0.05
    assert found.spread(gamma, 1.3 * b) > 2 * found.residual
    assert found.spread(0, 0) == found.uncollapsed


def test_the_curve_s_root_mean_square_is_that_of_a_spline():
    """Straight lines are splines; a step at the middle of points that stand evenly is not, and leaves what least squares do."""
    assert collapse(N[:2], P, N[:2, None] ** -0.4 * P**-0.5).spread(0.4, 0.0) == pytest.approx(0, abs=1e-12)
    step = np.where(np.arange(12) < 6, 0.0, 1.0)
    found = collapse(N[:2], P, np.exp(step) * np.ones((2, 1))).spread(0.0, 0.0)
    x = np.arange(12.0)
    knots = np.quantile(np.repeat(x, 2), np.linspace(0, 1, 6))
    basis = np.column_stack([np.ones(12), x, *(np.maximum(x - k, 0) for k in knots[1:-1])])
    assert found == pytest.approx(np.sqrt(((step - basis @ np.linalg.lstsq(basis, step, rcond=None)[0]) ** 2).mean()))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"n": [1.0]}, "`excess`"),
        ({"n": [1.0, -2, 3, 4, 5]}, "`n` must be > 0"),
        ({"n": np.ones(5)}, "`n` must be two different ones"),
        ({"excess": planted(0.3, 1.0) - 1}, "`excess` must be > 0"),
        ({"P": np.full(12, np.nan)}, "`P`"),
    ],
)
def test_refusals(wrong, words):
    with pytest.raises(InputError, match=words):
        collapse(**({"n": N, "P": P, "excess": planted(0.3, 1.0)} | wrong))

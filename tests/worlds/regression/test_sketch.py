"""Sketches against plain loops and draws; second moments against NumPy."""

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.worlds.regression import LeastSquares, SecondMoments, Sketch

WORLD = LeastSquares.power(30, decay=1.5, source=2.0, noise=0.3, seed=4)


@pytest.mark.parametrize("kind", ["gaussian", "truncation"])
def test_moments_are_those_of_the_features(kind):
    sketch = Sketch(WORLD, 5, kind, seed=2)
    S, H = sketch.matrix, np.diag(WORLD.spectrum)
    assert S.shape == (5, 30)
    assert sketch.moments.covariance == pytest.approx(S @ H @ S.T)
    assert sketch.moments.cross == pytest.approx(S @ H @ WORLD.optimum)
    assert sketch.moments.power == pytest.approx(1 + 0.3**2)  # the world's signal is 1
    if kind == "truncation":
        assert sketch.moments.covariance == pytest.approx(np.diag(WORLD.spectrum[:5]))


def test_sketches_are_nested_and_of_variance_one_in_m():
    few, many = Sketch(WORLD, 4), Sketch(WORLD, 400)
    assert few.matrix * 2 == pytest.approx(many.matrix[:4] * 20)
    assert np.square(many.matrix).sum(0) == pytest.approx(np.ones(30), abs=5 * np.sqrt(2 / 400))
    assert not np.allclose(few.matrix, Sketch(WORLD, 4, seed=1).matrix)


def test_samples_have_the_moments(size):
    """Within 5 standard errors; a moment off by 5 % is seen."""
    n = size(40_000, 400_000)
    moments = Sketch(WORLD, 3).moments
    both = np.column_stack(Sketch(WORLD, 3).sample(n, stream=1))
    products = both[:, :, None] * both[:, None]
    law = np.block([[moments.covariance, moments.cross[:, None]], [moments.cross, np.array([[moments.power]])]])
    assert np.all(np.abs(products.mean(0) - law) < 5 * products.std(0) / np.sqrt(n))
    assert np.all(products.std(0) / np.sqrt(n) < 0.01 * np.sqrt(np.outer(np.diag(law), np.diag(law))))
    again = Sketch(WORLD, 3).sample(9, dtype=np.float32)
    assert again.x.dtype == again.y.dtype == np.float32
    assert np.array_equal(again.x, Sketch(WORLD, 3).sample(9, dtype=np.float32).x)


def test_moments_of_rows():
    x, y = Sketch(WORLD, 4).sample(50)
    found = SecondMoments.of(x.astype(np.float32), y)
    assert found.covariance == pytest.approx(x.T @ x / 50, rel=1e-5)
    assert found.cross == pytest.approx(x.T @ y / 50, rel=1e-4)
    assert found.power == pytest.approx(np.mean(y**2))
    assert SecondMoments(np.ones(3), np.zeros(3), 1.0).covariance == pytest.approx(np.eye(3))  # variances alone


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sketch(WORLD, 31, "truncation"), r"`features` must be a whole number in \[1, 30\], got 31"),
        (lambda: Sketch(WORLD, 0), "`features` must be"),
        (lambda: Sketch(WORLD, 3, "hash"), "`kind` must be one of 'gaussian', 'truncation', got 'hash'"),
        (lambda: Sketch(WORLD, 3, seed=-1), "`seed` must be"),
        (lambda: Sketch(LeastSquares.power(9, kind="rademacher"), 3), "`world.kind` must be one of 'gaussian'"),
        (lambda: Sketch(WORLD, 3).sample(0), "`n` must be"),
        (lambda: SecondMoments(np.eye(2), np.array([1.0, np.nan]), 1.0), "`cross` must be finite"),
        (lambda: SecondMoments(np.eye(3), np.ones(2), 9.0), "`covariance` must be of shape"),
        (
            lambda: SecondMoments(np.eye(2), np.ones(2), 1.9),
            r"`power` must be >= 2, which is what the features explain",
        ),
        (lambda: SecondMoments(np.eye(2), np.ones(2), np.nan), "`power` must be"),
        (lambda: SecondMoments(np.array([[1.0, 0.5], [0, 1]]), np.ones(2), 9.0), "`covariance` must be symmetric"),
        (lambda: SecondMoments.of(np.ones((3, 2)), np.ones(4)), "`y` must be of shape"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()

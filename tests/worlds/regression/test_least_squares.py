"""Worlds of regression: moments of what is drawn, addresses, risks by Monte Carlo, refusals."""

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.worlds.regression import DigitParity, LeastSquares


@pytest.mark.parametrize("kind", ["gaussian", "rademacher"])
def test_moments_of_a_sample(kind):
    world, n = LeastSquares((1.0, 0.5, 0.0), (1.0, -2.0, 3.0), 0.3, kind, seed=2), 100_000
    x, y = world.sample(n)
    z = x[:, :2] / np.sqrt([1.0, 0.5])
    assert not x[:, 2].any()
    assert z.T @ z / n == pytest.approx(np.eye(2), abs=5 * np.sqrt(2 / n))
    assert (z**4).mean(0) == pytest.approx([world.kurtosis] * 2, abs=5 * np.sqrt(96 / n))
    rest = y - x @ world.optimum
    assert rest.std() == pytest.approx(0.3, abs=5 * 0.3 / np.sqrt(2 * n))
    assert abs(rest @ x[:, 0] / n) < 5 * 0.3 / np.sqrt(n)


def test_samples_have_addresses():
    world = LeastSquares.power(8, noise=1.0)
    one, again, other = world.sample(5), world.sample(5), world.sample(5, stream=1)
    assert np.array_equal(one.x, again.x)
    assert np.array_equal(one.y, again.y)
    assert not np.array_equal(one.x, other.x)
    assert not np.array_equal(one.x, LeastSquares.power(8, noise=1.0, seed=1).sample(5).x)
    single = world.sample(5, dtype=np.float32)
    assert (single.x.dtype, single.y.dtype) == (np.float32, np.float32)


def test_power_spectra():
    world = LeastSquares.power(100, decay=1.5, source=2.5)
    i = np.arange(1, 101)
    signal = world.spectrum * world.optimum**2
    assert world.spectrum.sum() == pytest.approx(1)
    assert signal.sum() == pytest.approx(1)
    assert world.spectrum / world.spectrum[0] == pytest.approx(i**-1.5)
    assert signal / signal[0] == pytest.approx(i**-2.5)
    assert LeastSquares.power(7).optimum == pytest.approx(np.ones(7))
    raw = LeastSquares.power(3, decay=1, source=2, normalise=False)
    assert raw.spectrum == pytest.approx([1, 1 / 2, 1 / 3])
    assert raw.spectrum * raw.optimum**2 == pytest.approx([1, 1 / 4, 1 / 9])
    assert world == LeastSquares(world.spectrum, world.optimum)
    assert hash(world) == hash(LeastSquares.power(100, decay=1.5, source=2.5))


def test_excess_is_half_a_square_on_new_points():
    world = LeastSquares.power(6, noise=0.5, seed=3)
    w = np.random.default_rng(0).standard_normal((4, 6))
    x, y = world.sample(400_000)
    risk = np.square(x @ w.T - y[:, None]) / 2 - 0.5**2 / 2
    assert risk.mean(0) == pytest.approx(world.excess(w), abs=5 * risk.std(0).max() / np.sqrt(len(x)))
    assert world.excess(w)[1] == pytest.approx(world.excess(w[1]))
    assert isinstance(world.excess(w[1]), float)
    assert world.excess(world.optimum) == 0


def test_digits_of_both_parities():
    pixels, random = DigitParity(200), DigitParity(200, 300, seed=1)
    assert pixels.train.x.shape == (200, 64)
    assert random.test.x.shape == (1597, 300)
    assert (random.train.x >= 0).all()
    for world in (pixels, random):
        assert np.square(np.concatenate([world.train.x, world.test.x])).sum(1).mean() == pytest.approx(1)
        assert set(world.train.y) == {-1.0, 1.0}
    w = np.linalg.lstsq(*random.train, rcond=1e-3)[0]
    assert np.mean(np.sign(random.test.x @ w) == random.test.y) > 0.85
    assert not np.array_equal(pixels.train.x, DigitParity(200, seed=1).train.x)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LeastSquares((1.0,), (1.0, 2.0)), r"`truth` must be of shape \(1,\), got \(2,\)"),
        (lambda: LeastSquares((-1.0,), (1.0,)), "`eigenvalues` must be >= 0"),
        (lambda: LeastSquares((), ()), "`eigenvalues` must be of shape"),
        (lambda: LeastSquares((np.inf,), (1.0,)), "`eigenvalues` must be finite"),
        (lambda: LeastSquares((1.0,), (1.0,), -0.1), "`noise` must be"),
        (lambda: LeastSquares((1.0,), (1.0,), kind="uniform"), "`kind` must be one of 'gaussian', 'rademacher'"),
        (lambda: LeastSquares((1.0,), (1.0,), seed=-1), "`seed` must be"),
        (lambda: LeastSquares.power(0), "`dimension` must be"),
        (lambda: LeastSquares.power(3, decay=-1), "`decay` must be"),
        (lambda: LeastSquares.power(3, source=-1), "`source` must be"),
        (lambda: LeastSquares.power(3).sample(0), "`n` must be"),
        (lambda: LeastSquares.power(3).sample(1, stream=-1), "`stream` must be"),
        (lambda: LeastSquares.power(3).excess([1.0]), r"`weights` must be \(\.\.\., 3\), got \(1,\)"),
        (lambda: DigitParity(1797), "`points` must be"),
        (lambda: DigitParity(10, -1), "`features` must be"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(InputError, match=message):
        make()

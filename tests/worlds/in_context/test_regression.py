"""Prompts have the covariance, tasks and noise that they say; samples are addressed; bad worlds are refused."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from twopart._checks import InputError
from twopart.worlds.in_context import InContextRegression


def test_prompts_are_what_they_say(size):
    world = InContextRegression((2.0, 0.5), prior=1.5, noise=0.4, seed=3)
    T, N = size(20_000, 1_000_000), 3
    prompts = world.sample(T, N)
    every = np.concatenate([prompts.x, prompts.query[:, None]], 1)
    noise = np.concatenate([prompts.y, prompts.label[:, None]], 1) - np.einsum("tnd,td->tn", every, prompts.task)
    for values, variances in ((every.reshape(-1, 2), world.λ), (prompts.task, 1.5), (noise.reshape(-1, 1), 0.4)):
        found, error = np.square(values).mean(0), np.sqrt(2 / len(values))
        assert np.all(np.abs(found / variances - 1) < 5 * error)
        assert np.all(np.abs(values.mean(0) / np.sqrt(variances)) < 5 / np.sqrt(len(values)))
    assert abs(np.corrcoef(every.reshape(-1, 2).T)[0, 1]) < 5 / np.sqrt(T * (N + 1))
    square = np.square(prompts.label)
    assert abs(square.mean() - world.null) < 5 * square.std() / np.sqrt(T)


def test_samples_are_addressed():
    world = InContextRegression.power(4, 1.5, seed=1)
    same, other = world.sample(5, 3, stream=2), world.sample(5, 3, stream=3)
    np.testing.assert_array_equal(world.sample(5, 3, stream=2).x, same.x)
    assert not np.any(same.x == other.x)
    assert world == InContextRegression(tuple(world.spectrum), seed=1)
    np.testing.assert_allclose(world.λ, [1, 2**-1.5, 3**-1.5, 4**-1.5])
    np.testing.assert_array_equal(InContextRegression.isotropic(3).λ, np.ones(3))


def test_the_spectrum_of_real_inputs():
    x = load_diabetes(scaled=False).data
    x = (x - x.mean(0)) / x.std(0)
    world = InContextRegression.of_inputs(x, noise=0.1)
    np.testing.assert_allclose(world.λ, np.linalg.svd(x, compute_uv=False) ** 2 / len(x))
    assert world.λ.sum() == pytest.approx(10)
    twice = InContextRegression.of_inputs(np.concatenate([x, x[:, :3]], 1).astype(np.float32))
    assert twice.dimension == 10, "directions that do not vary are left out"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda w: w((1.0, 0.0)), r"`spectrum` must be > 0, got 0.0; leave out"),
        (lambda w: w((1.0, np.nan)), r"`spectrum` must be finite, got '1 of 2 that are nan or infinite'; "),
        (lambda w: w(()), r"`spectrum` must be of shape \(any,\)"),
        (lambda w: w((1.0,), prior=0), r"`prior` must be a number in \(0, inf\), got 0; "),
        (lambda w: w((1.0,), noise=-1), r"`noise` must be a number in \[0, inf\), got -1; "),
        (lambda w: w((1.0,), seed=-1), r"`seed` must be a whole number in "),
        (lambda w: w.power(0), r"`dimension` must be a whole number in "),
        (lambda w: w.power(3, -1.0), r"`decay` must be a number in \[0, 100\], got -1.0; "),
        (lambda w: w.of_inputs(np.ones((3, 2))), r"`x` must be inputs that vary, got 'rows that are all alike'; "),
        (lambda w: w.of_inputs(np.ones((1, 2))), r"`x` must be at least 2 rows, got 1; "),
        (lambda w: w.power(2).sample(0, 3), r"`tasks` must be a whole number >= 1, got 0; "),
        (lambda w: w.power(2).sample(3, 0), r"`context` must be a whole number >= 1, got 0; "),
        (lambda w: w.power(2).sample(3, 3, -1), r"`stream` must be a whole number >= 0, got -1; "),
    ],
)
def test_bad_worlds_are_refused(make, said):
    with pytest.raises(InputError, match=said):
        make(InContextRegression)

"""Tokens with a signal: moments, streams, images, refusals."""

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.worlds.in_context import DigitTokens, SignalTokens


def test_tokens_are_signal_and_noise():
    world = SignalTokens(40, 5000, 3.0)
    x, label = world.sample(1)
    assert set(label) == {-1.0, 1.0}
    assert abs(label.mean()) < 5 / np.sqrt(5000)
    assert np.abs(x @ label / 5000 - world.mu).max() < 5.5 / np.sqrt(5000)
    noise = x - np.outer(world.mu, label)
    assert np.abs(noise @ noise.T / 5000 - np.eye(40)).max() < 6 * np.sqrt(2 / 5000)


def test_streams_are_apart_and_worlds_repeat():
    world = SignalTokens(5, 8, np.arange(5.0))
    assert world == SignalTokens(5, 8, (0, 1, 2, 3, 4))
    assert len({world, SignalTokens(5, 8, list(range(5)))}) == 1
    assert world.mu == pytest.approx(np.arange(5))
    same, other = world.sample(2), world.sample(3)
    assert (same.x == SignalTokens(5, 8, np.arange(5.0)).sample(2).x).all()
    assert (same.x != other.x).all()


def test_images_are_whitened_about_their_classes():
    world = DigitTokens((3, 8), 40, 357)
    x, label = world.sample()
    assert x.shape == (40, 357)
    assert (x[:, label > 0].mean(1) - x[:, label < 0].mean(1)) / 2 == pytest.approx(world.mu)
    within = x - np.outer(world.mu, label)
    assert np.cov(within) == pytest.approx(np.eye(40), abs=1e-9)
    few = DigitTokens((3, 8), 40, 100, seed=1)
    assert len(np.unique(few.sample().x, axis=1).T) == 100
    assert (few.sample(0).x != few.sample(1).x).any()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SignalTokens(0), "`dimension` must be"),
        (lambda: SignalTokens(5, 0), "`tokens` must be"),
        (lambda: SignalTokens(5, 5, -1.0), "`signal` must be"),
        (lambda: SignalTokens(5, 5, np.ones(4)), "`signal` must be of shape"),
        (lambda: SignalTokens(2, 5, (1.0, np.nan)), "`signal` must be finite"),
        (lambda: SignalTokens(seed=-1), "`seed` must be"),
        (lambda: DigitTokens((3, 3)), "`classes` must be"),
        (lambda: DigitTokens(dimension=65), "`dimension` must be"),
        (lambda: DigitTokens((3, 8), 64).mu, "`dimension` must be at most"),
        (lambda: DigitTokens(tokens=1), "`tokens` must be"),
        (lambda: DigitTokens(tokens=400).sample(), "`tokens` must be at most"),
        (lambda: DigitTokens(seed=0.5), "`seed` must be"),
    ],
)
def test_wrong_settings_are_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()

"""Shifted inputs: variances and truths as they say, images against NumPy's own turns, and what is refused."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from twopart._checks import InputError
from twopart.worlds.regression import ShiftedDigits, benign_shift, shift_images


def test_a_benign_world_and_its_shift():
    world = benign_shift(30, head=4, tail=0.02, added=0.1, added_head=0.3, noise=0.5, seed=1)
    assert np.asarray(world.source).tolist() == [1.0] * 4 + [0.02] * 26
    assert np.asarray(world.target) == pytest.approx(np.array([1.3] * 4 + [0.12] * 26))
    truth = np.asarray(world.truth)
    assert np.linalg.norm(truth) == pytest.approx(1)
    assert not truth[4:].any()
    assert np.asarray(benign_shift(30, head=4, truth="all", seed=1).truth)[4:].all()
    x, y = world.sample(20_000, "target")
    assert x.var(0) == pytest.approx(np.asarray(world.target), rel=5 * np.sqrt(2 / 20_000))
    assert np.std(y - x @ truth) == pytest.approx(0.5, rel=5 / np.sqrt(40_000))
    assert np.array_equal(benign_shift(30, head=4, seed=1).truth, truth)
    assert not np.array_equal(benign_shift(30, head=4, seed=2).truth, truth)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_images_are_shifted(dtype):
    images = np.random.default_rng(0).random((50, 9, 9)).astype(dtype)
    for turns, degrees in ((1, 90.0), (-1, -90.0)):
        turned = shift_images(images, "rotation", degrees)
        assert turned == pytest.approx(np.rot90(images, turns, axes=(1, 2)), abs=1e-5)
    noisy, blurred = shift_images(images, "noise", 0.5, seed=3), shift_images(images, "blur", 1.0)
    assert (noisy - images).std() == pytest.approx(0.5 * images.std(), rel=5 / np.sqrt(2 * images.size))
    assert np.array_equal(shift_images(images, "noise", 0.5, seed=3), noisy)
    weights = np.exp(-(np.arange(-4, 5) ** 2) / 2)
    middle = weights @ images[0] @ weights / weights.sum() ** 2
    assert blurred[0, 4, 4] == pytest.approx(middle, rel=1e-3)
    assert noisy.dtype == turned.dtype == blurred.dtype == dtype
    assert np.array_equal(shift_images(images, "none"), images)
    assert shift_images(images[:1], "blur", 1.0)[0] == pytest.approx(blurred[0], rel=1e-5)


def test_digits_are_divided():
    world, bunch = ShiftedDigits(100, seed=2), load_digits()
    (x, y), (z, t) = world.train, world.test()
    whole, pixels = np.concatenate([x, z]), bunch.data - bunch.data.mean(0)
    scale = np.sqrt(np.square(pixels).sum(1).mean())
    assert sorted(map(tuple, (whole * scale).round(6))) == sorted(map(tuple, pixels.round(6)))
    assert np.concatenate([y, t]).sum() == np.where(bunch.target % 2, 1, -1).sum()
    turned = world.test("rotation", 90.0)
    raw = (z * scale + bunch.data.mean(0)).reshape(-1, 8, 8)
    expected = np.rot90(raw, axes=(1, 2)).reshape(-1, 64) - bunch.data.mean(0)
    assert turned.x * scale == pytest.approx(expected, abs=1e-8)
    assert np.array_equal(turned.y, t)
    assert not np.array_equal(ShiftedDigits(100, seed=3).train.x, x)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: benign_shift(0), "`dimension` must be"),
        (lambda: benign_shift(5, head=6), "`head` must be"),
        (lambda: benign_shift(tail=2.0), "`tail` must be"),
        (lambda: benign_shift(added=-0.1), "`added` must be"),
        (lambda: benign_shift(added_head=np.nan), "`added_head` must be"),
        (lambda: benign_shift(truth="tail"), "`truth` must be one of"),
        (lambda: benign_shift(noise=-1.0), "`noise` must be"),
        (lambda: shift_images(np.ones((3, 3)), "blur", 1.0), "`images` must be of shape"),
        (lambda: shift_images(np.full((1, 3, 3), np.nan), "blur", 1.0), "`images` must be finite"),
        (lambda: shift_images(np.ones((1, 3, 3)), "flip"), "`shift` must be one of"),
        (lambda: shift_images(np.ones((1, 3, 3)), "noise", -1.0), "`amount` must be"),
        (lambda: shift_images(np.ones((1, 3, 3)), "rotation", np.inf), "`amount` must be"),
        (lambda: ShiftedDigits(0), "`points` must be"),
        (lambda: ShiftedDigits(10, -1), "`seed` must be"),
    ],
)
def test_bad_arguments_are_refused(call, said):
    with pytest.raises(InputError, match=said):
        call()

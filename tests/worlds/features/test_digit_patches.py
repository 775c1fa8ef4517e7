"""Digits in patches: strokes beside shuffled pixels, sizes as asked, nothing of the label in the noise."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from twopart._checks import InputError
from twopart.worlds.features import DigitPatches


def test_patches_are_strokes_and_shuffled_pixels():
    digits = DigitPatches((0, 1), (2, 3), points=100, dimension=128, noise=3.0, flips=0.2)
    train, test = digits.train, digits.test
    assert (train.x.shape, len(train) + len(test)) == ((100, 2, 128), 720)
    assert set(train.group[train.clean == 1]) == {0, 1}
    assert 0 < (train.label != train.clean).mean() < 0.4
    assert (test.label == test.clean).all()
    assert (train.x[:, 0, 64:] == 0).all()
    squares = np.square(np.concatenate([train.x, test.x]).astype(float)).sum(2).mean(0)
    assert squares == pytest.approx([1.0, 9.0], rel=1e-5)
    assert np.square(train.x[:, 1]).mean(0).min() > 0.2 * 9 / 128, "ink falls everywhere"


def test_labels_are_in_the_strokes_alone_and_not_linear_when_inverted():
    digits = DigitPatches((0,), (1,), points=200)
    fit = lambda p, d: LogisticRegression(max_iter=1000).fit(d.train.x[:, p], d.train.label)  # noqa: E731
    right = [fit(p, digits).score(digits.test.x[:, p], digits.test.label) for p in (0, 1)]
    assert right[0] > 0.98
    assert 0.25 < right[1] < 0.75
    inverted = DigitPatches((0,), (1,), points=200, inverted=True)
    assert 0.25 < fit(0, inverted).score(inverted.test.x[:, 0], inverted.test.label) < 0.75


def test_divisions_are_named_by_their_seed():
    assert np.array_equal(DigitPatches(seed=2).train.x, DigitPatches(seed=2).train.x)
    assert not np.array_equal(DigitPatches(seed=2).train.x, DigitPatches(seed=3).train.x)


@pytest.mark.parametrize(
    "changes",
    [
        {"positive": (8,)},
        {"points": 1},
        {"points": 360},
        {"dimension": 100},
        {"noise": -1.0},
        {"flips": 0.5},
        {"positive": (11,)},
    ],
)
def test_bad_divisions(changes):
    with pytest.raises(InputError, match=r"must be .*, got .*; "):
        DigitPatches(**changes)

"""Pixels with classes: moments and Bayes' accuracy by simulation; images of digits and of a user's folder; refusals."""

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.worlds.diffusion import ClusterPixels, pictures

WORLD = ClusterPixels(8, 5, 3, 1.2, 0.3, (2.0, 1.0))


def test_moments_and_accuracy_are_those_of_samples(size):
    n = size(40_000, 10**6)
    x, y = WORLD.sample(n, seed=1)
    empirical, truth = x.T @ x / n, WORLD.covariance
    error = np.sqrt((np.outer(np.diag(truth), np.diag(truth)) + truth**2) / n)  # at most, as places are bounded
    assert np.abs(empirical - truth).max() < 5 * error.max()
    assert np.var(WORLD.places) == pytest.approx(1.2)
    nearest = np.abs(x @ WORLD.direction - WORLD.places[:, None]).argmin(0)
    spread = (WORLD.accuracy * (1 - WORLD.accuracy) / n) ** 0.5
    assert np.mean(nearest == y) == pytest.approx(WORLD.accuracy, abs=5 * spread)
    assert np.array_equal(WORLD.sample(5, 1)[0], x[:5]) or not np.array_equal(WORLD.sample(5, 1, 1)[0], x[:5])
    assert not np.array_equal(WORLD.sample(5, 1)[0], WORLD.sample(5, 1, 1)[0])


def test_digits_are_divided_once():
    train, test = pictures(seed=3)
    assert (train.x.shape, test.x.shape, train.x.dtype) == ((1348, 1, 8, 8), (449, 1, 8, 8), np.float32)
    assert train.x.mean() == pytest.approx(0, abs=1e-5)
    assert train.x.std() == pytest.approx(1, rel=1e-5)
    assert not np.array_equal(pictures(seed=4)[0].y, train.y)


def test_a_folder_of_images(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for i, name in enumerate(("cats", "dogs", "dogs")):
        (tmp_path / name).mkdir(exist_ok=True)
        grey = np.zeros((6, 10, 3), np.uint8)
        grey[:, 2:8], grey[:, :2], grey[0] = 50 * (i + 1), 255, 50 * (i + 1)  # the left end is cut off
        image.fromarray(grey).save(tmp_path / name / f"{i}.png")
    (tmp_path / "dogs" / "notes.txt").write_text("no image")
    train, test = pictures("folder", str(tmp_path), side=3, held_out=0.34)
    assert (train.x.shape, test.x.shape) == ((2, 3, 3, 3), (1, 3, 3, 3))
    assert sorted(np.concatenate([train.y, test.y]).tolist()) == [0, 1, 1]
    assert all(np.ptp(one) < 1e-6 for one in train.x)


@pytest.mark.parametrize("spoiled", ["text", "folder", "cut", "sixteen bits"])
def test_files_that_are_no_images(tmp_path, spoiled):
    image, bad = pytest.importorskip("PIL.Image"), tmp_path / "cats" / "1.png"
    (bad if spoiled == "folder" else bad.parent).mkdir(parents=True)
    if spoiled == "text":
        bad.write_text("no image")
    elif spoiled != "folder":
        image.fromarray(np.arange(64, dtype=np.uint8 if spoiled == "cut" else np.uint16).reshape(8, 8)).save(bad)
    if spoiled == "cut":
        bad.write_bytes(bad.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"`folder` must .*cats/1.png"):
        pictures("folder", str(tmp_path), side=4)


def test_refusals(tmp_path):
    for bad in ({"nuisances": (1.0,) * 20}, {"signal": 0.0}, {"classes": 1}, {"nuisances": (np.nan,)}):
        with pytest.raises(InputError, match=r"must be .*, got .*; "):
            ClusterPixels(**bad)
    with pytest.raises(InputError, match="`folder` must be a folder whose subfolders hold images"):
        pictures("folder", str(tmp_path))
    for bad in ({"dataset": "birds"}, {"held_out": 1.0}, {"held_out": 1e-9}, {"dataset": "mnist"}):
        with pytest.raises(InputError):
            pictures(**bad)

"""Images: digits divided once, CIFAR's layout from a stand-in for torchvision, and refusals."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.worlds.in_context import Images


def test_digits_are_divided_and_scaled_by_the_training_images():
    parts = Images(seed=3).parts(300, 200)
    assert [part.x.shape for part in parts] == [(300, 1, 8, 8), (200, 1, 8, 8), (1297, 1, 8, 8)]
    assert parts[0].x.mean() == pytest.approx(0, abs=1e-5)
    assert parts[0].x.std() == pytest.approx(1, rel=1e-5)
    every = np.concatenate([part.x for part in parts]).reshape(1797, -1)
    assert len(np.unique(every.round(4), axis=0)) == 1797, "no image is in two parts"
    assert not np.array_equal(parts[0].y, Images(seed=4).parts(300, 200)[0].y)


def test_cifar_keeps_its_colours_and_its_own_tests(monkeypatch, tmp_path):
    data = np.arange(5 * 32 * 32 * 3).reshape(5, 32, 32, 3) % 255

    def dataset(root, train, download):
        assert not download
        return SimpleNamespace(data=data[:3] if train else data[3:], targets=[7, 8, 9][:3] if train else [1, 2])

    monkeypatch.setitem(sys.modules, "torchvision.datasets", SimpleNamespace(CIFAR10=dataset))
    train, validation, test = Images("cifar10", str(tmp_path)).parts(2, 1)
    assert (train.x.shape, validation.x.shape, test.y.tolist()) == ((2, 3, 32, 32), (1, 3, 32, 32), [1, 2])
    first = np.flatnonzero(train.y == 7)
    source = train.x[first[0]] if len(first) else validation.x[0]
    pixels = data[0].transpose(2, 0, 1)
    assert np.corrcoef(source.ravel(), pixels.ravel())[0, 1] == pytest.approx(1)


def test_what_is_not_there_is_refused(tmp_path, monkeypatch):
    for bad in ({"dataset": "olivetti"}, {"seed": -1}):
        with pytest.raises(InputError, match=r"must be .*, got .*; "):
            Images(**bad)
    for sizes in ((0, 0), (1000, 797), (10, -1)):
        with pytest.raises(InputError, match=r"must be .*, got .*; "):
            Images().parts(*sizes)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", SimpleNamespace())
    with pytest.raises(InputError, match=r"`folder` must be a folder that holds cifar100"):
        Images("cifar100", str(tmp_path / "none")).parts(10, 0)

"""Images: the bundled digits as they are, scaling and labels; data sets that are absent are refused with a remedy."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.datasets import load_digits

from twopart._checks import InputError
from twopart.worlds.features import Images
from twopart.worlds.features.images import require


def test_digits_are_all_there_once():
    images = Images(seed=4)
    bunch = load_digits()
    assert (len(images.train), len(images.test)) == (1198, 599)
    both = np.concatenate([images.train.x, images.test.x])
    classes = np.concatenate([images.train.cluster, images.test.cluster])
    assert np.array_equal(np.bincount(classes), np.bincount(bunch.target))
    mean, scale = both.mean(0), np.abs(both).max()
    again = sorted(map(tuple, np.round((both - mean) / scale, 4)))
    raw = bunch.data - bunch.data.mean(0)
    factor = np.linalg.norm(raw) / np.linalg.norm(both - mean)
    assert np.allclose(sorted(map(tuple, np.round(raw / factor / scale, 4))), again, atol=2e-3)


def test_training_images_are_centred_and_as_long_as_the_root_of_the_dimension():
    train = Images().train
    assert train.x.mean(0) == pytest.approx(np.zeros(64), abs=1e-4)
    assert np.square(train.x).sum(1).mean() == pytest.approx(64, rel=1e-4)


def test_labels_say_whether_the_class_is_positive():
    images = Images(positive=(0, 3, 9), seed=1)
    assert np.array_equal(images.test.label, np.isin(images.test.cluster, [0, 3, 9]))
    assert images.is_positive.sum() == 3


def test_the_division_depends_on_the_seed_only():
    assert np.array_equal(Images(seed=2).test.x, Images(positive=(1,), seed=2).test.x)
    assert not np.array_equal(Images(seed=2).test.cluster, Images(seed=3).test.cluster)


@pytest.mark.parametrize(
    "arguments",
    [
        {"dataset": "cifar100"},
        {"positive": ()},
        {"positive": tuple(range(10))},
        {"positive": (1, 1)},
        {"positive": (10,)},
        {"seed": -1},
    ],
)
def test_bad_images(arguments):
    with pytest.raises(InputError, match=r"must be .*, got .*; "):
        Images(**arguments)


def test_without_the_library_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(InputError, match=r"'digits' need scikit-learn.*pip install 'twopart\[images\]'"):
        require("digits")
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    with pytest.raises(InputError, match=r"'mnist' need torchvision.*pip install 'twopart\[vision\]'"):
        require("mnist", "/tmp")


def _torchvision(monkeypatch, found):
    """A stand-in with the face of torchvision's data sets: MNIST(root, train, download) with .data and .targets."""

    def dataset(root, train, download):
        assert not download
        if found is None:
            raise RuntimeError("Dataset not found. You can use download=True to download it")
        data, targets = found
        return SimpleNamespace(data=data[: 3 if train else 2], targets=targets[: 3 if train else 2])

    monkeypatch.setitem(sys.modules, "torchvision.datasets", SimpleNamespace(MNIST=dataset, CIFAR10=dataset))


@pytest.mark.parametrize("dataset", ["mnist", "cifar10"])
def test_torchvisions_sets_are_flattened_and_labelled(dataset, monkeypatch, tmp_path):
    shape = (3, 28, 28) if dataset == "mnist" else (3, 32, 32, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    _torchvision(monkeypatch, (pixels, [7, 1, 2]))
    images = Images(dataset, (7,), str(tmp_path))
    assert images.train.x.shape == (3, np.prod(shape[1:]))
    assert images.train.label.tolist() == [1, 0, 0]
    raw = pixels.reshape(3, -1) - pixels.reshape(3, -1).mean(0)
    assert images.train.x == pytest.approx(raw / np.sqrt(np.square(raw).mean()), abs=1e-4)
    assert len(images.test) == 2


def test_a_folder_without_the_set_is_refused(monkeypatch, tmp_path):
    _torchvision(monkeypatch, None)
    with pytest.raises(InputError, match=r"`folder` must be a folder that holds mnist, got ''; .*download=True"):
        require("mnist")
    with pytest.raises(InputError, match=r"`folder` must hold cifar10, got .*; .*CIFAR10.*download=True"):
        require("cifar10", str(tmp_path))

"""Images with their classes: what scikit-learn ships, and a user's folder, of torchvision's or of files; no downloads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twopart import _random
from twopart._checks import InputError, check, check_choice, check_integer, check_real
from twopart.worlds._libraries import library

NAMES = {"mnist": "MNIST", "cifar10": "CIFAR10", "cifar100": "CIFAR100"}
Raw = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Pixels, shape (n, D), and classes, shape (n,)."""


class Labelled(NamedTuple):
    """A set of images, pixels (N, channels, side, side) of mean 0 and variance 1 in training, and classes (N,)."""

    x: NDArray[np.float32]
    y: NDArray[np.int64]


def reader(dataset: str, folder: str, *, train: bool) -> Callable[[], Raw]:
    """A reader of the data set; that it is there is checked now. Raises `InputError` if it is not."""
    sets = library("torchvision.datasets", f"the images {dataset!r}")
    place = Path(folder)
    remedy = f"torchvision.datasets.{NAMES[dataset]}(folder, download=True) fetches it"
    check(bool(folder) and place.is_dir(), "folder", folder, f"a folder that holds {dataset}", remedy)
    try:
        found = getattr(sets, NAMES[dataset])(folder, train=train, download=False)
    except RuntimeError as error:
        raise InputError(f"`folder` must hold {dataset}, got {folder!r}; {remedy}") from error

    def read() -> Raw:
        pixels = np.asarray(found.data, np.float32)
        return pixels.reshape(len(pixels), -1), np.asarray(found.targets, np.int64)

    return read


def divided(
    x: NDArray[Any], y: NDArray[Any], sizes: Sequence[int], random: np.random.Generator, test: Raw | None = None
) -> list[Labelled]:
    """Parts of these sizes and what is left, or `test` in its place, all scaled by the first part.

    Raises `InputError` where nothing would be left, or the first part is empty or all one grey.
    """
    used = sum(sizes)
    fits = sizes[0] > 0 and used <= len(y) - (test is None)
    check(fits, "sizes", tuple(sizes), f"at least 1 and at most {len(y) - (test is None)} together", "take fewer")
    order = random.permutation(len(y))
    parts = [(x[at], y[at]) for at in np.split(order, np.cumsum(sizes))]
    mean, scale = parts[0][0].mean(), parts[0][0].std()
    check(bool(scale > 0), "images", float(mean), "not all one grey", "look at them")
    kept = [*parts[:-1], parts[-1] if test is None else test]
    return [Labelled(((a - mean) / scale).astype(np.float32), b.astype(np.int64)) for a, b in kept]


def images(dataset: str, folder: str = "", *, side: int = 32, train: bool = True) -> Raw:
    """Images (n, channels, height, width) as they are stored, and classes (n,): digits, torchvision's, or a "folder" of files.

    Files stand in folder/<class>/, the layout of torchvision's ImageFolder; Pillow cuts them square and scales them to `side`.
    Raises `InputError` where there are none.
    """
    check_choice("dataset", dataset, ("digits", "folder", *NAMES))
    if dataset == "digits":
        bunch = library("sklearn.datasets", "the images 'digits'").load_digits()
        return bunch.images[:, None], bunch.target
    if dataset == "folder":
        return _files(folder, check_integer("side", side, 1, None, "in pixels"))
    pixels, classes = reader(dataset, folder, train=train)()
    across = 28 if dataset == "mnist" else 32
    return pixels.reshape(len(pixels), across, across, -1).transpose(0, 3, 1, 2), classes


def pictures(
    dataset: str = "digits", folder: str = "", *, side: int = 32, held_out: float = 0.25, seed: int = 0
) -> tuple[Labelled, Labelled]:
    """Training and held-out images of "digits", mnist or cifar (torchvision's files), or of "folder": <class>/<image>.

    `side` is that to which a folder's are cut and scaled. Raises `InputError` where there are none.
    """
    x, y = images(dataset, folder, side=side)
    kept = len(y) - round(check_real("held_out", held_out, 0, 1, "a quarter is usual", closed="()") * len(y))
    train, test = divided(x, y, (kept,), _random.generator(seed, "pictures"))
    return train, test


def _files(folder: str, side: int) -> Raw:
    """Images (n, 3, side, side) of 0 to 255, and the places of their folders' names in the alphabet."""
    pillow, place, found = library("PIL.Image", "images in a folder"), Path(folder), list[tuple[Path, str]]()
    if folder and place.is_dir():
        known = pillow.registered_extensions()
        paths = sorted(path for path in place.glob("*/*") if path.suffix.lower() in known)
        found = [(path, path.parent.name) for path in paths]
    remedy = "give each class's images a folder of their own, photos/cats/1.png"
    check(len(found) > 0, "folder", folder, "a folder whose subfolders hold images", remedy)
    names, pixels = sorted({name for _, name in found}), []
    for path, _ in found:
        try:
            with pillow.open(path) as image:
                eight = not image.mode.startswith(("I", "F"))  # others are cut off at 255
                check(eight, "folder", f"{path}, {image.mode}", "images of 8 bits a colour", "convert them first")
                (w, h), cut = image.size, min(image.size)
                left, top = (w - cut) // 2, (h - cut) // 2
                square = image.convert("RGB").crop((left, top, left + cut, top + cut)).resize((side, side))
                pixels.append(np.asarray(square, np.float32))
        except (OSError, SyntaxError) as error:
            raise InputError(f"`folder` must hold images that Pillow reads, got {str(path)!r}; {error}") from error
    return np.stack(pixels).transpose(0, 3, 1, 2), np.array([names.index(name) for _, name in found])

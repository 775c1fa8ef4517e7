"""Whole numbers as a table: which occur, and how often each. What the estimators over counts start from."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._checks import check

Integers = NDArray[np.int64]

DENSE = 1 << 14  # numbers below are counted in an array, others are sorted
LARGEST = 2**53  # beyond, float64 skips whole numbers


def tabulate(name: str, numbers: ArrayLike, multiplicities: ArrayLike | None) -> tuple[Integers, Integers]:
    """The distinct `numbers`, increasing, and how often each occurs; `multiplicities` says how often each entry stands.

    Raises `InputError` unless all numbers are whole and in [1, 2^53], and multiplicities whole and >= 0, one per number.
    """
    values = _whole(name, numbers, 1, "leave out what was never seen")
    if multiplicities is None:
        return _count(values)
    often = _whole("multiplicities", multiplicities, 0, "0 leaves a number out")
    check(
        len(often) == len(values), "multiplicities", len(often), f"{len(values)} numbers", f"one for each of `{name}`"
    )
    distinct, place = np.unique(values[often > 0], return_inverse=True)
    total = np.zeros(len(distinct), np.int64)
    np.add.at(total, place, often[often > 0])
    check(len(distinct) > 0, "multiplicities", "only zeros", "some number > 0", "give what was seen")
    return distinct, total


def _whole(name: str, numbers: ArrayLike, low: int, remedy: str) -> Integers:
    """`numbers` as a one-dimensional int64 array."""
    array = np.asarray(numbers)
    check(
        array.ndim == 1 and array.size > 0,
        name,
        f"shape {array.shape}",
        "a non-empty row of numbers",
        "give a 1-D array",
    )
    check(array.dtype.kind in "iuf", name, f"dtype {array.dtype}", "of whole numbers", "count first")
    bad = ~((array >= low) & (array <= LARGEST))
    if array.dtype.kind == "f":
        bad |= array != np.floor(array)
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        check(False, f"{name}[{first}]", array[first].item(), f"a whole number in [{low}, 2^53]", remedy)
    return array.astype(np.int64)


def _count(values: Integers) -> tuple[Integers, Integers]:
    """`np.unique` with counts, quick where most numbers are small."""
    small = values < DENSE
    often = np.bincount(values[small], minlength=1)
    low = np.flatnonzero(often)
    high, high_often = np.unique(values[~small], return_counts=True)
    return np.r_[low, high], np.r_[often[low], high_often]

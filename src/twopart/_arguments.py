"""Arguments that are a number or an array, and results of the same kind."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._checks import check, check_integer

Floats = NDArray[np.float64]

_MOST = 2**53


def counts(name: str, n: ArrayLike, least: int = 0) -> Floats:
    """Whole numbers in [least, 2^53), as float64."""
    array = _numbers(name, n)
    whole = bool(np.all((array >= least) & (array < _MOST) & (array == np.floor(array))))
    check(whole, name, n, f"whole numbers in [{least}, 2^53)", "round it, or take fewer")
    return array


def shares(name: str, x: ArrayLike) -> Floats:
    """Probabilities in [0, 1], as float64."""
    array = _numbers(name, x)
    inside = bool(np.all((array >= 0) & (array <= 1)))
    check(inside, name, x, "in [0, 1]", "it is the probability of an entity")
    return array


def like(arguments: tuple[Any, ...], result: Any) -> Any:
    """`result` as a float if all arguments are numbers, else as an array."""
    return float(result) if all(np.ndim(a) == 0 for a in arguments) else np.asarray(result, float)


def shard(n: int, start: int) -> tuple[int, int]:
    """n and start of the draws start..start+n-1."""
    n = check_integer("n", n, 0, None, "it is the number of draws")
    return n, check_integer("start", start, 0, 2**62 - n, "it is the index of the first draw")


def _numbers(name: str, value: ArrayLike) -> Floats:
    array = np.asarray(value)
    check(array.dtype.kind in "iuf", name, value, "a number or an array of numbers", "convert it first")
    return array.astype(np.float64)

"""A part of a file as B lanes, side by side, so that a step of a network predicts a byte of each.

Lane i is the i-th stretch of the part; the first ones are a byte longer where B does not divide the length. In order of time
the bytes are those of step 0, lane 0 ... B - 1, then of step 1 ..., and only the last step may have fewer lanes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def places(length: int, lanes: int) -> NDArray[np.int64]:
    """Where each byte of a part stands, in order of time; (length,)."""
    short, longer = divmod(length, lanes)
    lane = np.arange(lanes)
    starts = lane * short + np.minimum(lane, longer)
    whole = (starts[None, :] + np.arange(short)[:, None]).ravel()
    return np.concatenate([whole, starts[:longer] + short])


def steps(length: int, lanes: int) -> int:
    return -(-length // lanes)


def padded(values: NDArray[Any], rows: int) -> NDArray[Any]:
    """`values` with zeros at the end, `rows` in all."""
    return np.concatenate([values, np.zeros(rows - len(values), values.dtype)])

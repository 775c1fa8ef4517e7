"""What learners of regression ask of samples and first weights, which are NumPy's or torch's: they work on arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twopart._arrays import finite

Array = NDArray[Any]


def array(values: Any) -> Array:
    """Of whatever kind, as an array."""
    return values.numpy(force=True) if isinstance(values, Tensor) else np.asarray(values)


def samples(x: Any, y: Any) -> tuple[Array, Array]:
    """Inputs (n, d) and answers (n,), of the inputs' float type."""
    rows = np.ascontiguousarray(finite("x", array(x), (None, None), "give a row for each point", None))
    return rows, finite("y", array(y), (len(rows),), "give one answer for each row of `x`", rows.dtype)


def first_weights(start: Any, replicates: int, d: int, dtype: Any = np.float64) -> Array:
    """Shape (R, d), its own memory: of `start`, (d,) or (R, d), or 0 without it."""
    w = np.zeros((replicates, d), dtype)
    if start is not None:
        first = array(start)
        shape = w.shape if first.ndim == 2 else (d,)
        w[:] = finite("start", first, shape, "give the weights of one run, or of each", dtype)
    return w


def like(w: Any, x: Any) -> Any:
    """The weights, without a copy, as a tensor where `x` is one, else as an array."""
    return torch.as_tensor(w, device=x.device) if isinstance(x, Tensor) else np.asarray(w)

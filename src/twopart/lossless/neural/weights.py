"""A transformer's weights as bytes: rounded to a grid and entropy-coded.

    for each tensor: step of its grid (float32), least and largest grid point (int32), scale (float32), family (1 byte)
    code of all grid points, tensor after tensor

A weight w is the grid point q = round((w - w0) / step), w0 = 1 for the gains of norms and 0 for matrices. The step is that of
the method times the deviation of the tensor about w0: a step of s costs about log2(4.13 / s) bits a weight if they are normal.
The grid points are coded by a normal or Laplace law about 0, whichever is shorter, cut off at the ends.
"""

from __future__ import annotations

import math
import struct
from typing import Any, NamedTuple

import constriction
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twopart.learners.transformer import Transformer
from twopart.lossless.container import DamagedError, damaged

_HEAD = struct.Struct("<fiifB")
_FAMILIES: tuple[Any, ...] = (
    constriction.stream.model.QuantizedGaussian,
    constriction.stream.model.QuantizedLaplace,
)
LEAST_SCALE = 0.05
"""Of the coded law, in grid points: where all are 0 the deviation is none at all."""
LARGEST = 1 << 20
"""Grid points are less than this in size."""


class _Head(NamedTuple):
    step: float
    least: int
    largest: int
    scale: float
    family: int

    def law(self) -> Any:
        return _FAMILIES[self.family](self.least, self.largest, 0.0, self.scale)


def pack(model: Transformer, step: float) -> bytes:
    """The weights of `model` on grids of `step` standard deviations."""
    heads, encoder = bytearray(), constriction.stream.queue.RangeEncoder()
    for weight in model.parameters():
        head, points = _rounded(weight.detach(), step)
        heads += _HEAD.pack(*head)
        encoder.encode(points, head.law())
    return bytes(heads) + bytes(encoder.get_compressed().astype("<u4").tobytes())


def unpack(data: bytes, model: Transformer) -> None:
    """Give `model` the weights that `pack` coded."""
    weights = list(model.parameters())
    size = _HEAD.size * len(weights)
    if len(data) < size or (len(data) - size) % 4:
        raise _damaged()
    heads = [_Head(*fields) for fields in _HEAD.iter_unpack(data[:size])]
    decoder = constriction.stream.queue.RangeDecoder(np.frombuffer(data[size:], "<u4").astype(np.uint32))
    for head, weight in zip(heads, weights, strict=True):
        if not _legal(head):
            raise _damaged()
        try:
            points = np.asarray(decoder.decode(head.law(), weight.numel()), np.float32)
        except AssertionError:  # constriction's, for some of the codes that no encoder writes
            raise _damaged() from None
        with torch.no_grad():
            weight.copy_(torch.from_numpy(points * np.float32(head.step)).view(weight.shape) + _centre(weight))


def _rounded(weight: Tensor, step: float) -> tuple[_Head, NDArray[np.int32]]:
    """A tensor's grid points, with the law that codes them in fewest bits."""
    values = (weight - _centre(weight)).double().numpy().ravel()
    grid = float(np.float32(max(step * math.sqrt(np.mean(values**2)), 1e-12)))
    points = np.clip(np.rint(values / grid), -LARGEST + 1, LARGEST - 1).astype(np.int32)
    ends = int(points.min()), max(int(points.max()), int(points.min()) + 1)
    scales = math.sqrt(np.mean(points.astype(float) ** 2)), float(np.mean(np.abs(points)))
    heads = [
        _Head(grid, *ends, float(np.float32(max(scale, LEAST_SCALE))), family) for family, scale in enumerate(scales)
    ]
    return min(((head, points) for head in heads), key=lambda pair: _words(*pair))


def _words(head: _Head, points: NDArray[np.int32]) -> int:
    encoder = constriction.stream.queue.RangeEncoder()
    encoder.encode(points, head.law())
    return len(encoder.get_compressed())


def _centre(weight: Tensor) -> float:
    return 1.0 if weight.ndim == 1 else 0.0


def _legal(head: _Head) -> bool:
    positive = all(0 < x < math.inf for x in (head.step, head.scale))
    return positive and -LARGEST < head.least < head.largest <= LARGEST and head.family < len(_FAMILIES)


def _damaged() -> DamagedError:
    return damaged("its model is not one of its method")

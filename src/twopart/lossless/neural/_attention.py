"""Attention of one step: a new byte in each lane looks back at those before it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from twopart._numba import inlined, kernel
from twopart.learners._kernels import exponential

_sums = partial(kernel, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")


@_sums
def attend(cosines: Any, sines: Any, at: int, qkv: Any, keys: Any, values: Any, weights: Any, out: Any) -> None:
    """Write the keys and values of position `at`, and mix the values of positions 0 ... `at`, in each lane and head.

    qkv (B, 3, heads, D): queries and keys are turned in place by cosines and sines (D/2,). keys and values (B, heads, S, D) get
    position `at`; weights (B, heads, S) are written up to there; out (B, heads, D).
    """
    lanes, _, heads, size = qkv.shape
    scale = np.float32(1 / np.sqrt(size))
    for b in range(lanes):
        for h in range(heads):
            for part in range(2):
                _turn(qkv[b, part, h], cosines, sines)
            for i in range(size):
                keys[b, h, at, i], values[b, h, at, i] = qkv[b, 1, h, i], qkv[b, 2, h, i]
            for u in range(at + 1):
                score = np.float32(0)
                for i in range(size):
                    score += qkv[b, 0, h, i] * keys[b, h, u, i]
                weights[b, h, u] = score * scale
            top, total = weights[b, h, at], np.float32(0)
            for u in range(at):
                top = max(top, weights[b, h, u])
            for u in range(at + 1):
                weight = exponential(weights[b, h, u] - top)
                weights[b, h, u] = weight
                total += weight
            for i in range(size):
                out[b, h, i] = np.float32(0)
            for u in range(at + 1):
                weight = weights[b, h, u] / total
                weights[b, h, u] = weight
                for i in range(size):
                    out[b, h, i] += weight * values[b, h, u, i]


@inlined
def _turn(x: Any, cosines: Any, sines: Any) -> None:
    half = len(cosines)
    for i in range(half):
        first, second = x[i], x[half + i]
        x[i] = first * cosines[i] - second * sines[i]
        x[half + i] = second * cosines[i] + first * sines[i]

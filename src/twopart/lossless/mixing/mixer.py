"""The mixer: a weighted sum of logits, its weights learned online; several sets of weights, each chosen by a context of
its own, are mixed again.

    logit = Σ w_i x_i       p = squash(logit)       w_i += rate * x_i * (bit - p)

which is gradient descent on the code length of the bit. Logits are whole numbers of 1/256, weights of 2^-16, probabilities
of 2^-16.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from twopart._numba import inlined
from twopart.lossless._logistic import LIMIT
from twopart.lossless.mixing._numbers import natural
from twopart.lossless.mixing.memory import Sizes

FINAL_RATE = 14


@inlined
def bounded(logit: int) -> int:
    return min(max(logit, -LIMIT), LIMIT)


@inlined
def mix(s: Sizes, m: Any) -> None:
    """The logit and the probability of each set."""
    x, w = m.inputs, m.weights
    for j in range(s.sets):
        total, row = 0, m.rows[j]
        for i in range(s.width):
            total += int(x[i]) * int(w[natural(row), i])
        m.outputs[j] = bounded(total >> 16)
        m.chances[j] = m.squash[natural(m.outputs[j] + LIMIT)]


@inlined
def mix_sets(s: Sizes, m: Any, choice: int) -> int:
    """The logit of all sets together."""
    if s.sets == 1:
        return int(m.outputs[0])
    total = 0
    for j in range(s.sets):
        total += m.outputs[j] * m.final[choice, j]
    return bounded(total >> 16)


@inlined
def learn_weights(s: Sizes, m: Any, bit: int, rate: int) -> None:
    """A step of every set.

    The product of a logit and an error of 17 bits, times rate / 2^8, fits 32 bits, which is what SIMD does best.
    """
    x, w = m.inputs, m.weights
    for j in range(s.sets):
        error, row = np.int32((((bit << 16) - m.chances[j]) * rate) >> 8), m.rows[j]
        for i in range(s.width):
            w[natural(row), i] += np.int32(np.int32(np.int32(x[i] * error) + np.int32(1 << 13)) >> 14)


@inlined
def learn_final(s: Sizes, m: Any, choice: int, bit: int, p: int) -> None:
    """A step of the weights of the sets."""
    if s.sets > 1:
        error = ((bit << 16) - p) * FINAL_RATE
        for j in range(s.sets):
            m.final[choice, j] += (m.outputs[j] * error + (1 << 21)) >> 22


@inlined
def adapt(maps: Any, entry: int, bit: int, reciprocal: Any, limit: int) -> None:
    """Move an adaptive probability towards `bit`: by 1/(n + 3/2) the n-th time, never less than 1/(limit + 3/2)."""
    value = int(maps[natural(entry)])
    uses, p = value & 1023, value >> 10
    p += (((bit << 22) - p) * reciprocal[natural(uses)]) >> 16
    maps[natural(entry)] = (p << 10) | min(uses + 1, limit)

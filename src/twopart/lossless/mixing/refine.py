"""Refinement (secondary estimation): in a context, what has a probability of this size meant so far?

A row holds 25 probabilities, for logits a nat apart; one between two of them is interpolated, and the nearer one learns
the bit. Rows are fetched before the mixer works, and used after it.
"""

from __future__ import annotations

from typing import Any

from twopart._numba import inlined
from twopart.lossless.mixing._numbers import mixed, natural, prefetch
from twopart.lossless.mixing.memory import BINS, Sizes


@inlined
def seek_rows(s: Sizes, m: Any, rows: int, last4: int, partial: int) -> None:
    """Choose one of the `rows` of each refinement by the byte so far and the last one, two or three bytes."""
    for j in range(s.refinements):
        last = last4 & (0xFF if j == 0 else 0xFFFF if j == 1 else 0xFFFFFF)
        key = last << 8 | partial if j == 0 else mixed(last, partial + 256 * j) >> 20
        m.refining[j] = BINS * (rows * j + (key & (rows - 1)))
    for j in range(s.refinements):
        prefetch(m.refined, m.refining[j])


@inlined
def refine(s: Sizes, m: Any, logit: int, p: int) -> int:
    """The mean of `p` and what the refinements make of it, in [1, 2^16 - 1]."""
    bin, part = (logit + 3072) >> 8, (logit + 3072) & 255
    total = 0
    for j in range(s.refinements):
        entry = m.refining[j] + bin
        total += (int(m.refined[natural(entry)]) * (256 - part) + int(m.refined[natural(entry + 1)]) * part) >> 14
        m.refining[j] = entry + (part >> 7)
    if s.refinements == 3:
        total = (p + total) >> 2
    elif s.refinements == 2:
        total = (2 * p + total) >> 2
    else:
        total = (p + total) >> 1
    return min(max(total, 1), 65535)


@inlined
def learn_rows(s: Sizes, m: Any, bit: int) -> None:
    for j in range(s.refinements):
        old = int(m.refined[natural(m.refining[j])])
        m.refined[natural(m.refining[j])] = old + (((bit << 22) - old) >> 6)

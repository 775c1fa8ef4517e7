"""The Bayes code of words that come from a Pitman-Yor law, one by one: each costs what those before it leave unknown.

    types, spelling = numbered(text.split())
    bits = word_bits(types, spelling, PitmanYor(d, theta))      # of each word, in order

A word seen n_k times among the n before it costs -log2 (n_k - d)/(n + θ); one of none of the K words seen costs
-log2 (θ + dK)/(n + θ) and its spelling. Source: the predictive rule of the Pitman-Yor law (Pitman 1995).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from twopart.worlds.knowledge.pitman_yor import PitmanYor

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def numbered(text: Iterable[bytes]) -> tuple[Integers, Floats]:
    """The words as numbers 0, 1, ... by first appearance, and the bits that spell each type: 8 a letter and 8 for its end."""
    numbers: dict[bytes, int] = {}
    types = np.array([numbers.setdefault(word, len(numbers)) for word in text], np.int64)
    return types, np.array([8.0 * (len(word) + 1) for word in numbers])


def word_bits(types: Integers, spelling: Floats, law: PitmanYor) -> Floats:
    """What each word costs, given those before it; `spelling` are the bits of each type where it is new."""
    d, theta, seen = law.discount, law.concentration, times_before(types)
    new = seen == 0
    weight = np.where(new, theta + d * (np.cumsum(new) - 1), seen - d)
    total = np.arange(len(types)) + theta
    weight[0] = total[0] = 1.0  # the first word is new for certain
    return np.asarray(np.where(new, spelling[types], 0.0) - np.log2(weight / total))


def times_before(types: Integers) -> Integers:
    """How often each word came before."""
    order, counts = np.argsort(types, kind="stable"), np.bincount(types)
    firsts = np.cumsum(counts) - counts
    out = np.empty(len(types), np.int64)
    out[order] = np.arange(len(types)) - firsts[types[order]]
    return out

"""An honest code by counts: the last k tokens, absolute discounting, each order interpolated with the one below.

p_k(x) = max(c - D, 0)/c_ctx + D types/c_ctx p_{k-1}(x), p_{-1} = 1/V, D = (n1 + 1/2)/(n1 + 2 n2 + 1) of the order
(Ney, Essen, Kneser 1994).
All orders share one open hash table of 64-bit keys, and all data sizes one pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._checks import check, check_integer
from twopart._numba import inlined, kernel

Floats = NDArray[np.float64]
MIX, SALT, HALF = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93), np.uint64(32)
TYPE, COUNT = np.uint64(1 << 32), np.uint64((1 << 32) - 1)  # in the second number of a row


def count_code_losses(
    train: Sequence[ArrayLike], held_out: Sequence[ArrayLike], orders: int, sizes: Sequence[int], vocabulary: int
) -> Floats:
    """Bits of each held-out document (sizes, orders + 1, documents) after the first `sizes` tokens of the training documents.

    Documents are rows of whole numbers in [0, vocabulary); no context reaches into another one.
    """
    check_integer("orders", orders, 0, 32, "5 suit a few megabytes")
    check_integer("vocabulary", vocabulary, 2, 2**31, "the tokens that there can be")
    read, asked = _joined("train", train, vocabulary), _joined("held_out", held_out, vocabulary)
    rising = len(sizes) > 0 and min(np.diff(sizes, prepend=0)) > 0 and sizes[-1] <= len(read[0])
    check(bool(rising), "sizes", sizes, f"rising, from 1 to {len(read[0])}", "tokens of the training text")
    table, met, used, at, found = np.zeros((1 << 12, 2), np.uint64), np.zeros((orders + 1, 2)), 0, 0, []
    for size in sizes:
        while at < size:
            at, used = _learn(*read, at, size, orders, table, met, used)
            if at < size:
                table = _moved(table, np.zeros((4 * len(table), 2), np.uint64))
        found.append(_cost(*asked, len(held_out), orders, vocabulary, table, met))
    return np.array(found)


def _joined(name: str, documents: Sequence[ArrayLike], vocabulary: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All tokens, and where the document of each begins."""
    arrays = [np.asarray(document) for document in documents]
    whole = len(arrays) > 0 and all(a.ndim == 1 and a.dtype.kind in "iu" for a in arrays)
    check(whole, name, documents, "a list of rows of whole numbers", "one row for each document")
    tokens, lengths = np.concatenate(arrays).astype(np.int64), [len(a) for a in arrays]
    inside = len(tokens) == 0 or (tokens.min() >= 0 and tokens.max() < vocabulary)
    check(bool(inside), name, f"up to {tokens.max(initial=0)}", f"in [0, {vocabulary})", "number the types from 0")
    return tokens, np.repeat(np.cumsum([0, *lengths[:-1]]), lengths)


@inlined
def _next(key: Any, token: int) -> Any:
    key = (key ^ np.uint64(token + 1)) * MIX
    return key ^ (key >> HALF)


@inlined
def _slot(table: Any, key: Any) -> Any:
    """Where `key` stands, or would stand."""
    mask = np.uint64(len(table) - 1)
    slot = (key >> np.uint64(20)) & mask
    while table[slot, 0] != key and table[slot, 0] != 0:
        slot = (slot + np.uint64(1)) & mask
    return np.int64(slot)


@kernel
def _learn(
    tokens: Any, starts: Any, at: int, stop: int, orders: int, table: Any, met: Any, used: int
) -> tuple[int, int]:
    """Count from `at` to `stop`, or until the table is half full. A row: key, count and types that follow."""
    while at < stop and 2 * (used + 2 * orders + 2) < len(table):
        key = SALT
        for k in range(min(orders, at - starts[at]) + 1):
            if k > 0:
                key = _next(key, tokens[at - k])
            context = _slot(table, key)
            used += table[context, 0] == 0
            table[context, 0] = key
            after = _next(key * SALT, tokens[at])
            pair = _slot(table, after)
            used += table[pair, 0] == 0
            table[pair, 0] = after
            count = table[pair, 1]
            table[pair, 1] += np.uint64(1)
            table[context, 1] += np.uint64(1)
            if count == 0:
                table[context, 1] += TYPE
                met[k, 0] += 1
            elif count == 1:
                met[k, 0] -= 1
                met[k, 1] += 1
            elif count == 2:
                met[k, 1] -= 1
        at += 1
    return at, used


@kernel
def _moved(table: Any, grown: Any) -> Any:
    for row in table:
        if row[0] != 0:
            grown[_slot(grown, row[0])] = row
    return grown


@kernel
def _cost(tokens: Any, starts: Any, documents: int, orders: int, vocabulary: int, table: Any, met: Any) -> Any:
    """Bits of each document by each order (orders + 1, documents)."""
    bits, document = np.zeros((orders + 1, documents)), -1
    for at in range(len(tokens)):
        document += at == starts[at]
        key, p, seen = SALT, 1.0 / vocabulary, True
        for k in range(orders + 1):
            if seen and k <= at - starts[at]:
                if k > 0:
                    key = _next(key, tokens[at - k])
                context = _slot(table, key)
                total = float(table[context, 1] & COUNT)
                seen = total > 0
                if seen:
                    discount = (met[k, 0] + 0.5) / (met[k, 0] + 2 * met[k, 1] + 1)
                    count = float(table[_slot(table, _next(key * SALT, tokens[at])), 1])
                    p = (max(count - discount, 0.0) + discount * float(table[context, 1] >> HALF) * p) / total
            bits[k, document] -= np.log2(p)
    return bits

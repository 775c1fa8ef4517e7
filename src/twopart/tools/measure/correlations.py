"""How far tokens depend on each other over a distance, without what sampling noise adds.

    found = correlations(tokens, lags=range(1, 65), documents=starts)
    found.squared           # ||C(n)||_F^2, unbiased: it may be negative where there is nothing
    found.plug_in           # the same of pooled counts: too high by about `floor`

C(n) = E e(x_t) e(x_{t+n})^T - p p^T, e one-hot, p the shares of the types. With pair frequencies P_b and shares p_b of
independent blocks, <P_1, P_2> - 2 p_2^T P_1 p_3 + (p_1 p_2)(p_3 p_4), averaged over distinct blocks, has the expectation
||C(n)||_F^2 exactly (docs/laws/text-exponent.md). Positions are sorted by type, so that a row of P_b is made, used and
forgotten in the fastest memory: nothing of size V x V is held.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._checks import check, check_integer
from twopart._numba import kernel

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
FEWEST = 5  # blocks: four distinct ones after one is left out


@dataclass(frozen=True, eq=False)
class Correlations:
    """Squared Frobenius norms of C(n) at the lags n."""

    lags: Integers
    squared: Floats
    """Unbiased if the blocks are independent (lags,)."""
    error: Floats
    """Standard errors by the jackknife; where C = 0 they are about 1.4 times too large (lags,)."""
    replicates: Floats
    """`squared` without one block at a time (blocks, lags)."""
    plug_in: Floats
    """Of pooled frequencies, noise included (lags,)."""
    floor: Floats
    """What noise adds to `plug_in` if tokens are independent: (1 - sum p^2)^2 over the number of pairs (lags,)."""


@dataclass(frozen=True, eq=False)
class _Blocks:
    """Tokens as numbers below V, in documents that are cut into blocks."""

    tokens: Integers
    types: int
    lengths: Integers
    """Of the documents."""
    number: Integers
    """The block of each document."""

    @property
    def block(self) -> Integers:
        """Of each token."""
        return np.repeat(self.number, self.lengths)

    @property
    def end(self) -> Integers:
        """Where each token's document ends."""
        return np.repeat(np.cumsum(self.lengths), self.lengths)

    @property
    def shares(self) -> Floats:
        """p_b (V, B)."""
        count = int(self.number[-1]) + 1
        counts = np.bincount(self.tokens * count + self.block, minlength=self.types * count).reshape(-1, count)
        return np.asarray(counts / counts.sum(0))


def correlations(
    tokens: ArrayLike, lags: ArrayLike, blocks: int = 32, documents: ArrayLike | None = None
) -> Correlations:
    """||C(n)||_F^2 of whole numbers (T,) at the rising lags n >= 1, shape (L,).

    `documents` are the offsets at which documents start, the first 0: no pair crosses a border, and blocks are made of whole
    documents. Without them the tokens are cut into `blocks` >= 5 equal parts. Time: about T (L + 1) look-ups.
    Raises `InputError` where there are fewer than 5 blocks, or a lag that no pair of some block spans.
    """
    cut = _cut(tokens, blocks, documents)
    asked = np.asarray(lags)
    rising = (
        asked.ndim == 1 and asked.dtype.kind in "iu" and len(asked) > 0 and asked[0] >= 1 and np.all(np.diff(asked) > 0)
    )
    check(bool(rising), "lags", lags, "rising whole numbers >= 1", "as range(1, 65)")
    shares, at = cut.shares, np.arange(len(cut.tokens))
    B, k = shares.shape[1], np.arange(shares.shape[1])
    spanned = np.maximum(cut.lengths - asked[:, None], 0)  # pairs of each document
    pairs = np.array([np.bincount(cut.number, of, B) for of in spanned])
    short = "shorter than some document in every block"
    check(bool(pairs.all()), "lags", int(asked[-1]), short, "take fewer blocks, or smaller lags")
    order, starts = (
        np.argsort(cut.tokens.astype(np.uint16 if cut.types <= 1 << 16 else np.int64), kind="stable"),
        np.cumsum(np.append(0, np.bincount(cut.tokens))),
    )
    places = (part.astype(np.int32) for part in (cut.tokens, order, cut.block[order], (cut.end - at)[order]))
    sums = _sums(*places, starts, shares, np.ascontiguousarray(shares.T), asked, 1 / pairs)
    own, cross, all_all, own_all, all_own, own_own, alike, k_all, all_k, k_own, own_k, k_k = sums
    gram = shares.T @ shares
    S, gram[k, k] = float(gram.mean()), 0
    squares = cross.sum(1) / B**2 - 2 * all_all.sum(1) / B**3 + S**2
    # of each sum over distinct blocks: what it is, then what it loses without one block
    two = cross - own
    middle = all_all - own_all - all_own + 2 * own_own - alike
    three = middle + k_all - own_all + all_k - all_own - k_own - own_k + 4 * own_own - 2 * k_k
    rows = gram.sum(1) - np.vstack([np.zeros(B), gram])
    rows[k + 1, k] = 0
    left = (gram**2).sum() - 2 * np.append(0, (gram**2).sum(1))
    four = rows.sum(1) ** 2 - 4 * (rows**2).sum(1) + 2 * left
    b = np.append(B, np.full(B, B - 1))
    loses = np.insert(two * 2, 0, 0, 1), np.insert(three, 0, 0, 1)
    found = (two.sum(1, keepdims=True) - loses[0]) / (b * (b - 1))
    found -= 2 * (middle.sum(1, keepdims=True) - loses[1]) / (b * (b - 1) * (b - 2))
    found += four / (b * (b - 1) * (b - 2) * (b - 3))
    error = np.sqrt(B - 1) * found[:, 1:].std(1)
    return Correlations(
        asked.astype(np.int64), found[:, 0], error, found[:, 1:].T, squares, (1 - S) ** 2 / pairs.sum(1)
    )


def _cut(tokens: ArrayLike, blocks: int, documents: ArrayLike | None) -> _Blocks:
    array = np.asarray(tokens)
    whole = array.ndim == 1 and array.dtype.kind in "iu" and len(array) >= 2
    check(
        whole,
        "tokens",
        tokens,
        "whole numbers of shape (T,)",
        "number the types first, as np.unique(return_inverse=True) does",
    )
    check_integer("blocks", blocks, FEWEST, len(array), "32 suits most texts")
    equal = np.linspace(0, len(array), blocks + 1).astype(np.int64)
    borders = equal if documents is None else np.append(np.asarray(documents), len(array))
    fine = borders[0] == 0 and borders.dtype.kind in "iu" and bool(np.all(np.diff(borders) > 0))
    check(
        fine, "documents", documents, f"rising offsets from 0 to below {len(array)}", "give where each document starts"
    )
    middle = (borders[1:] + borders[:-1]) / 2
    _, number = np.unique((middle * blocks / len(array)).astype(int), return_inverse=True)
    check(
        number[-1] + 1 >= FEWEST, "documents", len(middle), f"enough for {FEWEST} blocks", "cut long ones into pieces"
    )
    seen = array - array.min()
    if len(array) < seen.max():  # far apart
        seen = np.unique(array, return_inverse=True)[1]
    numbers = np.cumsum(np.bincount(seen) > 0) - 1
    return _Blocks(numbers[seen], int(numbers[-1]) + 1, np.diff(borders), number)


@kernel
def _sums(
    tokens: Any, order: Any, block: Any, left: Any, starts: Any, shares: Any, by_block: Any, lags: Any, weight: Any
) -> Any:
    """Twelve sums (lags, B), P being that of all P_b and s that of all p_b:

    <P_b, P_b>, <P_b, P>, s P_b s, p_b P_b s, s P_b p_b, p_b P_b p_b, sum_c p_c P_b p_c,
    p_b P s, s P p_b, p_b (sum_c P_c p_c), (sum_c p_c P_c) p_b, p_b P p_b. A pair of block b weighs `weight[lag, b]`.
    """
    (V, B), L = shares.shape, len(lags)
    out, by_column, right = np.zeros((12, L, B)), np.zeros((L, V)), np.zeros(B)
    at = np.zeros((V, 4))  # of y, side by side in memory: s, sum_c p_c[x] p_c[y], P[x, y], sum_b p_b[x] P_b[x, y]
    for y in range(V):
        at[y, 0] = np.sum(shares[y])
    count, most = np.zeros(V + 1, np.int32), np.max(starts[1:] - starts[:-1]) + 1
    count[V] = 1  # no pair: never listed
    types, where, frequency = np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most)
    ahead = np.empty((L, most), np.int32)
    for x in range(V):
        mine, s = shares[x], at[x, 0]
        for y in range(V):
            at[y, 1] = np.sum(mine * shares[y])
        for k in range(starts[x], starts[x + 1]):  # tokens that follow one x lie side by side
            for n in range(L):
                ahead[n, k - starts[x]] = tokens[order[k] + lags[n]] if lags[n] < left[k] else V
        for n in range(L):
            used, k, with_all, with_own = 0, starts[x], 0.0, 0.0
            following = ahead[n]
            while k < starts[x + 1]:
                first, b = used, block[k]
                while k < starts[x + 1] and block[k] == b:
                    y = following[k - starts[x]]
                    types[used] = y
                    used += count[y] == 0
                    count[y] += 1
                    k += 1
                w, own, square, to_all, to_own, to_alike = weight[n, b], by_block[b], 0.0, 0.0, 0.0, 0.0
                for c in range(first, used):
                    y = types[c]
                    f = w * count[y]
                    count[y] = 0
                    where[c], frequency[c] = b, f
                    square += f * f
                    to_own += f * own[y]
                    to_all += f * at[y, 0]
                    to_alike += f * at[y, 1]
                    at[y, 2] += f
                    at[y, 3] += f * mine[b]
                out[0, n, b] += square
                out[2, n, b] += s * to_all
                out[3, n, b] += mine[b] * to_all
                out[4, n, b] += s * to_own
                out[5, n, b] += mine[b] * to_own
                out[6, n, b] += to_alike
                with_all += to_all
                with_own += to_own
            for c in range(used):
                out[1, n, where[c]] += frequency[c] * at[types[c], 2]
            right[:] = 0
            for c in range(used):
                y = types[c]
                if at[y, 2] != 0:
                    by_column[n, y] += at[y, 3]
                    for d in range(B):
                        right[d] += at[y, 2] * shares[y, d]
                    at[y, 2], at[y, 3] = 0, 0
            for d in range(B):
                out[7, n, d] += mine[d] * with_all
                out[8, n, d] += s * right[d]
                out[9, n, d] += mine[d] * with_own
                out[11, n, d] += mine[d] * right[d]
    out[10] = by_column @ shares
    return out

"""How far tokens depend on each other over a distance, without what sampling noise adds.

    found = correlations(tokens, lags=range(1, 65), documents=starts)
    found.squared           # ||C(n)||_F^2, unbiased: it may be negative where there is nothing
    found.plug_in           # the same of pooled counts: too high by about `floor`

C(n) = E e(x_t) e(x_{t+n})^T - p p^T, e one-hot, p the shares of the types. With pair frequencies P_b and shares p_b of
independent blocks, <P_1, P_2> - 2 p_2^T P_1 p_3 + (p_1 p_2)(p_3 p_4), averaged over distinct blocks, has the expectation
||C(n)||_F^2 exactly (docs/laws/text-exponent.md). Positions are sorted by type, so that a row of P_b is made, used and
forgotten in the fastest memory: nothing of size V x V is held. Most sums need no counts, they are means over pairs; what
remains is one count and eight additions a pair.
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
class Blocks:
    """Tokens as numbers below V, in documents that are cut into blocks."""

    tokens: Integers
    types: int
    lengths: Integers
    """Of the documents."""
    number: Integers
    """The block of each document."""

    @property
    def document(self) -> Integers:
        """Of each token."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    @property
    def counts(self) -> Integers:
        """Of each type in each block (V, B)."""
        count = int(self.number[-1]) + 1
        each = self.tokens * count + self.number[self.document]
        return np.bincount(each, minlength=self.types * count).reshape(-1, count)


def correlations(
    tokens: ArrayLike, lags: ArrayLike, blocks: int = 32, documents: ArrayLike | None = None
) -> Correlations:
    """||C(n)||_F^2 of whole numbers (T,) at the rising lags n >= 1, shape (L,).

    `documents` are the offsets at which documents start, the first 0: no pair crosses a border, and blocks are made of whole
    documents. Without them the tokens are cut into `blocks` >= 5 equal parts. Time: about T (L + 1) look-ups.
    Raises `InputError` where there are fewer than 5 blocks, or a lag that no pair of some block spans.
    """
    parts = cut(tokens, blocks, documents)
    asked = rising(lags)
    counts = parts.counts
    shares = counts / counts.sum(0)
    B, k = shares.shape[1], np.arange(shares.shape[1])
    spanned = np.maximum(parts.lengths - asked[:, None], 0)  # pairs of each document
    pairs = np.array([np.bincount(parts.number, of, B) for of in spanned])
    short = "shorter than some document in every block"
    check(bool(pairs.all()), "lags", int(asked[-1]), short, "take fewer blocks, or smaller lags")
    padded = np.pad(shares.T, ((0, 0), (0, 1)))
    sums, by_column = _sums(*_sorted(parts), np.append(0, np.cumsum(counts)), padded, asked, 1 / pairs)
    own_own, mixed, rest_rest, alike, own, cross, k_rest, k_k = sums.transpose(2, 0, 1)
    rest_k = by_column @ padded.T
    gram = shares.T @ shares
    S, gram[k, k] = float(gram.mean()), 0
    squares = cross.sum(1) / B**2 - 2 * (own_own + mixed + rest_rest).sum(1) / B**3 + S**2
    # of each sum over distinct blocks: what it is, then what it loses without one block
    two = cross - own
    middle = rest_rest + own_own - alike
    three = middle + k_rest + rest_k - mixed + 2 * own_own - 2 * k_k
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
    return Correlations(asked, found[:, 0], error, found[:, 1:].T, squares, (1 - S) ** 2 / pairs.sum(1))


def rising(lags: ArrayLike) -> Integers:
    """The lags (L,), if they are rising whole numbers >= 1."""
    asked = np.asarray(lags)
    whole = asked.ndim == 1 and asked.dtype.kind in "iu" and len(asked) > 0
    fine = whole and asked[0] >= 1 and bool(np.all(np.diff(asked) > 0))
    check(fine, "lags", lags, "rising whole numbers >= 1", "as range(1, 65)")
    return asked.astype(np.int64)


def cut(tokens: ArrayLike, blocks: int, documents: ArrayLike | None) -> Blocks:
    """Tokens as numbers below V, cut into blocks of whole documents, or of equal length."""
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
    return Blocks(numbers[seen], int(numbers[-1]) + 1, np.diff(borders), number)


def _sorted(parts: Blocks) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Tokens with one of type V behind each document; where those of each type stand, and where their documents end."""
    narrow = np.uint16 if parts.types < 1 << 16 else np.uint32
    tokens, document = parts.tokens.astype(narrow), parts.document
    order = np.argsort(tokens, kind="stable")
    ends = np.cumsum(parts.lengths + 1) - 1
    places = (order + document[order]).astype(np.uint32), ends[document[order]].astype(np.uint32)
    return np.insert(tokens, np.cumsum(parts.lengths), parts.types), *places


@kernel
def _sums(tokens: Any, at: Any, ends: Any, starts: Any, own: Any, lags: Any, weight: Any) -> Any:
    """Sums (lags, B, 8) over the pairs of a block b, of weight `weight[lag, b]`; P sums all P_c, r all p_c but p_b:

    p_b P_b p_b, p_b P_b r + r P_b p_b, r P_b r, sum_c p_c P_b p_c, <P_b, P_b>, <P_b, P>, p_b (sum_c P_c r_c), p_b P p_b;
    and sum_c r_c P_c by column (lags, V + 1). `own` are the p_b (B, V + 1), of no token 0.
    """
    (B, V), L = own.shape, len(lags)
    V -= 1
    out, by_column = np.zeros((L, B, 8)), np.zeros((L, V + 1))
    shares, rest = own.T.copy(), np.sum(own, 0) - own
    count, pooled, gram, right = np.zeros(V + 1, np.int32), np.zeros(V + 1), np.zeros(V + 1), np.zeros(B)
    types, ahead = np.empty(V + 2, np.uint32), np.empty(len(at), np.uint32)
    for x in range(V):
        mine, here = shares[x], starts[x * B : x * B + B + 1]  # tokens that follow one x lie side by side, by block
        for y in range(V):
            gram[y] = 0.0
            for b in range(B):
                gram[y] += mine[b] * shares[y, b]
        for n in range(L):
            lag, column, used, with_rest = np.uint32(lags[n]), by_column[n], np.uint32(0), 0.0
            for k in range(here[0], here[B]):
                ahead[k] = tokens[min(np.uint32(at[k] + lag), ends[k])]
            for b in range(B):
                following, p, r, w = ahead[here[b] : here[b + 1]], own[b], rest[b], weight[n, b]
                same, to_own, to_rest, alike, up = 0, 0.0, 0.0, 0.0, w * r[x]
                for y in following:
                    types[used] = y
                    used += np.uint32(pooled[y] == 0)
                    same += count[y]
                    count[y] += 1
                    pooled[y] += w
                    column[y] += up
                    to_own += p[y]
                    to_rest += r[y]
                    alike += gram[y]
                same = 2 * same + len(following) - count[V] ** 2  # the sum of squared counts, but that of no pair
                for y in following:
                    count[y] = 0
                of = out[n, b]
                of[0] += w * p[x] * to_own
                of[1] += w * (p[x] * to_rest + r[x] * to_own)
                of[2] += w * r[x] * to_rest
                of[3] += w * alike
                of[4] += w * w * same
                with_rest += w * to_rest
            pooled[V] = 0
            for b in range(B):
                both = 0.0
                for y in ahead[here[b] : here[b + 1]]:
                    both += pooled[y]
                out[n, b, 5] += weight[n, b] * both
            right[:] = 0
            for y in types[:used]:
                f, row = pooled[y], shares[y]
                pooled[y] = 0
                for b in range(B):
                    right[b] += f * row[b]
            for b in range(B):
                out[n, b, 6] += mine[b] * with_rest
                out[n, b, 7] += mine[b] * right[b]
    return out, by_column

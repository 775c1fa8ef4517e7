"""What a learner reads: sentences as token ids with a role each, addressed by position, so that a run can go on anywhere.

TokenStream     the protocol: a length and `batch(start, stop)`
Batch           tokens and roles of consecutive sentences
ArrayStream     a stream over arrays in memory
DrawnStream     a stream that is drawn as it is read, a block at a time
ReplayStream    a stream with sentences of another strewn in at an even rate
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from twopart._checks import check, check_integer, check_real
from twopart.roles import Role


@dataclass(frozen=True, eq=False)
class Batch:
    """B sentences, each a row that opens with BOS: position t is predicted from the positions before it."""

    tokens: NDArray[np.int64]
    """Token ids (B, T+1). What stands in padding is never scored but must be a legal id."""
    roles: NDArray[np.uint8]
    """The `Role` of each token (B, T+1); PADDING is not scored. The first column is not scored either."""
    weights: NDArray[np.float32] | None = None
    """What each sentence counts in the objective (B,), > 0; None: 1 each. For sentences drawn with other probabilities than
    those that matter: weighted by the ratio of the two, the objective keeps its expectation (importance sampling)."""

    def __post_init__(self) -> None:
        check(self.tokens.ndim == 2, "tokens", self.tokens.shape, "a matrix", "give one row per sentence")
        same = self.tokens.shape == self.roles.shape
        check(same, "roles", self.roles.shape, f"of shape {self.tokens.shape}", "give each token a role")
        check(self.tokens.dtype == np.int64, "tokens", self.tokens.dtype, "int64", "convert the array")
        check(self.roles.dtype == np.uint8, "roles", self.roles.dtype, "uint8", "convert the array")
        if self.weights is not None:
            fine = self.weights.shape == (len(self.tokens),) and self.weights.dtype == np.float32
            bound = f"float32 of shape ({len(self.tokens)},)"
            check(fine, "weights", f"{self.weights.dtype} of shape {self.weights.shape}", bound, "one per sentence")

    def __len__(self) -> int:
        return len(self.tokens)


class TokenStream(Protocol):
    """Sentences 0 .. len - 1, each always the same whenever and with whatever neighbours it is asked for."""

    def __len__(self) -> int:
        """Sentences in the stream."""

    def batch(self, start: int, stop: int) -> Batch:
        """Sentences start .. stop - 1; rows may be padded to any common length."""


class ArrayStream:
    """A stream over two matrices in memory; columns that are padding in the whole batch are cut off."""

    def __init__(self, tokens: NDArray[Any], roles: NDArray[Any], weights: NDArray[Any] | None = None) -> None:
        """`tokens` (N, T+1) of any integer type, BOS first; `roles` of that shape, or one row (T+1) for all; `weights` (N,)."""
        check(
            tokens.ndim == 2 and tokens.shape[1] >= 2,
            "tokens",
            tokens.shape,
            "(sentences, >= 2)",
            "BOS and a token each",
        )
        check(np.issubdtype(tokens.dtype, np.integer), "tokens", tokens.dtype, "of integers", "give token ids")
        same = roles.shape in (tokens.shape, tokens.shape[1:])
        check(same, "roles", roles.shape, f"{tokens.shape} or {tokens.shape[1:]}", "give each token a role")
        if weights is not None:
            fine = weights.shape == (len(tokens),) and bool(np.all((weights > 0) & np.isfinite(weights)))
            check(fine, "weights", weights, f"{len(tokens)} finite numbers > 0", "give one per sentence")
        self._weights = None if weights is None else weights.astype(np.float32)
        self._tokens = tokens
        self._roles = np.broadcast_to(roles.astype(np.uint8, copy=False), tokens.shape)
        self._ends = _ends(self._roles)

    def __len__(self) -> int:
        return len(self._tokens)

    def batch(self, start: int, stop: int) -> Batch:
        end = max(2, int(self._ends[start:stop].max(initial=2)))
        tokens = self._tokens[start:stop, :end].astype(np.int64)
        weights = None if self._weights is None else self._weights[start:stop]
        return Batch(tokens, self._roles[start:stop, :end].copy(), weights)


class DrawnStream:
    """A stream of any length in the memory of a block: sentences are drawn when they are asked for.

    DrawnStream(10**9, lambda n, start: SymbolStream(world.sample(n, start=start)))
    """

    def __init__(self, sentences: int, draw: Callable[[int, int], TokenStream], block: int = 1 << 16) -> None:
        """`draw(n, start)` gives sentences start .. start + n - 1 as a stream, whatever was drawn before."""
        self._sentences = check_integer("sentences", sentences, 1, None, "it is the length of the stream")
        self._block = check_integer("block", block, 1, None, "2^16 sentences are a few megabytes")
        self._draw, self._from, self._held = draw, 0, draw(min(self._block, self._sentences), 0)

    def __len__(self) -> int:
        return self._sentences

    def batch(self, start: int, stop: int) -> Batch:
        if not self._from <= start <= stop <= self._from + len(self._held):
            self._from, ahead = start, max(stop - start, self._block)
            self._held = self._draw(min(ahead, self._sentences - start), start)
        return self._held.batch(start - self._from, stop - self._from)


class ReplayStream:
    """Sentences of `new` with sentences of `replay` strewn in evenly, so that they make up the share r of any stretch.

    Sentence i is replayed if floor((i+1) r) > floor(i r), and then it is number floor(i r) of `replay`; otherwise it is number
    i - floor(i r) of `new`. Nothing is drawn: order the two as you want them learned.
    """

    def __init__(self, new: TokenStream, replay: TokenStream, share: float, sentences: int) -> None:
        """`share` in [0, 1], of `sentences` in all; each of the two must have the sentences that this takes."""
        self.share = check_real("share", share, 0, 1, "0.1 replays a tenth")
        self._sentences = check_integer("sentences", sentences, 1, None, "it is the length of the mixture")
        self._new, self._replay = new, replay
        replayed = self._replayed(sentences)
        for name, stream, wanted in (("replay", replay, replayed), ("new", new, sentences - replayed)):
            check(len(stream) >= wanted, f"len({name})", len(stream), f">= {wanted}", "give it more sentences")

    def __len__(self) -> int:
        return self._sentences

    def batch(self, start: int, stop: int) -> Batch:
        before = np.array([self._replayed(i) for i in range(start, stop + 1)])
        old = np.diff(before) > 0
        parts = []
        if not old.all():
            parts.append((~old, self._new.batch(start - before[0], stop - before[-1])))
        if old.any():
            parts.append((old, self._replay.batch(before[0], before[-1])))
        return _interleaved(parts)

    def _replayed(self, sentences: int) -> int:
        """How many of the first `sentences` are replayed."""
        return math.floor(sentences * self.share)


def _interleaved(parts: list[tuple[NDArray[np.bool_], Batch]]) -> Batch:
    """Batches in one, the sentences of each in the rows that its mask names."""
    width = max(batch.tokens.shape[1] for _, batch in parts)
    rows = len(parts[0][0])
    tokens, roles = np.zeros((rows, width), np.int64), np.zeros((rows, width), np.uint8)
    weights = np.ones(rows, np.float32)
    for mask, batch in parts:
        wide = padded(batch, width)
        tokens[mask], roles[mask] = wide.tokens, wide.roles
        if batch.weights is not None:
            weights[mask] = batch.weights
    weighted = any(batch.weights is not None for _, batch in parts)
    return Batch(tokens, roles, weights if weighted else None)


def padded(batch: Batch, width: int) -> Batch:
    """`batch` with rows of `width` tokens; what is added is not scored."""
    more = ((0, 0), (0, width - batch.tokens.shape[1]))
    return Batch(np.pad(batch.tokens, more), np.pad(batch.roles, more, constant_values=Role.PADDING), batch.weights)


def _ends(roles: NDArray[np.uint8]) -> NDArray[np.int64]:
    """One past each sentence's last scored position."""
    scored = roles != Role.PADDING
    return np.where(scored.any(1), roles.shape[1] - scored[:, ::-1].argmax(1), 0)

"""What a learner reads: sentences as token ids with a role each, addressed by position, so that a run can go on anywhere.

TokenStream     the protocol: a length and `batch(start, stop)`
Batch           tokens and roles of consecutive sentences
ArrayStream     a stream over arrays in memory
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from twopart._checks import check
from twopart.roles import Role


@dataclass(frozen=True, eq=False)
class Batch:
    """B sentences, each a row that opens with BOS: position t is predicted from the positions before it."""

    tokens: NDArray[np.int64]
    """Token ids (B, T+1). What stands in padding is never scored but must be a legal id."""
    roles: NDArray[np.uint8]
    """The `Role` of each token (B, T+1); PADDING is not scored. The first column is not scored either."""

    def __post_init__(self) -> None:
        check(self.tokens.ndim == 2, "tokens", self.tokens.shape, "a matrix", "give one row per sentence")
        same = self.tokens.shape == self.roles.shape
        check(same, "roles", self.roles.shape, f"of shape {self.tokens.shape}", "give each token a role")
        check(self.tokens.dtype == np.int64, "tokens", self.tokens.dtype, "int64", "convert the array")
        check(self.roles.dtype == np.uint8, "roles", self.roles.dtype, "uint8", "convert the array")

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

    def __init__(self, tokens: NDArray[Any], roles: NDArray[Any]) -> None:
        """`tokens` (N, T+1) of any integer type, BOS first; `roles` of that shape, or one row (T+1) for all."""
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
        self._tokens = tokens
        self._roles = np.broadcast_to(roles.astype(np.uint8, copy=False), tokens.shape)
        self._ends = _ends(self._roles)

    def __len__(self) -> int:
        return len(self._tokens)

    def batch(self, start: int, stop: int) -> Batch:
        end = max(2, int(self._ends[start:stop].max(initial=2)))
        tokens = self._tokens[start:stop, :end].astype(np.int64)
        return Batch(tokens, self._roles[start:stop, :end].copy())


def padded(batch: Batch, width: int) -> Batch:
    """`batch` with rows of `width` tokens; what is added is not scored."""
    more = ((0, 0), (0, width - batch.tokens.shape[1]))
    return Batch(np.pad(batch.tokens, more), np.pad(batch.roles, more, constant_values=Role.PADDING))


def _ends(roles: NDArray[np.uint8]) -> NDArray[np.int64]:
    """One past each sentence's last scored position."""
    scored = roles != Role.PADDING
    return np.where(scored.any(1), roles.shape[1] - scored[:, ::-1].argmax(1), 0)

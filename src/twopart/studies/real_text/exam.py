"""What the held-out documents cost a reader, by document and by how often their words stood in what it has read.

Familiarity: `unseen`, `1-3`, `4-10` and `11+` times, for tokens inside words; `between` for the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.studies.real_text.corpus import Documents
from twopart.studies.real_text.tokens import Integers, seen_before, spans

FAMILIARITY = ("unseen", "1-3", "4-10", "11+", "between")
BOUNDS = (1, 4, 11)
"""Least count of the second to fourth."""
BETWEEN = len(BOUNDS) + 1


@dataclass(frozen=True)
class Exam:
    """The held-out documents and the text read before, examined at some of its sizes in bytes."""

    documents: Documents
    text: bytes
    sizes: tuple[int, ...]

    @cached_property
    def _spans(self) -> Integers:
        return spans(self.documents)

    @cached_property
    def _familiarity(self) -> Integers:
        """Of each held-out word at each size (S, W)."""
        held_out = b"".join(self.documents)
        counts = seen_before((held_out[start:stop] for start, stop in self._spans), self.text, self.sizes)
        return np.digitize(counts, BOUNDS).astype(np.int64)

    def mark(self, moment: int, bits: NDArray[np.floating], ends: Integers) -> pl.DataFrame:
        """Sums over tokens that end at `ends` and cost `bits`, after `sizes[moment]` bytes.

        Columns: size, document, familiarity, words (that begin there), length (bytes), bits; a row for every pair, in order.
        """
        starts = np.append(0, ends[:-1])
        word = np.searchsorted(self._spans[:, 0], starts, side="right") - 1
        inside = (word >= 0) & (starts < self._spans[word, 1])
        familiarity = np.where(inside, self._familiarity[moment][word], BETWEEN)
        borders = np.cumsum([len(document) for document in self.documents])
        group = np.searchsorted(borders, starts, side="right") * len(FAMILIARITY) + familiarity
        count = len(self.documents) * len(FAMILIARITY)
        sums = {
            "words": inside & (starts == self._spans[word, 0]),
            "length": ends - starts,
            "bits": np.asarray(bits, np.float64),
        }
        document, kind = np.divmod(np.arange(count), len(FAMILIARITY))
        frame = {"size": np.full(count, self.sizes[moment]), "document": document}
        frame["familiarity"] = np.array(FAMILIARITY)[kind]
        return pl.DataFrame(frame | {name: np.bincount(group, values, count) for name, values in sums.items()})


def cube(marks: pl.DataFrame, column: str, sizes: Sequence[int]) -> NDArray[np.float64]:
    """A column of rows of `mark` at all sizes as an array (documents, sizes, familiarity)."""
    stacked = marks[column].to_numpy().reshape(len(sizes), -1, len(FAMILIARITY))
    return np.asarray(stacked.transpose(1, 0, 2), float)

"""What held-out documents cost a reader, by document and by how often their words stood in what it has read.

    exam = Exam(held_out, text, sizes)
    marks = pl.concat([exam.mark(0, bits, ends), exam.mark(1, ...), ...])       # bits of each token after so much text
    Marks(marks, sizes).per_byte                                                # after each size

Familiarity: `unseen`, `1-3`, `4-10` and `11+` times for tokens inside words; `between` for the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.worlds.knowledge.documents import word_spans, words_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

FAMILIARITY = ("unseen", "1-3", "4-10", "11+", "between")
BOUNDS = (1, 4, 11)
"""Least count of the second to fourth."""
BETWEEN = len(BOUNDS) + 1


@dataclass(frozen=True)
class Exam:
    """The held-out documents and the text read before, examined at some of its sizes in bytes."""

    documents: Sequence[bytes]
    text: bytes
    sizes: Sequence[int]

    @cached_property
    def _spans(self) -> Integers:
        return word_spans(self.documents)

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
        document, kind = np.divmod(np.arange(count), len(FAMILIARITY))
        where = {"size": np.full(count, self.sizes[moment]), "document": document}
        where["familiarity"] = np.array(FAMILIARITY)[kind]
        sums = {"words": inside & (starts == self._spans[word, 0]), "length": ends - starts, "bits": bits}
        return pl.DataFrame(where | {name: np.bincount(group, values, count) for name, values in sums.items()})


def seen_before(asked: Iterable[bytes], text: bytes, sizes: Sequence[int]) -> Integers:
    """How often each word asked for stands in the first bytes of `text`, for each of the rising `sizes` (S, W)."""
    asked, counts, rows = list(asked), Counter[bytes](), []
    for start, stop in pairwise((0, *sizes)):
        counts.update(words_of(text[start:stop]))
        rows.append([counts[word] for word in asked])
    return np.array(rows, np.int64)


@dataclass(frozen=True, eq=False)
class Marks:
    """The marks of a reader at all sizes."""

    frame: pl.DataFrame
    """Rows of `Exam.mark`, size by size."""
    sizes: tuple[int, ...]
    """Bytes read at the moments of examination."""

    def cube(self, column: str) -> Floats:
        """A column as an array (documents, sizes, familiarity)."""
        stacked = self.frame[column].to_numpy().reshape(len(self.sizes), -1, len(FAMILIARITY))
        return np.asarray(stacked.transpose(1, 0, 2), float)

    @cached_property
    def bits(self) -> Floats:
        """Of each document after each size (documents, sizes)."""
        return np.asarray(self.cube("bits").sum(2))

    @cached_property
    def per_byte(self) -> Floats:
        """Bits per byte after each size (sizes,)."""
        return np.asarray(self.bits.sum(0) / self.cube("length").sum((0, 2)))

"""A ledger of bits: which bytes, which words, which stretch of the file cost how much.

    ledger = Ledger()
    compress_file("book.txt", "book.txt.tpz", ContextMixing(), ledger.add)
    ledger.classes, ledger.words ...

Words are runs of ASCII letters, digits, underscores and of bytes beyond ASCII. Memory grows with the distinct words of a
file, not with its length.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.lossless.predictor import Bytes, Floats

CLASSES = ("lower-case letter", "capital letter", "digit", "space", "newline", "punctuation", "control", "beyond ASCII")
STRETCHES = 64
"""Stretches of a file: bytes 2^k to 2^(k+1) - 1, counted from 1."""
WORD = re.compile(rb"[0-9A-Za-z_\x80-\xff]+")
LONGEST_WORD = 1 << 10
"""A longer one is cut, so that a file without blanks needs no more memory than others."""


@dataclass
class _Word:
    """How often a word, or one of a group of words, came, and its bits."""

    count: int = 0
    bits: float = 0.0

    def add(self, count: int, bits: float) -> None:
        self.count += count
        self.bits += bits


class Ledger:
    """An `Observer` of `compress_file`, by its method `add`."""

    def __init__(self) -> None:
        self._class_counts, self._class_bits = np.zeros(len(CLASSES), np.int64), np.zeros(len(CLASSES))
        self._words: dict[bytes, _Word] = {}
        self._sightings: defaultdict[int, _Word] = defaultdict(_Word)
        self._left, self._left_bits = b"", np.empty(0)  # the end of the part before, in which a word may go on
        self._length = 0
        self._stretch_counts, self._stretch_bits = np.zeros(STRETCHES, np.int64), np.zeros(STRETCHES)

    def add(self, part: Bytes, bits: Floats) -> None:
        """The next bytes of the file and what each costs."""
        classes = _CLASS_OF[part]
        self._class_counts += np.bincount(classes, minlength=len(CLASSES))
        self._class_bits += np.bincount(classes, bits, minlength=len(CLASSES))
        stretches = np.log2(np.arange(1, len(part) + 1) + self._length).astype(np.int64)
        self._stretch_counts += np.bincount(stretches, minlength=STRETCHES)
        self._stretch_bits += np.bincount(stretches, bits, minlength=STRETCHES)
        self._length += len(part)
        self._add_words(self._left + part.tobytes(), np.concatenate([self._left_bits, bits]))

    def finish(self) -> None:
        """No bytes follow: the last word ends here."""
        self._add_words(self._left + b" ", np.append(self._left_bits, 0.0))

    @property
    def bits(self) -> float:
        """Of all bytes so far."""
        return float(self._class_bits.sum())

    def classes(self) -> pl.DataFrame:
        """Bytes and bits by kind of byte; kinds that do not occur are left out."""
        frame = pl.DataFrame({"byte": list(CLASSES), "bytes": self._class_counts, "bits": self._class_bits})
        return frame.filter(pl.col("bytes") > 0).with_columns((pl.col("bits") / pl.col("bytes")).alias("bits per byte"))

    def words(self) -> pl.DataFrame:
        """Words by how often they occur in the file, in powers of two: `from` ... 2 `from` - 1 times."""
        groups: defaultdict[int, _Word] = defaultdict(_Word)
        distinct: defaultdict[int, int] = defaultdict(int)
        for word in self._words.values():
            step = word.count.bit_length() - 1
            distinct[step] += 1
            groups[step].add(word.count, word.bits)
        return _by_step(groups, {"distinct words": [distinct[step] for step in sorted(groups)]})

    def sightings(self) -> pl.DataFrame:
        """Words by how often they had been met before: the `from`-th to the `to`-th time."""
        return _by_step(self._sightings, {})

    def along(self) -> pl.DataFrame:
        """Bits per byte of each stretch of the file, by the byte it begins with."""
        used = np.flatnonzero(self._stretch_counts)
        counts, bits = self._stretch_counts[used], self._stretch_bits[used]
        return pl.DataFrame({"from": 2**used, "bytes": counts, "bits": bits, "bits per byte": bits / counts})

    def _add_words(self, text: bytes, bits: Floats) -> None:
        """The whole words of `text`; what may be the beginning of a word is kept for the next part."""
        total = np.concatenate([[0.0], np.cumsum(bits)])
        end = len(text)
        for match in WORD.finditer(text):
            if match.end() == len(text) and len(text) - match.start() < LONGEST_WORD:
                end = match.start()
                break
            self._add_word(match.group()[:LONGEST_WORD].lower(), float(total[match.end()] - total[match.start()]))
        self._left, self._left_bits = text[end:], bits[end:]

    def _add_word(self, text: bytes, bits: float) -> None:
        word = self._words.setdefault(text, _Word())
        self._sightings[(word.count + 1).bit_length() - 1].add(1, bits)
        word.add(1, bits)


def _by_step(groups: dict[int, _Word], columns: dict[str, list[int]]) -> pl.DataFrame:
    steps = sorted(groups)
    counts, bits = [groups[step].count for step in steps], [groups[step].bits for step in steps]
    each = [b / n for b, n in zip(bits, counts, strict=True)]
    first = {"from": [1 << step for step in steps], "to": [(2 << step) - 1 for step in steps]}
    return pl.DataFrame({**first, **columns, "words": counts, "bits": bits, "bits per word": each})


def _classes() -> NDArray[np.int64]:
    """The place in CLASSES of each byte."""
    kinds = np.full(256, CLASSES.index("punctuation"))
    kinds[:32], kinds[127], kinds[128:] = (
        CLASSES.index("control"),
        CLASSES.index("control"),
        CLASSES.index("beyond ASCII"),
    )
    for first, last, kind in (("a", "z", 0), ("A", "Z", 1), ("0", "9", 2), (" ", " ", 3), ("\n", "\n", 4)):
        kinds[ord(first) : ord(last) + 1] = kind
    return kinds


_CLASS_OF = _classes()

"""Real text as documents: put in an order, and divided into those that a learner reads and those that it is examined on.

A document is a file; a text of few files is cut into pieces at line ends. A word is a run of ASCII letters, digits, underscores
and bytes beyond ASCII; in ASCII text that is what `twopart measure` calls an identifier.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twopart._checks import check

LETTERS = "A-Za-z0-9_\x80-\xff"
WORD = re.compile(f"[{LETTERS}]+".encode("latin-1"))
FEW = 50
"""A text of fewer files is cut..."""
PIECE = 1 << 14
"""...into pieces of about so many bytes."""
LONGEST_SHARE = 0.1
"""Of what is held out, for a document in it: no single one may decide."""


@dataclass(frozen=True)
class Documents:
    """A text, divided."""

    read: tuple[bytes, ...]
    """What is read, in this order; the last document may be cut."""
    held_out: tuple[bytes, ...]
    """What learners are examined on."""

    @property
    def text(self) -> bytes:
        """All that is read."""
        return b"".join(self.read)

    @property
    def digest(self) -> str:
        """A hash of all of it."""
        code = hashlib.blake2b(digest_size=8)
        for part in (self.read, self.held_out):
            code.update(repr([len(document) for document in part]).encode() + b"".join(part))
        return code.hexdigest()


def divide(files: Sequence[bytes], size: int, held_out: int, random: np.random.Generator) -> Documents:
    """In an order drawn at random the first documents, but for long ones, are held out and the others read, to so many bytes.

    So a text of a smaller `size` is the beginning of this one. Raises `InputError` if there is too little text.
    """
    documents = files if len(files) >= FEW else [piece for file in files for piece in _pieces(file)]
    examined: list[bytes] = []
    read: list[bytes] = []
    asked, left = held_out, size
    for document in (documents[k] for k in random.permutation(len(documents))):
        if asked > 0 and len(document) <= LONGEST_SHARE * held_out:
            examined.append(document)
            asked -= len(document)
        elif left > 0:
            read.append(document[:left])
            left -= len(read[-1])
    total = sum(map(len, documents))
    needed = f"at most what there is, {total} bytes with `held_out` {held_out} of short documents"
    check(left == 0 and asked <= 0, "size", size, needed, "take smaller ones, or name more text")
    return Documents(tuple(read), tuple(examined))


def _pieces(file: bytes) -> Iterator[bytes]:
    """Pieces of whole lines, each ending with the first line that makes it long enough."""
    start = 0
    while start < len(file):
        end = file.find(b"\n", start + PIECE) + 1 or len(file)
        yield file[start:end]
        start = end


def words_of(text: bytes) -> list[bytes]:
    """The words of a text, in order."""
    return WORD.findall(text)


def word_spans(documents: Sequence[bytes]) -> NDArray[np.int64]:
    """Where each word of the documents, taken as one text, starts and ends, in bytes (W, 2); none reaches across two."""
    starts = np.cumsum([0, *map(len, documents)])
    found = [
        (start + match.start(), start + match.end())
        for start, document in zip(starts, documents, strict=False)
        for match in WORD.finditer(document)
    ]
    return np.array(found, np.int64).reshape(-1, 2)

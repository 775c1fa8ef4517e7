"""The text of a run: its documents, the order in which they are read, and the documents held out.

A document is a file; a text of few files is cut into pieces at line ends. The seed draws the order of documents. The first of
them, but for long ones, are held out; the others are read one after the other, and the first n bytes are a run's first n.
"""

from __future__ import annotations

import hashlib
import sysconfig
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from twopart import _random
from twopart._checks import check
from twopart.tools.measure.sources import list_sources, looks_binary

FEW = 50
"""A text of fewer files is cut..."""
PIECE = 1 << 14
"""...into pieces of about so many bytes."""
LONGEST_SHARE = 0.1
"""Of what is held out, for a document in it: no single one may decide."""
LEFT_OUT = frozenset({"site-packages", "dist-packages", "test", "tests", "idle_test", "encodings", "pydoc_data"})
"""Folders of the standard library that are not read; the last two hold tables that programs wrote."""

Documents = tuple[bytes, ...]


@dataclass(frozen=True)
class Reading:
    """Which text is read, and how it is divided. It stands in the config of every cell."""

    texts: tuple[str, ...]
    pattern: str
    size: int
    held_out: int
    seed: int
    digest: str = ""
    """Of the divided text, so that another text under the same name is another cell; empty where it is not known yet."""

    def __post_init__(self) -> None:
        if not self.digest:
            object.__setattr__(self, "digest", divide(self).digest)


@dataclass(frozen=True)
class Corpus:
    """The text, divided."""

    training: Documents
    """What is read, in this order; the last document may be cut."""
    held_out: Documents
    """What models are examined on."""

    @property
    def text(self) -> bytes:
        """All that is read."""
        return b"".join(self.training)

    @property
    def digest(self) -> str:
        code = hashlib.blake2b(digest_size=8)
        for part in (self.training, self.held_out):
            code.update(repr([len(document) for document in part]).encode() + b"".join(part))
        return code.hexdigest()


@lru_cache(maxsize=2)
def divide(reading: Reading) -> Corpus:
    """The text of `reading`; raises `InputError` if there is too little of it."""
    documents = _documents(reading.texts, reading.pattern)
    order = _random.generator(reading.seed, "real-text", "order").permutation(len(documents))
    held_out: list[bytes] = []
    training: list[bytes] = []
    read = examined = 0
    for document in (documents[k] for k in order):
        if examined < reading.held_out and len(document) <= LONGEST_SHARE * reading.held_out:
            held_out.append(document)
            examined += len(document)
        elif read < reading.size:
            training.append(document[: reading.size - read])
            read += len(training[-1])
    total = sum(map(len, documents))
    enough = read == reading.size and examined >= reading.held_out
    needed = f"at most what there is, {total} bytes with `held_out` {reading.held_out} of short documents"
    check(enough, "size", reading.size, needed, "take smaller ones, or name more text")
    return Corpus(tuple(training), tuple(held_out))


def _documents(texts: tuple[str, ...], pattern: str) -> Documents:
    """Files that are not empty, in the order of their paths, or pieces of few files."""
    paths = [source.path for source in list_sources(texts, pattern=pattern)] if texts else library()
    files = [path.read_bytes() for path in paths]
    documents = tuple(file for file in files if file and not looks_binary(file))
    return documents if len(documents) >= FEW else tuple(piece for file in documents for piece in _pieces(file))


def library() -> list[Path]:
    """The sources of Python's standard library, without tests, tables and what was installed beside it."""
    root = Path(sysconfig.get_paths()["stdlib"])
    return sorted(path for path in root.rglob("*.py") if not LEFT_OUT & set(path.relative_to(root).parts))


def _pieces(file: bytes) -> list[bytes]:
    """Pieces of whole lines, each ending with the first line that makes it long enough."""
    pieces, start = [], 0
    while start < len(file):
        end = file.find(b"\n", start + PIECE) + 1 or len(file)
        pieces.append(file[start:end])
        start = end
    return pieces

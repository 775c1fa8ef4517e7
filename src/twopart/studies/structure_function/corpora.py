"""What is coded. Sentences of a world: names are known to both sides, so only attribute, template and value are. A text."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twopart._checks import InputError
from twopart.studies.real_text.corpus import library
from twopart.worlds import Corpus, Excerpt, SymbolRendering, SyntaxKnowledge


@dataclass(frozen=True)
class Sentences:
    """A corpus of the most frequent entities of a world."""

    world: SyntaxKnowledge
    entities: int
    sentences: int

    @property
    def excerpt(self) -> Excerpt:
        return _excerpt(self.world, self.entities)

    @property
    def corpus(self) -> Corpus:
        """Its sentences; a shorter one is the beginning of a longer one."""
        return self.excerpt.sample(self.sentences)


@lru_cache(maxsize=8)
def _excerpt(world: SyntaxKnowledge, entities: int) -> Excerpt:
    return Excerpt(world, entities)


def as_bytes(corpus: Corpus) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The sentences in symbols, a byte each, and which of these are coded: all but the names'."""
    rendering = SymbolRendering(corpus.world)
    rows = rendering.encode(corpus).tokens
    assert rendering.vocabulary <= 256
    coded = np.arange(rows.shape[1]) >= rendering.name_tokens
    return rows.astype(np.uint8).ravel(), np.tile(coded, len(rows))


@dataclass(frozen=True)
class Text:
    """The first bytes of a file, or of the standard library's sources; the digest makes a changed file another cell."""

    path: str
    size: int
    digest: str

    @property
    def data(self) -> bytes:
        found = read(self.path, self.size)
        if hashlib.blake2b(found, digest_size=16).hexdigest() != self.digest:
            raise InputError(
                f"`text` {self.path or 'of the standard library'} has changed since the run began; begin a new one"
            )
        return found


def text_of(path: str, size: int) -> Text:
    """The text as it is now."""
    data = read(path, size)
    return Text(path, len(data), hashlib.blake2b(data, digest_size=16).hexdigest())


@lru_cache(maxsize=1)
def read(path: str, size: int) -> bytes:
    """The first `size` bytes; the library's files follow each other in the order of their paths."""
    parts, length = [], 0
    for file in [Path(path)] if path else library():
        with file.open("rb") as opened:
            parts.append(opened.read(size - length))
        length += len(parts[-1])
        if length == size:
            break
    return b"".join(parts)

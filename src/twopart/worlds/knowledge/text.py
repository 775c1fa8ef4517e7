"""A text: the first bytes of a file, or of the standard library's sources, known by a digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from twopart._checks import InputError
from twopart.worlds.knowledge.library import standard_library


@dataclass(frozen=True)
class Text:
    """Which text it is; the digest makes a changed file another text. `Text.now` makes one."""

    path: str
    """Of the file; empty: the standard library, whose files follow each other in the order of their paths."""
    size: int
    """Bytes."""
    digest: str

    @staticmethod
    def now(path: str, size: int) -> Text:
        """The text as it is now; a shorter file is taken whole."""
        data = _read(path, size)
        return Text(path, len(data), _digest(data))

    @property
    def data(self) -> bytes:
        """The bytes. Raises `InputError` if they are no longer those of the digest."""
        found = _read(self.path, self.size)
        if _digest(found) != self.digest:
            name = self.path or "of the standard library"
            raise InputError(f"`text` {name} has changed since the run began; begin a new one")
        return found


@lru_cache(maxsize=1)
def _read(path: str, size: int) -> bytes:
    parts, length = [], 0
    for file in [Path(path)] if path else standard_library():
        with file.open("rb") as opened:
            parts.append(opened.read(size - length))
        length += len(parts[-1])
        if length == size:
            break
    return b"".join(parts)


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()

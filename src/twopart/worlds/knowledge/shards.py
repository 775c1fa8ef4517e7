"""Corpora in shards: as many Parquet files as one likes, made anywhere in any order, and a manifest with their checksums.

    train-00003-of-00064.parquet          sentences floor(3 n / 64) .. floor(4 n / 64) - 1, as `write_sample` writes them
    train-00003-of-00064.parquet.sha256   its checksum, as `sha256sum -c` reads it
    corpus.json                           which corpus it is: a folder belongs to one
    manifest.json                         the same and every shard, once all are there

The names are those that Hugging Face datasets takes for a split. A sentence is addressed by the world's seed, the stream and
its number, so that a shard alone is its part of the whole; nobody needs to know of the others.

    corpus = Sharded(SyntaxKnowledge(0.5, seed=1), sentences=10**10, shards=64)
    corpus.claim("corpus")
    corpus.write("corpus", 3)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twopart._checks import InputError, check, check_choice, check_integer
from twopart._files import check_folder, write_json, write_text
from twopart.worlds.knowledge.renderings.english import EnglishRendering
from twopart.worlds.knowledge.renderings.lexicon import lexicon
from twopart.worlds.knowledge.storage import write_sample
from twopart.worlds.knowledge.syntax_knowledge import SyntaxKnowledge

FORMAT = 1
IDENTITY, MANIFEST = "corpus.json", "manifest.json"


@dataclass(frozen=True)
class Sharded:
    """A corpus in parts of nearly equal length."""

    world: SyntaxKnowledge
    sentences: int
    """In all; >= 1."""
    shards: int
    """Files, from 1 to the number of sentences and at most 99,999."""
    stream: int = 0
    """Which of the world's samples; >= 0."""
    rendering: str | None = None
    """"english" adds the text."""

    def __post_init__(self) -> None:
        check_integer("sentences", self.sentences, 1, 2**62, "name how many to draw")
        check_integer("shards", self.shards, 1, min(self.sentences, 99_999), "a shard has a sentence at least")
        check_integer("stream", self.stream, 0, 2**63 - 1, "any whole number names a sample")
        if self.rendering is not None:
            check_choice("rendering", self.rendering, ("english",), "leave it out to write no text")
            EnglishRendering(self.world)  # refuses a world that has no English

    def name(self, shard: int) -> str:
        """The file of a shard, counted from 0."""
        check_integer("shard", shard, 0, self.shards - 1, f"there are {self.shards}, counted from 0")
        return f"train-{shard:05}-of-{self.shards:05}.parquet"

    def part(self, shard: int) -> tuple[int, int]:
        """The first sentence of a shard and the one after its last."""
        return self.sentences * shard // self.shards, self.sentences * (shard + 1) // self.shards

    def claim(self, folder: str | Path) -> None:
        """Make `folder` this corpus's; raises `InputError`, and leaves it as it is, where it is another's."""
        folder = Path(folder)
        check_folder(folder)
        there = _read(folder / IDENTITY)
        if there is None:
            foreign = sorted(path.name for path in folder.glob("*")) if folder.exists() else []
            held = f"{folder} is not empty and no corpus: it holds {foreign[0]!r}" if foreign else ""
            check(
                not foreign,
                "out",
                str(folder),
                "an empty folder or this corpus's",
                f"{held}; choose another with --out",
            )
            write_json(folder / IDENTITY, self._identity())
        elif differs := [key for key, value in self._identity().items() if there.get(key) != value]:
            raise InputError(f"{folder} holds another corpus: its {differs[0]} is another; choose another with --out")

    def missing(self, folder: str | Path) -> list[int]:
        """The shards that are not yet in the folder."""
        return [shard for shard in range(self.shards) if not self._finished(Path(folder) / self.name(shard))]

    def write(self, folder: str | Path, shard: int, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Write a shard, if it is not there: aside, and renamed when whole. Memory holds a block of it at a time.

        `on_progress` is told the sentences that are written and those of the shard.
        """
        path = Path(folder) / self.name(shard)
        first, end = self.part(shard)
        if not path.exists():
            for left in path.parent.glob(f".{path.name}.*.part"):  # by a process that was killed
                left.unlink(missing_ok=True)
            write_sample(
                self.world,
                end - first,
                path,
                stream=self.stream,
                start=first,
                rendering=self.rendering,
                on_progress=on_progress,
            )
        if not self._finished(path):
            write_text(_checksum_of(path), f"{_sha256(path)}  {path.name}\n")

    def finish(self, folder: str | Path) -> bool:
        """Write the manifest if all shards are there; whether they are."""
        folder = Path(folder)
        if self.missing(folder):
            return False
        write_json(
            folder / MANIFEST, {**self._identity(), "shards": [self._entry(folder, i) for i in range(self.shards)]}
        )
        return True

    def _finished(self, path: Path) -> bool:
        """Whether file and checksum are there: the latter comes last."""
        return path.exists() and _checksum_of(path).exists()

    def _entry(self, folder: Path, shard: int) -> dict[str, Any]:
        path, (first, end) = folder / self.name(shard), self.part(shard)
        digest = _checksum_of(path).read_text().partition(" ")[0]
        size = path.stat().st_size
        return {"file": path.name, "first": first, "sentences": end - first, "bytes": size, "sha256": digest}

    def _identity(self) -> dict[str, Any]:
        written = {
            "format": FORMAT,
            "world": self.world.config(),
            "stream": self.stream,
            "sentences": self.sentences,
            "files": self.shards,
            "rendering": self.rendering,
            "lexicon": lexicon().fingerprint if self.rendering else None,
        }
        same: dict[str, Any] = json.loads(json.dumps(written))
        return same


def _read(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text())
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InputError(f"{path} was not written by twopart; choose another folder with --out")
    return found


def _checksum_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

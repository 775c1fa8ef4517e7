"""One pass over the texts: every byte is read once, and what is kept is a `Tally` and, for bytes, `Blocks`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from twopart._checks import InputError
from twopart.tools.measure.blocks import Blocks
from twopart.tools.measure.records import Corpus
from twopart.tools.measure.sources import Source, blocks, cut, looks_binary
from twopart.tools.measure.tally import Tally
from twopart.tools.measure.units import Unit

FEWEST = 1000  # tokens: with fewer, nothing that is measured here means much
Progress = Callable[[int, int], None]
"""Is told the bytes read so far and, as far as known, the bytes in all."""


@dataclass(frozen=True)
class Reading:
    """What one pass leaves."""

    corpus: Corpus
    tally: Tally
    blocks: tuple[Blocks, ...]


def read(
    files: Sequence[Source], name: str, unit: Unit, sizes: int, named: Set[Path], progress: Progress | None = None
) -> Reading:
    """Read `files` in tokens of `unit`, called `name`, and count blocks of 1 to `sizes` bytes; those `named` must be text."""
    total = sum(file.path.stat().st_size for file in files)
    tally, counted = Tally(), tuple(Blocks(size) for size in range(1, sizes + 1))
    size = skipped = 0
    for file in files:
        pieces = _pieces(file, unit, strict=file.path in named)
        if pieces is None:
            skipped += 1
            continue
        for one in counted:
            one.restart()
        for piece in pieces:
            tally.add(unit.numbers(piece))
            for one in counted:
                one.add(piece)
            size += len(piece)
            if progress is not None:
                progress(size, total)
    _check_enough(name, unit, tally.tokens, size, len(files) - skipped, skipped)
    corpus = Corpus(name, unit.definition, len(files) - skipped, skipped, size, tally.tokens, tally.distinct)
    return Reading(corpus, tally, counted)


def _pieces(file: Source, unit: Unit, *, strict: bool) -> Iterator[bytes] | None:
    """The file cut between words; None for a binary file that no one named, where the unit reads text."""
    stream = blocks(file)
    first = next(stream, b"")
    if unit.reads_text and file.column is None and looks_binary(first):
        if strict:
            raise InputError(f"{file.path} is binary, not text in UTF-8; `--unit bytes` measures the bytes of any file")
        return None
    return cut(chain((first,), stream))


def _check_enough(name: str, unit: Unit, tokens: int, size: int, files: int, skipped: int) -> None:
    if tokens >= FEWEST:
        return
    where = f"{files} file{'s' * (files != 1)}"
    if size == 0:
        left = f" ({skipped} binary left out)" if skipped else ""
        raise InputError(f"there is no text: {where} of 0 bytes{left}; name a file that holds some")
    found = f"{tokens} {name}" if tokens else f"no {name}"
    raise InputError(f"{found} in {where} of {size} bytes, where {FEWEST} is the least; {name} are {unit.definition}")

"""One pass over the texts: every byte is read once, and what is kept is a `Tally` and, for bytes, `Blocks`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from twopart._checks import InputError
from twopart._files import is_stream
from twopart.tools.measure.blocks import Blocks
from twopart.tools.measure.records import Corpus
from twopart.tools.measure.sources import Source, blocks, cut, in_utf8, looks_binary, readable
from twopart.tools.measure.tally import Tally
from twopart.tools.measure.units import Unit, Words

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
    files: Sequence[Source],
    name: str,
    unit: Unit,
    sizes: int,
    named: Set[Path],
    encoding: str | None = None,
    progress: Progress | None = None,
) -> Reading:
    """Read `files` in tokens of `unit`, called `name`, and count blocks of 1 to `sizes` bytes; those `named` must be text.

    Text is in `encoding`, or in what its mark says, or else in UTF-8; blocks are of its bytes in UTF-8.
    """
    intake = _Intake(sum(_size(file.path) for file in files), progress)
    tally, counted = Tally(), tuple(Blocks(size) for size in range(1, sizes + 1))
    skipped = 0
    for file in files:
        pieces = _pieces(file, unit, intake, encoding, strict=file.path in named)
        if pieces is None:
            skipped += 1
            continue
        for one in counted:
            one.restart()
        for piece in pieces:
            tally.add(unit.numbers(intake.readable(piece, file) if unit.reads_text else piece))
            for one in counted:
                one.add(piece)
    _check_enough(name, unit, tally.tokens, intake, len(files) - skipped, skipped)
    corpus = Corpus(
        unit=name,
        definition=unit.definition,
        files=len(files) - skipped,
        skipped=skipped,
        size=intake.size,
        tokens=tally.tokens,
        distinct=tally.distinct,
        encodings=tuple(intake.encodings),
        unread=intake.unread,
        first_unread=intake.first_unread,
        unspaced=unit.unspaced(tally.counts) if isinstance(unit, Words) else {},
    )
    return Reading(corpus, tally, counted)


def _size(path: Path) -> int:
    return 0 if is_stream(path) else path.stat().st_size


@dataclass
class _Intake:
    """What has been read so far."""

    total: int
    """Bytes in all, as far as known."""
    progress: Progress | None
    size: int = 0
    """Bytes read."""
    encodings: dict[str, None] = field(default_factory=dict)
    unread: int = 0
    """Bytes that are no text in their file's encoding."""
    first_unread: str = ""
    """The first file with such."""

    def metered(self, stream: Iterable[bytes]) -> Iterator[bytes]:
        for block in stream:
            self.size += len(block)
            yield block
            if self.progress is not None:
                self.progress(self.size, self.total)

    def readable(self, piece: bytes, file: Source) -> bytes:
        text, unread = readable(piece)
        self.tell(unread, file)
        return text

    def tell(self, unread: int, file: Source) -> None:
        if unread:
            self.unread += unread
            self.first_unread = self.first_unread or str(file.path)


def _pieces(file: Source, unit: Unit, intake: _Intake, encoding: str | None, *, strict: bool) -> Iterator[bytes] | None:
    """The file cut between words; None for a binary file that no one named, where the unit reads text."""
    stream = blocks(file)
    if not unit.reads_text:
        return cut(intake.metered(stream))
    before = intake.size
    name, text = in_utf8(intake.metered(stream), encoding, lambda unread: intake.tell(unread, file))
    first = next(text, b"")
    if file.column is None and looks_binary(first):
        if strict:
            raise InputError(
                f"{file.path} is binary, not text in {name.upper()}; name its --encoding if it is text in another one, "
                "such as utf-16-le; `--unit bytes` measures the bytes of any file"
            )
        intake.size = before
        return None
    intake.encodings[name] = None
    return cut(chain((first,), text))


def _check_enough(name: str, unit: Unit, tokens: int, intake: _Intake, files: int, skipped: int) -> None:
    if tokens >= FEWEST:
        return
    where = f"{files} file{'s' * (files != 1)}"
    if intake.size == 0:
        left = f" ({skipped} binary left out)" if skipped else ""
        raise InputError(f"there is no text: {where} of 0 bytes{left}; name a file that holds some")
    found = f"{tokens} {name}" if tokens else f"no {name}"
    unread = f" ({intake.unread} of them no {'/'.join(intake.encodings).upper()})" if intake.unread else ""
    raise InputError(
        f"{found} in {where} of {intake.size} bytes{unread}, where {FEWEST} is the least; {name} are {unit.definition}"
    )

"""`twopart measure TEXT...`: what a real corpus shows, and what the theory would make of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from twopart._checks import check, check_integer, check_real
from twopart.cli.page import check_folder, write_page
from twopart.cli.parsing import parse

if TYPE_CHECKING:
    from twopart.tools.measure import Measurement

MARKER = "measurement.json"
EVERY = 1 << 28  # bytes between two words about progress
MOST = 1 << 24  # bytes that exponents are foretold from


@dataclass(frozen=True)
class Options:
    """Measure real text: Zipf, Heaps, the Pitman-Yor discount, burstiness, missing mass, entropy, and what the theory predicts.

    All texts are taken as one, in the order given; a folder stands for the files below it, sorted by path. Exit code 0 says
    that it was measured, whatever the claims came to.

    Examples:
      twopart measure books/ --out runs/books
      twopart measure src/ --pattern "*.py" --unit identifiers
      twopart measure corpus.parquet --column text --tokenizer tokenizer.json
      twopart measure data.bin --unit bytes --blocks 4
      zcat corpus.gz | twopart measure -
    """

    texts: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="TEXT...")] = ()
    """Files and folders; - for standard input."""
    unit: Literal["words", "identifiers", "bytes"] = "words"
    """What to count. words: runs of letters and their marks, lower-cased; identifiers: runs of letters, digits and underscores;
    bytes: single bytes."""
    tokenizer: Annotated[
        Path | None, tyro.conf.DisallowNone, tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: none)")
    ] = None
    """Count the tokens of this tokenizer.json instead."""
    column: Annotated[
        str | None, tyro.conf.DisallowNone, tyro.conf.arg(metavar="NAME", help_behavior_hint="(default: none)")
    ] = None
    """Column of texts, where they are Parquet files."""
    encoding: Annotated[
        str | None, tyro.conf.DisallowNone, tyro.conf.arg(metavar="NAME", help_behavior_hint="(default: by its mark)")
    ] = None
    """Encoding of the texts, as Python names it; if not given, UTF-16 or UTF-32 where a text has its mark, else UTF-8."""
    pattern: Annotated[str, tyro.conf.arg(metavar="GLOB")] = "*"
    """Which files of a folder, by name."""
    part: float = 0.1
    """Share of the text that predictions are made from, in [0.001, 0.5]."""
    blocks: Annotated[int, tyro.conf.arg(metavar="K")] = 0
    """Entropy of runs of 1 to K bytes too, K <= 8; 0: none."""
    foretell: bool = False
    """Also say what correlations, contexts and shared bits foretell of the exponent at which losses fall with more text;
    takes a minute for a few megabytes, and looks at the first 16."""
    seed: int = 0
    """Picks the random parts, a whole number >= 0."""
    out: Annotated[
        Path | None, tyro.conf.DisallowNone, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="(default: none)")
    ] = None
    """Write a report page and measurement.json into this folder, which must be new or hold an earlier measurement."""

    def __post_init__(self) -> None:
        check_real("--part", self.part, 0.001, 0.5, "0.1 is customary")
        check_integer("--blocks", self.blocks, 0, 8, "longer runs do not fit into 64 bits")
        piped = self.foretell and any(text == "-" for text in self.texts)
        check(not piped, "--foretell", True, "off for standard input, which can be read only once", "give a file")
        check_integer("--seed", self.seed, 0, 2**63 - 1, "any whole number will do")


def main(arguments: Sequence[str]) -> int:
    options = parse(Options, arguments, "twopart measure", Options.__doc__ or "")
    if options.out is not None:
        check_folder(options.out, MARKER)
    from twopart.cli.measure_table import print_foretold, print_measurement
    from twopart.tools.measure import measure
    from twopart.tools.measure.foretold import foretell

    progress = Progress() if sys.stderr.isatty() else None
    measured = measure(
        *options.texts,
        unit=options.unit,
        tokenizer=options.tokenizer,
        column=options.column,
        encoding=options.encoding,
        pattern=options.pattern,
        part=options.part,
        blocks=options.blocks,
        seed=options.seed,
        progress=progress,
    )
    print_measurement(measured)
    if options.foretell:
        print_foretold(foretell(_documents(options)))
    if options.out is not None:
        print(f"report: {_write(measured, options)}")
    return 0


def _documents(options: Options) -> list[bytes]:
    """What the texts hold, up to a few megabytes: whole files, and the beginning of one."""
    from twopart.tools.measure.sources import BLOCK, blocks, list_sources

    found: list[bytes] = []
    for source in list_sources(options.texts, options.column, options.pattern):
        left = MOST - sum(map(len, found))
        document = b"".join(islice(blocks(source), 1 + left // BLOCK))[:left] if left > 0 else b""
        found += [document] * (document != b"")
    return found


class Progress:
    """A line on a terminal, now and then."""

    def __init__(self) -> None:
        self._next = EVERY

    def __call__(self, done: int, total: int) -> None:
        if done >= self._next:
            self._next = done + EVERY
            print(f"{done / 1e9:.1f} of {total / 1e9:.1f} GB read", file=sys.stderr)


def _write(measured: Measurement, options: Options) -> Path:
    """The page and what `twopart report` needs to write it again."""
    from twopart._files import write_json
    from twopart.tools.measure import findings

    assert options.out is not None
    config = {
        "measure": list(options.texts),
        "unit": measured.corpus.unit,
        "tokenizer": None if options.tokenizer is None else str(options.tokenizer),
        "column": options.column,
        "encoding": options.encoding,
        "pattern": options.pattern,
        "part": options.part,
        "blocks": options.blocks,
    }
    return write_page(
        findings(measured),
        options.out,
        config,
        options.seed,
        lambda folder: write_json(folder / MARKER, measured.as_dict()),
    )

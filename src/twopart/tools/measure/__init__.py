"""Measure real text: Zipf, Heaps, Pitman-Yor discount, burstiness, missing mass, entropy, and what the theory would make of it.

sources.py      files, folders and Parquet columns as streams of bytes
units.py        what is counted: words, identifiers, bytes, tokens; with vocabulary.py, a hash table of words
tally.py        what is kept of a stream: a few numbers per type, and milestones;  blocks.py  runs of bytes
reading.py      the one pass that fills them
shuffled.py     what the same text would show in random order, from counts alone
curves.py, burstiness.py, forward.py, entropy.py    estimators
records.py, measurement.py    all of it put together
report.py       the same as claims, tables and charts;  charts.py  the figures

measured = measure("books/")
measured.law.discount, measured.heaps.file_tenfold, measured.forward
findings(measured)
"""

from __future__ import annotations

from pathlib import Path

from twopart._checks import InputError, check_choice, check_integer, check_real
from twopart._files import named
from twopart.tools.measure.measurement import Measurement, evaluate
from twopart.tools.measure.reading import Progress, read
from twopart.tools.measure.report import findings
from twopart.tools.measure.sources import check_encoding, list_sources
from twopart.tools.measure.units import UNITS, Tokens, Unit

__all__ = ["UNITS", "Measurement", "findings", "measure"]

UNIT_NAMES = tuple(UNITS)


def measure(
    *texts: str | Path,
    unit: str = "words",
    tokenizer: str | Path | None = None,
    column: str | None = None,
    encoding: str | None = None,
    pattern: str = "*",
    part: float = 0.1,
    blocks: int = 0,
    seed: int = 0,
    progress: Progress | None = None,
) -> Measurement:
    """Measure the texts named, taken as one in the order given, in one pass.

    `texts` are files, folders (the files below whose names match `pattern`, sorted by path, but for hidden and
    binary ones), pipes, "-" for standard input and, with `column`, Parquet files. They are in `encoding`; if that is None, in
    UTF-16 or UTF-32 where they begin with its mark, and in UTF-8 where they do not.
    `unit` is "words", "identifiers" or "bytes"; a `tokenizer` (path of a tokenizer.json) takes its place.
    `part`, in [0.001, 0.5], is the share of the text that predictions are made from; `blocks` counts runs of 1 to that many
    bytes, <= 8. Raises `InputError` for what cannot be read or holds fewer than 1000 tokens.
    """
    check_choice("unit", unit, UNIT_NAMES, "a tokenizer.json is named by `tokenizer`")
    check_real("part", part, 0.001, 0.5, "0.1 is customary")
    check_integer("blocks", blocks, 0, 8, "0 counts none; longer ones do not fit into 64 bits")
    check_integer("seed", seed, 0, 2**63 - 1, "it picks the random parts")
    if tokenizer is not None and unit not in ("words", "tokens"):
        raise InputError(f"`unit` is {unit!r} and there is a tokenizer too; choose one of them")
    if encoding is not None:
        if column is not None or unit == "bytes":
            raise InputError(f"`encoding` is {encoding!r}, and what is read are no bytes of a text; leave it out")
        encoding = check_encoding(encoding)
    what: Unit = UNITS[unit]() if tokenizer is None else Tokens(tokenizer)
    name = unit if tokenizer is None else "tokens"
    files = list_sources(texts, column, pattern)
    return evaluate(read(files, name, what, blocks, set(map(named, texts)), encoding, progress), part, seed)

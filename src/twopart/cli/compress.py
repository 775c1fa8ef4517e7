"""`twopart compress FILE`: a file as a code that decompresses, and where its bits go."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from twopart._checks import InputError
from twopart._files import STREAM, check_source, check_target, is_stream, named
from twopart.cli.parsing import parse

if TYPE_CHECKING:
    from twopart.lossless import FileLengths
    from twopart.lossless.predictor import Method

SUFFIX = ".tpz"
REMEDY = "name a file, or - for standard input"


@dataclass(frozen=True)
class Options:
    """Code a file so that `twopart decompress` restores it, exactly, and on any machine unless the method is neural.

    Examples:
      twopart compress book.txt
      twopart compress book.txt --method fast --out book.tpz
      twopart compress book.txt --explain
      tar -c folder | twopart compress - > folder.tar.tpz
    """

    file: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="FILE")]
    """The file to code; - for standard input."""
    out: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """The file to write, which must not exist yet; - for standard output. FILE.tpz if not given, or - for a pipe."""
    method: Literal["fastest", "fast", "strong", "best", "pitman-yor", "counts", "transformer", "two-part"] = "strong"
    """fastest, fast, strong, best: context mixing with ever more contexts, smaller and slower both ways.

    pitman-yor: the Bayes code's own law.

    counts: two parts, a pruned tree of contexts and then the data.

    transformer, two-part: a small one that learns as it codes, or whose weights are sent; slow, and decoded only where
    it was coded.
    """

    explain: bool = False
    """Write a report beside the code, in the folder OUT.report: which bytes and words the bits went to."""

    @property
    def source(self) -> Path:
        return named(self.file)

    @property
    def target(self) -> Path:
        """Where the code goes."""
        return target(self.source, self.out, self.source.name + SUFFIX)

    def __post_init__(self) -> None:
        check_source(self.source, REMEDY)
        check_target(self.target, streams=True)
        if self.explain and is_stream(self.target):
            raise InputError("--explain writes its report beside the code; name a file with --out")


def target(source: Path, out: str | None, name: str) -> Path:
    """The file or stream that a command writes: `out`, or else the file `name` beside the source, or standard output."""
    if out is not None:
        return named(out)
    return Path(STREAM) if is_stream(source) else source.with_name(name)


def main(arguments: Sequence[str]) -> int:
    options = parse(Options, arguments, "twopart compress", Options.__doc__ or "")
    if str(options.target) == STREAM and sys.stdout is not None and sys.stdout.isatty():
        raise InputError("standard output is a terminal, and a code is no text; name a file with --out")
    from twopart.lossless import compress_file

    method = _method(options.method)
    if options.explain:
        lengths = _explained(options, method)
    else:
        lengths = compress_file(options.source, options.target, method, replace=False)
    rate = f"{lengths.bits_per_byte:.4f} bits per byte"
    tell(f"{lengths.original} bytes in {lengths.total // 8}: {rate}", options.target)
    return 0


def tell(what: str, target: Path) -> None:
    """Say what was done, where it is not in the way of the data."""
    if is_stream(target):
        print(what, file=sys.stderr)
    else:
        print(f"{what}, in {target}")


def _method(name: str) -> Method:
    from twopart.lossless import (
        ContextCounts,
        ContextMixing,
        PitmanYorBytes,
        PrequentialTransformer,
        TwoPartTransformer,
    )

    methods: tuple[Method, ...] = (PitmanYorBytes(), ContextCounts(), PrequentialTransformer(), TwoPartTransformer())
    others = {method.kind: method for method in methods}
    return others.get(name) or ContextMixing(name)


def _explained(options: Options, method: Method) -> FileLengths:
    """Code the file and write the page on where its bits went."""
    from twopart.cli.page import check_folder, write_page
    from twopart.lossless import compress_file
    from twopart.lossless.ledger import Ledger
    from twopart.tools.explain import explain

    folder, ledger = Path(f"{options.target}.report"), Ledger()
    check_folder(folder, "config.json")
    lengths = compress_file(options.source, options.target, method, ledger.add, replace=False)
    ledger.finish()
    config = {"file": options.file, "out": str(options.target), "method": options.method}
    findings = explain(options.source.name, options.method, lengths, ledger)
    folder.mkdir(exist_ok=True)
    print(f"report: {write_page(findings, folder, config, 0, lambda folder: None)}")
    return lengths

"""`twopart compress FILE`: a file as a code that decompresses, and where its bits go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from twopart._checks import InputError
from twopart.cli.parsing import parse

if TYPE_CHECKING:
    from twopart.lossless import FileLengths
    from twopart.lossless.predictor import Method

SUFFIX = ".tpz"


@dataclass(frozen=True)
class Options:
    """Code a file so that `twopart decompress` restores it, exactly, and on any machine unless the method is neural.

    Examples:
      twopart compress book.txt
      twopart compress book.txt --method fast --out book.tpz
      twopart compress book.txt --explain
    """

    file: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")]
    """The file to code."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """The file to write, which must not exist yet; FILE.tpz if not given."""
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
    def target(self) -> Path:
        """Where the code goes."""
        return self.file.with_name(self.file.name + SUFFIX) if self.out is None else self.out

    def __post_init__(self) -> None:
        check_files(self.file, self.target)


def check_files(source: Path, target: Path) -> None:
    """Raise `InputError` unless `source` is a file and `target` is free."""
    if not source.is_file():
        raise InputError(f"{source} is not a file; name one that exists")
    if target.exists():
        raise InputError(f"{target} exists; remove it, or name another file with --out")


def main(arguments: Sequence[str]) -> int:
    options = parse(Options, arguments, "twopart compress", Options.__doc__ or "")
    from twopart.lossless import compress_file

    method = _method(options.method)
    lengths = _explained(options, method) if options.explain else compress_file(options.file, options.target, method)
    rate = f"{lengths.bits_per_byte:.4f} bits per byte"
    print(f"{lengths.original} bytes in {lengths.total // 8}: {rate}, in {options.target}")
    return 0


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
    lengths = compress_file(options.file, options.target, method, ledger.add)
    ledger.finish()
    config = {"file": str(options.file), "out": str(options.target), "method": options.method}
    findings = explain(options.file.name, options.method, lengths, ledger)
    folder.mkdir(exist_ok=True)
    print(f"report: {write_page(findings, folder, config, 0, lambda folder: None)}")
    return lengths

"""`twopart compress FILE`: a file as a code that decompresses, and where its bits go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from twopart._checks import InputError
from twopart.cli.parsing import parse

SUFFIX = ".tpz"


@dataclass(frozen=True)
class Options:
    """Code a file so that `twopart decompress` restores it, exactly and on any machine.

    Examples:
      twopart compress book.txt
      twopart compress book.txt --level fast --out book.tpz
    """

    file: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")]
    """The file to code."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """The file to write, which must not exist yet; FILE.tpz if not given."""
    level: Literal["fast", "strong", "best"] = "strong"
    """How much work per byte: stronger is smaller and slower, both ways."""

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
    from twopart.codes.lossless import ContextMixing, compress_file

    lengths = compress_file(options.file, options.target, ContextMixing(options.level))
    print(
        f"{lengths.original} bytes in {lengths.total // 8}: {lengths.bits_per_byte:.4f} bits per byte, in {options.target}"
    )
    return 0

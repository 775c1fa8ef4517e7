"""`twopart decompress FILE`: what `twopart compress` was given, or a clear refusal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from twopart._files import check_source, check_target, named
from twopart.cli.compress import REMEDY, SUFFIX, target, tell
from twopart.cli.parsing import parse


@dataclass(frozen=True)
class Options:
    """Restore the file that `twopart compress` coded. A damaged file is refused, and nothing is written.

    Examples:
      twopart decompress book.txt.tpz --out restored.txt
      twopart decompress - < folder.tar.tpz | tar -x
    """

    file: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="FILE")]
    """The file that `twopart compress` wrote; - for standard input."""
    out: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """The file to write, which must not exist yet; - for standard output. FILE without .tpz if not given, or - for a pipe."""

    @property
    def source(self) -> Path:
        return named(self.file)

    @property
    def target(self) -> Path:
        """Where the original goes."""
        bare = self.source.stem if self.source.suffix == SUFFIX else f"{self.source.name}.out"
        return target(self.source, self.out, bare)

    def __post_init__(self) -> None:
        check_source(self.source, REMEDY)
        check_target(self.target, streams=True)


def main(arguments: Sequence[str]) -> int:
    options = parse(Options, arguments, "twopart decompress", Options.__doc__ or "")
    from twopart.lossless import decompress_file

    restored = decompress_file(options.source, options.target, replace=False)
    tell(f"{restored} bytes restored", options.target)
    return 0

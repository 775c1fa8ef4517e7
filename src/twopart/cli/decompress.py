"""`twopart decompress FILE`: what `twopart compress` was given, or a clear refusal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from twopart.cli.compress import SUFFIX, check_files
from twopart.cli.parsing import parse


@dataclass(frozen=True)
class Options:
    """Restore the file that `twopart compress` coded. A damaged file is refused, and nothing is written.

    Example: twopart decompress book.txt.tpz --out restored.txt
    """

    file: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")]
    """The file that `twopart compress` wrote."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """The file to write, which must not exist yet; FILE without .tpz if not given."""

    @property
    def target(self) -> Path:
        """Where the original goes."""
        bare = self.file.with_suffix("") if self.file.suffix == SUFFIX else self.file.with_name(self.file.name + ".out")
        return bare if self.out is None else self.out

    def __post_init__(self) -> None:
        check_files(self.file, self.target)


def main(arguments: Sequence[str]) -> int:
    options = parse(Options, arguments, "twopart decompress", Options.__doc__ or "")
    from twopart.lossless import decompress_file

    print(f"{decompress_file(options.file, options.target)} bytes restored in {options.target}")
    return 0

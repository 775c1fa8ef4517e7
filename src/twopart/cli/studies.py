"""`twopart studies`: what studies there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from twopart.cli.parsing import parse
from twopart.studies import _study

WIDTH = 24  # of a study's name


@dataclass(frozen=True)
class Options:
    """List the studies and what each asks.

    Example: twopart studies
    """


def main(arguments: Sequence[str]) -> int:
    parse(Options, arguments, "twopart studies", Options.__doc__ or "")
    for theory, group in groupby(_study.places().values(), key=lambda place: place.theory):
        print(f"{theory}: {_study.THEORIES[theory]}")
        for place in group:
            print(f"  {place.name:{WIDTH}}  {place.question}")
        print()
    print(f"Each has the presets {', '.join(_study.PRESET_NAMES)}: seconds, minutes, hours.")
    print("twopart run STUDY --help shows what can be changed; twopart run STUDY --dry-run what it would cost.")
    return 0

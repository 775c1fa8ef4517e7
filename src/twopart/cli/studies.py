"""`twopart studies`: what studies there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twopart.cli.parsing import parse
from twopart.studies import _study


@dataclass(frozen=True)
class Options:
    """List the studies and what each asks.

    Example: twopart studies
    """


def main(arguments: Sequence[str]) -> int:
    parse(Options, arguments, "twopart studies", Options.__doc__ or "")
    width = max(map(len, _study.names()), default=0)
    for name in _study.names():
        print(f"{name:{width}}  {_study.summary(name)}")
    print(f"\nEach has the presets {', '.join(_study.PRESET_NAMES)}: seconds, minutes, hours.")
    print("twopart run STUDY --help shows what can be changed; twopart run STUDY --dry-run what it would cost.")
    return 0

"""`twopart sample`: a corpus of a Syntax-Knowledge world in a Parquet file, written as a stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from twopart._checks import check_integer
from twopart._files import check_target
from twopart.cli.parsing import parse
from twopart.worlds import SyntaxKnowledge, render, write_sample


@dataclass(frozen=True)
class Options:
    """Write a corpus whose truth is known: which fact occurs how often, and what each sentence must cost.

    Examples:
      twopart sample --sentences 100000 --discount 0.5 --show 3
      twopart sample --sentences 10000000 --discount 0.7 --rendering english --out biographies.parquet
    """

    sentences: int = 1000
    """Sentences to draw, >= 1."""
    discount: float = 0.5
    """Of the entities' Pitman-Yor law, in [0, 1): the frequency of the k-th entity falls as k^(-1/discount)."""
    concentration: float = 1.0
    """Of the same, > -discount: larger means more entities of middling frequency."""
    seed: int = 0
    """Chooses the world: its entities, facts and templates."""
    stream: int = 0
    """Chooses one of the independent samples of that world, >= 0."""
    out: Annotated[Path, tyro.conf.arg(metavar="FILE")] = Path("corpus.parquet")
    """The file to write, which must not exist yet."""
    rendering: Literal["none", "english"] = "none"
    """Write the sentences as English text too, with the place of name and value in each."""
    show: Annotated[int, tyro.conf.arg(metavar="K")] = 0
    """Print the first K sentences in English, >= 0."""

    def __post_init__(self) -> None:
        check_integer("--sentences", self.sentences, 1, None, "name how many to draw")
        check_integer("--stream", self.stream, 0, 2**63 - 1, "any whole number names a sample")
        check_integer("--show", self.show, 0, None, "0 prints none")
        check_target(self.out)


def main(arguments: Sequence[str]) -> int:
    options = parse(Options, arguments, "twopart sample", Options.__doc__ or "")
    world = SyntaxKnowledge(options.discount, options.concentration, seed=options.seed)
    rendering = None if options.rendering == "none" else options.rendering
    write_sample(world, options.sentences, options.out, stream=options.stream, rendering=rendering)
    if shown := min(options.show, options.sentences):
        print(*render(world.sample(shown, stream=options.stream), "english").texts, sep="\n")
    print(f"{options.sentences} sentences in {options.out}")
    return 0

"""`twopart sample`: a corpus of a Syntax-Knowledge world in a Parquet file, written as a stream, or in shards.

Shards are the cells of a lab: they are made by worker processes or on a cluster, and seen and stopped as a study's cells are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from twopart._checks import InputError, check, check_integer
from twopart._files import check_target
from twopart.cli.parsing import Address, Workers, parse, whole_number
from twopart.worlds import Sharded, SyntaxKnowledge, render, write_sample

if TYPE_CHECKING:
    import polars as pl

    from twopart.lab import Cell


@dataclass(frozen=True)
class Options:
    """Write a corpus whose truth is known: which fact occurs how often, and what each sentence must cost.

    Examples:
      twopart sample --sentences 100000 --discount 0.5 --show 3
      twopart sample --sentences 10000000 --discount 0.7 --rendering english --out biographies.parquet
      twopart sample --sentences 1e10 --shards 64 --out corpus
      twopart sample --sentences 1e10 --shards 64 --out corpus --shard 3
    """

    sentences: Annotated[int, whole_number] = 1000
    """Sentences to draw, >= 1; 1e10 will do."""
    discount: float = 0.5
    """Of the entities' Pitman-Yor law, in [0, 1): the frequency of the k-th entity falls as k^(-1/discount)."""
    concentration: float = 1.0
    """Of the same, > -discount: larger means more entities of middling frequency."""
    seed: int = 0
    """Chooses the world: its entities, facts and templates."""
    stream: int = 0
    """Chooses one of the independent samples of that world, >= 0."""
    out: Annotated[
        Path | None,
        tyro.conf.DisallowNone,
        tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: corpus.parquet, or the folder corpus)"),
    ] = None
    """The file to write, which must not exist yet; with --shards the folder, where finished shards are kept."""
    rendering: Literal["none", "english"] = "none"
    """Write the sentences as English text too, with the place of name and value in each."""
    show: Annotated[int, tyro.conf.arg(metavar="K")] = 0
    """Print the first K sentences in English, >= 0."""
    shards: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Files to write the corpus in, with their checksums; 0 writes one file."""
    shard: Annotated[
        int | None,
        tyro.conf.DisallowNone,
        tyro.conf.arg(metavar="I", help_behavior_hint="(default: all that are missing)"),
    ] = None
    """Write this shard alone, counted from 0: several machines may share the work."""
    executor: Literal["processes", "ray"] = "processes"
    """What makes the shards: worker processes of this machine, or a Ray cluster that shares the folder."""
    address: Address = None
    """The Ray cluster, with --executor ray; auto finds the one that this machine is part of."""
    workers: Workers = None
    """Shards made at a time, >= 1."""

    def __post_init__(self) -> None:
        check_integer("--sentences", self.sentences, 1, None, "name how many to draw")
        check_integer("--stream", self.stream, 0, 2**63 - 1, "any whole number names a sample")
        check_integer("--show", self.show, 0, None, "0 prints none")
        check_integer("--shards", self.shards, 0, min(self.sentences, 99_999), "a shard has a sentence at least")
        if self.workers is not None:
            check_integer("--workers", self.workers, 1, None, "1 makes one shard after the other")
        if self.shard is not None:
            check(self.shards > 0, "--shard", self.shard, "left out without --shards", "say how many there are")
            check_integer("--shard", self.shard, 0, self.shards - 1, "shards are counted from 0")
        if not self.shards:
            check_target(self.place)

    @property
    def place(self) -> Path:
        """Where to write."""
        return self.out or Path("corpus" if self.shards else "corpus.parquet")


@dataclass(frozen=True)
class Piece:
    """A shard to write."""

    corpus: Sharded
    folder: str
    shard: int

    def __str__(self) -> str:
        return self.corpus.name(self.shard)


def main(arguments: Sequence[str]) -> int:
    options = parse(Options, arguments, "twopart sample", Options.__doc__ or "")
    world = SyntaxKnowledge(options.discount, options.concentration, seed=options.seed)
    rendering = None if options.rendering == "none" else options.rendering
    if options.shards:
        said = _write_shards(Sharded(world, options.sentences, options.shards, options.stream, rendering), options)
    else:
        write_sample(world, options.sentences, options.place, stream=options.stream, rendering=rendering)
        said = f"{options.sentences} sentences in {options.place}"
    if shown := min(options.show, options.sentences):
        print(*render(world.sample(shown, stream=options.stream), "english").texts, sep="\n")
    print(said)
    return 0


def shard(case: Piece, cell: Cell) -> pl.DataFrame:
    """Write one; called by a worker. The file is the result, wherever the lab is."""
    import polars as pl

    folder = Path(case.folder)
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}; the machines of a cluster must share it")
    case.corpus.write(folder, case.shard, lambda done, total: cell.progress(done, total))
    return pl.DataFrame({"shard": [case.shard]})


def _write_shards(corpus: Sharded, options: Options) -> str:
    """Write what is missing, and say what is there."""
    from twopart.lab import Lab, Work

    folder = options.place.absolute()
    corpus.claim(folder)
    missing = corpus.missing(folder)
    wanted = missing if options.shard is None else [number for number in missing if number == options.shard]
    works = [Work("shard", Piece(corpus, str(folder), number)) for number in wanted]
    if works:
        with (
            tempfile.TemporaryDirectory(prefix="twopart-") as place,
            Lab(
                place,
                study="sample",
                module=__name__,
                device="cpu",
                workers=options.workers,
                executor=options.executor,
                address=options.address,
            ) as lab,
        ):
            lab.run(works)
    if corpus.finish(folder):
        return f"{corpus.sentences} sentences in {corpus.shards} shards in {options.place}, listed in manifest.json"
    left = len(corpus.missing(folder))
    return (
        f"{corpus.shards - left} of {corpus.shards} shards in {options.place}; run it again for those that are missing"
    )

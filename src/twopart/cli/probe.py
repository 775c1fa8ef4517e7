"""`twopart probe MODEL`: which facts a model knows, by how often they are told; a table, and a report page."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from twopart._checks import InputError, check_integer
from twopart.cli.page import check_folder, write_page
from twopart.cli.parsing import parse

if TYPE_CHECKING:
    from twopart.tools.probe import Asker, Probed

MARKER = "probe.json"


def _optional(metavar: str, default: str = "none") -> object:
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=f"(default: {default})")


@dataclass(frozen=True)
class Options:
    """Probe a language model: which facts it knows, by frequency, with what the look of a name gives away taken out.

    MODEL is a folder of Hugging Face, a GGUF file, or the address of an endpoint with log-probabilities
    (http://127.0.0.1:8000/v1). A run that was ended goes on where it was when it is started again. Exit code 0 says that the
    model was probed, whatever the claims came to.

    Examples:
      twopart probe models/mine --facts cities --out runs/probe
      twopart probe model.gguf --facts facts.csv --template "The capital of {subject} is" --frequency population
      twopart probe models/mine --facts capitals --against models/tuned
      twopart probe model.gguf --facts cities --quantise blocks32:3 --json
    """

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MODEL")]
    """The model."""
    facts: Annotated[str, tyro.conf.arg(metavar="FILE")]
    """CSV or Parquet with the columns subject and answer (docs/tools/probe.md), or capitals, cities, indian-states."""
    template: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="TEXT")] = ()
    """How to ask, with {subject} in its place, ending where the answer begins; may be given several times."""
    candidates: Annotated[Path | None, tyro.conf.DisallowNone, _optional("FILE", "all answers of the facts")] = None
    """Answers to choose among, one on each line, forms parted by |."""
    frequency: Annotated[str, tyro.conf.arg(metavar="COLUMN")] = "frequency"
    """Column of numbers that go with how often a fact is told. Of two, with a comma between, the second helps to tell how much
    of the curve's width is the model's own."""
    count_in: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="TEXT")] = ()
    """Count in these texts, files or folders, instead: sentences with subject and answer, and one more."""
    against: Annotated[str | None, tyro.conf.DisallowNone, _optional("MODEL")] = None
    """Another model to compare with: what it has lost."""
    quantise: Annotated[str | None, tyro.conf.DisallowNone, _optional("HOW")] = None
    """Compare with the same model, a Llama, in fewer bits: rows:4 or blocks32:3."""
    served: Annotated[str | None, tyro.conf.DisallowNone, _optional("NAME", "the first that the endpoint lists")] = None
    """The model's name at the endpoint."""
    scoring: Annotated[Literal["echo", "top", "draw"], tyro.conf.arg(metavar="HOW")] = "echo"
    """What an endpoint is asked for: echo, the log-probabilities of each answer's tokens; top, the most probable next tokens,
    which bound them; draw, answers at random, which are counted."""
    sample: Annotated[int, tyro.conf.arg(metavar="N")] = 1500
    """Facts to ask for at most, drawn at random."""
    resamples: Annotated[int, tyro.conf.arg(metavar="R")] = 200
    """Bootstraps over subjects behind the intervals, >= 2."""
    seed: int = 0
    """Of twins, sample and bootstrap, a whole number >= 0."""
    json: bool = False
    """Print every number as JSON instead of the table."""
    dry_run: bool = False
    """Say what would be asked, and ask nothing."""
    out: Annotated[Path | None, tyro.conf.DisallowNone, _optional("FOLDER")] = None
    """Write a report page and all numbers into this folder, which must be new or hold an earlier probe."""

    def __post_init__(self) -> None:
        check_integer("--sample", self.sample, 10, None, "1500 is customary")
        check_integer("--resamples", self.resamples, 2, 10**5, "200 is customary")
        check_integer("--seed", self.seed, 0, 2**63 - 1, "any whole number will do")
        if self.quantise is not None and self.against is not None:
            raise InputError("--against and --quantise are two comparisons; choose one")


def main(arguments: Sequence[str]) -> int:
    options = parse(Options, arguments, "twopart probe", Options.__doc__ or "")
    if options.out is not None:
        check_folder(options.out, MARKER)
    from twopart.tools.probe import open_asker, probe, read_facts

    facts = read_facts(
        options.facts, templates=options.template, frequency=options.frequency, candidates=options.candidates
    )
    if options.count_in:
        from twopart.tools.probe.counting import counted

        facts = counted(facts, options.count_in)
    facts = facts.sampled(options.sample, options.seed)
    asker = open_asker(options.model, served=options.served, scoring=options.scoring)
    others = list(_others(options))
    name = Path(options.facts).stem
    if options.dry_run:
        asked = f"{len(facts):,} facts of {name}, {len(facts.candidates)} candidates, {len(facts.templates)} templates"
        print(f"{asker.name}: {asked}")
        return 0
    kept = None if options.out is None else _begin(options.out, options)
    probed = probe(
        asker,
        facts,
        against=others,
        name=name,
        seed=options.seed,
        resamples=options.resamples,
        folder=kept,
        progress=Progress() if sys.stderr.isatty() else None,
    )
    if options.json:
        print(json.dumps(probed.as_dict(), indent=2, allow_nan=False))
    else:
        print_probed(probed)
    if options.out is not None:
        page = _write(probed, options)
        print(f"report: {page}", file=sys.stderr if options.json else sys.stdout)
    return 0


def _others(options: Options) -> Sequence[Asker]:
    from twopart.tools.probe import open_asker
    from twopart.tools.probe.quantised import open_quantised

    if options.against is not None:
        return [open_asker(options.against, served=options.served, scoring=options.scoring)]
    return [] if options.quantise is None else [open_quantised(options.model, options.quantise)]


class Progress:
    """A line on a terminal that is written over."""

    def __call__(self, done: int, total: int) -> None:
        print(f"\r{done:,} of {total:,} prompts", end="\n" if done == total else "", file=sys.stderr, flush=True)


def _begin(folder: Path, options: Options) -> Path:
    """Mark the folder as a probe's, so that a run that is ended finds its answers again."""
    from twopart._files import write_json

    if not (folder / MARKER).is_file():
        write_json(folder / MARKER, {"facts": options.facts, "model": options.model, "finished": False})
    return folder / "answers"


def _write(probed: Probed, options: Options) -> Path:
    """The page and what `twopart report` needs to write it again."""
    from twopart._files import write_json
    from twopart.tools.probe import findings

    assert options.out is not None
    config = {
        "probe": probed.name,
        "model": probed.model,
        "templates": list(probed.studied[0].asking.facts.templates),
        "frequency": options.frequency,
        "count_in": list(options.count_in),
        "against": options.against,
        "quantise": options.quantise,
        "scoring": options.scoring,
        "sample": options.sample,
        "resamples": options.resamples,
        "seed": options.seed,
    }
    return write_page(
        findings(probed),
        options.out,
        config,
        options.seed,
        lambda folder: write_json(folder / MARKER, probed.as_dict()),
    )


def print_probed(probed: Probed) -> None:
    """What was asked, what is known, and the strata."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from twopart.tools.probe.findings import summary

    console = Console()
    console.print(f"\n{probed.model}: {probed.name}\n", style="bold", markup=False, highlight=False)
    for paragraph in summary(probed):
        console.print(Text(f"{paragraph}\n"))
    for t in probed.rows:
        table = Table(
            title=f"{t}, by frequency; style and fact in bits of the true answer",
            title_justify="left",
            box=None,
            pad_edge=False,
            padding=(0, 2, 0, 0),
        )
        for name in ("frequency", "facts", "right", "twins", "known", "95 %", "style", "fact", "mass"):
            table.add_column(name, justify="right", no_wrap=True)
        for row in t.strata.iter_rows(named=True):
            frequency = "" if row["frequency"] is None else f"{row['frequency']:,.3g}"
            numbers = (row[name] for name in ("style bits", "fact bits", "mass"))
            shares = (row[name] for name in ("right", "twins right", "known"))
            ends = f"{row['low']:.2f} to {row['high']:.2f}"
            cells = (*map(_two, shares), ends, *map(_two, numbers))
            table.add_row(frequency, f"{row['facts']:,}", *cells)
        console.print(table)
        print()


def _two(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"

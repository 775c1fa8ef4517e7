"""`twopart fit RUNS`: a scaling law from a table of training runs, with its doubts; law.json and a report page."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from twopart._checks import check_integer, check_real
from twopart.cli.page import check_folder, write_page
from twopart.cli.parsing import parse

if TYPE_CHECKING:
    from twopart.tools.fit import Fitted, Mapping

LAW = "law.json"
Column = Annotated[
    str | None, tyro.conf.DisallowNone, tyro.conf.arg(metavar="COLUMN", help_behavior_hint="(default: guessed)")
]


@dataclass(frozen=True)
class Options:
    """Fit a scaling law to a table of training runs, CSV or Parquet.

    Columns are guessed from their names (N, `Model Size`, `config.n_params`, `val_loss`, ...), and every guess is printed.
    Exit code 0 says that a law was fitted, whatever the claims about it came to.

    Examples:
      twopart fit runs.csv
      twopart fit wandb.csv --params config.n_params --tokens config.tokens --loss eval/loss --out runs/fit
      twopart fit runs.csv --form data --drop-highest 5
    """

    runs: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUNS")]
    """The table, one row for each training run."""
    form: Literal[
        "chinchilla", "kaplan", "data", "model", "compute", "repeated", "broken", "precision", "knowledge"
    ] = "chinchilla"
    """The law's form; docs/fits/scaling.md lists them."""
    params: Column = None
    """Column of model sizes, in parameters."""
    tokens: Column = None
    """Column of training tokens."""
    flops: Column = None
    """Column of training compute in floating-point operations."""
    loss: Column = None
    """Column of test losses per token."""
    unique_tokens: Column = None
    """Column of distinct training tokens, for --form repeated."""
    bits: Column = None
    """Column of the precision of training in bits, for --form precision."""
    name: Column = None
    """Column of what the runs are called."""
    unit: Annotated[
        Literal["nats", "bits", "ppl", "bpb"] | None,
        tyro.conf.DisallowNone,
        tyro.conf.arg(help_behavior_hint="(default: as the column says, else nats)"),
    ] = None
    """Unit of the loss: nats or bits per token, perplexity, or bits per byte."""
    keep: Literal["all", "best", "mean"] = "all"
    """Of runs that share all that the form reads: all, the lowest loss (of a sweep), or their mean (of seeds)."""
    curves: Literal["last", "whole", "apart"] = "last"
    """Of training curves: their last points, all points with whole curves resampled, or every row as a run."""
    keep_duplicates: bool = False
    """Keep runs that are in the table twice."""
    objective: Literal["huber", "lad", "squares"] = "huber"
    """What is minimised, over residuals of ln loss: Huber's loss, least absolute deviations, or squares."""
    delta: float = 1e-3
    """Where Huber's loss turns linear, > 0."""
    drop_highest: Annotated[int, tyro.conf.arg(metavar="K")] = 0
    """Leave out the K runs of highest loss, and say so."""
    resamples: Annotated[int, tyro.conf.arg(metavar="R")] = 4000
    """Bootstraps behind the intervals, >= 100."""
    seed: int = 0
    """Of the bootstrap, a whole number >= 0."""
    out: Annotated[
        Path | None, tyro.conf.DisallowNone, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="(default: runs/fit)")
    ] = None
    """Where law.json and the page go; a new folder, or that of an earlier fit."""

    def __post_init__(self) -> None:
        check_real("--delta", self.delta, 0, 10, "1e-3 is customary", closed="(]")
        check_integer("--drop-highest", self.drop_highest, 0, None, "0 keeps every run")
        check_integer("--resamples", self.resamples, 100, 10**6, "4000 is customary")
        check_integer("--seed", self.seed, 0, 2**63 - 1, "any whole number will do")


def main(arguments: Sequence[str]) -> int:
    options = parse(Options, arguments, "twopart fit", Options.__doc__ or "")
    out = options.out or Path("runs/fit")
    check_folder(out, LAW)
    from twopart.tools.fit import findings, fit_table, read_runs
    from twopart.tools.fit.fitted import needs

    table = read_runs(
        options.runs,
        mapping(options),
        needs(options.form),
        unit=options.unit,
        keep=options.keep,
        curves=options.curves,
        keep_duplicates=options.keep_duplicates,
    )
    for note in table.notes:
        print(note, file=sys.stderr)
    fitted = fit_table(
        table,
        options.form,
        objective=options.objective,
        delta=options.delta,
        drop_highest=options.drop_highest,
        resamples=options.resamples,
        seed=options.seed,
    )
    print_fit(fitted)
    config = {"fit": str(options.runs), **{k: v for k, v in asdict(options).items() if k not in ("runs", "out")}}
    page = write_page(findings(fitted), out, config, options.seed, lambda folder: fitted.fit.write(folder / LAW))
    print(f"law: {out / LAW}\nreport: {page}")
    return 0


def mapping(options: Options) -> Mapping:
    """The columns that were named."""
    from twopart.tools.fit import Mapping

    named = asdict(options)
    return Mapping(**{role: named[role] for role in Mapping.__dataclass_fields__})


def print_fit(fitted: Fitted) -> None:
    """Formula, parameters with intervals, and what to know before using them."""
    from rich.console import Console
    from rich.table import Table

    from twopart.fits.scaling.runs import UNITS
    from twopart.tools.fit.findings import notes

    fit, console = fitted.fit, Console()
    console.print(f"\n{fit.form.formula}", style="bold", markup=False, highlight=False)
    what = "runs" if fit.runs.curves is None else "points of curves"
    source = f"{fit.form.source}; {len(fit.runs)} {what}, loss in {UNITS[fit.unit]}, objective {fit.objective.name}"
    console.print(source, markup=False, highlight=False)
    reached = f"{fit.optimum.share:.0%} of {fit.optimum.starts} starts reached the optimum\n"
    console.print(reached, markup=False, highlight=False)
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for column in ("", "value", "95 % interval", "least absolute deviations"):
        table.add_column(column, justify="left" if not column else "right")
    for row in fitted.parameters.iter_rows():
        name, value, low, high, lad = row
        table.add_row(name, f"{value:.5g}", f"{low:.5g} to {high:.5g}", f"{lad:.5g}")
    console.print(table)
    print()
    for note in notes(fitted)[len(fitted.table.notes) :]:
        console.print(f"- {note}", markup=False, highlight=False)
    print()

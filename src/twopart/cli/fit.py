"""`twopart fit RUNS`: a scaling law from a table of training runs, with its doubts; law.json and a report page."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from twopart._checks import check, check_integer, check_real
from twopart.cli.page import check_folder, write_page
from twopart.cli.parsing import parse

if TYPE_CHECKING:
    from twopart.tools.fit import Fitted, Mapping

LAW, BATCH = "law.json", "batch.json"
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
      twopart fit sweep.csv --form batch --reference 256
    """

    runs: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUNS")]
    """The table, one row for each training run."""
    form: Literal[
        "chinchilla", "kaplan", "data", "model", "compute", "repeated", "broken", "precision", "knowledge", "batch"
    ] = "chinchilla"
    """The law's form; docs/fits/scaling.md lists them. `batch` is none of the loss: the critical batch size, from steps to a
    target at several batch sizes."""
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
    batch: Column = None
    """Column of batch sizes, for --form batch."""
    steps: Column = None
    """Column of steps, for --form batch: to the target, or along training curves if --target is given."""
    sweep: Column = None
    """Column that tells sweeps over batch sizes apart, for --form batch."""
    target: Annotated[float | None, tyro.conf.DisallowNone, tyro.conf.arg(help_behavior_hint="(default: none)")] = None
    """Loss that training curves are to reach, for --form batch."""
    reference: Annotated[
        float | None, tyro.conf.DisallowNone, tyro.conf.arg(help_behavior_hint="(default: the smallest)")
    ] = None
    """Batch size that linear scaling starts from, for --form batch; 0 is the limit of small batches."""
    overhead: float = 0.2
    """Share of examples beyond linear scaling at the critical batch size, for --form batch."""
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
        check_real("--overhead", self.overhead, 0, 100, "0.2 is the authors'", closed="()")
        if self.target is not None:
            check_real("--target", self.target, 0, math.inf, "it is a loss", closed="()")
        if self.reference is not None:
            check_real("--reference", self.reference, 0, 1e18, "256 is the authors'")
        used = {"batch": self.batch, "steps": self.steps, "sweep": self.sweep, "target": self.target}
        for option, value in ({} if self.form == "batch" else used | {"reference": self.reference}).items():
            check(value is None, f"--{option}", value, f"left out for --form {self.form}", "it is for --form batch")
        check_integer("--seed", self.seed, 0, 2**63 - 1, "any whole number will do")


def main(arguments: Sequence[str]) -> int:
    options = parse(Options, arguments, "twopart fit", Options.__doc__ or "")
    out = options.out or Path("runs/fit")
    check_folder(out, BATCH if options.form == "batch" else LAW)
    return _batches(options, out) if options.form == "batch" else _law(options, out)


def _law(options: Options, out: Path) -> int:
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
    page = write_page(
        findings(fitted), out, _config(options), options.seed, lambda folder: fitted.fit.write(folder / LAW)
    )
    print(f"law: {out / LAW}\nreport: {page}")
    return 0


def _batches(options: Options, out: Path) -> int:
    """The critical batch size of each sweep in the table."""
    from twopart.cli.plan_page import print_table
    from twopart.tools.fit import fit_batches
    from twopart.tools.fit.batch_findings import findings, sentences, table

    names = ("target", "overhead", "reference", "resamples", "seed")
    found = fit_batches(options.runs, mapping(options), **{name: getattr(options, name) for name in names})
    print(*sentences(found), sep="\n")
    print_table((shown := table(found)).title, shown.frame)
    page = write_page(findings(found), out, _config(options), options.seed, lambda folder: found.write(folder / BATCH))
    print(f"\nbatches: {out / BATCH}\nreport: {page}")
    return 0


def _config(options: Options) -> dict[str, Any]:
    return {"fit": str(options.runs), **{k: v for k, v in asdict(options).items() if k not in ("runs", "out")}}


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

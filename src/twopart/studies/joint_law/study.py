"""The joint-law study: cells out, evidence in, findings back."""

from __future__ import annotations

import polars as pl

from twopart.findings import Findings, Table
from twopart.lab import Lab
from twopart.studies._ladder import biographies, estimate_runs, one_pass, world_seed
from twopart.studies._study import Planned
from twopart.studies.joint_law import charts, claims, tables
from twopart.studies.joint_law.cells import SHOWN, RunCell, train_model
from twopart.studies.joint_law.config import Config
from twopart.studies.joint_law.evidence import Evidence
from twopart.worlds import known_entities


def run(config: Config, lab: Lab) -> Findings:
    """Train, examine, compare."""
    cells = _cells(config, lab.seed)
    grid = pl.concat(lab.map(train_model, cells, label="model", cost=_work))
    world = cells[0].world
    return findings(Evidence(world, known_entities(world.sample(config.sizes()[-1], stream=SHOWN)), grid))


def plan(config: Config) -> list[Planned]:
    """The cells of a run, with estimates."""
    settings = one_pass(config.batch, config.learning_rate, config.warmup, config.hold, "cpu")
    sentences = config.sizes()[-1]
    return [
        estimate_runs(f"width {cell.width}", settings, cell.world, cell.width, cell.layers, sentences)
        for cell in _cells(config, seed=0)
    ]


def findings(evidence: Evidence) -> Findings:
    """What the grid shows."""
    surface, optimum = tables.surface(evidence), tables.optimum(evidence)
    return Findings(
        title="The joint law",
        summary=_summary(evidence),
        claims=tuple(claims.all_of(evidence)),
        tables=(
            Table("runs", "Runs", tables.runs(evidence), tables.RUNS_CAPTION, csv=True),
            Table("surface", "Redundancy over the grid", surface, tables.SURFACE_CAPTION),
            Table("fits", "Scaling laws fitted to it", tables.fits(evidence), tables.FITS_CAPTION),
            Table("exposures", "Exposures by size", tables.by_size(evidence), tables.BY_SIZE_CAPTION),
            Table("optimum", "The best split of compute", optimum, tables.OPTIMUM_CAPTION),
        ),
        charts=tuple(charts.figures(surface, optimum)),
    )


def _cells(config: Config, seed: int) -> list[RunCell]:
    """One run for each size."""
    seed = world_seed(seed, "joint-law")
    world = biographies(config.discount, seed, values=config.values, templates=config.templates, names=config.names)
    return [
        RunCell(
            label=f"width {width}",
            world=world,
            width=width,
            layers=config.layers,
            sizes=config.sizes(),
            held_out=config.held_out,
            batch=config.batch,
            learning_rate=config.learning_rate,
            warmup=config.warmup,
            hold=config.hold,
        )
        for width in config.widths
    ]


def _work(cell: RunCell) -> float:
    """Wider models take longer: an overhead, and the parameters."""
    return 1.0 + cell.width**2 / 1000


def _summary(evidence: Evidence) -> str:
    b, told = evidence.bits_per_parameter, evidence.exposures
    return (
        "What do so many parameters and so many sentences buy together? Theory says: a fact counts if it was told often enough "
        "and fits. Transformers of several sizes each read one sample of one world once, at a learning rate that knows nothing "
        "of the run's length, and are examined on the same held-out sentences after every data size; names are given, not "
        f"learned. Two numbers are fitted: a parameter holds {b.value:.2f} bits, a fact must be told {told.value:.1f} times. "
        f"The world's discount is {evidence.world.discount:g}."
    )

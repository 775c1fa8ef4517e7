"""The hallucination study: cells out, evidence in, findings back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from twopart.findings import Claim, Findings, Table
from twopart.lab import Lab
from twopart.studies._ladder import estimate_runs, one_pass, shape, world_seed
from twopart.studies._study import Planned
from twopart.studies.hallucination import charts, claims, tables
from twopart.studies.hallucination.cells import LearnerCell, interrogate
from twopart.studies.hallucination.config import Config
from twopart.studies.hallucination.evidence import Evidence, World
from twopart.worlds import SyntaxKnowledge


def run(config: Config, lab: Lab) -> Findings:
    """Train, ask, compare."""
    worlds = [config.world(world_seed(lab.seed, "hallucination", i)) for i in range(config.seeds)]
    cells = [_cell(config, world, i, width) for i, world in enumerate(worlds) for width in config.widths]
    measured = lab.map(interrogate, cells, label="transformer", cost=_work)
    parameters = tuple(shape(worlds[0], width, config.layers).parameters for width in config.widths)
    sizes = len(config.widths)
    by_world = [tuple(measured[i * sizes : (i + 1) * sizes]) for i in range(config.seeds)]
    replicates = tuple(
        World(world, config.moments, parameters, of_world) for world, of_world in zip(worlds, by_world, strict=True)
    )
    return _findings(Evidence(tuple(f"width {width}" for width in config.widths), replicates))


def plan(config: Config) -> list[Planned]:
    """The cells of a run, with estimates."""
    settings = one_pass(config.batch, config.learning_rate, config.warmup, config.hold, "cpu")
    return [
        estimate_runs(
            f"transformer, width {width}",
            settings,
            config.world(0),
            width,
            config.layers,
            config.sentences,
            config.seeds,
        )
        for width in config.widths
    ]


def _cell(config: Config, world: SyntaxKnowledge, replicate: int, width: int) -> LearnerCell:
    return LearnerCell(
        label=f"width {width}, replicate {replicate + 1}",
        world=world,
        sentences=config.sentences,
        moments=config.moments,
        questions=config.questions,
        layers=config.layers,
        width=width,
        batch=config.batch,
        learning_rate=config.learning_rate,
        warmup=config.warmup,
        hold=config.hold,
    )


def _work(cell: LearnerCell) -> float:
    """About the matrix products of a sentence."""
    return cell.sentences * (100 + cell.width) * cell.layers


def _findings(evidence: Evidence) -> Findings:
    return Findings(
        title="What a model makes up",
        summary=_summary(evidence),
        claims=tuple(_claims(evidence)),
        tables=(
            Table("rates", "Share of wrong answers", tables.rates(evidence), tables.RATES_CAPTION),
            Table("frequency", "Wrong answers by frequency", tables.by_frequency(evidence), tables.FREQUENCY_CAPTION),
            Table("reliability", "Confidence and accuracy", tables.reliability(evidence), tables.RELIABILITY_CAPTION),
            Table("unseen", "Answers about facts never told", tables.unseen(evidence), tables.UNSEEN_CAPTION),
        ),
        charts=tuple(charts.figures(evidence)),
    )


def _claims(evidence: Evidence) -> Iterator[Claim]:
    sizes = range(len(evidence.labels))
    ends = (0, len(evidence.labels) - 1)
    for size in sizes:
        yield claims.not_below_missing_mass(evidence, size)
    for way in ("sampled", "best"):
        yield claims.rate_predicted(evidence, way)
    yield claims.larger_hallucinate_less(evidence)
    for size in ends:
        yield claims.drawn_from_base(evidence, size)
        yield claims.guesses_the_mode(evidence, size)
        yield claims.doubts_what_it_was_not_told(evidence, size)
        yield claims.calibrated(evidence, size)
        yield claims.doubt_avoids_error(evidence, size)


def _summary(evidence: Evidence) -> str:
    fitted = [(world.exposures, world.bits_per_parameter) for world in evidence.worlds if world.predictable]
    found = (
        f"From the held-out redundancy, not from answers: T = {np.mean([t for t, _ in fitted]):.3g} exposures per fact, "
        f"{np.mean([b for _, b in fitted]):.3g} bits per parameter (means over replicates)."
        if fitted
        else "The held-out redundancy gave no T or no bits per parameter, and nothing is predicted."
    )
    earlier, end = evidence.moments
    return (
        "A model that must answer is wrong about what it was not told and about what does not fit. Theory says how often: at "
        "least as often as the missing mass demands, less with size, and about such facts it answers from the base "
        f"distribution, with the doubt that this deserves. Transformers ({', '.join(evidence.labels)}) are asked for every "
        f"fact of a held-out sample after {earlier:,} and {end:,} sentences; values are not equally probable. {found}"
    )

"""The capacity-law study: cells out, evidence in, findings back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from twopart.findings import Claim, Findings, Table
from twopart.lab import Lab
from twopart.studies._ladder import biographies, converge, estimate_runs, shape, world_seed
from twopart.studies._study import Planned
from twopart.studies.capacity_law import charts, claims, tables
from twopart.studies.capacity_law.cells import ModelCell, train_model
from twopart.studies.capacity_law.config import Config
from twopart.studies.capacity_law.evidence import Evidence, Model, by_label


def run(config: Config, lab: Lab) -> Findings:
    """Train, ask, compare."""
    cells = _cells(config, lab.seed)
    halves = _halves(cells)
    found = lab.map(train_model, [*cells, *halves], label="model", cost=_work)
    models = [Model(cell, table) for cell, table in zip([*cells, *halves], found, strict=True)]
    whole, half = models[: len(cells)], models[len(cells) :]
    pairs = [(short, next(m for m in whole if _twins(m.cell, short.cell))) for short in half]
    return findings(by_label(whole, config.discounts), pairs)


def plan(config: Config) -> list[Planned]:
    """The cells of a run, with estimates: a row for each width."""
    cells = _cells(config, seed=0)
    everything = [*cells, *_halves(cells)]
    settings = converge(config.batch, config.learning_rate, config.warmup, "cpu")
    rows = []
    for width in sorted({cell.width for cell in cells}):
        mine = [cell for cell in everything if cell.width == width]
        mean = sum(cell.sentences for cell in mine) // len(mine)
        rows.append(estimate_runs(f"width {width}", settings, mine[0].world, width, config.layers, mean, len(mine)))
    return rows


def findings(groups: dict[str, Evidence], pairs: list[tuple[Model, Model]]) -> Findings:
    """What the models of each discount show; `pairs` are runs of half as many sentences and of all."""
    models, ranks, curves = tables.models(groups), tables.ranks(groups), tables.law(groups)
    return Findings(
        title="The capacity law",
        summary=_summary(groups),
        claims=tuple(_claims(groups, pairs)),
        tables=(
            Table("models", "Models of all sizes", models, tables.MODELS_CAPTION),
            Table("law", "The capacity law at the fitted bits per parameter", curves, tables.LAW_CAPTION),
            Table("ranks", "What is held, by rank of the entity", ranks, tables.RANKS_CAPTION),
            Table("convergence", "Half of the training", tables.convergence(pairs), tables.CONVERGENCE_CAPTION),
        ),
        charts=tuple(charts.figures(models, curves, ranks)),
    )


def _claims(groups: dict[str, Evidence], pairs: list[tuple[Model, Model]]) -> Iterator[Claim]:
    judges = (
        claims.follows_the_law,
        claims.exponent,
        claims.bits_per_parameter,
        claims.proportional,
        claims.threshold,
        claims.sharp,
        claims.syntax_first,
    )
    for judge in judges:
        for group in groups.values():
            yield judge(group)
    if len(groups) > 1:
        yield claims.one_number(list(groups.values()))
    yield claims.converged(pairs)


def _cells(config: Config, seed: int) -> list[ModelCell]:
    """Every model of every ladder, the main discount's first."""
    main = [_ladder(config, config.discounts[0], i, config.widths, seed) for i in range(config.replicates)]
    others = [_ladder(config, discount, 0, config.other_widths, seed) for discount in config.discounts[1:]]
    return [cell for ladder in [*main, *others] for cell in ladder]


def _ladder(config: Config, discount: float, replicate: int, widths: tuple[int, ...], seed: int) -> list[ModelCell]:
    seed = world_seed(seed, "capacity-law", f"{discount:g}", replicate)
    world = biographies(discount, seed, values=config.values, templates=config.templates)
    return [
        ModelCell(
            label=f"d = {discount:g}, width {width}, world {replicate + 1}",
            world=world,
            entities=config.entities,
            width=width,
            layers=config.layers,
            sentences=max(config.sentences, config.per_parameter * shape(world, width, config.layers).parameters),
            temper=config.temper,
            batch=config.batch,
            learning_rate=config.learning_rate,
            warmup=config.warmup,
        )
        for width in widths
    ]


def _halves(cells: list[ModelCell]) -> list[ModelCell]:
    """The smallest, the middle and the largest model of the first ladder, trained on half as many sentences."""
    ladder = [cell for cell in cells if cell.world == cells[0].world]
    chosen = (ladder[0], ladder[len(ladder) // 2], ladder[-1])
    return [replace(cell, label=f"{cell.label}, half", sentences=cell.sentences // 2) for cell in chosen]


def _twins(whole: ModelCell, half: ModelCell) -> bool:
    return (whole.world, whole.width) == (half.world, half.width)


def _work(cell: ModelCell) -> float:
    """Sentences times what one of them costs: an overhead, and the parameters."""
    return cell.sentences * (20_000.0 + cell.parameters)


def _summary(groups: dict[str, Evidence]) -> str:
    fitted = "; ".join(f"{g.bits_per_parameter.value:.2f} at {label}" for label, g in groups.items())
    return (
        "What can a model of so many parameters hold of a world, and which of it? Theory answers exactly for the best model "
        "of so many bits: first syntax, then facts in the order of their frequency, down to a sharp threshold. Here small "
        "transformers are trained to convergence on a finite world and asked every fact and every sentence, so that their "
        "redundancy is an expectation and no sample. Names are given, not learned. One number is fitted for each kind of "
        f"world, the bits that a parameter holds: {fitted}."
    )

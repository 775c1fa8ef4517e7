"""The fine-tuning study: cells out, evidence in, findings back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from twopart.findings import Claim, Findings, Table
from twopart.lab import Lab
from twopart.studies._ladder import biographies, converge, estimate_runs, one_pass, world_seed
from twopart.studies._study import Planned
from twopart.studies.fine_tuning import charts, claims, tables
from twopart.studies.fine_tuning.cells import DOSES, FACTS, FORMAT, PretrainCell, TuneCell, pretrain, tune
from twopart.studies.fine_tuning.config import Config
from twopart.studies.fine_tuning.evidence import Evidence, Replicate, Tuned, capacity

HALF = 0.5
"""Share of old sentences in the second fine-tuning on the new format."""


def run(config: Config, lab: Lab) -> Findings:
    """Train once, fine-tune in every way, compare."""
    starts = {width: _starts(config, width, lab.seed) for width in config.widths}
    lab.map(pretrain, [cell for cells in starts.values() for cell in cells], label="pretraining", cost=_pretraining)
    cells = [cell for started in starts.values() for start in started for cell in _tunings(config, start)]
    found = [Tuned(*pair) for pair in zip(cells, lab.map(tune, cells, label="tuning", cost=_tuning), strict=True)]
    return findings([_evidence(config, starts, found, width) for width in config.widths])


def plan(config: Config) -> list[Planned]:
    """The cells of a run, with estimates."""
    rows = []
    for width in config.widths:
        start = _starts(config, width, seed=0)[0]
        tunings = _tunings(config, start)
        mean = sum(cell.sentences + max(cell.recovery, default=0) for cell in tunings) // len(tunings)
        settings = converge(config.batch, config.learning_rate, config.warmup, "cpu")
        tuned = one_pass(config.tune_batch, config.tune_rate, config.tune_warmup, config.tune_hold, "cpu")
        shape = (start.before, width, config.layers)
        rows.append(estimate_runs(f"pretraining, width {width}", settings, *shape, config.sentences, config.seeds))
        rows.append(estimate_runs(f"fine-tuning, width {width}", tuned, *shape, mean, len(tunings) * config.seeds))
    return rows


def findings(groups: list[Evidence]) -> Findings:
    """What the models of all sizes show, the smallest first."""
    forgetting, frontier = tables.forgetting(groups), tables.frontier(groups)
    formats, doses, wrong = tables.formats(groups), tables.doses(groups), tables.wrong(groups)
    recovery = tables.recovery(groups)
    return Findings(
        title="Fine-tuning",
        summary=_summary(groups),
        claims=tuple(_claims(groups)),
        tables=(
            Table("forgetting", "Old facts by frequency", forgetting, tables.FORGETTING_CAPTION),
            Table("recovery", "Old facts taught again", recovery, tables.RECOVERY_CAPTION),
            Table("frontier", "Old facts kept and new facts learned", frontier, tables.FRONTIER_CAPTION),
            Table("format", "A new format", formats, tables.FORMAT_CAPTION),
            Table("doses", "New facts by how often they are told", doses, tables.DOSES_CAPTION),
            Table("wrong", "Confident wrong answers", wrong, tables.WRONG_CAPTION),
        ),
        charts=tuple(charts.figures(forgetting, recovery, frontier, formats, doses, wrong)),
    )


def _claims(groups: list[Evidence]) -> Iterator[Claim]:
    first, last = groups[0], groups[-1]
    for group in groups:
        yield claims.format_falls_as_one_over_n(group)
        yield claims.format_price_predicted(group)
    for replay in (0.0, HALF):
        yield claims.transfers(last, replay)
    for group in (first, last):
        yield claims.all_or_nothing(group)
    yield claims.room_makes_facts_cheap(first, last)
    for group in groups:
        for replay in (0.0, first.replicates[0].replays[-2]):
            yield claims.rarest_first(group, replay)
    yield claims.room_protects(last)
    for group in (first, last):
        yield claims.recovers(group)
    for group in groups:
        yield claims.replay_keeps_what_the_law_says(group)
        yield claims.new_facts_as_the_law_says(group)
    yield claims.any_replay_protects(last)
    for rank in last.replicates[0].ranks:
        yield claims.lora_learns_less(last, rank)
        yield claims.lora_forgets_less(last, rank)
        yield claims.lora_keeps_more_for_what_it_learns(last, rank)
    for group in (first, last):
        yield claims.strangers_invented(group)
        yield claims.old_facts_invented(group)


def _starts(config: Config, width: int, seed: int) -> list[PretrainCell]:
    """The models of one width before fine-tuning, one per replicate; all widths read the same worlds."""
    return [
        PretrainCell(
            label=f"width {width}, replicate {i + 1}",
            world=biographies(
                config.discount,
                world_seed(seed, "fine-tuning", i),
                values=config.values,
                templates=config.templates,
            ),
            templates=config.templates,
            entities=config.entities,
            width=width,
            layers=config.layers,
            sentences=config.sentences,
            temper=config.temper,
            batch=config.batch,
            learning_rate=config.learning_rate,
            warmup=config.warmup,
        )
        for i in range(config.seeds)
    ]


def _tunings(config: Config, start: PretrainCell) -> list[TuneCell]:
    """Every way in which one model is fine-tuned."""
    base = TuneCell(
        label=start.label,
        start=start,
        tells=FACTS,
        sentences=config.examples,
        moments=config.moments,
        new=config.new,
        doses=(),
        replay=0.0,
        rank=0,
        recovery=(),
        strangers=config.strangers,
        batch=config.tune_batch,
        learning_rate=config.tune_rate,
        warmup=config.tune_warmup,
        hold=config.tune_hold,
    )
    replays = [
        replace(base, label=f"{base.label}, replay {r:g}", replay=r, recovery=config.recovery if r == 0 else ())
        for r in config.replays
    ]
    ranks = [replace(base, label=f"{base.label}, LoRA {rank}", rank=rank) for rank in config.ranks]
    told = sum(config.doses) * config.each * len(start.world.attributes)
    dosed = replace(base, label=f"{base.label}, doses", tells=DOSES, new=config.each, doses=config.doses)
    dosed = replace(dosed, sentences=told, moments=(told,))
    long = replace(base, tells=FORMAT, sentences=config.format_examples, moments=config.format_moments)
    formats = [replace(long, label=f"{base.label}, format, replay {r:g}", replay=r) for r in (0.0, HALF)]
    return [*replays, *ranks, dosed, *formats]


def _evidence(config: Config, starts: dict[int, list[PretrainCell]], found: list[Tuned], width: int) -> Evidence:
    """The runs of one width, with what its models can hold."""
    replicates = []
    for smallest, start in zip(starts[config.widths[0]], starts[width], strict=True):
        mine = tuple(run for run in found if run.cell.start == start)
        small = next(run for run in found if run.cell.start == smallest)
        per_parameter = capacity(smallest, int(small.known("old", 0).sum())) / smallest.parameters
        replicates.append(Replicate(start, mine, per_parameter * start.parameters))
    return Evidence(f"width {width}", width, starts[width][0].parameters, tuple(replicates))


def _pretraining(cell: PretrainCell) -> float:
    """About the matrix products of a sentence."""
    return cell.sentences * (100.0 + cell.width) * cell.layers


def _tuning(cell: TuneCell) -> float:
    """The same: small batches cost several times as much."""
    return (cell.sentences + max(cell.recovery, default=0)) * (100.0 + cell.start.width) * cell.start.layers


def _summary(groups: list[Evidence]) -> str:
    before = "; ".join(
        f"{group.label} {group.each(lambda r: r.facts().share('old')[0]).mean():.0%}" for group in groups
    )
    config = groups[0].replicates[0].facts().cell
    return (
        f"Models are trained once on {config.start.entities} entities and know then, of all facts: {before}. Each is then "
        "fine-tuned: on a new format of the same facts; on new facts, each told so and so often; on new facts with more or "
        "less replay of the old sentences; with all weights or with LoRA. On the way it is asked for old facts, for new "
        "ones, and for facts that nobody ever told. Theory: a format is bought at 1/n; new facts are bought whole, and "
        "where there is no room they displace the rarest old ones; replay keeps what is worth it; nothing is made up."
    )

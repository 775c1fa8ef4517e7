"""The data-law study: cells out, evidence in, findings back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from twopart import _random
from twopart.findings import Claim, Findings, Table
from twopart.lab import Lab
from twopart.roles import ROLES
from twopart.studies._study import Planned
from twopart.studies.data_law import charts, claims
from twopart.studies.data_law.cells import BayesCell, TransformerCell, simulate_bayes, train_transformer
from twopart.studies.data_law.config import Config
from twopart.studies.data_law.estimates import estimate_simulation, estimate_training
from twopart.studies.data_law.evidence import Evidence


def run(config: Config, lab: Lab) -> Findings:
    """Train, simulate, compare."""
    groups = _groups(config, lab.seed)
    cells = [cell for group in groups.values() for cell in group]
    trained = dict(zip(cells, lab.map(train_transformer, cells, label="transformer", cost=_work), strict=True))
    codes = _bayes_cells(config, groups)
    simulated = dict(zip(codes, lab.map(simulate_bayes, list(codes.values()), label="Bayes code"), strict=True))
    evidence = {
        label: Evidence(
            label,
            group[0].world,
            group[0].sentences,
            tuple(trained[c] for c in group),
            simulated.get(label),
            config.bayes_worlds,
        )
        for label, group in groups.items()
    }
    return _findings(evidence)


def plan(config: Config) -> list[Planned]:
    """The cells of a run, with estimates."""
    groups = _groups(config, seed=0)
    trained = [estimate_training(label, cells) for label, cells in groups.items()]
    return trained + [estimate_simulation(label, cell) for label, cell in _bayes_cells(config, groups).items()]


def _groups(config: Config, seed: int) -> dict[str, list[TransformerCell]]:
    """The training runs by kind of world."""

    def cells(label: str, rendering: str, sentences: int, **world: Any) -> list[TransformerCell]:
        return [
            _cell(config, label, i, rendering, sentences, _world_seed(seed, label, i), **world)
            for i in range(config.seeds)
        ]

    groups = {f"d = {d:g}": cells(f"d = {d:g}", "symbols", config.sentences, discount=d) for d in config.discounts}
    if config.population:
        groups["control"] = cells("control", "symbols", config.sentences, control=True)
    if config.english_sentences:
        d = config.english_discount
        groups["English"] = cells("English", "english", config.english_sentences, discount=d)
    return groups


def _cell(
    config: Config, label: str, replicate: int, rendering: str, sentences: int, seed: int, **world: Any
) -> TransformerCell:
    return TransformerCell(
        label=f"{label}, replicate {replicate + 1}",
        world=config.world(seed, **world),
        rendering=rendering,
        sentences=sentences,
        vocabulary=config.english_vocabulary if rendering == "english" else 0,
        layers=config.layers,
        width=config.width,
        heads=config.heads,
        batch=config.batch,
        learning_rate=config.learning_rate,
        warmup=config.warmup,
        hold=config.hold,
    )


def _world_seed(seed: int, label: str, replicate: int) -> int:
    """32 bits, so that the seeds of simulated worlds, counted up from here, do not meet those of other kinds of world."""
    return int(_random.keys(seed, 1, "data-law", label, replicate)[0] >> 32)


def _bayes_cells(config: Config, groups: dict[str, list[TransformerCell]]) -> dict[str, BayesCell]:
    """One simulation of the Bayes code for each kind of world but English, where it is the same as for symbols."""
    return {
        label: BayesCell(
            f"{label}, {config.bayes_worlds} worlds", group[0].world, config.bayes_worlds, group[0].sentences
        )
        for label, group in groups.items()
        if group[0].rendering == "symbols"
    }


def _work(cell: TransformerCell) -> float:
    """Sentences times their usual length: English ones are about four times as long."""
    return cell.sentences * (4.0 if cell.rendering == "english" else 1.0)


def _findings(evidence: dict[str, Evidence]) -> Findings:
    curves, exposures, rarity = _curves(evidence), _by_axis(evidence, "exposures"), _by_axis(evidence, "rarity")
    return Findings(
        title="The data law",
        summary=_summary(evidence),
        claims=tuple(_claims(evidence)),
        tables=(
            Table("curves", "Redundancy per sentence by sentences seen", curves, charts.CURVES_CAPTION),
            Table("exposures", "Bits of a fact by times it was stated before", exposures, charts.EXPOSURES_CAPTION),
            Table("rarity", "Bits of a fact by how rare its entity is", rarity, charts.RARITY_CAPTION),
        ),
        charts=tuple(charts.figures(curves, exposures, rarity)),
    )


def _claims(evidence: dict[str, Evidence]) -> Iterator[Claim]:
    worlds = [group for label, group in evidence.items() if label != "control"]
    for group in evidence.values():
        if group.bayes is not None:
            yield claims.bayes_matches(group)
    for judge in (claims.knowledge_exponent, claims.exposures_per_fact, claims.syntax_first):
        for group in worlds:
            yield judge(group)
    if "control" in evidence:
        yield claims.no_power_law(evidence["control"])


def _summary(evidence: dict[str, Evidence]) -> str:
    kinds = ", ".join(evidence)
    return (
        "How many bits per sentence does it cost not to know the world, after so many sentences? Theory answers exactly "
        "for the best possible learner; the Bayes code is simulated; transformers are trained on a single pass, each "
        "sentence's loss taken before the update it causes, so that the curve is a code length too. "
        f"Worlds: {kinds}."
    )


def _curves(evidence: dict[str, Evidence]) -> pl.DataFrame:
    """One row per world, role and bin: law, simulated Bayes code with its error, and the transformers' mean and range."""
    return pl.concat([_curve(group, role) for group in evidence.values() for role in ROLES])


def _curve(group: Evidence, role: str) -> pl.DataFrame:
    learner, size = group.curves(role), len(group.bins.centres)
    empty = [None] * size
    bayes = group.bayes
    frame = pl.DataFrame(
        {
            "world": [group.label] * size,
            "role": [role] * size,
            "sentences": group.bins.centres,
            "law": group.law[role],
            "asymptote": group.asymptote[role],
            "bayes": empty if bayes is None else bayes[role],
            "bayes_error": empty if bayes is None else bayes[f"{role}_error"],
            "transformer": learner.mean(0),
            "transformer_low": learner.min(0),
            "transformer_high": learner.max(0),
        }
    )
    return frame.cast({"bayes": pl.Float64, "bayes_error": pl.Float64})


def _by_axis(evidence: dict[str, Evidence], axis: str) -> pl.DataFrame:
    """Mean value bits by `axis`, over all replicates of a kind of world, every sentence with equal weight."""
    bits = (pl.col("value") * pl.col("count")).sum() / pl.col("count").sum()
    return pl.concat(
        pl.concat(run.filter(pl.col("axis") == axis) for run in group.runs)
        .group_by(pl.lit(group.label).alias("world"), "low", "high")
        .agg(pl.col("count").sum().alias("sentences"), bits.alias("value"))
        .sort("low")
        for group in evidence.values()
    )

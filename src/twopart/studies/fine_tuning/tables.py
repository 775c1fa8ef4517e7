"""The tables of the fine-tuning study: means over replicates, from which the figures are drawn too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from twopart.studies.fine_tuning.cells import FACTS
from twopart.studies.fine_tuning.evidence import Evidence, Floats, Tuned

FORGETTING_CAPTION = (
    "Share of all old facts that is known, by the rank of their entity (1: the most frequent), after so many sentences about "
    "new entities, without replay. Sentences 0: before fine-tuning."
)
RECOVERY_CAPTION = (
    "Share of all old facts that is known when the old sentences are read again after fine-tuning without replay, and before "
    "fine-tuning ('before')."
)
FRONTIER_CAPTION = (
    "After so many sentences of fine-tuning: share of the new facts that is known, and of the old facts known before the share "
    "that still is; low and high: lowest and highest replicate. Law: the best model of the "
    "measured capacity, trained to the end."
)
FORMAT_CAPTION = (
    "Fine-tuning on old facts in a new format. Redundancy of its templates in bits per sentence, and the Bayes code's; "
    "share of facts known in the new format ('reworded') and in the old one ('old'), of the entities that examples speak of "
    "('practised') and of the others. With replay both formats are told, and which one comes is 1 bit at a half."
)
DOSES_CAPTION = (
    "Share of new facts known at the end of fine-tuning in which each was told exactly so often, in random order."
)
WRONG_CAPTION = (
    "Share of questions answered wrongly with a confidence above 0.5, before fine-tuning and at its end, by what was "
    "asked, and the share of new facts known. Replay 100 %: nothing but old sentences."
)

LAW = "law"
ALL = "all weights"
PER_DOUBLING = 1


def forgetting(groups: Sequence[Evidence]) -> pl.DataFrame:
    """Old facts known by bins of rank and moment, without replay."""
    rows = []
    for group in groups:
        runs = [r.facts() for r in group.replicates]
        edges = _edges(runs[0].cell.start.entities)
        for n in runs[0].moments:
            shares = np.mean([_by_rank(run, n, edges) for run in runs], 0)
            columns = {"low": edges[:-1], "high": edges[1:], "known": shares}
            rows.append(_labelled(columns, model=group.label, sentences=n))
    return pl.concat(rows)


def recovery(groups: Sequence[Evidence]) -> pl.DataFrame:
    """Old facts known while the old sentences are read again."""
    rows = []
    for group in groups:
        runs = [r.facts() for r in group.replicates]
        before = _mean(run.known("old", 0).mean() for run in runs)
        after = [(0, _mean(run.known("old").mean() for run in runs))]
        after += [(n, _mean(run.known("old", n, "recovery").mean() for run in runs)) for n in runs[0].cell.recovery]
        rows += [{"model": group.label, "sentences": n, "known": share, "before": before} for n, share in after]
    return pl.DataFrame(rows)


def frontier(groups: Sequence[Evidence]) -> pl.DataFrame:
    """Old facts kept and new facts known, for every way of fine-tuning on new facts and every moment; and the law."""
    return pl.concat([frame for group in groups for frame in (*_ways(group), _law(group))], how="diagonal")


def _ways(group: Evidence) -> Iterable[pl.DataFrame]:
    ways = [(run.cell.replay, run.cell.rank) for run in group.replicates[0].runs if run.cell.tells == FACTS]
    for replay, rank in ways:
        runs = [r.facts(replay, rank) for r in group.replicates]
        new, kept = np.array([run.share("new") for run in runs]), np.array([run.kept for run in runs])
        columns = {
            "sentences": np.array(runs[0].moments),
            "new": new.mean(0),
            "kept": kept.mean(0),
            "kept low": kept.min(0),
            "kept high": kept.max(0),
        }
        yield _labelled(columns, model=group.label, way=f"LoRA, rank {rank}" if rank else ALL, replay=replay)


def _law(group: Evidence) -> pl.DataFrame:
    replays = np.array(group.replicates[0].replays[1:])
    kept, new = np.mean([r.law(replays) for r in group.replicates], 0)
    columns = {"replay": replays, "new": np.where(replays < 1, new, 0.0), "kept": kept}
    return _labelled(columns, model=group.label, way=LAW)


def formats(groups: Sequence[Evidence]) -> pl.DataFrame:
    """The course of fine-tuning on a new format."""
    rows = []
    for group in groups:
        for replay in sorted({run.cell.replay for run in group.replicates[0].runs}):
            runs = [
                run
                for r in group.replicates
                for run in r.runs
                if run.cell.tells == "format" and run.cell.replay == replay
            ]
            rows += [_moment(group, runs, replay, i) for i in range(len(runs[0].moments) if runs else 0)]
    return pl.DataFrame(rows)


def _moment(group: Evidence, runs: list[Tuned], replay: float, i: int) -> dict[str, object]:
    n = runs[0].moments[i]
    law = group.each(lambda r: r.format_law(np.array([float(n)]))[0])
    row: dict[str, object] = {
        "model": group.label,
        "replay": replay,
        "sentences": n,
        "redundancy": _mean(run.redundancy[i] for run in runs),
        "Bayes code": float(law.mean()),
    }
    for asked in ("reworded", "old"):
        for practised in (True, False):
            name = f"{asked}, {'practised' if practised else 'others'}"
            row[name] = _mean(_practised(run, asked, n, practised).mean() for run in runs)
    return row


def _practised(run: Tuned, asked: str, n: int, practised: bool) -> Floats:
    ranks = run.at(asked, n)["rank"].to_numpy()
    return np.asarray(run.known(asked, n)[(ranks % 2 == 1) == practised], float)


def doses(groups: Sequence[Evidence]) -> pl.DataFrame:
    """New facts known by how often they were told."""
    rows = []
    for group in groups:
        shares = group.each(lambda r: r.dosed.doses[1])
        columns = {
            "told": group.replicates[0].dosed.doses[0],
            "known": shares.mean(0),
            "low": shares.min(0),
            "high": shares.max(0),
        }
        rows.append(_labelled(columns, model=group.label))
    return pl.concat(rows)


def wrong(groups: Sequence[Evidence]) -> pl.DataFrame:
    """Confident wrong answers by share of replay."""
    rows = []
    for group in groups:
        for replay in group.replicates[0].replays:
            runs = [r.facts(replay) for r in group.replicates]
            for asked in ("stranger", "old"):
                row = {"model": group.label, "replay": replay, "asked": asked}
                before = _mean(run.confidently_wrong(asked, 0) for run in runs)
                after = _mean(run.confidently_wrong(asked) for run in runs)
                known = _mean(run.known("new").mean() for run in runs)
                rows.append({**row, "before": before, "after": after, "new facts known": known})
    return pl.DataFrame(rows)


def _by_rank(run: Tuned, n: int, edges: Floats) -> Floats:
    answers = run.at("old", n)
    which = np.digitize(answers["rank"].to_numpy(), edges) - 1
    known = answers["right"].cast(pl.Float64).to_numpy()
    return np.asarray(np.bincount(which, known) / np.bincount(which))


def _edges(entities: int) -> Floats:
    """Ranks from 1 to one beyond the last, doubling."""
    steps = 2.0 ** np.arange(int(np.log2(entities)) + 1)
    steps = steps[steps <= 0.75 * entities]  # no bin is narrower than a third of the one before
    return np.asarray(np.r_[steps, entities + 1.0])


def _labelled(columns: dict[str, Floats], **labels: object) -> pl.DataFrame:
    return pl.DataFrame(columns).select(*(pl.lit(v).alias(k) for k, v in labels.items()), pl.all())


def _mean(numbers: Iterable[float]) -> float:
    return float(np.mean(list(numbers)))

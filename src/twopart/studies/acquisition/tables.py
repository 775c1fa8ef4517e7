"""The tables of the acquisition study, from the evidence."""

from __future__ import annotations

import numpy as np
import polars as pl

from twopart.fits import LogBins
from twopart.studies.acquisition.evidence import Evidence, Run

RANKS_PER_DECADE = 6
TOLD_PER_DECADE = 4

KNOWN_CAPTION = (
    "Facts of entities of rank low <= rank < high, asked after so many sentences; known: more than half of the bits gained. "
    "Gained: mean share of a fact's bits, log2 of the true value's probability over its base probability; below 0 where the "
    "model is led astray. Means over attributes and replicates."
)
THRESHOLDS_CAPTION = (
    "Threshold: frequency p π_a at which half of the facts are known, geometric mean over replicates, with the lowest and "
    "highest; T: how often a fact of that frequency was told by then. Sharpness: frequency at which 90 % are known over that "
    "at which 10 % are. Order: Somers' D of falling frequency and learning time, and the Bayes code's, all the run."
)
SEEN_CAPTION = "Mean redundancy per sentence in bits, over bins of sentences seen and replicates, prequential."


def known(evidence: dict[str, Evidence]) -> pl.DataFrame:
    """Share known and mean bits by size, sentences and bin of ranks."""
    return pl.concat([_known(group) for group in evidence.values()])


def _known(group: Evidence) -> pl.DataFrame:
    bins = LogBins(int(group.runs[0].rank.max()) + 1, per_decade=RANKS_PER_DECADE)
    edges = bins.edges
    frames = []
    for run in group.runs:
        where = bins.index(run.rank)
        count = np.bincount(where)
        for at, n in enumerate(run.sentences):
            share = np.bincount(where, run.known[at]) / count
            gained = np.bincount(where, run.gained[at] / run.entropy) / count
            columns = {"low": edges[:-1], "high": edges[1:], "known": share, "gained": gained}
            frames.append(pl.DataFrame({"model": group.label, "sentences": int(n), **columns}))
    means = pl.concat(frames).group_by("model", "sentences", "low", "high", maintain_order=True)
    return means.agg(pl.col("known").mean(), pl.col("gained").mean())


def thresholds(evidence: dict[str, Evidence]) -> pl.DataFrame:
    """One row per size and snapshot; the control, whose facts are equally frequent, has no threshold."""
    return pl.concat([_thresholds(group) for label, group in evidence.items() if label != "control"])


def _thresholds(group: Evidence) -> pl.DataFrame:
    logs, sentences = group.thresholds, group.sentences
    middle, runs, size = np.exp(logs.mean(0)), group.runs, len(group.sentences)
    sharp = np.array([[np.log(run.sharpness(at)) for at in range(size)] for run in runs])
    frame = pl.DataFrame(
        {
            "model": [group.label] * size,
            "parameters": [group.parameters] * size,
            "sentences": sentences,
            "threshold": middle,
            "threshold_low": np.exp(logs.min(0)),
            "threshold_high": np.exp(logs.max(0)),
            "T": middle * sentences,
            "sharpness": np.exp(sharp.mean(0)),
            "facts known": np.mean([run.known.sum(1) for run in runs], axis=0),
            "order": [float(np.mean([run.order for run in runs]))] * size,
            "order, Bayes code": [float(np.mean([run.bayes_order for run in runs]))] * size,
        }
    )
    return frame.with_columns(pl.selectors.float().fill_nan(None))


def by_told(group: Evidence) -> pl.DataFrame:
    """Share known by how often a fact is expected to have been told, n p π_a, at the snapshots of the last tenfold."""
    return pl.concat([_by_told(group, at) for at in np.flatnonzero(group.upper)[::-2][::-1]])


def _by_told(group: Evidence, at: int) -> pl.DataFrame:
    n = int(group.sentences[at])
    expected = np.concatenate([run.frequency for run in group.runs]) * n
    right = np.concatenate([run.known[at] for run in group.runs])
    which = np.floor(np.log10(expected) * TOLD_PER_DECADE).astype(int)
    rows = [
        {
            "told": 10 ** ((k + 0.5) / TOLD_PER_DECADE),
            "known": right[which == k].mean(),
            "facts": int((which == k).sum()),
        }
        for k in np.unique(which)
    ]
    frame = pl.DataFrame(rows).filter(pl.col("facts") >= 10)
    return frame.select(pl.lit(group.label).alias("model"), pl.lit(f"{n:,} sentences").alias("series"), pl.all())


def seen(evidence: dict[str, Evidence]) -> pl.DataFrame:
    """Prequential redundancy by size and bin of sentences."""
    return pl.concat([_seen(group.label, group.runs) for group in evidence.values()])


def _seen(label: str, runs: tuple[Run, ...]) -> pl.DataFrame:
    means = pl.concat([run.seen for run in runs]).group_by("low", "high", maintain_order=True)
    return means.agg(pl.col("syntax").mean(), pl.col("value").mean()).select(pl.lit(label).alias("model"), pl.all())

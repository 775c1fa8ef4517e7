"""The tables of the hallucination study, from the evidence."""

from __future__ import annotations

import numpy as np
import polars as pl

from twopart.fits import LogBins
from twopart.studies.hallucination.answers import BINS, Floats
from twopart.studies.hallucination.claims import unseen_answers
from twopart.studies.hallucination.evidence import Evidence, World

RAREST, PER_DECADE = 10**7, 3  # of 1/frequency, and bins of it

RATES_CAPTION = (
    "Share of questions answered wrongly, by answers that are drawn as the model gives them and by best guesses: mean over "
    "replicates with lowest and highest; the law's; and the bound that no learner passes. Calibration error: expected "
    "difference of confidence and accuracy. Redundancy: value bits per held-out sentence, whence T and bits per parameter. "
    "Unseen confidence: mean confidence in the best guess about facts never told; unseen right: how often that guess is true."
)
FREQUENCY_CAPTION = (
    "At the end: facts by one over their frequency p π, low <= 1/(p π) < high; share of questions about them answered wrongly, "
    "drawn and best, mean confidence, and the law's share of wrong best guesses; all replicates together."
)
RELIABILITY_CAPTION = (
    "At the end: questions by confidence in the best guess, in bins of equal width; all replicates together. "
    "Calibrated: right as often as confident."
)
UNSEEN_CAPTION = (
    "At the end: values by their place in the attribute's base distribution, 1 the most probable; how often they were drawn or "
    "guessed as answers about facts never told, each fact counted once, all replicates together."
)


def rates(evidence: Evidence) -> pl.DataFrame:
    """One row per size, moment and way of answering."""
    return pl.concat(
        _rates(evidence, way, size, moment)
        for way in ("sampled", "best")
        for size in range(len(evidence.labels))
        for moment in range(len(evidence.moments))
    )


def _rates(evidence: Evidence, way: str, size: int, moment: int) -> pl.DataFrame:
    wrong, law = evidence.wrong[way][:, size, moment], evidence.predicted[way][:, size, moment].mean()
    answers = [world.answers(size, moment) for world in evidence.worlds]
    unseen = [a.never_told for a in answers]
    row = {
        "model": evidence.labels[size],
        "parameters": evidence.parameters[size],
        "sentences": evidence.moments[moment],
        "answers": way,
        "wrong": wrong.mean(),
        "low": wrong.min(),
        "high": wrong.max(),
        "law": float(law) if np.isfinite(law) else None,
        "bound": evidence.bound[:, moment].mean(),
        "redundancy": float(np.mean([world.redundancy[size, moment] for world in evidence.worlds])),
        "calibration error": float(np.mean([a.calibration_error for a in answers])),
        "unseen confidence": _mean_of([facts["confidence"] for facts in unseen]),
        "unseen right": _mean_of([facts["guessed"] == facts["truth"] for facts in unseen]),
    }
    return pl.DataFrame([row], schema_overrides={"law": pl.Float64})


def _mean_of(parts: list[pl.Series]) -> float | None:
    numbers = np.concatenate([part.to_numpy().astype(float) for part in parts])
    return float(numbers.mean()) if len(numbers) else None


def by_frequency(evidence: Evidence) -> pl.DataFrame:
    """One row per size and bin of one over frequency."""
    bins = LogBins(RAREST, per_decade=PER_DECADE)
    return pl.concat(_by_frequency(evidence, size, bins) for size in range(len(evidence.labels)))


def _by_frequency(evidence: Evidence, size: int, bins: LogBins) -> pl.DataFrame:
    edges = bins.edges
    sums = np.zeros((4, len(edges) - 1))
    law = np.zeros((2, len(edges) - 1))
    for world in evidence.worlds:
        answers = world.answers(size, -1)
        rarity = np.minimum(1 / answers.column("frequency"), RAREST - 1).astype(np.int64)
        where, weight = bins.index(rarity), answers.column("asked")
        numbers = [np.ones(len(where)), 1 - answers.column("correct"), 1 - answers.right, answers.column("confidence")]
        sums += [np.bincount(where, weight * x, len(edges) - 1) for x in numbers]
        predicted = _law_by_frequency(world, size, edges.astype(float))
        known = np.isfinite(predicted)
        law += [np.where(known, predicted, 0.0), known]
    count = np.maximum(sums[0], 1)
    frame = pl.DataFrame(
        {
            "model": [evidence.labels[size]] * (len(edges) - 1),
            "low": edges[:-1],
            "high": edges[1:],
            "questions": sums[0].astype(int),
            "wrong, sampled": sums[1] / count,
            "wrong, best": sums[2] / count,
            "confidence": sums[3] / count,
            "law, best": np.where(law[1] > 0, law[0] / np.maximum(law[1], 1), np.nan),
        }
    )
    return frame.filter(pl.col("questions") > 0).with_columns(pl.col("law, best").fill_nan(None))


def _law_by_frequency(world: World, size: int, edges: Floats) -> Floats:
    """The law's share of wrong best guesses in bins of one over frequency."""
    if not world.predictable:
        return np.full(len(edges) - 1, np.nan)
    unknown = world.laws[-1].by_frequency(1 / edges[::-1])[size]
    return np.asarray(unknown[::-1] * (1 - world.chance[1]))


def reliability(evidence: Evidence) -> pl.DataFrame:
    """One row per size and bin of confidence."""
    return pl.concat(_reliability(evidence, size) for size in range(len(evidence.labels)))


def _reliability(evidence: Evidence, size: int) -> pl.DataFrame:
    tables = pl.concat(world.answers(size, -1).reliability for world in evidence.worlds)
    which = (pl.col("confidence") * BINS).floor().clip(0, BINS - 1)
    share = pl.col("share").sum()
    means = [((pl.col(x) * pl.col("share")).sum() / share).alias(x) for x in ("confidence", "right")]
    frame = tables.group_by(which.alias("bin")).agg(*means, (share / len(evidence.worlds)).alias("share")).sort("bin")
    return frame.select(pl.lit(evidence.labels[size]).alias("model"), "confidence", "right", "share")


def unseen(evidence: Evidence) -> pl.DataFrame:
    """One row per size and place in the base distribution."""
    return pl.concat(_unseen(evidence, size) for size in (0, len(evidence.labels) - 1))


def _unseen(evidence: Evidence, size: int) -> pl.DataFrame:
    drawn, base = unseen_answers(evidence, size)
    told = [world.answers(size, -1).never_told["guessed"].to_numpy() for world in evidence.worlds]
    guessed = np.bincount(np.concatenate(told), minlength=len(base))
    total = max(int(drawn.sum()), 1)
    return pl.DataFrame(
        {
            "model": [evidence.labels[size]] * len(base),
            "place": np.arange(1, len(base) + 1),
            "facts": [int(drawn.sum())] * len(base),
            "base": base,
            "drawn": drawn / total,
            "drawn_error": np.sqrt(base * (1 - base) / total),
            "guessed": guessed / total,
        }
    )

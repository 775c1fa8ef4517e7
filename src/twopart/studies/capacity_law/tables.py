"""The tables of the capacity-law study."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.studies.capacity_law.evidence import Evidence, Floats, Model

MODELS_CAPTION = (
    "One row for each model. Redundancy in bits per sentence beyond those of a reader who knows the world and the name; "
    "law: of the best model of (bits per parameter) x parameters bits. Stored: bits of facts, h + log2 p(correct value) and at "
    "least 0, summed over all facts. By chance: the same with a wrong value in the correct one's place; the difference is what "
    "the model knows. Not floored: the sum without 'at least 0'. Ranks: entities down to which half (a quarter, three "
    "quarters) of the bits are held."
)
LAW_CAPTION = (
    "The exact curve in the world of the first replicate: sizes in parameters at the fitted bits per parameter, redundancy in "
    "bits per sentence."
)
RANKS_CAPTION = (
    "Part of the bits of an entity's facts that is held, less chance, averaged over ranks from low to below high; law: 1 above "
    "the threshold, 0 below. World of the first replicate."
)
CONVERGENCE_CAPTION = (
    "Redundancy in bits per sentence after a whole run of half as many sentences, with the schedule of such a run, and "
    "after all."
)

PER_OCTAVE = 2  # bins of ranks
CURVE = 121  # points of the law's curve


def models(groups: dict[str, Evidence]) -> pl.DataFrame:
    """One row for each model."""
    return pl.DataFrame([row for group in groups.values() for row in _rows(group)])


def _rows(group: Evidence) -> list[dict[str, object]]:
    return [
        {
            "world": group.label,
            "parameters": model.parameters,
            "width": model.cell.width,
            "redundancy": model.total,
            "law": float(law.total),
            "value": model.value,
            "value, law": float(law.value),
            "syntax": model.syntax,
            "syntax, law": float(law.syntax),
            "stored": model.bits("stored"),
            "stored by chance": model.bits("chance"),
            "stored, not floored": model.bits("gained"),
            "stored, law": float(law.fact_bits),
            "half held at rank": rank,
            "half held, law": law_rank,
            "quarter held at rank": model.rank_at(0.25),
            "three quarters held at rank": model.rank_at(0.75),
        }
        for model, law, rank, law_rank in zip(group.models, group.fitted, group.ranks, group.law_ranks, strict=True)
    ]


def law(groups: dict[str, Evidence]) -> pl.DataFrame:
    """The law's curve over the range of sizes."""
    return pl.concat([_curve(group) for group in groups.values()])


def _curve(group: Evidence) -> pl.DataFrame:
    sizes = np.geomspace(group.parameters.min(), group.parameters.max(), CURVE)
    b = group.bits_per_parameter.value
    found = group.models[0].law(b * sizes)
    columns = {
        "redundancy": found.total,
        "value": found.value,
        "syntax": found.syntax,
        "bits of facts": found.fact_bits,
    }
    return pl.DataFrame({"world": [group.label] * CURVE, "parameters": sizes, **columns})


def ranks(groups: dict[str, Evidence]) -> pl.DataFrame:
    """What each model of the first replicate holds, by bins of ranks."""
    return pl.concat([_by_rank(group) for group in groups.values()])


def _by_rank(group: Evidence) -> pl.DataFrame:
    first = group.models[0].cell.world
    mine = [i for i, model in enumerate(group.models) if model.cell.world == first]
    edges = _edges(len(group.models[0].share))
    frames = []
    for i in mine:
        share = _means(group.models[i].share, edges)
        known = _means((np.arange(edges[-1] - 1) < round(group.law_ranks[i])).astype(float), edges)
        columns = {"low": edges[:-1], "high": edges[1:], "held": share, "law": known}
        sizes = {"world": group.label, "parameters": group.models[i].parameters}
        frames.append(pl.DataFrame(columns).select(*(pl.lit(v).alias(k) for k, v in sizes.items()), pl.all()))
    return pl.concat(frames)


def _edges(entities: int) -> NDArray[np.int64]:
    """Whole ranks from 1 to one beyond the last, `PER_OCTAVE` to a doubling."""
    steps = np.arange(int(np.log2(entities) * PER_OCTAVE) + 1) / PER_OCTAVE
    return np.unique(np.r_[np.round(2**steps), entities + 1]).astype(np.int64)


def _means(x: Floats, edges: NDArray[np.int64]) -> Floats:
    """Means of x, whose first entry is that of rank 1, over bins."""
    return np.asarray(np.add.reduceat(x, edges[:-1] - 1) / np.diff(edges))


def convergence(pairs: Sequence[tuple[Model, Model]]) -> pl.DataFrame:
    """Half of the training beside all of it."""
    return pl.DataFrame(
        [
            {
                "parameters": whole.parameters,
                "sentences": whole.cell.sentences,
                "after half": half.total,
                "after all": whole.total,
                "ratio": half.total / whole.total,
            }
            for half, whole in pairs
        ]
    )

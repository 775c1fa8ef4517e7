"""The tables of the structure-function study."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from twopart.studies.structure_function.evidence import Family, Ideal

CODES_CAPTION = (
    "Codes of the first world's corpus that lie on the frontier of their family, in bits; names are known to both "
    "sides. Beyond the oracle: data bits, and the whole, less what the sentences take for who knows the world."
)
BENDS_CAPTION = (
    "The ideal code of least total, world by world and for beginnings of the corpus, beside theory: the capacity law "
    "at a price of 1/N. Bayes code: its redundancy, names given, and what is expected of it. All in bits."
)
TEXT_CODES_CAPTION = (
    "Two-part codes of the text that lie on the frontier of their family: sizes of files that were decoded and "
    "compared, in bits, with the container's own in the total."
)
ONE_PART_CAPTION = (
    "Codes of the text without a model part: prequential ones, and other people's compressors. Each was decoded and "
    "compared; the note says why a size is missing."
)


def codes(ideal: Ideal, others: Sequence[Family]) -> pl.DataFrame:
    """Frontiers of all families of codes of the first corpus."""
    first = Family("ideal", ideal.model, ideal.excess + ideal.oracle, ideal.model + ideal.excess + ideal.oracle)
    return pl.concat(_frontier(family, ideal.oracle) for family in (first, *others))


def _frontier(family: Family, oracle: float) -> pl.DataFrame:
    on = family.frontier
    columns = {
        "model bits": family.model[on],
        "data bits": family.data[on],
        "data bits beyond the oracle": family.data[on] - oracle,
        "total beyond the oracle": family.total[on] - oracle,
    }
    return pl.DataFrame({"family": [family.name] * len(on), **columns})


def bends(ladders: Sequence[Sequence[Ideal]]) -> pl.DataFrame:
    """A row for each corpus."""
    return pl.DataFrame(
        [
            {
                "world": world + 1,
                "sentences": ideal.n,
                "oracle": ideal.oracle,
                "model bits": ideal.model[ideal.best],
                "model bits, law": float(ideal.bend.bits),
                "facts": ideal.table["facts"][ideal.best],
                "facts, law": float(ideal.bend.facts),
                "total beyond the oracle": ideal.redundancy,
                "total, law": ideal.lawful,
                "Bayes code": ideal.bayes,
                "Bayes code, expected": ideal.lawful_bayes,
            }
            for world, ladder in enumerate(ladders)
            for ideal in ladder
        ]
    )


def law(ideal: Ideal) -> pl.DataFrame:
    """Theory's frontier in the first world."""
    sizes = np.geomspace(20, max(float(ideal.model.max()), 100), 201)
    excess = ideal.n * ideal.law(sizes).total
    return pl.DataFrame(
        {"model bits": sizes, "data bits beyond the oracle": excess, "total beyond the oracle": sizes + excess}
    )


def text_codes(families: Sequence[Family]) -> pl.DataFrame:
    """Frontiers of the two-part codes of the text."""
    return pl.concat(
        pl.DataFrame(
            {
                "family": [family.name] * len(family.frontier),
                "model bits": family.model[family.frontier],
                "data bits": family.data[family.frontier],
                "total": family.total[family.frontier],
            }
        )
        for family in families
    )


def one_part(prequential: pl.DataFrame, peers: pl.DataFrame, size: int) -> pl.DataFrame:
    """All codes without a model, the shortest first."""
    ours = prequential.with_columns(note=pl.lit(""), kind=pl.lit("prequential"))
    theirs = peers.with_columns(kind=pl.lit("classic"))
    both = pl.concat([ours, theirs], how="diagonal").sort("total", nulls_last=True)
    return both.select(
        "code", "kind", pl.col("total").alias("bits"), (pl.col("total") / size).alias("bits per byte"), "note"
    )

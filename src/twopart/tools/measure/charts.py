"""The figures of a measurement: growth of the vocabulary, missing mass, Zipf's curve, and the discount by size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from twopart.findings import Chart
from twopart.report.charts import Axis, Kind, curves
from twopart.tools.measure import forward
from twopart.tools.measure.curves import zipf_curve
from twopart.tools.measure.measurement import Measurement
from twopart.worlds import PitmanYor

FEWEST = 100  # tokens where the curves begin
SHARP = 200  # counts above this hardly vary for a given probability

GROWTH = (
    "Distinct types among the first tokens, against the exact expectation for as many tokens picked at random, and the "
    "forecast of the Pitman-Yor law of a random part. An exchangeable text would follow the solid line."
)
MISSING = (
    "Share of the later tokens that are of types not yet seen, against Good and Turing's estimate from the tokens so far, and "
    "the expected share in random order."
)
ZIPF = (
    "Counts by rank, and what the fitted Pitman-Yor law expects: the number of types with at least so many tokens. "
    "Only its tail has the slope -1/d."
)
DISCOUNT = "Maximum-likelihood discount of random and of first parts, with 95 % intervals."


def figures(measured: Measurement) -> Iterator[Chart]:
    """The charts, the main one first."""
    yield Chart("growth", "Growth of the vocabulary", _growth(measured), GROWTH)
    yield Chart("missing-mass", "Missing mass, predicted and found", _missing(measured), MISSING)
    yield Chart("zipf", "Zipf's curve", _zipf(measured), ZIPF)
    yield Chart("discount", "Discount by size of the text", _discount(measured), DISCOUNT)


def _long(series: Mapping[str, tuple[ArrayLike, ArrayLike]], x: str, y: str) -> pl.DataFrame:
    """One row per point of each named curve."""
    return pl.concat(
        pl.DataFrame({"series": name, x: np.asarray(xs, float), y: np.asarray(ys, float)}, strict=False)
        for name, (xs, ys) in series.items()
    )


def _growth(measured: Measurement) -> dict[str, object]:
    rows = [row for row in measured.growth if row.tokens >= FEWEST]
    tokens = [row.tokens for row in rows]
    unit = measured.corpus.unit
    series = {
        "random order, exact": (tokens, [row.random for row in rows]),
        "forecast from a random part": _forecast(measured),
        "file order": (tokens, [row.file for row in rows]),
    }
    kinds: dict[str, Kind] = dict(zip(series, ("theory", "asymptote", "learner"), strict=True))
    frame = _long(series, "tokens", "distinct")
    return curves(frame, x=Axis("tokens", f"{unit} read"), y=Axis("distinct", f"distinct {unit}"), kinds=kinds)


def _forecast(measured: Measurement) -> tuple[ArrayLike, ArrayLike]:
    """Of the law of a random part."""
    law = measured.part
    tokens = np.geomspace(law.tokens, max(measured.corpus.tokens, law.tokens + 1), 40).round().astype(int)
    known = law.discount, law.concentration, law.tokens, law.distinct
    return tokens, [law.distinct + forward.pitman_yor_new(*known, int(n) - law.tokens) for n in tokens]


def _missing(measured: Measurement) -> dict[str, object]:
    rows = [row for row in measured.growth if FEWEST <= row.tokens < measured.corpus.tokens]
    tokens = [row.tokens for row in rows]
    series = {
        "random order, exact": (tokens, [row.random_missing for row in rows]),
        "Good-Turing, file order": (tokens, [row.file_good_turing for row in rows]),
        "found in the rest, file order": (tokens, [row.file_missing for row in rows]),
    }
    kinds: dict[str, Kind] = dict(zip(series, ("theory", "simulation", "learner"), strict=True))
    x, y = Axis("tokens", f"{measured.corpus.unit} read"), Axis("mass", "missing mass", "share of tokens")
    return curves(_long(series, "tokens", "mass"), x=x, y=y, kinds=kinds)


def _zipf(measured: Measurement) -> dict[str, object]:
    law = PitmanYor(measured.law.discount, measured.law.concentration)
    name = f"Pitman-Yor law, d = {law.discount:.2f}, θ = {law.concentration:.3g}"
    series = {name: _expected_ranks(law, measured.corpus.tokens), "counts": zipf_curve(measured.spectrum)}
    kinds: dict[str, Kind] = {name: "theory", "counts": "learner"}
    return curves(_long(series, "rank", "count"), x=Axis("rank", "rank"), y=Axis("count", "count"), kinds=kinds)


def _expected_ranks(law: PitmanYor, tokens: int) -> tuple[ArrayLike, ArrayLike]:
    """Expected types with at least c of the tokens: exact for small c, atoms above c/n for large c, where counts are sharp."""
    few = np.arange(1, min(SHARP, tokens))
    exact = law.expected_distinct(tokens) - np.cumsum(np.append(0.0, law.expected_blocks(few, tokens)))
    many = np.unique(np.geomspace(SHARP, max(tokens, SHARP + 1), 60).round())
    above = law.atoms_above(np.minimum((many - 0.5) / tokens, 1.0))
    ranks = np.append(exact, above)
    counts = np.append(np.arange(1, len(exact) + 1), many)
    return ranks[ranks >= 1], counts[ranks >= 1]


def _discount(measured: Measurement) -> dict[str, object]:
    names = {"random": "random parts", "file": "first parts"}
    frame = pl.DataFrame(
        [
            {
                "series": names[row.order],
                "tokens": float(row.tokens),
                "discount": row.discount,
                "low": row.discount - 1.96 * row.discount_error,
                "high": row.discount + 1.96 * row.discount_error,
            }
            for row in measured.discounts
        ]
    )
    kinds: dict[str, Kind] = {"random parts": "simulation", "first parts": "simulation"}
    low, high = np.nanmin(frame["discount"]), np.nanmax(frame["discount"])
    ends = np.nanmin([low, *frame["low"]]), np.nanmax([high, *frame["high"]])
    domain = max(0.0, float(ends[0]) - 0.02), min(1.0, float(ends[1]) + 0.02)
    y = Axis("discount", "discount d", log=False, domain=domain)
    return curves(frame, x=Axis("tokens", measured.corpus.unit), y=y, kinds=kinds, band=("low", "high"))

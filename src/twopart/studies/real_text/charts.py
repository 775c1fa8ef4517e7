"""The figures of the real-text study."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from twopart.findings import Chart
from twopart.report.charts import Axis, Kind, curves
from twopart.studies.real_text.evidence import Evidence, Floats
from twopart.studies.real_text.tables import familiarity, losses

SAVINGS = (
    "Bits per byte of the held-out documents that the next data size saves, whatever the floor of the loss: a loss E + A n^-a "
    "falls here as n^-a. Lines: the slopes that the discount of the whole text and of a random tenth, and the new words in the "
    "order of the text, predict; their height is that of the largest model."
)
CONTROL = (
    "The same for the control: bits per word that the Bayes code of the text's Pitman-Yor law saves from each doubling of the "
    "words to the next, for words drawn from that law, for the text's words shuffled (bars: 95 % of the mean over shuffles), "
    "and for the words in the order of the text."
)
LOSSES = "Bits per byte on the held-out documents after each number of bytes read."
FAMILIAR = (
    "Bits per byte of the largest model, in words that stand so often in what was read, and between words. Every group's words "
    "change as more is read."
)
GROWTH = "Distinct words as the text is read, and in random order: exact expectation from the same counts."

BYTES = Axis("bytes", "bytes read")
PER_BYTE = "bits per byte"
MOST = 4
"""Models in a figure, the largest always among them."""


def figures(evidence: Evidence) -> Iterator[Chart]:
    """The charts, the main one first."""
    yield Chart("real-text", "What more text saves", _savings(evidence), SAVINGS)
    yield Chart("losses", "Losses by reader", _losses(evidence), LOSSES)
    yield Chart("control", "The control: words shuffled", _control(evidence), CONTROL)
    yield Chart("familiarity", "Familiar words are cheap", _familiar(evidence), FAMILIAR)
    yield Chart("growth", "Growth of the vocabulary", _growth(evidence), GROWTH)


def _shown(evidence: Evidence) -> list[str]:
    names = [evidence.name(model) for model in evidence.models]
    return [*names[:: -max(1, -(-len(names) // MOST))][::-1], "compressor"]


def _line(name: str, x: Floats, exponent: float, middle: float) -> pl.DataFrame:
    """A power of x that passes `middle` in the (logarithmic) middle of x."""
    centre = np.exp(np.log(x).mean())
    return pl.DataFrame({"series": name, "x": x, "y": middle * (x / centre) ** -exponent})


def _savings(evidence: Evidence) -> dict[str, Any]:
    sizes = np.array(evidence.sizes[:-1], float)
    points = [
        pl.DataFrame({"series": name[0], "x": sizes, "y": -np.diff(frame["bits_per_byte"].to_numpy())})
        for name, frame in losses(evidence).group_by("reader", maintain_order=True)
        if name[0] in _shown(evidence)
    ]
    largest = points[-2]["y"].to_numpy()
    height = float(np.exp(np.log(np.maximum(largest, 1e-6)).mean()))
    law, rival = evidence.data_exponent, evidence.novelty("distinct")
    lines: dict[str, tuple[float, Kind]] = {
        f"1 - d of the whole, {law.whole:.2f}": (law.whole, "theory"),
        f"1 - d of a tenth, {law.tenth:.2f}": (law.tenth, "theory"),
        f"new words in order, {rival:.2f}": (rival, "asymptote"),
    }
    kinds: dict[str, Kind] = {name: kind for name, (_, kind) in lines.items()}
    kinds |= dict.fromkeys(_shown(evidence), "learner")
    guides = [_line(name, sizes, exponent, height) for name, (exponent, _) in lines.items()]
    frame = pl.concat([*guides, *points])
    return curves(frame, x=Axis("x", "bytes read"), y=Axis("y", "saved by the next size", PER_BYTE), kinds=kinds)


def _losses(evidence: Evidence) -> dict[str, Any]:
    frame = losses(evidence).filter(pl.col("reader").is_in(_shown(evidence)))
    kinds: dict[str, Kind] = dict.fromkeys(_shown(evidence), "learner")
    y = Axis("bits_per_byte", "loss on held-out documents", PER_BYTE)
    return curves(frame, x=BYTES, y=y, kinds=kinds, series="reader")


def _control(evidence: Evidence) -> dict[str, Any]:
    kinds: dict[str, Kind] = {"drawn": "theory", "shuffled": "simulation", "text": "learner"}
    names = {"drawn": "the law's own words", "shuffled": "words shuffled", "text": "order of the text"}
    frames = []
    for source in kinds:
        saved = evidence.saved(source)
        reach = 1.96 * saved.std(0, ddof=1) / np.sqrt(len(saved)) if source == "shuffled" else np.nan
        mean = saved.mean(0)
        columns = {"x": evidence.windows, "y": mean, "low": mean - reach, "high": mean + reach}
        frames.append(pl.DataFrame({"series": names[source], **columns}))
    y = Axis("y", "saved by the next doubling", "bits per word")
    shown: dict[str, Kind] = {names[source]: kind for source, kind in kinds.items()}
    return curves(pl.concat(frames), x=Axis("x", "words read"), y=y, kinds=shown, band=("low", "high"))


def _familiar(evidence: Evidence) -> dict[str, Any]:
    name = evidence.name(evidence.models[-1])
    frame = familiarity(evidence).filter(pl.col("reader") == name)
    kinds: dict[str, Kind] = dict.fromkeys(frame["familiarity"].unique(maintain_order=True), "learner")
    y = Axis("bits per byte", "loss", PER_BYTE)
    return curves(frame, x=BYTES, y=y, kinds=kinds, series="familiarity")


def _growth(evidence: Evidence) -> dict[str, Any]:
    growth = evidence.words.filter((pl.col("axis") == "growth") & (pl.col("tokens") >= 100))
    tokens = pl.col("tokens").cast(pl.Float64)
    frame = pl.concat(
        growth.select(pl.lit(name).alias("series"), tokens, pl.col(column).alias("distinct"))
        for name, column in (("random order", "random"), ("order of the text", "distinct"))
    )
    kinds: dict[str, Kind] = {"random order": "theory", "order of the text": "learner"}
    return curves(frame, x=Axis("tokens", "words read"), y=Axis("distinct", "distinct words"), kinds=kinds)

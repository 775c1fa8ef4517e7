"""The tables of the real-text study."""

from __future__ import annotations

import numpy as np
import polars as pl

from twopart.findings import Table
from twopart.fits import Estimate
from twopart.studies.real_text.evidence import Evidence
from twopart.studies.real_text.exam import FAMILIARITY

RUNS = (
    "One row for each model and data size: trained parameters, tokens and bytes read, operations, mean loss on the held-out "
    "documents in nats per token, and bits per byte. The format that `twopart fit` reads."
)
PREDICTIONS = (
    "What the words of the text that is read make of the exponents: the Pitman-Yor law of the whole and of a random tenth by "
    "maximum likelihood (1 - d, 1/d - 1), and 1 less the slope of distinct words on words over the range of the data sizes."
)
EXPONENTS = (
    "The exponent at which the loss of each reader falls with the bytes read, from the savings from each data size to the "
    "next, with its interval over held-out documents (control: over replicates)."
)
LOSSES = "Bits per byte on the held-out documents after each number of bytes read."
FAMILIAR = (
    "The largest model and the compressor after each number of bytes read, by how often a held-out word stands in them: share "
    "of the words, share of the bytes, bits per byte, and bits per byte of all text that go there. Between: what is in no word."
)


def tables(evidence: Evidence) -> tuple[Table, ...]:
    return (
        Table("runs", "Runs", evidence.runs, RUNS, csv=True),
        Table("predictions", "Predictions", predictions(evidence), PREDICTIONS),
        Table("exponents", "Exponents of data", exponents(evidence), EXPONENTS),
        Table("losses", "Losses by reader", losses(evidence), LOSSES),
        Table("familiarity", "Losses by familiarity", familiarity(evidence), FAMILIAR),
    )


def predictions(evidence: Evidence) -> pl.DataFrame:
    rows = [
        {
            "from": label,
            "words": evidence.law(part)["tokens"][0],
            "distinct": evidence.law(part)["distinct"][0],
            "discount": getattr(evidence.discount, part),
            "data exponent": getattr(evidence.data_exponent, part),
            "capacity exponent": getattr(evidence.capacity_exponent, part),
        }
        for part, label in (("whole", "discount of the whole"), ("tenth", "discount of a random tenth"))
    ]
    grown = (("random", "growth in random order"), ("distinct", "growth in the order of the text"))
    rows += [{"from": label, "data exponent": evidence.novelty(order)} for order, label in grown]
    return pl.DataFrame(rows, infer_schema_length=None)


def exponents(evidence: Evidence) -> pl.DataFrame:
    found = {
        **evidence.falls,
        "share of unseen words": evidence.unseen,
        "control, words shuffled": evidence.control_falls("shuffled"),
        "control, words drawn from the law": evidence.control_falls("drawn"),
    }
    return pl.DataFrame([{"reader": name, **_row(estimate)} for name, estimate in found.items()])


def _row(estimate: Estimate) -> dict[str, float | None]:
    low, high = (end if np.isfinite(end) else None for end in estimate.interval)
    return {"exponent": estimate.value, "low": low, "high": high}


def losses(evidence: Evidence) -> pl.DataFrame:
    """Long: one row per reader and size."""
    readers = {**{evidence.name(model): model for model in evidence.models}, "compressor": evidence.compressor}
    frames = [
        pl.DataFrame({"reader": name, "bytes": evidence.sizes, "bits_per_byte": evidence.per_byte(marks)})
        for name, marks in readers.items()
    ]
    return pl.concat(frames)


def familiarity(evidence: Evidence) -> pl.DataFrame:
    readers = {evidence.name(evidence.models[-1]): evidence.models[-1], "compressor": evidence.compressor}
    return pl.concat(_familiarity(evidence, name, marks) for name, marks in readers.items())


def _familiarity(evidence: Evidence, name: str, marks: pl.DataFrame) -> pl.DataFrame:
    words, length, bits = (evidence.cube(marks, column).sum(0) for column in ("words", "length", "bits"))
    S, F = words.shape
    total = length.sum(1, keepdims=True)
    return pl.DataFrame(
        {
            "reader": [name] * (S * F),
            "bytes": np.repeat(evidence.sizes, F),
            "familiarity": list(FAMILIARITY) * S,
            "share of words": (words / words.sum(1, keepdims=True)).ravel(),
            "share of bytes": (length / total).ravel(),
            "bits per byte": np.divide(bits, length, out=np.full_like(bits, np.nan), where=length > 0).ravel(),
            "part of the loss": (bits / total).ravel(),
        }
    )

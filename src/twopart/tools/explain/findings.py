"""The report of a compressed file: its parts, the kinds of its bytes, its words by frequency and by sighting."""

from __future__ import annotations

import polars as pl

from twopart.evidence import Estimate, claim, exact, within
from twopart.findings import Chart, Findings, Table
from twopart.lossless import FileLengths
from twopart.lossless.ledger import Ledger
from twopart.report.charts import Axis, curves


def explain(name: str, method: str, lengths: FileLengths, ledger: Ledger) -> Findings:
    """Findings on the file `name`, coded by `method`; `ledger` has seen all its bytes and is finished."""
    words = ledger.sightings()
    charts = (_along(ledger.along(), method), _sightings(words, method)) if len(words) else ()
    return Findings(
        f"Where the bits of {name} go",
        _summary(method, lengths),
        (counted(lengths, ledger),),
        _tables(lengths, ledger),
        charts,
    )


def _summary(method: str, lengths: FileLengths) -> str:
    return (
        f"{lengths.original:,} bytes in {lengths.total // 8:,}: {lengths.bits_per_byte:.4f} bits per byte, by the method "
        f"{method}. {_manner(lengths)} What a byte costs is -log2 of the probability it had."
    )


def _manner(lengths: FileLengths) -> str:
    if lengths.model == 0:
        return "The code is prequential: the model learns from each byte after it has coded it, and no model is sent."
    return (
        f"The code has two parts: a model of {lengths.model / lengths.original:.4f} bits for each byte of the file is sent "
        f"first, and then the data, {lengths.data / lengths.original:.4f} bits a byte given the model, which learns no more."
    )


@claim(
    within(0.001),
    "share of the file",
    "docs/lossless.md",
    "bits by which the file of {lengths.total:,} bits and those of the tables, with the container's, differ beyond two bytes",
)
def counted(lengths: FileLengths, ledger: Ledger) -> Estimate:
    """The bits counted byte by byte, with those of the container, are the size of the file."""
    gap = abs(lengths.total - (ledger.bits + lengths.model + lengths.container))
    return exact(max(gap - 16, 0.0) / lengths.total).against(0.0)


def _tables(lengths: FileLengths, ledger: Ledger) -> tuple[Table, ...]:
    parts = pl.DataFrame(
        {
            "part": ["container", "model", "data"],
            "bits": [lengths.container, lengths.model, lengths.data],
            "share": [part / lengths.total for part in (lengths.container, lengths.model, lengths.data)],
        }
    )
    return (
        Table("parts", "Parts of the file", parts, "Container: magic, header, lengths of frames, checksums."),
        Table(
            "bytes", "By kind of byte", ledger.classes(), "A byte's bits: -log2 of its probability, given all before."
        ),
        Table(
            "words",
            "By word frequency",
            ledger.words(),
            "Words that occur `from` to `to` times in the file. A word is a run of ASCII letters, digits, _ and bytes beyond "
            "ASCII; capitals count as small letters.",
        ),
        Table("sightings", "By sighting", ledger.sightings(), "The `from`-th to `to`-th time that a word is met."),
        Table("along", "Along the file", ledger.along(), "Bytes `from` to 2 `from` - 1 of the file."),
    )


def _along(frame: pl.DataFrame, method: str) -> Chart:
    spec = curves(
        frame.with_columns(pl.lit(method).alias("series")),
        x=Axis("from", "byte of the file"),
        y=Axis("bits per byte", "cost of a byte", "bits", log=False, domain=(0, 8)),
        kinds={method: "learner"},
    )
    return Chart(
        "along", "What a byte costs along the file", spec, "Each point is a stretch twice as long as the one before."
    )


def _sightings(frame: pl.DataFrame, method: str) -> Chart:
    spec = curves(
        frame.with_columns(pl.lit(method).alias("series")),
        x=Axis("from", "sightings of the word, with this one"),
        y=Axis("bits per word", "cost of a word", "bits"),
        kinds={method: "learner"},
    )
    return Chart("sightings", "What a word costs when it is met again", spec, "Means over all words met that often.")

"""A measurement as findings: claims with their verdicts, the tables behind them, and figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import polars as pl

from twopart._files import shown
from twopart.findings import Findings, Table
from twopart.tools.measure import charts
from twopart.tools.measure.claims import claims
from twopart.tools.measure.measurement import Measurement
from twopart.tools.measure.records import Forward

TOLD = 0.01  # share of letters in scripts without spaces from which on it is said


def findings(measured: Measurement) -> Findings:
    """What `measured` says, for a report."""
    return Findings(
        title=f"Measured: {measured.corpus.unit} of {_count(measured.corpus.files, 'file')}",
        summary="\n\n".join(summary(measured)),
        claims=tuple(claims(measured)),
        tables=tuple(_tables(measured)),
        charts=tuple(charts.figures(measured)),
    )


def summary(measured: Measurement) -> tuple[str, ...]:
    """What was read, what is doubtful about that, what the theory makes of it, and how far that can be trusted."""
    corpus, law = measured.corpus, measured.law
    text = (
        f"{_count(corpus.files, 'file')}, {corpus.size:,} bytes, {corpus.tokens:,} {corpus.unit}, "
        f"{corpus.distinct:,} of them distinct. Counted: {corpus.definition}."
    )
    theory = (
        f"Pitman-Yor discount d = {law.discount:.3f} ± {law.discount_error:.3f} (maximum likelihood, standard error). "
        f"The theory then has redundancy fall with data as N^-(1-d), exponent {law.data_exponent:.3f}, "
        f"and with capacity as C^-(1/d-1), exponent {law.capacity_exponent:.3f}."
    )
    return text, *notes(measured), theory, warning(measured)


def notes(measured: Measurement) -> Iterator[str]:
    """What of the text was not read as it was meant."""
    corpus = measured.corpus
    if corpus.unread:
        yield (
            f"{corpus.unread:,} bytes are no {'/'.join(corpus.encodings).upper()}, the first of them in "
            f"{shown(corpus.first_unread)}: they part words. Save the text as UTF-8, or name its --encoding."
        )
    share = sum(corpus.unspaced.values())
    if share >= TOLD:
        names = " and ".join(sorted(corpus.unspaced, key=lambda name: -corpus.unspaced[name])[:3])
        yield (
            f"{share:.1%} of the letters are of scripts written without spaces ({names}): a run of them counts as one. "
            "Count the tokens of a tokenizer instead (--tokenizer)."
        )


def warning(measured: Measurement) -> str:
    """How much of that depends on the order and the size of the text."""
    heaps, part, law = measured.heaps, measured.part, measured.law
    random, first = (row for row in measured.forward if row.estimator == "Pitman-Yor")
    _, rest = measured.missing
    return (
        "How far to trust it. Order: over the last doubling the vocabulary grows with exponent "
        f"{heaps.file_doubling:.2f} in file order, {heaps.random_doubling:.2f} in random order; burstiness is "
        f"{measured.burstiness:.2f} (0: random); after the first {rest.tokens:,} tokens {rest.held_out:.1%} of the rest is "
        f"new, where Good and Turing expect {rest.good_turing:.1%}. Size: d is {part.discount:.3f} for {part.tokens:,} "
        f"random tokens, {law.discount:.3f} for all; the law of {random.tokens:,} random tokens predicts the vocabulary of "
        f"the whole {random.excess:+.0%} off, that of the first {first.tokens:,} {first.excess:+.0%}. The exponents are "
        "those of this much text, in this order."
    )


def _tables(measured: Measurement) -> Iterator[Table]:
    yield Table("discounts", "Discount and exponents by size of the text", frame(measured.discounts), DISCOUNTS)
    yield Table("forward", "Vocabulary of the whole, predicted from a part", _forward_frame(measured.forward), FORWARD)
    yield Table("missing", "Missing mass of a part, predicted and found in the rest", frame(measured.missing), MISSING)
    yield Table("entropy", "Entropy of a token in bits", frame(measured.entropy), ENTROPY)
    if measured.bursts:
        yield Table("bursts", "Burstiness by how often a type was seen", frame(measured.bursts), BURSTS)
    if measured.blocks:
        yield Table("blocks", "Entropy of runs of bytes", frame(measured.blocks), BLOCKS)
    yield Table("growth", "Vocabulary and missing mass by size", frame(measured.growth), GROWTH)
    yield Table("spectrum", "How many types were seen how often", _spectrum_frame(measured), SPECTRUM)


DISCOUNTS = (
    "Maximum-likelihood discount d and concentration with standard errors, of random parts and of first parts; "
    "the exponents 1-d (data law) and 1/d-1 (capacity law) that the theory derives from d."
)
FORWARD = (
    "Distinct types of the whole as predicted from a part, and as they are; excess = predicted/actual - 1, with the 95 % "
    "interval over random parts. Good-Toulmin knows no law; it uses how many types were seen once, twice, ..."
)
MISSING = "Share of the rest's tokens whose type the part lacks: by Good and Turing, by the part's law, and as found."
ENTROPY = "By five estimators, from a random part and from all tokens: one that has settled shows the same twice."
BURSTS = (
    "Means over types. Burstiness B: -1 for equal gaps, 0 for random order, 1 for all tokens at once. Squared variation: "
    "of the gaps, over its expectation in random order."
)
BLOCKS = (
    "Runs of 1, 2, ... bytes at every place. Once: share of runs seen a single time; where it is not small, entropies are "
    "too low. Per byte: bits of a byte given those before it."
)
GROWTH = (
    "File: types among the first tokens, share of the later tokens that are of new types, and Good and Turing's estimate "
    "of that. Random: exact expectations if the tokens are shuffled."
)
SPECTRUM = "Types of each count, least frequent first."


def frame(rows: Sequence[Any]) -> pl.DataFrame:
    """Records as a table."""
    return pl.DataFrame([asdict(row) for row in rows])


def _forward_frame(rows: Sequence[Forward]) -> pl.DataFrame:
    plain = []
    for row in rows:
        record = asdict(row)
        low, high = record.pop("interval") or (None, None)
        plain.append({**record, "low": low, "high": high})
    return pl.DataFrame(plain)


def _spectrum_frame(measured: Measurement) -> pl.DataFrame:
    return pl.DataFrame({"count": measured.spectrum.sizes, "types": measured.spectrum.types})


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"

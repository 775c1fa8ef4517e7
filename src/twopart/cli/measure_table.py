"""What `twopart measure` prints: the numbers in groups, each beside what it should be compared with."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from twopart.fits.decay import Decay
from twopart.tools.measure import Measurement
from twopart.tools.measure.foretold import COPIES, Foretold
from twopart.tools.measure.records import Block, Bursts, Discount, Forward, Heaps, Missing
from twopart.tools.measure.report import notes, warning

Row = tuple[str, ...]


def print_measurement(measured: Measurement) -> None:
    console, corpus = Console(), measured.corpus
    files = f"{corpus.files:,} file{'s' * (corpus.files != 1)}"
    left = f", {corpus.skipped:,} binary left out" if corpus.skipped else ""
    console.print(
        f"\n{files}{left}: {corpus.size:,} bytes, {corpus.tokens:,} {corpus.unit}, {corpus.distinct:,} distinct",
        style="bold",
        highlight=False,
    )
    console.print(f"{corpus.unit}: {corpus.definition}\n", style="dim", markup=False, highlight=False)
    for note in notes(measured):
        console.print(Text(f"{note}\n", style="yellow"))
    for title, header, rows in _groups(measured):
        if rows:
            console.print(_table(title, header, rows))
            console.print()
    console.print(Text(warning(measured)))


def print_foretold(found: Foretold) -> None:
    """What is foretold, or why nothing is."""
    alpha = found.theory.refused or f"{found.theory.alpha:.2f}"
    rows: list[Row] = [("correlations, beta", _decay(found.beta)), ("contexts, gamma", _decay(found.gamma))]
    rows += [("gamma/(2 beta)", alpha), ("1 - b of shared bits", f"{found.hilberg:.2f}")]
    copies = f"{found.repeated:.1%}" + ", too many: exponents are those of copies" * (found.repeated > COPIES)
    rows += [("runs of 48 bytes that stand in other documents", copies)]
    Console().print(_table("Exponent of data, foretold", ("by", "exponent, or why none"), rows))


def _decay(found: Decay) -> str:
    low, high = found.interval
    return found.refused or f"{found.exponent:.2f} ({low:.2f} to {high:.2f})"


def _table(title: str, header: Row, rows: list[Row]) -> Table:

    table = Table(
        min_width=len(title),
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, 3, 0, 0),
    )
    for number, column in enumerate(header):
        table.add_column(column, justify="right" if number else "left", header_style="dim")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _groups(measured: Measurement) -> Iterator[tuple[str, Row, list[Row]]]:
    """Title, header and rows of each table."""
    header: Row = ("tokens", "d", "θ", "data law 1-d", "capacity law 1/d-1")
    yield "Pitman-Yor law, by size of the text", header, list(_laws(measured))
    header = ("exponent over the last", "file order", "random order")
    yield "Growth of the vocabulary (Heaps)", header, list(_heaps(measured.heaps))
    yield "Counts (Zipf)", ("exponent", "found", "law's tail"), list(_zipf(measured))
    header = ("part", "by", "predicted", "found", "excess")
    yield "Vocabulary of the whole, predicted from a part", header, [_forward(row) for row in measured.forward]
    header = ("part", "Good-Turing", "Pitman-Yor", "found in the rest")
    yield "Missing mass of a part, share of the rest", header, [_missing(row) for row in measured.missing]
    header = ("types seen", "types", "burstiness (random: 0)", "squared variation of gaps (random: 1)")
    yield "Burstiness", header, [_bursts(row) for row in measured.bursts]
    header = ("estimator", "of a random part", "of the whole")
    entropies: list[Row] = [(row.estimator, f"{row.part:.3f}", f"{row.whole:.3f}") for row in measured.entropy]
    yield "Entropy of a token, bits", header, entropies
    header = ("bytes", "distinct", "seen once", "plug-in", "Grassberger", "of a byte, given those before")
    yield "Entropy of runs of bytes, bits", header, [_block(row) for row in measured.blocks]


def _heaps(heaps: Heaps) -> Iterator[Row]:
    yield "tenfold", f"{heaps.file_tenfold:.3f}", f"{heaps.random_tenfold:.3f}"
    yield "doubling", f"{heaps.file_doubling:.3f}", f"{heaps.random_doubling:.3f}"


def _zipf(measured: Measurement) -> Iterator[Row]:
    """Beside what the law's tail has: types at least as frequent as p are as many as p^-d."""
    zipf, d = measured.zipf, measured.law.discount
    head = f"count on rank, ranks from {zipf.first}, counts from {zipf.fewest}"
    yield head, f"{zipf.slope:.3f}", f"{-1 / d:.3f}" if d else "-inf"
    tail = f"types on count, counts from {zipf.tail_start} ({zipf.tail_types:,} types)"
    yield tail, f"{-zipf.tail_exponent:.3f} ± {zipf.tail_error:.3f}", f"{-1 - d:.3f}"


def _forward(row: Forward) -> Row:
    ends = f" ({row.interval[0]:+.1%} to {row.interval[1]:+.1%})" if row.interval else ""
    numbers = f"{row.predicted:,.0f}", f"{row.actual:,}", f"{row.excess:+.1%}{ends}"
    return (_part(row.order, row.tokens), row.estimator, *numbers)


def _missing(row: Missing) -> Row:
    predicted = f"{row.good_turing:.4f} ± {row.good_turing_error:.4f}", f"{row.pitman_yor:.4f}"
    return (_part(row.order, row.tokens), *predicted, f"{row.held_out:.4f}")


def _bursts(row: Bursts) -> Row:
    return f"{row.least:,} to {row.most:,}", f"{row.types:,}", f"{row.burstiness:.3f}", f"{row.squared_variation:.2f}"


def _block(row: Block) -> Row:
    bits = f"{row.plug_in:.3f}", f"{row.grassberger:.3f}", f"{row.per_byte:.3f}"
    return (f"{row.size}", f"{row.distinct:,}", f"{row.once:.1%}", *bits)


def _laws(measured: Measurement) -> Iterator[Row]:
    *random, whole = (row for row in measured.discounts if row.order == "random")
    *first, _ = (row for row in measured.discounts if row.order == "file")
    yield _law("all", whole)
    yield from (_law("random", row) for row in reversed(random))
    yield from (_law("first", row) for row in reversed(first))


def _law(name: str, row: Discount) -> Row:
    return (
        f"{name} {row.tokens:,}",
        f"{row.discount:.3f} ± {row.discount_error:.3f}",
        f"{row.concentration:.4g} ± {row.concentration_error:.2g}",
        f"{row.data_exponent:.3f}",
        f"{row.capacity_exponent:.3f}",
    )


def _part(order: str, tokens: int) -> str:
    return f"{'random' if order == 'random' else 'first'} {tokens:,}"

"""The structure-function study: cells out, evidence in, findings back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from twopart.findings import Claim, Findings, Table
from twopart.lab import Lab
from twopart.studies._ladder import biographies, estimate_runs, world_seed
from twopart.studies._study import Planned
from twopart.studies.structure_function import charts, claims, tables
from twopart.studies.structure_function.cells import CountCell, IdealCell, code_by_counts, code_ideally
from twopart.studies.structure_function.config import Config
from twopart.studies.structure_function.corpora import Sentences, Text, text_of
from twopart.studies.structure_function.evidence import Family, Ideal, family
from twopart.studies.structure_function.text import (
    DECODED,
    PeerCell,
    PrequentialCell,
    TextCountCell,
    TextTransformerCell,
    code_by_peers,
    code_prequentially,
    code_text_by_counts,
    code_text_by_transformer,
)
from twopart.studies.structure_function.transformers import TransformerCell, code_by_transformer, training

PARTS = (16, 4, 1)
"""The ideal codes look at a sixteenth of the corpus, a quarter, and all."""


def run(config: Config, lab: Lab) -> Findings:
    """Code everything, compare."""
    text = text_of(config.text, config.text_bytes)
    ladders = _ideal_cells(config, lab.seed)
    flat = [cell for ladder in ladders for cell in ladder]
    found = dict(
        zip(
            flat, lab.map(code_ideally, flat, label="ideal codes", cost=lambda cell: cell.corpus.sentences), strict=True
        )
    )
    ideals = [[Ideal(cell, found[cell]) for cell in ladder] for ladder in ladders]
    counts = lab.map(code_by_counts, _count_cells(config, lab.seed), label="counts", cost=lambda cell: 1 + cell.order)
    by_counts = lab.map(
        code_text_by_counts, _text_count_cells(config, text), label="text", cost=lambda cell: 1 + cell.order
    )
    levels = _prequential_cells(config, text)
    prequential = lab.map(code_prequentially, levels, label="text", cost=lambda cell: _seconds(cell, text.size))
    two_part = [family("counts", by_counts)]
    if config.text_widths:
        readers = _text_transformer_cells(config, text)
        coded = lab.map(code_text_by_transformer, readers, label="text", cost=lambda cell: cell.width)
        two_part.append(family("transformer", coded))
    peers = lab.map(code_by_peers, [PeerCell("compressors", text)], label="text")[0]
    names = [cell.label for cell in levels]
    others = [family("counts", counts)]
    if config.widths:
        learners = _transformer_cells(config, lab.seed)
        others.append(
            family(
                "transformer", lab.map(code_by_transformer, learners, label="transformer", cost=lambda cell: cell.width)
            )
        )
    one_part = pl.DataFrame({"code": names, "total": [int(frame["total"][0]) for frame in prequential]})
    return findings(ideals, others, two_part, one_part, peers, text)


def plan(config: Config) -> list[Planned]:
    """The cells of a run, with estimates."""
    size = config.text_bytes
    ladders = _ideal_cells(config, 0)
    rows = [
        Planned(f"ideal codes, {cell.corpus.sentences:,} sentences", len(ladders), *_ideal_cost(cell))
        for cell in ladders[0]
    ]
    symbols = 6 * config.sentences
    rows += [
        Planned(f"counts, order {cell.order}", 1, *_count_cost(cell.order, symbols, len(cell.prices)))
        for cell in _count_cells(config, 0)
    ]
    rows += [
        Planned(f"text by counts, order {order}", 1, *_count_cost(order, size, len(config.prices)))
        for order in config.text_orders
    ]
    rows += [
        estimate_runs(f"transformer, {cell.label}", training(cell), cell.corpus.world, cell.width, 1, _read(cell))
        for cell in _transformer_cells(config, 0)
    ]
    text = Text(config.text, size, "")
    rows += [
        Planned(f"text by {cell.label}", 1, _seconds(cell, size), 6e8) for cell in _prequential_cells(config, text)
    ]
    rows += [
        Planned(f"text by a {cell.label}", 1, *_reading_cost(cell)) for cell in _text_transformer_cells(config, text)
    ]
    return [*rows, Planned("text by other compressors", 1, 1 + 2e-5 * size, 1e9)]


def _ideal_cost(cell: IdealCell) -> tuple[float, float]:
    """Seconds and bytes: each code takes 50 ms and 0.6 μs a sentence there and back."""
    codes = len(cell.facts()) * len(cell.finenesses())
    return 3 + codes * (0.01 + 0.6e-6 * cell.corpus.sentences), 2e8 + 300.0 * cell.corpus.sentences


def _count_cost(order: int, size: int, prices: int) -> tuple[float, float]:
    """Seconds and bytes: learning takes 0.6 μs a byte for each length of context, coding about as much as one."""
    return 1 + prices * 0.6e-6 * size * (order + 1), 2e8 + 200.0 * size * (order + 1)


def _seconds(cell: PrequentialCell, size: int) -> float:
    """There and back, with compiling."""
    return 15 + 2 * size / {"fast": 0.6e6, "strong": 0.2e6, "best": 0.04e6, "pitman-yor": 0.1e6}[cell.level]


def _reading_cost(cell: TextTransformerCell) -> tuple[float, float]:
    """Seconds and bytes: to code costs what a pass of training costs; a beginning is there and back once more."""
    read = cell.text.size * (cell.epochs + len(cell.steps)) + 2 * len(cell.steps) * DECODED
    return 10 + read * (25e-6 + cell.width * 1e-6), 1e9


def _ideal_cells(config: Config, seed: int) -> list[list[IdealCell]]:
    """For each world the beginnings of its corpus, the shortest first."""
    return [
        [
            IdealCell(
                f"world {world + 1}, 1/{part}", _sentences(config, seed, world, part), config.fact_steps, config.finest
            )
            for part in PARTS
        ]
        for world in range(config.replicates)
    ]


def _count_cells(config: Config, seed: int) -> list[CountCell]:
    corpus = _sentences(config, seed, 0, 1)
    return [CountCell(f"order {order}", corpus, order, config.prices) for order in config.orders]


def _transformer_cells(config: Config, seed: int) -> list[TransformerCell]:
    corpus = _sentences(config, seed, 0, 1)
    return [TransformerCell(f"width {width}", corpus, width, config.epochs, config.steps) for width in config.widths]


def _read(cell: TransformerCell) -> int:
    """Sentences: as often as there are epochs to learn, and there and back at each precision, at a third of the cost."""
    return cell.corpus.sentences * cell.epochs + 2 * len(cell.steps) * cell.corpus.sentences // 3


def _text_count_cells(config: Config, text: Text) -> list[TextCountCell]:
    return [TextCountCell(f"counts, order {order}", text, order, config.prices) for order in config.text_orders]


def _text_transformer_cells(config: Config, text: Text) -> list[TextTransformerCell]:
    settings = config.text_epochs, config.steps
    return [TextTransformerCell(f"transformer, width {width}", text, width, *settings) for width in config.text_widths]


def _prequential_cells(config: Config, text: Text) -> list[PrequentialCell]:
    levels = [PrequentialCell(f"context mixing, {level}", text, level) for level in config.levels]
    return [*levels, PrequentialCell("Pitman-Yor", text, "pitman-yor")]


def _sentences(config: Config, seed: int, world: int, part: int) -> Sentences:
    law = biographies(
        config.discount, world_seed(seed, "structure-function", world), values=config.values, templates=config.templates
    )
    return Sentences(law, config.entities, config.sentences // part)


def findings(
    ladders: list[list[Ideal]],
    others: list[Family],
    two_part: list[Family],
    prequential: pl.DataFrame,
    peers: pl.DataFrame,
    text: Text,
) -> Findings:
    """What the codes of worlds (`ladders`, `others`) and of the text (`two_part`, `prequential`, `peers`) show."""
    first = ladders[0][-1]
    law, codes = tables.law(first), tables.codes(first, others)
    text_codes, one_part = tables.text_codes(two_part), tables.one_part(prequential, peers, text.size)
    return Findings(
        title="The structure function",
        summary=_summary(first, two_part, one_part, text),
        claims=tuple(_claims(ladders, others, two_part, prequential)),
        tables=(
            Table("bends", "The shortest ideal codes, and theory", tables.bends(ladders), tables.BENDS_CAPTION),
            Table("codes", "Frontiers of codes of the first world", codes, tables.CODES_CAPTION),
            Table("text-codes", "Frontiers of codes of the text", text_codes, tables.TEXT_CODES_CAPTION),
            Table("one-part", "Codes of the text without a model", one_part, tables.ONE_PART_CAPTION),
        ),
        charts=(*charts.figures(law, codes, first.bayes), charts.text(text_codes, one_part, text.size)),
    )


def _claims(
    ladders: list[list[Ideal]], others: list[Family], two_part: list[Family], prequential: pl.DataFrame
) -> Iterator[Claim]:
    whole = [ladder[-1] for ladder in ladders]
    yield claims.no_code_undercuts(whole, others)
    for judge in (claims.follows_the_law, claims.syntax_first, claims.bends, claims.costs, claims.one_part):
        yield judge(whole)
    yield claims.grows(ladders)
    yield claims.nothing_is_shorter(whole[0], others)
    yield claims.has_a_knee(two_part)
    yield claims.prequential_is_shorter(two_part, prequential)


def _summary(first: Ideal, two_part: Sequence[Family], one_part: pl.DataFrame, text: Text) -> str:
    best = min(two_part, key=lambda family: float(family.total.min()))
    source = text.path or "the sources of Python's standard library"
    return (
        "How many bits of data does each bit of model save, and where does that cease to pay? For a corpus whose "
        "truth is known theory answers: the frontier of model bits and data bits is the capacity law, and the "
        "shortest code holds what the law holds at a price of one bit of data a bit of model: syntax, and facts down "
        "to those that are told once. Here every point is a real code that was decoded. The first world's shortest "
        f"two-part code has {first.model[first.best]:,.0f} bits of model and is {first.redundancy:,.0f} bits longer "
        f"than the oracle's; theory says {float(first.bend.bits):,.0f} and {first.lawful:,.0f}.\n\nThe text is "
        f"{text.size:,} bytes of {source}. Its shortest two-part code ({best.name}) takes "
        f"{best.total.min() / text.size:.3f} bits a byte, {best.model[best.best] / best.total.min():.0%} of it model; "
        f"the shortest code without a model is {one_part['code'][0]} with {one_part['bits per byte'][0]:.3f}."
    )

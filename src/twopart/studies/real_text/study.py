"""The real-text study: cells out, evidence in, findings back."""

from __future__ import annotations

import polars as pl

from twopart import _random
from twopart.findings import Findings
from twopart.lab import Lab
from twopart.studies._study import Planned
from twopart.studies.real_text.cells import CompressorCell, ModelCell, compress_text, settings, shape, train_model
from twopart.studies.real_text.charts import figures
from twopart.studies.real_text.claims import all_claims
from twopart.studies.real_text.config import Config
from twopart.studies.real_text.corpus import Reading
from twopart.studies.real_text.evidence import Evidence
from twopart.studies.real_text.tables import tables
from twopart.studies.real_text.words import ControlCell, CountsCell, Source, code_words, measure_words

BYTES_PER_TOKEN = 2.0
"""Of 512 byte pairs on code; fewer tokens on prose."""
COMPRESSED = 0.5e6
"""Bytes per second that the compressor reads on one core."""


def run(config: Config, lab: Lab) -> Findings:
    """Read, examine, compare."""
    reading = _reading(config, lab.seed)
    models = lab.map(train_model, _models(config, reading), label="model", cost=lambda cell: cell.width**2)
    compressor = lab.map(compress_text, [CompressorCell("fast", reading, config.sizes())], label="compressor")
    counts = lab.map(measure_words, [CountsCell("words", reading)], label="counts")
    orders = _orders(config, reading)
    control: dict[str, list[pl.DataFrame]] = {}
    for cell, frame in zip(orders, lab.map(code_words, orders, label="control"), strict=True):
        control.setdefault(cell.source, []).append(frame)
    return findings(Evidence(config.sizes(), tuple(models), compressor[0], counts[0], control))


def plan(config: Config) -> list[Planned]:
    """The cells of a run, with estimates."""
    from twopart.learners import estimate

    rows = round(config.size / BYTES_PER_TOKEN / config.context)
    planned = []
    for cell in _models(config, _reading(config, 0)):
        model = shape(cell, config.vocabulary)
        cost = estimate(settings(cell, "cpu"), model, rows, config.context + 1)
        memory = cost.memory + 60.0 * rows * config.context
        planned.append(Planned(f"width {cell.width}", 1, cost.seconds, memory, cost.flops))
    words = Planned("order of words", 2 * config.shuffles + 1, config.size / 2e6, 3e8)
    return [*planned, Planned("compressor", 1, config.size / COMPRESSED, 8e8), words]


def findings(evidence: Evidence) -> Findings:
    """What it all shows."""
    return Findings(
        title="Real text",
        summary=_summary(evidence),
        claims=tuple(all_claims(evidence)),
        tables=tables(evidence),
        charts=tuple(figures(evidence)),
    )


def _reading(config: Config, seed: int) -> Reading:
    order = int(_random.keys(seed, 1, "real-text")[0] >> 32)
    return Reading(config.texts, config.pattern, config.size, config.held_out, order)


def _models(config: Config, reading: Reading) -> list[ModelCell]:
    """One run for each size."""
    return [
        ModelCell(
            label=f"width {width}",
            reading=reading,
            sizes=config.sizes(),
            vocabulary=config.vocabulary,
            width=width,
            layers=config.layers,
            context=config.context,
            batch=config.batch,
            learning_rate=config.learning_rate,
            warmup=config.warmup,
            hold=config.hold,
        )
        for width in config.widths
    ]


def _orders(config: Config, reading: Reading) -> list[ControlCell]:
    """The control: the text's words once in their order, and several times shuffled and drawn anew."""
    replicates: tuple[tuple[Source, int], ...] = (
        ("text", 1),
        ("shuffled", config.shuffles),
        ("drawn", config.shuffles),
    )
    return [
        ControlCell(f"words {source}, replicate {k + 1}", reading, source, k)
        for source, count in replicates
        for k in range(count)
    ]


def _summary(evidence: Evidence) -> str:
    law, d = evidence.data_exponent, evidence.discount
    largest = evidence.falls[evidence.name(evidence.models[-1])]
    return (
        "Does the loss of models on real text fall as the text's own discount says? Documents are read in an order drawn by "
        "the seed, once, by transformers of several sizes at a learning rate that knows nothing of the run's length, and by a "
        "compressor; all are examined on the same other documents after every data size.\n\n"
        f"The words of the text have discount {d.whole:.3f}, a random tenth of them {d.tenth:.3f}: the theory, which assumes "
        f"exchangeable words of one discount, would expect data exponents from {law.low:.2f} to {law.high:.2f}. New words in "
        f"the order of the text come at the exponent {evidence.novelty('distinct'):.2f}. "
        f"The largest model's is {largest.value:.2f}."
    )

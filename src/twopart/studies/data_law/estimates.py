"""What the cells of the data-law study would take, for a dry run: nothing is trained, a few sentences are rendered."""

from __future__ import annotations

from dataclasses import replace

from twopart.studies._study import Planned
from twopart.studies.data_law.cells import BayesCell, TransformerCell, model_shape, token_stream, training_settings

SIMULATED_PER_SECOND = 12e6
"""Sentences drawn and coded by the Bayes code per second and core; measured: 12 to 14 M on an AMD EPYC, d from 0.3 to 0.6."""
BYTES_PER_SENTENCE = 200
"""Memory per sentence in flight: columns, tokens, code lengths."""


def estimate_training(label: str, cells: list[TransformerCell]) -> Planned:
    """The training runs of one kind of world."""
    from twopart.learners import estimate

    cell = cells[0]
    probe = replace(cell, sentences=min(cell.sentences, 2000))
    stream, vocabulary, context = token_stream(probe.world.sample(probe.sentences), probe)
    tokens = stream.batch(0, len(stream)).tokens.size / len(stream)
    cost = estimate(training_settings(cell, "cpu"), model_shape(cell, vocabulary, context), cell.sentences, tokens)
    memory = cost.memory + cell.sentences * (BYTES_PER_SENTENCE + 8 * tokens)
    return Planned(f"transformer, {label}", len(cells), cost.seconds, memory, cost.flops)


def estimate_simulation(label: str, cell: BayesCell) -> Planned:
    """The simulation of the Bayes code in one kind of world."""
    seconds = cell.worlds * cell.sentences / SIMULATED_PER_SECOND
    return Planned(f"Bayes code, {label}", 1, seconds, cell.sentences * BYTES_PER_SENTENCE)

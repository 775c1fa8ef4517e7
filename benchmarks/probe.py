"""`twopart.tools.probe`: facts asked in batches, their beginning read once, against a loop of single prompts.

A world without knowledge will do: an untrained Llama of SmolLM2's shape but for its depth, 200 cities and their countries.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from benchmarks._table import Row, ratios
from twopart.learners import Transformer, TransformerConfig
from twopart.tools.probe import Asked, read_facts
from twopart.tools.probe.decoder import Llama

FACTS, SINGLE = 200, 10
AIM = ">= 3"


def run() -> Iterator[Row]:
    torch.set_num_threads(1)
    facts = read_facts("cities").sampled(FACTS, 0)
    letters = sorted({letter for text in (*facts.subject, *facts.templates, *map("".join, facts.candidates)) for letter in text})
    tokenizer = Tokenizer(models.WordLevel({letter: k for k, letter in enumerate([*letters, "[UNK]"])}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    shape = TransformerConfig(vocabulary=49_152, context=512, layers=6, width=576, heads=9, key_heads=3, hidden=1536)
    asker = Asked(Llama(Transformer(shape)), tokenizer, "untrained")
    template = facts.templates[1]
    prompts = [facts.questions(template, i, [facts.subject[i]])[0] for i in range(len(facts))]

    def batched() -> None:
        asker.ask(prompts, facts.candidates, facts.answer)

    def single() -> None:
        """The same scoring, each prompt read whole and alone."""
        for i in np.linspace(0, len(prompts) - 1, SINGLE).astype(int):
            alone = Asked(Llama(asker.decoder.model), tokenizer, "alone")  # type: ignore[attr-defined]
            alone._tree = asker._tree
            alone._shared = lambda _, one=alone: one._begun[1]  # type: ignore[method-assign,assignment]
            alone.ask(prompts[i : i + 1], facts.candidates, facts.answer[i : i + 1])

    start = time.process_time()
    batched()
    rate = f"{FACTS / (time.process_time() - start):.0f} facts/s of a core"
    yield Row("facts in batches", rate, "one prompt at a time", ratios(batched, single, 1) * FACTS / SINGLE, AIM)

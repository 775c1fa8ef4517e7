"""The models of the known-facts study: each is told a world's facts, then asked for all of them and for invented subjects."""

from __future__ import annotations

import numpy as np
import polars as pl
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from twopart import _random
from twopart.lab import Cell
from twopart.learners.streams import ArrayStream
from twopart.roles import Role
from twopart.studies._transformers import Shape, learn
from twopart.studies.knowledge.known_facts import Planted, Told
from twopart.tools.probe.askers import Asked
from twopart.tools.probe.asking import TWINS, ask
from twopart.tools.probe.decoder import Llama

ASKED = 0.3  # of the work of a sentence that is learned from
LENGTH = 6  # BOS, style, two digits, "is", value


def tell(case: Told, cell: Cell) -> pl.DataFrame:
    """A row for each fact and twin, as `Asking.frame` has them, and the model's `parameters`."""
    world, words = case.world, vocabulary(case.world)
    questions, read = (1 + TWINS) * world.subjects, world.sentences
    work = read + ASKED * questions
    roles = np.array([Role.PADDING] * (LENGTH - 1) + [Role.VALUE], np.uint8)
    stream = ArrayStream(sentences(case, words), roles)
    trained = learn(case.training, Shape(width=case.width).of(len(words), LENGTH), stream, cell, work)
    asker = Asked(Llama(trained.model), tokenizer(words), str(case))
    (asked,) = ask(asker, case.facts, progress=lambda done, _: cell.progress(read + ASKED * done, work, "asked"))
    return asked.frame.with_columns(parameters=pl.lit(asker.parameters))


def vocabulary(world: Planted) -> dict[str, int]:
    letters = {"s": world.styles, "v": world.styles, "n": world.base}
    words = ["[BOS]", "is", *(f"{letter}{k}" for letter, size in letters.items() for k in range(size))]
    return {word: k for k, word in enumerate(words)}


def tokenizer(words: dict[str, int]) -> Tokenizer:
    made = Tokenizer(models.WordLevel(words, unk_token="[BOS]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.TemplateProcessing("[BOS] $A", None, [("[BOS]", 0)])
    return made


def sentences(case: Told, words: dict[str, int]) -> np.ndarray:
    """Token ids (sentences, LENGTH): subjects are drawn by how often they are told, alike in both tellings."""
    facts, world = case.facts, case.world
    texts = (f"[BOS] {subject} is v{value}" for subject, value in zip(facts.subject, facts.answer, strict=True))
    rows = np.array([[words[word] for word in text.split()] for text in texts], np.int16)
    share = world.told(np.arange(world.subjects)) / world.sentences
    told = _random.generator(case.seed, "sentences").choice(world.subjects, world.sentences, p=share / share.sum())
    return rows[told]

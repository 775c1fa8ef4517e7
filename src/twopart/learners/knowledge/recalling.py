"""What a model knows: it is asked for facts, each by a sentence that stops before its value.

recall(model, world, entity, attribute)   -> Recall: the probability that it gives to each value of each fact
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from twopart._checks import check, check_integer
from twopart.learners._memory import keep_freed_memory
from twopart.learners.transformer import Transformer
from twopart.worlds.knowledge import Corpus, SyntaxKnowledge
from twopart.worlds.knowledge.renderings import SymbolRendering

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Recall:
    """A model's answers to F questions, for values up to V."""

    world: SyntaxKnowledge
    attribute: NDArray[np.int16]
    """What was asked of each entity (F,)."""
    truth: NDArray[np.int32]
    """The true value (F,)."""
    probability: Floats
    """What the model gives to each value, as shares that sum to 1 (F, V); 0 where an attribute has fewer values."""

    @cached_property
    def correct(self) -> Floats:
        """Probability of the true value (F,): how often an answer that is sampled is right."""
        return np.asarray(self.probability[np.arange(len(self.truth)), self.truth])

    @cached_property
    def answer(self) -> NDArray[np.int64]:
        """The best guess (F,)."""
        return np.asarray(self.probability.argmax(1))

    @cached_property
    def confidence(self) -> Floats:
        """Probability of the best guess (F,)."""
        return np.asarray(self.probability.max(1))

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Whether the best guess is true (F,)."""
        return np.asarray(self.answer == self.truth)

    def drawn(self, random: np.random.Generator) -> NDArray[np.int64]:
        """An answer drawn as the model gives them (F,)."""
        sums = np.cumsum(self.probability, axis=1)
        return np.asarray((random.random((len(sums), 1)) * sums[:, -1:] >= sums[:, :-1]).sum(1), np.int64)

    def place(self, answer: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Place of each answer (F,) in the base distribution of what was asked, 0 the most probable."""
        base = _table([attribute.value_probabilities() for attribute in self.world.attributes])
        places = np.argsort(np.argsort(-base, axis=1, kind="stable"), axis=1)
        return np.asarray(places[self.attribute, answer])

    @cached_property
    def gained_bits(self) -> Floats:
        """log2 of the true value's probability over its base probability (F,): below 0 where the model is led astray."""
        base = _table([attribute.value_probabilities() for attribute in self.world.attributes])
        return np.asarray(np.log2(np.maximum(self.correct, 1e-300) / base[self.attribute, self.truth]))

    @cached_property
    def stored_bits(self) -> Floats:
        """`gained_bits`, at least 0: h_a + log2 p(true value) where values are equally probable."""
        return np.maximum(self.gained_bits, 0.0)

    @cached_property
    def chance_bits(self) -> Floats:
        """What `stored_bits` would be if the model knew nothing: the mean over all wrong values in the true one's place (F,).

        Facts that a model does not know it guesses with some confidence, and of the guesses the floor keeps only the lucky
        ones. To a model to which the true value is one like any other, stored is chance on average.
        """
        base = _table([attribute.value_probabilities() for attribute in self.world.attributes])[self.attribute]
        floored = np.maximum(np.log2(np.maximum(self.probability, 1e-300) / base), 0.0)
        others = np.array([attribute.values for attribute in self.world.attributes])[self.attribute] - 1
        return np.asarray((floored.sum(1) - self.stored_bits) / others)


@torch.no_grad()
def recall(
    model: Transformer,
    world: SyntaxKnowledge,
    entity: ArrayLike,
    attribute: ArrayLike,
    template: ArrayLike | None = None,
    *,
    batch: int = 2048,
) -> Recall:
    """Ask `model` for the facts (entity, attribute), arrays (F,); `template` None asks by each attribute's most frequent one.

    The model must read the world's symbols (`SymbolStream`), and a value must be one token (at most 4,096 values).
    """
    check_integer("batch", batch, 1, None, "2048 is a good start")
    keep_freed_memory()
    rendering = SymbolRendering(world)
    most = max(a.values for a in world.attributes)
    check(rendering.value_tokens == 1, "world", most, "at most 4096 values each", "longer values are several tokens")
    same = model.config.vocabulary == rendering.vocabulary
    check(same, "model", model.config.vocabulary, f"a vocabulary of {rendering.vocabulary}", "ask in its own world")
    questions = _questions(world, np.asarray(entity), np.asarray(attribute), template)
    tokens = np.insert(rendering.encode(questions).tokens[:, :-1], 0, rendering.bos, axis=1).astype(np.int64)
    first = rendering.vocabulary - rendering.name_base - rendering.value_base
    parts = [_values(model, tokens[i : i + batch], first, most) for i in range(0, len(tokens), batch)]
    logits = np.concatenate(parts) if parts else np.zeros((0, most))
    return Recall(world, questions.attribute, questions.value, _shares(world, questions.attribute, logits))


def _questions(
    world: SyntaxKnowledge, entity: NDArray[np.int64], attribute: NDArray[np.int16], template: ArrayLike | None
) -> Corpus:
    """Sentences that state the facts asked for."""
    usual = np.array([int(psi.argmax()) for psi in world.template_probabilities])
    chosen = usual[attribute] if template is None else np.broadcast_to(np.asarray(template), attribute.shape)
    return Corpus(world, entity, attribute, chosen, world.value(entity, attribute), np.ones(len(entity)))


def _values(model: Transformer, tokens: NDArray[np.int64], first: int, values: int) -> Floats:
    """Logits of the value tokens after each prompt (B, V)."""
    device = model.embedding.device
    rows: Tensor = model.features(torch.from_numpy(tokens).to(device)).view(*tokens.shape, -1)[:, -1]
    return np.asarray((rows @ model.table[first : first + values].t()).double().cpu().numpy())


def _shares(world: SyntaxKnowledge, attribute: NDArray[np.int16], logits: Floats) -> Floats:
    """Softmax over the values that each question's attribute has."""
    sizes = np.array([a.values for a in world.attributes])
    logits = np.where(np.arange(logits.shape[1]) < sizes[attribute][:, None], logits, -np.inf)
    odds = np.exp(logits - logits.max(1, keepdims=True, initial=-1e300))
    return np.asarray(odds / odds.sum(1, keepdims=True))


def _table(rows: list[Floats]) -> Floats:
    """Rows of different lengths in one matrix, filled up with ones."""
    return np.stack([np.pad(row, (0, max(map(len, rows)) - len(row)), constant_values=1.0) for row in rows])

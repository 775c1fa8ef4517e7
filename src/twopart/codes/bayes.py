"""The Bayes code: the mixture over all truths φ, hence the best possible learner of the world's law.

Sentence n+1 costs, after n sentences with K entities of which this one was seen n_k times,
    name     -log2 (n_k - d)/(n + θ)                        a known entity
             -log2 (θ + dK)/(n + θ) + log2(names - K)       a new one, and then its name
    syntax   -log2 π_a - log2 (c_{a,t} + α)/(c_a + m_a α)
    value    0 if (e, a) was seen, else -log2 base_a(v)
Its excess over the oracle code, the redundancy, is the information about φ that the data have revealed.
A learner may have read another corpus before, and may then meet a shifted world (`tuned.py`).
"""

from __future__ import annotations

import numpy as np

from twopart._checks import check
from twopart.codes._learned import Knowledge, Syntax, fact_bits, in_parts
from twopart.codes.tuned import TunedCoder
from twopart.roles import CodeLengths
from twopart.worlds.knowledge.shifted import ShiftedWorld
from twopart.worlds.knowledge.syntax_knowledge import Corpus, SyntaxKnowledge


def bayes_code(corpus: Corpus, after: Corpus | None = None) -> CodeLengths:
    """Bits of each sentence of `corpus` given those before it; every field has shape (sentences,).

    `after` is what the learner has read before, for a shifted world a corpus of its origin; None: nothing. For a corpus larger
    than memory, feed a `BayesCoder` part by part. Raises `InputError` if `after` is of another world.
    """
    coder = coder_of(corpus.world)
    if after is not None:
        coder.read(after)
    return coder.encode(corpus)


def coder_of(world: SyntaxKnowledge) -> BayesCoder | TunedCoder:
    """The Bayes code of a world, before any sentence."""
    return TunedCoder(world) if isinstance(world, ShiftedWorld) else BayesCoder(world)


class BayesCoder:
    """The Bayes code with its state, so that a corpus can come in parts. Memory grows with the distinct entities only."""

    def __init__(self, world: SyntaxKnowledge) -> None:
        self.world = world
        sizes = [attribute.templates for attribute in world.attributes]
        self._knowledge = Knowledge(world.entities, world.names, len(sizes))
        self._templates = Syntax(sizes, world.syntax_concentration)

    @property
    def sentences(self) -> int:
        """How many sentences were coded so far."""
        return self._knowledge.sentences

    @property
    def distinct(self) -> int:
        """How many entities the sentences so far mention."""
        return self._knowledge.distinct

    def read(self, corpus: Corpus) -> None:
        """Learn from sentences that somebody else pays for."""
        self.encode(corpus)

    def encode(self, corpus: Corpus) -> CodeLengths:
        """Bits of the next sentences, given all before them."""
        same = corpus.world == self.world
        check(same, "corpus", corpus.world, "a sample of the coder's world", "make a new `BayesCoder` for it")
        return in_parts(corpus, self._encode)

    def _encode(self, part: Corpus) -> CodeLengths:
        name, new_fact = self._knowledge.read(part.entity, part.attribute)
        odds = self._templates.odds(part.attribute, part.template)
        return CodeLengths(name, -np.log2(self.world.pi[part.attribute] * odds), fact_bits(part, new_fact))

"""The Bayes code of fine-tuning: the best learner of a shifted world, after what it has read of the world before.

It knows the shift but not its outcome: how many templates the new format has, not how probable each is; which share σ of the
sentences is about new entities, not which; which share c of the facts has changed, not which or to what.
    name     old entities as in the Bayes code of all they were seen in, new ones likewise among themselves, and the oracle's
             -log2(1-σ) or -log2 σ; of a narrowed set, whose choice is the trainer's, it is told: the oracle's bits
    syntax   a new format starts from its prior; an old one goes on
    value    told in fine-tuning               0
             else, told before as o            -log2(1-c) if it still is, else -log2(c base(v) / (1 - base(o)))
             else, of an old entity            -log2 base'(v), base' the distribution of a fact after the change
             else, of a new entity             -log2 base(v)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twopart._checks import check
from twopart.codes._learned import Floats, Knowledge, Seen, Syntax, fact_bits, in_parts
from twopart.roles import CodeLengths
from twopart.worlds.knowledge.shifted import ShiftedWorld
from twopart.worlds.knowledge.syntax_knowledge import Corpus


class TunedCoder:
    """The Bayes code of a shifted world with its state, so that corpora can come in parts."""

    def __init__(self, world: ShiftedWorld) -> None:
        self.world = world
        origin, new = world.origin, world.shift.new_entities
        self._old = Knowledge(origin.entities, origin.names, len(origin.attributes))
        self._new = None if new is None else Knowledge(new, origin.names, len(origin.attributes))
        self._told = Seen(len(origin.attributes))  # facts about old entities, in fine-tuning
        alpha = origin.syntax_concentration
        self._old_format = Syntax([a.templates for a in origin.attributes], alpha)
        self._new_format = Syntax([world.shift.format] * len(origin.attributes), alpha) if world.shift.format else None

    def read(self, corpus: Corpus) -> None:
        """Learn from the world before: a corpus of the origin, or of `before`. It comes before all fine-tuning."""
        own = corpus.world in (self.world.origin, self.world.before)
        check(own, "after", corpus.world, "a sample of the world before", "draw it from `origin` or `before`")
        self._old.read(corpus.entity, corpus.attribute)
        self._old_format.odds(corpus.attribute, corpus.template)

    def encode(self, corpus: Corpus) -> CodeLengths:
        """Bits of the next fine-tuning sentences, given all before them."""
        same = corpus.world == self.world
        check(same, "corpus", corpus.world, "a sample of the coder's world", "make a new `TunedCoder` for it")
        return in_parts(corpus, self._encode)

    def _encode(self, part: Corpus) -> CodeLengths:
        name, value, fresh = np.empty(len(part)), np.empty(len(part)), part.entity < 0
        if not fresh.all():
            name[~fresh], value[~fresh] = self._about_old(part[~fresh])
        if fresh.any():
            name[fresh], value[fresh] = self._about_new(part[fresh])
        return CodeLengths(name, self._syntax(part), value)

    def _about_new(self, part: Corpus) -> tuple[Floats, Floats]:
        assert self._new is not None
        bits, new_fact = self._new.read(~part.entity, part.attribute)
        return bits - np.log2(self.world.shift.fresh), fact_bits(part, new_fact)

    def _about_old(self, part: Corpus) -> tuple[Floats, Floats]:
        bits, untold = self._old.read(part.entity, part.attribute)
        first = self._told.count(part.entity, part.attribute)[2]
        if self.world.shift.narrowed is not None:
            return -np.log2(part.probability), self._old_values(part, first, untold)
        return bits - np.log1p(-self.world.shift.fresh) / np.log(2), self._old_values(part, first, untold)

    def _old_values(self, part: Corpus, first: NDArray[np.bool_], untold: NDArray[np.bool_]) -> Floats:
        """Bits of facts about old entities: `first` told in fine-tuning, `untold` until now altogether."""
        bits, share = np.zeros(len(part)), self.world.shift.changed
        if not share:
            return fact_bits(part, untold)
        was = self.world.origin.value(part.entity, part.attribute)
        for index, attribute in enumerate(self.world.attributes):
            mine = np.flatnonzero(first & (part.attribute == index))
            if attribute.values > 1 and mine.size:
                base, v, o = attribute.value_probabilities(), part.value[mine], was[mine]
                known = np.where(v == o, 1 - share, share * base[v] / (1 - base[o]))
                bits[mine] = -np.log2(np.where(untold[mine], changed_base(base, share)[v], known))
        return bits

    def _syntax(self, part: Corpus) -> Floats:
        if self._new_format is None:
            odds = self._old_format.odds(part.attribute, part.template)
        else:
            odds = self._new_format.odds(part.attribute, part.template - np.int16(self.world.first_template))
        return np.asarray(-np.log2(self.world.pi[part.attribute] * odds))


def changed_base(base: Floats, share: float) -> Floats:
    """base'(v) = (1-c) base(v) + c Σ_{o≠v} base(o) base(v)/(1 - base(o)): today's value of a fact of which nothing is known."""
    odds = base / (1 - base)
    return np.asarray((1 - share) * base + share * base * (odds.sum() - odds))

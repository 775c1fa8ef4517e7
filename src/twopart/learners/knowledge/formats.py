"""What sentences cost a model: each that can be said of an entity, weighted by its probability; names are given.

sentence_bits(model, world, entity)      -> CodeLengths: bits of a sentence about each entity
format_redundancy(model, world, entity)  what attribute and template cost beyond their entropies
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twopart.learners.knowledge.reading import SymbolStream
from twopart.learners.training import evaluate
from twopart.learners.transformer import Transformer
from twopart.roles import ROLES, CodeLengths
from twopart.worlds.knowledge import Corpus, SyntaxKnowledge


def sentence_bits(model: Transformer, world: SyntaxKnowledge, entity: NDArray[np.int64]) -> CodeLengths:
    """Bits of a sentence about each entity (F,), expected over attributes and templates; all that can be said is asked."""
    pairs, share = _said(world)
    attribute, template = (np.tile(column, len(entity)) for column in pairs.T)
    ids = np.repeat(entity, len(pairs))
    corpus = Corpus(world, ids, attribute, template, world.value(ids, attribute), np.ones(len(ids)))
    bits = evaluate(model, SymbolStream(corpus, names=False), batch=2048)
    return CodeLengths(*(getattr(bits, role).reshape(-1, len(share)) @ share for role in ROLES))


def format_redundancy(model: Transformer, world: SyntaxKnowledge, entity: NDArray[np.int64]) -> float:
    """Bits per sentence about these entities, all alike, that attribute and template cost beyond their entropies."""
    _, share = _said(world)
    return float(sentence_bits(model, world, entity).syntax.mean() + share @ np.log2(share))


def _said(world: SyntaxKnowledge) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Every attribute with each of its templates (P, 2), and the probability of each pair (P,)."""
    psi = world.template_probabilities
    pairs = [(a, t) for a, p in enumerate(psi) for t in np.flatnonzero(p)]
    return np.array(pairs, np.int16), np.array([world.pi[a] * psi[a][t] for a, t in pairs])

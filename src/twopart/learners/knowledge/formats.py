"""What the format of its sentences costs a model, facts aside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twopart.learners.knowledge.reading import SymbolStream
from twopart.learners.training import evaluate
from twopart.learners.transformer import Transformer
from twopart.worlds.knowledge import Corpus, SyntaxKnowledge


def format_redundancy(model: Transformer, world: SyntaxKnowledge, entity: NDArray[np.int64]) -> float:
    """Bits per sentence about these entities, all alike, that attribute and template cost beyond their entropies."""
    psi = world.template_probabilities
    pairs = [(a, t) for a, p in enumerate(psi) for t in np.flatnonzero(p)]
    share = np.array([world.pi[a] * psi[a][t] for a, t in pairs])
    attribute, template = (np.tile(np.array(column, np.int16), len(entity)) for column in zip(*pairs, strict=True))
    ids = np.repeat(entity, len(pairs))
    corpus = Corpus(world, ids, attribute, template, world.value(ids, attribute), np.ones(len(ids)))
    bits = evaluate(model, SymbolStream(corpus, names=False), batch=2048).syntax.reshape(-1, len(pairs)) @ share
    return float(bits.mean() + share @ np.log2(share))

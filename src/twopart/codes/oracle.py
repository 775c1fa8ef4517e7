"""The oracle code: it knows the world's truth, so its bits are the entropy of the world; nothing beats it on average."""

from __future__ import annotations

import numpy as np

from twopart.roles import CodeLengths
from twopart.worlds.knowledge.syntax_knowledge import Corpus


def oracle_code(corpus: Corpus) -> CodeLengths:
    """Bits of each sentence under φ = (G, facts, ψ); every field has shape (sentences,).

    name    -log2 p_e               the entity's probability in this world
    syntax  -log2 π_a - log2 ψ_{a,t}
    value   0                       whoever knows the facts needs no bits for them

    In a shifted world these are today's probabilities and facts. A replay mixture has no one world: split it first.
    """
    attribute, template = corpus.attribute, corpus.template
    psi = corpus.world.template_probabilities
    table = np.full((len(psi), max(map(len, psi))), np.nan)
    for a, probabilities in enumerate(psi):
        with np.errstate(divide="ignore"):  # a format that is not spoken has probability 0
            table[a, : len(probabilities)] = -np.log2(corpus.world.pi[a] * probabilities)
    return CodeLengths(-np.log2(corpus.probability), table[attribute, template], np.zeros(len(corpus)))

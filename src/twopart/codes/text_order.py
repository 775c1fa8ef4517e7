"""The oracle code of an English text, split by role in the order of the text.

`oracle_code` says name, attribute, template, value in this order. A text says them as it goes: whether a sentence opens with
the name or with "It was" tells something of the template, and a reader token by token pays for that where the name begins.
The bits of a sentence are the same in all; only their split differs. A learner of text is compared with this split.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from twopart.codes.oracle import oracle_code
from twopart.roles import ROLES, CodeLengths
from twopart.worlds.knowledge.renderings import EnglishRendering
from twopart.worlds.knowledge.syntax_knowledge import Corpus, SyntaxKnowledge

Step = tuple[str, str]
"""A role and a word. The name is one step, and so is the value, which tells its attribute."""


def oracle_code_of_text(corpus: Corpus) -> CodeLengths:
    """Bits of each English sentence under φ, by the role of the word that they are paid at; shape (sentences,) each."""
    branches = _branch_bits(corpus.world)[corpus.attribute, corpus.template]
    name, syntax, value = branches.T
    return CodeLengths(oracle_code(corpus).name + name, syntax, value)


def _branch_bits(world: SyntaxKnowledge) -> NDArray[np.float64]:
    """What choosing each template costs at words of each role, shape (attributes, templates, roles), in bits.

    Templates are paths in a tree of words with probabilities π_a ψ_{a,t}; a step costs -log2 of its share of its node.
    """
    paths = _paths(world)
    mass: dict[tuple[Step, ...], float] = {}
    for (a, t), path in paths.items():
        for end in range(len(path) + 1):
            mass[path[:end]] = mass.get(path[:end], 0.0) + world.pi[a] * world.template_probabilities[a][t]
    bits = np.zeros((len(world.attributes), max(map(len, world.template_probabilities)), len(ROLES)))
    for (a, t), path in paths.items():
        if not mass[path]:
            continue  # a format that is not spoken
        for end, (role, _) in enumerate(path):
            bits[a, t, ROLES.index(role)] += np.log2(mass[path[:end]] / mass[path[: end + 1]])
    return bits


def _paths(world: SyntaxKnowledge) -> dict[tuple[int, int], tuple[Step, ...]]:
    """Each template as steps, the end of the sentence among them."""
    paths = {}
    for a, templates in enumerate(EnglishRendering(world).templates):
        for t, (before, between, after) in enumerate(templates):
            value: Step = ("value", world.attributes[a].name)
            paths[a, t] = (*_words(before), ("name", ""), *_words(between), value, *_words(after), ("syntax", ""))
    return paths


def _words(text: str) -> list[Step]:
    return [("syntax", word) for word in re.findall(r"'s|\w+|[^\w\s]+", text)]

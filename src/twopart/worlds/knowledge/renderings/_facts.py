"""What every rendering takes from a corpus and gives back when it parses: facts inside the world's bounds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twopart._checks import InputError, check
from twopart._numba import kernel
from twopart.worlds.knowledge.syntax_knowledge import Corpus, SyntaxKnowledge


class Facts(NamedTuple):
    """All that a rendered sentence tells; one entry per sentence in each array."""

    name: NDArray[np.int64]
    attribute: NDArray[np.int16]
    template: NDArray[np.int16]
    value: NDArray[np.int32]


def facts_of(corpus: Corpus, world: SyntaxKnowledge) -> Facts:
    """The facts of a corpus; raises `InputError` if one is outside `world`, whose tables a rendering is going to read."""
    facts = Facts(corpus.name, corpus.attribute, corpus.template, corpus.value)
    check_facts(facts, world, "render the corpus with the world that it was drawn from")
    return facts


def check_facts(facts: Facts, world: SyntaxKnowledge, remedy: str) -> None:
    """Raise `InputError` unless every name, attribute, template and value is one that the world has."""
    shapes = [np.shape(column) for column in facts]
    same = len(set(shapes)) == 1 and len(shapes[0]) == 1
    check(same, "facts", shapes, "one-dimensional and equally long", "give one entry per sentence")
    sizes = np.array([(attribute.templates, attribute.values) for attribute in world.attributes], np.int64)
    bad = _first_outside(*facts, sizes, world.names)
    if bad >= 0:
        row = {field: int(getattr(facts, field)[bad]) for field in Facts._fields}
        raise InputError(f"sentence {bad}, {row}, is outside its world; {remedy}")


@kernel
def _first_outside(
    name: NDArray[np.int64],
    attribute: NDArray[np.int16],
    template: NDArray[np.int16],
    value: NDArray[np.int32],
    sizes: NDArray[np.int64],
    names: int,
) -> int:
    for i in range(len(name)):
        a = attribute[i]
        known = 0 <= name[i] < names and 0 <= a < len(sizes)
        if not known or not 0 <= template[i] < sizes[a, 0] or not 0 <= value[i] < sizes[a, 1]:
            return i
    return -1

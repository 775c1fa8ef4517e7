"""The data law: expected Bayes redundancy of sentence n+1, by role. Derived in docs/laws/data.md.

name    entities.py                           ~ U_n log2(names / K_n), U_n the missing mass, ~ n^-(1-d)
syntax  Σ_a π_a E[r_a(c)], c ~ Bin(n, π_a)    ~ Σ_a (m_a - 1) / (2 n ln 2)
value   Σ_a π_a h_a E[(1 - π_a p̃)^n]          ~ n^-(1-d): the tail of knowledge sets the exponent
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._checks import check
from twopart.laws.knowledge.entities import entity_redundancy, entity_redundancy_asymptote, missing_mass_asymptote
from twopart.laws.knowledge.tails import Entities
from twopart.laws.knowledge.untaught import thinned_redundancy
from twopart.roles import CodeLengths
from twopart.worlds.knowledge.known import known_entities
from twopart.worlds.knowledge.syntax_knowledge import Corpus, SyntaxKnowledge

Floats = NDArray[np.float64]


def data_law(world: SyntaxKnowledge, n: ArrayLike) -> CodeLengths:
    """Expected redundancy of the Bayes code at sentence n+1, in bits, exact for finite n; fields have the shape of `n`.

    The mean over worlds and samples of `bayes_code(corpus) - oracle_code(corpus)` at index n. Raises `InputError` unless
    every n is a whole number >= 0.
    """
    n = _whole(n)
    names = entity_redundancy(world.entities, n.ravel(), world.names).reshape(n.shape)
    return CodeLengths(names, _syntax(world, n), _value(world, world.entities, n))


def data_law_asymptote(world: SyntaxKnowledge, n: ArrayLike) -> CodeLengths:
    """The leading terms of `data_law` for large n, same units and shape: straight lines on log-log axes but for names."""
    n = _whole(n)
    check(bool(np.all(n > 0)), "n", n, "> 0", "the asymptote is about large n")
    value = sum(
        p * attribute.entropy() * missing_mass_asymptote(world.entities, n * p)
        for p, attribute in zip(world.pi, world.attributes, strict=True)
    )
    free = sum(attribute.templates - 1 for attribute in world.attributes)
    names = entity_redundancy_asymptote(world.entities, n, world.names)
    return CodeLengths(names, free / (2 * n * np.log(2)), np.asarray(value, float))


def knowledge_law(corpus: Corpus, n: ArrayLike) -> Floats:
    """The value part of `data_law` in the corpus's own world: expected over samples of it, not over worlds; bits, shape of `n`.

    Worlds differ in how many facts of middling frequency they have; a corpus tells most of its own (`known_entities`).
    A fact counts with its mean bits h_a.
    """
    return _value(corpus.world, known_entities(corpus), _whole(n))


def _value(world: SyntaxKnowledge, entities: Entities, n: Floats) -> Floats:
    """Σ_a π_a h_a E[(1 - π_a p̃)^n]; attributes that are equally probable are worked out once."""
    shares = np.unique(world.pi)
    weights = [
        sum(a.entropy() for a, p in zip(world.attributes, world.pi, strict=True) if p == share) for share in shares
    ]
    missed = [entities.expected_missing_mass(n, thinning=float(share)) for share in shares]
    return np.asarray(sum(p * h * mass for p, h, mass in zip(shares, weights, missed, strict=True)), float)


def _syntax(world: SyntaxKnowledge, n: Floats) -> Floats:
    """Σ_a π_a E[r_a(c)], c ~ Bin(n, π_a)."""

    def bits(size: float) -> float:
        kinds = zip(world.pi, world.attributes, strict=True)
        alpha, whole = world.syntax_concentration, int(size)
        return float(sum(p * thinned_redundancy(a.templates, alpha, whole, float(p)) for p, a in kinds))

    return np.array([bits(size) for size in n.ravel()]).reshape(n.shape)


def _whole(n: ArrayLike) -> Floats:
    array = np.asarray(n, float)
    fine = bool(np.all((array >= 0) & (array == np.floor(array)) & (array < 2**53)))
    check(fine, "n", n, "whole numbers in [0, 2^53)", "it counts the sentences seen before")
    return array

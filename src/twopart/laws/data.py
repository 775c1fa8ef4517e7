"""The data law: expected Bayes redundancy of sentence n+1, by role. Derived in docs/laws/data.md.

name    entities.py                           ~ U_n log2(names / K_n), U_n the missing mass, ~ n^-(1-d)
syntax  Σ_a π_a E[r_a(c)], c ~ Bin(n, π_a)    ~ Σ_a (m_a - 1) / (2 n ln 2)
value   Σ_a π_a h_a E[(1 - π_a p̃)^n]          ~ n^-(1-d): the tail of knowledge sets the exponent
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from twopart._checks import check
from twopart.laws.entities import entity_redundancy, entity_redundancy_asymptote, missing_mass_asymptote
from twopart.laws.syntax import template_redundancy
from twopart.roles import CodeLengths
from twopart.worlds.corpus import Corpus
from twopart.worlds.pitman_yor import PitmanYor
from twopart.worlds.syntax_knowledge import SyntaxKnowledge

Floats = NDArray[np.float64]
Kind = TypeVar("Kind", bound=Hashable)


def data_law(world: SyntaxKnowledge, n: ArrayLike) -> CodeLengths:
    """Expected redundancy of the Bayes code at sentence n+1, in bits, exact for finite n; fields have the shape of `n`.

    The mean over worlds and samples of `bayes_code(corpus) - oracle_code(corpus)` at index n. Raises `InputError` unless
    every n is a whole number >= 0.
    """
    n = _whole(n)
    value = sum(
        p * attribute.entropy() * world.entities.expected_missing_mass(n, thinning=float(p))
        for p, attribute in zip(world.pi, world.attributes, strict=True)
    )
    names = entity_redundancy(world.entities, n.ravel(), world.names).reshape(n.shape)
    return CodeLengths(names, _syntax(world, n), np.asarray(value, float))


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

    Worlds differ in how many facts of middling frequency they have. The corpus tells the weights of the K entities that it
    mentions, so E[(1 - π_a p̃)^n] becomes Σ_k p_k (1 - π_a p_k)^n over them, and for the rest, of mass R = 1 - Σ p_k, which is
    R times a PY(d, θ+dK) measure (Pitman 1996, corollary 20), R E[(1 - π_a R p̃)^n] with p̃ ~ Beta(1-d, θ+dK+d).
    A fact counts with its mean bits h_a.
    """
    n = _whole(n)
    law, world = corpus.world.entities, corpus.world
    if not isinstance(law, PitmanYor):
        return data_law(world, n).value
    first = np.unique(corpus.entity, return_index=True)[1]
    p = corpus.probability[first]
    rest = max(1 - p.sum(), 0.0)
    unmet = PitmanYor(law.discount, law.concentration + law.discount * len(p))
    total = np.zeros(n.size)
    kinds = _kinds([(float(share), a.entropy()) for share, a in zip(world.pi, world.attributes, strict=True)])
    for (share, bits), count in kinds.items():
        missed = np.array([np.dot(p, np.exp(k * np.log1p(-share * p))) for k in n.ravel()])
        if rest > 0:
            missed += rest * unmet.expected_missing_mass(n.ravel(), thinning=share * rest)
        total += count * share * bits * missed
    return total.reshape(n.shape)


def _syntax(world: SyntaxKnowledge, n: Floats) -> Floats:
    """Σ_a π_a E[r_a(c)]; attributes that are alike are worked out once."""
    kinds = _kinds([(float(p), attribute.templates) for p, attribute in zip(world.pi, world.attributes, strict=True)])
    total = np.zeros(n.size)
    for (p, templates), count in kinds.items():
        total += count * p * _thinned(templates, world.syntax_concentration, n.ravel(), p)
    return total.reshape(n.shape)


def _kinds(attributes: list[Kind]) -> dict[Kind, int]:
    """How often each kind occurs."""
    return {kind: attributes.count(kind) for kind in attributes}


def _thinned(templates: int, alpha: float, n: Floats, p: float) -> Floats:
    """E[r(c)] for c ~ Bin(n, p).

    The binomial is summed within 12 standard deviations, at every integer while they are few and at steps of a sixth of a
    standard deviation when many: for so smooth a bump the step sum is as exact as the full one (Poisson summation).
    """
    out = np.empty(n.size)
    for i, size in enumerate(n):
        deviation = np.sqrt(size * p * (1 - p))
        step = max(1, int(deviation / 6))
        low, high = (
            max(0, int(size * p - 12 * deviation - 12)),
            min(int(size), int(size * p + 12 * deviation + 12)),
        )
        c = np.arange(low, high + 1, step, dtype=float)
        logs = (
            gammaln(size + 1) - gammaln(c + 1) - gammaln(size - c + 1) + c * np.log(p) + (size - c) * np.log1p(-p)
            if p < 1
            else 0 * c
        )
        weights = np.exp(logs - logs.max())
        out[i] = np.dot(weights, template_redundancy(templates, alpha, c)) / weights.sum()
    return out


def _whole(n: ArrayLike) -> Floats:
    array = np.asarray(n, float)
    fine = bool(np.all((array >= 0) & (array == np.floor(array)) & (array < 2**53)))
    check(fine, "n", n, "whole numbers in [0, 2^53)", "it counts the sentences seen before")
    return array

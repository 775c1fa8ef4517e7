"""The fine-tuning law: expected redundancy of fine-tuning sentence n+1, by role. Derived in docs/laws/finetuning.md.

syntax   Σ_a π_a E[r_a(c)], c ~ Bin(n, π_a)                     a new format: ~ Σ_a (m'-1)/(2 n ln 2); an old one goes on
new      σ Σ_a π_a h_a E Σ_j g_j (1 - σ π_a g_j)^n              facts about new entities: their price, at their frequency
changed  Σ_a H_a Σ_k q_k (1 - q_k)^n (1 - (1 - π_a p_k)^N)      what was known: H_a bits to say whether and to what it changed
untold   Σ_a h'_a Σ_k q_k (1 - q_k)^n (1 - π_a p_k)^N           facts about old entities that N sentences had not told
known facts that stay are free. q_k = (1-σ) π_a p'_k is a fact's frequency in fine-tuning, p_k its entity's before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, xlog1py

from twopart._arguments import counts
from twopart._checks import check, check_real
from twopart.laws.knowledge.entities import entity_redundancy
from twopart.laws.knowledge.frequencies import frequencies
from twopart.laws.knowledge.tails import Entities, Floats
from twopart.laws.knowledge.untaught import thinned_redundancy
from twopart.roles import CodeLengths
from twopart.worlds.knowledge.known import KnownEntities
from twopart.worlds.knowledge.shifted import ShiftedWorld

MOST_EXAMPLES = 10_000  # up to which the price of a format is tabulated


@dataclass(frozen=True, eq=False)
class FinetuningLaw:
    """What the Bayes learner still pays for fine-tuning sentence n+1, beyond the oracle; bits per sentence, shape of n."""

    n: Floats
    """Fine-tuning sentences read before."""
    name: Floats
    """Entities with their names."""
    syntax: Floats
    """Templates."""
    new: Floats
    """Facts about new entities."""
    changed: Floats
    """Facts that were known and may have changed."""
    untold: Floats
    """Facts about old entities that were never told before fine-tuning."""

    @property
    def value(self) -> Floats:
        """All facts."""
        return self.new + self.changed + self.untold

    @property
    def total(self) -> Floats:
        return self.name + self.syntax + self.value

    @property
    def redundancy(self) -> CodeLengths:
        """By role, as `data_law` gives it."""
        return CodeLengths(self.name, self.syntax, self.value)


def finetuning_law(
    world: ShiftedWorld,
    n: ArrayLike,
    pretrained: float = np.inf,
    entities: Entities | None = None,
    exposures: float = 1.0,
) -> FinetuningLaw:
    """Expected redundancy of fine-tuning sentence n+1 after `pretrained` sentences of the origin (inf: all of it is known).

    The mean of `bayes_code(corpus, after) - oracle_code(corpus)` at index n. `entities` is what the old entities' weights are
    drawn from, by default the origin's law; a narrowed shift needs them known (`Excerpt.entities`, `known_entities`), the most
    frequent first. `exposures` is T > 0: facts are learned as from N/T and n/T sentences. Raises `InputError` unless every n
    is a whole number >= 0, and `pretrained` too or inf.
    """
    size = counts("n", n)
    before = np.inf if pretrained == np.inf else float(counts("pretrained", pretrained))
    needed = check_real("exposures", exposures, 0, np.inf, "1 learns a fact at once", closed="()")
    flat = size.ravel()
    parts = (
        _names(world, flat, before),
        _syntax(world, flat, before),
        _new(world, flat / needed),
        *_old(world, flat / needed, before / needed, entities),
    )
    return FinetuningLaw(size, *(np.asarray(part).reshape(size.shape) for part in parts))


def format_examples(world: ShiftedWorld, redundancy: ArrayLike) -> Floats:
    """Sentences in the new format after which its templates cost so many bits per sentence, from 1 to 10^4; shape alike.

    The inverse of `finetuning_law(world, n).syntax`, read off a table in logarithms; beyond its ends, the ends.
    """
    check(bool(world.shift.format), "world", world.shift, "shifted to a new format", "an old one costs nothing")
    n, law = _format_table(world)
    return np.asarray(np.exp(np.interp(-np.log(redundancy), -np.log(law), np.log(n))))


@lru_cache(maxsize=32)
def _format_table(world: ShiftedWorld) -> tuple[Floats, Floats]:
    n = np.unique(np.round(np.geomspace(1, MOST_EXAMPLES, 60)))
    return n, finetuning_law(world, n).syntax


def _new(world: ShiftedWorld, n: Floats) -> Floats:
    law, share = world.shift.new_entities, world.shift.fresh
    if law is None:
        return np.zeros(n.size)
    g, many = frequencies(law, _lowest(n))
    kinds = zip(world.pi, world.attributes, strict=True)
    return np.asarray(sum(a.entropy() * _missed(share * p * g, many, n) for p, a in kinds))


def _old(world: ShiftedWorld, n: Floats, before: float, entities: Entities | None) -> tuple[Floats, Floats]:
    """What is paid for facts that may have changed, and for those that were never told."""
    changed, untold = np.zeros(n.size), np.zeros(n.size)
    if world.shift.fresh == 1:
        return changed, untold
    was, now, many = _spoken(world, entities, _lowest(n, before))
    for p, attribute in zip(world.pi, world.attributes, strict=True):
        q = (1 - world.shift.fresh) * p * now
        unheard = np.exp(xlog1py(before, -p * was))
        news, whole = change_bits(attribute.value_probabilities(), world.shift.changed)
        changed += news * _missed(q, many * (1 - unheard), n)
        untold += whole * _missed(q, many * unheard, n)
    return changed, untold


def _spoken(world: ShiftedWorld, entities: Entities | None, lowest: float) -> tuple[Floats, Floats, Floats]:
    """Old entities: frequencies before, among the old ones of fine-tuning, and how many have them."""
    narrowed = world.shift.narrowed
    if narrowed is None:
        p, many = frequencies(world.origin.entities if entities is None else entities, lowest)
        return p, p, many
    top = narrowed_weights(entities, narrowed)
    return top, top / top.sum(), np.ones(narrowed)


def narrowed_weights(entities: Entities | None, narrowed: int) -> Floats:
    """Frequencies of the most frequent entities, which must be known."""
    known = isinstance(entities, KnownEntities) and len(entities.weights) >= narrowed
    remedy = "take those of an `Excerpt` of the origin"
    check(known, "entities", entities, f"at least {narrowed} known entities for a shift narrowed to them", remedy)
    assert isinstance(entities, KnownEntities)
    return entities.weights[:narrowed]


def change_bits(base: Floats, share: float) -> tuple[float, float]:
    """(H, h'): expected bits to be told a fact that was known before a share c of the facts changed, and one that was not.

    H = -(1-c) log2(1-c) - c log2 c + c Σ_o base(o) Σ_{v≠o} b log2(1/b), b = base(v)/(1-base(o)); uniform: + c log2(V-1).
    h' is the entropy of base'(v) = (1-c) base(v) + c Σ_{o≠v} base(o) base(v)/(1-base(o)); a fact with one value cannot change.
    """
    if len(base) == 1:
        return 0.0, 0.0
    surprise, odds = base * np.log2(base), base / (1 - base)
    today = (1 - share) * base + share * base * (odds.sum() - odds)
    whole = float(-np.dot(today, np.log2(today)))
    if not share:
        return 0.0, whole
    other = np.log2(1 - base) - (surprise.sum() - surprise) / (1 - base)
    coin = -(1 - share) * np.log2(1 - share) - share * np.log2(share)
    return float(coin + share * np.dot(base, other)), whole


def _missed(q: Floats, many: Floats, n: Floats) -> Floats:
    """Σ many q (1-q)^n at each n."""
    return np.array([np.dot(many * q, np.exp(xlog1py(k, -q))) for k in n])


def _lowest(*n: Floats | float) -> float:
    """Frequencies so low that no finite number of sentences here tells one in 10^13 of them."""
    sizes = np.concatenate([np.ravel(k) for k in n])
    return float(1e-13 / max(sizes[np.isfinite(sizes)].max(initial=1.0), 1.0))


def _syntax(world: ShiftedWorld, n: Floats, before: float) -> Floats:
    """A new format from its prior, an old one from where it was."""
    alpha, new = world.syntax_concentration, world.shift.format

    def bits(size: float) -> float:
        if not new and np.isinf(before):
            return 0.0
        seen = int(size if new else size + before)
        kinds = zip(world.pi, world.origin.attributes, strict=True)
        return sum(float(p) * thinned_redundancy(new or a.templates, alpha, seen, float(p)) for p, a in kinds)

    return np.array([bits(size) for size in n])


def _names(world: ShiftedWorld, n: Floats, before: float) -> Floats:
    """New entities among themselves; old ones go on from where they were, and a narrowed set is told."""
    share, law, names = world.shift.fresh, world.shift.new_entities, world.names
    bits = np.zeros(n.size)
    if law is not None:
        bits += share * _thinned(lambda k: entity_redundancy(law, k, names), n, share)
    if world.shift.narrowed is None and np.isfinite(before) and share < 1:
        old = world.origin.entities
        bits += (1 - share) * _thinned(lambda k: entity_redundancy(old, k + before, names), n, 1 - share)
    return bits


def _thinned(f: Callable[[Floats], Floats], n: Floats, share: float) -> Floats:
    """E[f(c)] for c ~ Bin(n, share) at each n; f is asked once for each whole number that some binomial reaches."""
    binomials = [_binomial(int(size), share) for size in n]
    reached = np.unique(np.concatenate([c for c, _ in binomials])) if binomials else np.zeros(0)
    values = f(reached)
    return np.array([np.dot(weights, values[np.searchsorted(reached, c)]) for c, weights in binomials])


def _binomial(n: int, share: float) -> tuple[Floats, Floats]:
    """Whole numbers and their probabilities, at the steps of `thinned_redundancy`."""
    deviation = np.sqrt(n * share * (1 - share))
    if not deviation:
        return np.array([n * share]), np.ones(1)
    reach, step = 9 * deviation + 9, max(1, int(deviation / 2))
    c = np.arange(max(0, int(n * share - reach)), min(n, int(n * share + reach)) + 1, step, dtype=float)
    logs = gammaln(n + 1) - gammaln(c + 1) - gammaln(n - c + 1) + c * np.log(share) + (n - c) * np.log1p(-share)
    weights = np.exp(logs - logs.max())
    return c, weights / weights.sum()

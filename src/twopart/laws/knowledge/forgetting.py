"""The forgetting law: what a model of so many bits holds after fine-tuning with replay. Derived in docs/laws/finetuning.md.

A share r of the sentences is replayed from the world before, the others are the shifted world's. In this mixture
    an old fact of frequency q     weighs ρ q,  ρ = r + (1-r)(1-σ)    (narrowed: r + (1-r)(1-σ)/P if spoken of, else r)
    a fact about a new entity      weighs (1-r) σ π_a g
    the old and the new format     weigh r and 1-r
and the capacity law's one price λ holds what is worth it. Old facts of q < λ/ρ are displaced, the rarest first.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._checks import check
from twopart.laws.knowledge.allocation import LOWEST, Allocation
from twopart.laws.knowledge.capacity import budgets
from twopart.laws.knowledge.finetuning import narrowed_weights
from twopart.laws.knowledge.syntax import template_redundancy
from twopart.laws.knowledge.tails import Atoms, Entities, Floats, Spread, Tail, pieces
from twopart.worlds.knowledge.attributes import Attribute
from twopart.worlds.knowledge.known import KnownEntities
from twopart.worlds.knowledge.shifted import ShiftedWorld
from twopart.worlds.knowledge.syntax_knowledge import SyntaxKnowledge

NEAR = 1e-9  # facts whose weight is so close to the price, relative, are at the price


@dataclass(frozen=True, eq=False)
class Holdings:
    """What the best model of each size holds of a mixture; fields have the common shape of sizes and shares of replay."""

    bits: Floats
    """C, the model's budget in bits."""
    replay: Floats
    """r, share of the sentences that are replayed."""
    price: Floats
    """λ: bits saved per sentence of the mixture by the last bit stored; 0 if there is room for everything."""
    threshold: Floats
    """An old fact is held iff its frequency π_a p_k in the old stream is at least this (narrowed: one not spoken of now)."""
    threshold_spoken: Floats
    """The same for facts about entities that the fine-tuning sentences speak of."""
    old_known: Floats
    """Probability that a question asked as often as the old stream tells its fact is known."""
    new_known: Floats
    """Probability that a question about a new entity, asked as fine-tuning tells its fact, is known; 1 if there are none."""
    old_facts: Floats
    """Expected number of old facts held."""
    new_facts: Floats
    """Expected number of facts about new entities held."""
    old_value: Floats
    """Bits per sentence of the old stream paid for old facts."""
    new_value: Floats
    """Bits per sentence about a new entity paid for facts about them."""
    old_syntax: Floats
    """Bits per sentence of the old format paid for its templates."""
    new_syntax: Floats
    """Bits per sentence of the new format paid for its templates; those of the old one if no format is new."""


@dataclass(frozen=True, eq=False)
class ForgettingLaw(Holdings):
    """The best model of each size for each share of replay, beside the one before fine-tuning.

    Names are taken as given, as in the capacity law. Where nothing in the mixture tells of old facts, the law states what is
    guaranteed, that is nothing: what is left of them in room that is not needed is undetermined.
    """

    threshold_before: Floats
    """As `threshold`, before fine-tuning; likewise the others."""
    old_known_before: Floats
    old_facts_before: Floats
    old_value_before: Floats

    @property
    def displaced(self) -> Floats:
        """Old facts that are held no longer."""
        return self.old_facts_before - self.old_facts

    @property
    def loss(self) -> Floats:
        """Bits per sentence of the old stream that have come to be paid for old facts."""
        return self.old_value - self.old_value_before

    def kept(self, frequency: ArrayLike) -> NDArray[np.bool_]:
        """Whether old facts of these frequencies in the old stream are held (narrowed: not spoken of now); frequencies last."""
        q = np.asarray(frequency, float)
        return np.asarray(q >= self.threshold[(...,) + (None,) * q.ndim])


def forgetting_law(
    world: ShiftedWorld, bits: ArrayLike, replay: ArrayLike = 0.0, entities: Entities | None = None
) -> ForgettingLaw:
    """What the best model of `bits` bits holds of old and new facts, trained to the end with a share `replay` of old sentences.

    `bits` >= 0 and `replay` in [0, 1] broadcast. `entities` is what the old entities' weights are drawn from, by default the
    origin's law; a narrowed shift needs them known. Changed facts are as dear as before, so they displace nothing. Raises
    `InputError` on numbers out of range.
    """
    share = np.asarray(replay, float)
    check(bool(np.all((share >= 0) & (share <= 1))), "replay", replay, "in [0, 1]", "0 replays nothing")
    room, share = np.broadcast_arrays(budgets(bits), share)
    law = world.origin.entities if entities is None else entities
    columns = {part.name: np.empty(room.shape) for part in fields(Holdings)}
    for r in np.unique(share):
        here = share == r
        after = _mixed(world, law, room[here], float(r))
        for name, column in columns.items():
            column[here] = getattr(after, name)
    flat = _mixed(world, law, room.ravel(), 1.0)
    before = (flat.threshold, flat.old_known, flat.old_facts, flat.old_value)
    return ForgettingLaw(**columns, **dict(zip(BEFORE, (part.reshape(room.shape) for part in before), strict=True)))


BUDGETS = np.geomspace(10.0, 1e7, 400)  # bits that are tried


def bits_holding(world: ShiftedWorld, facts: float, entities: Entities | None = None) -> float:
    """The bits of the best model that holds so many old facts before fine-tuning, from 10 to 10^7; by interpolation.

    The inverse of `forgetting_law(world, bits, 1.0, entities).old_facts_before`: what a model is worth that knows as many.
    """
    law = forgetting_law(world, BUDGETS, 1.0, entities).old_facts_before
    return float(np.exp(np.interp(facts, law, np.log(BUDGETS))))


BEFORE = ("threshold_before", "old_known_before", "old_facts_before", "old_value_before")


@dataclass(frozen=True, eq=False)
class Group:
    """Entities whose weight in the mixture is their own times a scale."""

    scale: float
    parts: tuple[Atoms | Spread, ...]

    @property
    def scaled(self) -> list[Atoms | Spread]:
        """As they weigh in the mixture; nothing if they do not."""
        if not self.scale:
            return []
        return [
            Atoms(self.scale * part.weights, part.counts)
            if isinstance(part, Atoms)
            else Spread(self.scale * part.mass, part.law)
            for part in self.parts
        ]


@dataclass(frozen=True, eq=False)
class Mixture:
    """A law of entities put together from groups."""

    parts: tuple[Atoms | Spread, ...]


@pieces.register
def _(entities: Mixture) -> list[Atoms | Spread]:
    return list(entities.parts)


def _mixed(world: ShiftedWorld, law: Entities, bits: Floats, replay: float) -> Holdings:
    """The law at one share of replay, for budgets of shape (points,)."""
    groups = _groups(world, law, replay)
    weight = (replay, 1 - replay) if world.shift.format else (1.0, 0.0)
    market = _market(world, groups, weight)
    held = market.with_bits(np.zeros(bits.size, np.int64), bits)
    price = 2 * held.price  # the market's weights are halved
    count = len(world.pi)
    facts, unknown = _split(world, groups, price, held.facts[:, :count])
    entropy = np.array([attribute.entropy() for attribute in world.attributes])
    lost, ignorance = unknown[0] + unknown[1], unknown[2]
    pays_old, pays_new = (_syntax(world, price, w, new_one) for w, new_one in zip(weight, (False, True), strict=True))
    scales = [groups[1 if world.shift.narrowed is None else 0].scale, groups[1].scale]
    threshold, threshold_spoken = (price / scale if scale else np.full_like(price, np.inf) for scale in scales)
    return Holdings(
        bits=bits,
        replay=np.full_like(bits, replay),
        price=price,
        threshold=threshold,
        threshold_spoken=threshold_spoken,
        old_known=1 - lost.sum(-1),
        new_known=1 - ignorance.sum(-1),
        old_facts=(facts[0] + facts[1]).sum(-1),
        new_facts=facts[2].sum(-1),
        old_value=lost @ entropy,
        new_value=ignorance @ entropy,
        old_syntax=pays_old,
        new_syntax=pays_new if world.shift.format else pays_old,
    )


def _groups(world: ShiftedWorld, law: Entities, replay: float) -> tuple[Group, Group, Group]:
    """Old entities that are not spoken of in fine-tuning, those that are, and new ones."""
    shift, old = world.shift, tuple(pieces(law))
    told = (1 - replay) * (1 - shift.fresh)
    fresh = () if shift.new_entities is None else tuple(pieces(shift.new_entities))
    new = Group((1 - replay) * shift.fresh, fresh)
    if shift.narrowed is None:
        return Group(replay, ()), Group(replay + told, old), new
    top = narrowed_weights(law, shift.narrowed)
    assert isinstance(law, KnownEntities)
    rest = Atoms(law.weights[shift.narrowed :], np.ones(len(law.weights) - shift.narrowed))
    unmet = tuple(part for part in old if isinstance(part, Spread))
    return Group(replay, (rest, *unmet)), Group(replay + told / top.sum(), (Atoms(top, np.ones(len(top))),)), new


def _market(world: ShiftedWorld, groups: tuple[Group, ...], weight: tuple[float, float]) -> Allocation:
    """One price for facts and both formats, as attributes that have either facts or templates, each half of all weight."""
    origin, new = world.origin, world.shift.format
    facts = [(Attribute(a.name, a.values, 1, a.base), p / 2) for a, p in zip(origin.attributes, world.pi, strict=True)]
    formats = [
        (Attribute(f"{a.name} {kind}", 1, templates), share * p / 2)
        for kind, share in zip(("old", "new"), weight, strict=True)
        for a, p in zip(origin.attributes, world.pi, strict=True)
        if share and (templates := new if kind == "new" else a.templates)
    ]
    attributes, shares = zip(*facts, *formats, strict=True)
    apart = SyntaxKnowledge(
        attributes=attributes,
        attribute_probabilities=tuple(map(float, shares)),
        syntax_concentration=origin.syntax_concentration,
    )
    mixture = cast(Entities, Mixture(tuple(part for group in groups for part in group.scaled)))
    return Allocation(apart, mixture, np.array([np.inf]), np.zeros((1, len(attributes))))


def _split(
    world: ShiftedWorld, groups: tuple[Group, ...], price: Floats, facts: Floats
) -> tuple[list[Floats], list[Floats]]:
    """Facts held, and probability that one is asked for that is not, of each group, shape (points, attributes) each.

    `facts` are all that are held. Facts at the price are held in part, all in the same one.
    """
    ends = [[_above(world, group, price * (1 + side * NEAR)) for group in groups] for side in (1, -1)]
    (dear, cheap) = (np.sum([held for held, _ in end], axis=0) for end in ends)
    gap = cheap - dear
    part = np.clip(np.where(gap > 0, (facts - dear) / np.where(gap > 0, gap, 1.0), 0.0), 0.0, 1.0)
    mixed = [[a + part * (b - a) for a, b in zip(*pair, strict=True)] for pair in zip(*ends, strict=True)]
    return [held for held, _ in mixed], [rest for _, rest in mixed]


def _above(world: ShiftedWorld, group: Group, price: Floats) -> tuple[Floats, Floats]:
    """Facts of a group that are worth the price, and the mass of the others as its own stream asks for them."""
    if not group.parts:
        return np.zeros((price.size, len(world.pi))), np.zeros((price.size, len(world.pi)))
    own = cast(Entities, Mixture(group.parts))
    limit = np.maximum(price, LOWEST) / group.scale if group.scale else np.full(price.size, np.inf)
    row = np.zeros(price.size, np.int64)
    sums = [Tail(own, float(p), np.array([np.inf]), LOWEST)(row, limit) for p in world.pi]
    return np.column_stack([held for held, _ in sums]), np.column_stack([rest for _, rest in sums])


def _syntax(world: ShiftedWorld, price: Floats, weight: float, new: bool) -> Floats:
    """Σ_a π_a min(r_a(0), kλ/(2 ln 2 w π_a)): what a format of weight w still pays per sentence of its own."""
    bits = np.zeros(price.size)
    for p, attribute in zip(world.pi, world.origin.attributes, strict=True):
        templates = world.shift.format if new else attribute.templates
        if templates > 1:
            prior = float(template_redundancy(templates, world.syntax_concentration, 0))
            left = (templates - 1) * price / (2 * np.log(2) * weight * p) if weight else np.inf
            bits += p * np.minimum(prior, left)
    return bits

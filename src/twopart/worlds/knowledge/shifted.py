"""A shifted world: the fine-tuning sentences' world, which knows the world before.

    origin     the world as it was: what laws about pretraining take
    before     the same with room for the templates to come: what a learner is trained on first, as its vocabulary must hold
               the new format's tokens from the start
    itself     the world as it is now: new format, new entities, today's facts

Old entities keep their ids and names; new ones have ids below 0 and names of their own. The new format's templates are
numbered from `first_template`, so that one column tells in which format a sentence is put, and a rendering of this world
renders all three. Facts, names, draws are functions of the seeds, as in every world: no table, and no shard needs another.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart import _random
from twopart._arguments import Floats, shard
from twopart._checks import InputError, check
from twopart._philox import hash_uniform, hash_words, philox_key
from twopart.worlds.knowledge._categorical import dirichlet, inverse_cdf
from twopart.worlds.knowledge._permutation import permute
from twopart.worlds.knowledge.equal import EqualMeasure
from twopart.worlds.knowledge.excerpt import Excerpt
from twopart.worlds.knowledge.pitman_yor import RandomMeasure
from twopart.worlds.knowledge.shifts import Shift
from twopart.worlds.knowledge.syntax_knowledge import COLUMNS, Corpus, SyntaxKnowledge

Ints = NDArray[np.int64]


def shifted_world(world: SyntaxKnowledge, shift: Shift) -> ShiftedWorld:
    """The world that fine-tuning sentences are drawn from; raises `InputError` if the shift does not suit the world."""
    check(type(world) is SyntaxKnowledge, "world", type(world).__name__, "a SyntaxKnowledge", "shift its `origin`")
    if shift.narrowed is not None:
        Excerpt(world, shift.narrowed)  # raises for equally frequent entities, of which none is more frequent
    own = {part.name: getattr(world, part.name) for part in fields(SyntaxKnowledge)}
    if shift.format:
        most = max(attribute.templates for attribute in world.attributes)
        own["attributes"] = tuple(replace(a, templates=most + shift.format) for a in world.attributes)
    return ShiftedWorld(**own, origin=world, shift=shift)


@dataclass(frozen=True)
class ShiftedWorld(SyntaxKnowledge):
    """A world after a shift; made by `shifted_world`. Its fields are those of the origin, with templates for both formats."""

    origin: SyntaxKnowledge = field(kw_only=True)
    """The world before."""
    shift: Shift = field(kw_only=True)
    """What has moved."""

    @cached_property
    def before(self) -> ShiftedWorld:
        """The origin's sentences, numbered so that a learner of them can be taught this world's: nothing has moved yet."""
        return replace(self, shift=Shift())

    def instead(self, shift: Shift) -> ShiftedWorld:
        """Another shift of the same origin, numbered as this one, so that one learner can be taught either.

        Raises `InputError` if it has a new format of another size.
        """
        size = self.attributes[0].templates - self.first_template if self.attributes != self.origin.attributes else 0
        check(shift.format in (0, size), "format", shift.format, f"0 or {size}", "the templates are numbered for these")
        shifted_world(self.origin, shift)  # raises if it does not suit the world
        return replace(self, shift=shift)

    @cached_property
    def first_template(self) -> int:
        """Templates below it are the old format's, the others the new one's."""
        return max(attribute.templates for attribute in self.origin.attributes)

    @cached_property
    def template_probabilities(self) -> tuple[Floats, ...]:
        """ψ over the templates of both formats: 0 for those that are not spoken in this world."""
        if not self.shift.format:
            old = zip(self.origin.template_probabilities, self.attributes, strict=True)
            return tuple(np.pad(psi, (0, attribute.templates - len(psi))) for psi, attribute in old)
        return tuple(
            np.pad(
                dirichlet(
                    _random.generator(self.seed, "format", self.shift.seed, index),
                    self.syntax_concentration,
                    self.shift.format,
                ),
                (self.first_template, 0),
            )
            for index in range(len(self.attributes))
        )

    @cached_property
    def new_measure(self) -> RandomMeasure | EqualMeasure | None:
        """The new entities and their probabilities among themselves; entity e of it has the id ~e = -1 - e here."""
        law = self.shift.new_entities
        return None if law is None else law.measure(_random.keys(self.seed, 1, "new", self.shift.seed).item() >> 1)

    def name(self, entity: ArrayLike) -> Ints:
        """As in every world; frequent new entities have names that no other new and no frequent old one has, the rest
        share one with probability 1/names for each other entity."""
        ids = np.asarray(entity, np.int64)
        old = super().name(np.maximum(ids, 0))
        if self.new_measure is None or not (ids < 0).any():
            return old
        taken, own = self.measure.root_atoms, self.new_measure.root_atoms
        check(taken + own <= self.names, "names", self.names, f"at least {taken + own}", "leave names for new entities")
        mine = np.atleast_1d(~np.minimum(ids, -1))
        hashed = hash_words(mine, 1, philox_key(self.seed, "names")) % np.uint64(max(self.names - taken - own, 1))
        index = np.where(mine < own, self.names - 1 - mine, taken + hashed.astype(np.int64))
        new = permute(index, self.names, philox_key(self.seed, "name permutation")).reshape(ids.shape)
        return np.asarray(np.where(ids < 0, new, old))

    def changed(self, entity: ArrayLike, attribute: ArrayLike) -> NDArray[np.bool_]:
        """Whether the fact has another value than in the origin; never for new entities, nor where there is one value only."""
        ids, which = np.broadcast_arrays(np.asarray(entity, np.int64), np.asarray(attribute, np.int64))
        several = np.array([a.values > 1 for a in self.attributes])[which]
        moved = self._hashed("changed", ids, which) < self.shift.changed
        return np.asarray(moved & several & (ids >= 0))

    def value(self, entity: ArrayLike, attribute: ArrayLike) -> NDArray[np.int32]:
        """fact(entity, attribute) today: where it changed, drawn from the base distribution without the old value."""
        old = super().value(entity, attribute)
        if not self.shift.changed:
            return old
        ids, which = np.broadcast_arrays(np.asarray(entity, np.int64), np.asarray(attribute, np.int64))
        moved, new = self.changed(ids, which), np.array(old)
        for index, a in enumerate(self.attributes):
            mine = moved & (which == index)
            if mine.any():
                new[mine] = _another(a.value_probabilities(), old[mine], self._hashed("another", ids, which)[mine])
        return new

    def sample(self, n: int, stream: int = 0, start: int = 0) -> Corpus:
        """Sentences start..start+n-1 of sample number `stream`, independent of every sample of the origin, unless nothing has
        moved: then they are the origin's own."""
        if self.shift == Shift():
            return Corpus(self, *(getattr(self.origin.sample(n, stream, start), column) for column in COLUMNS))
        n, start = shard(n, start)
        own = int(_random.keys(self.shift.seed, 1, "fine-tuning", stream)[0] >> np.uint64(2))
        attribute, template = self._draw_syntax(n, own, start)
        entity, probability = self._draw_entities(n, own, start)
        return Corpus(self, entity, attribute, template, self.value(entity, attribute), probability)

    def config(self) -> dict[str, Any]:
        """Shifted worlds are not kept in files."""
        raise InputError(
            "a shifted world has no config; keep its `origin.config()` and draw with the same `Shift` again"
        )

    def _draw_entities(self, n: int, stream: int, start: int) -> tuple[Ints, Floats]:
        """Ids and probabilities: new entities in a share σ of the sentences, old ones in the others."""
        if self.new_measure is None:
            return self._draw_old(n, stream, start)
        new, weight = self.new_measure.draw_with_probability(n, stream=stream, start=start)
        share = self.shift.new_share
        if share == 1:
            return ~new, weight
        old, old_weight = self._draw_old(n, stream, start)
        fresh = hash_uniform(np.arange(start, start + n), 0, philox_key(self.seed, "new or old", stream)) < share
        return np.where(fresh, ~new, old), np.where(fresh, share * weight, (1 - share) * old_weight)

    def _draw_old(self, n: int, stream: int, start: int) -> tuple[Ints, Floats]:
        if self.shift.narrowed is None:
            return self.measure.draw_with_probability(n, stream=stream, start=start)
        drawn = _excerpt(self.origin, self.shift.narrowed).sample(n, stream, start)
        return drawn.entity, drawn.probability

    def _hashed(self, purpose: str, ids: Ints, which: Ints) -> Floats:
        """A uniform number for each fact."""
        flat = hash_uniform(ids.ravel(), which.ravel(), philox_key(self.seed, purpose, self.shift.seed))
        return flat.reshape(ids.shape)


def replay(
    new: Corpus, old: Corpus, share: float, *, stream: int = 0, start: int = 0
) -> tuple[Corpus, NDArray[np.bool_]]:
    """`new` with a share of its sentences replaced by old ones, and which these are.

    Sentence i is old[i] with probability `share`. Both are equally long. `old` is a corpus of the origin of `new.world`, or
    of its `before`, told as it was: a changed fact with its old value. `stream` picks independent coins, `start` is the index
    of the first sentence, so that shards fit together.
    """
    check(0 <= share <= 1, "share", share, "in [0, 1]", "0 replays nothing")
    check(len(new) == len(old), "old", len(old), f"as long as `new`, {len(new)} sentences", "draw as many")
    own = isinstance(new.world, ShiftedWorld) and old.world in (new.world.origin, new.world.before)
    check(own, "old", type(old.world).__name__, "of the world that `new` was shifted from", "draw it from `before`")
    numbers = np.arange(start, start + len(new))
    coin = hash_uniform(numbers, 0, philox_key(new.world.seed, "replay", stream)) < share
    columns = (np.where(coin, getattr(old, column), getattr(new, column)) for column in COLUMNS)
    return Corpus(new.world, *columns), coin


@lru_cache(maxsize=8)
def _excerpt(world: SyntaxKnowledge, size: int) -> Excerpt:
    """Kept, as finding the frequent entities takes a while."""
    return Excerpt(world, size)


def _another(base: Floats, old: NDArray[np.int32], uniform: Floats) -> NDArray[np.int64]:
    """Values drawn from `base` without the old ones: those below the old value by inversion, those above it beyond a gap."""
    cumulative = np.cumsum(base)
    point = uniform * (cumulative[-1] - base[old])
    point += np.where(point >= cumulative[old] - base[old], base[old], 0.0)
    drawn = inverse_cdf(cumulative, point / cumulative[-1])
    beside = np.where(old == 0, 1, old - 1)  # rounding at the gap's edges
    return np.where(drawn == old, beside, drawn)

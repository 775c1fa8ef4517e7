"""Shifts: what fine-tuning changes in a world, as a value that says what moves and what stays.

    shift = Shift(format=8, new_entities=EqualFrequencies(100), new_share=0.5)
    shifted = shifted_world(world, shift)  # a world to draw fine-tuning sentences from (shifted.py)
    shifted.sample(10_000)

Four things can move, together or alone:
    format      the same facts are put otherwise, say as questions and answers: a new ψ over templates of its own
    entities    sentences speak of entities that were never heard of, with names and facts of their own
    facts       a share of what is true of the old entities is so no longer
    narrowing   of the old entities only the most frequent ones are spoken of
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from twopart._checks import check, check_integer, check_real
from twopart.worlds.knowledge.equal import EqualFrequencies
from twopart.worlds.knowledge.pitman_yor import PitmanYor


@dataclass(frozen=True)
class Shift:
    """How the fine-tuning sentences differ from those before. By default nothing does."""

    format: int = 0
    """Templates per attribute of a new format, up to 32,767 with the old ones; 0: the old format stays."""
    new_entities: EqualFrequencies | PitmanYor | None = None
    """What the frequencies of new entities are drawn from, as `world.entities` is for the old ones; None: there are none."""
    new_share: float = 1.0
    """σ in (0, 1]: share of the sentences that are about new entities, if there are any; the others are about old ones."""
    changed: float = 0.0
    """c in [0, 1): share of the facts (entity, attribute) about old entities that have another value now."""
    narrowed: int | None = None
    """K: old entities are spoken of only if they are among the K most frequent, in proportion to what they were; None: all."""
    seed: int = 0
    """Chooses the new format's ψ, the new entities' frequencies, the facts that change, and the sentences."""

    def __post_init__(self) -> None:
        check_integer("format", self.format, 0, 2**15 - 2, "0 keeps the old format, 8 templates are a good start")
        law = isinstance(self.new_entities, EqualFrequencies | PitmanYor | None)
        check(law, "new_entities", self.new_entities, "a law of entities or None", "write `EqualFrequencies(100)`")
        check_real("new_share", self.new_share, 0, 1, "leave `new_entities` out for a share of 0", closed="(]")
        check_real("changed", self.changed, 0, 1, "it is a share of the facts", closed="[)")
        if self.narrowed is not None:
            check_integer("narrowed", self.narrowed, 1, 2**24, "None speaks of all")
        check_integer("seed", self.seed, 0, 2**63 - 1, "any other whole number names another shift")

    @property
    def fresh(self) -> float:
        """σ, or 0 without new entities."""
        return self.new_share if self.new_entities is not None else 0.0

    @property
    def moves(self) -> tuple[str, ...]:
        """What moves, in words."""
        return tuple(self._moves())

    @property
    def stays(self) -> tuple[str, ...]:
        """What stays, in words."""
        return tuple(self._stays())

    def _moves(self) -> Iterator[str]:
        if self.format:
            yield f"the format: {self.format} new templates per attribute"
        if isinstance(self.new_entities, EqualFrequencies):
            yield f"new entities: {self.new_entities.entities} equally frequent in {self.new_share:.3g} of the sentences"
        elif self.new_entities is not None:
            d, theta = self.new_entities.discount, self.new_entities.concentration
            yield f"new entities: PY({d:g}, {theta:g}) in {self.new_share:.3g} of the sentences"
        if self.changed:
            yield f"facts: {self.changed:.3g} of those about old entities have another value"
        if self.narrowed is not None:
            yield f"narrowing: of the old entities the {self.narrowed} most frequent"

    def _stays(self) -> Iterator[str]:
        yield "attributes and their probabilities"
        if not self.format:
            yield "the format"
        if self.fresh < 1 and self.narrowed is None:
            yield "the old entities' frequencies among themselves"
        yield "the other facts about old entities" if self.changed else "the facts about old entities"

    def __str__(self) -> str:
        return f"moves: {'; '.join(self.moves) or 'nothing'}. Stays: {'; '.join(self.stays)}."

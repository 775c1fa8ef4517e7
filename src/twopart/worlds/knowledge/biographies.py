"""Biographies: the worlds that studies of small transformers read, all of one make."""

from __future__ import annotations

from typing import Annotated

from twopart.settings import at_least, between, settings
from twopart.worlds.knowledge.attributes import Attribute
from twopart.worlds.knowledge.syntax_knowledge import SyntaxKnowledge

ATTRIBUTES = ("birth_city", "birth_date", "university", "field_of_study", "employer")


@settings
class Biographies:
    """What all worlds of a study have in common: five attributes of equal probability, a fact of log2(values) bits."""

    values: Annotated[
        int, between(2, 4096).because("with one value there is nothing to know"), "Values of each attribute."
    ] = 64
    templates: Annotated[
        int, between(1, 20).because("the English rendering has 20 for each attribute"), "Templates of each attribute."
    ] = 8
    names: Annotated[
        int,
        at_least(2**16).because("entities must seldom share a name"),
        "Possible names; of 2,000 entities 8 pairs share one of 2^18.",
    ] = 2**18

    def world(self, discount: float, seed: int, *, population: int | None = None) -> SyntaxKnowledge:
        """The world of this discount and seed; with a `population`, so many entities, all equally frequent."""
        attributes = tuple(Attribute(name, self.values, self.templates) for name in ATTRIBUTES)
        return SyntaxKnowledge(discount, 1.0, attributes, names=self.names, population=population, seed=seed)

"""The worlds that small models read: biographies in symbols, with few names, so that sentences and vocabularies are short."""

from __future__ import annotations

from twopart import _random
from twopart.worlds import Attribute, SyntaxKnowledge

ATTRIBUTES = ("birth_city", "birth_date", "university", "field_of_study", "employer")
NAMES = 2**18
"""Three digits of base 64. Of 2,000 entities 8 pairs share a name, and hardly ever two frequent ones."""


def biographies(
    discount: float, seed: int, *, values: int = 64, templates: int = 8, names: int = NAMES
) -> SyntaxKnowledge:
    """Five attributes of equal probability; a fact is log2(values) bits."""
    attributes = tuple(Attribute(name, values, templates) for name in ATTRIBUTES)
    return SyntaxKnowledge(discount, 1.0, attributes, names=names, seed=seed)


def world_seed(seed: int, *purpose: str | int) -> int:
    """The seed of the world for this purpose in a run with this seed."""
    return int(_random.keys(seed, 1, "world", *purpose)[0] >> 32)

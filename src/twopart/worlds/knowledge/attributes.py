"""Attributes: what a sentence may say of an entity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twopart._checks import check, check_integer
from twopart.worlds.knowledge._categorical import check_probabilities


@dataclass(frozen=True)
class Attribute:
    """What can be said of every entity: a set of values to draw a fact from, and templates to state it with."""

    name: str
    """Unique within a world; the English rendering knows a fixed list of them."""
    values: int = 64
    """Number of possible values V_a, in [1, 2^31)."""
    templates: int = 8
    """Number of templates m_a, in [1, 32767]."""
    base: tuple[float, ...] | None = None
    """Probabilities of the values, `values` numbers > 0 that sum to 1; None: uniform."""

    def __post_init__(self) -> None:
        check(
            isinstance(self.name, str) and bool(self.name),
            "name",
            self.name,
            "a non-empty string",
            "name the attribute",
        )
        check_integer("values", self.values, 1, 2**31 - 1, "1 makes the fact known to everybody")
        check_integer("templates", self.templates, 1, 2**15 - 1, "1 makes the syntax known to everybody")
        if self.base is not None:
            object.__setattr__(self, "base", tuple(float(p) for p in self.base))
            check_probabilities("base", self.base, self.values, f"one per value of {self.name!r}")

    def value_probabilities(self) -> NDArray[np.float64]:
        """The base distribution, shape (values,)."""
        return np.full(self.values, 1 / self.values) if self.base is None else np.array(self.base)

    def entropy(self) -> float:
        """h_a = -Σ_v base(v) log2 base(v), in bits: what it takes to be told one fact."""
        return float(np.log2(self.values)) if self.base is None else float(-np.dot(self.base, np.log2(self.base)))


BIOGRAPHY: tuple[Attribute, ...] = tuple(
    Attribute(name) for name in ("birth_city", "birth_date", "university", "field_of_study", "employer")
)

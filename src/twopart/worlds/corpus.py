"""A corpus: columns with one entry per sentence, and the world they come from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twopart._checks import check

if TYPE_CHECKING:
    from twopart.worlds.syntax_knowledge import SyntaxKnowledge

COLUMNS: dict[str, type] = {
    "entity": np.int64,
    "attribute": np.int16,
    "template": np.int16,
    "value": np.int32,
    "probability": np.float64,
}


@dataclass(frozen=True, eq=False)
class Corpus:
    """Sentences of a Syntax-Knowledge world; every column has shape (sentences,)."""

    world: SyntaxKnowledge
    """The world that the sentences were drawn from."""
    entity: NDArray[np.int64]
    """Entity ids: one id, one atom of the world's measure."""
    attribute: NDArray[np.int16]
    """Index into `world.attributes`."""
    template: NDArray[np.int16]
    """Index among the attribute's templates."""
    value: NDArray[np.int32]
    """Index among the attribute's values; equal to `world.value(entity, attribute)`."""
    probability: NDArray[np.float64]
    """p_e, the entity's probability in this world: what the oracle knows of it."""

    def __post_init__(self) -> None:
        sizes = {column: np.shape(getattr(self, column)) for column in COLUMNS}
        check(
            len(set(sizes.values())) == 1 and len(sizes["entity"]) == 1,
            "columns",
            sizes,
            "one-dimensional and equally long",
            "give one entry per sentence",
        )
        for column, dtype in COLUMNS.items():
            object.__setattr__(self, column, np.ascontiguousarray(getattr(self, column), dtype))

    @cached_property
    def name(self) -> NDArray[np.int64]:
        """Name index of each sentence's entity, in [0, world.names)."""
        return self.world.name(self.entity)

    def __len__(self) -> int:
        return len(self.entity)

    def __getitem__(self, index: slice | NDArray[Any]) -> Corpus:
        return Corpus(self.world, *(getattr(self, column)[index] for column in COLUMNS))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Corpus):
            return NotImplemented
        columns = all(np.array_equal(getattr(self, c), getattr(other, c)) for c in COLUMNS)
        return columns and self.world == other.world

    def write(self, path: str | Path) -> None:
        """Write Parquet with the world's config in its metadata; `read_corpus` gives an equal corpus back."""
        from twopart.worlds.storage import write_table

        write_table(self, path)

    def render(self, rendering: str = "english") -> Any:
        """The sentences as "english" (texts with role spans) or "symbols" (token ids with role ids)."""
        from twopart.worlds.renderings import render

        return render(self, rendering)

"""What is kept of a stream of numbered tokens: a few numbers per type, and how the vocabulary stood at milestones.

Per type: how often it came, where it came first and last, and the sum of its squared gaps. As types are numbered in the order
of first appearance, the types that were new after a milestone with K types are those numbered K and above.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twopart._numba import kernel

PER_DECADE = 20  # milestones
COUNT, FIRST, LAST, SQUARES = range(4)  # columns of `Tally.types`: one line of the cache holds two types

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Spectrum:
    """How many types were seen how often: all that an exchangeable law can use of a text."""

    sizes: Integers
    """Counts that occur, ascending, >= 1; shape (S,)."""
    types: Integers
    """How many types were seen that often, >= 1; shape (S,)."""

    @classmethod
    def of(cls, counts: Any) -> Spectrum:
        """Of one count per type; zeros are types not seen."""
        sizes, types = np.unique(np.asarray(counts, np.int64), return_counts=True)
        return cls(sizes[sizes > 0], types[sizes > 0].astype(np.int64))

    @property
    def tokens(self) -> int:
        return int(self.sizes @ self.types)

    @property
    def distinct(self) -> int:
        return int(self.types.sum())

    def seen(self, times: int) -> int:
        """M_j, the number of types seen exactly `times` times."""
        return int(self.types[self.sizes == times].sum())

    def counts(self) -> Integers:
        """One count per type, descending."""
        return np.repeat(self.sizes, self.types)[::-1]


@dataclass(frozen=True)
class Milestone:
    """The text up to some token."""

    spectrum: Spectrum
    """Of the tokens up to here."""

    @property
    def tokens(self) -> int:
        return self.spectrum.tokens

    @property
    def distinct(self) -> int:
        return self.spectrum.distinct


def milestone_after(tokens: int) -> int:
    """The first milestone beyond `tokens`: milestones stand at 1, 2, 3, ..., and at `PER_DECADE` a decade further on."""
    step = int(np.floor(PER_DECADE * np.log10(max(tokens, 1)))) - 1
    while (milestone := round(10 ** (step / PER_DECADE))) <= tokens:
        step += 1
    return milestone


@dataclass
class Tally:
    """The state of the stream."""

    tokens: int = 0
    distinct: int = 0
    types: Floats = field(default_factory=lambda: np.zeros((1 << 10, 4)))
    milestones: list[Milestone] = field(default_factory=list)

    def add(self, numbers: Integers) -> None:
        """Take in tokens whose types are numbered in the order of first appearance."""
        done = 0
        while done < len(numbers):
            stop = min(len(numbers), done + milestone_after(self.tokens) - self.tokens)
            self._take(numbers[done:stop])
            done = stop
            if milestone_after(self.tokens - 1) == self.tokens:
                self.milestones.append(Milestone(Spectrum.of(self.counts)))

    def _take(self, numbers: Integers) -> None:
        most = int(numbers.max()) + 1
        if most > len(self.types):
            grown = np.zeros((2 * most, 4))
            grown[: self.distinct] = self.types[: self.distinct]
            self.types = grown
        _take(numbers, self.types, self.tokens)
        self.tokens += len(numbers)
        self.distinct = max(self.distinct, most)

    @property
    def counts(self) -> Integers:
        """How often each type came, in the order of first appearance."""
        return self.types[: self.distinct, COUNT].astype(np.int64)

    def cyclic_squares(self) -> Floats:
        """Σ gap² for each type, its last gap leading from its last token round the end of the text to its first."""
        first, last, squares = self.types[: self.distinct, FIRST:].T
        return np.asarray(squares + (self.tokens - last + first) ** 2)


@kernel
def _take(numbers: Any, types: Any, position: int) -> None:
    for number in numbers:
        row = types[number]
        if row[COUNT] == 0:
            row[FIRST] = position
        else:
            gap = position - row[LAST]
            row[SQUARES] += gap * gap
        row[COUNT] += 1
        row[LAST] = position
        position += 1

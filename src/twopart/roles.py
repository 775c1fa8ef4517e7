"""Roles: what a token is for. Every code length and every loss in the project can be split by them.

name    which entity the sentence is about
syntax  attribute and template: how it is said
value   the fact itself
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Role(IntEnum):
    """Role ids as they stand in role arrays (uint8). PADDING marks positions that are not part of the sentence."""

    NAME = 0
    SYNTAX = 1
    VALUE = 2
    PADDING = 3


ROLES: tuple[str, str, str] = ("name", "syntax", "value")


@dataclass(frozen=True, eq=False)
class CodeLengths:
    """Bits by role; each field has one entry per sentence (or per position asked for), float64.

    Code lengths of one corpus under different codes subtract: `bayes - oracle` is the redundancy, sentence by sentence.
    """

    name: NDArray[np.float64]
    syntax: NDArray[np.float64]
    value: NDArray[np.float64]

    @property
    def total(self) -> NDArray[np.float64]:
        return self.name + self.syntax + self.value

    def __len__(self) -> int:
        return len(self.name)

    def __getitem__(self, index: Any) -> CodeLengths:
        return CodeLengths(self.name[index], self.syntax[index], self.value[index])

    def __sub__(self, other: CodeLengths) -> CodeLengths:
        return CodeLengths(self.name - other.name, self.syntax - other.syntax, self.value - other.value)

    def mean(self) -> dict[str, float]:
        """Bits per sentence by role, and in all under "total"."""
        by_role = {field.name: float(np.mean(getattr(self, field.name))) for field in fields(self)}
        return {**by_role, "total": sum(by_role.values())}

    @staticmethod
    def concatenate(parts: list[CodeLengths]) -> CodeLengths:
        return CodeLengths(*(np.concatenate([getattr(part, role) for part in parts]) for role in ROLES))

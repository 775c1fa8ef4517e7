"""What is asked, and what comes back: the protocol of all that can be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Answers:
    """What was answered to N prompts."""

    probability: Floats
    """Of each candidate (N, C); what is missing to 1 went to no candidate."""
    slack: Floats
    """Total variation that the scoring may be off by (N,)."""


class Asker(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def identity(self) -> str:
        """Changes when the model does."""
        ...

    @property
    def parameters(self) -> int | None: ...

    def ask(self, prompts: Sequence[str], candidates: Sequence[Sequence[str]], truth: NDArray[np.int64]) -> Answers:
        """Probability of each candidate, given as its forms, after each prompt; those of the `truth` (N,) to more digits."""
        ...

"""Learning rates over a run, as a factor of the peak. Each rises in a straight line over the first `warmup` updates.

Constant()              stays at the peak: sentence n is learned alike however long the run is
InverseRoot(hold)       stays, then falls as 1/sqrt(update), however long the run is (Vaswani et al. 2017)
Linear(final)           falls in a straight line to `final` of the peak
Cosine(final)           falls along half a cosine to `final` of the peak (Loshchilov and Hutter 2017)
WarmupStableDecay(...)  stays, then falls in a straight line over the last part (Hu et al. 2024, MiniCPM)
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

from twopart._checks import check_integer, check_real


class Schedule(Protocol):
    """The learning rate of update `step` (from 0) of `steps`, as a factor of the peak in (0, 1]."""

    def factor(self, step: int, steps: int) -> float: ...


@dataclass(frozen=True)
class _Warmed(ABC):
    warmup: int = 100
    """Updates over which the rate rises from nothing to the peak; >= 0."""

    def __post_init__(self) -> None:
        check_integer("warmup", self.warmup, 0, None, "0 starts at the peak")

    def factor(self, step: int, steps: int) -> float:
        if step < self.warmup:
            return (step + 1) / (self.warmup + 1)
        return self._after((step - self.warmup) / max(1, steps - self.warmup))

    @abstractmethod
    def _after(self, progress: float) -> float:
        """The factor once `progress` in [0, 1) of the updates after the warm-up are done."""


@dataclass(frozen=True)
class Constant(_Warmed):
    def _after(self, progress: float) -> float:
        return 1.0


@dataclass(frozen=True)
class InverseRoot(_Warmed):
    hold: int = 300
    """The update from which on the rate falls; >= 1 and >= warmup."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer("hold", self.hold, max(1, self.warmup), None, "the rate falls after the warm-up, not within it")

    def factor(self, step: int, steps: int) -> float:
        return super().factor(step, steps) if step < self.hold else math.sqrt(self.hold / step)

    def _after(self, progress: float) -> float:
        return 1.0


@dataclass(frozen=True)
class Linear(_Warmed):
    final: float = 0.1
    """Factor at the end; in (0, 1]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("final", self.final, 0, 1, "1 does not fall at all", closed="(]")

    def _after(self, progress: float) -> float:
        return 1 - (1 - self.final) * progress


@dataclass(frozen=True)
class Cosine(_Warmed):
    final: float = 0.1
    """Factor at the end; in (0, 1]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("final", self.final, 0, 1, "1 does not fall at all", closed="(]")

    def _after(self, progress: float) -> float:
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * progress)) / 2


@dataclass(frozen=True)
class WarmupStableDecay(_Warmed):
    decay: float = 0.2
    """Part of the updates after the warm-up over which the rate falls; in (0, 1]."""
    final: float = 0.1
    """Factor at the end; in (0, 1]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("decay", self.decay, 0, 1, "0.1 to 0.2 is common", closed="(]")
        check_real("final", self.final, 0, 1, "1 does not fall at all", closed="(]")

    def _after(self, progress: float) -> float:
        fallen = max(0.0, 1 - (1 - progress) / self.decay)
        return 1 - (1 - self.final) * fallen

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
from typing import Annotated, Protocol

from twopart.settings import at_least, between, no_less_than, settings

Final = Annotated[float, between(0, 1, "(]").because("1 does not fall at all"), "Factor at the end."]


class Schedule(Protocol):
    """The learning rate of update `step` (from 0) of `steps`, as a factor of the peak in (0, 1]."""

    def factor(self, step: int, steps: int) -> float: ...


@settings
class _Warmed(ABC):
    warmup: Annotated[
        int, at_least(0).because("0 starts at the peak"), "Updates over which the rate rises from nothing to the peak."
    ] = 100

    def factor(self, step: int, steps: int) -> float:
        if step < self.warmup:
            return (step + 1) / (self.warmup + 1)
        return self._after((step - self.warmup) / max(1, steps - self.warmup))

    @abstractmethod
    def _after(self, progress: float) -> float:
        """The factor once `progress` in [0, 1) of the updates after the warm-up are done."""


@settings
class Constant(_Warmed):
    def _after(self, progress: float) -> float:
        return 1.0


@settings
class InverseRoot(_Warmed):
    hold: Annotated[
        int,
        at_least(1),
        no_less_than("warmup").because("the rate falls after the warm-up, not within it"),
        "The update from which on the rate falls.",
    ] = 300

    def factor(self, step: int, steps: int) -> float:
        return super().factor(step, steps) if step < self.hold else math.sqrt(self.hold / step)

    def _after(self, progress: float) -> float:
        return 1.0


@settings
class Linear(_Warmed):
    final: Final = 0.1

    def _after(self, progress: float) -> float:
        return 1 - (1 - self.final) * progress


@settings
class Cosine(_Warmed):
    final: Final = 0.1

    def _after(self, progress: float) -> float:
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * progress)) / 2


@settings
class WarmupStableDecay(_Warmed):
    decay: Annotated[
        float,
        between(0, 1, "(]").because("0.1 to 0.2 is common"),
        "Part of the updates after the warm-up over which the rate falls.",
    ] = 0.2
    final: Final = 0.1

    def _after(self, progress: float) -> float:
        fallen = max(0.0, 1 - (1 - progress) / self.decay)
        return 1 - (1 - self.final) * fallen

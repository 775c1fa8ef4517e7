"""Rotary positions: how fast each pair of a head's entries turns, and how a context is stretched beyond the one trained on.

    pair i of D/2 turns by position x base^(-2i/D)    (Su et al. 2021, section 3.2.2), and then, by kind:
    linear      divided by `factor` (Chen et al. 2023, position interpolation)
    dynamic     with a base that grows with the input once this is longer than the context (NTK-aware, as in YaRN, appendix A.1)
    llama3      slow pairs divided by `factor`, fast ones left, those between interpolated (Llama 3.1)
    yarn        the same by a ramp over pairs, and longer vectors (Peng et al. 2023, sections 3.2 and 3.4)
    longrope    divided by a list, one for short and one for long inputs (Ding et al. 2024)

Names of kinds and settings are Hugging Face's; tests hold every kind against `transformers`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from twopart._checks import check, check_choice, check_real

BASE = 10_000.0
"""Base of the wavelengths, if nothing else is said."""
ORIGINAL = "original_max_position_embeddings"
"""The context trained on, before it was stretched."""
NEEDED: dict[str, tuple[str, ...]] = {
    "default": (),
    "linear": ("factor",),
    "dynamic": ("factor",),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor", ORIGINAL),
    "yarn": ("factor", ORIGINAL),
    "longrope": ("short_factor", "long_factor", ORIGINAL),
}
"""Settings that a kind cannot do without."""


@dataclass(frozen=True)
class Rotary:
    """How positions are told."""

    base: float = BASE
    """Of the wavelengths; > 1."""
    kind: str = "default"
    settings: tuple[tuple[str, Any], ...] = ()
    """Of the kind, by name; lists are tuples."""

    def __post_init__(self) -> None:
        check_real("base", self.base, 1, math.inf, "10000 is customary", closed="()")
        check_choice("kind", self.kind, tuple(NEEDED))
        given = dict(self.settings)
        missing = [name for name in NEEDED[self.kind] if given.get(name) is None]
        check(not missing, "settings", given, f"of the kind {self.kind!r}, with {', '.join(missing)}", "give them too")

    def settled(self, context: int) -> int:
        """Up to how many positions the tables do not depend on how long the input is."""
        if self.kind == "longrope":
            return min(context, int(dict(self.settings)[ORIGINAL]))
        return context

    def tables(self, length: int, head_width: int, context: int) -> tuple[Tensor, Tensor]:
        """Cosines and sines (T, D/2) for an input of T = `length` positions, under a model of that `context`."""
        turning = _Turning(dict(self.settings), self.base, head_width, length, context)
        frequencies, stretch = _KINDS[self.kind](turning)
        angles = torch.outer(torch.arange(length).float(), frequencies)
        return angles.cos() * stretch, angles.sin() * stretch


PLAIN = Rotary()
"""The laboratory's own."""


@dataclass(frozen=True)
class _Turning:
    """What a kind works with."""

    settings: dict[str, Any]
    base: float
    head_width: int
    length: int
    context: int

    def __getitem__(self, name: str) -> Any:
        return self.settings.get(name)

    def frequencies(self, base: float | None = None) -> Tensor:
        """base^(-2i/D)."""
        steps = torch.arange(0, self.head_width, 2, dtype=torch.int64).float() / self.head_width
        return (self.base if base is None else base) ** -steps

    @property
    def factor(self) -> float:
        """By how much the context was stretched."""
        return float(self["factor"] or self.context / self[ORIGINAL])


Turned = tuple[Tensor, float]
"""Frequencies (D/2,), and what queries and keys grow by."""


def _plain(turning: _Turning) -> Turned:
    return turning.frequencies(), 1.0


def _linear(turning: _Turning) -> Turned:
    return turning.frequencies() / turning.factor, 1.0


def _dynamic(turning: _Turning) -> Turned:
    D, factor = turning.head_width, turning.factor
    beyond = max(turning.length, turning.context) / turning.context
    return turning.frequencies(turning.base * (factor * beyond - (factor - 1)) ** (D / (D - 2))), 1.0


def _llama3(turning: _Turning) -> Turned:
    fast = turning.frequencies()
    turns = turning[ORIGINAL] * fast / (2 * math.pi)  # in the context trained on
    low, high = turning["low_freq_factor"], turning["high_freq_factor"]
    share = ((turns - low) / (high - low)).clamp(0, 1)
    return (1 - share) * fast / turning.factor + share * fast, 1.0


def _yarn(turning: _Turning) -> Turned:
    D, factor, fast = turning.head_width, turning.factor, turning.frequencies()

    def pair(turns: float) -> float:
        """The pair that turns so often in the context trained on."""
        return D * math.log(turning[ORIGINAL] / (turns * 2 * math.pi)) / (2 * math.log(turning.base))

    first, last = pair(turning["beta_fast"] or 32), pair(turning["beta_slow"] or 1)
    if turning.settings.get("truncate", True):
        first, last = math.floor(first), math.ceil(last)
    first, last = max(first, 0), min(last, D - 1)
    ramp = (torch.arange(D // 2).float() - first) / (last - first or 0.001)
    slow = ramp.clamp(0, 1)
    return slow * fast / factor + (1 - slow) * fast, _yarn_stretch(turning, factor)


def _yarn_stretch(turning: _Turning, factor: float) -> float:
    def stretch(scale: float) -> float:
        return 0.1 * scale * math.log(factor) + 1.0 if factor > 1 else 1.0

    if turning["attention_factor"] is not None:
        return float(turning["attention_factor"])
    if turning["mscale"] and turning["mscale_all_dim"]:
        return stretch(turning["mscale"]) / stretch(turning["mscale_all_dim"])
    return stretch(1.0)


def _longrope(turning: _Turning) -> Turned:
    name = "long_factor" if turning.length > turning[ORIGINAL] else "short_factor"
    divisors = torch.tensor(turning[name])
    check(
        len(divisors) == turning.head_width // 2, name, len(divisors), f"{turning.head_width // 2} numbers", "mend it"
    )
    stretch, factor = turning["attention_factor"], turning.factor
    if stretch is None:
        stretch = math.sqrt(1 + math.log(factor) / math.log(turning[ORIGINAL])) if factor > 1 else 1.0
    return turning.frequencies() / divisors, float(stretch)


_KINDS: dict[str, Callable[[_Turning], Turned]] = {
    "default": _plain,
    "linear": _linear,
    "dynamic": _dynamic,
    "llama3": _llama3,
    "yarn": _yarn,
    "longrope": _longrope,
}

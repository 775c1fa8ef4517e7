"""Axes of curves, and the kinds of series on them: what is measured, in which unit, over which range, where the ticks stand.

A log axis is labelled at powers of ten, 10⁻², 10⁻¹, ..., thinned to at most seven; over few decades also between them. Labels
in 1..9999 that span less than two decades, such as those of a number of clusters, are plain numbers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from twopart._checks import check
from twopart._numbers import SUPERSCRIPT

Kind = Literal["theory", "asymptote", "simulation", "learner"]
"""How a series came about, which decides how it is drawn."""
KINDS: tuple[str, ...] = ("theory", "asymptote", "simulation", "learner")
MOST_TICKS = 7
PLAIN = 10_000  # below this, and from 1 on, labels may be plain numbers
FACTORS = (["1"], ["1", "2", "5"], [str(m) for m in range(1, 10)], [f"{m / 10}" for m in range(10, 100)])


@dataclass(frozen=True)
class Axis:
    """One axis of a chart."""

    column: str
    """The column of the frame."""
    title: str
    """What the axis measures."""
    unit: str = ""
    """Shown in brackets after the title."""
    log: bool = True
    """Whether the axis is logarithmic; values <= 0 have no place on it."""
    domain: tuple[float | None, float | None] | None = None
    """The range shown; None, for both ends or one, takes it from the data, asymptotes aside."""

    def __post_init__(self) -> None:
        ends = [end for end in self.domain or () if end is not None]
        rising = ends == sorted(set(ends)) and (not self.log or all(end > 0 for end in ends))
        check(rising, "domain", self.domain, "(low, high), low < high", "on a log axis both > 0")

    @property
    def heading(self) -> str:
        return f"{self.title} ({self.unit})" if self.unit else self.title

    def range_of(self, values: Iterable[float | None]) -> tuple[float, float]:
        """The domain; an end that it leaves open is that of `values`, with a little room beyond it."""
        low, high = self.domain or (None, None)
        if low is not None and high is not None:
            return low, high
        return self.filled(*self._reach(values))

    def filled(self, low: float, high: float) -> tuple[float, float]:
        """The domain; an end that it leaves open is the one given."""
        known = self.domain or (None, None)
        ends = low if known[0] is None else known[0], high if known[1] is None else known[1]
        check(
            ends[0] <= ends[1], "domain", self.domain, f"around the data, {low:g} to {high:g}", "leave both ends open"
        )
        return ends

    def _reach(self, values: Iterable[float | None]) -> tuple[float, float]:
        """The range of `values` with a little room at both ends."""
        shown = [v for v in values if v is not None and math.isfinite(v) and (v > 0 or not self.log)]
        check(
            bool(shown), self.column, "no value", "values with a place on the axis", "give `domain`, or use log=False"
        )
        low, high = min(shown), max(shown)
        if self.log:
            room = max((high / low) ** 0.03, 1.1)
            return low / room, high * room
        room = 0.03 * (high - low) or 1.0
        return low - room, high + room

    def scale(self, extent: tuple[float, float]) -> dict[str, Any]:
        return {"type": "log" if self.log else "linear", "domain": list(extent), "nice": False}

    def ticks(self, extent: tuple[float, float]) -> dict[str, Any]:
        """Vega-Lite's axis; a log axis gets its ticks and labels from here."""
        if not self.log:
            return {"tickCount": MOST_TICKS - 2}
        values = log_ticks(*extent)
        plain = values[0] >= 1 and values[-1] < min(PLAIN, 100 * values[0])
        labels = json.dumps([f"{v:g}" if plain else log_label(v) for v in values], ensure_ascii=False)
        return {
            "values": values,
            "labelExpr": f"{labels}[indexof({json.dumps(values)}, datum.value)]",
        }


def log_ticks(low: float, high: float) -> list[float]:
    """Two to seven round numbers from `low` to `high`: powers of ten if there are three, else finer and finer ones."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for factors in (
        FACTORS if high < PLAIN else (["1"], ["1", "3"], *FACTORS[1:])
    ):  # 5×10⁴ takes the room of four digits
        round_numbers = (float(f"{factor}e{k}") for k in range(first, last + 1) for factor in factors)
        ticks = [number for number in round_numbers if low <= number <= high]
        if len(ticks) > 2:
            break
    return ticks[:: math.ceil(len(ticks) / MOST_TICKS)]


def log_label(value: float) -> str:
    """10³, 2×10³, 1.5×10³."""
    factor, exponent = f"{value:.1e}".split("e")
    power = "10" + str(int(exponent)).translate(SUPERSCRIPT)
    return power if factor == "1.0" else f"{factor.removesuffix('.0')}×{power}"

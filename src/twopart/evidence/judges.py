"""Judges: each is a rule, fixed before a run. One object writes the rule's words and gives the verdict.

    above(b)  below(b)                   the interval lies wholly on one side; without b, of the prediction
    within(m)  within_share(s)  within_factor(f)    it lies within m of the prediction, within a share, within a factor
    within(m, s)                         within m and a share together
    within_range(low, high)              it lies between two numbers
    sign(+1)  sign(-1)                   an effect is positive, or negative
    equals(tolerance)                    measured and predicted are the same but for rounding
    contains()                           the interval contains the prediction
    never_below(slack)                   nothing measured beats the floor that is predicted
    by_chance(1e-6)                      chance alone gives as much less than once in a million: then it fails
    a & b                                both must hold

The first five lines hold if the whole interval keeps to the rule and fail if none of it does; a number
without error is its own interval. What was not measured is inconclusive; `needed` says how many replicates would tell.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from twopart.evidence.estimate import Estimate
from twopart.findings import Verdict

Range = tuple[float, float]
MOST = 100  # times as many replicates; what takes more lies on its margin


@dataclass(frozen=True)
class Judge:
    """A rule in words, and the verdict that it gives."""

    words: str
    """As in "holds if ..."; {it} stands for the interval or the number."""
    decide: Callable[[Estimate], Verdict]
    rooms: tuple[Callable[[Estimate], Range], ...] = ()
    """Where the interval must lie, for rules that ask this."""

    def verdict(self, estimate: Estimate) -> Verdict:
        """holds, fails or inconclusive."""
        return "inconclusive" if math.isnan(estimate.value) else self.decide(estimate)

    def rule(self, estimate: Estimate) -> str:
        """The rule as a reader sees it: what is looked at, and what it must do."""
        if estimate.interval is None:
            return self.words.format(it="it")
        over = f" over {estimate.over}" if estimate.over else ""
        return f"{estimate.level:.0%} {estimate.kind}{over}; {self.words.format(it='it')}"

    def needed(self, estimate: Estimate) -> str:
        """How many replicates would decide what these leave open, if the value and the spread of each stay what they are.

        An interval shrinks as the root of their number. "" where the rule does not say where an interval must lie.
        """
        over, rooms = estimate.over or "data", [room(estimate) for room in self.rooms]
        if not rooms:
            return ""
        if not all(map(math.isfinite, (estimate.value, *estimate.ends))):
            return f"not by more {over} alone: they do not all show such a number"
        if any(math.isnan(end) for room in rooms for end in room):
            return f"not by more {over}: nothing is predicted"
        times = max(_times(estimate, room) for room in rooms)
        if not times < MOST:
            return f"not by more {over}: it lies on its margin"
        if estimate.count is None:
            return f"about {max(times, 1):.1f} times as {'many' if estimate.over else 'much'} {over}"
        return f"about {max(math.ceil(times * estimate.count), estimate.count + 1):,} {over}, here {estimate.count:,}"

    def __and__(self, other: Judge) -> Judge:
        """Holds if both do, fails if one does."""

        def decide(estimate: Estimate) -> Verdict:
            verdicts = {self.decide(estimate), other.decide(estimate)}
            return "fails" if "fails" in verdicts else "holds" if verdicts == {"holds"} else "inconclusive"

        return Judge(f"{self.words}; and {other.words}", decide, (*self.rooms, *other.rooms))


def above(bound: float | None = None) -> Judge:
    """The interval lies above `bound`, or above the prediction."""
    inside, outside = f"above {_number(bound)}", f"below {_number(bound)}"
    return _inside(inside, outside, lambda e: (_bound(bound, e), math.inf), open_ended=True)


def below(bound: float | None = None) -> Judge:
    """The interval lies below `bound`, or below the prediction."""
    inside, outside = f"below {_number(bound)}", f"above {_number(bound)}"
    return _inside(inside, outside, lambda e: (-math.inf, _bound(bound, e)), open_ended=True)


def sign(direction: int) -> Judge:
    """An effect is positive (+1) or negative (-1)."""
    return above(0.0) if direction > 0 else below(0.0)


def within(margin: float, share: float = 0.0) -> Judge:
    """The interval lies within `margin` of the prediction, in the claim's unit, and a share of the prediction besides."""

    def room(e: Estimate) -> Range:
        reach = margin + share * abs(_predicted(e))
        return _predicted(e) - reach, _predicted(e) + reach

    besides = f" and {100 * share:g}%" if share else ""
    return _inside(f"within {margin:g}{besides} of the prediction", "outside", room)


def within_share(share: float) -> Judge:
    """The interval lies within this share of the prediction."""

    def room(e: Estimate) -> Range:
        reach = share * abs(_predicted(e))
        return _predicted(e) - reach, _predicted(e) + reach

    return _inside(f"within {100 * share:g}% of the prediction", "outside", room)


def within_factor(factor: float) -> Judge:
    """The interval lies within a factor > 1 of the prediction > 0."""
    inside = f"within a factor of {factor:g} of the prediction"
    return _inside(inside, "outside", lambda e: (_predicted(e) / factor, _predicted(e) * factor))


def within_range(low: float, high: float) -> Judge:
    """The interval lies between two numbers."""
    return _inside(f"between {low:g} and {high:g}", "outside", lambda e: (low, high))


def equals(tolerance: float = 1e-9) -> Judge:
    """Measured and predicted are the same but for rounding, relative to the prediction, or to 1 where that is less."""

    def decide(e: Estimate) -> Verdict:
        if math.isnan(_predicted(e)):
            return "inconclusive"
        return "holds" if abs(e.value - _predicted(e)) <= tolerance * max(1.0, abs(_predicted(e))) else "fails"

    to = f" to {tolerance:g}" if tolerance else ""
    return Judge(f"holds if {{it}} equals the prediction{to}, fails if not", decide)


def contains() -> Judge:
    """The interval contains the prediction."""

    def decide(e: Estimate) -> Verdict:
        if math.isnan(_predicted(e)):
            return "inconclusive"
        return "holds" if e.ends[0] <= _predicted(e) <= e.ends[1] else "fails"

    return Judge("holds if {it} contains the prediction, fails if not", decide)


def never_below(slack: float = 0.0) -> Judge:
    """The least of all that was measured does not beat the floor that is predicted, but for `slack` in the claim's unit."""
    within_slack = f" by more than {slack:g}" if slack else ""

    def decide(e: Estimate) -> Verdict:
        if math.isnan(_predicted(e)):
            return "inconclusive"
        return "fails" if e.ends[1] < _predicted(e) - slack else "holds"

    return Judge(f"fails if {{it}} lies below the floor that is predicted{within_slack}, holds if not", decide)


def by_chance(probability: float) -> Judge:
    """A test: fails if chance alone gives a value as extreme with less than this probability."""

    def decide(e: Estimate) -> Verdict:
        if e.probability is None or math.isnan(e.probability):
            return "inconclusive"
        return "fails" if e.probability < probability else "holds"

    return Judge(f"fails if chance gives as much less than once in {1 / probability:,.0f}, holds if not", decide)


def _inside(inside: str, outside: str, room: Callable[[Estimate], Range], open_ended: bool = False) -> Judge:
    """Holds if the whole interval lies in the room, fails if none of it does. The ends belong to a room of two ends."""

    def decide(e: Estimate) -> Verdict:
        (low, high), (least, most) = e.ends, room(e)
        if math.isnan(least) or math.isnan(most):
            return "inconclusive"
        if (least < low and high < most) if open_ended else (least <= low and high <= most):
            return "holds"
        return "fails" if high < least or low > most else "inconclusive"

    wholly = "" if open_ended else "wholly "
    return Judge(f"holds if {{it}} lies {inside}, fails if {wholly}{outside}", decide, (room,))


def _times(estimate: Estimate, room: Range) -> float:
    """How many times as many replicates shrink the interval to where it lies on the value's side of all bounds."""
    scale = _logarithm if estimate.logarithmic else float
    low, high, least, most, x = map(scale, (*estimate.ends, *room, estimate.value))
    if x < least:
        parts = [(high - x, least - x)]
    elif x > most:
        parts = [(x - low, x - most)]
    else:
        parts = [(x - low, x - least), (high - x, most - x)]
    ratios = [reach / gap if gap > 0 else math.inf for reach, gap in parts]
    return max(ratio * ratio for ratio in ratios)  # a power of a large one would raise


def _logarithm(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf


def _bound(bound: float | None, estimate: Estimate) -> float:
    return _predicted(estimate) if bound is None else bound


def _predicted(estimate: Estimate) -> float:
    """The prediction; nan, which decides nothing, where there is none."""
    return math.nan if estimate.predicted is None else estimate.predicted


def _number(bound: float | None) -> str:
    return "the prediction" if bound is None else f"{bound:g}"

"""@claim: what is measured, how it is judged and where it comes from, in one decorator; the doc string is the sentence.

    @claim(within(0.1), "log-log slope", PAPER, "slope over the last tenfold of the run", trained_to_the_end)
    def exponent(t: Rows[Train]) -> Estimate:
        \"\"\"{t}: knowledge falls as a power of the sentences seen, 1 - d.\"\"\"
        return statistic(t.case.slope, t.array("value")).against(t.case.discount - 1)

    exponent(t)     # a Claim: sentence, prediction, measurement, interval, rule, verdict, source, unit

Braces in the sentence, in what is measured, in the unit and in the source are filled with the arguments, by their names, and
with the words that the estimate was given (`against(..., count=7)`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeAlias

from twopart.evidence.estimate import Estimate
from twopart.evidence.judges import Judge
from twopart.findings import Claim

P = ParamSpec("P")
Measure: TypeAlias = Callable[P, Estimate]
Judged: TypeAlias = Callable[P, Claim]


@dataclass(frozen=True)
class Guard:
    """When a claim cannot be decided, whatever was measured: a learner not trained to the end, too few facts to count."""

    words: str
    """As in "inconclusive if <words>"."""
    applies: Callable[..., bool]
    """Whether it is so, of the claim's own arguments."""


def claim(judge: Judge, unit: str, source: str, what: str, *guards: Guard) -> Callable[[Measure[P]], Judged[P]]:
    """Make a claim of a function from evidence to an estimate.

    `unit` is that of the numbers, "" for pure ones; `source` a paper with its equation, or a page of docs/ with its heading;
    `what` says what was measured, as the rule begins.
    """

    def decorate(measure: Measure[P]) -> Judged[P]:
        sentence, signature = " ".join(inspect.getdoc(measure).split()), inspect.signature(measure)  # type: ignore[union-attr]

        @wraps(measure)
        def judged(*args: P.args, **kwargs: P.kwargs) -> Claim:
            estimate = measure(*args, **kwargs)
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            words: dict[str, Any] = {**bound.arguments, **estimate.words}
            stopped = [guard.words for guard in guards if guard.applies(*args, **kwargs)]
            verdict = "inconclusive" if stopped else judge.verdict(estimate)
            needed = f"not by more {estimate.over}: {'; '.join(stopped)}" if stopped else judge.needed(estimate)
            parts = [what.format(**words), judge.rule(estimate), *(f"inconclusive if {g.words}" for g in guards)]
            return Claim(
                sentence.format(**words),
                predicted=estimate.predicted,
                measured=estimate.value,
                interval=estimate.bounded,
                rule="; ".join(part for part in parts if part),
                verdict=verdict,
                source=source.format(**words),
                unit=unit.format(**words),
                to_decide=needed if verdict == "inconclusive" else "",
            )

        return judged

    return decorate

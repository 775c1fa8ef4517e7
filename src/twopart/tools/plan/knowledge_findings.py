"""A knowledge plan as Findings."""

from __future__ import annotations

import math
from collections.abc import Iterator

import polars as pl

from twopart.findings import Chart, Findings, Table
from twopart.report.charts import Axis, Kind, curves
from twopart.tools.plan.knowledge import PER_DECADE, KnowledgePlan

TABLE = (
    "Expected facts known, the frequency below which a fact is not held (0: all that was told is), and of questions asked as "
    "often as their facts are stated: the share known, and answered wrongly if an answer is always given."
)
CHART = "Questions that a model does not know the answer to, by its size. None knows what it was not told often enough."
SOURCE = "docs/laws/capacity.md, docs/laws/joint.md and docs/laws/hallucination.md"


def findings(plan: KnowledgePlan, rare: float | None = None) -> Findings:
    """The plan as a report; `rare` is the frequency of a fact to be lifted over the threshold."""
    title = f"What {plan.params:.4g} parameters know of facts with discount {plan.discount:g}"
    chart = Chart("sizes", "What is not known, by size", _chart(plan), CHART)
    return Findings(title, "\n\n".join(sentences(plan, rare)), (), tables(plan), (chart,))


def tables(plan: KnowledgePlan) -> tuple[Table, ...]:
    """Models of other sizes, one for each power of ten."""
    return (Table("sizes", "Models of other sizes", plan.sizes.gather_every(PER_DECADE), TABLE),)


def sentences(plan: KnowledgePlan, rare: float | None = None) -> Iterator[str]:
    """The plan in words."""
    yield (
        f"Facts of {plan.facts_bits:g} bits with Pitman-Yor frequencies, discount {plan.discount:g} and concentration "
        f"{plan.concentration:g}; {plan.params:.4g} parameters hold {plan.capacity:.4g} bits at {plan.bits_per_param:g} each, "
        f"room for {plan.room:.4g} facts. After {SOURCE}."
    )
    known = _percent(max(0.0, 1 - plan.unknown))
    yield f"It knows {plan.facts:.4g} facts, and {known} of what is asked as often as it is stated."
    yield _threshold(plan)
    seldom = (
        "never stated" if plan.exposures == 1 else f"stated too seldom to be learned from {plan.exposures:g} exposures"
    )
    never = f"; {_percent(plan.missing)} are about facts {seldom}, which no size mends"
    wrong = f"Made to answer always, it is wrong on {_percent(plan.hallucination)} of the questions"
    yield wrong + ("." if math.isinf(plan.statements) else f"{never}.")
    if rare is not None:
        yield _lift(plan, rare)


def _threshold(plan: KnowledgePlan) -> str:
    if not plan.threshold:
        return "There is room for all that it is told: more statements would teach it more, more parameters would not."
    told = plan.threshold_exposures
    often = "" if math.isinf(told) else f", {told:.4g} times in training"
    return (
        f"The threshold: facts stated less often than once in {1 / plan.threshold:.4g} statements{often} are not held."
    )


def _lift(plan: KnowledgePlan, rare: float) -> str:
    times = plan.oversampling(rare)
    known = f"A fact stated once in {1 / rare:.4g} statements is known with probability {plan.known(rare):.3g}"
    if times == 1:
        return f"{known}; it needs no help."
    if math.isinf(plan.statements):
        return f"{known}; stated {times:.4g} times as often, it reaches the threshold and takes the place of another."
    in_all = f"{times * rare * plan.statements:.4g} times in all"
    return f"{known}; stated {times:.4g} times as often, {in_all}, it is known with probability 0.95."


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def _chart(plan: KnowledgePlan) -> dict[str, object]:
    # not 1 - known, which loses its digits where nearly all is known
    frame = plan.sizes.select(
        "parameters", unknown=pl.col("wrong answers (%)") / 100 / _guess(plan), series=pl.lit("not known")
    )
    floor = plan.sizes.select("parameters", unknown=pl.lit(plan.missing), series=pl.lit("not told often enough"))
    kinds: dict[str, Kind] = {"not known": "theory", "not told often enough": "asymptote"}
    points = pl.concat([frame, floor]) if plan.missing > 1e-12 else frame
    y = Axis("unknown", "share of questions")
    return curves(points, x=Axis("parameters", "parameters"), y=y, kinds=kinds)


def _guess(plan: KnowledgePlan) -> float:
    """Probability that a guess is wrong."""
    return -math.expm1(-plan.facts_bits * math.log(2))

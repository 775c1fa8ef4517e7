"""A fine-tuning plan as Findings."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from twopart.findings import Chart, Findings, Table
from twopart.report.charts import Axis, curves
from twopart.tools.plan.fine_tune import FineTunePlan

TABLE = (
    "Statements of the whole fine-tuning, new facts known, and old questions lost, of all that are asked as often as their "
    "facts were stated: at least, if only the rarest facts go; expected, if of the facts that were not rehearsed all make room "
    "alike; at worst, if none of them stays."
)
CHART = "Questions about old facts that could be answered before and cannot after. What is not rehearsed is held by nothing."
SOURCE = "docs/laws/finetuning.md"
INTERFERENCE = (
    "All this counts room and rehearsal, as for the best learner of this size. A real one also damages old facts while it "
    "learns new ones: the small transformers of docs/results/fine-tuning, with room for everything, kept 64 to 77 % of as "
    "many old facts as were told again. Take the share as the least to try, and measure."
)


def findings(plan: FineTunePlan) -> Findings:
    """The plan as a report."""
    title = f"What to replay while {plan.new_facts:.4g} new facts are taught"
    return Findings(title, "\n\n".join(sentences(plan)), (), tables(plan), tuple(_charts(plan)))


def tables(plan: FineTunePlan) -> tuple[Table, ...]:
    """What is lost at some shares of replay."""
    return (Table("replay", "Shares of replay", plan.table, TABLE),)


def sentences(plan: FineTunePlan) -> Iterator[str]:
    """The plan in words."""
    yield (
        f"Facts of {plan.facts_bits:g} bits with Pitman-Yor frequencies, discount {plan.world.discount:g} and concentration "
        f"{plan.world.concentration:g}; room for {plan.room:.4g} of them. Before fine-tuning the model knows "
        f"{_percent(plan.known_before)} of what is asked as often as it was stated. After {SOURCE}."
    )
    yield _newcomers(plan)
    yield from _recommendation(plan)
    none = plan.at(0.0)
    alike, worst = _percent(none["old lost, expected"]), _percent(none["old lost, at worst"])
    yield f"Without replay nothing holds old facts: {alike} of old questions lost if all make room alike, at worst {worst}."
    if plan.most < 0.5:
        yield f"Beyond {_percent(plan.most)} replay the new facts are no longer all worth their room."
    yield INTERFERENCE


def _newcomers(plan: FineTunePlan) -> str:
    stated = f"Of {plan.new_facts:.4g} new facts, stated {plan.exposures:g} times each,"
    learned = f"{stated} {plan.learned:.4g} are expected to be learned"
    if not plan.displaced:
        return f"{learned}. There is room for them: no old fact has to go."
    return (
        f"{learned}. They take the room of {plan.displaced:.4g} old ones: at least {_percent(plan.least_loss)} of old "
        f"questions is lost, if only the rarest go, those stated less often than once in {1 / plan.threshold:.4g} statements."
    )


def _recommendation(plan: FineTunePlan) -> Iterator[str]:
    points = f"{_percent(plan.tolerance)} of old questions beyond that"
    if plan.replay is not None:
        yield (
            f"Recommended: let {_percent(plan.replay)} of the statements be replayed old ones, the least share that loses "
            f"no more than {points} even if nothing stays that was not rehearsed. {_losses(plan, plan.replay)}"
        )
        return
    yield f"No share up to 50 % makes sure that no more than {points} is lost."
    if plan.replay_expected is not None:
        yield (
            f"Let {_percent(plan.replay_expected)} of the statements be replayed old ones: that much is expected to do, if the "
            f"facts that were not rehearsed make room alike. {_losses(plan, plan.replay_expected)}"
        )
    else:
        yield f"At 50 %: {_losses(plan, 0.5)}"


def _losses(plan: FineTunePlan, share: float) -> str:
    row = plan.at(share)
    expected, worst = _percent(row["old lost, expected"]), _percent(row["old lost, at worst"])
    return (
        f"Expected loss of old questions: {expected}, at worst {worst}, with {row['statements']:.4g} statements in all."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _charts(plan: FineTunePlan) -> Iterator[Chart]:
    """What is lost; nothing to draw where nothing is."""
    parts = (
        plan.curve.select("replay", lost=pl.col(f"old lost, {how}"), series=pl.lit("law"), loss=pl.lit(how))
        for how in ("at worst", "expected", "at least")
    )
    points = pl.concat(parts).filter((pl.col("lost") > 1e-9) & (pl.col("replay") > 0))
    x, y = Axis("replay", "share of replay"), Axis("lost", "share of old questions lost")
    if len(points):
        spec = curves(points, x=x, y=y, kinds={"law": "theory"}, colour="loss")
        yield Chart("replay", "Old questions lost, by share of replay", spec, CHART)

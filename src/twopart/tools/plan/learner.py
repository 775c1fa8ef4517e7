"""How often a fact must be told to a learner that is not the best possible one: its own two numbers and the learner's law.

    fit = LearnerFit.load("law.json")                       # of `laws.knowledge.fit_learner`, from runs or probes of one's own
    plan = plan_learner(fit, discount=0.5, facts_bits=6, params=5648, width=16, statements=1e6, rate=0.01, batch=128)
    plan.told(0.5), plan.bits_per_param

The law is `laws.knowledge.learner_law`, of facts whose values are alike; the optimiser's rate is taken as constant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from twopart._checks import check, check_integer, check_real
from twopart.findings import Chart, Findings, Shown, Table
from twopart.laws.knowledge import LearnerFit, MemoryLaw, StepSum, learner_law
from twopart.report.charts import Axis, Kind, curves
from twopart.worlds import Attribute, SyntaxKnowledge

SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
DOUBLINGS = 14
SOURCE = "docs/laws/learner-law.md"


@dataclass(frozen=True, eq=False)
class LearnerPlan(Shown, told_by="twopart.tools.plan.learner"):
    """What a model of a size knows by the law of its kind."""

    fit: LearnerFit
    facts_bits: float
    params: float
    width: float
    statements: float
    law: MemoryLaw
    """Of this one model."""

    def told(self, share: float = 0.5) -> float:
        """How often facts are told of which this share is known; inf: no number of times is enough."""
        return float(self.law.half(share)) * self.statements

    def known(self, told: float) -> float:
        """Probability that a fact told so often is known."""
        return float(self.law.known(min(1.0, told / self.statements)))

    @property
    def facts(self) -> float:
        """Expected number of facts known, but for luck."""
        return float(self.law.known_facts)

    @property
    def bits_per_param(self) -> float:
        """Bits of knowledge that a parameter holds."""
        return self.facts * self.facts_bits / self.params

    @property
    def beyond(self) -> tuple[str, ...]:
        """What lies outside of what the two numbers were fitted to."""
        asked = {"params": self.params, "sentences": self.statements}
        ranges = {name: self.fit.fitted[name] for name in asked}
        outside = (name for name, (low, high) in ranges.items() if not low <= asked[name] <= high)
        return tuple(
            f"{name} {asked[name]:.4g} (fitted: {ranges[name][0]:.4g} to {ranges[name][1]:.4g})" for name in outside
        )


def plan_learner(
    fit: LearnerFit,
    *,
    discount: float,
    facts_bits: float,
    params: float,
    width: float,
    statements: float,
    rate: float,
    batch: int,
    concentration: float = 1.0,
) -> LearnerPlan:
    """What a model of `params` parameters and this width knows after so many statements, its rate constant.

    `facts_bits` is log2 of a whole number of values, from 2 to 4096, all as likely. Raises `InputError` for numbers out of
    range.
    """
    bits = check_real("facts_bits", facts_bits, 1, 12, "log2 of the number of values, 2 to 4096")
    values = round(2**bits)
    bound = f"log2 of a whole number, such as {math.log2(values):.6g}"
    check(abs(math.log2(values) - bits) < 1e-3, "facts_bits", bits, bound, "6 are 64 values")
    size = check_real("params", params, 1, 1e15, "it is a number of parameters")
    wide = check_real("width", width, 1, 1e9, "of the residual stream")
    told = check_real("statements", statements, 1, 1e12, "it is a number of sentences that state facts")
    steps = StepSum(rate, check_integer("batch", batch, 1, None, "sentences of an update"))
    world = SyntaxKnowledge(discount, concentration, (Attribute("fact", values=values, templates=1),))
    law = learner_law(world, told, size, wide, nats=fit.nats, speed=fit.speed, steps=steps, noise=fit.noise)
    return LearnerPlan(fit, bits, size, wide, told, law)


def findings(plan: LearnerPlan) -> Findings:
    """The plan as a report."""
    told = 2.0 ** np.arange(DOUBLINGS)
    frame = pl.DataFrame({"told": told, "known": [plan.known(n) for n in told]}).with_columns(series=pl.lit("law"))
    kinds: dict[str, Kind] = {"law": "theory"}
    spec = curves(frame, x=Axis("told", "times told"), y=Axis("known", "share known", log=False), kinds=kinds)
    chart = Chart("told", "What is known, by how often it was told", spec, f"By {SOURCE}.")
    title = f"What {plan.params:.4g} parameters of width {plan.width:.4g} know"
    return Findings(title, "\n\n".join(sentences(plan)), (), tables(plan), (chart,))


def tables(plan: LearnerPlan) -> tuple[Table, ...]:
    """How often facts are told of which a share is known."""
    rows = {"of facts known (%)": [100 * share for share in SHARES], "told": [plan.told(share) for share in SHARES]}
    return (Table("shares", "Times told, by share known", pl.DataFrame(rows), "inf: no number of times is enough."),)


def sentences(plan: LearnerPlan) -> list[str]:
    """The plan in words."""
    fit, half = plan.fit, plan.told()
    said = [
        f"A learner of {fit.nats:.3g} nats per exposure and speed {fit.speed:.3g}: {plan.params:.4g} parameters, width "
        f"{plan.width:.4g}, after {plan.statements:.4g} statements of facts of {plan.facts_bits:g} bits. After {SOURCE}.",
        f"It knows {plan.facts:.4g} facts, {plan.bits_per_param:.2g} bits a parameter; half of the facts told {half:.4g} times."
        if math.isfinite(half)
        else "Its optimiser has not gone far enough to know half of any facts: more updates or a larger rate would.",
        f"Of a name it was never told its best guess has probability {float(plan.law.stranger_confidence):.2g}, and the answer "
        f"costs {float(plan.law.stranger_bits):.3g} bits where {plan.facts_bits:g} would do.",
    ]
    if plan.beyond:
        said.append(f"Extrapolated: {' and '.join(plan.beyond)} is beyond what the two numbers were fitted to.")
    return said

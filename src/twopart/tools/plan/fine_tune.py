"""How much of the old data to replay in fine-tuning, and what that saves. Derived in docs/laws/finetuning.md.

A model has learned facts with Pitman-Yor frequencies; fine-tuning states F new ones E times each, mixed with a share r of old
statements, n_r = r/(1-r) F E of them. The new facts take the room of as many old ones. Of the old facts it knows afterwards
    guaranteed   those that replay rehearsed, as far as they fit: the joint law of n_r statements in the room that is left
    expected     and of the others as many as there is room for, if they make room alike
    at best      the most frequent ones, rehearsed or not
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart._checks import InputError, check_real
from twopart.findings import Shown
from twopart.laws import JointLaw, joint_law
from twopart.laws.knowledge.joint import lowest_price
from twopart.laws.knowledge.tails import Tail
from twopart.worlds import Attribute, SyntaxKnowledge

Floats = NDArray[np.float64]

TABLE = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
"""Shares of replay that are shown."""
SHARES = np.unique(np.r_[TABLE, np.geomspace(1e-4, 0.5, 150)])
"""Shares that are looked at; the recommended one is among them."""


@dataclass(frozen=True)
class FineTunePlan(Shown, told_by="twopart.tools.plan.fine_tune_findings"):
    """What replay saves. Arguments first, what follows from them below; probabilities are of questions about old facts."""

    world: SyntaxKnowledge
    """Facts of one kind, with the frequencies that were asked for."""
    facts_bits: float
    room: float
    """Facts that fit into the model."""
    new_facts: float
    """F."""
    exposures: float
    """E, how often each new fact is stated in fine-tuning."""
    statements: float
    """Statements that the model was trained on before; inf: as many as one likes."""
    needed: float
    """T, how often a fact must be stated to be learned."""
    tolerance: float
    """Loss of old questions, beyond what the new facts cost anyhow, that is put up with."""

    known_before: float
    """Probability that an old fact asked for as often as it is stated is known before fine-tuning."""
    learned: float
    """Expected number of new facts learned."""
    displaced: float
    """Expected number of old facts that must go for them."""
    threshold: float
    """Frequency of the most frequent old fact that must go; 0 if none has to."""
    most: float
    """Share of replay beyond which new facts are no longer worth their room."""
    least_loss: float
    """Probability lost if only the rarest facts go."""
    curve: pl.DataFrame
    """By share of replay: new facts known, and old questions lost at least, expected, at worst; all as shares."""
    replay: float | None
    """The least share at which no more than `tolerance` beyond the least loss is lost even at worst; None if none up to 0.5."""
    replay_expected: float | None
    """The same for the expected loss."""

    def at(self, share: float) -> dict[str, float]:
        """The row of the curve nearest to a share of replay."""
        nearest = (self.curve["replay"] - share).abs().arg_min()
        return {name: float(value) for name, value in self.curve.row(nearest or 0, named=True).items()}

    @property
    def table(self) -> pl.DataFrame:
        """The curve at the shares of TABLE, in percent."""
        rows = self.curve.filter(pl.col("replay").is_in(TABLE))
        percent = (pl.exclude("replay", "statements") * 100).name.map(lambda name: f"{name} (%)")
        return rows.select((100 * pl.col("replay")).alias("replay (%)"), pl.col("statements"), percent)


def plan_fine_tune(
    *,
    discount: float,
    facts_bits: float,
    params: float,
    new_facts: float,
    exposures: float,
    concentration: float = 1.0,
    bits_per_param: float = 2.0,
    statements: float = math.inf,
    needed: float = 1.0,
    tolerance: float = 0.01,
) -> FineTunePlan:
    """How much to replay; see `FineTunePlan`. Raises `InputError` for numbers out of range, or if the new facts do not fit."""
    bits = check_real("facts_bits", facts_bits, 1e-6, 1e6, "log2 of the number of values")
    size = check_real("params", params, 0, 1e18, "it is a number of parameters", closed="(]")
    held = check_real("bits_per_param", bits_per_param, 0, 64, "2 is what the literature finds", closed="(]")
    count = check_real("new_facts", new_facts, 1, 1e15, "it is a number of facts")
    often = check_real("exposures", exposures, 0, 1e15, "it is how often each new fact is stated", closed="(]")
    told = check_real("statements", statements, 1, math.inf, "inf leaves it out")
    once = check_real("needed", needed, 1e-6, 1e15, "1 learns a fact at once")
    slack = check_real("tolerance", tolerance, 0, 1, "0.01 is one question in a hundred", closed="()")
    world = SyntaxKnowledge(discount, concentration, (Attribute("fact", values=2, templates=1),))
    room = size * held / bits
    learned = count * -math.expm1(count * often / once * math.log1p(-1 / count)) if count > 1 else 1.0
    if learned >= room:
        raise InputError(
            f"{learned:.4g} new facts are learned but {room:.4g} fit into the model; plan fewer or a larger one"
        )
    laws = joint_law(world, told, np.array([room, room - learned]), exposures=once)
    known, floor = 1 - laws.unknown[:, 0]
    displaced = max(0.0, float(laws.facts[0] - laws.facts[1]))
    threshold = float(laws.price[1]) if displaced > 1e-9 * learned else 0.0
    most = 1 / (1 + count * threshold)
    model = _Model(world, room, count, often, told, once, learned, float(laws.price[0]))
    curve = model.curve(SHARES, float(known))
    fine = curve.filter(pl.col("replay") <= most)
    bound = float(known - floor + slack)
    return FineTunePlan(
        world=world,
        facts_bits=bits,
        room=room,
        new_facts=count,
        exposures=often,
        statements=told,
        needed=once,
        tolerance=slack,
        known_before=float(known),
        learned=learned,
        displaced=displaced,
        threshold=threshold,
        most=most,
        least_loss=float(known - floor),
        curve=curve,
        replay=_least(fine, "old lost, at worst", bound),
        replay_expected=_least(fine, "old lost, expected", bound),
    )


def _least(curve: pl.DataFrame, column: str, bound: float) -> float | None:
    """The least share of replay at which so little is lost."""
    fine = curve.filter(pl.col(column) <= bound)["replay"]
    return float(fine[0]) if len(fine) else None


@dataclass(frozen=True)
class _Model:
    """The model and its two sets of statements."""

    world: SyntaxKnowledge
    room: float
    new_facts: float
    exposures: float
    statements: float
    needed: float
    learned: float
    price: float
    """λ before fine-tuning; 0 if all that was told was held."""

    def curve(self, replay: Floats, known: float) -> pl.DataFrame:
        """What is known at each share of replay, and what is lost of the `known`."""
        rehearsed = replay / (1 - replay) * self.new_facts * self.exposures
        new = self._new_held(replay)
        room = self.room - new
        sure = joint_law(self.world, rehearsed, room, exposures=self.needed)
        best = joint_law(self.world, rehearsed + self.statements, room, exposures=self.needed)
        guaranteed = 1 - sure.unknown[:, 0]
        expected = guaranteed + self._kept(rehearsed, room, sure)
        lost = {"at least": 1 - best.unknown[:, 0], "expected": expected, "at worst": guaranteed}
        columns = {f"old lost, {how}": np.maximum(known - part, 0.0) for how, part in lost.items()}
        total = self.new_facts * self.exposures / (1 - replay)
        return pl.DataFrame({"replay": replay, "statements": total, "new known": new / self.new_facts, **columns})

    def _new_held(self, replay: Floats) -> Floats:
        """New facts that are worth their room: all of them, unless old facts of r q > (1-r)/F fill it."""
        with np.errstate(divide="ignore"):
            rival = np.minimum((1 - replay) / (replay * self.new_facts), 1.0)
        above = self._tail(np.array([self.statements]), np.zeros(len(replay), np.int64), rival)[0]
        return np.clip(self.room - above, 0.0, self.learned)

    def _kept(self, rehearsed: Floats, room: Floats, sure: JointLaw) -> Floats:
        """Probability of the facts that were held before, not rehearsed, and find room, if all such facts are as likely to."""
        rows = np.arange(len(rehearsed))
        price = np.full(len(rehearsed), self.price)
        sums = [self._tail(n, rows, price) for n in (rehearsed, rehearsed + self.statements)]
        facts, mass = sums[1][0] - sums[0][0], sums[0][1] - sums[1][1]
        free = np.maximum(room - sure.facts, 0.0)
        return np.asarray(mass * np.where(facts > free, free / np.maximum(facts, 1e-300), 1.0))

    def _tail(self, n: Floats, row: NDArray[np.int64], price: Floats) -> tuple[Floats, Floats]:
        """Facts above a price that n statements tell, and the mass of the others."""
        sizes = n / self.needed
        lowest = lowest_price(sizes[np.isfinite(sizes)], self.world.entities) if np.isfinite(sizes).any() else 1e-280
        return Tail(self.world.entities, 1.0, sizes, lowest)(row, np.maximum(price, lowest))

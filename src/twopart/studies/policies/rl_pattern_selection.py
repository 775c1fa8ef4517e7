"""Which patterns of reasoning does reinforcement select, how long does the best one wait, and which tokens change?

Runs of softmax policies over patterns stand beside exact laws: with rewards that can be checked, and with those that a policy
gives itself. A small transformer that adds in two formats is reinforced by the same method.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from itertools import product
from typing import Annotated

import numpy as np
import polars as pl

from twopart._arrays import Floats
from twopart._checks import check
from twopart.evidence import Estimate, Found, Rows, claim, curve, curves, long, mean, statistic, table
from twopart.evidence.judges import above, below, within, within_factor, within_range, within_share
from twopart.findings import Claim, Table
from twopart.lab import Cell
from twopart.laws.policies import internal_feedback as feedback
from twopart.laws.policies import pattern_selection as law
from twopart.learners.policies.advantages import GRPO, Majority, Reinforce, SelfCertainty, Verifiable
from twopart.learners.policies.pattern_report import selection_and_skill
from twopart.learners.policies.policy_gradient import descend
from twopart.report import Axis, Figure
from twopart.settings import at_least, between, distinct, every, settings
from twopart.studies import Work
from twopart.studies._transformers import Converge, Shape
from twopart.worlds.policies.additions import Additions
from twopart.worlds.policies.patterns import Patterns

STUDY, TITLE = "rl-pattern-selection", "How reinforcement selects patterns of reasoning"
PAPER, PAGE = "Chen, Li, Zou 2025, arXiv 2506.04695", "docs/laws/rl-pattern-selection.md"
REWARDS = {"verifiable": Verifiable(), "entropy": SelfCertainty(), "majority": Majority()}
RATE, SMALL, SLOW = 0.2, 0.1, 0.05  # of REINFORCE, of GRPO, and of runs that come to rest
LOOKS, FIVE, PARTS = 40, (20, 26, 31, 36, 39), ("selection", "skill")  # looks at masses, five of them judged; of gains
GROUPS, STARTS, TUNED = (4, 16), (0.1, 0.03, 0.01, 0.003, 0.001), (1.0, 2.5, 5.0, 10.0)
DIVERGENCES, ACCURACIES, SKILLS, VOTES = (0.5, 0.2), (0.5, 0.3, 0.15, 0.05), (0.0, 1.0, 0.1), (4, 8, 16)
BELIEFS, UNDECIDED = (0.8,) * 3 + (0.7,) * 4 + (0.6,) * 4 + (0.45,) * 5 + (0.4,) * 4, 0.46  # accuracies of questions
MASSES, FIRST = every(between(0, 1, "()")), (0.02, 0.18, 0.3, 0.5)


@settings
class Adding:
    """How the transformer is fine-tuned and reinforced."""

    sentences: Annotated[int, at_least(10), "Sentences of fine-tuning."] = 100_000
    questions: Annotated[int, at_least(1), "Questions of reinforcement."] = 256
    updates: Annotated[int, at_least(1), "Updates of reinforcement."] = 100
    rate: Annotated[float, between(0, 1, "(]"), "Its learning rate."] = 5e-4
    networks: Annotated[int, at_least(2).because("an interval needs a spread"), "Transformers."] = 3


@settings
class Config:
    """Reinforcement on patterns of reasoning: selection, waiting times, feedback without a truth, tokens."""

    base: Annotated[tuple[float, ...], distinct(2), MASSES, "Base masses; the best's is tuned up to ten times."] = FIRST
    success: Annotated[tuple[float, ...], distinct(2), MASSES, "How often each is right."] = (0.9, 0.6, 0.4, 0.2)
    kinds: Annotated[int, at_least(1), "Settings of each list that are run, of first masses two or more."] = 5
    steps: Annotated[int, at_least(40), "Steps of REINFORCE's course; others have as many, or in proportion."] = 600
    runs: Annotated[int, at_least(4), "Runs of each kind."] = 200
    copies: Annotated[int, at_least(1), "Groups of a run where one step is measured."] = 2000
    horizon: Annotated[float, between(1, 1e6), "Time of feedback without a truth, in units of 1/lr."] = 100.0
    shape: Shape = Shape(2, 32)
    sft: Converge = Converge(64, 5e-3, 50)
    adding: Adding = Adding()

    def __post_init__(self) -> None:
        best = self.success[0] == max(self.success)
        check(best, "success", self.success, "led by the highest", "the best pattern is the first")
        Patterns(self.base, self.success).hard(self.base[0] * TUNED[: max(2, self.kinds)][-1])


QUICK, MANY = Adding(512, 4, 2, 1e-3, 2), Adding(2_000_000, 2048, 1000, 1e-4, 4)
EIGHT = (0.03, 0.04, 0.05, 0.08, 0.1, 0.2, 0.22, 0.28), (0.9, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
PRESETS = {
    "tiny": Config((0.15, 0.35, 0.5), (0.9, 0.6, 0.2), 1, 40, 4, 20, 1.0, Shape(1, 8), Converge(64, 1e-2, 2), QUICK),
    "small": Config(),
    "full": Config(*EIGHT, 5, 600, 2048, 10_000, 1000.0, Shape(4, 128), Converge(256, 3e-3), MANY),
}  # fmt: skip


@dataclass(frozen=True)
class Runs:
    """A cell: all runs of a method on a world."""

    what: str
    """What is looked at: course, escape, rest, step, skill, peak or luck."""
    world: Patterns
    method: Reinforce | GRPO
    lr: float
    steps: int
    runs: int
    reward: str = "verifiable"
    skill: float = 0.0
    copies: int = 1
    """Of each run, which are averaged."""

    def __str__(self) -> str:
        m, x = self.method, self.world.masses[0]
        words = {"rest": f"β = {m.kl:g}", "step": f"accuracy {x[0]:g}", "skill": f"κ = {self.skill:g}"}
        words |= {"escape": f"{len(x)} patterns from {x[0]:.3g}", "luck": f"votes at {x[0]:g}", "peak": self.reward}
        return ", ".join([type(m).__name__, f"G = {m.group}", *([words[self.what]] if self.what in words else [])])

    @cached_property
    def marks(self) -> list[int]:
        return sorted(set(np.geomspace(1, self.steps, LOOKS).round().astype(int).tolist()))

    @cached_property
    def course(self) -> law.Course:
        """The recursion, at the marks."""
        how = {"group": self.method.group, "kl": self.method.kl, "skill": self.skill, **self.method.scheme}
        return law.Course(*(part[self.marks] for part in law.recursion(*self.arrays, self.lr, self.steps, **how)))

    @property
    def votes(self) -> int | None:
        return self.method.group if self.reward == "majority" else None

    @property
    def arrays(self) -> tuple[Floats, Floats]:
        """Masses and rates of the first question, (K,)."""
        return self.world.masses[0], self.world.rates[0]


@dataclass(frozen=True)
class Addition:
    """A cell: a transformer that adds."""

    world: Additions
    shape: Shape
    sft: Converge
    how: Adding

    def __str__(self) -> str:
        return f"{self.shape.layers} layers, width {self.shape.width}"


def cells(config: Config, seed: int) -> Iterator[Work]:
    world, plain, answers, far = Patterns(config.base, config.success), Reinforce(), Patterns.of_answers, config.horizon
    groups, votes = (values[: config.kinds] for values in (GROUPS, VOTES))
    βs, accuracies, skills = (values[: config.kinds] for values in (DIVERGENCES, ACCURACIES, SKILLS))
    starts, tuned = (values[: max(2, config.kinds)] for values in (STARTS, TUNED))
    run = partial(Runs, runs=config.runs)
    cases = [run("course", world, plain, RATE, config.steps)]
    cases += [run("course", world, GRPO(G), SMALL, 2 * config.steps // 3) for G in groups]
    for w in [Patterns((x, 1 - x), (0.6, 0.2)) for x in starts] + [world.hard(config.base[0] * f) for f in tuned]:
        cases.append(run("escape", w, plain, RATE, int(6 * leaving(w).time / RATE / (1 - 1 / plain.group)) + 50))
    cases += [run("rest", world, Reinforce("leave_one_out", kl=β), SLOW, int(4 * config.steps / β)) for β in βs]
    cases += [run("step", answers(p), GRPO(G), 1.0, 1, copies=config.copies) for G, p in product(groups, accuracies)]
    cases += [run("skill", world, plain, RATE, config.steps, skill=κ) for κ in sorted(skills)]
    cases += [run("peak", answers(*BELIEFS), plain, 0.01, int(far / 0.02), reward=r) for r in ("entropy", "majority")]
    luck = partial(run, "luck", answers(UNDECIDED), lr=0.1, steps=int(far / 0.2), reward="majority", copies=20)
    cases += [luck(method=Reinforce(group=m)) for m in votes]
    for case in cases:
        yield Work("follow", case, cost=case.steps * case.method.group * case.copies * len(case.world.masses))
    adding = Addition(Additions(4, base=3), config.shape, config.sft, config.adding)
    yield Work("add", adding, config.adding.networks, cost=10 * config.adding.sentences)


@cache
def leaving(world: Patterns) -> law.Escape:
    """The law of a world's first question."""
    return law.escape(world.masses[0], world.rates[0])


def follow(case: Runs, cell: Cell) -> pl.DataFrame:
    """Means over questions by pattern at the marks; at the end the step at which the first pattern had half of the mass."""
    start, half = np.tile(np.log(case.world.masses), (case.runs * case.copies, 1, 1)), np.full(case.runs, np.nan)
    fold, seen, how = (case.runs, -1, start.shape[-1]), [], (case.world, case.method, case.lr)
    course = descend(start, *how, reward=REWARDS[case.reward], skill=case.skill, seed=cell.seed)
    for step, (policy, success) in zip(range(1, case.steps + 1), course, strict=False):
        half = np.where(np.isnan(half) & (policy[: case.runs, 0, 0] >= 0.5), step, half)
        if step in case.marks:
            seen.append([values.reshape(fold).mean(1) for values in (policy, success, np.log(policy))])
        if case.what == "escape" and not np.isnan(half).any():
            break
        cell.progress(step, case.steps)
    cell.progress(case.steps, case.steps)
    columns = dict(zip(("policy", "success", "logit"), np.stack(seen, 2), strict=False))  # (R, marks, K)
    marks = long("mark", columns | {"step": np.array(case.marks[: len(seen)])[:, None]})
    return pl.concat([marks, long("end", {"half": half})], how="diagonal")


def at_marks(t: Rows[Runs], column: str = "policy") -> Floats:
    """Shape (R, marks, K)."""
    values = t.array(column, axis="mark")
    return np.asarray(values.reshape(len(values), -1, len(t.case.arrays[0])))


def waits(ts: Sequence[Rows[Runs]]) -> Floats:
    """Time of the flow until half of the mass, shape (R, cases)."""
    return np.stack([t.array("half", axis="end") * t.case.lr * (1 - 1 / t.case.method.group) for t in ts], 1)


def gains(case: Runs, policy: Floats, success: Floats) -> Floats:
    """Accuracy that selection and skill brought since the start, at masses and rates (..., K): shape (2, ...)."""
    pairs = (np.stack(np.broadcast_arrays(*both)) for both in zip(case.arrays, (policy, success), strict=True))
    return np.stack([part.sum(-1) for part in selection_and_skill(*pairs)])


FLOW, WAIT, FINITE = (f"{PAGE}, {part}" for part in ("flow", "waiting times", "finite groups"))
TRAP, INTERNAL, TOKENS = (f"{PAPER}; {PAGE}, {part}" for part in ("trap", "feedback", "tokens"))
WEAK = "first masses <= 0.01"


@claim(below(0.02), "mass", f"{FLOW}; {FINITE}", "largest distance of mean and law, of all patterns at 5 steps")
def follows(t: Rows[Runs]) -> Estimate:
    """{t}: masses go as the law says."""
    at = [i for i in FIVE if i < len(t.case.marks)]
    return statistic(lambda m: float(np.abs(m - t.case.course.policy[at]).max()), at_marks(t)[:, at]).against(0.0)


@claim(within_range(-1.1, -0.9), "exponent of the first mass", WAIT, f"log-log slope of the mean time, {WEAK}")
def slow_regime(ts: Sequence[Rows[Runs]]) -> Estimate:
    """two patterns: the time to half goes as one over the first mass, not as its logarithm."""
    x = np.log([t.case.arrays[0][0] for t in ts])
    return statistic(lambda m: float(np.polyfit(x, np.log(m), 1)[0]), waits(ts)).against(-1.0)


@claim(within_share(0.15), "time", WAIT, "mean time to half")
def waiting_time(t: Rows[Runs]) -> Estimate:
    """{t}: the time to half is the closed form's."""
    base, rates = t.case.arrays
    return mean(waits([t])[:, 0]).against(float(law.two_pattern_time(base[0], 0.5, rates[0] - rates[1])))


@claim(within_factor(1.5), "ratio", f"{PAPER}; {FLOW}", "mean time to half over that of {tuned}")
def fine_tuning_repairs(trapped: Rows[Runs], tuned: Rows[Runs]) -> Estimate:
    """{trapped}: a little fine-tuning on the best pattern saves most of the wait."""
    expected = leaving(trapped.case.world).time / leaving(tuned.case.world).time
    return statistic(lambda m: float(m[0] / m[1]), waits([trapped, tuned])).against(expected)


@claim(below(0.0), "mass", TRAP, "least mean mass on the way less the base mass")
def falls_first(t: Rows[Runs]) -> Estimate:
    """{t}: the best pattern loses mass while the runner-up is taken up."""
    start = t.case.arrays[0][0]
    fall = statistic(lambda m: float(m.min() - start), at_marks(t)[:, :, 0])
    return fall.against(leaving(t.case.world).lowest - start)


@claim(below(0.02), "total variation", FLOW, "distance of the mean policy at the end from the stationary one")
def rests(t: Rows[Runs]) -> Estimate:
    """{t}: with a divergence policies come to rest between the base policy and the best pattern."""
    rest = law.stationary(*t.case.arrays, t.case.method.kl)
    return statistic(lambda p: float(np.abs(p - rest).sum() / 2), at_marks(t)[:, -1]).against(0.0)


@claim(within_share(0.02), "times the flow", FINITE, "mean step over the flow's, of {count:,} groups")
def speed_up(t: Rows[Runs]) -> Estimate:
    """{t}: a step is s_G times the flow's."""
    p, m = t.case.arrays[0][0], t.case.method
    moved = at_marks(t, "logit")[:, 0] @ [1, -1] - np.log(p / (1 - p))
    expected = float(law.advantage_slope(p, m.group, **m.scheme))
    return mean(moved / (2 * t.case.lr * p * (1 - p))).against(expected, count=len(moved) * t.case.copies)


@claim(above(0.0), "accuracy", INTERNAL, "highest mean accuracy less the first")
def rises(t: Rows[Runs]) -> Estimate:
    """{t}: accuracy rises at first."""
    start = t.case.world.masses[:, 0]
    expected = feedback.peak(start, t.case.votes).accuracy - start.mean()
    return statistic(lambda m: float(m.max() - start.mean()), at_marks(t)[:, :, 0]).against(expected)


@claim(within(0.02), "accuracy", INTERNAL, "mean accuracy at the end")
def then_falls(t: Rows[Runs]) -> Estimate:
    """{t}: in the end accuracy is the share of questions whose base majority is right."""
    return mean(at_marks(t)[:, -1, 0]).against(feedback.peak(t.case.world.masses[:, 0], t.case.votes).end)


@claim(within(0.02), "share of questions", f"{PAGE}, luck", "questions that end right, at lr 0.2")
def lucky(t: Rows[Runs]) -> Estimate:
    """{t}: large steps carry as many questions over to the right answer as noise over slope says."""
    return mean(at_marks(t)[:, -1, 0]).against(float(feedback.luck(UNDECIDED, t.case.method.group, 2 * t.case.lr)))


@claim(within_share(0.5), "share of positions", TOKENS, "positions that carry 90 % of the divergence")
def sparse(t: Rows[Addition]) -> Estimate:
    """transformers that add: reinforcement changes few tokens, those that decide for a format."""
    return mean(t.array("critical")).against(1 / t.case.world.response)


def escapes(found: Found) -> tuple[list[Rows[Runs]], list[Rows[Runs]]]:
    """Of two patterns, and of all."""
    n, both = len(STARTS[: max(2, found.config.kinds)]), found.of(Runs, what="escape")
    return both[:n], both[n:]


def claims(found: Found) -> Iterator[Claim]:
    two, trapped = escapes(found)
    yield from map(follows, found.of(Runs, what="course"))
    yield slow_regime([t for t in two if t.case.arrays[0][0] <= 0.01] or two)
    yield from map(waiting_time, two)
    yield from (fine_tuning_repairs(*trapped[:2]), falls_first(trapped[0]))
    yield from map(rests, found.of(Runs, what="rest"))
    yield from map(speed_up, found.of(Runs, what="step"))
    yield from (judged(t) for t in found.of(Runs, what="peak") for judged in (rises, then_falls))
    yield from map(lucky, found.of(Runs, what="luck"))
    yield sparse(found.one(Addition))


def course_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Mass of each pattern by step; law, and mean of runs with two standard errors."""
    for t in found.of(Runs, what="course"):
        for k, rate in enumerate(t.case.arrays[1]):
            law_and_runs = {"law": t.case.course.policy[:, k], "runs": at_marks(t)[:, :, k]}
            yield curves({"step": t.case.marks}, "mass", law_and_runs, 2.0, method=str(t), pattern=f"right {rate:g}")


def wait_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Time to half by the best pattern's base mass, in units of the flow's; law, and mean of runs with two standard errors."""
    for ts, name in zip(escapes(found), ("two patterns", "all patterns"), strict=True):
        x, w = [t.case.arrays[0][0] for t in ts], ts[0].case.world
        grid = np.geomspace(min(x), max(x), 16)
        yield curve({"mass": grid}, {"time": [leaving(w.hard(m)).time for m in grid]}, patterns=name, series="law")
        yield curves({"mass": x}, "time", {"runs": waits(ts)}, 2.0, patterns=name)


def feedback_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Mean accuracy by time in units of 1/lr; law, and mean of runs with two standard errors."""
    for t in found.of(Runs, what="peak"):
        times = np.array(t.case.marks) * 2 * t.case.lr
        clock = times if t.case.votes else times * (1 - 1 / t.case.method.group)
        expected = feedback.certainty_flow(t.case.world.masses[:, 0], clock, t.case.votes).mean(1)
        series = {"law": expected, "runs": at_marks(t)[:, :, 0]}
        yield curves({"time": times}, "accuracy", series, 2.0, reward=t.case.reward)


def gain_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Accuracy that selection and skill have brought by each step; law, and mean of runs with two standard errors."""
    for t in found.of(Runs, what="skill"):
        both = gains(t.case, *t.case.course), gains(t.case, at_marks(t), at_marks(t, "success"))
        for part, expected, runs in zip(PARTS, *both, strict=True):
            series, ratio = {"law": expected, "runs": runs}, f"κ = {t.case.skill:g}"
            yield curves({"step": t.case.marks}, "accuracy", series, 2.0, ratio=ratio, part=part)


def tables(found: Found) -> Iterator[Table]:
    yield from table("waits", "Time until the best pattern leads", wait_rows, found)
    yield from table("courses", "Masses of patterns", course_rows, found)
    yield from table("feedback", "Accuracy without a truth", feedback_rows, found)
    yield from table("gains", "Selection and skill", gain_rows, found)


plain_axis, by_law = partial(Axis, log=False), partial(Figure, kinds={"law": "theory", "runs": "simulation"})
STEP, TIME, MASS = plain_axis("step", "steps"), plain_axis("time", "time", "1/lr"), plain_axis("mass", "mass")
BASE, WAITED = Axis("mass", "base mass of the best pattern"), Axis("time", "time to half", "1/lr")
ACCURACY, GAIN = Axis("accuracy", "accuracy", domain=(0.54, 0.62)), plain_axis("accuracy", "accuracy gained")
CLIFF = "Among two patterns the wait is one over the mass; among all a weak best pattern first loses to the runner-up."
TAKEN = "The runner-up is taken up first, while the best pattern loses what it had; normalisation is faster."
CONFIDENT = "Questions with clear majorities move first, most of them rightly; those that are wrong by a little follow."
STABLE = "Success rates stay as they are only if answers learn much more slowly than patterns do."
FIGURES = (
    by_law("waits", "A weak base model waits", "waits", BASE, WAITED, columns="patterns", caption=CLIFF),
    by_law("courses", "Selection by step", "courses", STEP, MASS, columns="method", colour="pattern", caption=TAKEN),
    by_law("feedback", "Without a truth: up and down", "feedback", TIME, ACCURACY, columns="reward", caption=CONFIDENT),
    by_law("gains", "Selection and skill", "gains", STEP, GAIN, columns="ratio", colour="part", caption=STABLE),
)


def summary(found: Found) -> str:
    config, t = found.config, found.one(Addition)
    before, after, selection, skill = (t.array(name).mean() for name in ("before", "after", *PARTS))
    return (
        f"{config.runs} runs of each method beside exact laws. Transformers that add are right in {before:.3f} of the cases "
        f"before reinforcement and {after:.3f} after: selection of formats brought {selection:.3f}, skill {skill:.3f}."
    )

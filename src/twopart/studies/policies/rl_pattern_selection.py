"""Which patterns of reasoning does reinforcement select, how long does the best one wait, and which tokens change?

Softmax policies over patterns, 200 runs of each method, stand beside exact laws: with rewards that can be checked, and with
rewards that the policy gives itself. A small transformer that adds in two formats is reinforced by the same method.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
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
from twopart.learners.policies import GRPO, Majority, Reinforce, SelfCertainty, Verifiable, descend
from twopart.learners.policies.pattern_report import selection_and_skill
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, distinct, every, rising, settings
from twopart.studies import Work
from twopart.worlds.policies import Additions, Patterns
from twopart.worlds.policies.additions import FORMATS

STUDY, TITLE = "rl-pattern-selection", "How reinforcement selects patterns of reasoning"
PAPER, PAGE = "Chen, Li, Zou 2025, arXiv 2506.04695", "docs/laws/rl-pattern-selection.md"
REWARDS = {"verifiable": Verifiable(), "majority": Majority(), "entropy": SelfCertainty()}
RATE, SMALL, SLOW = 0.2, 0.1, 0.05  # of REINFORCE, of GRPO, and of runs that end beside their base policy
STEPS, LOOKS = 600, 40
MASS, SHARE = between(0, 1, "()"), every(between(0, 1, "()"))


@settings
class Adding:
    """The transformer, its fine-tuning and its reinforcement."""

    layers: Annotated[int, at_least(1), "Layers."] = 2
    width: Annotated[int, at_least(4), "Width, even for each head."] = 32
    heads: Annotated[int, at_least(1), "Attention heads."] = 2
    batch: Annotated[int, at_least(1), "Sentences per update of fine-tuning."] = 128
    sentences: Annotated[int, at_least(10), "Sentences of fine-tuning."] = 200_000
    sft_rate: Annotated[float, between(0, 1, "(]"), "Its learning rate."] = 1e-2
    questions: Annotated[int, at_least(1), "Questions of reinforcement."] = 256
    asked: Annotated[int, at_least(1), "Of them in each update."] = 32
    group: Annotated[int, at_least(2), "Responses to each question."] = 8
    updates: Annotated[int, at_least(1), "Updates of reinforcement."] = 200
    rl_rate: Annotated[float, between(0, 1, "(]"), "Its learning rate."] = 3e-4
    networks: Annotated[int, at_least(2).because("an interval needs a spread"), "Transformers."] = 3


@settings
class Config:
    """Reinforcement on patterns of reasoning: selection, waiting times, feedback without a truth, tokens."""

    base: Annotated[tuple[float, ...], distinct(2), SHARE, "Base masses of the patterns."] = (0.02, 0.18, 0.3, 0.5)
    success: Annotated[tuple[float, ...], distinct(2), SHARE, "How often each is right."] = (0.9, 0.6, 0.4, 0.2)
    groups: Annotated[tuple[int, ...], rising(1), every(at_least(2)), "Group sizes of GRPO."] = (4, 16)
    starts: Annotated[tuple[float, ...], rising(3), SHARE, "First masses of the better of two patterns."] = (
        0.001, 0.003, 0.01, 0.03, 0.1,
    )  # fmt: skip
    masses: Annotated[tuple[float, ...], rising(2), SHARE, "Base masses of the best pattern; the first is a trap."] = (
        0.02, 0.05, 0.1, 0.2,
    )  # fmt: skip
    divergences: Annotated[tuple[float, ...], rising(1), every(between(0, 10, "(]")), "Weights of the divergence."] = (
        0.2, 0.5,
    )  # fmt: skip
    accuracies: Annotated[tuple[float, ...], rising(1), SHARE, "Where one step of GRPO is measured."] = (
        0.05, 0.15, 0.3, 0.5,
    )  # fmt: skip
    skills: Annotated[tuple[float, ...], rising(2), every(between(0, 10)), "Learning rates of answers over patterns'."] = (
        0.0, 0.1, 1.0,
    )  # fmt: skip
    votes: Annotated[tuple[int, ...], rising(1), every(at_least(3)), "Votes of a majority near 1/2."] = (4, 8, 16)
    runs: Annotated[int, at_least(4), "Runs of each kind."] = 200
    copies: Annotated[int, at_least(1), "Groups per run where one step is measured, in hundreds."] = 20
    horizon: Annotated[float, between(1, 1e6), "Time of feedback without a truth, in units of 1/lr."] = 100.0
    adding: Adding = Adding()

    def __post_init__(self) -> None:
        same = len(self.base) == len(self.success)
        check(same, "success", self.success, f"{len(self.base)} rates", "one for each base mass")
        Patterns(self.base, self.success)


QUICK = Adding(1, 8, 1, 64, 640, 1e-2, 8, 4, 4, 4, 1e-3, 2)
PRESETS = {
    "tiny": Config((0.1, 0.3, 0.6), (0.9, 0.6, 0.2), (4,), (0.01, 0.05, 0.1), (0.1, 0.2), (0.5,), (0.3,), (0.0, 1.0), (4,), 8, 1, 5.0, QUICK),
    "small": Config(),
    "full": Config(runs=2048, copies=100, adding=Adding(4, 128, 4, 256, 2_000_000, 3e-3, 2048, 128, 16, 1000, 1e-4, 4)),
}  # fmt: skip
BELIEFS, SHARES = (0.8, 0.7, 0.6, 0.45, 0.4), (3, 4, 4, 5, 4)  # questions' first accuracies; how many in twenty
UNDECIDED = 0.46


@dataclass(frozen=True)
class Runs:
    """A cell: all runs of a method on a world."""

    what: str
    """What is looked at: the course, an escape, a rest, one step, skill, peak, luck."""
    world: Patterns
    method: Reinforce | GRPO
    lr: float
    steps: int
    runs: int
    reward: str = "verifiable"
    skill: float = 0.0

    def __str__(self) -> str:
        method, base = self.method, self.world.masses[0]
        name = f"{'GRPO' if isinstance(method, GRPO) else 'REINFORCE'}, G = {method.group}"
        first = f"{len(base)} patterns from {base[self.world.rates[0].argmax()]:.3g}"
        said = {"rest": f", β = {method.kl:g}", "skill": f", κ = {self.skill:g}", "peak": f", {self.reward}"}
        if self.what in ("luck", "peak"):
            return f"{method.group} answers, lr {2 * self.lr:g}" + said.get(self.what, "")
        return f"{name}, {first}" + said.get(self.what, "")

    @cached_property
    def marks(self) -> list[int]:
        return sorted(set(np.geomspace(1, self.steps, LOOKS).round().astype(int).tolist()))

    @cached_property
    def law(self) -> law.Course:
        """The recursion at the marks, with the start."""
        w, m = self.world, self.method
        course = law.recursion(
            w.masses[0], w.rates[0], self.lr, self.steps, group=m.group, kl=m.kl, skill=self.skill, **m.scheme
        )
        return law.Course(*(part[[0, *self.marks]] for part in course))

    @property
    def time(self) -> Floats:
        """Of the flow, at the marks: steps times the mean step."""
        return np.array(self.marks) * self.lr * (1 - 1 / self.method.group)


@dataclass(frozen=True)
class Addition:
    """A cell: a transformer that adds."""

    world: Additions
    how: Adding

    def __str__(self) -> str:
        return f"{self.how.layers} layers, width {self.how.width}"


def cells(config: Config, seed: int) -> Iterator[Work]:
    runs, world, plain = config.runs, Patterns(config.base, config.success), Reinforce()
    cases = [Runs("course", world, plain, RATE, STEPS, runs)]
    cases += [Runs("course", world, GRPO(G), SMALL, 2 * STEPS // 3, runs) for G in config.groups]
    two = [Patterns((x, 1 - x), (0.6, 0.2)) for x in config.starts]
    for w in [*two, *(world.hard(x) for x in config.masses)]:
        time = law.escape(w.masses[0], w.rates[0]).time
        cases.append(Runs("escape", w, plain, RATE, int(6 * time / RATE / (1 - 1 / plain.group)) + 50, runs))
    for β in config.divergences:
        for method in (Reinforce("leave_one_out", kl=β), GRPO(kl=β)):
            cases.append(Runs("rest", world, method, SLOW, int(120 / β / SLOW), runs))
    for G, p in product(config.groups, config.accuracies):
        cases.append(Runs("step", answers((p,), (100 * config.copies,)), GRPO(G), 1.0, 1, runs))
    cases += [Runs("skill", world, plain, RATE, STEPS, runs, skill=κ) for κ in config.skills]
    far = config.horizon
    for reward in ("entropy", "majority"):
        cases.append(Runs("peak", answers(BELIEFS, SHARES), plain, 0.01, int(far / 0.02), runs, reward))
    for m in config.votes:
        cases.append(
            Runs("luck", answers((UNDECIDED,), (20,)), Reinforce(group=m), 0.1, int(far / 0.2), runs, "majority")
        )
    for case in cases:
        yield Work("follow", case, cost=case.steps * case.method.group * len(case.world.masses))
    adding = config.adding
    yield Work("add", Addition(Additions(), adding), adding.networks, cost=10 * adding.sentences)


def answers(beliefs: Sequence[float], counts: Sequence[int]) -> Patterns:
    """Questions answered right or wrong, with no pattern between; a logit for each answer, so that φ moves at twice the rate."""
    base = [(a, 1 - a) for a, n in zip(beliefs, counts, strict=True) for _ in range(n)]
    return Patterns(base, [(1.0, 0.0)] * len(base))


def follow(case: Runs, cell: Cell) -> pl.DataFrame:
    """Means over questions by pattern at the marks; the step at which a run has the best pattern at half of the mass."""
    start = np.tile(np.log(case.world.masses), (case.runs, 1, 1))
    best, half, rows = int(case.world.rates[0].argmax()), np.full(case.runs, np.nan), []
    options = {"reward": REWARDS[case.reward], "skill": case.skill, "seed": cell.seed}
    for step, (policy, success) in enumerate(descend(start, case.world, case.method, case.lr, **options), 1):
        half = np.where(np.isnan(half) & (policy[:, 0, best] >= 0.5), step, half)
        if step in case.marks:
            columns = {"policy": policy.mean(1), "success": success.mean(1), "logit": np.log(policy).mean(1)}
            rows.append(long("mark", columns, step=step))
        done = step == case.steps or (case.what == "escape" and not np.isnan(half).any())
        cell.progress(case.steps if done else step, case.steps)
        if done:
            return pl.concat([*rows, long("end", {"half": half})], how="diagonal")
    raise AssertionError("unreachable")


def at_marks(t: Rows[Runs], column: str = "policy") -> Floats:
    """Shape (R, marks, K)."""
    values = t.array(column, axis="mark")
    return np.asarray(values.reshape(len(values), -1, t.case.world.rates.shape[1]))


def waits(t: Rows[Runs]) -> Floats:
    """Time of the flow until half of the mass, shape (R,)."""
    return np.asarray(t.array("half", axis="end") * t.case.lr * (1 - 1 / t.case.method.group))


def gains(case: Runs, policy: Floats, success: Floats) -> Floats:
    """Selection and skill since the start, at masses and rates (..., K): shape (2, ...)."""
    first = (np.broadcast_to(x[0], policy.shape) for x in (case.world.masses, case.world.rates))
    pairs = (np.stack([start, end]) for start, end in zip(first, (policy, success), strict=True))
    return np.stack([part.sum(-1) for part in selection_and_skill(*pairs)])


def foretold(case: Runs, times: Floats) -> Floats:
    """Mean accuracy by the law of feedback at times of φ."""
    start = case.world.masses[:, 0]
    if case.reward == "majority":
        return np.asarray(feedback.certainty_flow(start, times, case.method.group).mean(1))
    return np.asarray(feedback.certainty_flow(start, times * (1 - 1 / case.method.group)).mean(1))


FLOW, WAIT, FINITE = (f"{PAGE}, {part}" for part in ("flow", "waiting times", "finite groups"))
TRAP, INTERNAL = f"{PAPER}; {PAGE}, trap", f"{PAPER}; {PAGE}, feedback without a truth"
PARTS = ("selection", "skill")
FIVE = (20, 26, 31, 36, 39)  # of 40 marks


@claim(below(0.02), "mass", f"{FLOW}; {FINITE}", "largest distance of mean and law, of all patterns at 5 steps")
def follows(t: Rows[Runs]) -> Estimate:
    """{t}: masses go as the law says."""
    at = [min(i, len(t.case.marks) - 1) for i in FIVE]
    expected = t.case.law.policy[1:][at]
    return statistic(lambda m: float(np.abs(m - expected).max()), at_marks(t)[:, at]).against(0.0)


@claim(
    within_range(-1.1, -0.9), "exponent of the first mass", WAIT, "slope of log time between first masses up to 0.01"
)
def slow_regime(ts: Sequence[Rows[Runs]]) -> Estimate:
    """two patterns: the time to half goes as one over the first mass, not as its logarithm."""
    x = np.log([t.case.world.masses[0, 0] for t in ts])
    return statistic(lambda m: float(np.polyfit(x, np.log(m), 1)[0]), np.stack([waits(t) for t in ts], 1)).against(-1.0)


@claim(within_share(0.15), "time", WAIT, "mean time to half")
def waiting_time(t: Rows[Runs]) -> Estimate:
    """{t}: the time to half is the closed form's."""
    return mean(waits(t)).against(float(law.two_pattern_time(t.case.world.masses[0, 0], 0.5, 0.4)))


@claim(within_factor(1.5), "ratio", f"{PAPER}; {FLOW}", "mean time to half over that from {x:g}")
def fine_tuning_repairs(trapped: Rows[Runs], tuned: Rows[Runs]) -> Estimate:
    """{trapped}: a little fine-tuning on the best pattern saves most of the wait."""
    times = [law.escape(t.case.world.masses[0], t.case.world.rates[0]).time for t in (trapped, tuned)]
    x = tuned.case.world.masses[0, tuned.case.world.rates[0].argmax()]
    both = np.stack([waits(trapped), waits(tuned)], 1)
    return statistic(lambda m: float(m[0] / m[1]), both).against(times[0] / times[1], x=x)


@claim(below(0.0), "mass", TRAP, "least mean mass on the way less the base mass")
def falls_first(t: Rows[Runs]) -> Estimate:
    """{t}: the best pattern loses mass while the runner-up is taken up."""
    best = int(t.case.world.rates[0].argmax())
    low = law.escape(t.case.world.masses[0], t.case.world.rates[0]).lowest
    start = t.case.world.masses[0, best]
    return statistic(lambda m: float(m.min() - start), at_marks(t)[:, :, best]).against(low - start)


@claim(below(0.02), "total variation", FLOW, "distance of the mean policy at the end from the stationary one")
def rests(t: Rows[Runs]) -> Estimate:
    """{t}: with a divergence policies come to rest between the base policy and the best pattern."""
    m, w = t.case.method, t.case.world
    rest = law.stationary(w.masses[0], w.rates[0], m.kl, group=m.group, **m.scheme)
    return statistic(lambda p: float(np.abs(p - rest).sum() / 2), at_marks(t)[:, -1]).against(0.0)


def slopes(t: Rows[Runs]) -> Floats:
    """s_G by each run's one step, shape (R,)."""
    p = t.case.world.masses[0, 0]
    moved = at_marks(t, "logit")[:, 0] @ [1, -1] - np.log(p / (1 - p))
    return np.asarray(moved / (2 * t.case.lr * p * (1 - p)))


@claim(within_share(0.02), "times the flow", FINITE, "mean step over the flow's, of {count:,} groups")
def speed_up(t: Rows[Runs]) -> Estimate:
    """{t}: normalising by the group's deviation speeds up by s_G."""
    p, m = t.case.world.masses[0, 0], t.case.method
    expected = float(law.advantage_slope(p, m.group, **m.scheme))
    return mean(slopes(t)).against(expected, count=t.case.runs * len(t.case.world.masses))


@claim(
    within(0.02),
    "accuracy",
    f"{PAGE}, selection against skill",
    "mean accuracy that {part} brought, by the exact split",
)
def splits(t: Rows[Runs], part: str) -> Estimate:
    """{t}: {part} brings as much as the law says."""
    i, last = PARTS.index(part), at_marks(t)[:, -1]
    expected = gains(t.case, *(x[-1] for x in t.case.law))[i]
    return mean(gains(t.case, last, at_marks(t, "success")[:, -1])[i]).against(float(expected))


@claim(above(0.0), "accuracy", INTERNAL, "highest mean accuracy less the first")
def rises(t: Rows[Runs]) -> Estimate:
    """{t}: accuracy rises at first."""
    top = feedback.peak(t.case.world.masses[:, 0], t.case.method.group if t.case.reward == "majority" else None)
    start = float(t.case.world.masses[:, 0].mean())
    return statistic(lambda m: float(m.max() - start), at_marks(t)[:, :, 0]).against(top.accuracy - start)


@claim(within(0.02), "accuracy", INTERNAL, "mean accuracy at the end")
def then_falls(t: Rows[Runs]) -> Estimate:
    """{t}: in the end accuracy is the share of questions whose base majority is right."""
    return mean(at_marks(t)[:, -1, 0]).against(float((t.case.world.masses[:, 0] > 0.5).mean()))


@claim(within(0.02), "share of questions", f"{PAGE}, luck", "questions that end right, first accuracy 0.46")
def lucky(t: Rows[Runs]) -> Estimate:
    """{t}: large steps carry as many questions over to the right answer as noise over slope says."""
    return mean(at_marks(t)[:, -1, 0]).against(float(feedback.luck(UNDECIDED, t.case.method.group, 2 * t.case.lr)))


@claim(
    within_share(0.5), "share of positions", f"{PAPER}; {PAGE}, tokens", "positions that carry 90 % of the divergence"
)
def sparse(t: Rows[Addition]) -> Estimate:
    """transformers that add: reinforcement changes few tokens, those that decide for a format."""
    return mean(t.array("critical", axis="report")).against(1 / t.case.world.response)


def of(found: Found, what: str) -> list[Rows[Runs]]:
    return found.of(Runs, what=what)


def escapes(found: Found) -> tuple[list[Rows[Runs]], list[Rows[Runs]]]:
    """Of two patterns, and of all."""
    n = len(found.config.starts)
    return of(found, "escape")[:n], of(found, "escape")[n:]


def claims(found: Found) -> Iterator[Claim]:
    two, trapped = escapes(found)
    yield from map(follows, of(found, "course"))
    small = [t for t in two if t.case.world.masses[0, 0] <= 0.01]
    yield slow_regime(small if len(small) > 1 else two)
    yield from map(waiting_time, two)
    yield from (fine_tuning_repairs(*trapped[:2]), falls_first(trapped[0]))
    yield from map(rests, of(found, "rest"))
    yield from map(speed_up, of(found, "step"))
    yield from (splits(t, part) for t in of(found, "skill") for part in PARTS)
    for t in of(found, "peak"):
        yield from (rises(t), then_falls(t))
    yield from map(lucky, of(found, "luck"))
    yield sparse(found.of(Addition)[0])


def course_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Mass of each pattern by step; runs: mean with least and greatest of two standard errors around it."""
    for t in of(found, "course"):
        for k, rate in enumerate(t.case.world.rates[0]):
            series = {"law": t.case.law.policy[1:, k], "runs": at_marks(t)[:, :, k]}
            yield curves(
                {"step": t.case.marks},
                "mass",
                series,
                2.0,
                method=str(t).partition(", 4")[0],
                pattern=f"right {rate:g}",
            )


def wait_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Time of the flow to half of the mass by the best pattern's base mass; law, and mean of runs with two standard errors."""
    for ts, name in zip(escapes(found), ("two patterns", "all patterns"), strict=True):
        x = [t.case.world.masses[0].take(t.case.world.rates[0].argmax()) for t in ts]
        grid = np.geomspace(min(x), max(x), 30)
        w = ts[0].case.world
        times = [law.escape(w.hard(m).masses[0], w.rates[0]).time for m in grid]
        yield curve({"mass": grid}, {"time": times}, patterns=name, series="law")
        yield curves({"mass": x}, "time", {"runs": np.stack([waits(t) for t in ts], 1)}, 2.0, patterns=name)


def feedback_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Mean accuracy by time in units of 1/lr; law, and mean of runs with two standard errors."""
    for t in of(found, "peak"):
        times = np.array(t.case.marks) * 2 * t.case.lr
        series = {"law": foretold(t.case, times), "runs": at_marks(t)[:, :, 0]}
        yield curves({"time": times}, "accuracy", series, 2.0, reward=t.case.reward)


def skill_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Accuracy that selection and skill have brought by each step; law, and mean of runs with two standard errors."""
    for t in of(found, "skill"):
        foreseen = gains(t.case, t.case.law.policy[1:], t.case.law.success[1:])
        measured = gains(t.case, at_marks(t), at_marks(t, "success"))
        for part, expected, runs in zip(PARTS, foreseen, measured, strict=True):
            series, ratio = {"law": expected, "runs": runs}, f"κ = {t.case.skill:g}"
            yield curves({"step": t.case.marks}, "accuracy", series, 2.0, ratio=ratio, part=part)


def adding_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Share of each format, and how often it is right, along the updates: mean of the transformers with least and greatest."""
    (t,) = found.of(Addition)
    for name, what in product(FORMATS, ("share", "success")):
        rows = t.where(axis="steps", pattern=name, replicate=0)
        values = np.nan_to_num(t.array(what, axis="steps", pattern=name))
        label = {"share": "share of responses", "success": "right"}[what]
        yield curve({"update": rows["step"]}, {"value": values}, what=label, series=name)


def token_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Divergence of the reinforced from the fine-tuned transformer by position of the response, in nats; 1 is the decision."""
    (t,) = found.of(Addition)
    values = t.array("divergence", axis="positions")
    yield curve({"position": np.arange(values.shape[1])}, {"divergence": values}, series="transformers")


def tables(found: Found) -> Iterator[Table]:
    rows = {
        "courses": ("Masses of patterns", course_rows),
        "waits": ("Time until the best pattern leads", wait_rows),
        "feedback": ("Accuracy without a truth", feedback_rows),
        "gains": ("Selection and skill", skill_rows),
        "adding": ("Formats of sums", adding_rows),
        "tokens": ("Divergence by position", token_rows),
    }
    for name, (title, function) in rows.items():
        yield from table(name, title, function, found)


STEP, ACCURACY = Axis("step", "steps", log=False), Axis("accuracy", "accuracy", log=False)
TIME, GAIN = Axis("time", "time", "1/lr", log=False), Axis("accuracy", "accuracy gained", log=False)
KINDS: dict[str, Kind] = {"law": "theory", "runs": "simulation"}
CLIFF = (
    "A base mass below 0.03 lets the runner-up win first; then the best pattern waits, the longer the less it has kept."
)
STABLE = "Success rates stay as they are only if answers learn much more slowly than patterns do."
by_law = partial(Figure, kinds=KINDS)
FIGURES = (
    by_law("waits", "A weak base model waits", "waits", Axis("mass", "base mass of the best pattern"), Axis("time", "time to half", "1/lr"),
           columns="patterns", caption=CLIFF),
    by_law("courses", "The runner-up is taken up first", "courses", STEP, Axis("mass", "mass", log=False), columns="method",
           colour="pattern", caption="Runs lie on the law of their method; normalisation is faster, and more so in large groups."),
    by_law("feedback", "Without a truth accuracy rises, then falls", "feedback", Axis("time", "time", "1/lr"), ACCURACY,
           columns="reward", caption="Confident questions move first, most of them rightly; the wrongly decided ones follow."),
    by_law("gains", "Selection and skill", "gains", STEP, GAIN, columns="ratio", colour="part", caption=STABLE),
    Figure("adding", "A transformer that adds", "adding", Axis("update", "updates", log=False), Axis("value", "share", log=False),
           "learner", columns="what", caption="Reinforcement moves responses to the format that is right more often."),
    Figure("tokens", "Where it changed", "tokens", Axis("position", "position", log=False), Axis("divergence", "divergence", "nats", log=False),
           "learner", caption="Most of the divergence is at the decision, position 1."),
)  # fmt: skip


def summary(found: Found) -> str:
    config, (t,) = found.config, found.of(Addition)
    before, after, selection, skill = (t.array(n, axis="report").mean() for n in ("before", "after", *PARTS))
    dose = law.sft_dose(config.base, config.success)
    return (
        f"{config.runs} runs of each method beside exact laws. Below a base mass of {dose:.3f} the best of these patterns is "
        f"trapped. The transformers' sums are right in {before:.3f} of the cases before reinforcement and {after:.3f} after: "
        f"selection of formats brought {selection:.3f}, skill {skill:.3f}."
    )

"""Which tasks on short sequences need depth, and which of them do many heads solve in a single layer?

Transformers of attention only are trained on the families by layers and heads, beside weights that are written down.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Annotated

import numpy as np
import polars as pl

from twopart._arrays import Floats
from twopart.evidence import Estimate, Found, Guard, Rows, claim, curves, exact, mean, paired, ratio, statistic, table
from twopart.evidence.judges import above, below, equals, within, within_share
from twopart.findings import Claim, Table
from twopart.laws.in_context import recall_accuracy, recall_capacity, separable, template_bayes
from twopart.report import Axis, Figure, HeatMap
from twopart.settings import at_least, between, distinct, every, no_less_than, rising, settings
from twopart.studies import Work, world_seed
from twopart.worlds.in_context import ContextTemplates, Memorise, Recall, Task, Templates, growth_strings

STUDY, TITLE = "transformer-depth", "Depth and heads"
PAPER, PAGE = "Chen, Zou 2024, arXiv 2404.01601", "docs/laws/transformer-depth.md"
GATES, VIEW, MEMORY = (f"{PAGE}, {part}" for part in ("recall in one layer", "templates in one layer", "memory"))
MEMORISE, RECALL, THREE, FOUR, UNEQUAL, CONTEXT = FAMILIES = (
    "memorise", "recall", "three tokens", "four tokens", "x₁ ≠ x₂", "in context")  # fmt: skip
ENOUGH = {MEMORISE: 1, UNEQUAL: 1, THREE: 2}  # layers that need not be exceeded
BY_HAND = {MEMORISE: 1, CONTEXT: 3}  # layers of a construction, else two


@settings
class Config:
    """Accuracy by layers and heads, trained and by hand, and how many sequences one layer memorises."""

    layers: Annotated[tuple[int, ...], rising(2), every(at_least(1)), "Depths."] = (1, 2, 3)
    heads: Annotated[tuple[int, ...], rising(1), every(at_least(1)), "Heads of a layer."] = (1, 2, 4)
    most_heads: Annotated[int, between(2, 8), "Heads of the largest construction."] = 6
    prompts: Annotated[int, at_least(100), "On which a construction is tried."] = 2000
    widths: Annotated[tuple[int, ...], distinct(1), every(at_least(4)), "D, of readouts on frozen features."] = (12, 24)
    trials: Annotated[int, at_least(4), "Random labelings of each number of sequences."] = 40
    pairs: Annotated[int, between(2, 16), "n, of a prompt in training."] = 4
    seeds: Annotated[int, at_least(2).because("an interval needs a spread"), "Networks of a kind."] = 3
    width: Annotated[int, at_least(4), "Of the networks."] = 48
    steps: Annotated[int, at_least(12), no_less_than("looks"), "Of Adam, each on fresh sequences."] = 600
    told: Annotated[int, at_least(12), no_less_than("looks"), "Steps where the context tells the labels."] = 1500
    batch: Annotated[int, at_least(1), "Sequences in a step."] = 64
    tests: Annotated[int, at_least(50), "Unseen sequences on which accuracy is counted."] = 1000
    looks: Annotated[int, at_least(2), "Times that it is."] = 15


PRESETS = {
    "tiny": Config((1, 2), (1,), 3, 100, (4,), 4, 2, 2, 8, 12, 12, 8, 50, 2),
    "small": Config(),
    "full": Config((1, 2, 3, 4, 6), (1, 2, 4, 8), trials=400, seeds=8, width=64, steps=20_000, told=20_000, batch=128),
}


@dataclass(frozen=True)
class Case:
    """A cell: weights by hand; readouts of D = `size` features; or networks of `size` layers on a family."""

    name: str
    size: int
    heads: int
    config: Config
    seed: int

    def __str__(self) -> str:
        return f"{self.name}, L = {self.size}, H = {self.heads}" if self.heads else f"{self.name} {self.size}"


def families(pairs: int, seed: int) -> dict[str, Task]:
    """The tasks by name."""
    three, four = (Templates(length, seed=seed) for length in (3, 4))
    unequal = replace(three, labels=tuple(int(t[0] != t[1]) for t in growth_strings(3)))
    told = ContextTemplates(2, Templates(2, size=16), kept=0.2, first=0.5, seed=seed)
    tasks = Memorise(40, seed=seed), Recall(pairs, seed=seed), three, four, unequal, told
    return dict(zip(FAMILIES, tasks, strict=True))


def cells(config: Config, seed: int) -> Iterator[Work]:
    root = world_seed(seed, STUDY)
    yield Work("construct", Case("by hand, heads up to", config.most_heads, 0, config, root), cost=2)
    yield from (Work("separate", Case("D =", D, 0, config, root), cost=D / 4) for D in config.widths)
    for name, H, L in product(FAMILIES, config.heads, config.layers):
        if ENOUGH.get(name, L) >= L:
            yield Work("train", Case(name, L, H, config, root), cost=3 + L)


def known(case: Case) -> float:
    """What a construction reaches, or one head that sees which tokens equal the last; nan where neither says."""
    task, L = families(case.config.pairs, case.seed)[case.name], case.size
    if case.name == RECALL:
        return recall_accuracy(case.heads, case.config.pairs, L)
    if L == case.heads == 1 and isinstance(task, Templates):
        return template_bayes(task.templates, [(i, task.length - 1) for i in range(task.length - 1)], task.labels)
    return task.optimum if BY_HAND.get(case.name, 2) <= L else np.nan


def final(t: Rows[Case]) -> Floats:
    """Accuracy at the end, (R,)."""
    return np.asarray(t.array("accuracy", step=t.array("step", axis="way").max()))


def reached(t: Rows[Case]) -> Floats:
    """Steps until a test gave 95%, (R,); infinite where none did."""
    step, accuracy = (t.array(name, axis="way") for name in ("step", "accuracy"))
    return np.asarray(np.where(accuracy >= 0.95, step, np.inf).min(1))


POSSIBLE = "training misses it: the construction shows that it is possible"
UNTRAINED = Guard(f"in a network {POSSIBLE}", lambda t, what, bound: final(t).min() <= bound)
MISSED = Guard(POSSIBLE, lambda t, what, bound: final(t).mean() <= bound)
SHALLOW = Guard("the deeper networks do not come to 0.9", lambda few, many: final(many).mean() < 0.9)
NEVER = Guard("a network does not come to 95%", lambda *both: not np.isfinite([reached(t) for t in both]).all())
SHARE, RIGHT, OVER = "share right", "share of prompts answered rightly", "mean accuracy at the end"


def constructed(name: str, accuracy: float, law: float) -> Estimate:
    """By hand: {name}."""
    return exact(accuracy).against(law)


by_hand, by_guess = (claim(judge, SHARE, GATES, RIGHT)(constructed) for judge in (equals(0.0), within(0.03)))


@claim(within_share(0.1), "sequences", MEMORY, "N at which half of the random labelings are separated")
def memorised(t: Rows[Case]) -> Estimate:
    """{t}: a readout of one layer's frozen features memorises twice as many sequences as it is wide."""

    def half(share: Floats) -> float:
        falling = np.minimum.accumulate(share)
        return float(np.interp(-0.5, -falling, t.array("points")[0])) if falling[-1] < 0.5 <= falling[0] else np.nan

    return statistic(half, t.array("separated")).against(2 * t.case.size)


def trained(t: Rows[Case], what: str, bound: float) -> Estimate:
    """{t}: {what}."""
    return mean(final(t)).against(bound)


blind_recall, blind = (claim(below(), SHARE, of, OVER)(trained) for of in (GATES, VIEW))
reaches = ((PAPER, UNTRAINED), (GATES, MISSED), (PAPER,), (VIEW,))
deep_recall, wide_recall, deep, wide = (claim(above(), SHARE, of, OVER, *may)(trained) for of, *may in reaches)


@claim(above(0.05), SHARE, PAPER, "mean accuracy at equal steps less that of {few.case.size} layers", SHALLOW)
def third_layer(few: Rows[Case], many: Rows[Case]) -> Estimate:
    """{many}: the third layer is needed."""
    return paired(final(many), final(few))


@claim(below(1.0), "ratio", PAPER, "steps to 95%, geometric mean, over those of {few.case.size} layers", NEVER)
def sooner(few: Rows[Case], many: Rows[Case]) -> Estimate:
    """{many}: learned sooner than by {few.case.size} layers."""
    both = reached(many), reached(few)
    return ratio(*both) if np.isfinite(both).all() else exact(np.nan).against(1.0)


def claims(found: Found) -> Iterator[Claim]:
    """Constructions, memory, recall, templates, labels in context, and how soon."""
    for row in found.of(Case, function="construct")[0].frame.select("what", "accuracy", "law").iter_rows():
        yield by_hand(*row) if row[2] == 1 else by_guess(*row)
    yield from (memorised(t) for t in found.of(Case, function="separate"))
    chance, most = 1 / found.config.pairs, found.config.heads[-1]
    judged = (
        (blind_recall, "one head in one layer does not recall, 1/n + 0.05 at most", RECALL, 1, 1, chance + 0.05),
        (deep_recall, "two layers recall", RECALL, 2, 1, 0.95),
        (wide_recall, "many heads recall in one layer, 1/n + 0.2 at least", RECALL, 1, most, chance + 0.2),
        *((blind, "one head sees what equals the last", name, 1, 1, np.nan) for name in (THREE, FOUR, UNEQUAL)),
        *((deep, "two layers match templates of unseen tokens", name, 2, most, 0.98) for name in (THREE, FOUR)),
        (wide, "two heads make a bump in one layer", UNEQUAL, 1, 2, 0.95),
    )
    for claimed, what, name, L, H, bound in judged:
        for t in found.of(Case, name=name, size=L, heads=H):
            yield claimed(t, what, bound if np.isfinite(bound) else known(t.case) + 0.02)
    timed = ((sooner, name, H) for name, H in ((RECALL, 1), (FOUR, most), (CONTEXT, most)))
    for compared, name, H in (*((third_layer, CONTEXT, H) for H in (1, most)), *timed):
        two, three = (found.of(Case, name=name, size=L, heads=H) for L in (2, 3))
        yield from (compared(*both) for both in zip(two, three, strict=False))


def accuracy_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Share of unseen sequences answered rightly: mean over trained networks; what a construction reaches, or one head sees,
    empty where neither is known. steps: to 95%, geometric mean; a network that did not come there counts with all it had.
    """
    for t in found.of(Case, function="train"):
        case, most = t.case, t.array("step", axis="way").max()
        steps = float(np.exp(np.log(np.minimum(reached(t), most)).mean()))
        row = {"layers": case.size, "heads": case.heads, "series": f"H = {case.heads}", "steps": steps}
        for who, accuracy in (("trained", float(final(t).mean())), ("by hand", known(case))):
            yield pl.DataFrame({"task": case.name, "panel": f"{case.name}, {who}", **row, "accuracy": accuracy})


def memory_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Share of random labelings that a readout of D frozen features separates, groups of labelings: mean, least and greatest.
    Law: Cover's count.
    """
    for t in found.of(Case, function="separate"):
        N = t.array("points")[0]
        both = {"law": separable(N, t.case.size), "readout": t.array("separated")}
        yield curves({"sequences": N / t.case.size}, "separated", both, width=str(t))


def role_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Attention to the place before (parsing), to other places of the same role (copying), to equal tokens (matching):
    mean over heads and networks of the greatest depth. All places ask, in the last layer the last.
    """
    for t in found.of(Case, function="train", size=found.config.layers[-1]):
        rows = t.where(axis="heads").select("layer", "parsing", "copying", "matching")
        shares = rows.group_by("layer").mean().sort("layer")
        goes = {column.name: column.to_numpy() for column in shares}
        yield curves({"layer": goes.pop("layer") + 1}, "share", goes, task=t.case.name, heads=f"H = {t.case.heads}")


def tables(found: Found) -> Iterator[Table]:
    yield from table("accuracy", "Accuracy by depth and heads", accuracy_rows, found)
    yield from table("memory", "Memory of one layer", memory_rows, found)
    yield from table("roles", "What heads attend to", role_rows, found)


BUY = "One head in one layer falls short of all but memory. Heads make up for a layer on templates, by hand on recall."
ROLES = "On four tokens the last layer looks at equal tokens most."
TRAINED, ENDS = pl.col("panel").str.ends_with("trained"), "At the upper end training ended before all came there."
LAYERS, RIGHTLY = Axis("layers", "layers"), Axis("accuracy", "share right", log=False)
FIGURES = (
    HeatMap("accuracy", "Heads buy what depth buys", "accuracy", LAYERS, Axis("heads", "heads"), RIGHTLY, columns="panel",
            caption=BUY),
    Figure("steps", "Steps to 95%", "accuracy", LAYERS, Axis("steps", "steps"), "learner", "task", shown=TRAINED, caption=ENDS),
    Figure("memory", "A layer memorises twice its width", "memory", Axis("sequences", "sequences over D", log=False),
           Axis("separated", "share separated", log=False), {"law": "theory", "readout": "learner"}, "width",
           caption="Half of all random labels are learned at two sequences for each feature."),
    Figure("roles", "What heads attend to", "roles", Axis("layer", "layer"), Axis("share", "share", log=False),
           "learner", "task", "heads", band=None, caption=ROLES),
)  # fmt: skip


def summary(found: Found) -> str:
    config, most = found.config, recall_capacity(found.config.most_heads)
    return (
        f"Attention-only transformers of up to {config.layers[-1]} layers and {config.heads[-1]} heads on six tasks, "
        f"{config.steps} steps each, beside weights written down, which recall up to {most} pairs in one layer. Labels in "
        f"context take {config.told}, with easier prompts among them; one head does not come to 0.9 there in 3,000 either. "
        "To decide more, take `--seeds 8` (2.7 times the cost)."
    )

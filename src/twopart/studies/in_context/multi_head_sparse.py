"""Do transformers solve sparse regression by scaling features first, with many heads, and descending then, with one?

The algorithm that many heads allow is run on prompts, beside its exact risks: coordinate by coordinate in orthonormal designs,
by a mean field in Gaussian ones. Then transformers are trained, and their heads are taken away one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any

import numpy as np
import polars as pl

from twopart._arrays import Floats
from twopart.evidence import Estimate, Found, Guard, Rows, claim, curves, exact, long, ratio, statistic, table
from twopart.evidence.judges import above, below, contains, within_share
from twopart.findings import Claim, Table
from twopart.lab import Cell
from twopart.laws.in_context import best_risk, heads_risk, path_risk, shrink, shrinkage_risk
from twopart.laws.in_context.sparse_regression import ESTIMATORS, Best, alike
from twopart.learners.in_context.preprocess import preprocessed_path
from twopart.report import Axis, Figure, HeatMap, Kind
from twopart.settings import at_least, distinct, every, no_less_than, rising, settings
from twopart.studies import Work, spaced, world_seed
from twopart.worlds.in_context import Prompts, SparseRegression

STUDY, TITLE = "multi-head-sparse", "Many heads first, one head after"
PAPER, PAGE = "Chen, Zhao, Zou 2024, arXiv 2408.04532", "docs/laws/multi-head-sparse.md"
SHRINKS, FIELD, HEADS = (f"{PAGE}, {part}" for part in ("orthonormal designs", "gaussian designs", "heads"))
RATE, GROUPS = 0.3, 30  # of plain steps; of prompts, as replicates


@settings
class Training:
    """The transformers, and how each is trained."""

    inputs: Annotated[int, at_least(2), "Dimension of their prompts, whose tasks have one entry."] = 5
    examples: Annotated[int, no_less_than("inputs"), "Examples in their prompts."] = 10
    heads: Annotated[tuple[int, ...], rising(2), every(at_least(1)), "Heads of the first of 3 layers."] = (1, 2, 3, 5)
    kinds: Annotated[tuple[str, ...], distinct(1), "Attention with many heads in all: linear, softmax."] = ("linear",)
    updates: Annotated[int, at_least(1), "Steps of Adam, each on 64 fresh prompts."] = 2000
    seeds: Annotated[int, at_least(2).because("an interval needs a spread"), "Transformers of a kind."] = 3


@settings
class Config:
    """Sparse regression in context: risks of estimators by law and on prompts, and the heads of trained transformers."""

    dimensions: Annotated[tuple[int, ...], rising(2), "d of orthonormal designs, at least s."] = (8, 16, 32, 128)
    nonzero: Annotated[int, at_least(1), "s, entries of a task that are not zero."] = 4
    context: Annotated[int, at_least(1), "n, examples of a prompt, at least the largest d."] = 128
    few: Annotated[int, at_least(1), "A smaller n, at the second d and no less than it."] = 32
    wide: Annotated[int, at_least(8), "d of Gaussian designs, whose tasks have d/4 entries, or s."] = 64
    steps: Annotated[int, at_least(2), "Of descent in them; the law is judged up to a half, and at the end."] = 80
    prompts: Annotated[int, at_least(2 * GROUPS), "Prompts of each design, and for transformers."] = 3000
    training: Training = Training()


PRESETS = {
    "tiny": Config((4, 8), 2, 16, 8, 12, 12, 60, Training(2, 4, (1, 2), updates=8, seeds=2)),
    "small": Config(),
    "full": Config(prompts=30_000, training=Training(16, 32, (1, 2, 4, 8, 16), ("linear", "softmax"), 100_000)),
}


@dataclass(frozen=True)
class Prompted:
    """A cell: estimators on prompts of one world."""

    world: SparseRegression
    context: int
    prompts: int
    steps: int = 0
    """Of descent in Gaussian designs."""

    def __str__(self) -> str:
        w = self.world
        return f"{w.design}, {w.coefficients}, d = {w.dimension}, s = {w.nonzero}, n = {self.context}"

    @property
    def problem(self) -> dict[str, Any]:
        """As laws take it."""
        values, counts = self.world.prior
        return {"values": values, "samples": self.context, "noise": self.world.noise, "counts": counts}

    @cached_property
    def best(self) -> dict[str, Best]:
        return {name: best_risk(name, **self.problem, rate=RATE) for name in ESTIMATORS}

    @property
    def sizes(self) -> dict[str, dict[str, Any]]:
        """Steps: those of preprocessed features are safe for entries of 1/√s, by whose squares they are scaled."""
        rate = self.world.nonzero * min(self.context / self.world.dimension, 2) / 16
        return {"preprocessed": {"rate": rate}, "gradient": {"rate": RATE, "preconditioner": alike}}

    @cached_property
    def path(self) -> dict[str, Floats]:
        return {name: path_risk(**self.problem, steps=self.steps, **how).risk for name, how in self.sizes.items()}

    @cached_property
    def after(self) -> dict[str, Floats]:
        """Risks after no more than 0 to 4 steps, all of the best size, orthonormal design."""
        tried = {"preprocessed": np.geomspace(0.1, 10, 60), "gradient": np.linspace(0.02, 1, 50)}
        risks = {n: [shrinkage_risk(n, range(5), **self.problem, rate=η) for η in by] for n, by in tried.items()}
        return {name: np.minimum.accumulate(np.min(of, 0)) for name, of in risks.items()}


@dataclass(frozen=True)
class Net:
    """A cell: a transformer of three layers with these heads, trained and taken apart."""

    kind: str
    heads: tuple[int, ...]
    prompts: Prompted
    updates: int

    def __str__(self) -> str:
        return f"{self.kind}, heads {'-'.join(map(str, self.heads))}"


def cells(config: Config, seed: int) -> Iterator[Work]:
    s, d, how = config.nonzero, config.wide, config.training
    base = SparseRegression(config.dimensions[1], s, design="orthonormal", seed=world_seed(seed, STUDY))
    worlds = [(replace(base, dimension=size), config.context) for size in config.dimensions]
    for world, n in [*worlds, (base, config.few), (replace(base, coefficients="normal"), config.context)]:
        yield Work("estimate", Prompted(world, n, config.prompts), cost=world.dimension / 8)
    for size, nonzero, n in ((d, d // 4, 2 * d), (d, d // 4, d), (d, s, 2 * d), (d // 4, max(d // 16, 1), d // 2)):
        world = replace(base, dimension=size, nonzero=nonzero, design="gaussian")
        yield Work("descend", Prompted(world, n, config.prompts, config.steps), cost=size / 2)
    prompts = Prompted(replace(base, dimension=how.inputs, nonzero=1), how.examples, config.prompts)
    every_layer = [(kind, (how.inputs,) * 3) for kind in how.kinds]
    for kind, heads in [*every_layer, *(("linear", (h, 1, 1)) for h in how.heads)]:
        yield Work("train", Net(kind, heads, prompts, how.updates), how.seeds, cost=how.updates / 100)


def grouped(case: Prompted, cell: Cell, risk: Callable[[Prompts], Floats]) -> Floats:
    """risk(prompts) -> (T, ...), averaged over each of the groups: (GROUPS, ...)."""
    found, size = [], case.prompts // GROUPS
    for g in range(GROUPS):
        found.append(risk(case.world.sample(size, case.context, g * size)).mean(0))
        cell.progress(g + 1, GROUPS)
    return np.stack(found)


def estimate(case: Prompted, cell: Cell) -> pl.DataFrame:
    """Risk of each estimator at the parameter that is best by law."""

    def risk(prompts: Prompts) -> Floats:
        z = (prompts.y[:, None] @ prompts.x)[:, 0] / case.context
        said = [shrink(name, z, best.parameter, RATE) for name, best in case.best.items()]
        return np.stack([np.square(w - prompts.task).sum(1) for w in said], 1)

    return long("best", dict(zip(ESTIMATORS, grouped(case, cell, risk).T, strict=True)))


def descend(case: Prompted, cell: Cell) -> pl.DataFrame:
    """Risk along both descents, step by step, and of ridge by penalty."""

    def risk(prompts: Prompts) -> Floats:
        x, y, penalties = prompts.x, prompts.y, np.geomspace(0.01, 10, 40)
        λ, Q = np.linalg.eigh(np.swapaxes(x, 1, 2) @ x / case.context)
        ridge = (y[:, None] @ x @ Q / case.context) / (λ[:, None] + penalties[:, None]) @ np.swapaxes(Q, 1, 2)
        said = [*(preprocessed_path(x, y, case.steps, **how) for how in case.sizes.values()), ridge]
        return np.asarray(np.square(np.concatenate(said, 1) - prompts.task[:, None]).sum(2))

    parts = np.split(grouped(case, cell, risk), [case.steps + 1, 2 * case.steps + 2], 1)
    named = zip((*case.sizes, "ridge"), parts, strict=True)
    return pl.concat(long(name, {"risk": risks}) for name, risks in named)


OVER = "groups of prompts"
TRAINED = Guard(
    "the mean risk is above ridge's", lambda t: t.array("risk", axis="net").mean() > t.case.prompts.best["ridge"].risk
)
TRACK = "|risk/law - 1| less 3 standard errors, of steps {first} to {last} the worst"
CUT = "rise of the risk with the first layer cut to its best head over that with all later ones so"
USED = "effective number of heads of the first layer over the mean of the later layers'"
BAND = "risk over its upper bound, or lower bound over risk, of the layers the largest"
WORST = "deviation of the mean over prompts from the law, of six estimators the largest"


@claim(below(3.0), "standard errors", SHRINKS, WORST)
def exact_risks(t: Rows[Prompted]) -> Estimate:
    """{t}: the risk of every estimator is the law's."""
    found, law = t.array(*ESTIMATORS), np.array([t.case.best[name].risk for name in ESTIMATORS])
    return exact(float((np.abs(found.mean(0) - law) / (found.std(0, ddof=1) / np.sqrt(GROUPS))).max()))


@claim(within_share(0.05), "ratio", SHRINKS, "best risk of the preprocessed flow over that of {other}")
def beats(t: Rows[Prompted], other: str) -> Estimate:
    """{t}: preprocessing changes the best risk of {other} by the law's factor."""
    law = t.case.best["flow"].risk / t.case.best[other].risk
    return statistic(lambda r: r[0] / r[1], t.array("flow", other), over=OVER).against(law)


@claim(below(1.0), "ratio", PAPER, "least risk along the preprocessed descent over the least of {other}")
def beats_too(t: Rows[Prompted], other: str) -> Estimate:
    """{t}: preprocessed descent beats {other}."""
    both, ends = np.hstack([t.array("risk", axis=axis) for axis in ("preprocessed", other)]), t.case.steps + 1
    return statistic(lambda r: r[:ends].min() / r[ends:].min(), both, over=OVER)


@claim(above(0.0), "ratio less 1, signed by the law", SHRINKS, "best risk of the preprocessed flow over the lasso's")
def normal_lasso(t: Rows[Prompted]) -> Estimate:
    """{t}: which of the lasso and preprocessing is better is as the law says."""
    law = t.case.best["flow"].risk / t.case.best["lasso"].risk - 1
    found = statistic(lambda r: (r[0] / r[1] - 1) * np.sign(law), t.array("flow", "lasso"), over=OVER)
    return found.against(abs(law))


def tracks(t: Rows[Prompted], first: int, last: int) -> Estimate:
    """{t}: the mean field has the risk, step {first} to step {last}."""
    steps = slice(first, last + 1)
    measured, law = t.array("risk", axis="preprocessed")[:, steps], t.case.path["preprocessed"][steps]
    error = measured.std(0, ddof=1) / np.sqrt(GROUPS)
    return exact(float(((np.abs(measured.mean(0) - law) - 3 * error) / law).max()))


early, late = (claim(below(share), "relative deviation", FIELD, TRACK)(tracks) for share in (0.03, 0.08))


@claim(above(2.0), "ratio", PAPER, USED, TRAINED)
def first_uses_more(t: Rows[Net]) -> Estimate:
    """{t}: the first layer uses at least twice as many heads as later ones."""
    used = t.array("used", axis="layer")
    return ratio(used[:, 0], used[:, 1:].mean(1)).against(None)


@claim(above(2.0), "ratio", PAPER, CUT, TRAINED)
def first_needs_more(t: Rows[Net]) -> Estimate:
    """{t}: to cut the first layer to one head costs more than twice what it costs to cut all later ones."""
    return statistic(lambda r: r[0] / r[1], t.array("first", "later", axis="net"))


@claim(below(1.0), "ratio", PAPER, BAND, TRAINED)
def between_steps(t: Rows[Net]) -> Estimate:
    """{t}: after layer l a linear readout errs as l - 1 to l + 1 preprocessed steps of the best size do."""
    steps = t.case.prompts.after["preprocessed"]
    return statistic(lambda r: np.maximum(r / steps[:-2], steps[2:] / r).max(), t.array("risk", axis="layer"))


@claim(contains(), "risk per head", HEADS, "slope of the risk on heads of the first layer, {few} to {many}")
def linear_in_heads(ts: Sequence[Rows[Net]]) -> Estimate:
    """Linear attention that reads labels alone: a head of the first layer buys what preprocessing a coordinate does."""
    heads, case = np.array([t.case.heads[0] for t in ts], float), ts[0].case.prompts
    law = heads_risk(heads, case.world.dimension, case.best["flow"].risk, case.best["ridge"].risk)
    slope = (heads - heads.mean()) / np.square(heads - heads.mean()).sum()
    found = statistic(lambda r: slope @ r, np.stack([t.array("risk", axis="net") for t in ts], 1))
    return found.against(slope @ law, few=int(heads[0]), many=int(heads[-1]))


def claims(found: Found) -> Iterator[Claim]:
    *equal, normal = found.of(Prompted, function="estimate")
    gaussian, nets, kinds = found.of(Prompted, function="descend"), found.of(Net), len(found.config.training.kinds)
    yield from (exact_risks(t) for t in equal)
    yield from (beats(equal[-1], other) for other in ("gradient", "ridge"))
    yield from (beats_too(t, other) for t in gaussian for other in ("gradient", "ridge"))
    yield from (beats(t, "lasso") for t in equal[:-1])
    yield normal_lasso(normal)
    k = found.config.steps
    yield from (c for t in gaussian[:-1] for c in (early(t, 0, k // 2), late(t, k, k)))
    yield from (judged(t) for t in nets[:kinds] for judged in (first_uses_more, first_needs_more, between_steps))
    yield linear_in_heads(nets[kinds:])


def path_rows(found: Found) -> Iterator[pl.DataFrame]:
    """|w - w*|² along gradient descent. Prompts: median of the means of groups. Law: mean field, exact as d and n grow."""
    for t in found.of(Prompted, function="descend"):
        x = {"step": np.arange(1, t.case.steps + 1)}
        for name, law in t.case.path.items():
            series = {"law": law[1:], "prompts": np.median(t.array("risk", axis=name), 0)[1:]}  # rare prompts diverge
            yield curves(x, "risk", series, estimator=name, world=str(t).removeprefix("gaussian, equal, "))


def best_rows(found: Found) -> Iterator[pl.DataFrame]:
    """|w - w*|² of each estimator at its best, orthonormal designs. Law: exact. Prompts: mean, and three standard errors."""
    config, measured = found.config, found.of(Prompted, function="estimate")
    for case in (measured[1].case, measured[-1].case):
        cases = [replace(case, context=n) for n in spaced(config.few, 4 * config.context, 4)]
        for name in ESTIMATORS:
            labels = {"estimator": name, "entries": f"{case.world.coefficients} entries"}
            law = [c.best[name].risk for c in cases]
            yield curves({"examples": [c.context for c in cases]}, "risk", {"law": law}, **labels)
            for t in (t for t in measured if t.case.world == case.world):
                yield curves({"examples": [t.case.context]}, "risk", {"prompts": t.array(name)[:, None]}, 3.0, **labels)


def head_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Rise of the risk without a head over the sum of its layer's, heads by falling rise; mean over transformers."""
    for t in found.of(Net):
        for layer, count in enumerate(t.case.heads, 1):
            rise = np.maximum(t.array("increase", axis="head", layer=layer).reshape(-1, count), 0)
            share = -np.sort(-rise / np.maximum(rise.sum(1, keepdims=True), 1e-300), 1).mean(0)
            row = {"layer": f"layer {layer}", "head": np.arange(1, count + 1), "share": share}
            yield pl.DataFrame({"network": str(t), **row}).cast({"head": pl.String})


def probe_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Squared error of a linear readout after each layer; law: after no more than as many steps, of the best size."""
    for t in found.of(Net):
        laws = {f"{name} steps": steps[1:4] for name, steps in t.case.prompts.after.items()}
        yield curves({"layer": [1, 2, 3]}, "risk", {**laws, "trained": t.array("risk", axis="layer")}, network=str(t))


def tables(found: Found) -> Iterator[Table]:
    yield from table("paths", "Risk along descent", path_rows, found)
    yield from table("best", "Best risks", best_rows, found)
    yield from table("heads", "What heads are worth", head_rows, found)
    yield from table("probes", "Risk by layer", probe_rows, found)


KINDS: dict[Any, Kind] = {"law": "theory", "prompts": "simulation"}
PROBES: dict[Any, Kind] = {"preprocessed steps": "theory", "gradient steps": "asymptote", "trained": "learner"}
RISK, STEP, SIZE = Axis("risk", "risk"), Axis("step", "steps"), Axis("examples", "examples n")
HEAD, ROW, SHARE = Axis("head", "head"), Axis("layer", "layer"), Axis("share", "share", log=False, domain=(0, 1))
LAYER = Axis("layer", "after layer", log=False)
FALLS = "Features scaled by what they say of the labels lead lower than plain descent, and overfit later."
HARD = "Below the lasso, near the best subset; only the flow where steps diverge, for rare large entries."
SPREAD = "Of trained layers' heads, sorted in each layer: how much the risk rises without each, of the layer's sum."
ONWARD = "Layers know less than as many preprocessed steps of the best size, but the last if all have many heads."
FIGURES = (
    Figure("paths", "Preprocessing leads lower", "paths", STEP, RISK, KINDS, "world", None, "estimator", caption=FALLS),
    Figure("best", "Beside its kin", "best", SIZE, RISK, KINDS, "entries", None, "estimator", caption=HARD),
    HeatMap("heads", "Which heads matter", "heads", HEAD, ROW, SHARE, columns="network", caption=SPREAD),
    Figure("probes", "What layers know", "probes", LAYER, RISK, PROBES, "network", caption=ONWARD),
)


def summary(found: Found) -> str:
    count, inputs = found.config.prompts, found.config.training.inputs
    nets = f"transformers of three layers, trained in {inputs} dimensions, whose heads are taken away one by one."
    return f"Six estimators on {count:,} prompts of each design, beside their laws, and {nets}"

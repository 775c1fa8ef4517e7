"""Does attention that is derived from compression compress, and does its rate tell how well networks generalise?

Attention alone is held against the law of singular values, raw and at fixed norm. About a hundred small CRATE networks are
ranked by their sparse rate reduction (SRR) and by older measures, after equal epochs and at equal training loss.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Annotated, Any

import numpy as np
import polars as pl

from twopart._arrays import Floats
from twopart.evidence import Estimate, Found, Rows, claim, curves, exact, paired, table
from twopart.evidence.judges import above, below, equals, within_range
from twopart.findings import Claim, Table
from twopart.fits.rank_correlation import RankCorrelation, rank_correlation, tau_estimate
from twopart.laws.in_context.coding_rate import MAPS
from twopart.report import Axis, Drawn, Figure, Kind
from twopart.settings import at_least, between, distinct, every, multiple_of, no_less_than, one_of, settings
from twopart.studies import Work, world_seed

STUDY, TITLE = "sparse-rate-reduction", "Sparse rate reduction"
PAPER, PAGE = "Hu, Zou, Xu 2024, arXiv 2411.17182", "docs/laws/sparse-rate-reduction.md"
RAW, FIXED, SOFT, RANKS = (f"{PAGE}, {p}" for p in ("the law", "at fixed norm", "with softmax", "what ranks networks"))
EPOCHS, LOSS = "equal epochs", "equal loss"
SRR, FIT = "SRR, mean of layers", "minus training loss"
OURS = (SRR, "SRR, last layer", "R^c", "minus R", "sparsity")
BASELINES = ("parameter norm", "path norm", "spectral product", "spectral sum", "inverse margin", "sharpness")
AXES = ("output", "rate", "batch", "dropout")
TOKENS, BASES = ("Gaussian", "clustered"), ("orthonormal", "random")
SIGNS = {("plus", "orthonormal"): "falls", ("plus", "random"): "rises",
         ("negative", "orthonormal"): "falls", ("negative", "random"): "falls"}  # fmt: skip
KINDS = one_of("learned", "tied", "negative", "transpose", "fixed", "identity")
POSITIVE, SPREAD = every(between(0, np.inf, "()")), at_least(2).because("an interval needs a spread")


@settings
class Network:
    """Every network, its images, and when it is looked at."""

    dataset: Annotated[str, one_of("digits", "cifar10", "cifar100"), "Images; CIFAR needs a folder."] = "digits"
    folder: Annotated[str, "Where torchvision finds CIFAR."] = ""
    images: Annotated[int, at_least(64), "Training images."] = 256
    validation: Annotated[int, at_least(50), "Images by which a weight is chosen; all others are tests."] = 300
    patch: Annotated[int, between(1, 4), "Side of a patch, in pixels."] = 2
    width: Annotated[int, multiple_of(8), "Of a token."] = 32
    heads: Annotated[int, one_of(1, 2, 4, 8), "Heads."] = 2
    depth: Annotated[int, at_least(1), "Layers."] = 3
    epochs: Annotated[int, at_least(1), "Epochs after which all networks are compared."] = 24
    most: Annotated[int, no_less_than("epochs"), "Epochs after which a network is given up."] = 80
    loss: Annotated[float, between(0, 2, "()"), "Training cross-entropy at which all are compared."] = 0.05


@settings
class Config:
    """Sparse rate reduction: attention alone by law and measured, networks ranked by measures, and a regulariser."""

    inputs: Annotated[int, multiple_of(10), at_least(10), "Inputs of linear attention; a fifth for softmax."] = 200
    outputs: Annotated[tuple[str, ...], distinct(1), every(KINDS), "Output maps."] = ("learned", "tied", "negative")
    rates: Annotated[tuple[float, ...], distinct(1), POSITIVE, "Learning rates of Adam."] = (0.002, 0.004)
    batches: Annotated[tuple[int, ...], distinct(1), every(between(2, 64)), "Batch sizes."] = (16, 32)
    dropouts: Annotated[tuple[float, ...], distinct(1), every(between(0, 1, "[)")), "Of attention."] = (0.0, 0.1)
    seeds: Annotated[int, SPREAD, "Networks of each setting."] = 4
    weights: Annotated[tuple[float, ...], distinct(1), POSITIVE, "Weights of the regulariser."] = (0.003, 0.03, 0.3)
    repeats: Annotated[int, SPREAD, "Networks of each weight."] = 10
    network: Network = Network()


FEW = Network(images=64, validation=50, patch=4, width=8, depth=2, epochs=1, most=2, loss=1.99)
LARGE = Network("cifar10", "data", 45_000, 5000, 4, 128, 4, 6, 10, 100)
PRESETS = {
    "tiny": Config(10, ("learned",), (0.002,), (32,), (0.0,), 3, (0.03,), 2, FEW),
    "small": Config(),
    "full": Config(outputs=("learned", "tied", "negative", "transpose"), batches=(32, 64), seeds=7, network=LARGE),
}


@dataclass(frozen=True)
class Stack:
    """A cell: attention without anything else, 8 layers of 4 heads on 40 tokens of 24 dimensions."""

    inputs: int
    seed: int

    def __str__(self) -> str:
        return "attention alone"


@dataclass(frozen=True)
class Train:
    """A cell: networks that differ in seed, trained as one ensemble; with a regulariser's weight, or to be ranked."""

    output: str
    rate: float
    batch: int
    dropout: float
    seeds: int
    weight: float
    network: Network
    seed: int

    def __str__(self) -> str:
        return f"output {self.output}, rate {self.rate:g}, batch {self.batch}, dropout {self.dropout:g}, weight {self.weight:g}"


def cells(config: Config, seed: int) -> Iterator[Work]:
    yield Work("attend", Stack(config.inputs, world_seed(seed, STUDY, "stack")), cost=0.1, version=2)
    ends = config.network, world_seed(seed, STUDY, "images")
    for setting in product(config.outputs, config.rates, config.batches, config.dropouts):
        yield Work("train", Train(*setting, config.seeds, 0.0, *ends), cost=2)
    for weight in (0.0, *config.weights):
        one = Train("learned", config.rates[0], config.batches[-1], 0.0, config.repeats, weight, *ends)
        yield Work("regularise", one, cost=1 + (weight > 0))


@cache
def networks(found: Found, protocol: str, output: str = "") -> pl.DataFrame:
    """A row for each network that got there, of one type or of all: its settings, and what was measured of it."""
    frames = []
    for t in found.of(Train, function="train", **({"output": output} if output else {})):
        own = {name: pl.lit(getattr(t.case, name)) for name in AXES}
        frames.append(t.where(axis="run", protocol=protocol).with_columns(**own))
    return pl.concat(frames)


@cache
def ranked(found: Found, protocol: str, measure: str, output: str = "") -> RankCorrelation:
    """How a measure ranks them by their gap."""
    return rank_correlation(networks(found, protocol, output), measure, "gap", AXES)


def types(found: Found, protocol: str) -> list[str]:
    """Those of which enough networks got there."""
    return [one for one in found.config.outputs if len(networks(found, protocol, one)) > 2]


def by_seed(found: Found, output: str) -> Floats:
    """Accuracy at equal loss, mean over settings."""
    means = networks(found, LOSS, output).group_by("replicate").agg(pl.mean("accuracy")).sort("replicate")
    return means["accuracy"].to_numpy()


def penalised(found: Found, weight: float, column: str) -> Floats:
    return np.asarray(found.one(Train, function="regularise", weight=weight).array(column, axis="run", protocol=EPOCHS))


def going(change: Floats, words: str) -> float:
    """The share of changes that do as the words say."""
    return float((change < 0 if words == "falls" else change > 0).mean())


@claim(below(1e-6), "relative error", RAW, "largest of {t.case.inputs} inputs and 8 layers, while R^c is finite")
def layer_by_layer(t: Rows[Stack], how: str) -> Estimate:
    """Linear attention, {how}: the law of singular values has R^c after every layer."""
    raw, law = t.array("matrices", "law", axis="linear", how=how, scale="raw").swapaxes(0, 1)
    return exact(float(np.abs(raw / law - 1)[np.isfinite(raw)].max())).against(0.0)


@claim(equals(0), "share of steps", PAPER, "share of 8 layers, of a tenth of {t.case.inputs} inputs")
def ascends(t: Rows[Stack]) -> Estimate:
    """Softmax attention with its skip raises R^c of the tokens as they are, in every layer."""
    raw = t.array("matrices", axis="softmax", scale="raw", how="plus", basis="orthonormal", tokens="Gaussian")
    return exact(going(np.diff(raw[: t.case.inputs // 10]), "rises")).against(1.0)


@claim(equals(0), "share of steps", FIXED, "share of 8 layers and {t.case.inputs} inputs; one scale for all heads")
def at_fixed_norm(t: Rows[Stack], how: str, words: str) -> Estimate:
    """Linear attention, {how}: at fixed Frobenius norm R^c {words} in every layer."""
    return exact(going(np.diff(t.array("matrices", axis="linear", how=how, scale="fixed")), words)).against(1.0)


@claim(within_range(0.95, 1), "share of inputs", SOFT, "of a fifth of {t.case.inputs} inputs, from first to last layer")
def with_softmax(t: Rows[Stack], how: str, basis: str, words: str) -> Estimate:
    """Softmax attention, {how}, {basis} U, Gaussian tokens: at unit norm R^c {words}."""
    unit = t.array("matrices", axis="softmax", scale="unit", how=how, basis=basis, tokens="Gaussian")
    return exact(going(unit[:, -1] - unit[:, 0], words)).against(1.0)


@claim(above(0.0), "accuracy", PAPER, "at equal training loss, learned less {other}, by seed, mean over settings")
def better_type(found: Found, other: str) -> Estimate:
    """A learned output map is at least as good as {other}."""
    return paired(by_seed(found, "learned"), by_seed(found, other)).against(None)


@claim(above(0.0), "τ", f"{PAPER}; {RANKS}", "Kendall's τ with the gap, of {count} networks; {lost} were given up")
def predicts(found: Found) -> Estimate:
    """At equal training loss SRR ranks networks as their generalisation gap does."""
    count, asked = len(networks(found, LOSS)), len(networks(found, EPOCHS))
    return tau_estimate(ranked(found, LOSS, SRR).overall).against(None, count=count, lost=asked - count)


@claim(above(0.0), "τ", PAPER, "τ of SRR less τ of {baseline}, at equal training loss")
def beats(found: Found, baseline: str) -> Estimate:
    """SRR ranks networks better than {baseline}."""
    ours, theirs = (ranked(found, LOSS, measure).overall for measure in (SRR, baseline))
    return tau_estimate(ours - theirs).against(None)


@claim(above(0.0), "τ", RANKS, "τ of SRR within the type, times the sign of τ over all types ({whole:+.2f})")
def within_type(found: Found, protocol: str, output: str) -> Estimate:
    """At {protocol}, SRR ranks networks of the type {output} in the direction in which it ranks all."""
    whole, within = ranked(found, protocol, SRR).overall[0], ranked(found, protocol, SRR, output).overall
    return tau_estimate(np.sign(whole) * within).against(None, whole=whole)


@claim(above(0.0), "accuracy", PAPER, "of tests, less that without, by seed; weight {weight:g}, the best on validation")
def regularises(found: Found) -> Estimate:
    """Cross-entropy and SRR of the last layer give better accuracy than cross-entropy alone."""
    weight = max(found.config.weights, key=lambda one: penalised(found, one, "validation").mean())
    return paired(penalised(found, weight, "accuracy"), penalised(found, 0.0, "accuracy")).against(None, weight=weight)


def claims(found: Found) -> Iterator[Claim]:
    """What a layer does, then what the rate says of networks."""
    stack, there = found.one(Stack), types(found, LOSS)
    yield from (layer_by_layer(stack, how) for how in MAPS)
    yield ascends(stack)
    yield from (at_fixed_norm(stack, how, words) for how, words in (("plus", "falls"), ("negative", "rises")))
    yield from (with_softmax(stack, *which, words) for which, words in SIGNS.items())
    yield from (better_type(found, other) for other in ("tied", "negative") if {"learned", other} <= set(there))
    if there:
        yield predicts(found)
        yield from (beats(found, baseline) for baseline in BASELINES)
    yield from (within_type(found, protocol, one) for protocol in (EPOCHS, LOSS) for one in types(found, protocol))
    yield regularises(found)


def stacks(found: Found) -> Iterator[pl.DataFrame]:
    """R^c by layer, mean over inputs, least and greatest. Linear: matrices, raw or at one Frobenius norm (fixed), and the
    law. Softmax: after LayerNorm, raw, and of tokens scaled to length 1 (unit)."""
    t = found.one(Stack)
    layer = {"layer": np.arange(9)}
    for how, scale in product(MAPS, ("raw", "fixed")):
        raw, law = t.array("matrices", "law", axis="linear", how=how, scale=scale).swapaxes(0, 1)
        yield curves(layer, "rate", {"law": law.mean(0), "matrices": raw}, attention=f"linear, {how}", scale=scale)
    for how, basis, tokens, scale in product(MAPS[:2], BASES, TOKENS, ("raw", "unit")):
        rate = t.array("matrices", axis="softmax", scale=scale, how=how, basis=basis, tokens=tokens)
        y = {f"{basis} U, {tokens} tokens": rate}
        yield curves(layer, "rate", y, attention=f"softmax, {how}", scale=scale)


def courses(found: Found) -> Iterator[pl.DataFrame]:
    """SRR and its parts by layer on training images, mean over all networks of a type, by epoch."""
    for output in found.config.outputs:
        rows = pl.concat(t.where(axis="course") for t in found.of(Train, function="train", output=output))
        means = rows.group_by("epoch", "layer", maintain_order=True).agg(pl.mean("SRR", "R", "R^c", "nonzero"))
        yield means.with_columns(output=pl.lit(output), series=pl.format("epoch {}", "epoch"))


def runs(found: Found) -> Iterator[pl.DataFrame]:
    """A row for each network under each protocol. Gap: training accuracy less test accuracy."""
    for protocol in (EPOCHS, LOSS):
        yield networks(found, protocol).select(*AXES, pl.exclude(*AXES, "axis"))


def correlations(found: Found) -> Iterator[pl.DataFrame]:
    """Kendall's τ of each measure with the gap and its 95% interval over networks: of all; within an axis, of
    networks that differ in it alone, and Ψ, the mean of those; and within a type."""
    for protocol, measure in product((EPOCHS, LOSS), (*OURS, *BASELINES, FIT)):
        if there := types(found, protocol):
            r = ranked(found, protocol, measure)
            by = {"all": r.overall, "Ψ": r.psi, **{f"by {name}": tau for name, tau in r.within.items()}}
            by |= {f"type {one}": ranked(found, protocol, measure, one).overall for one in there}
            told = [(name, e.value, *e.ends) for name, tau in by.items() if np.isfinite((e := tau_estimate(tau)).value)]
            frame = pl.DataFrame(told, ["among", "τ", "low", "high"], orient="row")
            yield frame.select(pl.lit(protocol).alias("protocol"), pl.lit(measure).alias("measure"), pl.all())


def tables(found: Found) -> Iterator[Table]:
    yield from table("correlations", "Rank correlations", correlations, found)
    yield from table("stacks", "Attention alone", stacks, found)
    yield from table("course", "SRR by layer and epoch", courses, found)
    yield from table("networks", "Networks", runs, found)


def draw_correlations(frame: pl.DataFrame) -> dict[str, Any]:
    """τ with its interval for each measure and protocol, a panel for all networks, each axis, and Ψ."""
    import altair as alt

    from twopart.report import theme
    from twopart.report.charts import finish

    shown, both = frame.filter(~pl.col("among").str.starts_with("type")).rename({"τ": "tau"}), [EPOCHS, LOSS]
    colours = alt.Scale(domain=both, range=[colour.light for colour in list(theme.PALETTE.values())[:2]])
    x = alt.X("low:Q", title="τ with the gap", scale=alt.Scale(domain=[-1, 1]))
    base = alt.Chart(shown).encode(
        y=alt.Y("measure:N", sort=None, title=None), yOffset=alt.YOffset("protocol:N", sort=both),
        color=alt.Color("protocol:N", scale=colours, title=None),
    )  # fmt: skip
    marks = base.mark_rule(strokeWidth=1.5).encode(x=x, x2="high:Q"), base.mark_point(filled=True).encode(x="tau:Q")
    panels = alt.layer(*marks).properties(width=110, height=300)
    chart = panels.facet(column=alt.Column("among:N", sort=None, title=None))
    return finish(chart, description="Kendall's τ of each measure with the generalisation gap, with 95% intervals")


LAYER, NATS = Axis("layer", "after layer", log=False), Axis("rate", "R^c, nats")
LAWFUL: dict[Any, Kind] = {"law": "theory", "matrices": "learner"}
GAP, SOFTMAX = Axis("gap", "gap in accuracy", log=False), pl.col("attention").str.starts_with("softmax")
FIGURES = (
    Drawn("correlations", "What ranks networks by their gap", "correlations", draw_correlations,
          "Points right of 0 rank networks as their gap does."),
    Figure("linear", "Linear attention: tokens as they are", "stacks", LAYER, NATS, LAWFUL, columns="attention",
           shown=~SOFTMAX & (pl.col("scale") == "raw"), caption="They spread under plus and shrink under negative."),
    Figure("fixed", "Linear attention at fixed norm", "stacks", LAYER, replace(NATS, log=False, domain=(3.5, 5)), LAWFUL,
           columns="attention", shown=~SOFTMAX & (pl.col("scale") == "fixed"),
           caption="It is the other way round: plus compresses, negative does not."),
    Figure("softmax", "Softmax attention", "stacks", LAYER, NATS, "learner", columns="attention", rows="scale",
           shown=SOFTMAX, caption="At unit norm the sign hangs on U being orthonormal."),
    Figure("course", "SRR by layer and epoch", "course", LAYER, Axis("SRR", "mean SRR, nats", log=False), "learner",
           columns="output", caption="Lower is sparser and more compressed."),
    Figure("networks", "SRR and the generalisation gap", "networks", Axis(SRR, "mean SRR, nats", log=False), GAP,
           "simulation", columns="protocol", series="output", band=None,
           caption="A point for each network. At equal loss types differ in SRR and in gap."),
)  # fmt: skip


def summary(found: Found) -> str:
    count, asked = len(networks(found, LOSS)), len(networks(found, EPOCHS))
    first, second = (ranked(found, p, SRR).overall[0] if types(found, p) else np.nan for p in (EPOCHS, LOSS))
    return (
        "CRATE's attention is derived as a step that compresses tokens within subspaces. Without softmax a layer acts on "
        "singular values alone, and the law is exact: tokens spread as they are, and are compressed at fixed norm. Of "
        f"{asked} networks {count} came to a training loss of {found.config.network.loss:g}. SRR ranks them by their "
        f"generalisation gap with τ = {first:+.2f} after equal epochs, and {second:+.2f} at equal loss."
    )

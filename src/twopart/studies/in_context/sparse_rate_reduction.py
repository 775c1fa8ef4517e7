"""Does attention that is derived from compression compress, and does the rate that it leaves tell how well a network generalises?

Attention-only stacks are held against the law of singular values, raw and at fixed norm. About a hundred small CRATE networks
are ranked by their sparse rate reduction and by older measures, after equal epochs and at equal training loss.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

import numpy as np
import polars as pl

from twopart._arrays import Floats
from twopart.evidence import Estimate, Found, Rows, claim, curve, curves, exact, paired, table
from twopart.evidence.judges import above, below, equals, within_range
from twopart.findings import Claim, Table
from twopart.fits.rank_correlation import RankCorrelation, rank_correlation
from twopart.laws.in_context.coding_rate import MAPS
from twopart.report import Axis, Drawn, Figure
from twopart.settings import at_least, between, distinct, every, multiple_of, no_less_than, one_of, settings
from twopart.studies import Work, world_seed

STUDY, TITLE = "sparse-rate-reduction", "Sparse rate reduction"
PAPER, PAGE = "Hu, Zou, Xu 2024, arXiv 2411.17182", "docs/laws/sparse-rate-reduction.md"
RAW, FIXED, SOFT, RANKS = (
    f"{PAGE}, {part}" for part in ("the law", "at fixed norm", "with softmax", "what ranks networks")
)
POSITIVE = every(between(0, np.inf, "()"))
SRR, MEASURES = "SRR, mean of layers", (
    "SRR, mean of layers", "SRR, last layer", "R^c", "minus R", "sparsity", "parameter norm", "path norm", "spectral product",
    "spectral sum", "inverse margin", "sharpness",
)  # fmt: skip
BASELINES = MEASURES[5:]
AXES = ("output", "rate", "batch", "dropout")
PROTOCOLS = ("equal epochs", "equal loss")


@settings
class Network:
    """Every network, its images, and when it is looked at."""

    dataset: Annotated[str, one_of("digits", "cifar10", "cifar100"), "Images; CIFAR needs a folder."] = "digits"
    folder: Annotated[str, "Where torchvision finds CIFAR."] = ""
    images: Annotated[int, at_least(64), "Training images."] = 300
    validation: Annotated[int, at_least(50), "Images by which a weight is chosen; all others are tests."] = 300
    patch: Annotated[int, between(1, 8), "Side of a patch, in pixels."] = 2
    width: Annotated[int, at_least(4), "Of a token."] = 32
    depth: Annotated[int, at_least(1), "Layers."] = 3
    heads: Annotated[int, at_least(1), "Heads, a divisor of the width."] = 2
    epochs: Annotated[int, at_least(1), "Epochs after which all networks are compared."] = 20
    most: Annotated[int, no_less_than("epochs"), "Epochs after which a network is given up."] = 70
    loss: Annotated[float, between(0, 2, "()"), "Training cross-entropy at which all are compared."] = 0.05


@settings
class Config:
    """Sparse rate reduction: attention-only stacks by law and measured, networks ranked by measures, and a regulariser."""

    inputs: Annotated[int, multiple_of(10), at_least(10), "Inputs of linear stacks; a fifth goes through softmax."] = (
        200
    )
    outputs: Annotated[tuple[str, ...], distinct(1), every(one_of("learned", "tied", "negative", "transpose", "fixed", "identity")), "Output maps of attention."] = ("learned", "tied", "negative")  # fmt: skip
    rates: Annotated[tuple[float, ...], distinct(1), POSITIVE, "Learning rates of Adam."] = (0.002, 0.005)
    batches: Annotated[tuple[int, ...], distinct(1), every(at_least(2)), "Batch sizes."] = (16, 32)
    dropouts: Annotated[tuple[float, ...], distinct(1), every(between(0, 1, "[)")), "Shares of attention dropped."] = (
        0.0,
        0.1,
    )
    seeds: Annotated[int, at_least(2).because("an interval needs a spread"), "Networks of each setting."] = 5
    weights: Annotated[tuple[float, ...], distinct(1), POSITIVE, "Weights of the regulariser."] = (0.003, 0.03, 0.3)
    repeats: Annotated[int, at_least(2).because("an interval needs a spread"), "Networks of each weight."] = 10
    network: Network = Network()


FEW = Network(images=64, validation=50, width=8, depth=2, epochs=1, most=2)
LARGE = Network("cifar10", "data/cifar10", 45_000, 5000, 4, 128, 6, 4, 20, 200)
PRESETS = {
    "tiny": Config(20, ("learned",), (0.002,), (32,), (0.0,), 3, (0.03,), 2, FEW),
    "small": Config(),
    "full": Config(outputs=("learned", "tied", "negative", "transpose", "identity"), network=LARGE),
}


@dataclass(frozen=True)
class Stack:
    """A cell: attention without anything else, layer after layer."""

    inputs: int
    seed: int
    dimension: int = 24
    heads: int = 4
    tokens: int = 40
    square: float = 0.5
    """ε²."""
    layers: int = 8

    def __str__(self) -> str:
        return f"{self.layers} layers"


@dataclass(frozen=True)
class Train:
    """A cell: networks that differ in rate and seed, trained as one batch."""

    output: str
    batch: int
    dropout: float
    rates: tuple[float, ...]
    seeds: int
    weight: float
    """Of the regulariser; those with one are looked at after equal epochs alone."""
    measured: bool
    network: Network
    seed: int

    def __str__(self) -> str:
        return (
            f"{self.output}, batch {self.batch}, dropout {self.dropout:g}"
            if self.measured
            else f"weight {self.weight:g}"
        )


def cells(config: Config, seed: int) -> Iterator[Work]:
    yield Work("attend", Stack(config.inputs, world_seed(seed, STUDY, "stack")), cost=0.1)
    where = config.network, world_seed(seed, STUDY, "images")
    for output in config.outputs:
        for batch in config.batches:
            for dropout in config.dropouts:
                yield Work(
                    "train", Train(output, batch, dropout, config.rates, config.seeds, 0.0, True, *where), cost=2
                )
    for weight in (0.0, *config.weights):
        yield Work(
            "train", Train("learned", config.batches[-1], 0.0, config.rates[:1], config.repeats, weight, False, *where)
        )


@cache
def runs(found: Found, protocol: str) -> pl.DataFrame:
    """All networks that were there, a row each."""
    frames = []
    for t in found.of(Train, measured=True):
        here = {name: pl.lit(getattr(t.case, name)) for name in ("output", "batch", "dropout")}
        frames.append(t.where(axis="run", protocol=protocol).with_columns(**here))
    return pl.concat(frames)


@cache
def ranked(found: Found, protocol: str, measure: str, output: str = "") -> RankCorrelation:
    """How a measure ranks those networks, of one type or of all, by their gap."""
    frame = runs(found, protocol)
    frame = frame.filter(pl.col("output") == output) if output else frame
    return rank_correlation(frame, measure, "gap", [name for name in AXES if frame[name].n_unique() > 1], given="loss")


def soft(t: Rows[Stack], column: str, sign: str, basis: str, tokens: str = "Gaussian") -> Floats:
    """By input and layer, shape (R, layers + 1)."""
    return np.asarray(t.array(column, axis="softmax", how=sign, basis=basis, tokens=tokens))


def by_seed(found: Found, output: str) -> Floats:
    """Accuracy at equal loss, mean over settings, by seed."""
    frame = runs(found, "equal loss").filter(pl.col("output") == output)
    return (
        frame.group_by("seed", maintain_order=True).agg(pl.col("accuracy").mean()).sort("seed")["accuracy"].to_numpy()
    )


def penalised(found: Found, weight: float, column: str) -> Floats:
    return np.asarray(found.one(Train, measured=False, weight=weight).array(column, axis="run"))


@claim(
    below(1e-6),
    "relative error",
    RAW,
    "largest over {t.case.inputs} inputs and {t.case.layers} layers, against matrices",
)
def layer_by_layer(t: Rows[Stack], how: str) -> Estimate:
    """Linear attention, {how}: the law of singular values has R^c after every layer."""
    measured, law = (t.array(name, axis="linear", how=how) for name in ("raw", "law"))
    return exact(float(np.abs(measured / law - 1).max())).against(0.0)


@claim(equals(0), "share of steps", PAPER, "share of {t.case.layers} layers and {count} inputs in which raw R^c rises")
def ascends(t: Rows[Stack]) -> Estimate:
    """Attention with its skip raises R^c of the tokens as they are, in every layer."""
    rate = soft(t, "raw", "plus", "orthonormal")[: t.case.inputs // 10]
    return exact(float((np.diff(rate, axis=1) > 0).mean())).against(1.0, count=len(rate))


@claim(
    equals(0),
    "share of steps",
    FIXED,
    "share of layers and {t.case.inputs} inputs in which R^c at fixed Frobenius norm {words}",
)
def at_fixed_norm(t: Rows[Stack], how: str, words: str) -> Estimate:
    """Linear attention, {how}: at fixed norm R^c {words} in every layer."""
    change = np.diff(t.array("fixed", axis="linear", how=how), axis=1)
    return exact(float(((change < 0) if words == "falls" else (change > 0)).mean())).against(1.0)


@claim(
    within_range(0.95, 1),
    "share of inputs",
    SOFT,
    "share of {count} inputs whose R^c at unit norm {words} over the layers",
)
def with_softmax(t: Rows[Stack], sign: str, basis: str, words: str) -> Estimate:
    """Softmax attention, {sign}, {basis} U: at unit norm R^c {words}."""
    rate = soft(t, "unit", sign, basis)
    change = rate[:, -1] - rate[:, 0]
    return exact(float(((change < 0) if words == "falls" else (change > 0)).mean())).against(1.0, count=len(rate))


@claim(above(0.0), "accuracy", PAPER, "at equal training loss, learned less {other}, means over settings by seed")
def better_type(found: Found, other: str) -> Estimate:
    """A learned output map is at least as good as {other}."""
    return paired(by_seed(found, "learned"), by_seed(found, other)).against(None)


@claim(
    above(0.0),
    "τ",
    f"{PAPER}; {RANKS}",
    "Kendall's τ with the gap in accuracy over {count} networks at equal loss, {lost} dropped",
)
def predicts(found: Found) -> Estimate:
    """SRR ranks networks as their generalisation gap does."""
    count, asked = len(runs(found, "equal loss")), len(runs(found, "equal epochs"))
    return ranked(found, "equal loss", SRR).overall.estimate.against(None, count=count, lost=asked - count)


@claim(above(0.0), "τ", PAPER, "τ of SRR less that of {baseline}, at equal loss")
def beats(found: Found, baseline: str) -> Estimate:
    """SRR ranks networks better than {baseline}."""
    first, second = (ranked(found, "equal loss", one).overall for one in (SRR, baseline))
    return first.minus(second).estimate.against(None)


@claim(
    above(0.0),
    "τ",
    RANKS,
    "τ of SRR within {output}, in the direction of that over all types ({whole:+.2f}), at {protocol}",
)
def within_type(found: Found, protocol: str, output: str) -> Estimate:
    """At {protocol}, SRR ranks networks of the type {output} as it ranks all."""
    whole = ranked(found, protocol, SRR).overall.value
    return ranked(found, protocol, SRR, output).overall.times(np.sign(whole)).estimate.against(None, whole=whole)


@claim(
    above(0.0),
    "accuracy",
    PAPER,
    "test accuracy less that without it, by seed; the weight {weight:g} was best on validation",
)
def regularises(found: Found) -> Estimate:
    """Cross-entropy and SRR of the last layer together give better accuracy than cross-entropy alone."""
    weight = max(found.config.weights, key=lambda one: penalised(found, one, "validation").mean())
    return paired(penalised(found, weight, "accuracy"), penalised(found, 0.0, "accuracy")).against(None, weight=weight)


def claims(found: Found) -> Iterator[Claim]:
    """What a layer does, then what the rate says of networks."""
    stack, outputs = found.one(Stack), found.config.outputs
    yield from (layer_by_layer(stack, how) for how in MAPS)
    yield ascends(stack)
    yield from (at_fixed_norm(stack, how, words) for how, words in (("plus", "falls"), ("negative", "rises")))
    for sign, basis, words in (("plus", "orthonormal", "falls"), ("plus", "random", "rises"),
                               ("negative", "orthonormal", "falls"), ("negative", "random", "falls")):  # fmt: skip
        yield with_softmax(stack, sign, basis, words)
    if len(runs(found, "equal loss")) > 2:
        yield from (better_type(found, other) for other in ("tied", "negative") if {"learned", other} <= set(outputs))
        yield predicts(found)
        yield from (beats(found, baseline) for baseline in BASELINES)
    for protocol in PROTOCOLS:
        counts = runs(found, protocol)["output"].value_counts()
        yield from (
            within_type(found, protocol, one) for one in outputs if counts.filter(output=one)["count"].sum() > 2
        )
    yield regularises(found)


def stacks(found: Found) -> Iterator[pl.DataFrame]:
    """Mean R^c over inputs, with the least and the greatest. Law: from singular values alone. Linear, fixed norm: one scale for all
    heads. Softmax after LayerNorm, raw, and of tokens of length 1."""
    t = found.one(Stack)
    layer = {"layer": np.arange(t.case.layers + 1)}
    for how in MAPS:
        for scale, columns in (
            ("raw", {"law": "law", "linear": "raw"}),
            ("fixed norm", {"law": "fixed law", "linear": "fixed"}),
        ):
            found_by = {n: t.array(c, axis="linear", how=how) for n, c in columns.items()}
            yield curves(layer, "rate", found_by | {"law": found_by["law"].mean(0)}, what=how, scale=scale)
    for how in MAPS[:2]:
        for basis in ("orthonormal", "random"):
            for kind in ("Gaussian", "clustered"):
                for scale, column in (("raw", "raw"), ("unit norm", "unit")):
                    y = {f"{basis} U, {kind} tokens": soft(t, column, how, basis, kind)}
                    yield curves(layer, "rate", y, what=f"softmax, {how}", scale=scale)


def courses(found: Found) -> Iterator[pl.DataFrame]:
    """SRR and its parts by layer on training images, mean over all networks of a type, with the least and the greatest."""
    for output in found.config.outputs:
        frames = [t.where(axis="course").with_columns(replicate=100 * i + pl.col("replicate")) for i, t in enumerate(found.of(Train, measured=True, output=output))]  # fmt: skip
        for (epoch,), part in pl.concat(frames).group_by("epoch", maintain_order=True):
            values = Rows(None, part)
            for name in ("SRR", "R", "R^c", "sparsity"):
                y = values.array(name)
                yield curve(
                    {"layer": np.arange(1, y.shape[1] + 1)},
                    {"value": y},
                    part=name,
                    output=output,
                    series=f"epoch {epoch}",
                )


def networks(found: Found) -> Iterator[pl.DataFrame]:
    """A row for each network at each protocol: its settings, gap (training less test accuracy) and measures."""
    yield from (runs(found, protocol).with_columns(series="output " + pl.col("output")) for protocol in PROTOCOLS)


def correlations(found: Found) -> Iterator[pl.DataFrame]:
    """Kendall's τ of each measure with the gap, and its 95% interval over networks: over all; within an axis, among networks that
    differ in it alone; Ψ, the mean of those; within a type; and with training loss held fixed."""
    for protocol in PROTOCOLS:
        if len(runs(found, protocol)) > 2:
            for measure in (*MEASURES, "minus loss"):
                r = ranked(found, protocol, measure)
                by = {
                    "all": r.overall,
                    **{f"within {n}": one for n, one in r.within.items()},
                    "Ψ": r.psi,
                    "given loss": r.partial,
                }
                counts = runs(found, protocol)["output"].value_counts()
                by |= {
                    f"type {o}": ranked(found, protocol, measure, o).overall
                    for o, count in sorted(counts.rows())
                    if count > 2
                }
                told = {n: one.estimate for n, one in by.items() if np.isfinite(one.value)}
                ends = np.array([one.ends for one in told.values()]).T
                yield pl.DataFrame({"protocol": protocol, "measure": measure, "among": list(told), "τ": [e.value for e in told.values()], "low": ends[0], "high": ends[1]})  # fmt: skip


def penalties(found: Found) -> Iterator[pl.DataFrame]:
    """Accuracy after equal epochs by weight of the regulariser on the last layer, mean over seeds, least and greatest."""
    weights = (0.0, *found.config.weights)
    for name, column in (("validation", "validation"), ("test", "accuracy")):
        y = np.stack([penalised(found, weight, column) for weight in weights], 1)
        yield curve({"weight": weights}, {"accuracy": y}, series=name)


def tables(found: Found) -> Iterator[Table]:
    yield from table("stacks", "R^c by layer", stacks, found)
    yield from table("correlations", "Rank correlations", correlations, found)
    yield from table("course", "SRR by layer and epoch", courses, found)
    yield from table("networks", "Networks", networks, found)
    yield from table("penalty", "Accuracy by weight of the regulariser", penalties, found)


def draw_correlations(frame: pl.DataFrame) -> dict[str, Any]:
    """τ with its interval for each measure, a panel for each protocol, coloured by what networks are compared."""
    import altair as alt

    from twopart.report import theme
    from twopart.report.charts import finish

    shown = frame.filter(pl.col("among").is_in(["all", "Ψ", "given loss"]))
    colours = [colour.light for colour in theme.PALETTE.values()][:3]
    base = alt.Chart(alt.Data(values=shown.to_dicts())).encode(
        y=alt.Y("measure:N", sort=None, title=None),
        yOffset=alt.YOffset("among:N", sort=["all", "Ψ", "given loss"]),
        color=alt.Color("among:N", sort=["all", "Ψ", "given loss"], scale=alt.Scale(range=colours), title=None),
    )
    x = alt.X("low:Q", title="Kendall's τ with the gap", scale=alt.Scale(domain=[-1, 1]))
    layers = alt.layer(
        base.mark_rule(strokeWidth=1.5).encode(x=x, x2="high:Q"), base.mark_point(size=32, filled=True).encode(x="τ:Q")
    )
    chart = layers.properties(width=300, height=340).facet(
        column=alt.Column("protocol:N", sort=list(PROTOCOLS), title=None)
    )
    return finish(chart, description="Kendall's τ of each measure with the generalisation gap, with 95% intervals")


LAYER, RATE = Axis("layer", "after layer", log=False), Axis("rate", "mean R^c, nats", log=True)
SOFTMAX = pl.col("what").str.starts_with("softmax")
FIGURES = (
    Drawn("correlations", "What ranks networks by their gap", "correlations", draw_correlations,
          "The same measures rank networks otherwise once all have the same training loss."),
    Figure("linear", "Linear attention: growth and compression", "stacks", LAYER, RATE,
           {"law": "theory", "linear": "learner"}, columns="what", rows="scale", shown=~SOFTMAX,
           caption="As they are, tokens spread under plus and shrink under negative; at fixed norm it is the other way round."),
    Figure("softmax", "Softmax attention", "stacks", LAYER, RATE, "learner", columns="what", rows="scale", shown=SOFTMAX,
           caption="At unit norm the sign depends on whether U is orthonormal."),
    Figure("course", "SRR by layer and epoch", "course", LAYER, Axis("value", "mean SRR", log=False), "learner",
           columns="output", shown=pl.col("part") == "SRR", band=None, caption="Least and greatest networks are in the table."),
    Figure("networks", "SRR and generalisation gap", "networks", Axis(SRR, SRR, log=False), Axis("gap", "gap in accuracy", log=False),
           "simulation", columns="protocol", caption="Each point is a network."),
    Figure("penalty", "SRR as a regulariser", "penalty", Axis("weight", "weight", log=False), Axis("accuracy", "accuracy", log=False),
           "learner", caption="The weight is chosen by validation."),
)  # fmt: skip


def summary(found: Found) -> str:
    asked, reached = (len(runs(found, protocol)) for protocol in PROTOCOLS)
    epochs, loss = (ranked(found, one, SRR).overall.value for one in PROTOCOLS) if reached > 2 else (np.nan, np.nan)
    return (
        "CRATE's attention is derived as a step that compresses tokens within subspaces. Without softmax each layer acts on singular "
        "values alone, and the law is exact: tokens as they are spread, at fixed norm they are compressed. "
        f"Of {asked} networks {reached} reached a training cross-entropy of {found.config.network.loss:g}. Their SRR ranks them by "
        f"generalisation gap with τ = {epochs:+.2f} after equal epochs, and {loss:+.2f} at equal loss."
    )

"""When both layers of a ReLU network train, what does the output layer's first scale decide about overfitting?

Two-layer networks are trained to the end on points that hold a signal patch and a noise patch. Theory has both layers grow as
hyperbolic functions, and foretells for each scale and length of the signal whether fresh noise drowns it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.evidence import (
    Estimate,
    Found,
    Rows,
    claim,
    curve,
    curves,
    exact,
    log_ends,
    mean,
    paired,
    ratio,
    statistic,
    table,
)
from twopart.evidence.judges import above, below, within, within_range, within_share
from twopart.findings import Claim, Table
from twopart.laws.features import benign_norm, early, growth_rates, output_scale_error
from twopart.laws.features.initialization import OUTPUTS, Layers, ScaleLaw
from twopart.report import Axis, Figure, HeatMap, Kind
from twopart.settings import among, at_least, between, every, rising, settings
from twopart.studies import Work, world_seed

STUDY, TITLE = "initialization", "The scale of the output layer"
PAPER, PAGE = "Shang, Meng, Cao, Zou 2024, arXiv 2410.19139", "docs/laws/initialization.md"
GROWTH, KEPT, ENDS = f"{PAGE}, how both layers grow", f"{PAGE}, what is conserved", f"{PAGE}, where it ends"
ORDER = f"order: {PAPER}; constant: {ENDS}"

Floats = NDArray[np.float64]
POSITIVE = every(between(0, np.inf, "()"))
EARLY = 0.68  # mean training loss, of log 2 = 0.693, until which all points pull alike
EDGE = 0.25  # test error where benign and harmful overfitting are parted


@settings
class Networks:
    """The networks of a cell, how they descend, and on how many points they are tested."""

    points: Annotated[int, at_least(4).because("both classes need noise"), "n, training points."] = 40
    dimension: Annotated[int, at_least(100), "d, numbers in a patch, well above n."] = 2000
    neurons: Annotated[int, at_least(1).because("an output needs a neuron"), "m, neurons of a side, summed."] = 10
    initial: Annotated[float, between(0, 1e-3, "(]").because("it goes to 0"), "Deviation of first weights."] = 1e-6
    rate: Annotated[float, between(0, 0.01, "(]").because("larger steps leave the flow"), "Size of a step."] = 0.0025
    steps: Annotated[int, at_least(100), "Steps; time is steps times rate."] = 2400
    looks: Annotated[int, at_least(10), "How often training is looked at, evenly in the logarithm of steps."] = 30
    seeds: Annotated[int, at_least(2).because("intervals need a spread"), "Replicates: world, sample, network."] = 6
    tests: Annotated[int, at_least(100), "Fresh points per replicate, on which errors are counted."] = 100_000


@settings
class Config:
    """Two trained layers: error of networks that memorise noise, over output scale and signal, for three output layers."""

    scales: Annotated[tuple[float, ...], rising(2), POSITIVE, "First output weights v_0 of trained output layers."] = (
        0.001, 0.01, 0.05, 0.2, 1.0,
    )  # fmt: skip
    norms: Annotated[tuple[float, ...], rising(2), POSITIVE, "Lengths of the signal."] = (
        1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0,
    )  # fmt: skip
    kept_at: Annotated[float, among("scales"), "The v_0 at which conserved differences are judged."] = 0.05
    shown: Annotated[float, among("norms"), "The length of signal at which growth is shown."] = 4.0
    networks: Networks = Networks()


FEW = Networks(20, 500, 6, rate=0.01, steps=400, looks=12, seeds=2, tests=1000)
MANY = Networks(rate=0.002, steps=10_000, seeds=20, tests=10**6)
SCALES = tuple(float(f"{10 ** (k / 4):.2g}") for k in range(-16, 3))
PRESETS = {
    "tiny": Config((0.01, 0.5), (1.0, 8.0), 0.01, 8.0, FEW),
    "small": Config(),
    "full": Config(SCALES, tuple(round(2 ** (k / 4), 2) for k in range(13)), 0.056, 4.0, MANY),
}  # fmt: skip


@dataclass(frozen=True)
class Train:
    """A cell: networks of one output layer, trained to the end on one length of signal."""

    output: str
    scale: float
    """v_0."""
    norm: float
    networks: Networks
    seed: int
    """Of the first replicate's world; the others count up. All cells share them, first weights and test points too."""

    def __str__(self) -> str:
        return f"{self.output} output{f', v0 = {self.scale:g}' * (self.output != 'fixed')}, norm {self.norm:g}"

    @property
    def place(self) -> tuple[int, int]:
        return self.networks.points, self.networks.dimension


def cells(config: Config, seed: int) -> Iterator[Work]:
    world = world_seed(seed, STUDY, "world")
    kinds = [*product(OUTPUTS[:2], config.scales), (OUTPUTS[2], 1.0)]
    for (output, scale), norm in product(kinds, config.norms):
        yield Work("train", Train(output, scale, norm, config.networks, world), cost=float(config.networks.steps))


def at_end(t: Rows[Train], column: str, axis: str = "end") -> Floats:
    return np.asarray(t.array(column, axis=axis), float)


def on_way(t: Rows[Train], column: str) -> Floats:
    """Shape (R, looks)."""
    return at_end(t, column, "way")


def ends_as(t: Rows[Train]) -> ScaleLaw:
    """By the law, at each replicate's own margin and share of active neurons: arrays (R,)."""
    case, net = t.case, t.case.networks
    q, margin = at_end(t, "active"), at_end(t, "margin")
    return output_scale_error(case.scale, case.norm, *case.place, net.neurons, 1.0, q, margin, output=case.output)


def grows_as(t: Rows[Train], time: Any, active: float = 0.75) -> Layers:
    rate = t.case.networks.rate
    return early(time, t.case.scale, t.case.norm, *t.case.place, 1.0, active, output=t.case.output, rate=rate)


def errors(ts: Sequence[Rows[Train]]) -> Floats:
    """Shape (R, cases)."""
    return np.stack([at_end(t, "error") for t in ts], axis=1)


def last_early(t: Rows[Train]) -> int:
    """The last look at which the mean loss is above `EARLY`."""
    return int(np.flatnonzero(on_way(t, "loss").mean(0) > EARLY)[-1])


WORST = "of {count} networks the farthest: {worst}"


def farthest(ts: Sequence[Rows[Train]], measured: Sequence[Floats], expected: Sequence[Any]) -> Estimate:
    """The mean difference where it is largest."""
    pairs = list(zip(measured, expected, strict=True))
    if not pairs:
        return exact(np.nan).against(0.0, count=0, worst="none")
    at = int(np.argmax([abs(float(np.mean(a - b))) for a, b in pairs]))
    return paired(*pairs[at]).against(0.0, count=len(ts), worst=ts[at])


@claim(within(0.01), "share", GROWTH, f"deviation from the law while the loss is above {EARLY}; {WORST}")
def hyperbola(ts: Sequence[Rows[Train]], column: str, what: str) -> Estimate:
    """At first {what}."""
    ts = [t for t in ts if last_early(t) >= 3]
    at = [last_early(t) for t in ts]
    laws = [getattr(grows_as(t, on_way(t, "time")[:, look]), column) for t, look in zip(ts, at, strict=True)]
    measured = [on_way(t, column)[:, look] / law for t, look, law in zip(ts, at, laws, strict=True)]
    return farthest(ts, measured, [np.ones_like(law) for law in laws])


@claim(within_range(0.5, 1.0), "share of neurons", GROWTH, "8 n ω²/(σ² d) of the rate ω at which v_2 grows")
def memory_share(t: Rows[Train]) -> Estimate:
    """{t}: the rate of memory lies between that of half of the neurons and that of all."""
    n, d = t.case.place
    return mean(8 * n * np.square(memory_rate(t)) / d).against(None)


@claim(within_share(0.05), "ratio", GROWTH, "rate at which v_2 grows over √(q σ² d/(8 n)), q counted")
def memory_by_count(t: Rows[Train]) -> Estimate:
    """{t}: the rate of memory is that of the neurons that are active on a training point's noise."""
    counted = on_way(t, "active")[:, last_early(t)]
    return ratio(memory_rate(t), growth_rates(0.0, *t.case.place, active=counted).memory)


def memory_rate(t: Rows[Train]) -> Floats:
    """ω with v_2 = v_0 cosh ωt at the last early look, shape (R,)."""
    look = last_early(t)
    times = np.where(look > 0, on_way(t, "time")[:, look], np.nan)
    return np.asarray(np.arccosh(on_way(t, "output_memory")[:, look] / t.case.scale) / times)


def kept(t: Rows[Train], what: str) -> Estimate:
    """{t}: {what} is conserved."""
    change = at_end(t, "balance") - on_way(t, "balance")[:, 0]
    return mean(np.abs(change) / t.case.scale**2).against(0.0)


CHANGE = "v0²", KEPT, "mean over neurons, absolute change from the first step to the last"
kept_per_patch, kept_shared = (claim(below(share), *CHANGE)(kept) for share in (0.03, 0.06))


def alike(ts: Sequence[Rows[Train]], others: Sequence[Rows[Train]], what: str) -> Estimate:
    """{what}."""
    return farthest(ts, *([at_end(t, "error") for t in of] for of in (ts, others)))


PAIRED = f"error less that of the same networks with another output layer; {WORST}"
large_is_fixed = claim(within(0.005), "share of points", ORDER, PAIRED)(alike)
shared_forgives = claim(within(0.03), "share of points", ENDS, PAIRED)(alike)


@claim(within(0.025), "share of points", ORDER, f"error less that of the law at the counted share q; {WORST}")
def error_of_law(ts: Sequence[Rows[Train]]) -> Estimate:
    """With a large output layer the test error is that of the closed form."""
    return farthest(ts, [at_end(t, "error") for t in ts], [ends_as(t).error for t in ts])


def crossing(ts: Sequence[Rows[Train]], replicates: Floats) -> Any:
    """From errors (cases,) the norm at which they cross `EDGE`, nan if they do not."""
    falling = np.minimum.accumulate(replicates)
    where = np.interp(-EDGE, -falling, np.log([t.case.norm for t in ts]))
    return float(np.exp(where)) if falling[-1] < EDGE <= falling[0] else np.nan


@claim(within_range(0.6, 1.6), "n SNR²", ORDER, f"n SNR² at which the error crosses {EDGE}")
def small_threshold(ts: Sequence[Rows[Train]]) -> Estimate:
    """Per-patch output, v0 = {ts[0].case.scale:g}: signal wins the race from n SNR² near 2q on."""
    (n, d), lawful = ts[0].case.place, edge(ts)
    return statistic(lambda e: n * crossing(ts, e) ** 2 / d, errors(ts)).against(n * lawful**2 / d)


@claim(above(1.8), "ratio", ORDER, f"norm at which the error crosses {EDGE}, over that at the largest v0")
def small_harms(small: Sequence[Rows[Train]], large: Sequence[Rows[Train]]) -> Estimate:
    """Per-patch output: at v0 = {small[0].case.scale:g} a signal must be much longer to be learned."""
    both = np.stack([errors(small), errors(large)], axis=1)
    return statistic(lambda e: crossing(small, e[0]) / crossing(large, e[1]), both).against(edge(small) / edge(large))


def edge(ts: Sequence[Rows[Train]]) -> float:
    """The law's norm for an error of `EDGE`, at the mean share and margin of networks that differ in norm."""
    case, (q, margin) = ts[0].case, (float(np.mean([at_end(t, name) for t in ts])) for name in ("active", "margin"))
    return float(benign_norm(EDGE, case.scale, *case.place, case.networks.neurons, 1.0, q, margin, output=case.output))


def claims(found: Found) -> Iterator[Claim]:
    """Growth, what it conserves, both ends of the scale, and the other architecture."""
    config = found.config
    least, most = config.scales[0], config.scales[-1]
    patch, shared = ({v: found.of(Train, output=output, scale=v) for v in config.scales} for output in OUTPUTS[:2])
    all_early = [t for v in config.scales[:-1] for t in patch[v]]
    yield hyperbola(all_early, "hidden_signal", "the hidden layer's signal a grows as a hyperbolic sine")
    yield hyperbola(all_early, "output_signal", "its output weight v_1 grows as a hyperbolic cosine")
    middle = found.one(Train, output="per-patch", scale=least, norm=config.shown)
    yield from (memory_share(middle), memory_by_count(middle))
    where = {"scale": config.kept_at, "norm": config.shown}
    yield kept_per_patch(found.one(Train, output="per-patch", **where), "v_1² - a²")
    yield kept_shared(found.one(Train, output="shared", **where), "v² - ‖w‖²")
    yield large_is_fixed(
        patch[most], found.of(Train, output="fixed"), "A large output layer errs as often as a fixed one"
    )
    yield error_of_law(patch[most])
    yield small_threshold(patch[least])
    yield small_harms(patch[least], patch[most])
    yield shared_forgives(shared[least], shared[most], f"With a weight for each neuron v0 = {least:g} does no harm")


NAMES = {"per-patch": "a weight for each patch", "shared": "a weight for each neuron", "fixed": "fixed"}


def by_norm(found: Found) -> Iterator[pl.DataFrame]:
    """Share of fresh points classified wrongly, over the length of the signal, by the kind of output layer and its first
    weights v0. Mean over replicates, with the least and the greatest; law: at their margins and shares of active neurons.
    """
    for output, scale in dict.fromkeys((t.case.output, t.case.scale) for t in found.of(Train)):
        ts = found.of(Train, output=output, scale=scale)
        lawful = np.array([np.mean(ends_as(t).error) for t in ts])
        labels = {"output": NAMES[output], "v0": f"v0 = {scale:g}"}
        yield curves({"norm": [t.case.norm for t in ts]}, "error", {"law": lawful, "networks": errors(ts)}, **labels)


def mapped(found: Found) -> Iterator[pl.DataFrame]:
    """Share of fresh points classified wrongly, over the first output weights v0 and the length of the signal."""
    trained = [t for t in found.of(Train) if t.case.output != "fixed"]
    x, y = log_ends({t.case.scale for t in trained}), log_ends({t.case.norm for t in trained})
    for t in trained:
        values = t.case.scale, t.case.norm, *x[t.case.scale], *y[t.case.norm], float(at_end(t, "error").mean())
        row = zip(("v0", "norm", "from", "to", "below", "above", "error"), values, strict=True)
        yield pl.DataFrame({"output": NAMES[t.case.output], **dict(row)})


def boundary(found: Found) -> Iterator[pl.DataFrame]:
    """The length of signal at which the law's error is 0.25: near its limits, of a fixed layer and of a race, at both ends."""
    for output, scale in product(OUTPUTS[:2], found.config.scales):
        yield pl.DataFrame(
            {"output": NAMES[output], "v0": scale, "norm": edge(found.of(Train, output=output, scale=scale))}
        )


PARTS = {"hidden_signal": "a, hidden signal", "output_signal": "v₁, its output", "hidden_memory": "‖w_ξ‖, hidden memory",
         "output_memory": "v₂, its output"}  # fmt: skip


def growth(found: Found) -> Iterator[pl.DataFrame]:
    """Both layers in units of v0 over stretched time ∫ 2|ℓ'| dt, means over neurons; mean over replicates, with the least and
    the greatest. Law: hyperbolic sine and cosine, memory's at the share of active neurons that claims count.
    """
    t = found.one(Train, output="per-patch", scale=found.config.scales[0], norm=found.config.shown)
    x = {"stretched": on_way(t, "stretched").mean(0)[1:]}
    law = grows_as(t, x["stretched"], float(on_way(t, "active")[:, last_early(t)].mean()))
    for column, name in PARTS.items():
        both = {"law": getattr(law, column), "networks": on_way(t, column)[:, 1:]}
        yield curves(x, "size", {series: value / t.case.scale for series, value in both.items()}, part=name)


def shares(found: Found) -> Iterator[pl.DataFrame]:
    """Hidden over output layer, a/v_1 of the signal and |w_ξ|/v_2 of memory, over time, an output weight for each patch; mean
    over replicates, with the least and the greatest.
    """
    for t in found.of(Train, output="per-patch", norm=found.config.shown):
        x = {"time": on_way(t, "time")[0, 1:]}
        for part in ("signal", "memory"):
            value = on_way(t, f"hidden_{part}") / on_way(t, f"output_{part}")
            yield curve(x, {"ratio": value[:, 1:]}, series=f"v0 = {t.case.scale:g}", part=part)


def tables(found: Found) -> Iterator[Table]:
    yield from table("error", "Error by signal", by_norm, found)
    yield from table("map", "Benign and harmful", mapped, found)
    yield from table("boundary", "The law's boundary", boundary, found)
    yield from table("growth", "Growth", growth, found)
    yield from table("ratio", "Hidden over output", shares, found)


ERROR, NORM = Axis("error", "test error", log=False, domain=(0, 0.5)), Axis("norm", "length of the signal")
KINDS: dict[Any, Kind] = {"law": "theory", "networks": "learner"}
FIGURES = (
    Figure("error", "A small output layer harms with a weight for each patch, not with one a neuron", "error",
           NORM, ERROR, KINDS, columns="output", colour="v0",
           caption="Small v0 ask for a longer signal if each patch has its own output weight: memory and signal race. With one "
           "weight for both, signal rides on memory."),
    HeatMap("map", "Benign and harmful overfitting", "map", Axis("v0", "first output weight v0"), NORM, ERROR,
            ("from", "to"), ("below", "above"), columns="output", line="boundary",
            caption="The line is where the law's error is 0.25: above it overfitting is benign."),
    Figure("growth", "Both layers grow as hyperbolic functions", "growth", Axis("stretched", "stretched time τ", log=False),
           Axis("size", "size, in units of v0"), KINDS, colour="part",
           caption="Stretched time slows down as points are fitted; in it the law holds to the end."),
    Figure("ratio", "The layers' ratio is fixed where the output was small", "ratio", Axis("time", "time, steps times rate"),
           Axis("ratio", "hidden over output", log=False), "learner", columns="part",
           caption="A large output layer stays ahead of the hidden one, as if it were fixed; a small one is caught up with."),
)  # fmt: skip


def summary(found: Found) -> str:
    least, shown = found.config.scales[0], found.config.shown
    where = {"scale": least, "norm": shown}
    patch, shared = (at_end(found.one(Train, output=output, **where), "error").mean() for output in OUTPUTS[:2])
    return (
        "Points hold a signal, y μ, and a patch of noise, which a two-layer ReLU network can fit alone. Both layers train, the "
        "output weights from v0 on. Large v0 are as good as a fixed output layer. Small ones let both layers grow together, "
        f"exponentially; what follows depends on the architecture: at v0 = {least:g} and a signal of length {shown:g} networks "
        f"with an output weight for each patch err on {patch:.1%} of fresh points, networks with one for each neuron on "
        f"{shared:.1%}. The law has the error for any scale, with the share of active neurons counted."
    )

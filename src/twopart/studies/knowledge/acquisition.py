"""Which fact is known when: in the order of frequency, down to a threshold that falls with data?

Transformers read a natural sample once and are asked for every fact about the most frequent entities at moments in a geometric
row. A fact counts as known while more than half of its bits are: gained > h/2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from typing import Annotated, Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from twopart._checks import check
from twopart.evidence import Estimate, Found, Rows, claim, curve, curves, mean, ratio, statistic
from twopart.evidence.judges import above, below, within, within_factor
from twopart.findings import Claim, Table
from twopart.fits import LogBins, agreement, crossing, first_below, learning_times, sharpness_after, slope
from twopart.laws import data_law
from twopart.report import Axis, Figure, HeatMap
from twopart.settings import at_least, between, settings
from twopart.studies import Work, world_seed
from twopart.studies._transformers import OnePass, Shape, ladder, learners_law
from twopart.worlds import Biographies, SyntaxKnowledge, known_entities

STUDY, TITLE = "acquisition", "Which fact is known when"
LAW = "docs/laws/data.md"
PAPER = f"Pan, Wang, Li 2025, arXiv 2504.09597; {LAW}"
TOLD_T, FOLLOWS = f"{LAW}, exposures", f"{LAW}, what follows"

Floats = NDArray[np.float64]
FIRST = 1000
"""Sentences before the first snapshot; the last tenfold of the run, where thresholds are judged, begins no earlier."""
AT_ONCE = sharpness_after(1.0)
"""From 10 % known to 90 % takes the Bayes code this factor in frequency, or in sentences if all facts are equally frequent."""
RANKS_PER_DECADE, TOLD_PER_DECADE = 6, 4  # bins
LENGTH = at_least(4 * FIRST).because("there must be several snapshots")
MANY = between(50, 2**16).because("thresholds are read off many facts")


@settings
class Config:
    """Which fact is known when: transformers of several sizes, asked for every fact again and again as they learn."""

    widths: Annotated[tuple[int, ...], *ladder, "Widths; the widest has room for all it meets."] = (4, 8, 16, 64)
    sentences: Annotated[int, LENGTH, "Sentences that each transformer reads, once."] = 300_000
    seeds: Annotated[int, at_least(2).because("an interval needs a spread"), "Replicates, each in its own world."] = 3
    discount: Annotated[float, between(0, 1, "()").because("text shows about 0.5"), "Discount d of the worlds."] = 0.5
    population: Annotated[int, between(10, 2**20), "Entities of the control; the widest transformer reads it."] = 300
    asked: Annotated[int, MANY, "Entities, the most frequent ones, whose facts are asked for."] = 400
    search: Annotated[int, at_least(2**14), "Draws that show them; 2^22 show 400 in most worlds."] = 2**22
    skew: Annotated[float, at_least(1), "The first attribute's share over the last's, in a geometric row."] = 8.0
    per_decade: Annotated[int, between(4, 100), "Snapshots per factor of ten in sentences, from 1000 on."] = 6
    layers: Annotated[int, at_least(1).because("1 suits such small models"), "Layers of the transformers."] = 1
    people: Biographies = Biographies()
    training: OnePass = OnePass()

    def __post_init__(self) -> None:
        templates, batch = self.people.templates, self.training.batch
        check(templates >= 2, "templates", templates, "a whole number >= 2", "with one there is no syntax to learn")
        check(batch <= FIRST, "batch", batch, f"at most {FIRST}", "the first snapshot must come after an update")


FEW, QUICK = Biographies(values=4, templates=2, names=2**16), OnePass(100, learning_rate=1.5e-2, warmup=5, hold=100)
WIDE, PEOPLE, LONG = (16, 32, 64, 128, 256), Biographies(names=2**24), OnePass(128, learning_rate=3e-3, hold=1000)
PRESETS = {
    "tiny": Config((16, 64), 4000, 2, 0.3, 10, 50, 2**14, skew=30, per_decade=4, people=FEW, training=QUICK),
    "small": Config(),
    "full": Config(WIDE, 3_000_000, 4, 0.5, 3_000, 4_000, per_decade=8, layers=2, people=PEOPLE, training=LONG),
}


@dataclass(frozen=True)
class Learner:
    """Transformers of one size in one kind of world, each on a natural sample of a world of its own; all sizes in the same."""

    population: int
    """Of the control, all equally frequent; 0 for Pitman-Yor's natural worlds."""
    discount: float
    skew: float
    asked: int
    search: int
    sentences: int
    per_decade: int
    people: Biographies
    shape: Shape
    training: OnePass
    seed: int

    def __str__(self) -> str:
        return "control" if self.population else f"width {self.shape.width}"

    @property
    def snapshots(self) -> tuple[int, ...]:
        """Sentences after which the models are asked: a geometric row, the last at the end."""
        count = round(self.per_decade * np.log10(self.sentences / FIRST))
        row = np.geomspace(FIRST, self.sentences, max(count, 2) + 1).round()
        return tuple(int(n) for n in row)

    def world(self, replicate: int) -> SyntaxKnowledge:
        """In the control attributes are alike as well, so that all facts are."""
        seed = world_seed(self.seed, STUDY, "control" if self.population else "natural", replicate)
        world = self.people.world(self.discount, seed, population=self.population or None)
        share = self.skew ** -np.linspace(0, 1, len(world.attributes))
        return world if self.population else replace(world, attribute_probabilities=tuple(share / share.sum()))

    @property
    def half(self) -> float:
        """Half of a fact's bits."""
        return float(np.log2(self.people.values)) / 2


def cells(config: Config, seed: int) -> Iterator[Work]:
    natural, control = [(0, config.asked, width) for width in config.widths], (config.population,) * 2
    for population, asked, width in [*natural, (*control, config.widths[-1])]:
        read = asked, config.search, config.sentences, config.per_decade, config.people
        shape = Shape(config.layers, width)
        case = Learner(population, config.discount, config.skew, *read, shape, config.training, seed)
        yield Work("acquire", case, config.seeds, cost=100 + width)


@dataclass(frozen=True, eq=False)
class Runs(Rows[Learner]):
    """What the R transformers of one case measured: S snapshots, F facts asked at each."""

    @cached_property
    def sentences(self) -> NDArray[np.int64]:
        """Seen before each snapshot (S,)."""
        return np.array(self.case.snapshots)

    @cached_property
    def upper(self) -> NDArray[np.bool_]:
        """The snapshots of the last tenfold: where thresholds are judged (S,)."""
        return np.asarray(self.sentences >= self.sentences[-1] / 10 * (1 - 1e-9))

    def facts(self, column: str) -> Floats:
        """A column of what was asked (R, S, F); facts are in the order of rank, then attribute."""
        flat = self.array(column, kind="fact")
        return np.asarray(flat.reshape(len(flat), len(self.sentences), -1), float)

    @cached_property
    def frequency(self) -> Floats:
        """p π_a of each fact (R, F)."""
        return self.facts("frequency")[:, 0]

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Whether each fact is known (R, S, F)."""
        return self.facts("gained") > self.case.half

    @cached_property
    def learned(self) -> Floats:
        """Sentences after which each fact is known for good, inf if it never is (R, F)."""
        return self.since("gained", self.case.half)

    def since(self, column: str, level: float) -> Floats:
        """Sentences after which a column of each fact stays above the level, inf if it never does (R, F)."""
        return np.array([learning_times(self.sentences, surplus) for surplus in self.facts(column) - level])

    def order(self, times: Floats) -> Floats:
        """Somers' D of falling frequency and these times (R,)."""
        return np.array([agreement(*pair) for pair in zip(self.frequency, times, strict=True)])

    @cached_property
    def bayes_order(self) -> float:
        """The Bayes code's on the same sentences, which knows a fact once it was told: mean over replicates."""
        return float(self.order(self.since("told", 0.5)).mean())

    def crossings(self, share: float) -> Floats:
        """ln of the frequency at which this share of the facts is known (R, S); nan where the facts do not show it."""
        pairs = zip(self.frequency, self.known, strict=True)
        return np.log([[crossing(frequency, known, share) for known in snapshots] for frequency, snapshots in pairs])

    @cached_property
    def thresholds(self) -> Floats:
        """ln q*: half of the facts are known (R, S)."""
        return self.crossings(0.5)

    @cached_property
    def sharpness(self) -> Floats:
        """ln of the frequency at which 90 % are known over that at which 10 % are (R, S)."""
        return self.crossings(0.9) - self.crossings(0.1)

    def exponent(self, logs: Floats) -> float:
        """d ln q* / d ln n over the last tenfold; nan where the threshold is not known throughout."""
        return slope(self.sentences[self.upper], np.exp(logs[self.upper]))

    @cached_property
    def told(self) -> Floats:
        """ln T: how often a fact at the threshold is told, mean over the first half of the last tenfold (R,)."""
        early = self.upper & (self.sentences <= self.sentences[-1] / np.sqrt(10) * (1 + 1e-9))
        return np.asarray((self.thresholds + np.log(self.sentences))[:, early].mean(1))

    @property
    def exposures(self) -> float:
        """T, geometric mean over replicates."""
        return float(np.exp(self.told.mean()))

    def by_attribute(self, facts: NDArray[Any]) -> NDArray[Any]:
        """Facts (R, F) as (R, A, entities by rank)."""
        return facts.reshape(len(facts), -1, len(self.case.world(0).pi)).swapaxes(1, 2)

    def log_ranks(self, frequency: ArrayLike) -> Floats:
        """ln of how many entities' facts of an attribute are at least so frequent, interpolated in logs (R, A)."""
        rows = -np.log(self.by_attribute(self.frequency))
        at, ranks = np.broadcast_to(-np.log(frequency), rows.shape[:2]), np.log(np.arange(1, rows.shape[2] + 1))
        return np.array([[np.interp(at[r, a], rows[r, a], ranks) for a in range(at.shape[1])] for r in range(len(at))])

    @cached_property
    def middles(self) -> Floats:
        """Geometric middles of the bins of sentences seen (B,)."""
        low, high = self.array("low", "high", kind="seen")[0]
        return np.asarray(np.sqrt(low * (high - 1.0)))


@lru_cache(maxsize=1)
def runs_of(found: Found) -> tuple[list[Runs], Runs]:
    """The sizes, rising, and the control."""
    *sizes, control = (Runs(rows.case, rows.frame) for rows in found.of(Learner))
    return sizes, control


TENTH = "sentences until value redundancy is a tenth of what it was at the start, or the run's length, over those for syntax"
ORDER = (
    "Somers' D of falling frequency and learning time, facts never learned tied at the end; the prediction is that of the "
    "Bayes code on the same sentences, which knows a fact once it was told"
)
SLOPE = "slope of ln(frequency at which half of the facts are known) on ln(sentences) over the last tenfold of the run"
RANK = (
    "measured over predicted rank at which half of the facts are known, geometric mean over attributes; T is how often a fact "
    "at the threshold is told, over the first half of the last tenfold, all attributes together"
)
T_TH = "the prediction is that of one who knows a fact from its T-th exposure on, exposures coming by chance, T as measured"
SHARP = f"frequency at which 90 % are known over that at which 10 % are, at the end; Bayes code: {AT_ONCE:.1f}; {T_TH}"
LESS = (
    "exponent of the smaller's threshold less the larger's, last tenfold, same worlds; 1 would be a threshold at rest"
)
ONCE = f"sentences until 90 % of facts are known over those until 10 % are; Bayes code: {AT_ONCE:.1f}; {T_TH} at half"
HALF = (
    "sentences until value redundancy is half of what the values are worth, or the run's length, with equal frequencies over "
    "those with Pitman-Yor's; the prediction is that of the Bayes code"
)


@claim(above(1), "ratio", PAPER, TENTH)
def syntax_first(t: Runs) -> Estimate:
    """{t}: syntax is learned before facts."""
    return statistic(lambda pair: delay(t, pair, pair[:, 0] / 10), t.array("syntax", "value", kind="seen")).exp()


def delay(t: Runs, pair: Floats, level: ArrayLike) -> float:
    """ln of how much later the second of two curves (2, B) falls below its level than the first."""
    early, late = (first_below(t.middles, *each) for each in zip(pair, np.broadcast_to(level, 2), strict=True))
    return float(np.log(late / early))


@claim(above(0.7), "Somers' D", PAPER, ORDER)  # 0.7: of two facts the more frequent comes first in 85 of 100 cases
def learned_in_order(t: Runs) -> Estimate:
    """{t}: facts are learned in the order of falling frequency."""
    return mean(t.order(t.learned)).against(t.bayes_order)


@claim(within(0.2), "log-log slope", TOLD_T, SLOPE)  # at d = 0.5 the data-law study's margin, 0.1 in redundancy
def threshold_falls(t: Runs) -> Estimate:
    """{t}: a fact is known once it was told often enough: the threshold frequency falls as 1/n."""
    return statistic(t.exponent, t.thresholds).against(-1.0)


@claim(within_factor(1.25), "ratio", TOLD_T, RANK)
def rank_predicted(t: Runs) -> Estimate:
    """{t}: T exposures, measured before, predict down to which rank each attribute is known at the end."""
    pairs = zip(t.by_attribute(t.frequency), t.by_attribute(t.known[:, -1]), strict=True)
    found = [[crossing(q, known) for q, known in zip(*pair, strict=True)] for pair in pairs]
    predicted = np.exp(t.told)[:, None] / t.sentences[-1]
    return mean((t.log_ranks(found) - t.log_ranks(predicted)).mean(1)).exp().against(1.0)


@claim(below(AT_ONCE), "ratio of frequencies", PAPER, SHARP)
def threshold_is_sharp(t: Runs) -> Estimate:
    """{t}: the threshold between known and unknown facts is sharper than the Bayes code's."""
    return mean(t.sharpness[:, -1]).exp().against(sharpness_after(t.exposures))


@claim(above(1), "ratio of frequencies", PAPER, "threshold of the smaller over the larger's at the end, same worlds")
def larger_know_rarer(narrow: Runs, wide: Runs) -> Estimate:
    """A larger model knows rarer facts: {wide} against {narrow}."""
    return ratio(*np.exp([narrow.thresholds[:, -1], wide.thresholds[:, -1]])).against(None)


@claim(above(0), "difference of log-log slopes", "docs/laws/capacity.md", LESS)
def small_is_full(narrow: Runs, wide: Runs) -> Estimate:
    """A small model fills up: the threshold of {narrow} falls more slowly than that of {wide}."""
    return statistic(wide.exponent, narrow.thresholds - wide.thresholds)


@claim(below(AT_ONCE), "ratio of sentences", FOLLOWS, ONCE)
def control_at_once(control: Runs) -> Estimate:
    """{control}: with equal frequencies facts are learned all at once."""
    early, half, late = np.quantile(control.learned, [0.1, 0.5, 0.9], axis=1, method="higher")
    told = np.exp(np.log(half).mean()) * control.frequency[0, 0]
    return ratio(np.where(np.isfinite(late), late, np.nan), early).against(sharpness_after(told))


@claim(above(1), "ratio", FOLLOWS, HALF)
def control_late(control: Runs, natural: Runs) -> Estimate:
    """{control}: with equal frequencies knowledge comes late."""
    later, both = partial(delay, natural, level=natural.case.half), (natural, control)
    n = np.maximum(natural.middles.round(), 1)
    law = np.array([data_law(t.case.world(0), n).value for t in both])
    paid = np.stack([t.array("value", kind="seen") for t in both], 1)
    return statistic(later, paid).exp().against(np.exp(later(law)))


def claims(found: Found) -> Iterator[Claim]:
    sizes, control = runs_of(found)
    narrow, wide = sizes[0], sizes[-1]
    for judged in (syntax_first, learned_in_order, threshold_falls, rank_predicted, threshold_is_sharp):
        yield judged(wide)
    yield from (larger_know_rarer(narrow, wide), small_is_full(narrow, wide))
    yield from (control_at_once(control), control_late(control, wide))


KNOWN = (
    "Facts of entities of rank low <= rank < high, the most frequent being 1, asked after so many sentences, drawn in between "
    "from and to; known: more than half of the bits gained. Gained: mean share of a fact's bits, log2 of the true value's "
    "probability over its base probability; below 0 where the model is led astray. Means over attributes and replicates."
)
PREDICTED = (
    "The rank at which a fact has been told T times, geometric mean over attributes, T measured on the widest transformer over "
    "the first half of the last tenfold and the same for all; a model without room falls behind it."
)
THRESHOLDS = (
    "Frequency p π_a at which half of the facts are known, geometric mean over replicates, with the lowest and highest. "
    "T/n: T measured on the widest transformer over the first half of the last tenfold. Learner's law: of a learner of this "
    "size that is not the best possible one; its two numbers are those of the study learner-law, nothing is fitted here."
)
MODELS = (
    "T: how often a fact at the threshold was told by then. Sharpness: frequency at which 90 % are known over that at 10 %. "
    "Order: Somers' D of falling frequency and learning time, all the run. The control, of equal frequencies, has no threshold."
)
TOLD = (
    "Share of facts known against how often they are expected to have been told, n p π, at moments of the last tenfold; bins "
    "of at least 10 facts. Bayes code: known once told, 1 - exp(-n p π)."
)
SHARES = (
    "Share of all facts asked that are known for good. Equal frequencies: nothing for long, then everything. Pitman-Yor "
    "frequencies: from the most frequent fact to ever rarer ones."
)
SEEN = "Mean redundancy per sentence in bits, over bins of sentences seen and replicates, prequential."


def tables(found: Found) -> Iterator[Table]:
    sizes, control = runs_of(found)
    narrow, wide = sizes[0], sizes[-1]
    facts = pl.concat(map(known, [*sizes, control]))
    yield Table("known", "Share of facts known, by rank and sentences seen", facts, KNOWN)
    if np.isfinite(wide.exposures):
        lines = pl.concat(predicted_ranks(wide, str(t)) for t in sizes)
        yield Table("predicted", "Down to which rank facts are known if T exposures decide", lines, PREDICTED)
    yield Table("thresholds", "Down to which frequency facts are known", thresholds(sizes), THRESHOLDS)
    yield Table("models", "How sharply, and in which order", pl.concat(map(models, sizes)), MODELS)
    yield Table("told", "Known by how often it was told", pl.concat(map(by_told, (narrow, wide))), TOLD)
    good = {str(t): known_for_good(t) for t in (narrow, wide, control)}
    shares = curves({"sentences": wide.sentences}, "known", good)
    yield Table("shares", "All at once, or one after the other", shares, SHARES)
    yield Table("seen", "Redundancy by sentences seen", pl.concat(map(seen, [*sizes, control])), SEEN)


def known(t: Runs) -> pl.DataFrame:
    """Share known and share of bits gained by sentences and bin of ranks."""
    facts, n = t.where(kind="fact"), t.sentences.astype(float)
    bins = LogBins(t.case.asked + 1, per_decade=RANKS_PER_DECADE)
    between = np.sqrt(n[1:] * n[:-1])
    ends = {"from": np.r_[n[0] ** 2 / between[0], between], "to": np.r_[between, n[-1] ** 2 / between[-1]]}
    which = bins.index(facts["rank"])
    ranks = {"low": pl.Series(bins.edges[which]), "high": pl.Series(bins.edges[which + 1])}
    gained = pl.col("gained")
    shares = {"known": (gained > t.case.half).mean(), "gained": gained.mean() / (2 * t.case.half)}
    means = facts.group_by("sentences", maintain_order=True, **ranks).agg(**shares)
    moments = pl.DataFrame({"model": str(t), "sentences": t.sentences, **ends})
    return moments.join(means, on="sentences", maintain_order="left")


def predicted_ranks(wide: Runs, model: str) -> pl.DataFrame:
    """The rank at which a fact has been told T times, over the sentences at which it is among those asked."""
    rank = [np.exp(wide.log_ranks(wide.exposures / n).mean()) for n in wide.sentences]
    within_those = pl.col("rank").is_between(1.001, wide.case.asked * 0.999)
    return pl.DataFrame({"model": model, "sentences": wide.sentences, "rank": rank}).filter(within_those)


def thresholds(sizes: list[Runs]) -> pl.DataFrame:
    """Of each size, where it is known, and both theories'."""
    n, parts = {"sentences": sizes[-1].sentences}, []
    for t in sizes:
        middle, low, high = np.exp([t.thresholds.mean(0), t.thresholds.min(0), t.thresholds.max(0)])
        line = partial(curve, n, model=str(t))
        parts.append(line({"frequency": sizes[-1].exposures / n["sentences"]}, series="T/n"))
        parts.append(line({"frequency": learners_threshold(t)}, series="learner's law"))
        parts.append(line({"frequency": middle}, (low, high), series="transformers"))
    return pl.concat(parts).filter(pl.col("frequency").is_finite())


def learners_threshold(t: Runs) -> Floats:
    """The same by the learner's law, geometric mean over the worlds (S,); inf where it knows no fact."""
    size = t.frame["parameters"].drop_nulls()[0], t.case.shape.width
    half = []
    for r in range(len(t.thresholds)):
        world = t.case.world(r)
        told = known_entities(world.sample(t.case.sentences))
        half.append(learners_law(t.case.training, world, t.sentences, *size, told).half())
    return np.asarray(np.exp(np.log(half).mean(0)))


def models(t: Runs) -> pl.DataFrame:
    """One row per snapshot."""
    columns = {
        "model": str(t),
        "parameters": t.frame["parameters"].drop_nulls()[0],
        "sentences": t.sentences,
        "T": np.exp(t.thresholds.mean(0)) * t.sentences,
        "sharpness": np.exp(t.sharpness.mean(0)),
        "facts known": t.known.sum(2).mean(0),
        "order": t.order(t.learned).mean(),
        "order, Bayes code": t.bayes_order,
    }
    return pl.DataFrame(columns).with_columns(pl.selectors.float().fill_nan(None))


def by_told(t: Runs) -> pl.DataFrame:
    """Share known by how often a fact is expected to have been told, n p π_a, at snapshots of the last tenfold."""
    parts = []
    for n in t.sentences[t.upper][::-2][::-1]:
        bin = ((pl.col("frequency") * n).log10() * TOLD_PER_DECADE).floor().alias("bin")
        each = t.where(kind="fact", sentences=n).group_by(bin).agg((pl.col("gained") > t.case.half).mean(), pl.len())
        shown = each.filter(pl.col("len") >= 10).sort("bin")
        x = {"told": 10 ** ((shown["bin"] + 0.5) / TOLD_PER_DECADE), "facts": shown["len"]}
        parts.append(curve(x, {"known": shown["gained"]}, model=str(t), series=f"{n:,} sentences"))
    ends = pl.concat(parts)["told"].to_numpy()
    told = np.geomspace(ends.min(), ends.max(), 60)
    bayes = curve({"told": told}, {"known": -np.expm1(-told)}, model=str(t), series="Bayes code")
    return pl.concat([bayes, *parts], how="diagonal")


def known_for_good(t: Runs) -> Floats:
    """Share of the facts asked (R, S)."""
    return np.asarray((t.learned[:, None] <= t.sentences[:, None] * (1 + 1e-9)).mean(2))


def seen(t: Runs) -> pl.DataFrame:
    """Prequential redundancy by bin of sentences."""
    bins = t.where(kind="seen").group_by(pl.lit(str(t)).alias("model"), "low", "high", maintain_order=True)
    return bins.agg(pl.col("syntax", "value").mean())


SENTENCES = Axis("sentences", "sentences seen")
SHARE = Axis("known", "share of facts known", log=False, domain=(0.0, 1.0))

FIGURES = (
    HeatMap("acquisition", "Which fact is known when", "known", x=SENTENCES, x_ends=("from", "to"),
            y=Axis("rank", "rank of the entity"), y_ends=("low", "high"), colour=SHARE, columns="model", line="predicted",
            caption="Facts become known from the most frequent to ever rarer ones, along the line."),
    Figure("threshold", "The threshold falls with data", "thresholds", x=SENTENCES,
           y=Axis("frequency", "frequency of the threshold", "per sentence"),
           kinds={"T/n": "theory", "learner's law": "theory", "transformers": "learner"}, columns="model",
           caption="The threshold reaches down to ever rarer facts, as 1/n while there is room."),
    Figure("exposures", "Known by how often it was told", "told", y=SHARE, columns="model",
           x=Axis("told", "times the fact is expected to have been told"),
           kinds={"Bayes code": "theory", ...: "learner"},
           caption="If exposures alone decide, the curves lie on one another."),
    Figure("control", "All at once, or one after the other", "shares", x=SENTENCES, y=SHARE, kinds="learner",
           caption="The control: how facts that are all equally frequent become known."),
)  # fmt: skip


def summary(found: Found) -> str:
    sizes, control = runs_of(found)
    T = sizes[-1].exposures
    measured = f"T = {T:.3g} exposures per fact" if np.isfinite(T) else "too little was learned to measure T"
    return (
        "Which fact does a learner know, and from when on? Theory says: syntax first, then facts by falling frequency, down "
        "to a sharp threshold that falls as 1/n while there is room. Transformers read each sentence of a natural sample "
        f"once, {sizes[0].sentences[-1]:,} in all, and are asked for every fact of the most frequent entities at moments in a "
        "geometric row. A fact counts as known while more than half of its bits are. Runs: "
        f"{', '.join(map(str, [*sizes, control]))}; the control, read by the widest, has equally frequent facts. On the widest "
        f"{measured}."
    )

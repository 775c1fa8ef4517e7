"""Which fact is known when: in the order of frequency, down to a threshold that falls with data?

Transformers read a natural sample once and are asked for every fact about the most frequent entities at moments in a geometric
row. A fact counts as known while more than half of its bits are: gained > h/2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Annotated, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart._checks import check
from twopart.evidence import Estimate, Found, Rows, above, below, claim, curve, mean, statistic, within, within_factor
from twopart.findings import Claim, Table
from twopart.fits import LogBins, agreement, crossing, learning_times, sharpness_after, slope
from twopart.laws import data_law
from twopart.report import Axis, Figure, HeatMap
from twopart.settings import at_least, between, settings
from twopart.studies import Work, world_seed
from twopart.studies._transformers import OnePass, Shape, ladder
from twopart.worlds import Biographies, SyntaxKnowledge

STUDY, TITLE = "acquisition", "Which fact is known when"
LAW = "docs/laws/data.md"
PAPER = f"Pan, Wang, Li 2025, arXiv 2504.09597; {LAW}"

Floats = NDArray[np.float64]
FIRST = 1000
"""Sentences before the first snapshot; the last tenfold of the run, where thresholds are judged, begins no earlier."""
AT_ONCE = sharpness_after(1.0)
"""From 10 % known to 90 % takes the Bayes code this factor in frequency, or in sentences if all facts are equally frequent."""
RANKS_PER_DECADE, TOLD_PER_DECADE = 6, 4  # bins


@settings
class Config:
    """Which fact is known when: transformers of several sizes, asked for every fact again and again as they learn."""

    widths: Annotated[
        tuple[int, ...],
        *ladder,
        "Widths of the transformers; the widest has room for all it meets, the narrowest has not.",
    ] = (4, 8, 16, 64)
    sentences: Annotated[
        int,
        at_least(4 * FIRST).because("there must be several snapshots"),
        "Sentences that each transformer reads, once.",
    ] = 300_000
    seeds: Annotated[int, at_least(2).because("an interval needs a spread"), "Replicates, each in its own world."] = 3
    discount: Annotated[
        float, between(0, 1, "()").because("0.5 is near what text shows"), "Discount d of the worlds."
    ] = 0.5
    population: Annotated[
        int, between(10, 2**20), "Entities of the control, all equally frequent; the widest transformer reads it."
    ] = 300
    asked: Annotated[
        int,
        between(50, 2**16).because("thresholds are read off many facts"),
        "Entities, the most frequent ones, whose facts are asked for.",
    ] = 400
    search: Annotated[
        int,
        at_least(2**14).because("2^22 show the 400 most frequent of most worlds"),
        "Draws that show which entities are frequent.",
    ] = 2**22
    skew: Annotated[
        float,
        at_least(1).because("1 speaks of all attributes alike"),
        "How many times more often the first attribute is spoken of than the last; the others form a geometric row.",
    ] = 8.0
    per_decade: Annotated[
        int,
        between(4, 100).because("a learning time is told no finer than that"),
        "Snapshots per factor of ten in sentences; the first is after 1000.",
    ] = 6
    layers: Annotated[int, at_least(1).because("1 suits such small models"), "Layers of the transformers."] = 1
    people: Biographies = Biographies()
    training: OnePass = OnePass()

    def __post_init__(self) -> None:
        two, first = "a whole number >= 2", f"at most {FIRST}"
        check(
            self.people.templates >= 2, "templates", self.people.templates, two, "with one there is no syntax to learn"
        )
        batch = self.training.batch
        check(batch <= FIRST, "batch", batch, first, "the first snapshot must come after an update")


PRESETS = {
    "tiny": Config(
        widths=(16, 64),
        sentences=4000,
        seeds=2,
        discount=0.3,
        population=10,
        asked=50,
        search=2**14,
        skew=30,
        per_decade=4,
        people=Biographies(values=4, templates=2, names=2**16),
        training=OnePass(batch=100, learning_rate=1.5e-2, warmup=5, hold=100),
    ),
    "small": Config(),
    "full": Config(
        widths=(16, 32, 64, 128, 256),
        sentences=3_000_000,
        seeds=4,
        population=3_000,
        asked=4_000,
        per_decade=8,
        layers=2,
        people=Biographies(names=2**24),
        training=OnePass(batch=128, learning_rate=3e-3, hold=1000),
    ),
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
    def work(population: int, asked: int, width: int) -> Work:
        read = asked, config.search, config.sentences, config.per_decade, config.people
        shape = Shape(config.layers, width)
        case = Learner(population, config.discount, config.skew, *read, shape, config.training, seed)
        return Work("acquire", case, config.seeds, cost=100 + width)

    for width in config.widths:
        yield work(0, config.asked, width)
    yield work(config.population, config.population, config.widths[-1])


@dataclass(frozen=True, eq=False)
class Runs:
    """What the R transformers of one case measured: S snapshots, F facts asked at each."""

    rows: Rows[Learner]

    def __str__(self) -> str:
        return str(self.rows)

    @cached_property
    def sentences(self) -> NDArray[np.int64]:
        """Seen before each snapshot (S,)."""
        return np.array(self.rows.case.snapshots)

    def facts(self, column: str) -> NDArray[Any]:
        """A column of what was asked (R, S, F)."""
        flat = self.rows.array(column, kind="fact")
        return np.asarray(flat.reshape(len(flat), len(self.sentences), -1))

    @cached_property
    def rank(self) -> NDArray[np.int64]:
        """Rank of each fact's entity by probability, from 1 (R, F)."""
        return self.facts("rank")[:, 0]

    @cached_property
    def attribute(self) -> NDArray[np.int64]:
        """Of each fact (R, F)."""
        return self.facts("attribute")[:, 0]

    @cached_property
    def frequency(self) -> Floats:
        """p π_a of each fact (R, F)."""
        return self.facts("frequency")[:, 0]

    @cached_property
    def surplus(self) -> Floats:
        """Bits of each fact known beyond half (R, S, F)."""
        return np.asarray(self.facts("gained") - self.rows.case.half)

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Whether each fact is known (R, S, F)."""
        return self.surplus > 0

    @cached_property
    def learned(self) -> Floats:
        """Sentences after which each fact is known for good, inf if it never is (R, F)."""
        return np.array([learning_times(self.sentences, surplus) for surplus in self.surplus])

    @cached_property
    def order(self) -> Floats:
        """Somers' D of falling frequency and learning time (R,)."""
        return np.array([agreement(*pair) for pair in zip(self.frequency, self.learned, strict=True)])

    @cached_property
    def bayes_order(self) -> float:
        """The same for the Bayes code on the same sentences, which knows a fact once it was told: mean over replicates."""
        told = [learning_times(self.sentences, told - 0.5) for told in self.facts("told")]
        return float(np.mean([agreement(*pair) for pair in zip(self.frequency, told, strict=True)]))

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

    @cached_property
    def upper(self) -> NDArray[np.bool_]:
        """The snapshots of the last tenfold: where thresholds are judged (S,)."""
        return np.asarray(self.sentences >= self.sentences[-1] / 10 * (1 - 1e-9))

    def exponent(self, logs: Floats) -> float:
        """d ln q* / d ln n over the last tenfold; nan where the threshold is not known throughout."""
        return float(slope(self.sentences[self.upper], np.exp(logs[self.upper])))

    @cached_property
    def told(self) -> Floats:
        """ln T: how often a fact at the threshold is told, mean over the first half of the last tenfold (R,)."""
        early = self.upper & (self.sentences <= self.sentences[-1] / np.sqrt(10) * (1 + 1e-9))
        return np.asarray((self.thresholds + np.log(self.sentences))[:, early].mean(1))

    @property
    def exposures(self) -> float:
        """T, geometric mean over replicates."""
        return float(np.exp(self.told.mean()))

    def rank_at(self, replicate: int, attribute: int, frequency: float) -> float:
        """How many entities' facts of this attribute are at least so frequent, between two as by interpolation in logs."""
        of = np.flatnonzero(self.attribute[replicate] == attribute)
        of = of[np.argsort(self.rank[replicate, of])]
        logs = -np.log(self.frequency[replicate, of]), np.log(self.rank[replicate, of])
        return float(np.exp(np.interp(-np.log(frequency), *logs))) if np.isfinite(frequency) else float("nan")

    def ranks_at(self, frequency: float) -> Floats:
        """The same for every replicate and attribute (R, A)."""
        R, A = len(self.rank), 1 + int(self.attribute.max())
        return np.array([[self.rank_at(r, a, frequency) for a in range(A)] for r in range(R)])

    @cached_property
    def rank_ratios(self) -> Floats:
        """ln of the rank down to which facts are known at the end over that of frequency T/n, mean over attributes (R,).

        Each run has its own T.
        """
        logs = []
        for r, predicted in enumerate(np.exp(self.told) / self.sentences[-1]):
            for a in range(1 + int(self.attribute.max())):
                of = self.attribute[r] == a
                found = crossing(self.frequency[r, of], self.known[r, -1, of])
                logs.append(np.log(self.rank_at(r, a, found) / self.rank_at(r, a, predicted)))
        return np.asarray(np.reshape(logs, (len(self.rank), -1)).mean(1))

    def until(self, share: float) -> Floats:
        """Sentences until this share of the facts asked is known for good; inf if it never is (R,)."""
        return np.asarray(np.quantile(self.learned, share, axis=1, method="higher"))

    @cached_property
    def share_known(self) -> Floats:
        """Share of the facts asked that are known for good (R, S)."""
        return np.array([(self.learned <= n * (1 + 1e-9)).mean(1) for n in self.sentences]).T

    @cached_property
    def middles(self) -> Floats:
        """Geometric middles of the bins of sentences seen (B,)."""
        low, high = self.rows.array("low", "high", kind="seen")[0]
        return np.asarray(np.sqrt(low * (high - 1.0)))


@lru_cache(maxsize=1)
def runs_of(found: Found) -> tuple[list[Runs], Runs]:
    """The sizes, rising, and the control."""
    runs = [Runs(rows) for rows in found.of(Learner)]
    return runs[:-1], runs[-1]


def first_below(x: Floats, curve: Floats, level: float) -> float:
    """Where a curve first falls below the level, between two points as by interpolation in ln x; the last x if nowhere."""
    below_it = np.flatnonzero(curve < level)
    if not below_it.size:
        return float(x[-1])
    if below_it[0] == 0:
        return float(x[0])
    ends = slice(below_it[0] - 1, below_it[0] + 1)
    return float(np.exp(np.interp(-level, -curve[ends], np.log(x[ends]))))


@claim(
    above(1),
    "ratio",
    PAPER,
    "sentences until value redundancy is a tenth of what it was at the start, over the same for syntax, the length of the run "
    "where it is not reached",
)
def syntax_first(t: Runs) -> Estimate:
    """{t}: syntax is learned before facts."""

    def delay(pair: Floats) -> float:
        syntax, value = (first_below(t.middles, bits, bits[0] / 10) for bits in pair)
        return float(np.log(value / syntax))

    return statistic(delay, t.rows.array("syntax", "value", kind="seen")).exp()


@claim(
    above(0.7),  # of two facts the more frequent comes first in 85 of 100 cases
    "Somers' D",
    PAPER,
    "Somers' D of falling frequency and learning time over all facts asked, those never learned tied at the end; the "
    "prediction is that of the Bayes code on the same sentences, which knows a fact once it was told",
)
def learned_in_order(t: Runs) -> Estimate:
    """{t}: facts are learned in the order of falling frequency."""
    return mean(t.order).against(t.bayes_order)


@claim(
    within(0.2),  # at d = 0.5 that is 0.1 in redundancy's exponent, the data-law study's margin
    "log-log slope",
    f"{LAW}, exposures",
    "slope of ln(frequency at which half of the facts are known) on ln(sentences) over the last tenfold of the run",
)
def threshold_falls(t: Runs) -> Estimate:
    """{t}: a fact is known once it was told often enough: the threshold frequency falls as 1/n."""
    return statistic(t.exponent, t.thresholds).against(-1.0)


@claim(
    within_factor(1.25),
    "ratio",
    f"{LAW}, exposures",
    "measured over predicted rank of the entity at which half of the facts are known, geometric mean over attributes; T is how "
    "often a fact at the threshold is told, over the first half of the last tenfold, all attributes together",
)
def rank_predicted(t: Runs) -> Estimate:
    """{t}: T exposures, measured before, predict down to which rank each attribute is known at the end."""
    return mean(t.rank_ratios).exp().against(1.0)


@claim(
    below(AT_ONCE),  # the Bayes code's
    "ratio of frequencies",
    PAPER,
    "frequency at which 90 % of the facts are known over that at which 10 % are, at the end; the Bayes code's is "
    f"{AT_ONCE:.1f}; the prediction is that of a learner who knows a fact from its T-th exposure on, T as measured, exposures "
    "coming by chance",
)
def threshold_is_sharp(t: Runs) -> Estimate:
    """{t}: the threshold between known and unknown facts is sharper than the Bayes code's."""
    return mean(t.sharpness[:, -1]).exp().against(_sharpness(t.exposures))


def _sharpness(exposures: float) -> float | None:
    """What telling by chance leaves of a threshold at exactly T exposures; None where T is not known."""
    return sharpness_after(exposures) if np.isfinite(exposures) else None


@claim(
    above(1),
    "ratio of frequencies",
    PAPER,
    "threshold frequency of the smaller over that of the larger at the end, in the same worlds",
)
def larger_know_rarer(narrow: Runs, wide: Runs) -> Estimate:
    """A larger model knows rarer facts: {wide} against {narrow}."""
    return mean((narrow.thresholds - wide.thresholds)[:, -1]).exp()


@claim(
    above(0),
    "difference of log-log slopes",
    "docs/laws/capacity.md",
    "exponent of the smaller model's threshold frequency less that of the larger's, over the last tenfold, in the same worlds; "
    "1 would be a threshold that stands still",
)
def small_is_full(narrow: Runs, wide: Runs) -> Estimate:
    """A small model fills up: the threshold of {narrow} falls more slowly than that of {wide}."""
    return statistic(wide.exponent, narrow.thresholds - wide.thresholds)


@claim(
    below(AT_ONCE),  # the Bayes code's
    "ratio of sentences",
    f"{LAW}, what follows",
    f"sentences until 90 % of the facts are known over sentences until 10 % are; the Bayes code's are {AT_ONCE:.1f}; the "
    "prediction is that of a learner who knows a fact from its T-th exposure on, T as measured when half are known",
)
def control_at_once(control: Runs) -> Estimate:
    """{control}: with equal frequencies facts are learned all at once."""
    late = np.where(np.isfinite(control.until(0.9)), control.until(0.9), np.nan)
    told = float(np.exp(np.log(control.until(0.5)).mean()) * control.frequency[0, 0])
    return mean(np.log(late / control.until(0.1))).exp().against(_sharpness(told))


@claim(
    above(1),
    "ratio",
    f"{LAW}, what follows",
    "sentences until value redundancy is half of what the values are worth, the run's length where it is not reached, with "
    "equal frequencies over those with Pitman-Yor's; the prediction is that of the Bayes code",
)
def control_late(control: Runs, natural: Runs) -> Estimate:
    """{control}: with equal frequencies knowledge comes late."""
    x, both = natural.middles, (control, natural)

    def delay(pair: Floats) -> float:
        late, early = (first_below(x, bits, natural.rows.case.half) for bits in pair)
        return float(np.log(late / early))

    curves = np.stack([t.rows.array("value", kind="seen") for t in both], axis=1)
    law = np.array([data_law(t.rows.case.world(0), np.maximum(x.round(), 1)).value for t in both])
    return statistic(delay, curves).exp().against(np.exp(delay(law)))


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
    "Theory: T/n, T measured on the widest transformer over the first half of the last tenfold."
)
MODELS = (
    "T: how often a fact at the threshold was told by then. Sharpness: frequency at which 90 % are known over that at which "
    "10 % are. Order: Somers' D of falling frequency and learning time, and the Bayes code's, all the run. The control, whose "
    "facts are equally frequent, has no threshold."
)
TOLD = (
    "Share of facts known against how often they are expected to have been told, n p π, at moments of the last tenfold; bins "
    "of at least 10 facts. Bayes code: known once told, 1 - exp(-n p π)."
)
SHARES = (
    "Share of all facts asked that are known for good. Equal frequencies: nothing for long, then everything. "
    "Pitman-Yor frequencies: from the most frequent fact to ever rarer ones."
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
    shares = (
        curve({"sentences": t.sentences}, {"known": t.share_known}, series=str(t)) for t in (narrow, wide, control)
    )
    yield Table("shares", "All at once, or one after the other", pl.concat(shares), SHARES)
    yield Table("seen", "Redundancy by sentences seen", pl.concat(map(seen, [*sizes, control])), SEEN)


def known(t: Runs) -> pl.DataFrame:
    """Share known and share of bits gained by sentences and bin of ranks."""
    bins = LogBins(int(t.rank.max()) + 1, per_decade=RANKS_PER_DECADE)
    edges = np.sqrt(t.sentences[1:] * 1.0 * t.sentences[:-1])
    edges = np.r_[t.sentences[0] ** 2 / edges[0], edges, t.sentences[-1] ** 2 / edges[-1]]
    share, gained = (
        np.mean([_binned(bins.index(r), x) for r, x in zip(t.rank, each, strict=True)], axis=0)
        for each in (t.known, t.facts("gained") / (2 * t.rows.case.half))
    )
    S, B = share.shape
    moments = {"sentences": t.sentences, "from": edges[:-1], "to": edges[1:]}
    ranks = {"low": bins.edges[:-1], "high": bins.edges[1:]}
    places = {k: np.repeat(x, B) for k, x in moments.items()} | {k: np.tile(x, S) for k, x in ranks.items()}
    return pl.DataFrame({"model": str(t), **places, "known": share.ravel(), "gained": gained.ravel()})


def _binned(which: NDArray[np.int64], each: NDArray[Any]) -> Floats:
    """Means over facts in each bin, shape (S, bins)."""
    return np.array([np.bincount(which, row) for row in each]) / np.bincount(which)


def predicted_ranks(wide: Runs, model: str) -> pl.DataFrame:
    """The rank at which a fact has been told T times, over the sentences at which it is among those asked."""
    rank = [np.exp(np.log(wide.ranks_at(wide.exposures / n)).mean()) for n in wide.sentences]
    within_those = pl.col("rank").is_between(1.001, int(wide.rank.max()) * 0.999)
    return pl.DataFrame({"model": model, "sentences": wide.sentences, "rank": rank}).filter(within_those)


def thresholds(sizes: list[Runs]) -> pl.DataFrame:
    """Of each size, where it is known, and theory's."""
    n, T = sizes[-1].sentences, sizes[-1].exposures
    curves = [curve({"sentences": n}, {"frequency": T / n}, series="T/n")]
    for t in sizes:
        logs = t.thresholds
        band = np.exp(logs.min(0)), np.exp(logs.max(0))
        curves.append(curve({"sentences": n}, {"frequency": np.exp(logs.mean(0))}, band, series=str(t)))
    return pl.concat(curves).filter(pl.col("frequency").is_not_nan())


def models(t: Runs) -> pl.DataFrame:
    """One row per snapshot."""
    columns = {
        "sentences": t.sentences,
        "T": np.exp(t.thresholds.mean(0)) * t.sentences,
        "sharpness": np.exp(t.sharpness.mean(0)),
        "facts known": t.known.sum(2).mean(0),
        "order": np.full(len(t.sentences), t.order.mean()),
        "order, Bayes code": np.full(len(t.sentences), t.bayes_order),
    }
    named = pl.DataFrame({"model": str(t), "parameters": t.rows.frame["parameters"].drop_nulls()[0], **columns})
    return named.with_columns(pl.selectors.float().fill_nan(None))


def by_told(t: Runs) -> pl.DataFrame:
    """Share known by how often a fact is expected to have been told, n p π_a, at snapshots of the last tenfold."""
    parts = []
    for at in np.flatnonzero(t.upper)[::-2][::-1]:
        n = int(t.sentences[at])
        told = t.frequency.ravel() * n
        bin = np.floor(np.log10(told) * TOLD_PER_DECADE).astype(int)
        each = (
            pl.DataFrame({"bin": bin, "known": t.known[:, at].ravel()})
            .group_by("bin")
            .agg(pl.col("known").mean(), pl.len())
        )
        shown = each.filter(pl.col("len") >= 10).sort("bin")
        x = {"told": 10 ** ((shown["bin"].to_numpy() + 0.5) / TOLD_PER_DECADE), "facts": shown["len"].to_numpy()}
        parts.append(curve(x, {"known": shown["known"]}, model=str(t), series=f"{n:,} sentences"))
    ends = pl.concat(parts)["told"]
    told = np.geomspace(ends.min(), ends.max(), 60)  # type: ignore[arg-type]
    bayes = curve({"told": told}, {"known": -np.expm1(-told)}, model=str(t), series="Bayes code")
    return pl.concat([bayes, *parts], how="diagonal")


def seen(t: Runs) -> pl.DataFrame:
    """Prequential redundancy by bin of sentences."""
    means = t.rows.where(kind="seen").group_by("low", "high", maintain_order=True).agg(pl.col("syntax", "value").mean())
    return means.select(pl.lit(str(t)).alias("model"), pl.all())


SENTENCES = Axis("sentences", "sentences seen")
SHARE = Axis("known", "share of facts known", log=False, domain=(0.0, 1.0))

FIGURES = (
    HeatMap(
        "acquisition",
        "Which fact is known when",
        table="known",
        x=SENTENCES,
        x_ends=("from", "to"),
        y=Axis("rank", "rank of the entity"),
        y_ends=("low", "high"),
        colour=SHARE,
        columns="model",
        line="predicted",
        caption="Facts become known from the most frequent to ever rarer ones, along the line; the control's all at once.",
    ),
    Figure(
        "threshold",
        "The threshold falls with data",
        table="thresholds",
        x=SENTENCES,
        y=Axis("frequency", "frequency at which half of the facts are known", "per sentence"),
        kinds={"T/n": "theory", ...: "learner"},
        caption="What is known reaches down to ever rarer facts, as 1/n while there is room.",
    ),
    Figure(
        "exposures",
        "Known by how often it was told",
        table="told",
        x=Axis("told", "times the fact is expected to have been told"),
        y=SHARE,
        kinds={"Bayes code": "theory", ...: "learner"},
        columns="model",
        caption="If exposures alone decide, the curves lie on one another.",
    ),
    Figure(
        "control",
        "All at once, or one after the other",
        table="shares",
        x=SENTENCES,
        y=SHARE,
        kinds="learner",
        caption="Equally frequent facts are learned all at once.",
    ),
)


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

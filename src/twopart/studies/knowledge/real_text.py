"""Does a learner's loss on real text fall as the text's own discount says, and if not, as what?

The theory speaks of exchangeable words of one discount. Real text is neither, and each claim says how far that carries.
No floor is known for real text, so none is subtracted. If a loss is E + A n^-a, what the next factor of text saves,
L(n) - L(r n), is A (1 - r^-a) n^-a: its slope on logarithmic axes is -a whatever E. So data sizes stand in a geometric row.
Intervals are bootstrap over held-out documents: how much a number hangs on which there are. Every model is trained once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart import _random
from twopart._checks import InputError, check
from twopart.codes.exam import BETWEEN, FAMILIARITY, Marks
from twopart.evidence import Estimate, Found, Judge, Rows, above, around, below, claim, curve, statistic
from twopart.evidence.judges import within, within_range
from twopart.findings import Claim, Table, Verdict
from twopart.fits import ScalingFit, scaling_law, slope
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, settings
from twopart.studies import Work
from twopart.studies._transformers import OnePass, Shape, ladder
from twopart.tools.measure.sources import Source, list_sources, looks_binary
from twopart.worlds import Documents, divide, standard_library

STUDY, TITLE = "real-text", "Real text"
HERE = "docs/laws/real-text.md"
PAPER = f"Pan, Wang, Li 2025, arXiv 2504.09597; {HERE}"

Floats = NDArray[np.float64]
Words = Literal["text", "shuffled", "drawn"]
"""The words in their order, the same shuffled, or words drawn from the law fitted to them."""
Kinds: TypeAlias = dict[Any, Kind]

UPDATES, RANGE = "a model needs updates to get going", "an exponent of differences needs three"
NOISE, SPREAD = "300,000 leave a few per cent of noise", "an interval needs a spread"
FIRST = at_least(10_000).because(UPDATES)
TOKENS, SEEN = between(256, 2**16 - 1).because("256 are the bytes"), "128 holds a few lines"


@settings
class Text:
    """What is read."""

    texts: Annotated[tuple[str, ...], "Files and folders; none takes Python's standard library, without tests."] = ()
    pattern: Annotated[str, "Which files below the folders are read."] = "*"
    size: Annotated[int, at_least(40_000), "Bytes that each model reads once, documents in random order."] = 4_000_000
    held_out: Annotated[int, at_least(5000).because(NOISE), "Bytes of other documents, to examine on."] = 300_000


@settings
class Config:
    """Real text: do losses fall as the text's own discount says?"""

    text: Text = Text()
    least: Annotated[int, FIRST, "Bytes until the first exam; tokens come of them."] = 125_000
    data_sizes: Annotated[int, at_least(4).because(RANGE), "Exams, from least to size in a geometric row."] = 6
    vocabulary: Annotated[int, TOKENS, "Tokens: all bytes, and frequent pairs of tokens."] = 512
    widths: Annotated[tuple[int, ...], *ladder, "Widths of the models; one training run each."] = (8, 16, 32, 64, 128)
    layers: Annotated[int, at_least(1).because("2 suits such small models"), "Layers of the transformers."] = 2
    context: Annotated[int, at_least(8).because(SEEN), "Tokens seen at once; they count as a sentence."] = 128
    shuffles: Annotated[int, at_least(2).because(SPREAD), "Replicates of words shuffled, or drawn from their law."] = 8
    training: OnePass = OnePass(batch=2, learning_rate=3e-3, warmup=100, hold=600)

    def __post_init__(self) -> None:
        least, tokens = self.least, self.training.batch * self.context
        check(least >= 20 * tokens, "least", least, f">= 20 updates of {tokens} tokens", "take smaller batches")
        check(self.text.size >= 4 * least, "size", self.text.size, ">= 4 times `least`", "an exponent needs a range")

    @property
    def sizes(self) -> tuple[int, ...]:
        """The data sizes in bytes, in a geometric row."""
        return tuple(round(n) for n in np.geomspace(self.least, self.text.size, self.data_sizes))


PRESETS = {
    "tiny": Config(
        Text(size=40_000, held_out=10_000), least=10_000, data_sizes=4, vocabulary=300, widths=(4, 8), layers=1,
        context=32, shuffles=4, training=OnePass(batch=15, learning_rate=1e-2, warmup=5, hold=30),
    ),
    "small": Config(),
    "full": Config(
        Text(size=8_000_000), data_sizes=7, vocabulary=1024, widths=(16, 32, 64, 128, 256, 512), layers=4,
        context=256, shuffles=16, training=OnePass(batch=8, learning_rate=2e-3, warmup=100, hold=600),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """A text, divided; of its words, `twopart measure` says what the theory makes of them."""

    text: Text
    seed: int
    """Draws the order of the documents."""
    digest: str = ""
    """Of the divided text, so that another text under the same name is another case; empty where it is not known yet."""

    def __post_init__(self) -> None:
        if not self.digest:
            object.__setattr__(self, "digest", self.documents.digest)

    def __str__(self) -> str:
        return "words"

    @property
    def documents(self) -> Documents:
        return _documents(self.text, self.seed)


@lru_cache(maxsize=2)
def _documents(text: Text, seed: int) -> Documents:
    """Of the files that are not empty and hold text."""
    listed = list_sources(text.texts, pattern=text.pattern) if text.texts else map(Source, standard_library())
    files = [file for file in (source.path.read_bytes() for source in listed) if file and not looks_binary(file)]
    return divide(files, text.size, text.held_out, _random.generator(seed, STUDY, "order"))


@dataclass(frozen=True)
class Model:
    """A transformer reads the text and is examined at every size in bytes."""

    reading: Reading
    sizes: tuple[int, ...]
    vocabulary: int
    shape: Shape
    context: int
    training: OnePass

    def __str__(self) -> str:
        return f"width {self.shape.width}"


@dataclass(frozen=True)
class Compressor:
    """Context mixing reads the text and is examined at every size in bytes."""

    reading: Reading
    sizes: tuple[int, ...]

    def __str__(self) -> str:
        return "compressor"


@dataclass(frozen=True)
class Control:
    """The Bayes code of the text's Pitman-Yor law reads words without order: those of the text, shuffled.

    What the theory expects of that code is what it pays for as many words drawn from the very law: θ keeps its exponent from
    1 - d at these sizes. The same code in the order of the text tells what order alone does.
    """

    reading: Reading
    source: Words

    def __str__(self) -> str:
        return f"words {self.source}"


def cells(config: Config, seed: int) -> Iterator[Work]:
    order = int(_random.keys(seed, 1, STUDY)[0] >> 32)  # that of the published runs, so that their text is read again
    reading = Reading(config.text, order)
    for width in config.widths:
        shape = Shape(config.layers, width)
        model = Model(reading, config.sizes, config.vocabulary, shape, config.context, config.training)
        yield Work("train_model", model, cost=width)
    yield Work("compress_text", Compressor(reading, config.sizes))
    yield Work("measure_words", reading)
    for source in get_args(Words):
        yield Work("code_words", Control(reading, source), 1 if source == "text" else config.shuffles)


class Range(NamedTuple):
    """A prediction in two numbers: by the discount of the whole text, and by that of a random tenth."""

    whole: float
    tenth: float


@dataclass(frozen=True, eq=False)
class Reader(Marks):
    """A model or the compressor, and what it was charged after every size."""

    name: str
    params: int | None = None

    @classmethod
    def of(cls, rows: Rows[Model] | Rows[Compressor]) -> Reader:
        params = rows.frame["params"][0] if "params" in rows.frame.columns else None
        return cls(rows.frame, rows.case.sizes, f"{params:,} parameters" if params else str(rows), params)

    def fall(self, bits: Floats) -> float:
        """a, from the savings of bits (sizes,) as they fall with the size; nan where one of them is not positive."""
        return -slope(self.sizes[:-1], bits[:-1] - bits[1:])

    @cached_property
    def exponent(self) -> Estimate:
        """At which its loss falls."""
        return over_documents(self.fall, self.bits)

    def curve(self, y: str, values: Floats) -> pl.DataFrame:
        """Of a number after each size, or after each but the last."""
        rows = curve({"bytes": self.sizes[: len(values)]}, {y: values}, series=self.name)
        return rows.with_columns(params=pl.lit(self.params, pl.Int64))

    @property
    def runs(self) -> pl.DataFrame:
        """Of a model, a row for each size: params, tokens, flops, loss in nats per token, bytes, bits per byte."""
        first = self.frame.unique("size", keep="first", maintain_order=True)
        nats = self.bits.sum(0) * np.log(2) / first["held_out_tokens"].to_numpy()
        return first.select("params", "tokens", "flops", loss=nats, bytes="size", bits_per_byte=self.per_byte)


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that the cells found."""

    models: tuple[Reader, ...]
    """The smallest first."""
    compressor: Reader
    counts: Rows[Reading]
    control: dict[Words, Rows[Control]]

    @property
    def largest(self) -> Reader:
        return self.models[-1]

    def law(self, number: str) -> Range:
        """A number of the laws of words, "discount" or "error"."""
        return Range(*self.counts.where(axis=Range._fields)[number])

    @property
    def discount(self) -> Range:
        return self.law("discount")

    @property
    def data(self) -> Range:
        """The exponent of data, 1 - d."""
        return Range(*(1 - d for d in self.discount))

    def novelty(self, order: str = "distinct") -> float:
        """1 - d ln K/d ln n over the range of the sizes, for the words in the text's order ("distinct") or at "random".

        New words come at the rate dK/dn, so it is the exponent at which their share of the next words falls.
        """
        growth, reach = self.counts.where(axis="growth"), self.largest.sizes[0] / self.largest.sizes[-1]
        late = growth.filter(pl.col("tokens") >= pl.col("tokens").max() * reach)
        return 1 - slope(late["tokens"], late[order])

    @cached_property
    def unseen(self) -> Estimate:
        """The exponent at which the share of unseen words among those held out falls."""
        return over_documents(lambda mean: -slope(self.largest.sizes, mean), self.largest.cube("words")[:, :, 0])

    @cached_property
    def costs(self) -> Floats:
        """Of the largest model, bits and bytes (documents, 2, sizes, familiarity)."""
        return np.stack([self.largest.cube("bits"), self.largest.cube("length")], 1)

    @cached_property
    def windows(self) -> Floats:
        """Words read before each window of the control but the last."""
        return np.asarray(self.control["text"].array("words")[0, :-1], float)

    def saved(self, source: Words) -> Floats:
        """What each window of the control costs less than the one before (replicates, windows - 1)."""
        return -np.diff(self.control[source].array("bits"))

    def falls(self, source: Words) -> Estimate:
        """The exponent of the words shuffled, or of those drawn from the law: what the theory expects it to be."""
        return statistic(lambda mean: -slope(self.windows, mean), self.saved(source), over="shuffles")

    @cached_property
    def runs(self) -> pl.DataFrame:
        """Those of all models."""
        return pl.concat(model.runs for model in self.models)


@lru_cache(maxsize=1)
def evidence(found: Found) -> Evidence:
    models, control = map(Reader.of, found.of(Model)), {t.case.source: t for t in found.of(Control)}
    return Evidence(tuple(models), Reader.of(found.one(Compressor)), found.one(Reading), control)


def over_documents(of_mean: Callable[[Any], float], documents: Floats) -> Estimate:
    """A statistic of the mean over held-out documents."""
    return statistic(of_mean, documents, over="held-out documents")


@lru_cache(maxsize=2)
def fit(e: Evidence, form: str) -> ScalingFit | None:
    """A scaling law fitted to all runs, floor and all; None where they do not show it."""
    params, tokens, loss = (e.runs[name].to_numpy() for name in ("params", "tokens", "loss"))
    try:
        return scaling_law(params, tokens, loss, form=form, objective="squares", resamples=0)
    except InputError:
        return None


def fitted(law: ScalingFit | None, parameter: str) -> Estimate:
    """A parameter of a fit; nan where there is none."""
    value = math.nan if law is None else law.parameters[parameter]
    interval = (-math.inf, math.inf) if law is None else law.profile(parameter).interval
    return Estimate(value, interval, over="", kind="interval of the profile likelihood")


BOTH = "predicted: {whole:.3f} by the discount of the whole text, {tenth:.3f} by that of a random tenth"
SAVINGS = "slope of the savings from each data size to the next"
FORM = "E + A N^-alpha + B D^-beta, N parameters and D tokens"
NEARER = f"{SAVINGS}; the middle, {{middle:.3f}}, lies between the rival and the discounts' nearer end, {{end:.3f}}"
ORDER = "predicted: 1 less the slope of distinct words on words over the same range, in the order of the text"
CONTROL = "slope of what each doubling of the words saves; predicted: of the law's own words; limit: 1 - d = {e.data.whole:.3f}"
DISCOUNTS = "discount of a random tenth, {e.discount.tenth:.3f}, less that of the whole, {e.discount.whole:.3f}"
RIVAL = "holds if {it} lies on the rival's side of the middle, fails if on the other; open where the rival lies in the range"


def within_reach(margin: float) -> Judge:
    """Within `margin` of the range between what the discount of the whole and that of a tenth predict."""

    def room(e: Estimate) -> tuple[float, float]:
        low, high = sorted((e.words["whole"], e.words["tenth"]))
        return low - margin, high + margin

    words = f"from {margin:g} below the lower to {margin:g} above the higher, fails if wholly outside"
    return Judge(f"holds if {{it}} lies {words}", lambda e: within_range(*room(e)).decide(e), (room,))


def _side(e: Estimate) -> Verdict:
    rival, middle = e.predicted, e.words["middle"]
    return "inconclusive" if rival == middle else (below if rival < middle else above)(middle).decide(e)


def ranged(estimate: Estimate, expected: Range) -> Estimate:
    """A number against what the discounts of the whole and of a tenth make of it."""
    return estimate.against(expected.whole, **expected._asdict())


@claim(within(0.05), "exponent", PAPER, CONTROL)  # tight: here the theory must hold if the text has a law of its kind
def control(e: Evidence) -> Estimate:
    """Words shuffled: what the Bayes code of the text's Pitman-Yor law pays for a word falls as the law expects."""
    return e.falls("shuffled").against(e.falls("drawn").value)


@claim(within(0.05), "discount", HERE, DISCOUNTS)  # discounts within this count as one
def one_discount(e: Evidence) -> Estimate:
    """One Pitman-Yor law describes the text at every size: a random tenth has the discount of the whole."""
    gap, reach = e.discount.tenth - e.discount.whole, 1.96 * math.hypot(*e.law("error"))
    return Estimate(gap, (gap - reach, gap + reach), over="", kind="interval of the likelihood").against(0.0)


@claim(within_reach(0.1), "exponent", PAPER, f"slope of the share of unseen words on bytes read; {BOTH}")
def unseen_words(e: Evidence) -> Estimate:
    """In other documents, the share of words that were not read before falls as N^-(1-d)."""
    return ranged(e.unseen, e.data)


@claim(within_reach(0.1), "exponent", PAPER, f"{SAVINGS}; {BOTH}")
def data_exponent(e: Evidence) -> Estimate:
    """The loss of the largest model falls with data as N^-(1-d)."""
    return ranged(e.largest.exponent, e.data)


@claim(within(0.1), "exponent", f"the rival: no law, only order; {HERE}", f"{SAVINGS}; {ORDER}")
def rival(e: Evidence) -> Estimate:
    """The loss of the largest model falls with data as new words do in the order of the text."""
    return e.largest.exponent.against(e.novelty())


@claim(Judge(RIVAL, _side), "exponent", HERE, NEARER)
def nearer(e: Evidence) -> Estimate:
    """The order of the text foretells a learner's exponent better than its discount does."""
    rival = e.novelty()
    end = float(np.clip(rival, min(e.data), max(e.data)))
    return e.largest.exponent.against(rival, middle=(rival + end) / 2, end=end)


@claim(within_reach(0.1), "exponent", PAPER, f"beta of {FORM}; {BOTH}")
def fitted_data_exponent(e: Evidence) -> Estimate:
    """A scaling law fitted to all runs has the data exponent 1 - d."""
    return ranged(fitted(fit(e, "chinchilla"), "beta"), e.data)


@claim(within_reach(0.2), "exponent", PAPER, f"alpha of {FORM}; {BOTH}")  # exponents of parameters are larger
def fitted_capacity_exponent(e: Evidence) -> Estimate:
    """A scaling law fitted to all runs has the exponent of parameters 1/d - 1."""
    return ranged(fitted(fit(e, "chinchilla"), "alpha"), Range(*(1 / d - 1 for d in e.discount)))


@claim(within_reach(0.1), "discount", PAPER, f"d of E + A N^-(1/d - 1) + B D^-(1 - d) fitted to all runs; {BOTH}")
def fitted_discount(e: Evidence) -> Estimate:
    """One discount sets both exponents, and it is the text's."""
    return ranged(fitted(fit(e, "knowledge"), "d"), e.discount)


@claim(within(0.1), "exponent", HERE, "the compressor's slope less the model's, same documents after the same text")
def without_training(e: Evidence) -> Estimate:
    """A compressor, which needs no training, has the exponent of the largest model."""
    both = np.stack([e.compressor.bits, e.largest.bits], 1)
    return over_documents(lambda mean: e.compressor.fall(mean[0]) - e.largest.fall(mean[1]), both).against(0.0)


@claim(above(1), "ratio", PAPER, "least ratio of a group's bits per byte to the next one's, largest model at the end")
def familiar_is_cheap(e: Evidence) -> Estimate:
    """The more often a word was read, the less a letter of it costs: unseen, 1 to 3 times, 4 to 10, more."""

    def least_step(mean: Floats) -> float:
        cost = mean[0] / mean[1]
        return float(np.min(cost[:-1] / cost[1:]))

    return over_documents(least_step, e.costs[:, :, -1, :BETWEEN])


@claim(within(0.05), "exponent", PAPER, "exponent at which bits per byte of unseen words fall, largest model")
def novelty_is_incompressible(e: Evidence) -> Estimate:
    """A word that was never read costs the same however much was read: only its share falls."""
    exponent = over_documents(lambda mean: -slope(e.largest.sizes, mean[0] / mean[1]), e.costs[:, :, :, 0])
    return exponent.against(0.0)


def claims(found: Found) -> Iterator[Claim]:
    e = evidence(found)
    yield from (control(e), one_discount(e), unseen_words(e), data_exponent(e), rival(e), nearer(e))
    yield from (fitted_data_exponent(e), fitted_capacity_exponent(e), fitted_discount(e))
    yield from (without_training(e), familiar_is_cheap(e), novelty_is_incompressible(e))


RUNS = "A row for each model and data size; loss: nats per token on the held-out documents. `twopart fit` reads this format."
PREDICTIONS = "By the law of the whole text and of a random tenth; growth: 1 less the slope of distinct words on words."
EXPONENTS = "Of what the next data size saves, with its interval over held-out documents (control: over replicates)."
LOSSES = "Bits per byte on the held-out documents after each number of bytes read."
SAVED = "Bits per byte that the next size saves, whatever the floor; lines: slopes predicted, at the largest's height."
GROUPS = (
    "By how often a word stands in what was read; part of the loss: bits per byte of all; between: what is in no word."
)
SHUFFLED = "Bits per word that each doubling saves the Bayes code of the text's law of words; bars: 95 % of the mean."
GROWTH = "Distinct words as the text is read, and in random order: exact expectation from the same counts."

LINES: Kinds = {"1 - d of the whole": "theory", "1 - d of a tenth": "theory", "new words in order": "asymptote"}
WORDS: Kinds = {"the law's own words": "theory", "words shuffled": "simulation", "order of the text": "learner"}
ORDERS: Kinds = {"random order": "theory", "order of the text": "learner"}


def tables(found: Found) -> Iterator[Table]:
    e = evidence(found)
    losses = [t.curve("bits per byte", t.per_byte) for t in (*e.models, e.compressor)]
    familiar = [familiarity(t) for t in (e.largest, e.compressor)]
    yield Table("runs", "Runs", e.runs, RUNS, csv=True)
    yield Table("predictions", "Predictions", predictions(e), PREDICTIONS)
    yield Table("exponents", "Exponents of data", exponents(e), EXPONENTS)
    yield Table("losses", "Losses by reader", pl.concat(losses), LOSSES)
    yield Table("savings", "Savings by reader", savings(e), SAVED)
    yield Table("familiarity", "Losses by familiarity", pl.concat(familiar), GROUPS)
    yield Table("control", "The control: savings by words read", shuffled(e), SHUFFLED)
    yield Table("growth", "Growth of the vocabulary", growth(e), GROWTH)


def predictions(e: Evidence) -> pl.DataFrame:
    d, growth = pl.col("discount"), {"random order": e.novelty("random"), "the order of the text": e.novelty()}
    exponents = {"data exponent": 1 - d, "capacity exponent": 1 / d - 1}
    origin = pl.Series("from", ["discount of the whole", "discount of a random tenth"])
    words = e.counts.where(axis=Range._fields).rename({"tokens": "words"})
    laws = words.select(origin, "words", "distinct", d, **exponents)
    grown = {"from": [f"growth in {order}" for order in growth], "data exponent": growth.values()}
    return pl.concat([laws, pl.DataFrame(grown)], how="diagonal")


def exponents(e: Evidence) -> pl.DataFrame:
    found = {t.name: t.exponent for t in (*e.models, e.compressor)} | {"share of unseen words": e.unseen}
    found |= {"control, words shuffled": e.falls("shuffled"), "control, words drawn from the law": e.falls("drawn")}
    rows = [(reader, one.value, *(one.bounded or (None, None))) for reader, one in found.items()]
    return pl.DataFrame(rows, ["reader", "exponent", "low", "high"], orient="row")


def savings(e: Evidence) -> pl.DataFrame:
    """What the next size saves, and powers of the size with the exponents predicted, all through the middle of the largest."""
    sizes = np.array(e.largest.sizes[:-1])
    saved = {t: -np.diff(t.per_byte) for t in (*e.models, e.compressor)}
    height = np.exp(np.log(np.maximum(saved[e.largest], 1e-6)).mean())
    x, exponents = sizes / np.exp(np.log(sizes).mean()), zip(LINES, (*e.data, e.novelty()), strict=True)
    lines = [curve({"bytes": sizes}, {"saved": height * x**-a}, series=line) for line, a in exponents]
    return pl.concat([*lines, *(t.curve("saved", y) for t, y in saved.items())], how="diagonal")


def familiarity(t: Reader) -> pl.DataFrame:
    words, length, bits = (t.cube(column).sum(0) for column in ("words", "length", "bits"))
    columns = {
        "bits per byte": np.divide(bits, length, out=np.full_like(bits, np.nan), where=length > 0),
        "share of words": words / words.sum(1, keepdims=True),
        "share of bytes": length / length.sum(1, keepdims=True),
        "part of the loss": bits / length.sum(1, keepdims=True),
    }
    return pl.concat(
        curve({"bytes": t.sizes}, {name: y[:, k] for name, y in columns.items()}, reader=t.name, familiarity=group)
        for k, group in enumerate(FAMILIARITY)
    )


def shuffled(e: Evidence) -> pl.DataFrame:
    law, words, text = (e.saved(source) for source in ("drawn", "shuffled", "text"))
    parts = zip(WORDS, (law, words, text), (None, around(words, 1.96), None), strict=True)
    return pl.concat(curve({"words": e.windows}, {"saved": y.mean(0)}, band, series=s) for s, y, band in parts)


def growth(e: Evidence) -> pl.DataFrame:
    rows = e.counts.where(axis="growth").filter(pl.col("tokens") >= 100)
    series = zip(ORDERS, (rows["random"], rows["distinct"]), strict=True)
    return pl.concat(curve({"words": rows["tokens"]}, {"distinct words": y}, series=name) for name, y in series)


BYTES, READ, PER_BYTE = Axis("bytes", "bytes read"), Axis("words", "words read"), "bits per byte"
LOSS = Axis(PER_BYTE, "loss on held-out documents", PER_BYTE)
SAVES = Axis("saved", "saved by the next size", PER_BYTE)
DOUBLING = Axis("saved", "saved by the next doubling", "bits per word")
DISTINCT = Axis("distinct words", "distinct words")
SAVING: Kinds = {**LINES, ...: "learner"}
_rank = pl.col("params").rank("dense", descending=True).cast(pl.Int64) - 1
SHOWN = (_rank % (_rank.max() // 4 + 1) == 0).fill_null(True)
"""At most four models, the largest among them, and all that is no model."""
KIND, LARGEST = "familiarity", pl.col("reader") != "compressor"
SLOPES = "Theory and its rival say with which slope savings fall, not how high they are."
FALLS = "The more a reader has read, the less other documents cost it."
NO_LAW = "If the text had a Pitman-Yor law, its words shuffled would save what the law's own words save."
CHEAP = "What a letter costs the largest model by how often its word was read; every group's words change on the way."
BURSTS = "Words come in bursts: in the order of the text new ones keep coming for longer than in random order."

FIGURES = (
    Figure("real-text", "What more text saves", "savings", BYTES, SAVES, SAVING, shown=SHOWN, caption=SLOPES),
    Figure("losses", "Losses by reader", "losses", BYTES, LOSS, "learner", shown=SHOWN, caption=FALLS),
    Figure("control", "The control: words shuffled", "control", READ, DOUBLING, WORDS, caption=NO_LAW),
    Figure(KIND, "Familiar words are cheap", KIND, BYTES, LOSS, "learner", series=KIND, shown=LARGEST, caption=CHEAP),
    Figure("growth", "Growth of the vocabulary", "growth", READ, DISTINCT, ORDERS, caption=BURSTS),
)


def summary(found: Found) -> str:
    e = evidence(found)
    return (
        "Does the loss of models on real text fall as the text's own discount says? Documents are read once, in an order drawn "
        "by the seed, by transformers of several sizes at a learning rate that knows nothing of the run's length, and by a "
        "compressor; all are examined on the same other documents after every data size.\n\nThe words of the text have "
        f"discount {e.discount.whole:.3f}, a random tenth of them {e.discount.tenth:.3f}: the theory, which assumes "
        f"exchangeable words of one discount, would expect data exponents from {min(e.data):.2f} to {max(e.data):.2f}. "
        f"New words in the order of the text come at the exponent {e.novelty():.2f}. The largest model's is "
        f"{e.largest.exponent.value:.2f}."
    )

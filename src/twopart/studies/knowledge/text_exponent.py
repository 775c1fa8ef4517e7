"""Do a text's own correlations and contexts foretell how a learner's loss falls with more of it?

The theory, alpha = gamma/(2 beta), is first put where it must hold and where it must fail: worlds whose exponents are known
exactly (`_known_exponents.py`). Then texts are measured, and their predictions, or the reasons why there is none, meet the
ladders of two codes that need no training, and of a transformer that is trained on each size until it learns no more. No floor
is assumed: an exponent is the slope of what each doubling saves (docs/laws/real-text.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import combinations, product
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart import _random
from twopart._checks import check
from twopart.evidence import Estimate, Found, Judge, Rows, above, below, claim, curve, curves, exact, statistic, table
from twopart.evidence.judges import within
from twopart.findings import Claim, Table
from twopart.fits import slope
from twopart.fits.collapse import Collapse, collapse
from twopart.fits.decay import SAVINGS, Decay, Prediction, decay, horizon_prediction
from twopart.fits.floored import floored
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, distinct, every, rising, settings, zero_or
from twopart.studies import Work
from twopart.studies._transformers import OnePass, Shape
from twopart.studies.knowledge._known_exponents import HERE, HILBERG, PAPER, Learned, Noise, Remembered, worlds
from twopart.studies.knowledge._known_exponents import claims as known
from twopart.tools.measure.sources import Source, list_sources, looks_binary
from twopart.worlds import Documents, FluidSantaFe, Lags, divide, standard_library

STUDY, TITLE = "text-exponent", "The exponent of a text"
WORDS = f"Pan, Wang, Li 2025, arXiv 2504.09597; {HERE}"
Floats: TypeAlias = NDArray[np.float64]

NOISY, SPREAD = at_least(10).because("200 tell 5 % of the floor"), at_least(2).because("an interval needs a spread")
WINDOWS = rising(5).because("a power law of what context is worth needs four doublings")
LONG = between(13, 22).because("an exponent needs a range, and 2^22 outputs fit into memory")
RANGE, STEPS = every(between(0.5, 3)), between(3, 12).because("an exponent of savings needs three")
RUNGS, SEEN = zero_or(at_least(4)), at_least(8).because("128 tokens are a few lines")
PAIRS, LITTLE = every(between(260, 65_536)), at_least(5000).because("less is noise")


@settings
class Config:
    """The exponent of a text: worlds in which it is known, and texts in which it is foretold or not."""

    draws: Annotated[int, NOISY, "Texts of noise, to see what noise adds to correlations."] = 200
    betas: Annotated[tuple[float, ...], distinct(1), RANGE, "Decays of worlds of lags."] = (1.0, 1.25, 1.5)
    lags: Annotated[int, at_least(16).because("beta needs a range"), "Lags of these worlds."] = 256
    reach: Annotated[int, LONG, "log2 of the most outputs that are learned from."] = 20
    seeds: Annotated[int, SPREAD, "Samples of each world."] = 4
    texts: Annotated[tuple[str, ...], "Files or folders, a text each; Python's library is always the first."] = ()
    pattern: Annotated[str, "Which files below the folders are read."] = "*"
    size: Annotated[int, at_least(40_000), "Bytes of a text; all that there is, if less."] = 4_000_000
    held_out: Annotated[int, LITTLE, "Bytes of other documents, for the exam."] = 300_000
    doublings: Annotated[int, STEPS, "Of the text, up to its size."] = 5
    orders: Annotated[int, at_least(1), "Orders of the documents; an interval spans them."] = 3
    targets: Annotated[int, NOISY, "Stretches whose cost is compared by context."] = 400
    windows: Annotated[tuple[int, ...], WINDOWS, "Bytes of context, doubling."] = tuple(2**k for k in range(3, 13))
    vocabulary: Annotated[tuple[int, ...], PAIRS, "Byte pairs to measure correlations of; learners read the first."] = (
        1024,
        4096,
    )
    rungs: Annotated[int, RUNGS, "Sizes of the text, the least first, on which a transformer is trained; 0: none."] = 4
    context: Annotated[int, SEEN, "Byte pairs that it sees at once."] = 128
    shape: Shape = Shape(layers=2, width=64)
    training: OnePass = OnePass(batch=8, learning_rate=3e-3)

    def __post_init__(self) -> None:
        most = self.doublings + 1
        check(self.rungs <= most, "rungs", self.rungs, f"at most {most}, the sizes", "take more `doublings`, or 0")


TINY = Config(20, (1.25,), 32, 13, 2, (), "*", 40_000, 5000, 3, 1, 10, (8, 16, 32, 64, 128), (300,), rungs=0)
FULL = Config(
    2000, (1.0, 1.25, 1.5, 2.0), reach=22, seeds=16, size=8_000_000, doublings=6, orders=6, targets=2000, rungs=7,
    shape=Shape(layers=9, width=512), training=OnePass(batch=16, learning_rate=1e-3, warmup=100),
)  # fmt: skip
PRESETS = {"tiny": TINY, "small": Config(), "full": FULL}


@dataclass(frozen=True)
class Text:
    """A text, what is measured of it, and what codes are examined on it."""

    path: str
    config: Config
    seed: int
    """Draws the orders of its documents."""
    digest: str = ""
    """Of its documents; empty where it is not known yet."""

    def __post_init__(self) -> None:
        if not self.digest:
            object.__setattr__(self, "digest", self.documents().digest)

    def __str__(self) -> str:
        return Path(self.path).stem or "library"

    def documents(self, order: int = 0) -> Documents:
        """Order 0 of the library at the published sizes is what `real-text` reads."""
        return _documents(self.path, self.config, self.seed, order)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Bytes read at the exams."""
        whole = sum(map(len, self.documents().read))
        return tuple(whole >> k for k in range(self.config.doublings, -1, -1))

    @property
    def units(self) -> dict[str, int]:
        """Kinds of tokens; 0: bytes."""
        return {"bytes": 0} | {f"{vocabulary} tokens": vocabulary for vocabulary in self.config.vocabulary}


@dataclass(frozen=True)
class Rung:
    """A transformer that is trained on so many bytes of a text."""

    text: Text
    size: int

    def __str__(self) -> str:
        return f"{self.text}, {self.size:,} bytes"


@lru_cache(maxsize=4)
def _documents(path: str, config: Config, seed: int, order: int) -> Documents:
    listed = list_sources((path,), pattern=config.pattern) if path else map(Source, standard_library())
    files = [file for file in (source.path.read_bytes() for source in listed) if file and not looks_binary(file)]
    room = sum(map(len, files)) - config.held_out - config.held_out // 5
    purpose = ("order",) if order == 0 else ("order", order)
    return divide(files, min(config.size, room), config.held_out, _random.generator(seed, "real-text", *purpose))


def cells(config: Config, seed: int) -> Iterator[Work]:
    for copied in (0.0, 0.6):
        yield Work("draw_noise", Noise(copied, config.draws), cost=config.draws / 10)
    sizes = tuple(2**k for k in range(config.reach % 2 + 12 if config.reach > 15 else 9, config.reach + 1, 2))
    for tagged, beta in product((False, True), config.betas):
        seen = tuple(size >> 6 if tagged else size for size in sizes)  # told lags are all known soon
        yield Work("learn", Learned(Lags(16, beta, config.lags, tagged, seed), seen, config.seeds), cost=seen[-1] / 4e4)
    windows = tuple(2**k for k in range(4, config.reach - 5))
    facts = 2 ** min(13, config.reach - 4)
    remembered = Remembered(FluidSantaFe(facts=facts, seed=seed), 2 ** (config.reach - 1), windows, config.seeds)
    yield Work("remember", remembered)
    order = int(_random.keys(seed, 1, "real-text")[0] >> 32)  # that of `real-text`, so that both read the library alike
    for path in ("", *config.texts):
        text = Text(path, config, order)
        yield Work("climb", text, config.orders, cost=30)
        yield Work("weigh", text, cost=config.targets / 4)
        for function in ("correlate", "survey"):
            yield Work(function, text, cost=10)
        for size in text.sizes[: config.rungs]:
            yield Work("train", Rung(text, size), cost=10 + size / 1e4)


@dataclass(frozen=True, eq=False)
class Evidence:
    """What was found of one text."""

    text: Text
    ladder: Rows[Text]
    worth: Rows[Text]
    norms: Rows[Text]
    laws: Rows[Text]
    rungs: list[Rows[Rung]]
    """The smallest first."""

    def __str__(self) -> str:
        return str(self.text)

    @classmethod
    def of(cls, found: Found) -> list[Evidence]:
        parts = [found.of(Text, function=name) for name in ("climb", "weigh", "correlate", "survey")]
        return [
            cls(ladder.case, ladder, worth, norms, laws, found.of(Rung, text=ladder.case))
            for ladder, worth, norms, laws in zip(*parts, strict=True)
        ]

    @cached_property
    def losses(self) -> pl.DataFrame:
        """What each held-out document costs each learner, one by counts with the best number of tokens before: `bits`."""
        keys, frame = ["replicate", "learner", "size"], self.ladder.frame
        sums = frame.group_by(*keys, "before").agg(pl.col("bits").sum()).sort("bits", "before")
        best = frame.join(sums.unique(keys, keep="first"), on=[*keys, "before"], how="semi", maintain_order="left")
        lengths = frame.select("replicate", "document", "length").unique()
        found = [best.select(*keys, "document", "length", "bits")]
        for rung in self.rungs:
            sums = rung.frame.group_by("replicate", "document", maintain_order=True).agg(pl.col("bits").sum())
            labels = {"learner": pl.lit(TRANSFORMER), "size": pl.lit(rung.case.size, pl.Int64)}
            joined = sums.with_columns(**labels).join(lengths, on=["replicate", "document"], maintain_order="left")
            found.append(joined.select(found[0].columns))
        return pl.concat(found)

    @cached_property
    def learners(self) -> list[str]:
        """The first one is context mixing."""
        return list(self.losses["learner"].unique(maintain_order=True))

    def costs(self, column: str, order: int, *learners: str) -> Floats:
        """Of each held-out document after each size that all these learners read (documents, learners, sizes)."""
        of_order = self.losses.filter(pl.col("replicate") == order)
        count = of_order["document"].n_unique()
        parts = (of_order.filter(pl.col("learner") == learner)[column].to_numpy() for learner in learners)
        found = [part.reshape(-1, count).T for part in parts]
        least = min(part.shape[1] for part in found)
        return np.stack([part[:, :least] for part in found], 1)

    def over_orders(self, of_falls: Callable[..., Floats], *learners: str) -> Estimate:
        """Of arrays of the learners' exponents: the mean over orders, and an interval that spans theirs over documents.

        A transformer is trained in the first order only.
        """
        over, orders = "held-out documents, spanning all orders", range(self.text.config.orders)
        if TRANSFORMER in learners:
            over, orders = "held-out documents of one order", range(1)
        costs = [self.costs("bits", order, *learners) for order in orders]
        ln_size = np.log(self.text.sizes)[: costs[0].shape[2] - 1]
        x = ln_size - ln_size.mean()
        weights = -x / (x @ x)  # least squares of all learners at once

        def value(means: Floats) -> Floats:
            saved = -np.diff(means)  # (means, learners, doublings)
            return of_falls(*(np.log(np.where(saved > 0, saved, np.nan)) @ weights).T)

        found = [statistic(value, part, over=over, vectorized=True) for part in costs]
        low, high = (pick(one.ends[k] for one in found) for k, pick in enumerate((min, max)))
        return replace(found[0], value=float(np.mean([one.value for one in found])), interval=(low, high))

    def exponent(self, learner: str) -> Estimate:
        return self.over_orders(np.asarray, learner)

    @cached_property
    def alpha(self) -> Estimate:
        """The exponent of context mixing."""
        return self.exponent(self.learners[0])

    def beta(self, unit: str) -> Decay:
        lags, squared = self.norms.array("lag", "squared", unit=unit)[0]
        without = self.norms.array("without", unit=unit)
        return decay(lags, np.sqrt(np.maximum(squared, 0)), jackknife=np.sqrt(np.maximum(without, 0)))

    @cached_property
    def context_costs(self) -> Floats:
        """Sums over targets at P/16 and P: all bits, those of the first 8 bytes, targets (documents, 2, 3, windows)."""
        sizes = self.text.sizes[-1] >> 4, self.text.sizes[-1]
        return np.stack([self.worth.array("bits", "first", "targets", size=size) for size in sizes], 1)

    @cached_property
    def gamma(self) -> Decay:
        sums = self.context_costs[:, 1]
        picks = _random.generator(0, "gamma").integers(len(sums), size=(1000, len(sums)))
        means = np.concatenate([sums.mean(0)[None], sums[picks].mean(1)])
        saved = -np.diff(means[:, 0] / means[:, 2])
        return decay(self.text.config.windows[:-1], saved[0], bootstrap=saved[1:], **SAVINGS)

    def by_before(self, learner: str, size: int) -> tuple[Floats, Floats]:
        """Tokens before, n >= 1, and of each held-out document bits and targets (documents, 2, n); in the first order."""
        if learner == TRANSFORMER:  # targets with exactly so many tokens before them, among rows long enough to be many
            (rung,) = (rung for rung in self.rungs if rung.case.size == size)
            frame = rung.where(replicate=0).filter(pl.col("before").is_between(1, 0.7 * self.text.config.context))
        else:  # orders of the code: bits of bytes
            frame = self.ladder.where(replicate=0, learner=learner, size=size).filter(pl.col("before") >= 1)
            frame = frame.sort("document", "before").rename({"length": "targets"})
        n = frame["before"].unique().sort().to_numpy().astype(float)
        return n, np.stack([frame[c].to_numpy().reshape(-1, len(n)) for c in ("bits", "targets")], 1)

    def floored_gamma(self, learner: str, size: int) -> Estimate:
        """Of what the learner that read so much makes of n tokens before, above a floor that is free: the paper's way."""
        n, sums = self.by_before(learner, size)

        def exponents(means: Floats) -> Floats:
            return np.asarray(floored(n, means[:, 0] / means[:, 1]).exponent)

        return statistic(exponents, sums, over=DOCUMENTS, resamples=200, vectorized=True)

    @cached_property
    def theory(self) -> Prediction:
        return horizon_prediction(self.beta("bytes"), self.gamma)

    @cached_property
    def discounts(self) -> tuple[float, float]:
        """1 - d by the words of a random tenth and of all, the lower first."""
        low, high = sorted(1 - d for d in self.laws.where(axis=["whole", "tenth"])["discount"])
        return low, high

    @cached_property
    def hilberg(self) -> float:
        """1 - b."""
        shared = self.laws.where(axis="shared")
        return 1 - slope(shared["size"], shared["bits"])

    @property
    def rivals(self) -> dict[str, float]:
        """Of 1 - d; nan where the theory is refused."""
        return {
            "gamma/(2 beta)": np.nan if self.theory.refused else self.theory.alpha,
            "1 - b": self.hilberg,
            "0.16": 0.16,
        }

    def off(self, alpha: Floats) -> Floats:
        """From the range between what the discounts of a tenth and of all predict."""
        return alpha - np.clip(alpha, *self.discounts)


TRANSFORMER, COUNTS = "transformer", "counts, bytes"
NOT_REFUSED = Judge("holds if it is not refused, fails if it is", lambda e: "fails" if e.words["refused"] else "holds")
SLOPE = "slope of what each doubling of the text saves context mixing"
SHARE = "fall of the loss with 8 to 15 bytes of context over its fall with the longest, from P/16 to P"
D, DOCUMENTS = f"{SLOPE}, less the nearest of {{low:.3f}} to {{high:.3f}}", "held-out documents"


def refusable(of: Decay) -> Estimate:
    shown = of.refused or f"exponent {of.exponent:.2f} ({of.interval[0]:.2f} to {of.interval[1]:.2f})"
    reach = float(np.nan_to_num(of.window[1] / of.window[0]))
    return replace(exact(reach), words={"refused": of.refused, "shown": shown})


@claim(NOT_REFUSED, "times its shortest distance", PAPER, "widest window of distances with one power law")
def has_beta(e: Evidence, unit: str) -> Estimate:
    """{e}, {unit}: correlations fall as a power of the distance, faster than its root: {shown}."""
    return refusable(e.beta(unit))


@claim(NOT_REFUSED, "times its shortest context", PAPER, "widest window of contexts with one power law")
def has_gamma(e: Evidence) -> Estimate:
    """{e}: what a doubling of the context saves falls as a power of the context: {shown}."""
    return refusable(e.gamma)


@claim(below(0.5), "ratio", PAPER, SHARE)
def horizon_pays(e: Evidence) -> Estimate:
    """{e}: what more text saves, it saves by longer contexts."""

    def share(means: Floats) -> Floats:
        bits, first = np.moveaxis(-np.diff(means[:, :, :2] / means[:, :, 2:], axis=1)[:, 0], 1, 0)
        return np.asarray(first[:, 0] / bits[:, -1])

    return statistic(share, e.context_costs, over=DOCUMENTS, vectorized=True)


@claim(above(1), "ratio", PAPER, "bits per byte that the longest context saves over 8 bytes, at P over P/16")
def far_context(e: Evidence) -> Estimate:
    """{e}: far context is worth more with more text."""

    def grown(means: Floats) -> Floats:
        before, after = ((means[:, :, 0, 0] - means[:, :, 0, -1]) / means[:, :, 2, 0]).T
        return np.asarray(after / before)

    return statistic(grown, e.context_costs, over=DOCUMENTS, vectorized=True)


@claim(within(0.05), "exponent", PAPER, f"{SLOPE}, its interval widened by that of the prediction")
def horizon_theory(e: Evidence) -> Estimate:
    """{e}: the loss falls with the exponent gamma/(2 beta){why}."""
    p, (low, high) = e.theory, e.alpha.ends
    if p.refused:
        return e.alpha.against(None, why=f", but none is predicted: {p.refused}")
    wider = low - (p.interval[1] - p.alpha), high + (p.alpha - p.interval[0])
    return replace(e.alpha, interval=wider).against(p.alpha, why="")


@claim(within(0.1), "exponent", WORDS, D)
def data_law(e: Evidence) -> Estimate:
    """{e}: the loss falls with the exponent 1 - d, d of a random tenth of the words or of all."""
    low, high = e.discounts
    return e.over_orders(e.off, e.learners[0]).against(0.0, low=low, high=high)


@claim(within(0.05), "exponent", HILBERG, SLOPE)
def hilberg(e: Evidence) -> Estimate:
    """{e}: the loss falls with the exponent 1 - b, b that of the bits which two halves share."""
    return e.alpha.against(e.hilberg)


@claim(
    within(0.05), "exponent", PAPER, "difference of the slopes of what each doubling saves, over sizes that both read"
)
def one_exponent(e: Evidence, one: str, other: str) -> Estimate:
    """{e}: {one} and {other} have the same exponent."""
    return e.over_orders(lambda a, b: a - b, one, other).against(0.0)


@claim(below(0), "exponent", PAPER, "error of the prediction less that of 1 - d")
def nearer(e: Evidence, rival: str, value: float) -> Estimate:
    """{e}: {rival} is nearer than 1 - d."""
    return e.over_orders(lambda alpha: abs(value - alpha) - abs(e.off(alpha)), e.learners[0]).against(0.0)


def claims(found: Found) -> Iterator[Claim]:
    yield from known(found)
    for e in Evidence.of(found):
        yield from (*(has_beta(e, unit) for unit in e.text.units), has_gamma(e), horizon_pays(e), far_context(e))
        yield from (horizon_theory(e), data_law(e), hilberg(e))
        yield from (one_exponent(e, *pair) for pair in combinations(e.learners, 2))
        yield from (nearer(e, rival, value) for rival, value in e.rivals.items())


def norms(texts: list[Evidence]) -> Iterator[pl.DataFrame]:
    """Frobenius norms of the covariance of tokens so far apart: of counts; without their noise, where that leaves something
    (band: two standard errors); and what noise alone gives to independent tokens.
    """
    for e, unit in ((each, unit) for each in texts for unit in each.text.units):
        lags, squared, error, counts, noise = e.norms.array("lag", "squared", "error", "plug_in", "floor", unit=unit)[0]
        seen, labels = squared > 0, {"text": str(e), "unit": unit}
        low, high = (np.sqrt(np.maximum(squared + k * error, squared / 100)[seen]) for k in (-2, 2))
        yield curves({"lag": lags}, "norm", {"counts": np.sqrt(counts), "noise": np.sqrt(noise)}, **labels)
        yield curve(
            {"lag": lags[seen]}, {"norm": np.sqrt(squared[seen])}, (low, high), series="without noise", **labels
        )


def ladders(texts: list[Evidence]) -> Iterator[pl.DataFrame]:
    """Bits per byte that the next doubling of the text saves on other documents, mean over orders (band: least and greatest),
    a transformer in the first of them; lines: powers with the exponents predicted, at the height of context mixing.
    """
    for e in texts:
        sizes, saved = np.array(e.text.sizes[:-1]), {}
        for name in e.learners:
            orders = range(1 if name == TRANSFORMER else e.text.config.orders)
            bits, length = (np.array([e.costs(c, k, name).sum((0, 1)) for k in orders]) for c in ("bits", "length"))
            saved[name] = -np.diff(bits / length)  # (orders, doublings)
        height = np.exp(np.log(np.maximum(saved[e.learners[0]].mean(0), 1e-6)).mean())
        x = sizes / np.exp(np.log(sizes).mean())
        series = {name: height * x**-a for name, a in zip(LINES, (e.discounts[1], e.hilberg), strict=False)} | saved
        for name, y in series.items():
            yield curves({"bytes": sizes[: y.shape[-1]]}, "saved", {name: y}, text=str(e))


def worth(texts: list[Evidence]) -> Iterator[pl.DataFrame]:
    """Bits per byte that twice the context saves context mixing, on the same bytes, after P bytes of text and after P/16."""
    for e in texts:
        sums = e.context_costs.sum(0)
        before, after = -np.diff(sums[:, 0] / sums[:, 2])
        x = {"context": e.text.config.windows[:-1]}
        yield curves(x, "saved", {"after P/16": before, "after P": after}, text=str(e))


def theories(texts: list[Evidence]) -> Iterator[pl.DataFrame]:
    """Which theory predicts which exponent, and what was seen; a prediction that is refused has its reason instead."""
    for e in texts:
        p, (low, high) = e.theory, e.discounts
        known = (None, None, None) if p.refused else (p.alpha, *p.interval)
        rows: list[tuple[Any, ...]] = [("predicted", "gamma/(2 beta)", *known, p.refused)]
        rows += [("predicted", "1 - d", (low + high) / 2, low, high, "from a tenth of the words to all")]
        rows += [("predicted", name, e.rivals[name], None, None, None) for name in ("1 - b", "0.16")]
        rows += [("seen", name, (a := e.exponent(name)).value, *a.ends, None) for name in e.learners]
        for name in e.learners:
            bits, length = (e.costs(column, 0, name).sum((0, 1)) for column in ("bits", "length"))
            law = floored(e.text.sizes[: len(bits)], bits / length)
            note = f"above a floor of {law.floor:.2f} bits per byte, in the first order of documents"
            rows.append(("fitted", name, law.exponent, None, None, note))
        copies = e.laws.where(axis="whole")["repeated"][0]
        rows += [("measured", "share of repeated runs", copies, None, None, "copies" if copies > 0.03 else None)]
        names = ["what", "of", "exponent", "low", "high", "note"]
        yield pl.DataFrame(rows, names, orient="row", infer_schema_length=None).insert_column(
            0, pl.lit(str(e)).alias("text")
        )


def gammas(texts: list[Evidence]) -> Iterator[pl.DataFrame]:
    """gamma of each learner after so many bytes: by what each doubling of the context saves on the same bytes (mixing); or by
    the paper's way, an exponent above a free floor of the loss with n tokens before (transformer: n from 1 on; counts: orders).
    """
    names = ["learner", "bytes", "way", "gamma", "low", "high", "note"]
    for e in texts:
        last, known = e.text.sizes[-1], e.gamma
        rows: list[tuple[Any, ...]] = [(e.learners[0], last, "savings", known.exponent, *known.interval, known.refused)]
        by_size = [(name, last) for name in e.learners[1:] if name != TRANSFORMER]
        for name, size in [*by_size, *((TRANSFORMER, rung.case.size) for rung in e.rungs)]:
            rows.append((name, size, "free floor", (a := e.floored_gamma(name, size)).value, *a.ends, None))
        labelled = pl.DataFrame(rows, names, orient="row", infer_schema_length=None)
        yield labelled.insert_column(0, pl.lit(str(e)).alias("text"))


@lru_cache(maxsize=1)
def _collapses(found: Found) -> dict[str, tuple[Collapse, tuple[float, float] | None]]:
    """Of hidden lags, and of each text's code of bytes by counts, and the pair gamma, 2 beta that is predicted."""
    of: dict[str, tuple[Collapse, tuple[float, float] | None]] = {}
    for t in found.of(Learned):
        n = t.case.contexts[:-1]
        if not t.case.world.tagged:
            excess = [t.array("excess", context=int(k)).mean(0) for k in n]
            twice = 2 * t.case.world.beta
            of[str(t)] = collapse(n, t.case.sizes, excess), (t.case.theory * twice, twice)
    for e in Evidence.of(found):
        bits, length = (e.costs(column, 0, COUNTS).sum((0, 1)) for column in ("bits", "length"))
        floor = floored(e.text.sizes, bits / length).floor
        by_size = [e.by_before(COUNTS, size) for size in e.text.sizes]
        losses = np.stack([sums[:, 0].sum(0) / sums[:, 1].sum(0) for _, sums in by_size], 1)
        pair = None if e.theory.refused else (e.gamma.exponent, 2 * e.beta("bytes").exponent)
        if (losses > floor).all():
            of[f"{e}, {COUNTS}"] = collapse(by_size[0][0], e.text.sizes, losses - floor), pair
    return of


def collapsed(found: Found) -> Iterator[pl.DataFrame]:
    """Losses above the entropy rate, L_n(P) - H, of learners that see n inputs or bytes before, after P outputs or bytes:
    as they are, and as n^gamma (L_n - H) over P/n^(2 beta) with the exponents that bring them nearest to one curve. H is known
    of the lags, and of a text the free floor of its code's ladder, where there is one below all of these losses.
    """
    for name, (fit, _) in _collapses(found).items():
        for n, excess in zip(fit.n, fit.excess, strict=True):
            moved = {"moved": fit.P / n**fit.twice_beta, "collapsed": n**fit.gamma * excess}
            yield pl.DataFrame(
                {"of": name, "n": int(n), "context": f"n = {n:g}", "size": fit.P, "excess": excess, **moved}
            )


def collapses(found: Found) -> Iterator[pl.DataFrame]:
    """How far losses lie from one curve, root mean square of their logarithms: without exponents, with those that fit best, and
    with those that the theory predicts; of a text whose gamma or beta is refused it predicts none.
    """
    for name, (fit, pair) in _collapses(found).items():
        ways = {"none": (0.0, 0.0), "fitted": (fit.gamma, fit.twice_beta), "predicted": pair}
        rows = [(name, how, *(p or (None, None)), fit.spread(*p) if p else None) for how, p in ways.items()]
        kinds = {"gamma": pl.Float64, "twice beta": pl.Float64, "rms": pl.Float64}
        yield pl.DataFrame(rows, {"of": pl.String, "exponents": pl.String, **kinds}, orient="row")


def tables(found: Found) -> Iterator[Table]:
    texts = Evidence.of(found)
    yield from table("ladders", "What each doubling of the text saves", ladders, texts)
    yield from table("theories", "Theories of the exponent", theories, texts)
    yield from table("worlds", "Worlds whose exponents are known", worlds, found)
    yield from table("norms", "Correlations by distance", norms, texts)
    yield from table("worth", "What context is worth", worth, texts)
    yield from table("gammas", "What contexts leave open, by learner", gammas, texts)
    yield from table("collapses", "How far losses lie from one curve", collapses, found)
    yield from table("collapse", "Losses by context and size", collapsed, found)


LINES: dict[Any, Kind] = {"1 - d": "theory", "1 - b": "asymptote", ...: "learner"}
WORLDS: dict[Any, Kind] = {"law": "theory", "learner": "learner"}
NORMS: dict[Any, Kind] = {"noise": "asymptote", "counts": "simulation", "without noise": "learner"}
READ, SAVED = Axis("bytes", "bytes read"), Axis("saved", "saved by the next doubling", "bits per byte")
SIZE, EXCESS = Axis("size", "outputs learned from, or remembered"), Axis("excess", "excess loss", "bits per output")
LAG, NORM, CONTEXT = Axis("lag", "distance"), Axis("norm", "norm of covariance"), Axis("context", "bytes of context")
MORE, LOSS = Axis("size", "P, outputs or bytes learned from"), Axis("excess", "L − H", "bits per output or byte")
MOVED = Axis("moved", "P / n^(2 beta)")
ONE = Axis("collapsed", "n^gamma (L − H)", "bits per output or byte")
OCTAVES = pl.col("n").is_in([2**k for k in range(6)])
APART = "A learner that sees n tokens before falls to what they leave open, and no further."
TOGETHER = (
    "The same at the exponents that fit best: curves come nearer, in the world of lags and in a code by counts alike."
)
FALLS = "Theories say with which slope savings fall, not how high they are."
FAR = "Counts see correlations that are not there: their own noise."
KNOWN = "Hidden lags obey the theory; told ones have the same correlations, and do not."
NO_POWER = "If the theory held, what context saves would fall as a power of its length, and rise with the text."
WHERE = "Where the theory must hold, and where not"


def _by_context(name: str, title: str, x: Axis, y: Axis, caption: str) -> Figure:
    """A curve for each context of an octave, a panel for each world and text."""
    return Figure(name, title, "collapse", x, y, "learner", "of", series="context", shown=OCTAVES, caption=caption)


FIGURES = (
    Figure("text-exponent", "What each doubling saves", "ladders", READ, SAVED, LINES, "text", caption=FALLS),
    Figure("worlds", WHERE, "worlds", SIZE, EXCESS, WORLDS, "world", colour="beta", caption=KNOWN),
    Figure("norms", "Correlations without noise", "norms", LAG, NORM, NORMS, "unit", "text", caption=FAR),
    _by_context("before-collapse", "Losses by context", MORE, LOSS, APART),
    _by_context("collapse", "Collapsed", MOVED, ONE, TOGETHER),
    Figure("worth", "What context is worth", "worth", CONTEXT, SAVED, "learner", "text", caption=NO_POWER),
)


def summary(found: Found) -> str:
    told = (
        f"{e}: {'no prediction' if e.theory.refused else f'{e.theory.alpha:.2f}'} by gamma/(2 beta), {e.discounts[0]:.2f} to "
        f"{e.discounts[1]:.2f} by 1 - d, {e.hilberg:.2f} by 1 - b, and {e.alpha.value:.2f} seen"
        for e in Evidence.of(found)
    )
    return (
        "A text's correlations fall with distance as n^-beta, what its contexts leave open as n^-gamma; a theory says that "
        "losses then fall with data as P^-(gamma/(2 beta)). It is tried in worlds of known exponents, and on texts, whose "
        f"correlations are measured without sampling noise and whose contexts by honest codes.\n\n{'; '.join(told)}."
    )

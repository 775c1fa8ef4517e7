"""Do a text's own correlations and contexts foretell how a learner's loss falls with more of it?

The theory, alpha = gamma/(2 beta), is first put where it must hold and where it must fail: worlds whose exponents are known
exactly. Then texts are measured, and their predictions, or the reasons why there is none, meet the ladders of two codes that
need no training. No floor is assumed: an exponent is the slope of what each doubling saves (docs/laws/real-text.md).
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
from twopart.evidence import (
    Estimate,
    Found,
    Judge,
    Rows,
    above,
    below,
    claim,
    curve,
    curves,
    exact,
    mean,
    statistic,
    table,
)
from twopart.evidence.judges import within, within_factor, within_share
from twopart.findings import Claim, Table
from twopart.fits import slope
from twopart.fits.decay import SAVINGS, Decay, Prediction, decay, horizon_prediction
from twopart.laws.knowledge import hidden_horizon, noise_floor, tagged_excess
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, distinct, every, rising, settings
from twopart.studies import Work
from twopart.tools.measure.sources import Source, list_sources, looks_binary
from twopart.worlds import Documents, FluidSantaFe, Lags, divide, standard_library

STUDY, TITLE, HERE = "text-exponent", "The exponent of a text", "docs/laws/text-exponent.md"
PAPER = f"Cagnetta, Raventos, Ganguli, Wyart 2026, arXiv 2602.07488; {HERE}"
HILBERG = f"Debowski 2025, arXiv 2512.13491; {HERE}"
WORDS = f"Pan, Wang, Li 2025, arXiv 2504.09597; {HERE}"
Floats: TypeAlias = NDArray[np.float64]

NOISY, SPREAD = at_least(10).because("200 tell 5 % of the floor"), at_least(2).because("an interval needs a spread")
WINDOWS = rising(5).because("a power law of what context is worth needs four doublings")
LONG = between(13, 22).because("an exponent needs a range, and 2^22 outputs fit into memory")
RANGE, STEPS = every(between(0.5, 3)), between(3, 12).because("an exponent of savings needs three")
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
    vocabulary: Annotated[tuple[int, ...], PAIRS, "Byte pairs to measure correlations of."] = (1024, 4096)


TINY = Config(20, (1.25,), 32, 14, 3, (), "*", 40_000, 8000, 3, 1, 10, (8, 16, 32, 64, 128), (300,))
FULL = Config(2000, (1.0, 1.25, 1.5, 2.0), reach=22, seeds=16, size=8_000_000, doublings=6, orders=6, targets=2000)
PRESETS = {"tiny": TINY, "small": Config(), "full": FULL}


@dataclass(frozen=True)
class Noise:
    """Tokens that are independent, or copy the one before with some probability: C(n) = copied^n (diag p - p p^T)."""

    copied: float
    draws: int
    tokens: int = 8000
    types: int = 16
    lags: tuple[int, int] = (2, 25)

    def __str__(self) -> str:
        return f"tokens copied with probability {self.copied:g}" if self.copied else "independent tokens"

    @property
    def shares(self) -> Floats:
        powers = 1 / np.arange(1, self.types + 1)
        return np.asarray(powers / powers.sum())

    def squared(self, lag: int) -> float:
        covariance = np.diag(self.shares) - np.outer(self.shares, self.shares)
        return float(self.copied ** (2 * lag) * (covariance**2).sum())

    @property
    def floor(self) -> float:
        """At the last lag, in 16 documents."""
        traces = (1 - self.shares @ self.shares) * self.copied ** np.arange(60)
        return noise_floor(traces, self.tokens - 16 * self.lags[-1])


@dataclass(frozen=True)
class Learned:
    """Samples of a world of lags, and what their counts teach."""

    world: Lags
    sizes: tuple[int, ...]
    seeds: int

    def __str__(self) -> str:
        return f"{self.kind}, beta = {self.world.decay:g}"

    @property
    def kind(self) -> str:
        return "told lags" if self.world.tagged else "hidden lags"

    @cached_property
    def horizon(self) -> Floats:
        """n*(P)."""
        return hidden_horizon(self.world.weights, self.world.values, self.sizes)

    @cached_property
    def foretold(self) -> Floats:
        """Excess at each size: H_{n*} - H_inf, or exactly what a table of what was told costs."""
        if self.world.tagged:
            return tagged_excess(self.world.weights, self.world.values, self.sizes)
        return np.asarray(self.world.entropies[self.horizon.astype(int)] - self.world.entropy_rate())

    @property
    def theory(self) -> float:
        """gamma/(2 beta), gamma over the n* that occur."""
        low, high = (max(1, int(self.horizon[k])) for k in (0, -1))
        return self.world.gamma(low, max(high, low + 3)) / (2 * self.world.beta)


@dataclass(frozen=True)
class Remembered:
    """Facts that change, told by a code that remembers the last sight of every fact within the last n tokens."""

    world: FluidSantaFe
    tokens: int
    sizes: tuple[int, ...]
    """n."""
    seeds: int
    kind = "changing facts"

    def __str__(self) -> str:
        return "fluid Santa Fe"

    @cached_property
    def foretold(self) -> Floats:
        return np.asarray(self.world.entropies(self.sizes[-1])[list(self.sizes)] - self.world.entropy_rate())


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
    yield Work("remember", Remembered(FluidSantaFe(seed=seed), 2 ** (config.reach - 1), windows, config.seeds))
    order = int(_random.keys(seed, 1, "real-text")[0] >> 32)  # that of `real-text`, so that both read the library alike
    for path in ("", *config.texts):
        text = Text(path, config, order)
        yield Work("climb", text, config.orders, cost=30)
        yield Work("weigh", text, cost=config.targets / 4)
        for function in ("correlate", "survey"):
            yield Work(function, text, cost=10)


@dataclass(frozen=True, eq=False)
class Evidence:
    """What was found of one text."""

    text: Text
    ladder: Rows[Text]
    worth: Rows[Text]
    norms: Rows[Text]
    laws: Rows[Text]

    def __str__(self) -> str:
        return str(self.text)

    @classmethod
    def of(cls, found: Found) -> list[Evidence]:
        parts = [found.of(Text, function=name) for name in ("climb", "weigh", "correlate", "survey")]
        return [cls(ladder.case, ladder, *others) for ladder, *others in zip(*parts, strict=True)]

    @cached_property
    def learners(self) -> list[str]:
        """The first one is context mixing."""
        return list(self.ladder.frame["learner"].unique(maintain_order=True))

    def costs(self, column: str, order: int, *learners: str) -> Floats:
        """Of each held-out document after each size (documents, learners, sizes)."""
        parts = (self.ladder.where(replicate=order, learner=learner)[column].to_numpy() for learner in learners)
        return np.stack([part.reshape(len(self.text.sizes), -1).T for part in parts], 1)

    def over_orders(self, of_falls: Callable[..., float], *learners: str) -> Estimate:
        """Of the learners' exponents: the mean over orders, and an interval that spans theirs over documents."""

        def value(mean: Floats) -> float:
            return of_falls(*(-slope(self.text.sizes[:-1], -np.diff(bits)) for bits in mean))

        over, orders = "held-out documents, spanning all orders", range(self.text.config.orders)
        found = [statistic(value, self.costs("bits", order, *learners), over=over) for order in orders]
        low, high = (pick(one.ends[k] for one in found) for k, pick in enumerate((min, max)))
        return replace(found[0], value=float(np.mean([one.value for one in found])), interval=(low, high))

    def exponent(self, learner: str) -> Estimate:
        return self.over_orders(float, learner)

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

    def off(self, alpha: float) -> float:
        """From the range between what the discounts of a tenth and of all predict."""
        return float(alpha - np.clip(alpha, *self.discounts))


NOT_REFUSED = Judge("holds if it is not refused, fails if it is", lambda e: "fails" if e.words["refused"] else "holds")
SLOPE = "slope of what each doubling of the text saves context mixing"
LADDER = "slope of the excess on the outputs learned from"
SHARE = "fall of the loss with 8 to 15 bytes of context over its fall with the longest, from P/16 to P"
D, DOCUMENTS = f"{SLOPE}, less the nearest of {{low:.3f}} to {{high:.3f}}", "held-out documents"


def refusable(of: Decay) -> Estimate:
    shown = of.refused or f"exponent {of.exponent:.2f} ({of.interval[0]:.2f} to {of.interval[1]:.2f})"
    reach = float(np.nan_to_num(of.window[1] / of.window[0]))
    return replace(exact(reach), words={"refused": of.refused, "shown": shown})


def falls(t: Rows[Any]) -> Estimate:
    return statistic(lambda excess: -slope(t.case.sizes, excess), t.array("excess"))


@claim(within(3), "standard errors", HERE, "mean of the statistic over texts, less the truth, in standard errors")
def no_noise(t: Rows[Noise], lag: int) -> Estimate:
    """{t}: at lag {lag} the norm without noise is right on average."""
    found = t.array("squared", lag=lag)
    return exact((found.mean() - t.case.squared(lag)) / (found.std(ddof=1) / np.sqrt(len(found)))).against(0.0)


@claim(within_share(0.05), "squared norm", HERE, "plug-in less truth")
def floor(t: Rows[Noise]) -> Estimate:
    """{t}: what noise adds to the norm of counts is the law's floor."""
    lag = t.case.lags[-1]
    return mean(t.array("plug_in", lag=lag) - t.case.squared(lag)).against(t.case.floor)


@claim(within(0.12), "exponent", PAPER, f"{LADDER}; predicted with the local gamma of the n* that occur")
def horizon_holds(t: Rows[Learned]) -> Estimate:
    """{t}: the loss falls with the exponent gamma/(2 beta)."""
    return falls(t).against(t.case.theory)


@claim(within_factor(1.6), "bits", HERE, "excess in the middle of the ladder")
def horizon_loss(t: Rows[Learned]) -> Estimate:
    """{t}: a learner of P outputs pays H_n* less the entropy rate."""
    middle = len(t.case.sizes) // 2
    return mean(t.array("excess")[:, middle]).against(t.case.foretold[middle])


@claim(within(1), "times 2 lags or 10 %", HERE, "the largest deviation of the mean number of lags")
def horizon_length(t: Rows[Learned]) -> Estimate:
    """{t}: as many lags are used as the law's horizon holds."""
    margin = np.maximum(2, 0.1 * t.case.horizon)
    return statistic(lambda kept: np.abs((kept - t.case.horizon) / margin).max(), t.array("kept")).against(0.0)


@claim(within(0.04), "exponent", HERE, f"{LADDER}; predicted: of the exact law, which tends to gamma/beta")
def told(t: Rows[Learned]) -> Estimate:
    """{t}: who is told the lag learns with the exponent gamma/beta."""
    return falls(t).against(-slope(t.case.sizes, t.case.foretold))


@claim(above(0.08), "exponent", PAPER, f"{LADDER}, less gamma/(2 beta)")
def theory_fails(t: Rows[Learned]) -> Estimate:
    """{t}: the theory, which sees the same correlations, is wrong."""
    return falls(t).plus(-t.case.theory)


@claim(within(0.05), "exponent", HILBERG, "slope of the excess on the tokens remembered; predicted: of H_n, exact")
def memory(t: Rows[Remembered]) -> Estimate:
    """{t}: a code that remembers the whole past has the exponent gamma."""
    return falls(t).against(-slope(t.case.sizes, t.case.foretold))


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

    def share(mean: Floats) -> float:
        bits, first = -np.diff(mean[:, :2] / mean[:, 2:], axis=0)[0]
        return float(first[0] / bits[-1])

    return statistic(share, e.context_costs, over=DOCUMENTS)


@claim(above(1), "ratio", PAPER, "bits per byte that the longest context saves over 8 bytes, at P over P/16")
def far_context(e: Evidence) -> Estimate:
    """{e}: far context is worth more with more text."""

    def grown(mean: Floats) -> float:
        before, after = (mean[:, 0, 0] - mean[:, 0, -1]) / mean[:, 2, 0]
        return float(after / before)

    return statistic(grown, e.context_costs, over=DOCUMENTS)


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


@claim(within(0.05), "exponent", PAPER, "difference of the slopes of what each doubling saves")
def one_exponent(e: Evidence, one: str, other: str) -> Estimate:
    """{e}: {one} and {other} have the same exponent."""
    return e.over_orders(lambda a, b: a - b, one, other).against(0.0)


@claim(below(0), "exponent", PAPER, "error of the prediction less that of 1 - d")
def nearer(e: Evidence, rival: str, value: float) -> Estimate:
    """{e}: {rival} is nearer than 1 - d."""
    return e.over_orders(lambda alpha: abs(value - alpha) - abs(e.off(alpha)), e.learners[0]).against(0.0)


def claims(found: Found) -> Iterator[Claim]:
    for noise in found.of(Noise):
        yield from (*(no_noise(noise, lag) for lag in noise.case.lags), floor(noise))
    for t in found.of(Learned):
        which = (told, theory_fails) if t.case.world.tagged else (horizon_holds, horizon_loss, horizon_length)
        yield from (one(t) for one in which)
    yield memory(found.one(Remembered))
    for e in Evidence.of(found):
        yield from (*(has_beta(e, unit) for unit in e.text.units), has_gamma(e), horizon_pays(e), far_context(e))
        yield from (horizon_theory(e), data_law(e), hilberg(e))
        yield from (one_exponent(e, *pair) for pair in combinations(e.learners, 2))
        yield from (nearer(e, rival, value) for rival, value in e.rivals.items())


def worlds(found: Found) -> Iterator[pl.DataFrame]:
    """Bits per output above the entropy rate. Laws: H at the horizon (hidden lags), an exact sum (told), H_n (facts)."""
    both: list[Rows[Any]] = [*found.of(Learned), *found.of(Remembered)]
    for t in both:
        labels = {
            "world": t.case.kind,
            "beta": f"beta {t.case.world.decay:g}" if isinstance(t.case, Learned) else "facts",
        }
        yield curves({"size": t.case.sizes}, "excess", {"law": t.case.foretold, "learner": t.array("excess")}, **labels)


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
    """Bits per byte that the next doubling of the text saves on other documents, mean over orders (band: least and greatest);
    lines: powers with the exponents predicted, at the height of context mixing.
    """
    for e in texts:
        sizes, orders = np.array(e.text.sizes[:-1]), range(e.text.config.orders)
        bits, length = (np.array([e.costs(c, k, *e.learners).sum(0) for k in orders]) for c in ("bits", "length"))
        saved = -np.diff(bits / length)  # (orders, learners, doublings)
        height = np.exp(np.log(np.maximum(saved[:, 0].mean(0), 1e-6)).mean())
        x, lines = sizes / np.exp(np.log(sizes).mean()), zip(LINES, (e.discounts[1], e.hilberg), strict=False)
        series = {name: height * x**-a for name, a in lines} | dict(zip(e.learners, saved.swapaxes(0, 1), strict=True))
        yield curves({"bytes": sizes}, "saved", series, text=str(e))


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
        copies = e.laws.where(axis="whole")["repeated"][0]
        rows += [("measured", "share of repeated runs", copies, None, None, "copies" if copies > 0.03 else None)]
        names = ["what", "of", "exponent", "low", "high", "note"]
        yield pl.DataFrame(rows, names, orient="row", infer_schema_length=None).insert_column(
            0, pl.lit(str(e)).alias("text")
        )


def tables(found: Found) -> Iterator[Table]:
    texts = Evidence.of(found)
    yield from table("ladders", "What each doubling of the text saves", ladders, texts)
    yield from table("theories", "Theories of the exponent", theories, texts)
    yield from table("worlds", "Worlds whose exponents are known", worlds, found)
    yield from table("norms", "Correlations by distance", norms, texts)
    yield from table("worth", "What context is worth", worth, texts)


LINES: dict[Any, Kind] = {"1 - d": "theory", "1 - b": "asymptote", ...: "learner"}
WORLDS: dict[Any, Kind] = {"law": "theory", "learner": "learner"}
NORMS: dict[Any, Kind] = {"noise": "asymptote", "counts": "simulation", "without noise": "learner"}
READ, SAVED = Axis("bytes", "bytes read"), Axis("saved", "saved by the next doubling", "bits per byte")
SIZE, EXCESS = Axis("size", "outputs learned from, or remembered"), Axis("excess", "excess loss", "bits per output")
LAG, NORM, CONTEXT = Axis("lag", "distance"), Axis("norm", "norm of covariance"), Axis("context", "bytes of context")
FALLS = "Theories say with which slope savings fall, not how high they are."
FAR = "Counts see correlations that are not there: their own noise."
KNOWN = "Hidden lags obey the theory; told ones have the same correlations, and do not."
NO_POWER = "If the theory held, what context saves would fall as a power of its length, and rise with the text."
WHERE = "Where the theory must hold, and where not"

FIGURES = (
    Figure("text-exponent", "What each doubling saves", "ladders", READ, SAVED, LINES, "text", caption=FALLS),
    Figure("worlds", WHERE, "worlds", SIZE, EXCESS, WORLDS, "world", colour="beta", caption=KNOWN),
    Figure("norms", "Correlations without noise", "norms", LAG, NORM, NORMS, "unit", "text", caption=FAR),
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

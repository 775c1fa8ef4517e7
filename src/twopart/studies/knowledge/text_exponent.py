"""Do a text's own correlations and contexts foretell how a learner's loss falls with more of it?

The theory, alpha = gamma/(2 beta), is first put where it must hold and where it must fail: worlds whose exponents are known
exactly. Then texts are measured, and their predictions, or the reasons why there is none, meet the ladders of two codes that need
no training. No floor is assumed: an exponent is the slope of what each doubling of the text saves (docs/laws/real-text.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import combinations, product
from pathlib import Path
from typing import Annotated, Any

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
from twopart.laws.knowledge.horizon import hidden_horizon, noise_floor, tagged_excess
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, distinct, every, rising, settings
from twopart.studies import Work
from twopart.tools.measure.sources import Source, list_sources, looks_binary
from twopart.worlds import Documents, FluidSantaFe, Lags, divide, standard_library

STUDY, TITLE, HERE = "text-exponent", "The exponent of a text", "docs/laws/text-exponent.md"
PAPER = f"Cagnetta, Raventos, Ganguli, Wyart 2026, arXiv 2602.07488; {HERE}"
HILBERG = f"Debowski 2025, arXiv 2512.13491; {HERE}"
Floats = NDArray[np.float64]

NOISY, SPREAD = "200 tell 5 % of the floor", "an interval needs a spread"
WINDOWS = rising(4).because("a power law of what context is worth needs four doublings")
LONG = between(13, 22).because("an exponent needs a range, and 2^22 outputs fit into memory")


@settings
class Config:
    """The exponent of a text: worlds in which it is known, and texts in which it is foretold or not."""

    draws: Annotated[int, at_least(10).because(NOISY), "Texts of noise, to see what noise adds to correlations."] = 200
    decays: Annotated[tuple[float, ...], distinct(1), every(between(0.5, 3)), "Decays beta of worlds of lags."] = (
        1.0,
        1.25,
        1.5,
    )
    lags: Annotated[int, at_least(16).because("beta needs a range"), "Lags of these worlds."] = 256
    reach: Annotated[int, LONG, "log2 of the most outputs that are learned from."] = 20
    seeds: Annotated[int, at_least(2).because(SPREAD), "Samples of each world."] = 4
    texts: Annotated[tuple[str, ...], "Files or folders, a text each; Python's library is always the first."] = ()
    pattern: Annotated[str, "Which files below the folders are read."] = "*"
    size: Annotated[int, at_least(40_000), "Bytes of a text, or all but what is held out if that is less."] = 4_000_000
    held_out: Annotated[int, at_least(5000).because("less is noise"), "Bytes of other documents, for the exam."] = (
        300_000
    )
    doublings: Annotated[
        int, between(3, 12).because("an exponent of savings needs three"), "Of the text, up to its size."
    ] = 5
    orders: Annotated[int, at_least(1), "Orders of the documents; an interval spans them."] = 3
    targets: Annotated[int, at_least(10).because(SPREAD), "Stretches whose cost is compared by context."] = 400
    windows: Annotated[tuple[int, ...], WINDOWS, "Bytes of context, doubling."] = tuple(2**k for k in range(3, 13))
    vocabulary: Annotated[tuple[int, ...], every(between(260, 65_536)), "Byte pairs to measure correlations of."] = (
        1024,
        4096,
    )


TINY = Config(40, (1.25,), 32, 14, 3, (), "*", 60_000, 20_000, 3, 2, 20, (8, 16, 32, 64), (300,))
PRESETS = {
    "tiny": TINY,
    "small": Config(),
    "full": Config(
        2000, (1.0, 1.25, 1.5, 2.0), reach=22, seeds=16, size=8_000_000, doublings=6, orders=6, targets=2000
    ),
}


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
        p = self.shares
        return float(self.copied ** (2 * lag) * ((np.diag(p) - np.outer(p, p)) ** 2).sum())

    @property
    def floor(self) -> float:
        traces = (1 - self.shares @ self.shares) * self.copied ** np.arange(60)
        return noise_floor(traces, self.tokens - 16 * self.lags[1])


@dataclass(frozen=True)
class Learned:
    """Samples of a world of lags, and what their counts teach."""

    world: Lags
    sizes: tuple[int, ...]
    seeds: int

    def __str__(self) -> str:
        return f"{'told' if self.world.tagged else 'hidden'} lags, beta = {self.world.decay:g}"

    @cached_property
    def horizon(self) -> Floats:
        """n*(P)."""
        return np.maximum(hidden_horizon(self.world.weights, self.world.values, self.sizes), 1)

    @cached_property
    def foretold(self) -> Floats:
        """Excess at each size: H_{n*} - H_inf, or exactly what a table of what was told costs."""
        if self.world.tagged:
            return tagged_excess(self.world.weights, self.world.values, self.sizes)
        return self.world.entropies[self.horizon.astype(int)] - self.world.entropy_rate()

    @property
    def theory(self) -> float:
        """gamma/(2 beta), gamma over the n* that occur."""
        return self.world.gamma(int(self.horizon[0]), int(max(self.horizon[-1], self.horizon[0] + 3))) / (
            2 * self.world.beta
        )


@dataclass(frozen=True)
class Remembered:
    """The fluid Santa Fe process, told by a code that remembers the last sight of every fact within the last n tokens."""

    world: FluidSantaFe
    tokens: int
    contexts: tuple[int, ...]
    seeds: int

    def __str__(self) -> str:
        return "fluid Santa Fe"

    @cached_property
    def foretold(self) -> Floats:
        return self.world.entropies(self.contexts[-1])[list(self.contexts)] - self.world.entropy_rate()


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
        yield Work("draw_noise", Noise(copied, config.draws), cost=config.draws / 100)
    sizes = tuple(2**k for k in range(min(12, config.reach - 4), config.reach + 1, 1 if config.reach < 16 else 2))
    for tagged, beta in product((False, True), config.decays):
        world = Lags(16, beta, config.lags, tagged, seed)
        yield Work("learn", Learned(world, sizes, config.seeds), cost=sizes[-1] * config.lags / 1e7)
    lengths = tuple(2**k for k in range(4, config.reach - 5))
    yield Work("remember", Remembered(FluidSantaFe(seed=seed), 2 ** (config.reach - 1), lengths, config.seeds))
    order = int(_random.keys(seed, 1, "real-text")[0] >> 32)  # that of `real-text`, so that both read the library alike
    for path in ("", *config.texts):
        text = Text(path, config, order)
        yield Work("climb", text, config.orders, cost=config.size / 1e5)
        for function in ("weigh", "correlate", "survey"):
            yield Work(function, text, cost=config.size / 2e5)


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
        """The first one is `mixing`."""
        return self.ladder.frame["learner"].unique(maintain_order=True).to_list()

    def costs(self, order: int, learner: str, column: str = "bits") -> Floats:
        """Of each held-out document after each size (documents, sizes)."""
        return (
            self.ladder.where(replicate=order, learner=learner)[column].to_numpy().reshape(len(self.text.sizes), -1).T
        )

    def over_orders(self, of_mean: Callable[[Any], float], *learners: str) -> Estimate:
        """A statistic of mean costs (learners, sizes): the mean over orders, its interval spanning theirs over documents."""
        orders = range(self.text.config.orders)
        stacked = (np.stack([self.costs(order, learner) for learner in learners], 1) for order in orders)
        found = [statistic(of_mean, costs, over="held-out documents, spanning all orders") for costs in stacked]
        ends = np.array([one.ends for one in found])
        return replace(
            found[0], value=float(np.mean([one.value for one in found])), interval=(ends[:, 0].min(), ends[:, 1].max())
        )

    def fall(self, bits: Floats) -> float:
        """The exponent of savings; nan where one is not positive."""
        return -slope(self.text.sizes[:-1], -np.diff(bits))

    @cached_property
    def alpha(self) -> Estimate:
        """The exponent of context mixing."""
        return self.over_orders(lambda mean: self.fall(mean[0]), "mixing")

    def beta(self, unit: str) -> Decay:
        n, squared = (self.norms.array(name, unit=unit)[0] for name in ("lag", "squared"))
        roots = (np.sqrt(np.maximum(values, 0)) for values in (squared, self.norms.array("without", unit=unit)))
        y, others = roots
        return decay(n, y, jackknife=others)

    def sums(self, size: int) -> Floats:
        """Bits of all, of the first 8 bytes, and targets, by document (documents, 3, windows)."""
        return np.asarray(self.worth.array("bits", "first", "targets", size=size), float)

    @cached_property
    def context_sizes(self) -> tuple[int, int]:
        return self.text.sizes[-1] >> 4, self.text.sizes[-1]

    @cached_property
    def gamma(self) -> Decay:
        sums = self.sums(self.context_sizes[1])
        picks = np.random.default_rng(0).integers(len(sums), size=(1000, len(sums)))
        bits = (means := np.vstack([sums.mean(0)[None], sums[picks].mean(1)]))[:, 0] / means[:, 2]
        saved = -np.diff(bits)
        return decay(self.text.config.windows[:-1], saved[0], bootstrap=saved[1:], **SAVINGS)

    @cached_property
    def theory(self) -> Prediction:
        return horizon_prediction(self.beta("bytes"), self.gamma)

    @cached_property
    def discounts(self) -> tuple[float, float]:
        """1 - d by the words of a random tenth, and of all."""
        return tuple(1 - self.laws.where(axis=axis)["discount"][0] for axis in ("tenth", "whole"))  # type: ignore[return-value]

    @cached_property
    def hilberg(self) -> float:
        """1 - b."""
        shared = self.laws.where(axis="shared")
        return 1 - slope(shared["size"], shared["bits"])

    @property
    def predictions(self) -> dict[str, float]:
        forced = self.theory.alpha if self.theory.refused is None else np.nan
        return {"gamma/(2 beta)": forced, "1 - b": self.hilberg, "0.16": 0.16}

    def nearest(self, alpha: float) -> float:
        """Of the range between what the discounts of a tenth and of all predict."""
        return float(np.clip(alpha, min(self.discounts), max(self.discounts)))


NOT_REFUSED = Judge("holds if it is not refused, fails if it is", lambda e: "fails" if e.words["refused"] else "holds")
SLOPE = "slope of what each doubling of the text saves context mixing"
LADDER = "slope of the excess on the outputs learned from"


def judged(of: Decay) -> Estimate:
    shown = of.refused or f"exponent {of.exponent:.2f} ({of.interval[0]:.2f} to {of.interval[1]:.2f})"
    span = of.window[1] / of.window[0]
    return replace(exact(0.0 if np.isnan(span) else span), words={"refused": of.refused, "shown": shown})


@claim(within(3), "standard errors", HERE, "mean of the statistic over texts, less the truth, in standard errors")
def no_noise(t: Rows[Noise], lag: int) -> Estimate:
    """{t}: at lag {lag} the norm without noise is right on average."""
    found = t.array("squared", lag=lag)
    return exact((found.mean() - t.case.squared(lag)) / (found.std(ddof=1) / np.sqrt(len(found)))).against(0.0)


@claim(within_share(0.05), "squared norm", HERE, "plug-in less truth")
def floor(t: Rows[Noise]) -> Estimate:
    """{t}: what noise adds to the norm of counts is the law's floor."""
    lag = t.case.lags[1]
    return mean(t.array("plug_in", lag=lag) - t.case.squared(lag)).against(t.case.floor)


@claim(within(0.12), "exponent", PAPER, f"{LADDER}; predicted with the local gamma of the n* that occur")
def horizon_holds(t: Rows[Learned]) -> Estimate:
    """{t}: the loss falls with the exponent gamma/(2 beta)."""
    return statistic(lambda excess: -slope(t.case.sizes, excess), t.array("excess")).against(t.case.theory)


@claim(within_factor(1.6), "bits", HERE, "excess in the middle of the ladder")
def horizon_loss(t: Rows[Learned]) -> Estimate:
    """{t}: a learner of P outputs pays H_n* less the entropy rate."""
    middle = len(t.case.sizes) // 2
    return mean(t.array("excess")[:, middle]).against(t.case.foretold[middle])


@claim(
    within(1),
    "times the margin of 2 lags or 10 %",
    HERE,
    "the largest deviation of the mean number of lags, in margins",
)
def horizon_length(t: Rows[Learned]) -> Estimate:
    """{t}: as many lags are used as the law's horizon holds."""
    margin = np.maximum(2, 0.1 * t.case.horizon)
    worst = lambda kept: float(np.abs((kept - hidden(t)) / margin).max())
    return statistic(worst, t.array("kept")).against(0.0)


def hidden(t: Rows[Learned]) -> Floats:
    """n* by the law, 0 where no lag is seen."""
    return hidden_horizon(t.case.world.weights, t.case.world.values, t.case.sizes)


@claim(within(0.04), "exponent", HERE, f"{LADDER}; predicted: of the exact law, which tends to gamma/beta")
def told(t: Rows[Learned]) -> Estimate:
    """{t}: who is told the lag learns with the exponent gamma/beta."""
    law = -slope(t.case.sizes, t.case.foretold)
    return statistic(lambda excess: -slope(t.case.sizes, excess), t.array("excess")).against(law)


@claim(above(0.08), "exponent", PAPER, f"{LADDER}, less gamma/(2 beta)")
def theory_fails(t: Rows[Learned]) -> Estimate:
    """{t}: the theory, which sees the same correlations, is wrong."""
    return statistic(lambda excess: -slope(t.case.sizes, excess) - t.case.theory, t.array("excess"))


@claim(within(0.05), "exponent", HILBERG, "slope of the excess on the tokens remembered; predicted: of H_n, exact")
def memory(t: Rows[Remembered]) -> Estimate:
    """{t}: a code that remembers the whole past has the exponent gamma."""
    law = -slope(t.case.contexts, t.case.foretold)
    return statistic(lambda excess: -slope(t.case.contexts, excess), t.array("excess")).against(law)


@claim(NOT_REFUSED, "times its shortest distance", PAPER, "widest window of distances with one power law")
def has_beta(e: Evidence, unit: str) -> Estimate:
    """{e}, {unit}: correlations fall as a power of the distance, faster than its root: {shown}."""
    return judged(e.beta(unit))


@claim(NOT_REFUSED, "times its shortest context", PAPER, "widest window of contexts with one power law")
def has_gamma(e: Evidence) -> Estimate:
    """{e}: what a doubling of the context saves falls as a power of the context: {shown}."""
    return judged(e.gamma)


@claim(
    below(0.5),
    "ratio",
    PAPER,
    "fall of the loss with 8 to 15 bytes of context over its fall with the longest, from P/16 to P",
)
def horizon_pays(e: Evidence) -> Estimate:
    """{e}: what more text saves, it saves by longer contexts."""

    def share(mean: Floats) -> float:
        (first, last), bits = mean[:, 1] / mean[:, 2], mean[:, 0] / mean[:, 2]
        return float((first[0] - last[0]) / (bits[0, -1] - bits[1, -1]))

    return statistic(share, np.stack([e.sums(size) for size in e.context_sizes], 1), over="held-out documents")


@claim(above(1), "ratio", PAPER, "bits per byte that the longest context saves over 8 bytes, at P over P/16")
def far_context(e: Evidence) -> Estimate:
    """{e}: far context is worth more with more text."""

    def grown(mean: Floats) -> float:
        worth = (mean[:, 0, 0] - mean[:, 0, -1]) / mean[:, 2, 0]
        return float(worth[1] / worth[0])

    return statistic(grown, np.stack([e.sums(size) for size in e.context_sizes], 1), over="held-out documents")


@claim(within(0.05), "exponent", PAPER, f"{SLOPE}, its interval widened by that of the prediction")
def horizon_theory(e: Evidence) -> Estimate:
    """{e}: the loss falls with the exponent gamma/(2 beta){why}."""
    p, (low, high) = e.theory, e.alpha.ends
    if p.refused:
        return e.alpha.against(None, why=f", but none is predicted: {p.refused}")
    wider = low - (p.interval[1] - p.alpha), high + (p.alpha - p.interval[0])
    return replace(e.alpha, interval=wider).against(p.alpha, why="")


@claim(
    within(0.1),
    "exponent",
    f"Pan, Wang, Li 2025, arXiv 2504.09597; {HERE}",
    f"{SLOPE}, less the nearest of {{low:.3f}} to {{high:.3f}}",
)
def data_law(e: Evidence) -> Estimate:
    """{e}: the loss falls with the exponent 1 - d, d of a random tenth of the words or of all."""
    gap = e.over_orders(lambda mean: e.fall(mean[0]) - e.nearest(e.fall(mean[0])), "mixing")
    return gap.against(0.0, low=min(e.discounts), high=max(e.discounts))


@claim(within(0.05), "exponent", HILBERG, SLOPE)
def hilberg(e: Evidence) -> Estimate:
    """{e}: the loss falls with the exponent 1 - b, b that of the bits which two halves share."""
    return e.alpha.against(e.hilberg)


@claim(within(0.05), "exponent", PAPER, "difference of the slopes of what each doubling saves")
def one_exponent(e: Evidence, one: str, other: str) -> Estimate:
    """{e}: {one} and {other} have the same exponent."""
    return e.over_orders(lambda mean: e.fall(mean[0]) - e.fall(mean[1]), one, other).against(0.0)


@claim(below(0), "exponent", PAPER, "error of the prediction less that of 1 - d")
def nearer(e: Evidence, theory: str) -> Estimate:
    """{e}: {theory} is nearer than 1 - d."""
    value = e.predictions[theory]

    def gain(mean: Floats) -> float:
        alpha = e.fall(mean[0])
        return abs(value - alpha) - abs(e.nearest(alpha) - alpha)

    return e.over_orders(gain, "mixing").against(0.0)


def claims(found: Found) -> Iterator[Claim]:
    for noise in found.of(Noise):
        yield from (*(no_noise(noise, lag) for lag in noise.case.lags), floor(noise))
    for t in found.of(Learned):
        yield from (
            (told(t), theory_fails(t))
            if t.case.world.tagged
            else (horizon_holds(t), horizon_loss(t), horizon_length(t))
        )
    yield memory(found.one(Remembered))
    for e in Evidence.of(found):
        yield from (*(has_beta(e, unit) for unit in e.text.units), has_gamma(e), horizon_pays(e), far_context(e))
        yield from (
            horizon_theory(e),
            data_law(e),
            hilberg(e),
            *(one_exponent(e, *pair) for pair in combinations(e.learners, 2)),
        )
        yield from (nearer(e, theory) for theory in e.predictions)


def worlds(found: Found) -> Iterator[pl.DataFrame]:
    """Bits per output above the entropy rate. Law: H at the horizon less the entropy rate (hidden), exact (told), H_n (Santa Fe)."""
    for t in (*found.of(Learned), found.one(Remembered)):
        sizes = t.case.contexts if isinstance(t.case, Remembered) else t.case.sizes
        kind = "Santa Fe" if isinstance(t.case, Remembered) else "told" if t.case.world.tagged else "hidden"
        beta = "" if isinstance(t.case, Remembered) else f"{t.case.world.decay:g}"
        series = {"law": t.case.foretold, "learner": t.array("excess")}
        yield curves({"size": sizes}, "excess", series, world=kind, beta=beta)


def norms(texts: list[Evidence]) -> Iterator[pl.DataFrame]:
    """Frobenius norms of the covariance of tokens so far apart: of counts, without their noise (band: two standard errors; none
    where it is not above 0), and what noise alone gives to independent tokens.
    """
    for e in texts:
        for unit in e.text.units:
            n, squared, error, plug, noise = e.norms.array("lag", "squared", "error", "plug_in", "floor", unit=unit)[0]
            y, x, labels = np.sqrt(np.maximum(squared, 0)), {"lag": n}, {"text": str(e), "unit": unit}
            seen = squared > 0
            band = tuple(np.sqrt(np.maximum(squared + k * error, 1e-3 * squared))[seen] for k in (-2, 2))
            yield curves(x, "norm", {"counts": np.sqrt(plug), "noise": np.sqrt(noise)}, **labels)
            yield curve({"lag": n[seen]}, {"norm": y[seen]}, band, series="without noise", **labels)  # type: ignore[arg-type]


def ladders(texts: list[Evidence]) -> Iterator[pl.DataFrame]:
    """Bits per byte that the next doubling of the text saves on other documents, mean over orders (band: least and greatest);
    lines: powers with the exponents predicted, at the height of context mixing.
    """
    for e in texts:
        sizes = np.array(e.text.sizes)
        orders = range(e.text.config.orders)
        for learner in e.learners:
            per = [e.costs(k, learner).sum(0) / e.costs(k, learner, "length").sum(0) for k in orders]
            saved = -np.diff(np.array(per))
            if learner == "mixing":
                height = np.exp(np.log(np.maximum(saved.mean(0), 1e-6)).mean())
            yield curve({"bytes": sizes[:-1]}, {"saved": saved}, text=str(e), series=learner)
        lines = {"1 - d of all words": e.discounts[1], "1 - b": e.hilberg}
        x = sizes[:-1] / np.exp(np.log(sizes[:-1]).mean())
        yield curves({"bytes": sizes[:-1]}, "saved", {name: height * x**-a for name, a in lines.items()}, text=str(e))


def worth(texts: list[Evidence]) -> Iterator[pl.DataFrame]:
    """Bits per byte that twice the context saves context mixing, on the same bytes, after P bytes of text and after P/16."""
    for e in texts:
        for name, size in zip(("after P/16", "after P"), e.context_sizes, strict=True):
            total = e.sums(size).sum(0)
            yield curves(
                {"context": e.text.config.windows[:-1]}, "saved", {name: -np.diff(total[0] / total[2])}, text=str(e)
            )


def theories(texts: list[Evidence]) -> Iterator[pl.DataFrame]:
    """Which theory predicts which exponent, and what was seen; a prediction that is refused has its reason instead."""
    for e in texts:
        rows: list[tuple[str, float | None, float | None, float | None, str]] = []
        for name, low, high in (("1 - d", *sorted(e.discounts)), ("1 - b", e.hilberg, e.hilberg), ("0.16", 0.16, 0.16)):
            rows.append((f"predicted: {name}", (low + high) / 2, low, high, ""))
        p = e.theory
        rows.insert(
            0, ("predicted: gamma/(2 beta)", *((None,) * 3 if p.refused else (p.alpha, *p.interval)), p.refused or "")
        )
        for learner in e.learners:
            seen = e.over_orders(lambda mean: e.fall(mean[0]), learner)
            rows.append((f"seen: {learner}", seen.value, *seen.ends, ""))
        copies = e.laws.where(axis="whole")["repeated"][0]
        rows.append(("share of 48-byte runs in other documents", copies, None, None, "copies" if copies > 0.03 else ""))
        names = ["what", "exponent", "low", "high", "note"]
        yield pl.DataFrame(rows, names, orient="row").select(pl.lit(str(e)).alias("text"), pl.all())


def tables(found: Found) -> Iterator[Table]:
    texts = Evidence.of(found)
    yield from table("ladders", "What each doubling of the text saves", ladders, texts)
    yield from table("theories", "Theories of the exponent", theories, texts)
    yield from table("worlds", "Worlds whose exponents are known", worlds, found)
    yield from table("norms", "Correlations by distance", norms, texts)
    yield from table("worth", "What context is worth", worth, texts)


SAVED = Axis("saved", "saved by the next doubling", "bits per byte")
LINES: dict[Any, Kind] = {"1 - d of all words": "theory", "1 - b": "asymptote", ...: "learner"}
WORLDS: dict[Any, Kind] = {"law": "theory", "learner": "learner"}
NORMS: dict[Any, Kind] = {"noise": "asymptote", "counts": "simulation", "without noise": "learner"}
FALLS = "Theories say with which slope savings fall, not how high they are."
FAR = "Beyond its own noise, counting sees correlations that are not there."
ONE_WORLD = "Hidden lags obey the theory; the same correlations with the lag told, and facts that change, do not."
NO_POWER = "If the theory held, what far context saves would fall as a power, and rise with the text."

FIGURES = (
    Figure("text-exponent", "What each doubling saves", "ladders", Axis("bytes", "bytes read"), SAVED, LINES, "text", caption=FALLS),
    Figure("worlds", "Where the theory must hold, and where not", "worlds", Axis("size", "outputs learned from, or context"),
           Axis("excess", "excess loss", "bits per output"), WORLDS, "world", colour="beta", caption=ONE_WORLD),
    Figure("norms", "Correlations without noise", "norms", Axis("lag", "distance"), Axis("norm", "norm of covariance"), NORMS,
           "unit", "text", caption=FAR),
    Figure("worth", "What context is worth", "worth", Axis("context", "bytes of context"), SAVED, "learner", "text", caption=NO_POWER),
)  # fmt: skip


def summary(found: Found) -> str:
    told = "; ".join(
        f"{e}: {'no prediction' if e.theory.refused else f'{e.theory.alpha:.2f}'} by gamma/(2 beta), {min(e.discounts):.2f} to "
        f"{max(e.discounts):.2f} by 1 - d, {e.hilberg:.2f} by 1 - b, and {e.alpha.value:.2f} seen"
        for e in Evidence.of(found)
    )
    return (
        "A text's correlations fall with distance as n^-beta, what its contexts leave open as n^-gamma; a theory says that then "
        "losses fall with data as P^-(gamma/(2 beta)). It is tried in worlds of known exponents, and on texts, whose correlations "
        f"are measured without their sampling noise and whose contexts by honest codes.\n\n{told}."
    )

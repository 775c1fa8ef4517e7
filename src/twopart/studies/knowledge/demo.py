"""What do data, parameters and compute buy, in one kind of world and four sizes of transformer?

The same runs tell how the bill for unknown facts falls with data, which facts are known at the end and which are made up, and
what a scaling law through them would train next. Nothing but that scaling law is fitted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Annotated, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart._arguments import Floats
from twopart._checks import InputError
from twopart.codes import bayes_code, oracle_code
from twopart.evidence import (
    Estimate,
    Found,
    Rows,
    above,
    below,
    claim,
    curves,
    jackknife,
    mean,
    ratio,
    statistic,
    table,
)
from twopart.evidence.judges import within, within_factor, within_share
from twopart.findings import Claim, Table
from twopart.fits import LogBins, by_number, first_below, scaling_law, slope
from twopart.fits.scaling import Plan, ScalingFit
from twopart.lab import Cell
from twopart.laws import data_law, knowledge_law
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, no_less_than, settings
from twopart.studies import Work, world_seed
from twopart.studies._transformers import FIXED, OnePass, ladder
from twopart.worlds import Biographies, SyntaxKnowledge

STUDY, TITLE = "demo", "One world, predicted and measured"
PAPER, DATA, KNOWN = "Pan, Wang, Li 2025, arXiv 2504.09597", "docs/laws/data.md", "docs/laws/hallucination.md"
LEARNER = "docs/laws/learner-law.md, transformers"
CHINCHILLA = "Hoffmann et al. 2022, arXiv 2203.15556, approach 3; docs/fits/scaling.md"

MOMENTS = 5  # numbers of sentences, each twice the one before, after which a model is examined
PER_DECADE, RAREST = 8, 10**6  # bins of sentences and of rarity
FAR = 10.0, 100.0  # times the compute of the largest run: what is planned

DISCOUNT = between(0, 1, "()").because("0.5 is near what text shows")
READ = at_least(3200), no_less_than("training.batch", times=2**MOMENTS).because("the first exam needs two updates")


@settings
class Config:
    """The demo: what data, parameters and compute buy in one kind of world, predicted and measured."""

    discount: Annotated[float, DISCOUNT, "Discount d: the larger, the more rare entities."] = 0.5
    widths: Annotated[tuple[int, ...], *ladder, "Widths of the transformers."] = (8, 16, 32, 64)
    sentences: Annotated[int, *READ, "Sentences that each reads, once."] = 200_000
    seeds: Annotated[int, at_least(2).because("an interval needs a spread"), "Replicates, each in its own world."] = 6
    held_out: Annotated[int, at_least(500), "Sentences of another sample, on which they are examined."] = 20_000
    people: Biographies = Biographies()
    training: OnePass = OnePass(batch=128, learning_rate=1e-2)


PRESETS = {
    "tiny": Config(
        widths=(4, 8, 16), sentences=3200, seeds=2, held_out=500,
        people=Biographies(16, 4), training=OnePass(64, 1e-2, warmup=10, hold=50),
    ),
    "small": Config(),
    "full": Config(
        widths=(8, 16, 32, 64, 128), sentences=3_000_000, seeds=8, held_out=100_000, people=Biographies(names=2**24),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """The worlds, one for each replicate, and what is read of them: the same for all sizes."""

    discount: float
    sentences: int
    held_out: int
    people: Biographies
    seed: int

    def __str__(self) -> str:
        return f"{self.sentences:,} sentences"

    def world(self, replicate: int) -> SyntaxKnowledge:
        return self.people.world(self.discount, world_seed(self.seed, STUDY, replicate))

    @property
    def moments(self) -> tuple[int, ...]:
        """After how many sentences a model is examined, rising; the last is all."""
        return tuple(self.sentences // 2**i for i in range(MOMENTS))[::-1]

    @cached_property
    def bins(self) -> LogBins:
        """Of sentences read."""
        return LogBins(self.sentences + 1, per_decade=PER_DECADE)

    @property
    def late(self) -> NDArray[np.bool_]:
        """The bins of the last tenfold."""
        return self.bins.edges[:-1] > self.sentences / 10

    @cached_property
    def law(self) -> Floats:
        """Value bits of the best possible learner at each bin: the mean over all such worlds."""
        return self.bins.mean(by_number(lambda n: data_law(self.world(0), n - 1).value, self.sentences))


@dataclass(frozen=True)
class Learner:
    """Cells: transformers of one width, each reading one sample of a world of its own once."""

    sample: Sample
    width: int
    training: OnePass

    def __str__(self) -> str:
        return f"width {self.width}"


def cells(config: Config, seed: int) -> Iterator[Work]:
    sample = Sample(config.discount, config.sentences, config.held_out, config.people, seed)
    yield Work("compress", sample, config.seeds)
    for width in config.widths:
        yield Work("learn_facts", Learner(sample, width, config.training), config.seeds, cost=100 + width)


def compress(case: Sample, cell: Cell) -> pl.DataFrame:
    """Value bits of the Bayes code, the best possible learner, on what a replicate's transformers read: by `low` of a bin, with
    the `law` of this very world.
    """
    corpus = case.world(cell.replicate).sample(case.sentences)
    bits = bayes_code(corpus) - oracle_code(corpus)
    law = by_number(lambda n: knowledge_law(corpus, n - 1), len(corpus))
    cell.progress(1, 1)
    each = {"value": case.bins.mean(bits.value), "law": case.bins.mean(law)}
    return pl.DataFrame({"low": case.bins.edges[:-1], **each})


@dataclass(frozen=True, eq=False)
class Evidence:
    """R worlds, and what S sizes of transformer, rising, did there."""

    best: Rows[Sample]
    """The best possible learner's code."""
    sizes: tuple[Rows[Learner], ...]

    @property
    def sample(self) -> Sample:
        return self.best.case

    @property
    def bill(self) -> Floats:
        """The widest transformer's value bits as they would be in the average world (R, bins)."""
        return np.asarray(self.sizes[-1].array("value", axis="read") / self.best.array("law") * self.sample.law)

    @cached_property
    def asked(self) -> Floats:
        """Which share of the questions asks for facts of each bin of rarity; the same of all sizes (R, bins)."""
        counts = self.sizes[0].array("asked", axis="rarity")
        return np.asarray(counts / counts.sum(1, keepdims=True))

    def by_rarity(self, size: int, column: str = "wrong") -> Floats:
        """Share of questions answered wrongly: "wrong" best guesses, by the learner's law "own", or at "least" (R, bins)."""
        return self.sizes[size].array(column, axis="rarity")

    def wrong(self, size: int, column: str = "wrong") -> Floats:
        """The same over all questions (R,)."""
        return np.asarray((self.by_rarity(size, column) * self.asked).sum(1))

    def of(self, column: str) -> Floats:
        """A number of each model and exam (R, S * exams)."""
        return np.concatenate([rows.array(column, axis="exam") for rows in self.sizes], axis=1).astype(float)

    @cached_property
    def logs(self) -> Floats:
        """ln of the loss, in nats per token, of each model and exam (R, S * exams)."""
        return np.log(self.of("loss"))

    @cached_property
    def whole(self) -> ScalingFit | None:
        """The scaling law through all runs, of the mean over worlds."""
        return self.fit(self.logs.mean(0))

    def fit(self, logs: Floats) -> ScalingFit | None:
        """The scaling law through ln losses (S * exams,); None where the runs do not show the form."""
        params, tokens = self.of("params")[0], self.of("tokens")[0]
        try:
            return scaling_law(params, tokens, np.exp(logs), objective="squares", resamples=0)
        except InputError:
            return None

    @cached_property
    def plans(self) -> dict[float, Plan]:
        """The best use of so many times the compute of the largest run; none without a scaling law."""
        most = float((6 * self.of("params") * self.of("tokens")).max())
        return {times: self.whole.allocate(flops=times * most) for times in FAR if self.whole is not None}


@lru_cache(maxsize=1)
def evidence_of(found: Found) -> Evidence:
    """What a run measured, once for claims, tables and summary."""
    return Evidence(found.one(Sample), tuple(found.of(Learner)))


LATE = "over the last tenfold of the run"
OWN = f"{LATE}, relative to the law of each run's own world"
HALF = "sentences until facts cost half of what they did at first, over those until syntax does"
ERRS = "wrong best guesses of a model that must answer"
OFF = "root mean square residual of ln loss"


@claim(within_share(0.05), "ratio", DATA, "all that the Bayes code paid for facts over what the law expects of it")
def best_learner(e: Evidence) -> Estimate:
    """Data: the best possible learner pays what the theory says."""
    sentences = np.diff(e.sample.bins.edges)
    return ratio(*(e.best.array(name) @ sentences for name in ("value", "law")))


# within 0.2, which six worlds can tell: discounts 0.4 apart are told apart
@claim(within(0.2), "log-log slope", f"{PAPER}; {DATA}", f"slope of ln bits on ln sentences, {OWN}")
def bill_falls(e: Evidence) -> Estimate:
    """Data: the largest model's bill for facts falls as a power of the sentences read."""
    x, late = e.sample.bins.centres, e.sample.late
    return statistic(lambda mean: slope(x[late], mean[late]), e.bill).against(e.sample.discount - 1)


@claim(
    within_factor(1.25), "ratio", LEARNER, f"the bill over that of the learner's law, geometric mean {LATE}; {FIXED}"
)
def bill_as_foretold(e: Evidence) -> Estimate:
    """Data: that bill is the one of the learner's law."""
    paid, own = (e.sizes[-1].array(name, axis="read")[:, e.sample.late] for name in ("value", "own"))
    return mean(np.log(paid / own).mean(1)).exp().against(1.0)


@claim(above(1), "ratio", f"{PAPER}; {DATA}", HALF)
def syntax_first(e: Evidence) -> Estimate:
    """Data: it learns syntax before facts."""

    def delay(pair: Floats) -> float:
        syntax, value = (first_below(e.sample.bins.centres, np.log(bits), np.log(bits[0] / 2)) for bits in pair)
        return float(np.log(value / syntax))

    return statistic(delay, e.sizes[-1].array("syntax", "value", axis="read")).exp()


@claim(
    above(1), "ratio", f"Kalai and Vempala 2024, arXiv 2311.14648; {KNOWN}", f"{ERRS} over those about facts never told"
)
def makes_up(e: Evidence) -> Estimate:
    """Facts: even the largest model makes up more than nobody told it."""
    return ratio(e.wrong(-1), e.wrong(-1, "least")).against(None)


@claim(above(1), "ratio", f"{PAPER}; {KNOWN}", f"{ERRS}, of the smallest over those of the largest")
def small_makes_up_more(e: Evidence) -> Estimate:
    """Facts: a smaller model makes up more, {narrow} against {wide}."""
    words = {"narrow": e.sizes[0], "wide": e.sizes[-1]}
    return ratio(e.wrong(0), e.wrong(-1)).against(e.wrong(0, "own").mean() / e.wrong(-1, "own").mean(), **words)


@claim(below(0.1), "share", LEARNER, f"root mean square of measured less predicted share of {ERRS}, by rarity; {FIXED}")
def errs_as_foretold(e: Evidence) -> Estimate:
    """Facts: the largest errs as the learner's law says, rarity by rarity."""
    off = ((e.by_rarity(-1, "wrong") - e.by_rarity(-1, "own")) ** 2 * e.asked).sum(1)
    return statistic(lambda mean: float(np.sqrt(mean)), off).against(0.0)


@claim(below(0.1), "ln loss", CHINCHILLA, f"{OFF} of E + A N^-α + B D^-β, fitted by least squares")
def describes(e: Evidence) -> Estimate:
    """Compute: a scaling law describes the loss of all sizes and lengths to a tenth."""

    def off(logs: Floats) -> float:
        fit = e.fit(logs)
        return float("nan") if fit is None else float(np.sqrt(np.mean(fit.residuals**2)))

    return jackknife(off, e.logs).against(0.0)


def claims(found: Found) -> Iterator[Claim]:
    e = evidence_of(found)
    data = best_learner, bill_falls, bill_as_foretold, syntax_first
    yield from (judged(e) for judged in (*data, makes_up, small_makes_up_more, errs_as_foretold, describes))


def bills(e: Evidence) -> Iterator[pl.DataFrame]:
    """Bits per sentence beyond those of a reader who knows the facts, paid before a sentence is learned from: the exact law of
    the best possible learner; the Bayes code, which is one; the transformers, mean with least and greatest replicate; and what
    the learner's law says of them.
    """
    x, law = (
        {"sentences": e.sample.bins.centres},
        {"law": e.best.array("law").mean(0), "Bayes code": e.best.array("value")},
    )
    for rows in (e.sizes[0], e.sizes[-1]):
        own = {"learner's law": rows.array("own", axis="read").mean(0), "transformer": rows.array("value", axis="read")}
        yield curves(x, "bits", law | own, model=str(rows))


def known(e: Evidence) -> Iterator[pl.DataFrame]:
    """Questions at the end of the run, by one over the frequency of the fact asked for: share of wrong best guesses, mean with
    least and greatest replicate; what the learner's law says of it; and the share of facts never told, but for lucky guesses,
    which is the least that any learner can reach.
    """
    for size in (0, -1):
        rows = e.sizes[size]
        middle = np.sqrt(rows.array("low", axis="rarity")[0] * rows.array("high", axis="rarity")[0])
        series = {"best possible": "least", "learner's law": "own", "transformer": "wrong"}
        share = {name: e.by_rarity(size, column) for name, column in series.items()}
        share = {name: v if name == "transformer" else v.mean(0) for name, v in share.items()}
        yield curves({"rarity": middle}, "wrong", share, model=str(rows))


def runs(e: Evidence) -> Iterator[pl.DataFrame]:
    """Loss on held-out sentences by tokens read, mean with least and greatest replicate, and the scaling law of all."""
    for rows in e.sizes:
        params, tokens = (rows.array(name, axis="exam")[0] for name in ("params", "tokens"))
        law = None if e.whole is None else np.asarray(e.whole.predict(params, tokens))
        series = {"scaling law": law, "transformer": rows.array("loss", axis="exam")}
        yield curves({"tokens": tokens}, "loss", series, model=f"{params[0]:,} parameters")


def plan(e: Evidence) -> Iterator[pl.DataFrame]:
    """What to train with so many times the compute of the largest run, by the scaling law; low and high are a 95 % interval."""
    for times, best in e.plans.items():
        for name, found in (("parameters", best.params), ("tokens", best.tokens), ("nats per token", best.loss)):
            if found is not None:
                low, high = found.ends
                yield pl.DataFrame({"compute": times, "what": name, "best": found.value, "low": low, "high": high})


def tables(found: Found) -> Iterator[Table]:
    e = evidence_of(found)
    yield from table("bills", "The bill for facts, by sentences read", bills, e)
    yield from table("known", "Wrong answers by rarity", known, e)
    yield from table("runs", "Loss by model and data", runs, e)
    yield from table("plan", "What to train next", plan, e)


BITS = Axis("bits", "bits for facts per sentence")
SHARE = Axis("wrong", "wrong answers", "share of questions", log=False, domain=(0.0, 1.0))
LAWS: dict[str, Kind] = {
    "law": "theory",
    "best possible": "asymptote",
    "learner's law": "theory",
    "scaling law": "theory",
}
KINDS: dict[Any, Kind] = LAWS | {"Bayes code": "simulation", "transformer": "learner"}
SENTENCES, TOKENS, LOSS = (
    Axis("sentences", "sentences read"),
    Axis("tokens", "tokens read"),
    Axis("loss", "loss", "nats per token"),
)
RARITY = Axis("rarity", "rarity of the fact, 1/frequency")
ONCE = "The best learner is told a fact once; transformers must be told more often, and a small one has no room."
MADE_UP = "Frequent facts are known; about rare ones a model makes up an answer, a small model sooner."
FIGURES = (
    Figure("data-law", "The bill for facts", "bills", SENTENCES, BITS, KINDS, columns="model", caption=ONCE),
    Figure(
        "known", "What is known, and what is made up", "known", RARITY, SHARE, KINDS, columns="model", caption=MADE_UP
    ),
    Figure(
        "runs",
        "A scaling law",
        "runs",
        TOKENS,
        LOSS,
        KINDS,
        columns="model",
        caption="What size and data buy together.",
    ),
)


def summary(found: Found) -> str:
    e = evidence_of(found)
    said = (
        "What a language model pays beyond a reader who knows the world is its bill for not knowing it. "
        f"Transformers of {len(e.sizes)} sizes read {e.sample.sentences:,} sentences once, in {len(e.logs)} worlds. At the end "
        f"the largest makes up {e.wrong(-1).mean():.0%} of its answers, the smallest {e.wrong(0).mean():.0%}; "
        f"{e.wrong(-1, 'least').mean():.0%} is the least that any learner could. "
    )
    for times, best in e.plans.items():
        if best.params is not None and best.tokens is not None:
            said += f"With {times:g} times the compute of the largest run the scaling law would train {best.params.value:,.0f} "
            said += f"parameters on {best.tokens.value:,.0f} tokens, for {best.loss.value:.3f} nats a token. "
    floor = e.sample.world(0).syntax_entropy * np.log(2) * e.sample.sentences / e.of("tokens").max()
    return said + f"What no model can avoid, the entropy of the world, is {floor:.3f}; that is not told to the fit."

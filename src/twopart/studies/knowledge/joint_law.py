"""What do so many parameters and so many sentences buy together, and how is compute best split?

Transformers each read one sample of a world once and are examined at every data size. Two numbers are fitted: a model of P
parameters that read N sentences is held against the best model of C = b P bits that needs to be told a fact T times. Beside it
stands the learner's law, of a learner that is not the best possible one, with the numbers of another study.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from typing import Annotated

import numpy as np
import polars as pl
from scipy.interpolate import RegularGridInterpolator

from twopart._arguments import Floats
from twopart._checks import InputError, check
from twopart.evidence import (
    Estimate,
    Found,
    above,
    below,
    claim,
    curve,
    curves,
    jackknife,
    statistic,
    table,
    within,
    within_share,
)
from twopart.findings import Claim, Table
from twopart.fits import Octaves, ScalingFit, scaling_law, slope
from twopart.laws import JointLaw, Split, joint_law, optimal_split
from twopart.laws.knowledge import MemoryLaw
from twopart.report import Axis, Figure, Kind, at_most
from twopart.settings import at_least, between, no_less_than, rising, settings
from twopart.studies import Work, world_seed
from twopart.studies._transformers import FIXED, OnePass, ladder, learners_law
from twopart.worlds import Biographies, EqualFrequencies, KnownEntities, SyntaxKnowledge, known_entities

STUDY, TITLE = "joint-law", "The joint law"
LAW = "docs/laws/joint.md"
PAPER = f"Pan, Wang, Li 2025, arXiv 2504.09597; {LAW}"
CHINCHILLA = f"Hoffmann et al. 2022, arXiv 2203.15556, approach 3; {LAW}"
LEARNER = "docs/laws/learner-law.md, transformers"
CAPACITY = "Allen-Zhu, Li 2024, arXiv 2404.05405, result 1"

Entities = KnownEntities | EqualFrequencies
CEILING = 2.0  # bits of knowledge per parameter that language models of 10^6 to 10^9 parameters reach (CAPACITY)
BITS = Octaves(-6.0, 2.0, 16, finer=8)  # bits per parameter that are tried, 1/64 to 4
TOLD = Octaves(-2.0, 12.0, 28, finer=8)  # exposures that are tried, 1/4 to 4096
SHOWN, HELD_OUT = 0, 1  # streams: what is learned from, and what models are examined on

DISCOUNT = between(0, 1, "()").because("0.5 is near what text shows")
UPDATES = at_least(10).because("a model needs updates to get going"), no_less_than("training.batch", times=10)
DECADE = no_less_than("least", 10).because("an exponent needs at least a decade")
NOISE = at_least(1000).because("50000 leave a few per cent of noise")


@settings
class Config:
    """The joint law: what so many parameters and so many sentences buy together, predicted and measured."""

    discount: Annotated[float, DISCOUNT, "Discount d; the limits' exponents are 1/d - 1 and, for data, 1 - d."] = 0.5
    widths: Annotated[tuple[int, ...], rising(4), ladder[1], "Widths of the models."] = (4, 6, 8, 12, 16, 32, 64)
    data_sizes: Annotated[int, at_least(4), "Numbers of sentences at which runs are examined, a geometric row."] = 7
    least: Annotated[int, *UPDATES, "The first of them."] = 16_000
    sentences: Annotated[int, DECADE, "The last of them: what each model reads, once."] = 1_000_000
    held_out: Annotated[int, NOISE, "Sentences of another sample that every model is examined on."] = 50_000
    seeds: Annotated[int, at_least(2).because("an interval needs a spread"), "Replicates, each in its own world."] = 9
    layers: Annotated[int, at_least(1), "Layers of the transformers."] = 1
    budgets: Annotated[int, at_least(2), "Numbers of operations whose best split is worked out."] = 25
    people: Biographies = Biographies()
    training: OnePass = OnePass(batch=128, learning_rate=1e-2)

    def __post_init__(self) -> None:
        templates, sizes = self.people.templates, self.sizes()
        check(templates >= 2, "templates", templates, "a whole number >= 2", "8 leaves some syntax to learn")
        check(len(set(sizes)) == len(sizes), "data_sizes", self.data_sizes, "that many different sizes", "take fewer")

    def sizes(self) -> tuple[int, ...]:
        """The data sizes in sentences: whole updates, so that each is exact."""
        batch = self.training.batch
        return tuple(int(np.ceil(n / batch)) * batch for n in np.geomspace(self.least, self.sentences, self.data_sizes))


PRESETS = {
    "tiny": Config(
        widths=(4, 6, 8, 16), data_sizes=4, least=320, sentences=3_200, held_out=1_000, seeds=2, budgets=4,
        people=Biographies(16, 4), training=OnePass(32, 1e-2, warmup=10, hold=50),
    ),
    "small": Config(),
    "full": Config(
        widths=(8, 16, 24, 32, 48, 64, 96, 128, 192), data_sizes=9, least=100_000, sentences=30_000_000,
        held_out=200_000, seeds=4, people=Biographies(names=2**32), training=OnePass(512, warmup=100, hold=1000),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Pass:
    """A model that reads one sample of the world once."""

    width: int
    layers: int
    sizes: tuple[int, ...]
    """Sentences at which it is examined; it reads the last number."""
    held_out: int
    discount: float
    people: Biographies
    training: OnePass
    seed: int

    def __str__(self) -> str:
        return f"width {self.width}"

    def world(self, replicate: int) -> SyntaxKnowledge:
        """The same for all sizes."""
        return self.people.world(self.discount, world_seed(self.seed, STUDY, replicate))


def cells(config: Config, seed: int) -> Iterator[Work]:
    for width in config.widths:
        shared = (config.held_out, config.discount, config.people, config.training, seed)
        case = Pass(width, config.layers, config.sizes(), *shared)
        yield Work("train_model", case, config.seeds, cost=1 + width**2 / 1000)


@dataclass(frozen=True, eq=False)
class Grid:
    """The runs of one replicate, all sizes, and what the laws say of them in their world."""

    world: SyntaxKnowledge
    entities: Entities
    """As the learners' corpus tells them: the law is that of this very world."""
    runs: pl.DataFrame
    """Of `train_model`, and each model's `width`."""
    training: OnePass

    def of(self, column: str) -> Floats:
        """A number of each run."""
        return self.runs[column].cast(pl.Float64).to_numpy()

    @cached_property
    def redundancy(self) -> Floats:
        """Measured bits per sentence beyond the oracle's, which pays for attribute and template."""
        return np.asarray(self.of("syntax") + self.of("value") - self.world.syntax_entropy)

    @cached_property
    def squares(self) -> Floats:
        """Squares of log2(measured / predicted redundancy) at each fine octave of b and T, shape (b, T, runs)."""
        law = surface(self.world, self.entities, tuple(self.of("sentences")), tuple(self.of("params")))
        return np.asarray((np.log2(np.maximum(self.redundancy, 1e-300)) - law) ** 2)

    @cached_property
    def learner(self) -> MemoryLaw:
        """What the learner's law says of each run; nothing of it is fitted here."""
        size, width, read = (self.of(name) for name in ("params", "width", "sentences"))
        return learners_law(self.training, self.world, read, size, width, self.entities)


LOSSES = {"measured": "measured", "law": "ideal", "learner's law": "own", "measured, with floor": "losses"}


@dataclass(frozen=True, eq=False)
class Evidence:
    """R grids of the same runs, each in a world of its own. Two numbers are fitted to all of them together."""

    grids: tuple[Grid, ...]
    budgets: int

    @property
    def first(self) -> Grid:
        """Whose sizes, sentences and entropy are those of all."""
        return self.grids[0]

    @property
    def tokens(self) -> float:
        """Of a sentence."""
        return float(self.first.runs["tokens"][0] / self.first.runs["sentences"][0])

    @cached_property
    def misfits(self) -> Floats:
        """Mean squares of octaves off the law, by replicate and by each fine octave of b and T (R, b, T)."""
        return np.array([grid.squares.mean(-1) for grid in self.grids])

    @cached_property
    def bits_per_parameter(self) -> Estimate:
        """b."""
        found = statistic(lambda loss: BITS.lowest(loss.min(1)), self.misfits)
        return found.times(float(np.log(2))).exp()

    @cached_property
    def exposures(self) -> Estimate:
        """T."""
        found = statistic(lambda loss: TOLD.lowest(loss.min(0)), self.misfits)
        return found.times(float(np.log(2))).exp()

    @cached_property
    def laws(self) -> list[JointLaw]:
        """Of each grid's runs at the fitted numbers."""
        room, told = self.bits_per_parameter.value * self.first.of("params"), self.exposures.value
        return [joint_law(g.world, g.of("sentences"), room, g.entities, told) for g in self.grids]

    @cached_property
    def measured(self) -> Floats:
        """Redundancy in bits per sentence (R, runs)."""
        return np.array([g.redundancy for g in self.grids])

    @cached_property
    def ideal(self) -> Floats:
        """The same by the joint law at the fitted numbers."""
        return np.array([law.total for law in self.laws])

    @cached_property
    def own(self) -> Floats:
        """The same by the learner's law; of syntax it says nothing, and the joint law does."""
        return np.array([g.learner.value + law.syntax for g, law in zip(self.grids, self.laws, strict=True)])

    @cached_property
    def losses(self) -> Floats:
        """What was measured with its floor, the world's entropy."""
        floor = np.array([g.world.syntax_entropy for g in self.grids])
        return np.asarray(self.measured + floor[:, None])

    def logs(self, losses: str) -> Floats:
        """ln of one of `LOSSES` in nats per token (R, runs)."""
        return np.asarray(np.log(np.maximum(getattr(self, LOSSES[losses]), 1e-300) * np.log(2) / self.tokens))

    def fit(self, form: str, logs: Floats) -> ScalingFit | None:
        """The scaling law through ln losses (runs,)."""
        return scaling(form, tuple(self.first.of("params")), tuple(self.first.of("tokens")), tuple(logs))

    def fitted(self, name: str, losses: str, form: str = "chinchilla") -> Estimate:
        """A parameter of the scaling law through the mean of replicates' ln losses."""
        return jackknife(lambda mean: parameter(self.fit(form, mean), name), self.logs(losses))

    @cached_property
    def split(self) -> Split:
        """The exact law's best use of as much arithmetic as a grid's runs took, at 6 operations a token and parameter."""
        product, cost = self.first.of("params") * self.first.of("sentences"), 6 * self.tokens
        flops = cost * np.geomspace(product.min(), product.max(), self.budgets)
        numbers = self.bits_per_parameter.value, self.first.entities, self.exposures.value
        return optimal_split(self.first.world, flops, cost, *numbers)


@lru_cache(maxsize=1024)
def scaling(
    form: str, params: tuple[float, ...], tokens: tuple[float, ...], logs: tuple[float, ...]
) -> ScalingFit | None:
    """By least squares to ln loss; None where the runs do not show the form: its optimum lies outside its limits.

    The world's entropy, which is the floor, is known and subtracted but once: a fit that must find it as well leaves the
    exponents open, even if the losses are the law's own.
    """
    try:
        return scaling_law(params, tokens, np.exp(logs), form, objective="squares", resamples=0)
    except InputError:
        return None


def parameter(fit: ScalingFit | None, name: str) -> float:
    """One of a fit's, or the `allocation`, the exponent of the best number of parameters in compute; nan without a fit."""
    if fit is None:
        return float("nan")
    found = fit.parameters
    return found["beta"] / (found["alpha"] + found["beta"]) if name == "allocation" else found[name]


@lru_cache(maxsize=64)
def surface(world: SyntaxKnowledge, entities: Entities, n: tuple[float, ...], params: tuple[float, ...]) -> Floats:
    """log2 of the law's redundancy of each run at each fine octave of b and T, shape (b, T, runs).

    The law is solved at the coarse octaves, and between them interpolated by cubic splines.
    """
    read, room = np.array(n)[:, None], np.array(params)[:, None] * 2.0**BITS.coarse
    solved = np.log2([joint_law(world, read, room, entities, 2.0**told).total for told in TOLD.coarse])
    between = RegularGridInterpolator((BITS.coarse, TOLD.coarse), solved.transpose(2, 0, 1), method="cubic")
    return np.asarray(between(tuple(np.meshgrid(BITS.fine, TOLD.fine, indexing="ij"))))


@lru_cache(maxsize=1)
def evidence_of(found: Found) -> Evidence:
    """All runs; kept, for all that follows uses its fits."""
    runs = found.of(Pass)
    case, rows = runs[0].case, pl.concat(t.frame.with_columns(width=pl.lit(t.case.width)) for t in runs)
    grids = []
    for r, own in enumerate(rows.partition_by("replicate", maintain_order=True)):
        world = case.world(r)
        told = known_entities(world.sample(case.sizes[-1], stream=SHOWN))
        grids.append(Grid(world, told, own, case.training))
    return Evidence(tuple(grids), found.config.budgets)


# a quarter of an octave is a factor of 1.19
@claim(below(0.25), "octaves", LAW, "root mean square of log2(measured / predicted redundancy), both numbers fitted")
def follows_the_law(t: Evidence) -> Estimate:
    """Redundancy over the grid is the joint law's exact surface with two fitted numbers."""
    return statistic(lambda loss: float(np.sqrt(loss.min())), t.misfits).against(0.0)


@claim(below(0.25), "octaves", LEARNER, f"root mean square of log2(measured / predicted value bits); {FIXED}")
def follows_the_learners_law(t: Evidence) -> Estimate:
    """What values cost over the grid is the learner's law with the numbers of another study."""
    squares = [np.log2(grid.of("value") / grid.learner.value) ** 2 for grid in t.grids]
    return statistic(lambda mean: float(np.sqrt(mean.mean())), squares).against(0.0)


OPEN = "open where the runs do not show the form"
WHOSE = {"law": "the joint law's", "learner's law": "the learner's law's"}
BESIDE = f"predicted: the same of {{whose}} redundancy of the same runs; the interval is that of the difference; {OPEN}"
TERM = "{name} of A N^-alpha + B D^-beta fitted to redundancy; the ideal law's limit is {limit:.2f}"
SHARE = "beta / (alpha + beta) of the same fits; along the exact law's best splits over the grid's compute it is {exact:.2f}"


@claim(within(0.1), "exponent", PAPER, f"{TERM}; {BESIDE}")  # as in the other studies
def exponent(t: Evidence, law: str, name: str, what: str, limit: float) -> Estimate:
    """The exponent of {what} is the one that {whose} surface shows over this grid."""
    return _beside(t, law, name)


@claim(within(0.1), "exponent", CHINCHILLA, f"exponent of the best number of parameters in compute, {SHARE}; {BESIDE}")
def allocation(t: Evidence, law: str) -> Estimate:
    """Parameters should grow with compute as {whose} surface has it."""
    estimate = _beside(t, law, "allocation")
    return estimate.against(estimate.predicted, exact=slope(t.split.flops, t.split.params))


def _beside(t: Evidence, law: str, name: str) -> Estimate:
    """A number of the fit to what was measured against that of the fit to a law's redundancy, replicate by replicate."""

    def number(logs: Floats) -> float:
        return parameter(t.fit("chinchilla", logs), name)

    predicted = number(t.logs(law).mean(0))
    pairs = np.stack([t.logs("measured"), t.logs(law)], axis=1)
    difference = jackknife(lambda pair: number(pair[0]) - number(pair[1]), pairs)
    return difference.plus(predicted).against(predicted, whose=WHOSE[law])


@claim(within(0.1), "discount", PAPER, f"d of A N^-(1/d - 1) + B D^-(1 - d) fitted to redundancy; {OPEN}")
def one_discount(t: Evidence) -> Estimate:
    """One number, the world's discount, sets both exponents."""
    return t.fitted("d", "measured", "knowledge").against(t.first.world.discount)


@claim(within_share(0.05), "nats per token", CHINCHILLA, f"E of E + A N^-alpha + B D^-beta fitted to losses; {OPEN}")
def floor(t: Evidence) -> Estimate:
    """A fit that must find the irreducible loss finds the entropy of the world."""
    entropy = np.mean([grid.world.syntax_entropy for grid in t.grids])
    return t.fitted("E", "measured, with floor").against(float(entropy * np.log(2) / t.tokens))


@claim(below(CEILING), "bits per parameter", CAPACITY, "bits per parameter of the fitted surface")
def bits_per_parameter(t: Evidence) -> Estimate:
    """A parameter holds no more than the 2 bits that larger language models reach."""
    return t.bits_per_parameter.against(CEILING)


@claim(above(1), "exposures per fact", LAW, "exposures T of the fitted surface")
def exposures(t: Evidence) -> Estimate:
    """A learner must be told a fact more than once: T > 1."""
    return t.exposures


def claims(found: Found) -> Iterator[Claim]:
    t, d = evidence_of(found), found.config.discount
    yield from (follows_the_law(t), follows_the_learners_law(t))
    for law in WHOSE:
        yield from (exponent(t, law, "alpha", "parameters", 1 / d - 1), exponent(t, law, "beta", "data", 1 - d))
        yield allocation(t, law)
    yield from (judged(t) for judged in (one_discount, floor, bits_per_parameter, exposures))


def run_rows(t: Evidence) -> Iterator[pl.DataFrame]:
    """Trained parameters, tokens read, operations, mean loss on held-out sentences in nats per token, and what part of it
    stems from names (not scored, so 0), syntax and values; mean over replicates. The format that `twopart fit` reads."""
    bits = {name: np.mean([grid.of(name) for grid in t.grids], axis=0) for name in ("syntax", "value")}
    losses = {"loss": bits["syntax"] + bits["value"], "loss_name": 0 * bits["value"]}
    losses |= {f"loss_{name}": x for name, x in bits.items()}
    columns = {name: pl.Series(x * np.log(2) / t.tokens) for name, x in losses.items()}
    yield t.first.runs.select("params", "tokens", "flops", **columns, sentences="sentences")


def surface_rows(t: Evidence) -> Iterator[pl.DataFrame]:
    """Redundancy in bits per sentence beyond those of a reader who knows the world and the name: means over replicates, with
    the least and greatest. Transformer: measured. Law: the exact joint law, with the bits that a parameter holds and the
    exposures that a fact needs fitted to all runs together. Learner's law: what values cost by it, nothing fitted here, and
    syntax by the joint law."""
    x = {"parameters": t.first.runs["params"], "sentences": t.first.runs["sentences"]}
    series = {"law": t.ideal.mean(0), "learner's law": t.own.mean(0), "transformer": t.measured}
    yield curves(x, "redundancy", series)


FITS = [(form, losses) for form in ("chinchilla", "knowledge") for losses in ("measured", "law", "learner's law")]


def fit_rows(t: Evidence) -> Iterator[pl.DataFrame]:
    """Fitted by least squares to ln loss: of redundancy, measured and by laws, and of losses with their floor, means of
    logarithms over replicates; nats per token. Low and high: 95 % jackknife over replicates."""
    for form, losses in [*FITS, ("chinchilla", "measured, with floor")]:
        if fit := t.fit(form, t.logs(losses).mean(0)):
            found = {name: t.fitted(name, losses, form) for name in fit.parameters}
            low, high = zip(*(estimate.ends for estimate in found.values()), strict=True)
            value = {"parameter": list(found), "value": list(fit.parameters.values()), "low": low, "high": high}
            yield pl.DataFrame({"form": form, "losses": losses, **value})


def size_rows(t: Evidence) -> Iterator[pl.DataFrame]:
    """Exposures fitted to the runs of each size, at the bits per parameter of all: a learner's own number if the law is
    right."""
    octave, size = np.abs(BITS.fine - np.log2(t.bits_per_parameter.value)).argmin(), t.first.of("params")
    squares = np.mean([grid.squares[octave] for grid in t.grids], axis=0)
    told = [2.0 ** TOLD.lowest(squares @ (size == one)) for one in np.unique(size)]
    yield pl.DataFrame({"parameters": np.unique(size).astype(int), "exposures": told})


def optimum_rows(t: Evidence) -> Iterator[pl.DataFrame]:
    """Parameters and sentences, by the exact law and by the scaling law fitted to the measured redundancy; C = 6 N D
    operations, so sentences take the rest."""
    split, fit = t.split, t.fit("chinchilla", t.logs("measured").mean(0))
    law = {"parameters": split.params, "sentences": split.n, "redundancy": split.law.total}
    law |= {"exponent of parameters": split.params_exponent, "exponent of redundancy": split.exponent}
    yield curve({"flops": split.flops}, law, series="law")
    sizes = [fit.allocate(flops=float(flops)).params for flops in split.flops] if fit else []
    best = [(flops, size.value) for flops, size in zip(split.flops, sizes, strict=False) if size is not None]
    if best:
        flops, params = np.array(best).T
        yield curve({"flops": flops}, {"parameters": params}, series="fit to the transformers")


def tables(found: Found) -> Iterator[Table]:
    t = evidence_of(found)
    yield from (replace(runs, csv=True) for runs in table("runs", "Runs", run_rows, t))
    yield from table("surface", "Redundancy over the grid", surface_rows, t)
    yield from table("fits", "Scaling laws fitted to it", fit_rows, t)
    yield from table("exposures", "Exposures by size", size_rows, t)
    yield from table("optimum", "The best split of compute", optimum_rows, t)


KINDS: dict[str, Kind] = {"law": "theory", "learner's law": "theory", "transformer": "learner"}
surfaces = partial(Figure, table="surface", y=Axis("redundancy", "redundancy per sentence", "bits"), kinds=KINDS)
FIGURES = (
    surfaces("joint-law", "The joint law: theory and transformers", x=Axis("sentences", "sentences seen"),
             columns="parameters", shown=at_most(4, "parameters"),
             caption="What models of each size still pay after so many sentences: data help until the model is full."),
    surfaces("sizes", "The same by size", x=Axis("parameters", "parameters"),
             columns="sentences", shown=at_most(4, "sentences"),
             caption="The same runs by size: parameters help until what was told fits."),
    Figure("optimum", "The best number of parameters", "optimum", x=Axis("flops", "floating-point operations"),
           y=Axis("parameters", "best number of parameters"),
           kinds={"law": "theory", "fit to the transformers": "learner"},
           caption="How many parameters a number of operations is best spent on, by the law and by a fit to the transformers."),
)  # fmt: skip


def summary(found: Found) -> str:
    t = evidence_of(found)
    return (
        "What do so many parameters and so many sentences buy together? Theory says: a fact counts if it was told often enough "
        "and fits. Transformers of several sizes each read one sample of one world once, at a learning rate that knows nothing "
        "of the run's length, and are examined on the same held-out sentences after every data size; names are given, not "
        f"learned. Two numbers are fitted: a parameter holds {t.bits_per_parameter.value:.2f} bits, a fact must be told "
        f"{t.exposures.value:.1f} times. The world's discount is {t.first.world.discount:g}."
    )

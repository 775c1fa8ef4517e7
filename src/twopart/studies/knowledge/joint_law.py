"""What do so many parameters and so many sentences buy together, and how is compute best split?

Transformers each read one sample of one world once and are examined at every data size. Two numbers are fitted: a model of P
parameters that read N sentences is held against the best model of C = b P bits that needs to be told a fact T times. Beside it
stands the learner's law, of a learner that is not the best possible one, with two numbers of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Annotated

import numpy as np
import polars as pl
from scipy.interpolate import RegularGridInterpolator

from twopart._arguments import Floats
from twopart._checks import InputError, check
from twopart.evidence import Estimate, Found, above, below, claim, curve, statistic, within, within_share
from twopart.findings import Claim, Table
from twopart.fits import Octaves, ScalingFit, scaling_law, slope
from twopart.laws import JointLaw, Split, joint_law, optimal_split
from twopart.laws.knowledge import Facts, LearnerRuns, StepSum, learner_fit
from twopart.report import Axis, Figure, Kind, at_most
from twopart.settings import at_least, between, no_less_than, rising, settings
from twopart.studies import Work, world_seed
from twopart.studies._transformers import OnePass, ladder
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
    seeds: Annotated[int, at_least(2).because("an interval needs a spread"), "Replicates, each in its own world."] = 17
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
        widths=(8, 16, 24, 32, 48, 64, 96, 128, 192), data_sizes=9, least=100_000, sentences=30_000_000, held_out=200_000, seeds=4,
        people=Biographies(names=2**32), training=OnePass(512, warmup=100, hold=1000),
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
    """The runs beside the law. Whatever is estimated is a function of weights on them: resampling runs is weighting."""

    world: SyntaxKnowledge
    entities: Entities
    """As the learners' corpus tells them: the law is that of this very world."""
    runs: pl.DataFrame
    """Of `train_model`, all sizes, and each model's `width`."""
    steps: StepSum
    """How far their optimiser could go."""
    budgets: int
    resamples: int

    def of(self, column: str) -> Floats:
        """A number of each run."""
        return self.runs[column].cast(pl.Float64).to_numpy()

    @cached_property
    def bits(self) -> Floats:
        """Measured loss of each run, bits per sentence."""
        return np.asarray(self.of("syntax") + self.of("value"))

    @cached_property
    def redundancy(self) -> Floats:
        """The same beyond the oracle's, which pays for attribute and template."""
        return np.asarray(self.bits - self.world.syntax_entropy)

    @property
    def tokens(self) -> float:
        """Of a sentence."""
        return float(self.runs["tokens"][0] / self.runs["sentences"][0])

    def nats(self, bits: Floats | float) -> Floats:
        """Nats per token of bits per sentence."""
        return np.asarray(bits * np.log(2) / self.tokens)

    @cached_property
    def squares(self) -> Floats:
        """Squares of log2(measured / predicted redundancy) at each fine octave of b and T, shape (b, T, runs)."""
        law = surface(self.world, self.entities, tuple(self.of("sentences")), tuple(self.of("params")))
        return np.asarray((np.log2(np.maximum(self.redundancy, 1e-300)) - law) ** 2)

    def estimate(self, of_fit: Callable[[float, float, float], float]) -> Estimate:
        """A number of the fit, with its bootstrap interval over runs: how much hangs on which runs there are."""
        numbers = np.eye(len(self.runs))
        return statistic(lambda w: of_fit(*fit(self, tuple(w))), numbers, over="runs", resamples=self.resamples)

    @cached_property
    def bits_per_parameter(self) -> Estimate:
        """b."""
        return self.estimate(lambda b, told, left: b * np.log(2)).exp()

    @cached_property
    def exposures(self) -> Estimate:
        """T."""
        return self.estimate(lambda b, told, left: told * np.log(2)).exp()

    @cached_property
    def predicted(self) -> JointLaw:
        """The law of each run at the fitted numbers."""
        room = self.bits_per_parameter.value * self.of("params")
        return joint_law(self.world, self.of("sentences"), room, self.entities, self.exposures.value)

    @cached_property
    def learner(self) -> LearnerRuns:
        """What values cost, for the learner's law."""
        facts = Facts.of_world(self.world, float(self.of("sentences").max()), self.entities)
        size, width, read, value = (self.of(name) for name in ("params", "width", "sentences", "value"))
        return LearnerRuns(facts, size, width, read, value, self.steps)

    @cached_property
    def learners_redundancy(self) -> Floats:
        """By the learner's law, both numbers fitted to all runs; of syntax it says nothing, and takes the joint law's part."""
        nats, speed = learner_fit.grid()[self.learner.squares.mean(1).argmin()]
        return np.asarray(self.learner.law(nats, speed).value + self.predicted.syntax)

    @property
    def ideal_redundancy(self) -> Floats:
        """By the joint law at the fitted numbers."""
        return self.predicted.total

    def fitted(self, form: str, bits: Floats) -> ScalingFit | None:
        """By least squares to ln loss; None where the runs do not show the form: its optimum lies outside its limits."""
        runs = self.of("params"), self.of("tokens"), self.nats(bits)
        try:
            return scaling_law(*runs, form, objective="squares", resamples=2 * self.resamples)
        except InputError:
            return None

    def theta(self, form: str, losses: str = "measured") -> Mapping[str, Floats]:
        """A fit's parameters, followed by those of each bootstrap draw; nan of a fit that there is not."""
        fit = scaling(self, form, losses)
        if fit is None:
            return defaultdict(lambda: np.full(1 + 2 * self.resamples, np.nan))
        drawn = zip(fit.form.parameters, fit.form.natural(fit.draws).T, strict=True)
        return {name: np.r_[fit.parameters[name], draws] for name, draws in drawn}

    @cached_property
    def split(self) -> Split:
        """The exact law's best use of as much arithmetic as the grid's runs took, at 6 operations a token and parameter."""
        product, cost = self.of("params") * self.of("sentences"), 6 * self.tokens
        flops = cost * np.geomspace(product.min(), product.max(), self.budgets)
        numbers = self.bits_per_parameter.value, self.entities, self.exposures.value
        return optimal_split(self.world, flops, cost, *numbers)


LOSSES = {"measured": "redundancy", "law": "ideal_redundancy", "learner's law": "learners_redundancy"}
LOSSES |= {"measured, with floor": "bits"}


@lru_cache(maxsize=64)
def scaling(t: Grid, form: str, losses: str) -> ScalingFit | None:
    """The scaling law of a form that fits one of `LOSSES`.

    The world's entropy, which is the floor, is known and subtracted: a fit that must find it as well leaves the exponents
    open, even if the losses are the law's own. All fits resample the same runs, so their draws can be compared one by one.
    """
    return t.fitted(form, getattr(t, LOSSES[losses]))


@lru_cache(maxsize=4096)
def fit(t: Grid, weights: tuple[float, ...]) -> tuple[float, float, float]:
    """(log2 b, log2 T, root mean square left) by weighted least squares; kept, for they are asked for one by one."""
    loss = t.squares @ np.array(weights)
    b, told = np.unravel_index(np.argmin(loss), loss.shape)
    return BITS.lowest(loss[:, told]), TOLD.lowest(loss[b]), float(np.sqrt(loss[b, told]))


@lru_cache(maxsize=4)
def surface(world: SyntaxKnowledge, entities: Entities, n: tuple[float, ...], params: tuple[float, ...]) -> Floats:
    """log2 of the law's redundancy of each run at each fine octave of b and T, shape (b, T, runs).

    The law is solved at the coarse octaves, and between them interpolated by cubic splines.
    """
    read, room = np.array(n)[:, None], np.array(params)[:, None] * 2.0**BITS.coarse
    solved = np.log2([joint_law(world, read, room, entities, 2.0**told).total for told in TOLD.coarse])
    between = RegularGridInterpolator((BITS.coarse, TOLD.coarse), solved.transpose(2, 0, 1), method="cubic")
    return np.asarray(between(tuple(np.meshgrid(BITS.fine, TOLD.fine, indexing="ij"))))


@lru_cache(maxsize=1)
def grid(found: Found) -> Grid:
    """All runs; kept, for all that follows uses its fits."""
    runs = found.of(Pass)
    case, config = runs[0].case, found.config
    told = known_entities(case.world.sample(case.sizes[-1], stream=SHOWN))
    rows = pl.concat(t.frame.with_columns(width=pl.lit(t.case.width)) for t in runs)
    return Grid(case.world, told, rows, case.training.steps, config.budgets, config.resamples)


# a quarter of an octave is a factor of 1.19
@claim(below(0.25), "octaves", LAW, "root mean square of log2(measured / predicted redundancy), both numbers fitted")
def follows_the_law(t: Grid) -> Estimate:
    """Redundancy over the grid is the joint law's exact surface with two fitted numbers."""
    return t.estimate(lambda b, told, left: left).against(0.0)


@claim(
    below(0.25), "octaves", LEARNER, "root mean square of log2(measured / predicted value bits), both numbers fitted"
)
def follows_the_learners_law(t: Grid) -> Estimate:
    """What values cost over the grid is the learner's law with two fitted numbers."""

    def left(weights: Floats) -> float:
        return float(np.sqrt((t.learner.squares @ weights).min()))

    return statistic(left, np.eye(len(t.runs)), over="runs", resamples=t.resamples).against(0.0)


OPEN = "open where the runs do not show the form"
WHOSE = {"law": "the joint law's", "learner's law": "the learner's law's"}  # by what fits are made to
BESIDE = f"predicted: the same of {{whose}} redundancy of the same runs; the interval is that of the difference; {OPEN}"
TERM = "{name} of A N^-alpha + B D^-beta fitted to redundancy; the ideal law's limit is {limit:.2f}"
SHARE = "beta / (alpha + beta) of the same fits; along the exact law's best splits over the grid's compute it is {exact:.2f}"


@claim(within(0.1), "exponent", PAPER, f"{TERM}; {BESIDE}")  # as in the other studies
def exponent(t: Grid, law: str, name: str, what: str, limit: float) -> Estimate:
    """The exponent of {what} is the one that {whose} surface shows over this grid."""
    return _beside(t, law, lambda theta: theta[name])


@claim(within(0.1), "exponent", CHINCHILLA, f"exponent of the best number of parameters in compute, {SHARE}; {BESIDE}")
def allocation(t: Grid, law: str) -> Estimate:
    """Parameters should grow with compute as {whose} surface has it."""
    estimate = _beside(t, law, lambda theta: theta["beta"] / (theta["alpha"] + theta["beta"]))
    return estimate.against(estimate.predicted, **estimate.words, exact=slope(t.split.flops, t.split.params))


def _beside(t: Grid, law: str, number: Callable[[Mapping[str, Floats]], Floats]) -> Estimate:
    """A number of the fit to the measured grid against that of the fit to a law's, both fitted to the same resamples."""
    measured, by_law = (number(t.theta("chinchilla", losses)) for losses in ("measured", law))
    predicted = by_law[0] if np.isfinite(measured[0] - by_law[0]) else None
    return _estimate(measured - by_law + by_law[0]).against(predicted, whose=WHOSE[law])


def _estimate(drawn: Floats) -> Estimate:
    """A number of a fit, followed by those of its bootstrap draws."""
    low, high = np.quantile(drawn[1:], (0.025, 0.975))
    return Estimate(float(drawn[0]), (float(low), float(high)), over="runs")


@claim(within(0.1), "discount", PAPER, f"d of A N^-(1/d - 1) + B D^-(1 - d) fitted to redundancy; {OPEN}")
def one_discount(t: Grid) -> Estimate:
    """One number, the world's discount, sets both exponents."""
    return _estimate(t.theta("knowledge")["d"]).against(t.world.discount)


@claim(within_share(0.05), "nats per token", CHINCHILLA, f"E of E + A N^-alpha + B D^-beta fitted to losses; {OPEN}")
def floor(t: Grid) -> Estimate:
    """A fit that must find the irreducible loss finds the entropy of the world."""
    found = _estimate(t.theta("chinchilla", "measured, with floor")["E"])
    return found.against(float(t.nats(t.world.syntax_entropy)))


@claim(below(CEILING), "bits per parameter", CAPACITY, "bits per parameter of the fitted surface")
def bits_per_parameter(t: Grid) -> Estimate:
    """A parameter holds no more than the 2 bits that larger language models reach."""
    return t.bits_per_parameter.against(CEILING)


@claim(above(1), "exposures per fact", LAW, "exposures T of the fitted surface")
def exposures(t: Grid) -> Estimate:
    """A learner must be told a fact more than once: T > 1."""
    return t.exposures


def claims(found: Found) -> Iterator[Claim]:
    t, d = grid(found), found.config.discount
    yield from (follows_the_law(t), follows_the_learners_law(t))
    for law in WHOSE:
        yield from (exponent(t, law, "alpha", "parameters", 1 / d - 1), exponent(t, law, "beta", "data", 1 - d))
        yield allocation(t, law)
    yield from (judged(t) for judged in (one_discount, floor, bits_per_parameter, exposures))


RUNS = (
    "Trained parameters, tokens read, operations, mean loss on held-out sentences in nats per token, and what part of it stems "
    "from names (not scored, so 0), syntax and values. The format that `twopart fit` reads."
)
SURFACE = (
    "Redundancy in bits per sentence beyond those of a reader who knows the world and the name. Transformer: measured. Law: "
    "the exact joint law, with the bits that a parameter holds and the exposures that a fact needs fitted to all runs "
    "together. Learner's law: what values cost by it, both of its numbers fitted to all runs, and syntax by the joint law."
)
FITS = "Fitted by least squares to ln loss: of redundancy, measured and by law, and of losses with their floor; nats per token."
EXPOSURES = (
    "Fitted to the runs of each size, at the bits per parameter of all: a learner's own number if the law is right."
)
OPTIMUM = (
    "Parameters and sentences, by the exact law and by the scaling law fitted to the measured redundancy, with 95 % interval; "
    "C = 6 N D operations, so sentences take the rest."
)


def tables(found: Found) -> Iterator[Table]:
    t = grid(found)
    yield Table("runs", "Runs", runs(t), RUNS, csv=True)
    yield Table("surface", "Redundancy over the grid", _surface(t), SURFACE)
    yield Table("fits", "Scaling laws fitted to it", _fits(t), FITS)
    yield Table("exposures", "Exposures by size", by_size(t), EXPOSURES)
    yield Table("optimum", "The best split of compute", _optimum(t), OPTIMUM)


def runs(t: Grid) -> pl.DataFrame:
    """What fitting reads."""
    losses = {"loss": t.bits, "loss_name": 0 * t.bits, "loss_syntax": t.of("syntax"), "loss_value": t.of("value")}
    columns = {name: pl.Series(t.nats(bits)) for name, bits in losses.items()}
    return t.runs.select("params", "tokens", "flops", **columns, sentences="sentences")


def _surface(t: Grid) -> pl.DataFrame:
    x, law = {"parameters": t.runs["params"], "sentences": t.runs["sentences"]}, t.predicted
    exact = {"redundancy": law.total, "value": law.value, "syntax": law.syntax}
    found = {"redundancy": t.redundancy, "value": t.of("value"), "syntax": t.of("syntax") - t.world.syntax_entropy}
    own = exact | {"redundancy": t.learners_redundancy, "value": t.learners_redundancy - law.syntax}
    series = {"law": exact, "learner's law": own, "transformer": found}
    return pl.concat(curve(x, y, series=name) for name, y in series.items())


def _fits(t: Grid) -> pl.DataFrame:
    tried = [*(("chinchilla", losses) for losses in LOSSES), ("knowledge", "measured"), ("knowledge", "law")]
    found = [(names, fit) for names in tried if (fit := scaling(t, *names)) is not None]
    rows = [(*names, name, x, *fit.interval(name)) for names, fit in found for name, x in fit.parameters.items()]
    columns = {"form": pl.String, "losses": pl.String, "parameter": pl.String}
    return pl.DataFrame(rows, {**columns, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64}, orient="row")


def by_size(t: Grid) -> pl.DataFrame:
    """Exposures for each size alone."""
    octave, sizes = np.log2(t.bits_per_parameter.value), np.unique(t.runs["params"])
    squares = t.squares[np.abs(BITS.fine - octave).argmin()]
    told = [2.0 ** TOLD.lowest(squares @ (t.of("params") == size)) for size in sizes]
    return pl.DataFrame({"parameters": sizes, "exposures": told})


def _optimum(t: Grid) -> pl.DataFrame:
    """The best splits along the grid's range of compute."""
    split, fit = t.split, scaling(t, "chinchilla", "measured")
    x, law = {"flops": split.flops}, {"parameters": split.params, "sentences": split.n, "redundancy": split.law.total}
    law |= {"exponent of parameters": split.params_exponent, "exponent of redundancy": split.exponent}
    parts = [curve(x, law, series="law")]
    if fit is not None:
        plans = [fit.allocate(flops=float(flops)).params for flops in split.flops]
        value, low, high = np.array([(plan.value, *plan.ends) for plan in plans if plan is not None]).T
        parts.append(curve(x, {"parameters": value}, (low, high), series="fit to the transformers"))
    return pl.concat(parts, how="diagonal")


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
    t = grid(found)
    return (
        "What do so many parameters and so many sentences buy together? Theory says: a fact counts if it was told often enough "
        "and fits. Transformers of several sizes each read one sample of one world once, at a learning rate that knows nothing "
        "of the run's length, and are examined on the same held-out sentences after every data size; names are given, not "
        f"learned. Two numbers are fitted: a parameter holds {t.bits_per_parameter.value:.2f} bits, a fact must be told "
        f"{t.exposures.value:.1f} times. The world's discount is {t.world.discount:g}."
    )

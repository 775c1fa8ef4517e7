"""Beyond which batch size do more devices stop paying, and does that size grow with the data or with the model?

The authors' own table is fitted again. On least squares steps to a target are exact for every batch size, so that what they
fitted is a curve without noise: the critical batch size by data and by size of the model, beside runs of SGD, and beside the
noise scale that is often taken for it. A ladder of small transformers is measured as the authors measured theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from itertools import product
from typing import Annotated, Any, TypeAlias

import numpy as np
import polars as pl

from twopart._arrays import Floats
from twopart.evidence import Estimate, Found, Guard, Judge, Rows, claim, curve, curves, exact, mean, statistic, table
from twopart.evidence.judges import below, within, within_share
from twopart.findings import Claim, Table
from twopart.fits import CriticalBatch, critical_batch_size, slope
from twopart.laws.regression import BatchLaw, LeastSquaresSGD, batch_law, published_batches
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, every, multiple_of, rising, settings
from twopart.studies import Work, world_seed
from twopart.studies.regression._batch_ladder import Ladder, Train, by_replicate, ladder, powers
from twopart.worlds.regression import LeastSquares

STUDY, TITLE = "critical-batch-size", "The critical batch size"
PAPER, PAGE = "Zhang et al. 2024, arXiv 2410.21676", "docs/laws/critical-batch-size.md"
TABLE, THEORY, LAW = f"{PAPER}, released notebook; {PAGE}, the fit", f"{PAPER}, abstract", f"{PAGE}, the law"
ORDER, NOISE = f"{PAPER}, theory of least squares; {PAGE}, data and size", f"{PAGE}, noise scale"
REFERENCE, EXPONENT = 256, 0.4683  # the batch that the authors scale from; their power of the model's size
OVERHEAD, GROUPS = 0.2, 100

IN_GROUPS = multiple_of(GROUPS).because(f"intervals are over {GROUPS} groups"), at_least(GROUPS)
FALL, KEPT = (rising(1), every(between(1, 10, "(]"))), (rising(2), every(at_least(2)))
AMOUNTS = rising(2), every(multiple_of(4).because("the smallest batch has 4"))
Counts: TypeAlias = tuple[int, ...]
Reals: TypeAlias = tuple[float, ...]


@settings
class Squares:
    """Least squares with eigenvalues i^-a whose truth has E λ w² ~ i^-b."""

    decay: Annotated[float, between(1, 10, "(]"), "Decay a of the eigenvalues i^-a."] = 1.5
    sources: Annotated[Reals, *FALL, "Decays b of what there is to learn."] = (1.2, 2.0, 3.0)
    directions: Annotated[Counts, *KEPT, "Sizes of the model: first directions of the last."] = (25, 100, 300)
    noise: Annotated[float, between(0, 100, "(]"), "Standard deviation of the answers' noise."] = 1.0
    samples: Annotated[Counts, *AMOUNTS, "Samples D of the smallest batch."] = (512, 2048, 8192, 32768)


@settings
class Runs:
    """Runs of SGD, of the first source and the last."""

    measured: Annotated[Counts, *AMOUNTS, "Samples D at which SGD is run."] = (512, 8192)
    runs: Annotated[int, *IN_GROUPS, "Runs of each batch size where b > a."] = 8000
    slow_runs: Annotated[int, *IN_GROUPS, "The same where b <= a."] = 400


@settings
class Config:
    """The critical batch size: the authors' table, the exact law on least squares, and a ladder of transformers."""

    squares: Squares = Squares()
    sgd: Runs = Runs()
    ladder: Ladder = Ladder()


FEW = Ladder((2, 4), (16, 32), (8, 16, 32), (2e-2,), 16, replicates=1, held_out=20)
MANY = Ladder((8, 16, 32, 64), (4000, 8000, 16000, 32000), rates=(2.5e-3, 5e-3, 1e-2, 2e-2), replicates=5)
LONG = Squares(samples=(512, 2048, 8192, 32768, 131072))
PRESETS = {
    "tiny": Config(Squares(sources=(3.0,), directions=(8, 16), samples=(128, 512)), Runs((128, 512), 500), FEW),
    "small": Config(),
    "full": Config(LONG, Runs((512, 32768), 32000, 4000), MANY),
}


@dataclass(frozen=True)
class Spectrum:
    """A cell: least squares of one source, on the first directions; the rest of the truth is noise to the model."""

    squares: Squares
    source: float
    directions: int

    def __str__(self) -> str:
        return f"{self.world}, {self.directions} directions"

    @property
    def world(self) -> str:
        return f"a = {self.squares.decay:g}, b = {self.source:g}"

    @property
    def grows(self) -> bool:
        """Whether theory has B* grow with the data."""
        return self.source > self.squares.decay

    @cached_property
    def problem(self) -> LeastSquaresSGD:
        """Normalised by the sums of the whole spectrum."""
        full = LeastSquares.power(self.squares.directions[-1], decay=self.squares.decay, source=self.source)
        λ, square, d = full.spectrum, np.square(full.optimum), self.directions
        return LeastSquaresSGD(λ[:d], square[:d], float(np.sqrt(self.squares.noise**2 + λ[d:] @ square[d:])))


@lru_cache(maxsize=64)
def law_of(spectrum: Spectrum, samples: int) -> BatchLaw:
    """Computed once in a process: resamples ask for it again and again."""
    return batch_law(spectrum.problem, samples, overhead=OVERHEAD)


@dataclass(frozen=True)
class Descent:
    """A cell: runs of averaged SGD at the smallest batch and at those around B*, rates and averages from the law."""

    spectrum: Spectrum
    samples: int
    runs: int

    def __str__(self) -> str:
        return f"{self.spectrum}, D = {self.samples}"

    @cached_property
    def law(self) -> BatchLaw:
        return law_of(self.spectrum, self.samples)

    @property
    def batches(self) -> tuple[int, ...]:
        """Those of the law that are run: the smallest, and the two around B*."""
        return 0, *self.law.around

    @cached_property
    def marks(self) -> dict[int, list[int]]:
        """Steps at which runs of `batches` are looked at: the last of the smallest, some around T(B) of the others."""
        around = {k: self.law.steps[k] * np.geomspace(0.7, 1.45, 11) for k in self.batches if k}
        others = {k: sorted({max(1, int(step + 0.5)) for step in steps}) for k, steps in around.items()}
        return {0: [round(self.law.steps[0])], **others}

    @cached_property
    def places(self) -> list[slice]:
        """Of the marks of each of `batches`, where all stand side by side."""
        ends = np.cumsum([0, *(len(self.marks[k]) for k in self.batches)]).tolist()
        return list(map(slice, ends[:-1], ends[1:]))

    def apart(self, risks: Floats) -> list[Floats]:
        """Risks (..., marks of all `batches` side by side) by batch."""
        return [risks[..., place] for place in self.places]


def cells(config: Config, seed: int) -> Iterator[Work]:
    squares, sgd, ladder = config.squares, config.sgd, config.ladder
    for source, directions in product(squares.sources, squares.directions):
        yield Work("solve", Spectrum(squares, source, directions))
    for source, samples in product(dict.fromkeys((squares.sources[0], squares.sources[-1])), sgd.measured):
        fast = source > squares.decay  # where b > a few directions do; where not, all that can be learned must be there
        spectrum = Spectrum(squares, source, squares.directions[0 if fast else -1])
        yield Work("descend", Descent(spectrum, samples, sgd.runs if fast else sgd.slow_runs), cost=samples)
    for width, batch, rate in product(ladder.widths, ladder.batches, ladder.rates):
        case = Train(ladder, width, batch, float(rate * np.sqrt(batch / ladder.batches[0])), world_seed(seed, STUDY))
        yield Work("train", case, ladder.replicates, cost=case.most * (1 + batch / 64))


MODELS = published_batches().unique("model", maintain_order=True)
"""A row for each of the authors' models."""


def fitted(model: str) -> CriticalBatch:
    """The authors' fit, again."""
    return critical_batch_size(*published_batches().filter(model=model).select("batch", "steps"), reference=REFERENCE)


def excesses(t: Rows[Descent]) -> Floats:
    """Mean excess risk of each group at the marks of all batches side by side, shape (GROUPS, n)."""
    parts = (t.array("excess", batch=float(t.case.law.batch[k])) for k in t.case.batches)
    return np.hstack([np.reshape(part, (GROUPS, -1)) for part in parts])


def log_critical(case: Descent, risks: Floats) -> float:
    """ln B* of such risks, (n,): where the batches around B* arrive at the risk that the smallest ends with."""
    law, ((goal,), *parts), over = case.law, case.apart(-np.log(risks)), []
    for k, part in zip(law.around, parts, strict=True):
        at, rising = np.log(case.marks[k]), np.maximum.accumulate(part)
        steps = np.interp(goal, rising, at, np.nan, np.nan) if k else np.log(law.steps[0])
        over.append(np.log(law.batch[k] / case.samples / (1 + OVERHEAD)) + steps)
    return float(np.log(law.batch[law.around[0]]) - over[0] / (over[1] - over[0]) * np.log(2))


NOT_ONE = Judge(
    "holds if {it} excludes 1 by more than a factor of 1.5, fails if wholly within it",
    lambda e: "holds" if e.ends[0] > 1.5 or e.ends[1] < 1 / 1.5
    else "fails" if e.ends[0] >= 1 / 1.5 and e.ends[1] <= 1.5 else "inconclusive",
)  # fmt: skip
GROWS = Judge(
    "holds if it is above 0.2 and {it} above 0, fails if {it} lies below 0.2",
    lambda e: "fails" if e.ends[1] < 0.2 else "holds" if e.value > 0.2 and e.ends[0] > 0 else "inconclusive",
)
SEEDS = Guard("fewer than 3 seeds were trained", lambda found: found.config.ladder.replicates < 3)
AT_T = "mean excess risk of the runs at the law's T(B) over the target, mean over {count} batch sizes"
POWER = "in B* ~ D^p N^q, by least squares"
BESIDE = "noise scale over B*, geometric mean over the data of the law"


@claim(within_share(0.001), "sequences", TABLE, "B* of the fit, reference 256")
def reproduced(model: str) -> Estimate:
    """Published table, {model}: our fit gives the authors' critical batch size."""
    return exact(fitted(model).value).against(MODELS.filter(model=model)["critical"].item())


@claim(within_share(0.001), "exponent", TABLE, "slope of ln B* on ln N, reference 256")
def published_power() -> Estimate:
    """Published table: B* grows as this power of the number of parameters, data growing along."""
    return exact(slope(MODELS["params"], [fitted(model).value for model in MODELS["model"]])).against(EXPONENT)


@claim(within(0.03), "measured over target", LAW, AT_T)
def arrives(t: Rows[Descent]) -> Estimate:
    """{t}: averaged SGD is at the target when the law says."""
    law, ratios = t.case.law, []
    for k, groups in zip(t.case.batches, t.case.apart(excesses(t)), strict=True):
        ratios.append([np.interp(law.steps[k], t.case.marks[k], one) / law.target for one in groups])
    return mean(np.mean(ratios, axis=0), over="groups of runs").against(1.0, count=len(ratios))


@claim(within(0.1), "slope", ORDER, "slope of ln B* on ln D over the data of the law")
def constant(t: Rows[Spectrum]) -> Estimate:
    """{t}, b <= a: by the law the critical batch size does not grow with the data."""
    return exact(slope(t.case.squares.samples, t.frame["critical"])).against(0.0)


@claim(within(0.1), "slope", LAW, "slope of ln B* on ln D over the data of the runs")
def measured_slope(ts: Sequence[Rows[Descent]]) -> Estimate:
    """{world}: measured on runs of SGD, the critical batch size moves with the data as in the law, {way}."""
    case, data, parts = ts[0].case.spectrum, [t.case.samples for t in ts], [excesses(t) for t in ts]

    def of(means: Floats) -> float:
        apart = np.split(means, np.cumsum([part.shape[1] for part in parts])[:-1])
        return slope(data, np.exp([log_critical(t.case, one) for t, one in zip(ts, apart, strict=True)]))

    found = statistic(of, np.hstack(parts), over="groups of runs")
    way = "which grows" if case.grows else "which does not grow"
    return found.against(slope(data, [t.case.law.critical for t in ts]), world=case, way=way)


def size_free(t: Rows[Spectrum], largest: Rows[Spectrum]) -> Estimate:
    """{t}: by the law the critical batch size is that of {largest.case.directions} directions."""
    ratios = (t.frame["critical"] / largest.frame["critical"]).to_numpy()
    return exact(float(ratios[np.abs(np.log(ratios)).argmax()])).against(1.0)


closely, loosely = (
    claim(within(m), "ratio", ORDER, "ratio at equal data, the farthest from 1")(size_free) for m in (0.1, 0.2)
)


@claim(GROWS, "exponent", THEORY, f"p {POWER}", SEEDS)
def data_matters(found: Found) -> Estimate:
    """Transformers: the critical batch size grows with the data."""
    return powers(found, lambda p, q: p)


@claim(below(0.0), "exponent", THEORY, f"|q| - p/2 {POWER}", SEEDS)
def size_does_not(found: Found) -> Estimate:
    """Transformers: with the size of the model the critical batch size moves less than half as fast as with the data."""
    return powers(found, lambda p, q: abs(q) - p / 2)


@claim(NOT_ONE, "noise scale over B*", NOISE, BESIDE)
def other_than_noise(t: Rows[Spectrum]) -> Estimate:
    """{t}: the noise scale of the gradients is not the critical batch size."""
    return exact(float(np.exp(np.log(t.frame["noise_scale"] / t.frame["critical"]).mean())))


def claims(found: Found) -> Iterator[Claim]:
    yield from map(reproduced, MODELS["model"])
    yield published_power()
    yield from map(arrives, found.of(Descent))
    laws = found.of(Spectrum)
    largest = {t.case.source: t for t in laws if t.case.directions == t.case.squares.directions[-1]}
    yield from (constant(t) for t in largest.values() if not t.case.grows)
    for source in dict.fromkeys(t.case.spectrum.source for t in found.of(Descent)):
        yield measured_slope([t for t in found.of(Descent) if t.case.spectrum.source == source])
    for t in laws:
        if t.case.grows and t is not largest[t.case.source]:
            much_smaller = 4 * t.case.directions < t.case.squares.directions[-1]
            yield (loosely if much_smaller else closely)(t, largest[t.case.source])
    yield from (data_matters(found), size_does_not(found))
    yield from map(other_than_noise, largest.values())


def scaled(fit: CriticalBatch, **labels: str) -> Iterator[pl.DataFrame]:
    for name, (batch, steps) in fit.curves().items():
        yield curve({"batch": batch}, {"steps": steps}, None, series=name, **labels)


def steps(found: Found) -> Iterator[pl.DataFrame]:
    """Steps to the target by batch size: as measured, the fit a + c/B, and linear scaling from the reference, 256 sequences in
    the published table, the smallest batch of transformers, whose steps are geometric means of replicates.
    """
    for model in MODELS["model"]:
        yield from scaled(fitted(model), system="published", case="C4", group=model)
    for (width, data), one in ladder(found).group_by("width", "sentences", maintain_order=True):
        means = np.exp(np.log(one["steps"].to_list()).mean(0))
        if (came := np.isfinite(means)).sum() > 2:
            fit = critical_batch_size(np.array(found.config.ladder.batches)[came], means[came], resamples=1)
            yield from scaled(fit, system="transformers", case=f"width {width}", group=f"D = {data}")


def by_data(found: Found) -> Iterator[pl.DataFrame]:
    """B* on least squares, by the samples that batches of 4 read until the target. Law: exact, where B T(B) = 1.2 D. Fit: by
    a + c/B through the same steps. SGD: from runs at two batch sizes, with its 95 % interval. Noise scale: tr Σ/|G|² of
    single gradients at the end of the run of batches of 4.
    """
    for t in found.of(Spectrum):
        series = {"law": "critical", "fit": "fitted", "noise scale": "noise_scale"}
        shown = {name: t.frame[column].to_numpy() for name, column in series.items()}
        labels = {"case": t.case.world, "group": f"{t.case.directions} directions"}
        yield curves({"samples": t.case.squares.samples}, "examples", shown, **labels)
    for d in found.of(Descent):
        one = statistic(partial(log_critical, d.case), excesses(d)).exp()
        labels = {"case": d.case.spectrum.world, "group": f"{d.case.spectrum.directions} directions", "series": "SGD"}
        yield curve({"samples": [d.case.samples]}, {"examples": [one.value]}, ([one.ends[0]], [one.ends[1]]), **labels)


def by_sentences(found: Found) -> Iterator[pl.DataFrame]:
    """B* of transformers, in sentences, by the sentences that the smallest batch reads until the target: geometric mean, least
    and greatest replicate.
    """
    L = found.config.ladder
    logs = by_replicate(found, "critical").reshape(L.replicates, len(L.widths), -1)
    for k, width in enumerate(L.widths):
        least, middle, most = (np.exp(of(logs[:, k], axis=0)) for of in (np.min, np.mean, np.max))
        yield curve(
            {"sentences": L.sentences}, {"examples": middle}, (least, most), series="B*", group=f"width {width}"
        )


def tables(found: Found) -> Iterator[Table]:
    yield from table("critical", "B* on least squares, by data", by_data, found)
    yield from table("steps", "Steps by batch size", steps, found)
    yield from table("transformers", "B* of transformers, by data", by_sentences, found)


BATCH, STEPS, EXAMPLES = Axis("batch", "batch size"), Axis("steps", "steps to the target"), Axis("examples", "examples")
SAMPLES, SENTENCES, SERIES = Axis("samples", "samples D"), Axis("sentences", "sentences D"), pl.col("series")
KINDS: dict[Any, Kind] = {"measured": "learner", "fit": "theory", "linear": "asymptote"}
LAWS: dict[Any, Kind] = {"law": "theory", "SGD": "simulation", "noise scale": "asymptote"}
drawn = partial(Figure, table="steps", x=BATCH, y=STEPS, kinds=KINDS, columns="case", colour="group")
squares = partial(Figure, table="critical", x=SAMPLES, y=EXAMPLES, kinds=LAWS, columns="case", colour="group")
FIGURES = (
    squares("critical-batch-size", "The critical batch size grows with the data if b > a", shown=SERIES.is_in(["law", "SGD"]),
            caption="Where b > a B* grows with the data. Sizes agree until a small model has learned all that it can."),
    drawn("published", "The published table and its fit", shown=pl.col("system") == "published",
          caption="Steps fall as 1/B up to some thousand sequences, then level off; B* grows with the model and its data."),
    drawn("transformers", "Steps by batch size of transformers", shown=pl.col("system") == "transformers",
          caption="Geometric means over seeds; amounts of data at which fewer than three batch sizes arrived are left out."),
    squares("noise", "Noise scale and critical batch size", shown=SERIES.is_in(["law", "noise scale"]),
            caption="Lines: B* (20 % overhead from batches of 4). Dashed: the noise scale of single gradients."),
    Figure("ladder", "Critical batch size of transformers", "transformers", SENTENCES, EXAMPLES, "learner",
           colour="group", caption="Least, mean and greatest seed; where a seed has no B* none is drawn."),
)  # fmt: skip


def summary(found: Found) -> str:
    squares, L, lost = found.config.squares, found.config.ladder, int((~ladder(found)["critical"].is_finite()).sum())
    done = (
        "How large may a batch be before it costs 20 % more examples than small ones? The published table of steps is fitted "
        f"again; on least squares with eigenvalues i^-{squares.decay:g} steps are exact for every batch size, rate and average "
        f"of the weights; transformers of width {', '.join(map(str, L.widths))} are trained at batches of "
        f"{', '.join(map(str, L.batches))} sentences with constant rates, swept for each batch, and averaged weights "
        f"({L.replicates} seeds). Critical batch sizes of different references or overheads cannot be compared: the "
        "published table is scaled from 256, least squares from batches of 4, transformers from their smallest."
    )
    cost = (
        f"\n\nAt {lost} of the transformers' {len(ladder(found))} targets the critical batch size is not known, as fewer than "
        "three batch sizes arrived before their runs ended, and the claims on transformers stay open. To decide them, runs of "
        "larger batches must be several times as long, and the transformers are most of what this run costs."
    )
    return done + cost * (lost > 0)

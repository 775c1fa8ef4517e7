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
from typing import Annotated, Any

import numpy as np
import polars as pl

from twopart._checks import check
from twopart.evidence import Estimate, Found, Guard, Judge, Rows, claim, curve, curves, exact, mean, statistic, table
from twopart.evidence.judges import below, within, within_share
from twopart.findings import Claim, Table
from twopart.fits import CriticalBatch, batch_scaling, critical_batch_size, slope, steps_to_target
from twopart.laws.regression import BatchLaw, LeastSquaresSGD, batch_law, published_batches
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, distinct, every, multiple_of, rising, settings
from twopart.studies import Work, world_seed
from twopart.studies._transformers import fits_heads
from twopart.worlds import SyntaxKnowledge
from twopart.worlds.regression import LeastSquares
from twopart.worlds.regression.arrays import Floats

STUDY, TITLE = "critical-batch-size", "The critical batch size"
PAPER, PAGE = "Zhang et al. 2024, arXiv 2410.21676", "docs/laws/critical-batch-size.md"
TABLE, THEORY, LAW = f"{PAPER}, released notebook; {PAGE}, the fit", f"{PAPER}, abstract", f"{PAGE}, the law"
ORDER, NOISE = f"{PAPER}, theory of least squares; {PAGE}, data and size", f"{PAGE}, noise scale"
REFERENCE, EXPONENT = 256, 0.4683  # the batch that the authors scale from; their power of the model's size
OVERHEAD = 0.2
GROUPS = 100
AVERAGES = (0.0, 0.9, 0.97, 0.99)  # of the transformers' weights
SHOWN = 1, 2  # streams of the transformers' world: what is read, what is held out


@settings
class Squares:
    """Least squares with eigenvalues i^-a whose truth has E λ w² ~ i^-b."""

    decay: Annotated[float, between(1, 10, "(]"), "Decay a of the eigenvalues i^-a."] = 1.5
    sources: Annotated[
        tuple[float, ...], distinct(1), every(between(1, 10, "(]")), "Decays b of what there is to learn."
    ] = (1.2, 2.0, 3.0)
    directions: Annotated[
        tuple[int, ...], rising(2), every(at_least(2)), "Sizes of the model: eigen-directions kept of the last."
    ] = (25, 100, 300)
    noise: Annotated[float, between(0, 100, "(]"), "Standard deviation of the answers' noise."] = 1.0
    samples: Annotated[
        tuple[int, ...], rising(2), every(multiple_of(4)), every(at_least(32)), "Samples D of the reference batch."
    ] = (512, 2048, 8192, 32768)


@settings
class Runs:
    """Runs of SGD beside the law."""

    measured: Annotated[
        tuple[int, ...], rising(2), every(multiple_of(4)), every(at_least(32)), "Samples D at which SGD is run."
    ] = (512, 8192)
    runs: Annotated[int, multiple_of(GROUPS), at_least(GROUPS), "Runs of each batch size where b > a."] = 8000
    slow_runs: Annotated[int, multiple_of(GROUPS), at_least(GROUPS), "The same where b <= a."] = 400


@settings
class Ladder:
    """Transformers trained to the same losses at several batch sizes."""

    widths: Annotated[tuple[int, ...], rising(2), fits_heads, "Widths of the models, of one layer."] = (8, 32)
    sentences: Annotated[
        tuple[int, ...], rising(2), every(at_least(16)), "Data D: sentences read by the smallest batch."
    ] = (2000, 4000, 8000)
    batches: Annotated[
        tuple[int, ...], rising(3), every(at_least(1)), "Batch sizes in sentences; the first is the reference."
    ] = (16, 32, 64, 128, 256)
    rates: Annotated[
        tuple[float, ...], rising(1), every(between(0, 1, "()")),
        "AdamW's learning rates at the first batch; at others they grow as its root.",
    ] = (5e-3, 1e-2, 2e-2)  # fmt: skip
    warmup: Annotated[int, at_least(1), "Sentences of warm-up; then the rate is constant."] = 1000
    first_decay: Annotated[float, between(0, 1, "[)"), "AdamW's memory of the gradient."] = 0.9
    replicates: Annotated[int, at_least(1), "Worlds and seeds."] = 3
    held_out: Annotated[int, at_least(10), "Sentences that the loss is measured on."] = 500


@settings
class Config:
    """The critical batch size: the authors' table, the exact law on least squares, and a ladder of transformers."""

    squares: Squares = Squares()
    sgd: Runs = Runs()
    ladder: Ladder = Ladder()

    def __post_init__(self) -> None:
        a, kept = self.squares.decay, self.ladder.sentences[0] >= self.ladder.batches[0]
        check(kept, "sentences", self.ladder.sentences, "at least the first batch", "read a batch, at least")
        check(a > 1, "decay", a, "above 1", "the spectrum must have a sum")


FEW = Ladder((2, 4), (128, 256), (8, 16, 32), rates=(2e-2,), warmup=16, replicates=2, held_out=50)
MANY = Ladder(
    (8, 16, 32, 64),
    (4000, 8000, 16000, 32000),
    (16, 32, 64, 128, 256, 512, 1024),
    (2.5e-3, 5e-3, 1e-2, 2e-2),
    replicates=5,
)
PRESETS = {
    "tiny": Config(Squares(sources=(3.0,), directions=(8, 16), samples=(128, 512)), Runs((128, 512), 500), FEW),
    "small": Config(),
    "full": Config(Squares(samples=(512, 2048, 8192, 32768, 131072)), Runs((512, 32768), 32000, 4000), MANY),
}


@dataclass(frozen=True)
class Spectrum:
    """A cell: least squares of one source, on the first eigen-directions; the rest of the truth is noise to the model."""

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
        unseen = float(λ[d:] @ square[d:])
        return LeastSquaresSGD(λ[:d], square[:d], float(np.sqrt(self.squares.noise**2 + unseen)))

    def law(self, samples: int) -> BatchLaw:
        return law_of(self, samples)


@lru_cache(maxsize=64)
def law_of(spectrum: Spectrum, samples: int) -> BatchLaw:
    """Computed once in a process: resamples ask for it again and again."""
    return batch_law(spectrum.problem, samples, overhead=OVERHEAD)


@dataclass(frozen=True)
class Descent:
    """A cell: runs of averaged SGD at the batch sizes around B*, rates and averages from the law."""

    spectrum: Spectrum
    samples: int
    runs: int

    def __str__(self) -> str:
        return f"{self.spectrum}, D = {self.samples}"


@dataclass(frozen=True)
class Train:
    """A cell: a transformer at one batch size and rate; its beginning is a run on less data."""

    ladder: Ladder
    width: int
    batch: int
    rate: float
    seed: int

    def __str__(self) -> str:
        return f"width {self.width}, batch {self.batch}, rate {self.rate:.2g}"

    def world(self, replicate: int) -> SyntaxKnowledge:
        return SyntaxKnowledge(discount=0.5, seed=self.seed + replicate)

    @property
    def most(self) -> int:
        """Steps: the larger the batch, the more sentences, as the root of it."""
        times = np.sqrt(self.batch / self.ladder.batches[0])
        return int(np.ceil(times * self.ladder.sentences[-1] / self.batch))

    @property
    def marks(self) -> list[int]:
        """Steps at which the loss is measured."""
        ladder, first = self.ladder, max(1, self.ladder.sentences[0] // (2 * self.batch))
        spread = np.geomspace(first, self.most, 24).round().astype(int).tolist()
        return sorted(
            {*spread, *([d // self.batch for d in ladder.sentences] if self.batch == ladder.batches[0] else [])}
        )


def cells(config: Config, seed: int) -> Iterator[Work]:
    squares, sgd, ladder = config.squares, config.sgd, config.ladder
    for source, directions in product(squares.sources, squares.directions):
        yield Work("solve", Spectrum(squares, source, directions))
    for source, samples in product((squares.sources[0], squares.sources[-1])[-len(squares.sources) :], sgd.measured):
        fast = source > squares.decay  # where b > a few directions do; where not, all that can be learned must be there
        spectrum = Spectrum(squares, source, squares.directions[0 if fast else -1])
        yield Work("descend", Descent(spectrum, samples, sgd.runs if fast else sgd.slow_runs), cost=samples)
    for width, batch, rate in product(ladder.widths, ladder.batches, ladder.rates):
        case = Train(ladder, width, batch, float(rate * np.sqrt(batch / ladder.batches[0])), world_seed(seed, STUDY))
        yield Work("train", case, ladder.replicates, cost=case.most * (1 + batch / 64))


def fitted(model: str) -> CriticalBatch:
    """The authors' fit, again."""
    return critical_batch_size(*published_batches().filter(model=model).select("batch", "steps"), reference=REFERENCE)


def models() -> pl.DataFrame:
    """A row for each of the authors' models."""
    return published_batches().unique("model", maintain_order=True)


def criticals(t: Rows[Spectrum], column: str = "critical") -> Floats:
    """B* by data, shape (D,), or another number that each amount of data has one of."""
    return t.frame.unique("samples", maintain_order=True)[column].to_numpy()


def log_critical(case: Descent, means: Sequence[Floats]) -> float:
    """ln B* from mean excess risks at the marks of the reference, and of the batches below and above B*.

    The reference has one mark, and its risk is the target of the others.
    """
    law = case.spectrum.law(case.samples)
    goal, over = float(means[0][0]), []
    for k, risks in zip(law.around, means[1:], strict=True):
        steps = steps_to_target(marks(law, k), risks, goal) if k else law.steps[0]
        over.append(np.log(law.batch[k] * steps / case.samples / (1 + OVERHEAD)))
    return float(np.log(law.batch[law.around[0]]) - over[0] / (over[1] - over[0]) * np.log(2))


def marks(law: BatchLaw, k: int) -> list[int]:
    """Steps at which runs of the law's k-th batch are looked at: the last of the reference, some around T(B) of the others."""
    T = law.steps[k]
    return [round(T)] if k == 0 else sorted({max(1, int(T * by + 0.5)) for by in np.geomspace(0.7, 1.45, 11)})


def excesses(t: Rows[Descent]) -> list[Floats]:
    """Mean excess risk of each group, shape (GROUPS, marks), of the reference and the two batches around B*."""
    law = t.case.spectrum.law(t.case.samples)
    parts = [np.asarray(t.array("excess", batch=float(law.batch[k]))) for k in (0, *law.around)]
    return [part if part.ndim == 2 else part[:, None] for part in parts]


def joint(parts: Sequence[Floats]) -> tuple[Floats, Any]:
    """Arrays (GROUPS, n) side by side, and the function that takes a mean of them apart again."""
    cuts = np.cumsum([part.shape[1] for part in parts])[:-1]
    return np.concatenate(parts, axis=1), partial(np.split, indices_or_sections=cuts)


@dataclass(frozen=True)
class Rung:
    """Transformers of one width: losses by replicate, mark and average for each batch and rate."""

    width: int
    runs: tuple[Rows[Train], ...]

    @property
    def params(self) -> int:
        return int(self.runs[0].frame["params"][0])

    @cached_property
    def steps(self) -> Floats:
        """Fewest steps to the target over rates and averages, shape (replicates, D, batches); nan where none got there."""
        ladder = self.runs[0].case.ladder
        of = {b: [t for t in self.runs if t.case.batch == b] for b in ladder.batches}
        out = np.full((ladder.replicates, len(ladder.sentences), len(ladder.batches)), np.nan)
        for r, (i, data) in product(range(ladder.replicates), enumerate(ladder.sentences)):
            first = data // ladder.batches[0]
            goal = min(t.where(replicate=r, step=first, axis="loss")["loss"].min() for t in of[ladder.batches[0]])
            out[r, i, 0] = first
            for j, batch in enumerate(ladder.batches[1:], start=1):
                found = [arrival(t, r, goal) for t in of[batch]]
                out[r, i, j] = np.nan if np.all(np.isnan(found)) else np.nanmin(found)
        return out

    @cached_property
    def criticals(self) -> Floats:
        """B* by the fit, shape (replicates, D); nan where fewer than three batches got there."""
        batches = np.array(self.runs[0].case.ladder.batches, float)

        def of(steps: Floats) -> float:
            there = np.isfinite(steps)
            found = there.sum() >= 3 and critical_batch_size(
                batches[there], steps[there], overhead=OVERHEAD, resamples=1
            )
            return found.value if found else np.nan

        return np.apply_along_axis(of, 2, self.steps)

    @cached_property
    def noise_scales(self) -> Floats:
        """Of the reference's best run at each target, shape (replicates, D)."""
        ladder = self.runs[0].case.ladder
        frame = pl.concat(t.where(axis="noise") for t in self.runs if t.case.batch == ladder.batches[0])
        best = frame.sort("loss").unique(["replicate", "step"], keep="first").sort("replicate", "step")
        return best["noise_scale"].to_numpy().reshape(ladder.replicates, -1)


def arrival(t: Rows[Train], replicate: int, goal: float) -> float:
    """Steps of one run to a loss by the average that gets there first; nan if none does."""
    runs = t.where(replicate=replicate, axis="loss").sort("average", "step").partition_by("average")
    found = [steps_to_target(run["step"], run["loss"], goal) for run in runs]
    return float(np.nanmin(found)) if np.any(np.isfinite(found)) else float("nan")


def rungs(found: Found) -> list[Rung]:
    return [Rung(width, tuple(found.of(Train, width=width))) for width in found.config.ladder.widths]


def powers(ladder: Sequence[Rung]) -> tuple[Floats, Any]:
    """ln B*, shape (replicates, sizes D), and a function from their mean to the exponents (p, q) of data and size."""
    sentences = ladder[0].runs[0].case.ladder.sentences
    data, size = np.tile(sentences, len(ladder)), np.repeat([rung.params for rung in ladder], len(sentences))

    def of(logs: Floats) -> tuple[float, float]:
        if not np.all(np.isfinite(logs)):
            return float("nan"), float("nan")
        laws = batch_scaling(data, size, np.exp(logs))
        return laws.data.value, laws.model.value  # type: ignore[union-attr]

    return np.log(np.concatenate([rung.criticals for rung in ladder], axis=1)), of


def seeded(ladder: Sequence[Rung]) -> bool:
    return ladder[0].runs[0].case.ladder.replicates < 3


NOT_ONE = Judge(
    "holds if {it} excludes 1 by more than a factor of 1.5, fails if wholly within it",
    lambda e: "holds" if e.ends[0] > 1.5 or e.ends[1] < 1 / 1.5
    else "fails" if 1 / 1.5 <= e.ends[0] and e.ends[1] <= 1.5 else "inconclusive",
)  # fmt: skip
DATA = Judge(
    "holds if it is above 0.2 and {it} above 0, fails if {it} lies below 0.2",
    lambda e: "fails" if e.ends[1] < 0.2 else "holds" if e.value > 0.2 and e.ends[0] > 0 else "inconclusive",
)
SEEDS = Guard("fewer than 3 seeds were trained", seeded)
ON_DATA, SLOPE = "slope of ln B* on ln D over the data of the law", "slope of ln B* on ln D over the data of the runs"
AT_T = "mean excess risk of the runs at the law's T(B) over the target, mean over {count} batch sizes"
FARTHEST = "ratio at equal data, the farthest from 1"
BESIDE = "noise scale over B*, geometric mean over {over}"


@claim(within_share(0.001), "sequences", TABLE, "B* of the fit, reference 256")
def reproduced(model: str) -> Estimate:
    """Published table, {model}: our fit gives the authors' critical batch size."""
    return exact(fitted(model).value).against(models().filter(model=model)["critical"].item())


@claim(within_share(0.001), "exponent", TABLE, "slope of ln B* on ln N, reference 256")
def published_power() -> Estimate:
    """Published table: B* grows as this power of the number of parameters, data growing along."""
    frame = models()
    critical = [fitted(model).value for model in frame["model"]]
    return exact(batch_scaling(None, frame["params"], critical).model.value).against(EXPONENT)  # type: ignore[union-attr]


@claim(within(0.03), "measured over target", LAW, AT_T)
def arrives(t: Rows[Descent]) -> Estimate:
    """{t}: averaged SGD is at the target when the law says."""
    law, ratios = t.case.spectrum.law(t.case.samples), []
    for k, groups in zip((0, *law.around), excesses(t), strict=True):
        at = groups[:, 0] if k == 0 else np.array([np.interp(law.steps[k], marks(law, k), one) for one in groups])
        ratios.append(at / law.target)
    return mean(np.mean(ratios, axis=0), over="groups of runs").against(1.0, count=len(ratios))


@claim(within(0.1), "slope", ORDER, ON_DATA)
def constant(t: Rows[Spectrum]) -> Estimate:
    """{t}, b <= a: by the law the critical batch size does not grow with the data."""
    return exact(slope(t.case.squares.samples, criticals(t))).against(0.0)


@claim(within(0.1), "slope", LAW, SLOPE)
def measured_slope(ts: Sequence[Rows[Descent]]) -> Estimate:
    """{world}: measured on runs of SGD, the critical batch size moves with the data as in the law, {way}."""
    case, data = ts[0].case, [t.case.samples for t in ts]
    values, apart = joint([part for t in ts for part in excesses(t)])

    def of(means: Floats) -> float:
        parts = apart(means)
        return slope(data, np.exp([log_critical(t.case, parts[3 * i : 3 * i + 3]) for i, t in enumerate(ts)]))

    own = slope(data, [case.spectrum.law(samples).critical for samples in data])
    way = "which grows" if case.spectrum.grows else "which does not grow"
    return statistic(of, values, over="groups of runs").against(own, world=case.spectrum, way=way)


def size_free(t: Rows[Spectrum], largest: Rows[Spectrum]) -> Estimate:
    """{t}: by the law the critical batch size is that of {largest.case.directions} directions."""
    ratios = criticals(t) / criticals(largest)
    return exact(float(ratios[np.abs(np.log(ratios)).argmax()])).against(1.0)


closely = claim(within(0.1), "ratio", ORDER, FARTHEST)(size_free)
loosely = claim(within(0.2), "ratio", ORDER, FARTHEST)(size_free)  # of models below a quarter of the largest


@claim(DATA, "exponent", THEORY, "p in B* ~ D^p N^q, by least squares", SEEDS)
def data_matters(ladder: Sequence[Rung]) -> Estimate:
    """Transformers: the critical batch size grows with the data."""
    logs, of = powers(ladder)
    return seeded_statistic(lambda means: of(means)[0], logs)


@claim(below(0.0), "exponent", THEORY, "|q| - p/2 in B* ~ D^p N^q, by least squares", SEEDS)
def size_does_not(ladder: Sequence[Rung]) -> Estimate:
    """Transformers: with the size of the model the critical batch size moves less than half as fast as with the data."""
    logs, of = powers(ladder)
    return seeded_statistic(lambda means: abs(of(means)[1]) - of(means)[0] / 2, logs)


def seeded_statistic(of: Any, values: Floats) -> Estimate:
    """Over replicates, or of the one that there is."""
    return statistic(of, values, over="seeds") if len(values) > 1 else Estimate(of(values[0]), (-np.inf, np.inf))


@claim(NOT_ONE, "noise scale over B*", NOISE, BESIDE)
def other_than_noise(t: Rows[Spectrum]) -> Estimate:
    """{t}: the noise scale of the gradients is not the critical batch size."""
    logs = np.log(criticals(t, "noise_scale") / criticals(t))
    return exact(float(np.exp(logs.mean()))).against(None, over="the data of the law")


@claim(NOT_ONE, "noise scale over B*", NOISE, BESIDE)
def other_than_noise_there(ladder: Sequence[Rung]) -> Estimate:
    """Transformers: the noise scale of the gradients is not the critical batch size."""
    logs = np.concatenate([np.log(rung.noise_scales / rung.criticals) for rung in ladder], axis=1).mean(1)
    return seeded_statistic(float, logs).exp().against(None, over="widths and data")


def claims(found: Found) -> Iterator[Claim]:
    yield from map(reproduced, models()["model"])
    yield published_power()
    yield from map(arrives, found.of(Descent))
    laws, ladder = found.of(Spectrum), rungs(found)
    largest = {t.case.source: t for t in laws if t.case.directions == t.case.squares.directions[-1]}
    yield from (constant(t) for t in largest.values() if not t.case.grows)
    for source in sorted({t.case.spectrum.source for t in found.of(Descent)}):
        yield measured_slope([t for t in found.of(Descent) if t.case.spectrum.source == source])
    for t in laws:
        if t.case.grows and t is not largest[t.case.source]:
            small = 4 * t.case.directions < t.case.squares.directions[-1]
            yield (loosely if small else closely)(t, largest[t.case.source])
    yield from (data_matters(ladder), size_does_not(ladder))
    yield from map(other_than_noise, largest.values())
    yield other_than_noise_there(ladder)


def scaled(fit: CriticalBatch, **labels: str) -> Iterator[pl.DataFrame]:
    """Steps as measured, by the fit, and by linear scaling from its reference, over the batches that were measured."""
    x = np.geomspace(fit.batch.min(), fit.batch.max(), 60)
    linear = fit.steps(fit.reference) * fit.reference / x
    for name, batch, steps in (("measured", fit.batch, fit.measured), ("fit", x, fit.steps(x)), ("linear", x, linear)):
        yield curves({"batch": batch}, "steps", {name: steps}, **labels)


def steps(found: Found) -> Iterator[pl.DataFrame]:
    """Steps to the target by batch size: as measured, or exact for least squares; the fit a + c/B; and linear scaling from the
    reference, 256 sequences in the published table, 4 samples, or the smallest batch of the transformers (mean of replicates
    in logarithms).
    """
    for model in models()["model"]:
        yield from scaled(fitted(model), system="published", case="C4", group=model)
    for t in found.of(Spectrum):
        for samples in t.case.squares.samples if t.case.directions == t.case.squares.directions[-1] else ():
            one = t.where(samples=samples)
            fit = critical_batch_size(one["batch"], one["steps"], resamples=1)
            yield from scaled(fit, system="law", case=t.case.world, group=f"D = {samples}")
    for rung in rungs(found):
        for data, each in zip(rung.runs[0].case.ladder.sentences, rung.steps.swapaxes(0, 1), strict=True):
            there = np.isfinite(each).all(0)
            if there.sum() >= 3:
                batches = np.array(rung.runs[0].case.ladder.batches)[there]
                fit = critical_batch_size(batches, np.exp(np.log(each[:, there]).mean(0)), resamples=1)
                yield from scaled(fit, system="transformers", case=f"width {rung.width}", group=f"D = {data}")


def by_data(found: Found) -> Iterator[pl.DataFrame]:
    """B* on least squares, by the samples that a batch of 4 reads until the target. Law: exact, where B T(B) = 1.2 D. Fit: by
    a + c/B through the same steps. SGD: from runs at two batch sizes, with two standard errors. Noise scale: tr Σ/|G|² of
    single gradients at the end of the reference's run.
    """
    for t in found.of(Spectrum):
        labels = {"case": t.case.world, "group": f"{t.case.directions} directions"}
        series = {"law": "critical", "fit": "fitted", "noise scale": "noise_scale"}
        yield curves(
            {"samples": t.case.squares.samples}, "examples", {s: criticals(t, c) for s, c in series.items()}, **labels
        )
    for d in found.of(Descent):
        values, apart = joint(excesses(d))
        one = statistic(lambda means, d=d, apart=apart: log_critical(d.case, apart(means)), values).exp()
        labels = {"case": d.case.spectrum.world, "group": f"{d.case.spectrum.directions} directions", "series": "SGD"}
        yield curve({"samples": [d.case.samples]}, {"examples": [one.value]}, ([one.ends[0]], [one.ends[1]]), **labels)


def by_sentences(found: Found) -> Iterator[pl.DataFrame]:
    """B* of transformers and the noise scale of their gradients, in sentences, by the sentences that the smallest batch reads
    until the target: geometric mean, least and greatest replicate.
    """
    for rung in rungs(found):
        for name, values in (("B*", rung.criticals), ("noise scale", rung.noise_scales)):
            band, x = (values.min(0), values.max(0)), {"sentences": rung.runs[0].case.ladder.sentences}
            middle = np.exp(np.log(values).mean(0))
            yield curve(x, {"examples": middle}, band, series=name, group=f"width {rung.width}")


def tables(found: Found) -> Iterator[Table]:
    yield from table("critical", "B* on least squares, by data", by_data, found)
    yield from table("steps", "Steps by batch size", steps, found)
    yield from table("transformers", "B* of transformers, by data", by_sentences, found)


BATCH, STEPS, EXAMPLES = Axis("batch", "batch size"), Axis("steps", "steps to the target"), Axis("examples", "examples")
SAMPLES, READ, SERIES = Axis("samples", "samples D"), Axis("sentences", "sentences D"), pl.col("series")
KINDS: dict[Any, Kind] = {"measured": "learner", "fit": "theory", "linear": "asymptote"}
drawn = partial(Figure, table="steps", x=BATCH, y=STEPS, kinds=KINDS, columns="case", colour="group")
BOTH: dict[Any, Kind] = {"law": "theory", "SGD": "simulation"}
FIGURES = (
    Figure("critical-batch-size", "The critical batch size grows with the data if b > a, and not with the model", "critical",
           SAMPLES, Axis("examples", "critical batch size"), BOTH, "case", colour="group", shown=SERIES.is_in(["law", "SGD"]),
           caption="Where the truth lies in few directions (b > a) B* grows with the data; the size of the model hardly moves it."),
    drawn("published", "The published table and its fit", shown=pl.col("system") == "published",
          caption="Steps fall as 1/B up to some thousand sequences, then level off; B* grows with the model and its data."),
    drawn("law", "Steps by batch size on least squares", shown=pl.col("system") == "law",
          caption="Exact steps, tuned for each batch size; a + c/B fits them, within what its two constants can."),
    drawn("transformers", "Steps by batch size of transformers", shown=pl.col("system") == "transformers",
          caption="The more data, the farther linear scaling goes."),
    Figure("noise", "The noise scale is not the critical batch size", "critical", SAMPLES, EXAMPLES,
           {"law": "theory", "noise scale": "asymptote"}, "case", colour="group", shown=SERIES.is_in(["law", "noise scale"]),
           caption="Both grow with the data; the noise scale lies apart, and by another factor in each world."),
    Figure("ladder", "Critical batch size and noise scale of transformers", "transformers", READ, EXAMPLES,
           {"B*": "learner", "noise scale": "simulation"}, colour="group", caption="Width hardly matters to B*."),
)  # fmt: skip


def summary(found: Found) -> str:
    squares, ladder = found.config.squares, found.config.ladder
    return (
        "How large may a batch be before it costs 20 % more examples than small ones? The published table of steps is fitted "
        f"again; on least squares with eigenvalues i^-{squares.decay:g} steps are exact for every batch size, rate and average of "
        f"the weights; transformers of width {', '.join(map(str, ladder.widths))} are trained at batches of "
        f"{', '.join(map(str, ladder.batches))} sentences with constant rates, swept for each batch, and averaged weights "
        f"({ladder.replicates} seeds). Critical batch sizes of different references or overheads cannot be compared: least squares "
        "are scaled from batches of 4, transformers from the smallest, the published table from 256."
    )

"""Does gradient descent average the features of a class, and what does that cost in robustness?

Two-layer networks are trained on points around orthogonal centres, or on images, and attacked: taught two classes, or the
groups that make up the classes. Theory predicts, constants and all, what neurons learn and at what radius they break.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import product
from typing import Annotated, Any, Literal

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from twopart import _random
from twopart._checks import check
from twopart.evidence import Estimate, Found, Rows, claim, curve, curves, mean, ratio, statistic, table
from twopart.evidence.judges import above, below, within, within_share
from twopart.findings import Claim, Table
from twopart.laws.features import feature_averaging as law
from twopart.report import Axis, Figure, HeatMap, Kind
from twopart.settings import among, at_least, between, both, distinct, every, multiple_of, one_of, settings
from twopart.studies import Work, world_seed
from twopart.worlds.features import Images, OrthogonalClusters
from twopart.worlds.features.images import CLASSES, DATASETS, require

STUDY, TITLE = "feature-averaging", "Feature averaging"
PAPER, PAGE = "Li, Pan, Lyu, Li 2024, arXiv 2410.10322", "docs/laws/feature-averaging.md"
LEARNED, BREAKS = f"{PAGE}, what is learned", f"{PAGE}, what breaks it"
PAPER_LEARNED, PAPER_BREAK = f"{PAPER}; {LEARNED}", f"{PAPER}; {BREAKS}"
ORDER = f"order: {PAPER}; constant: {BREAKS}"

Floats = NDArray[np.float64]
Labels = Literal["binary", "cluster"]
LABELS: tuple[Labels, ...] = ("binary", "cluster")
THEORY, CERTIFIED, SUMMED = "theory's perturbation", "certified", "merged by sum"
ATTACKS = (THEORY, "FGSM", "PGD")

KS, DS = (2, 4, 8, 16, 32), (256, 512, 1024, 2048)
SWEEP = distinct(2).because("a power law needs two points")
EVEN = both(at_least(2), multiple_of(2)).because("the law is stated for two classes of equally many clusters")
LARGE = every(at_least(4)).because("1024 is large enough for the asymptotics to show")
AVERAGED = at_least(3).because("with one cluster a class averages nothing")
SAMPLES = at_least(5).because("no cluster may go without points")
TIME = between(1, 1e6, "()").because("200 takes outputs to about 5")
STEP = between(0, 2, "(]").because("0.5 follows gradient flow closely")
SMALL = between(0, 1, "(]").because("theory takes it to 0; at 0 no neuron is active")
SEEDS = at_least(2).because("an interval needs a spread")


@settings
class Networks:
    """The networks of a cell, how they descend, and how closely they are looked at."""

    neurons: Annotated[int, at_least(1).because("an output without neurons is constant"), "Neurons per output."] = 8
    step: Annotated[float, STEP, "Length of a step, in units of `time`."] = 0.5
    initial: Annotated[float, SMALL, "Standard deviation of initial weights and biases."] = 1e-5
    seeds: Annotated[int, SEEDS, "Replicates, each of its own world, sample and network."] = 8
    points: Annotated[int, at_least(20).because("a median needs points"), "Test points attacked per replicate."] = 200


@settings
class Config:
    """Feature averaging: which features gradient descent learns from clusters, and at what radius the network breaks."""

    clusters: Annotated[tuple[int, ...], SWEEP, every(EVEN), "Numbers of clusters k."] = KS
    dimensions: Annotated[tuple[int, ...], SWEEP, LARGE, "Dimensions D, none below any k."] = DS
    reference_clusters: Annotated[int, AVERAGED, among("clusters"), "The k looked at closely, at which D varies."] = 8
    reference_dimension: Annotated[int, among("dimensions"), "The D looked at closely, at which k varies."] = 1024
    grid: Annotated[bool, "Run every k with every D, not only those that share one with the reference."] = False
    samples: Annotated[int, SAMPLES, "Training points per cluster, on average."] = 50
    time: Annotated[float, TIME, "Training time τ: coefficients start at rate 1/2 and end near ln τ."] = 200.0
    images: Annotated[str, one_of(*DATASETS, "none"), "Real images to look at as well."] = "digits"
    folder: Annotated[str, "The folder that holds mnist or cifar10."] = ""
    image_time: Annotated[float, TIME, "Training time on images, as `time`."] = 200.0
    networks: Networks = Networks()

    def __post_init__(self) -> None:
        most, remedy = min(self.dimensions), "orthogonal centres need a dimension each"
        check(max(self.clusters) <= most, "clusters", self.clusters, f"at most {most}, the least dimension", remedy)

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """The pairs (k, D) that are run, the reference first."""
        k, D = self.reference_clusters, self.reference_dimension
        pairs = product(self.clusters, self.dimensions)
        return [(k, D), *(p for p in pairs if p != (k, D) and (self.grid or p[0] == k or p[1] == D))]


FEW, MANY = Networks(4, seeds=3, points=20), Networks(16, 0.25, seeds=16, points=500)
PRESETS = {
    "tiny": Config((2, 4, 8), (64, 128), 4, 128, samples=20, time=40, image_time=20, networks=FEW),
    "small": Config(),
    "full": Config((*KS, 64), (*DS, 4096), grid=True, samples=200, time=1000, image_time=1000, networks=MANY),
}
SHAPES = {"digits": (1198, 64), "mnist": (60_000, 784), "cifar10": (50_000, 3072)}  # training points and dimension


@dataclass(frozen=True)
class Task:
    """What the networks of a cell are taught: which of two classes a point is from, or which of the groups within them."""

    labels: Labels
    time: float
    networks: Networks

    @property
    def groups(self) -> int:
        raise NotImplementedError

    @property
    def taught(self) -> str:
        return f"{self.labels} labels"

    @property
    def outputs(self) -> int:
        """C; groups are merged to classes afterwards."""
        return 2 if self.labels == "binary" else self.groups

    @property
    def steps(self) -> int:
        return round(self.time / self.networks.step)


@dataclass(frozen=True)
class Clusters(Task):
    """A cell: networks trained on samples of orthogonal-cluster worlds."""

    world: OrthogonalClusters
    """The world of the first replicate; the others count its seed up. Both kinds of labels see the same."""
    samples: int
    attacked: bool
    """Whether FGSM and PGD are run beside the theory's perturbation: at the reference."""

    def __str__(self) -> str:
        return f"{self.taught}, k = {self.world.clusters}, D = {self.world.dimension}"

    @property
    def groups(self) -> int:
        return self.world.clusters

    @property
    def worlds(self) -> list[OrthogonalClusters]:
        return [replace(self.world, seed=self.world.seed + i) for i in range(self.networks.seeds)]

    @property
    def training_points(self) -> int:
        return self.samples * self.world.clusters

    @property
    def own(self) -> NDArray[np.bool_]:
        """Which clusters an output stands for, shape (C, k)."""
        positive = self.world.is_positive
        return np.stack([~positive, positive]) if self.labels == "binary" else np.eye(self.groups, dtype=bool)

    @cached_property
    def share(self) -> float:
        return law.share(self.world, self.outputs)

    @property
    def stretch(self) -> float:
        """By what memorised noise lengthens a weight, and so shortens the radius of attacks that know the weights."""
        return float(np.sqrt(1 + law.memorised(self.world, self.training_points)))

    @cached_property
    def radius(self) -> float:
        """The law of that at which the theory's perturbation makes half of the points wrong."""
        return (law.averaged_radius if self.labels == "binary" else law.decoupled_median)(self.world)


@dataclass(frozen=True)
class Pictures(Task):
    """A cell: networks trained on real images, all of them attacked."""

    dataset: str
    folder: str
    seed: int
    """Of the division and the groupings."""

    attacked = True
    groups = CLASSES

    def __str__(self) -> str:
        return f"{self.dataset}, {self.taught}"

    def world(self, replicate: int) -> Images:
        """The classes in a random order, the last half of them positive."""
        order = _random.generator(self.seed, "grouping", replicate).permutation(CLASSES)
        return Images(self.dataset, tuple(sorted(order[CLASSES // 2 :].tolist())), self.folder, self.seed)


def cells(config: Config, seed: int) -> Iterator[Work]:
    if config.images != "none":
        require(config.images, config.folder)
    for labels, (k, D) in product(LABELS, config.sizes):
        world = OrthogonalClusters(k, D, seed=world_seed(seed, STUDY, "clusters", k, D))
        case = Clusters(labels, config.time, config.networks, world, config.samples, (k, D) == config.sizes[0])
        yield Work("train_on_clusters", case, cost=case.steps * case.training_points * D * case.outputs)
    for labels in LABELS if config.images != "none" else ():
        source, (n, D) = world_seed(seed, STUDY, "images"), SHAPES[config.images]
        pictures = Pictures(labels, config.image_time, config.networks, config.images, config.folder, source)
        yield Work("train_on_images", pictures, cost=pictures.steps * n * D * pictures.outputs)


def medians(t: Rows[Any], attack: str = THEORY) -> Floats:
    """The radius that leaves half of a replicate's points right, shape (R,)."""
    return np.asarray(np.median(t.array("radius", attack=attack), axis=1))


def smallest(t: Rows[Any], attacks: Sequence[str] = ATTACKS) -> Floats:
    """Radii of test points under whichever attack needs least, shape (R, points)."""
    return np.asarray(np.min([t.array("radius", attack=attack) for attack in attacks], axis=0))


def accuracy(radii: Floats, grid: Floats) -> Floats:
    """Share of points that are still right at each radius of `grid`, shapes (R, points) and (G,) to (R, G)."""
    return np.asarray((radii[:, None, :] > grid[:, None]).mean(-1))


def exponents(sizes: Sequence[Rows[Clusters]], values: ArrayLike) -> Floats:
    """Exponents (of k, of D) of the power law through values (..., sizes), shape (..., 2): least squares of logarithms."""
    pairs = np.array([[t.case.world.clusters, t.case.world.dimension] for t in sizes], float)
    design = np.column_stack([np.ones(len(pairs)), np.log(pairs)])
    return np.asarray(np.log(values) @ np.linalg.pinv(design).T)[..., 1:]


def moments(t: Rows[Clusters]) -> Floats:
    """The times τ at which coefficients were recorded."""
    return np.asarray(t.array("time", axis="time")[0])


def beside(values: Floats, expected: float) -> Estimate:
    """A radius of each replicate beside its prediction, resampled in proportion."""
    return ratio(values, expected).times(expected)


EQUAL = below(1.2)  # coefficients that differ by no more than this factor count as equal
GROWN, LATE = below(0.1), 10.0  # of infinitesimal steps: at the very first step half of the points switch a neuron on
SHARE = within_share(0.2)  # the law neglects that a training point remembers its own noise
RADIUS = within_share(0.1), "Euclidean radius"
EXPONENT = within(0.05)  # 0.5 is told apart from 0.4 and 0.6, and from 0 and 1 by far
MEDIAN = "median over test points"


@claim(EQUAL, "ratio", PAPER_LEARNED, "largest over least coefficient of a neuron, mean over neurons")
def coefficients_equal(t: Rows[Clusters]) -> Estimate:
    """{t}: each neuron averages, its weights point equally far along all centres of its class."""
    return mean(t.array("ratio", axis="end")).against(1.0)


@claim(GROWN, "relative deviation", LEARNED, f"largest relative deviation of the mean coefficient over τ >= {LATE:g}")
def coefficients_grow(t: Rows[Clusters]) -> Estimate:
    """{t}: coefficients grow with time as the law says, γ + e^γ = 1 + τ."""
    late = moments(t) >= LATE
    expected = law.coefficient(moments(t)[late], t.case.outputs)
    return statistic(lambda own: np.abs(own / expected - 1).max(), t.array("own", axis="time")[:, late]).against(0.0)


@claim(SHARE, "share", f"{LEARNED}; the paper has it vanish", "minus mean coefficient along other centres over own")
def share(t: Rows[Clusters]) -> Estimate:
    """{t}: weights point away from other centres by the share s that noise leaves, (C-1) s = Φ(-s √(D/p))."""
    return mean(t.array("share", axis="end")).against(t.case.share)


@claim(within(0.02), "cosine", PAPER_LEARNED, "cosine between weights and the law's direction, mean over neurons")
def direction(t: Rows[Clusters]) -> Estimate:
    """{t}: neurons point along Σ own centres - s Σ others, but for the noise of the training points."""
    return mean(t.array("cosine", axis="end")).against(1 / t.case.stretch)


@claim(above(0.99), "share of points", PAPER_BREAK, "accuracy on test points")
def clean(t: Rows[Clusters]) -> Estimate:
    """{t}: without a perturbation the network is right on nearly all new points."""
    return mean(t.array("accuracy", axis="end")).against(law.averaged_accuracy(0.0, t.case.world))


@claim(*RADIUS, ORDER, MEDIAN)
def theory_radius(t: Rows[Clusters]) -> Estimate:
    """{t}: along the difference of the classes' centres the network breaks at radius √(D/k)."""
    return beside(medians(t), t.case.radius)


@claim(below(0.1), "share of points", BREAKS, "largest deviation of the mean curve")
def robust_curve(t: Rows[Clusters]) -> Estimate:
    """{t}: under that perturbation accuracy falls with its radius as Φ(√(D/k) - ε)."""
    grid = np.linspace(0, 2 * t.case.radius, 201)
    expected = law.averaged_accuracy(grid, t.case.world)
    measured = accuracy(t.array("radius", attack=THEORY), grid)
    return statistic(lambda shares: np.abs(shares - expected).max(), measured).against(0.0)


@claim(*RADIUS, BREAKS, f"{MEDIAN}, each under the best of FGSM, PGD and the theory's perturbation")
def least_radius(t: Rows[Clusters]) -> Estimate:
    """{t}: no attack needs less than the theory's perturbation, but for what memorised noise gives away."""
    return beside(np.median(smallest(t), axis=1), t.case.radius / t.case.stretch)


@claim(*RADIUS, BREAKS, f"certified radius, {MEDIAN}")
def certificate(t: Rows[Clusters]) -> Estimate:
    """{t}: no perturbation whatever smaller than about √(D/k)/(1+s) breaks it."""
    return beside(medians(t, CERTIFIED), t.case.radius / ((1 + t.case.share) * t.case.stretch))


@claim(EXPONENT, "exponent of {letter}", PAPER_BREAK, "least squares of ln(median radius) on ln k, ln D; {count} sizes")
def radius_exponent(sizes: Sequence[Rows[Clusters]], letter: Literal["k", "D"]) -> Estimate:
    """binary labels: the radius along the theory's perturbation goes as a power of {letter}, that of √(D/k)."""
    found = exponents(sizes, np.stack([medians(t) for t in sizes], axis=1))
    which, expected = {"k": (0, -0.5), "D": (1, 0.5)}[letter]
    return mean(found[:, which]).against(expected, count=len(sizes))


@claim(*RADIUS, ORDER, f"{MEDIAN}, each under the best attack; predicted: that of the nearest centre, noise included")
def decoupled(t: Rows[Clusters]) -> Estimate:
    """{t}: merged to two classes by largest output, the network breaks only near √(D/2), as the best must."""
    return beside(np.median(smallest(t), axis=1), t.case.radius)


@claim(*RADIUS, BREAKS, f"certified radius, {MEDIAN}")
def decoupled_certificate(t: Rows[Clusters]) -> Estimate:
    """{t}: and no perturbation whatever does with less."""
    return beside(medians(t, CERTIFIED), t.case.radius)


@claim(EXPONENT, "exponent of k", PAPER_BREAK, "least squares of ln(ratio of medians) on ln k, ln D; {count} sizes")
def gain(fine: Sequence[Rows[Clusters]], coarse: Sequence[Rows[Clusters]]) -> Estimate:
    """cluster labels over binary labels: the radius gained grows as √k, less what noise takes at these sizes."""
    pairs = list(zip(fine, coarse, strict=True))
    found = exponents(fine, np.stack([medians(a) / medians(b) for a, b in pairs], axis=1))
    expected = exponents(fine, [a.case.radius / b.case.radius for a, b in pairs])
    return mean(found[:, 0]).against(expected[0], count=len(fine))


@claim(*RADIUS, BREAKS, f"{MEDIAN}, along the opposite centres less the own one")
def summed(t: Rows[Clusters]) -> Estimate:
    """{t}: decoupled features do not help if the outputs of a class are added up instead."""
    return beside(medians(t, SUMMED), law.summed_radius(t.case.world, t.case.share))


@claim(above(1), "ratio of radii", PAPER, f"ratio of radii ({MEDIAN}, each under the best of FGSM and PGD)")
def images(fine: Rows[Pictures], coarse: Rows[Pictures]) -> Estimate:
    """{fine.case.dataset}: taught ten classes and merged to two, a network is more robust than taught two."""
    radii = [np.median(smallest(t, ATTACKS[1:]), axis=1) for t in (fine, coarse)]
    return ratio(*radii, over="groupings").against(None)


def claims(found: Found) -> Iterator[Claim]:
    """What is learned, what breaks it, what finer labels mend, what images show."""
    coarse, fine = (found.of(Clusters, labels=labels) for labels in LABELS)
    binary, cluster = coarse[0], fine[0]  # the reference
    yield from (coefficients_equal(binary), coefficients_grow(binary), share(binary), share(cluster), direction(binary))
    yield from (judged(binary) for judged in (clean, theory_radius, robust_curve, least_radius, certificate))
    yield from (radius_exponent(coarse, "k"), radius_exponent(coarse, "D"))
    yield from (decoupled(cluster), decoupled_certificate(cluster), gain(fine, coarse), summed(cluster))
    if pictures := found.of(Pictures):
        yield images(pictures[1], pictures[0])


GRID = 61  # radii at which accuracy is tabulated


def by_radius(reference: Sequence[Rows[Clusters]]) -> Iterator[pl.DataFrame]:
    """Share of test points still classified rightly when each may be moved by a Euclidean radius. Law: of the averaged
    network, Φ(√(D/k) - ε), and of the nearest centre. No classifier lies above the dashed line. Certified: no
    perturbation whatever does more. Bands: lowest and highest replicate. Merged by sum: outputs of a class added up,
    along the opposite centres less the own one.
    """
    for t in reference:
        world, binary = t.case.world, t.case.labels == "binary"
        grid = np.linspace(0, 1.25 * law.decoupled_radius(world), GRID)
        expected = law.averaged_accuracy if binary else law.decoupled_accuracy
        ways = [*ATTACKS, CERTIFIED] if binary else [*ATTACKS, CERTIFIED, SUMMED]
        measured = {way: accuracy(t.array("radius", attack=way), grid) for way in ways}
        laws = {"law": expected(grid, world), "any classifier": law.accuracy_bound(grid, world)}
        yield curves({"radius": grid}, "accuracy", laws | measured, labels=t.case.taught)


def by_size(sizes: Sequence[Rows[Clusters]]) -> Iterator[pl.DataFrame]:
    """Median over test points of the radius along the theory's perturbation: against binary labels the difference of the
    classes' centres, against cluster labels the nearest opposite centre. Mean, least and greatest replicate, and accuracy
    on points left where they are. Law: √(D/k) of the averaged network, near √(D/2) of the nearest centre, near
    √(D/(1+k/2)) of outputs summed. Certified: the same median of the radius within which no perturbation succeeds.
    """
    for t in sizes:
        size = {"clusters": [t.case.world.clusters], "dimension": [t.case.world.dimension]}
        right = pl.lit(t.array("accuracy", axis="end").mean()).alias("clean accuracy")
        found = {"measured": medians(t)[:, None], CERTIFIED: medians(t, CERTIFIED)[:, None]}
        found = {"law": np.array([t.case.radius]), **found}
        yield curves(size, "radius", found, labels=t.case.taught).with_columns(right)
        if t.case.labels == "cluster":
            radius = law.summed_radius(t.case.world, t.case.share)
            found = {"law": np.array([radius]), "measured": medians(t, SUMMED)[:, None]}
            yield curves(size, "radius", found, labels=f"{t.case.taught}, summed").with_columns(right)


def over_time(reference: Sequence[Rows[Clusters]]) -> Iterator[pl.DataFrame]:
    """Coefficients <w, μ> of neurons along centres over training time τ. Own: the centres that a neuron's output stands
    for; band: its least and largest, mean over neurons. Others: all other centres. The law of the others is minus the
    share s times the law of the own.
    """
    for t in reference:
        x, labels = {"time": moments(t)}, {"labels": t.case.taught}
        own, low, high, other = (t.array(column, axis="time") for column in ("own", "low", "high", "other"))
        expected = np.asarray(law.coefficient(x["time"], t.case.outputs))
        yield curves(x, "coefficient", {"law": expected, "law, others": -t.case.share * expected}, **labels)
        yield curve(x, {"coefficient": own}, (low.mean(0), high.mean(0)), series="own centres", **labels)
        yield curves(x, "coefficient", {"other centres": other}, **labels)


def cosines(reference: Sequence[Rows[Clusters]]) -> Iterator[pl.DataFrame]:
    """Cosine between each neuron's weights and each centre, in one replicate. Binary labels: every neuron points along all
    centres of its class, with cosine near √(2/k). Cluster labels: along one centre.
    """
    for t in reference:
        taught = pl.lit(t.case.taught).alias("labels")
        yield t.where(axis="weights").select(taught, "output", "neuron", "cluster", "cosine")


def on_images(pictures: Sequence[Rows[Pictures]]) -> Iterator[pl.DataFrame]:
    """Share of test images still classified rightly into two classes, under the best of FGSM and PGD, by Euclidean radius;
    pixels are scaled so that ‖x‖² is D on average. Every replicate groups the ten classes in another way. Bands: lowest
    and highest replicate.
    """
    radii = np.array([smallest(t, ATTACKS[1:]) for t in pictures])
    grid = np.linspace(0, float(np.quantile(radii[np.isfinite(radii)], 0.99)), GRID)
    for t, r in zip(pictures, radii, strict=True):
        yield curves({"radius": grid}, "accuracy", {"best attack": accuracy(r, grid)}, labels=t.case.taught)


def tables(found: Found) -> Iterator[Table]:
    reference = found.of(Clusters, attacked=True)
    yield from table("robust-accuracy", "Accuracy by radius", by_radius, reference)
    yield from table("radii", "Radius by clusters and dimension", by_size, found.of(Clusters))
    yield from table("coefficients", "Coefficients over time", over_time, reference)
    yield from table("cosines", "Neurons and centres", cosines, reference)
    if pictures := found.of(Pictures):
        yield from table("images", f"Accuracy by radius: {pictures[0].case.dataset}", on_images, pictures)


EPSILON, ACCURACY = Axis("radius", "radius ε", log=False), Axis("accuracy", "robust accuracy", "", False, (0, 1.02))
HALF = Axis("radius", "radius at which half of the points are wrong")
CLUSTERS, DIMENSION = Axis("clusters", "clusters k"), Axis("dimension", "dimension D")
CENTRE, NEURON = Axis("cluster", "centre"), Axis("neuron", "neuron")
TAU, COEFFICIENT = Axis("time", "training time τ"), Axis("coefficient", "coefficient <w, μ>", log=False)
COSINE = Axis("cosine", "cosine", log=False, domain=(-1, 1))
KINDS: dict[Any, Kind] = {"law": "theory", "any classifier": "asymptote", "law, others": "asymptote", ...: "learner"}
SIZED: dict[Any, Kind] = {"law": "theory", "measured": "simulation"}
OF_K = (pl.col("series") != CERTIFIED) & (pl.col("dimension") == pl.col("dimension").first())  # the reference's D
OF_D = (pl.col("series") != CERTIFIED) & (pl.col("clusters") == pl.col("clusters").first())

NEURONS = "Neurons and centres"
FARTHEST = "How far a point must move before the network errs"
MENDED = "Taught two classes, a network breaks √(k/2) times earlier than need be; taught the clusters, it does not."
COSTS = "The more clusters a class has, the more their average costs."
ROOT = "All radii grow as the root of the dimension."
ALIKE = "All coefficients of a neuron along its own centres grow alike, as the law says."
ALONG = "Taught two classes, a neuron points along all centres of its class; taught the clusters, along one."
REAL = "On real images, too, finer labels make a network more robust."

sized = partial(Figure, table="radii", y=HALF, kinds=SIZED, colour="labels")
figure = partial(Figure, kinds=KINDS, columns="labels")
FIGURES = (
    figure("feature-averaging", FARTHEST, "robust-accuracy", EPSILON, ACCURACY, caption=MENDED),
    sized("radius-by-clusters", "The radius by clusters k", x=CLUSTERS, shown=OF_K, caption=COSTS),
    sized("radius-by-dimension", "The radius by dimension D", x=DIMENSION, shown=OF_D, caption=ROOT),
    figure("coefficients", "How coefficients grow", "coefficients", TAU, COEFFICIENT, caption=ALIKE),
    HeatMap("cosines", NEURONS, "cosines", CENTRE, NEURON, COSINE, columns="labels", centre=0, caption=ALONG),
    Figure("images", "The same on real images", "images", EPSILON, ACCURACY, "learner", series="labels", caption=REAL),
)


def summary(found: Found) -> str:
    binary, cluster = found.of(Clusters, attacked=True)
    world, gained = binary.case.world, float(np.mean(medians(cluster) / medians(binary)))
    return (
        "Two-layer ReLU networks are trained by gradient descent on points around orthogonal centres, each cluster in one "
        "of two classes. Theory says that each neuron learns the average of its class's centres, and that such a network, "
        "though right on nearly all points, is broken by a perturbation √(k/2) times smaller than need be; the same "
        "network taught which cluster a point is from does not average. Predictions are for finite k and D, noise "
        "included; none has a fitted constant.\n\n"
        f"At k = {world.clusters} clusters in D = {world.dimension} dimensions, {binary.case.networks.seeds} replicates, "
        f"cluster labels raise the radius {gained:.2f} times."
    )

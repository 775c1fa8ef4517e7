"""The claims of the feature-averaging study. Every rule and margin stands here and was set before the run that it judges."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from twopart.findings import Claim
from twopart.fits import Estimate, bootstrap
from twopart.laws.features import feature_averaging as law
from twopart.studies.feature_averaging.evidence import Evidence, Floats, Trained, exponents

LEVEL = 0.95
AVERAGED = 1.2
"""Coefficients of a neuron along its own centres that differ by no more than this factor count as equal."""
GROWTH_MARGIN = 0.1
"""Largest relative deviation of a coefficient's mean from its law over time..."""
LATE = 10.0
"""...from this τ on: the law is of infinitesimal steps, and at the very first step half of the points switch a neuron on."""
SHARE_MARGIN = 0.2
"""Relative, for the share: its law neglects that a training point remembers its own noise."""
RADIUS_MARGIN = 0.1
"""Relative, for radii."""
EXPONENT_MARGIN = 0.05
"""For exponents of k and D: 0.5 is told apart from 0.4 and 0.6, and from 0 and 1 by far."""
COSINE_MARGIN = 0.02
CURVE_MARGIN = 0.1
"""Largest deviation of a share of points from its law over all radii."""
CLEAN = 0.99
"""Near-perfect clean accuracy."""

PAPER = "Li, Pan, Lyu, Li 2024, arXiv 2410.10322"
HERE = "docs/laws/feature-averaging.md"
INTERVAL = f"{LEVEL:.0%} bootstrap interval over replicates"
POINTS = "median over test points"


def all_claims(evidence: Evidence) -> Iterator[Claim]:
    """In the order of the argument: what is learned, what breaks it, what finer labels mend, what images show."""
    binary, cluster = evidence.reference("binary"), evidence.reference("cluster")
    yield coefficients_equal(binary)
    yield coefficients_grow(binary)
    yield from (share(trained) for trained in (binary, cluster))
    yield direction(binary)
    yield clean(binary)
    yield theory_radius(binary)
    yield robust_curve(binary)
    yield least_radius(binary)
    yield certificate(binary)
    yield from radius_exponents(evidence.of("binary"))
    yield decoupled(cluster)
    yield decoupled_certificate(cluster)
    yield gain(evidence)
    yield summed(cluster)
    if evidence.images:
        yield images(evidence)


def coefficients_equal(trained: Trained) -> Claim:
    estimate = _mean(trained.end("ratio"))
    return Claim(
        f"{_name(trained)}: each neuron averages, its weights point equally far along all centres of its class.",
        predicted=1.0,
        measured=estimate.value,
        interval=estimate.bounded,
        rule=f"largest over least coefficient of a neuron, mean over neurons; holds if the {INTERVAL} lies below {AVERAGED}, "
        "fails if above",
        verdict=estimate.below(AVERAGED),
        source=f"{PAPER}; {HERE}",
        unit="ratio",
    )


def coefficients_grow(trained: Trained) -> Claim:
    late = trained.moments >= LATE
    expected = law.coefficient(trained.moments[late], trained.cell.outputs)

    def worst(mean: Floats) -> float:
        return float(np.abs(mean[late] / expected - 1).max())

    estimate = bootstrap(worst, trained.along("own"), level=LEVEL)
    return Claim(
        f"{_name(trained)}: coefficients grow with time as the law says, γ + e^γ = 1 + τ.",
        predicted=0.0,
        measured=estimate.value,
        interval=estimate.bounded,
        rule=f"largest relative deviation of the mean coefficient over τ >= {LATE:g}; holds if the {INTERVAL} lies below "
        f"{GROWTH_MARGIN}, fails if above",
        verdict=estimate.below(GROWTH_MARGIN),
        source=HERE,
        unit="relative deviation",
    )


def share(trained: Trained) -> Claim:
    estimate = _mean(trained.end("share"))
    expected = law.share(trained.world, trained.cell.outputs)
    return Claim(
        f"{_name(trained)}: weights point away from other centres by the share s that noise leaves, (C-1) s = Φ(-s √(D/p)).",
        predicted=expected,
        measured=estimate.value,
        interval=estimate.bounded,
        rule=_rule(
            "mean coefficient along other centres over minus that along own ones",
            f"{SHARE_MARGIN:.0%} of the prediction",
        ),
        verdict=estimate.equivalent_to(expected, SHARE_MARGIN * expected),
        source=f"{HERE}; the paper has it vanish",
        unit="share",
    )


def direction(trained: Trained) -> Claim:
    estimate = _mean(trained.end("cosine"))
    expected = 1 / np.sqrt(1 + law.memorised(trained.world, trained.training_points))
    return Claim(
        f"{_name(trained)}: neurons point along Σ own centres - s Σ others, but for the noise of the training points.",
        predicted=float(expected),
        measured=estimate.value,
        interval=estimate.bounded,
        rule=_rule("cosine between weights and the law's direction, mean over neurons", str(COSINE_MARGIN)),
        verdict=estimate.equivalent_to(expected, COSINE_MARGIN),
        source=f"{PAPER}; {HERE}",
        unit="cosine",
    )


def clean(trained: Trained) -> Claim:
    estimate = _mean(trained.end("accuracy"))
    return Claim(
        f"{_name(trained)}: without a perturbation the network is right on nearly all new points.",
        predicted=float(law.averaged_accuracy(0.0, trained.world)),
        measured=estimate.value,
        interval=estimate.bounded,
        rule=f"accuracy on test points; holds if the {INTERVAL} lies above {CLEAN}, fails if below",
        verdict=estimate.above(CLEAN),
        source=f"{PAPER}; {HERE}",
        unit="share of points",
    )


def theory_radius(trained: Trained) -> Claim:
    return _relative(
        f"{_name(trained)}: along the difference of the classes' centres the network breaks at radius √(D/k).",
        trained.median("theory"),
        law.averaged_radius(trained.world),
        POINTS,
        f"{PAPER} (order); {HERE} (constant)",
    )


def robust_curve(trained: Trained) -> Claim:
    grid = np.linspace(0, 2 * law.averaged_radius(trained.world), 201)
    expected = law.averaged_accuracy(grid, trained.world)
    curves = trained.accuracy(trained.radii("theory"), grid)
    estimate = bootstrap(lambda mean: float(np.abs(mean - expected).max()), curves, level=LEVEL)
    return Claim(
        f"{_name(trained)}: under that perturbation accuracy falls with its radius as Φ(√(D/k) - ε).",
        predicted=0.0,
        measured=estimate.value,
        interval=estimate.bounded,
        rule=f"largest deviation of the mean curve; holds if the {INTERVAL} lies below {CURVE_MARGIN}, fails if above",
        verdict=estimate.below(CURVE_MARGIN),
        source=HERE,
        unit="share of points",
    )


def least_radius(trained: Trained) -> Claim:
    memorised = law.memorised(trained.world, trained.training_points)
    return _relative(
        f"{_name(trained)}: no attack needs less than the theory's perturbation, but for what memorised noise gives away.",
        np.median(trained.smallest(), axis=1),
        law.averaged_radius(trained.world) / np.sqrt(1 + memorised),
        f"{POINTS}, each under the best of FGSM, PGD and the theory's perturbation",
        HERE,
    )


def certificate(trained: Trained) -> Claim:
    memorised = law.memorised(trained.world, trained.training_points)
    s = law.share(trained.world, trained.cell.outputs)
    return _relative(
        f"{_name(trained)}: no perturbation whatever smaller than about √(D/k)/(1+s) breaks it.",
        trained.median("certificate"),
        law.averaged_radius(trained.world) / ((1 + s) * np.sqrt(1 + memorised)),
        f"certified radius, {POINTS}",
        HERE,
    )


def radius_exponents(trained: list[Trained]) -> Iterator[Claim]:
    found = exponents(trained, np.stack([t.median("theory") for t in trained], axis=1))
    for letter, expected, values in (("k", -0.5, found[:, 0]), ("D", 0.5, found[:, 1])):
        estimate = _mean(values)
        yield Claim(
            f"binary labels: the radius along the theory's perturbation goes as a power of {letter}, that of √(D/k).",
            predicted=expected,
            measured=estimate.value,
            interval=estimate.bounded,
            rule=_rule(
                f"least squares of ln radius ({POINTS}) on ln k and ln D over all {len(trained)} sizes",
                str(EXPONENT_MARGIN),
            ),
            verdict=estimate.equivalent_to(expected, EXPONENT_MARGIN),
            source=f"{PAPER}; {HERE}",
            unit=f"exponent of {letter}",
        )


def decoupled(trained: Trained) -> Claim:
    return _relative(
        f"{_name(trained)}: merged to two classes by largest output, the network breaks only near √(D/2), as the best must.",
        np.median(trained.smallest(), axis=1),
        law.decoupled_median(trained.world),
        f"{POINTS}, each under the best attack; the prediction is that of the nearest centre, noise included",
        f"{PAPER} (order); {HERE} (constant)",
    )


def decoupled_certificate(trained: Trained) -> Claim:
    return _relative(
        f"{_name(trained)}: and no perturbation whatever does with less.",
        trained.median("certificate"),
        law.decoupled_median(trained.world),
        f"certified radius, {POINTS}",
        HERE,
    )


def gain(evidence: Evidence) -> Claim:
    fine, coarse = evidence.of("cluster"), evidence.of("binary")
    ratios = np.stack([a.median("theory") / b.median("theory") for a, b in zip(fine, coarse, strict=True)], axis=1)
    estimate = _mean(exponents(fine, ratios)[:, 0])
    law_of = [law.decoupled_median(t.world) / law.averaged_radius(t.world) for t in fine]
    expected = float(exponents(fine, law_of)[0])
    return Claim(
        "cluster labels over binary labels: the radius gained grows as √k, less what noise takes at these sizes.",
        predicted=expected,
        measured=estimate.value,
        interval=estimate.bounded,
        rule=_rule(f"exponent of k in the ratio of radii ({POINTS}), over all {len(fine)} sizes", str(EXPONENT_MARGIN)),
        verdict=estimate.equivalent_to(expected, EXPONENT_MARGIN),
        source=f"{PAPER}; {HERE}",
        unit="exponent of k",
    )


def summed(trained: Trained) -> Claim:
    s = law.share(trained.world, trained.cell.outputs)
    return _relative(
        f"{_name(trained)}: decoupled features do not help if the outputs of a class are added up instead.",
        trained.median("theory", "sum"),
        law.summed_radius(trained.world, s),
        f"{POINTS}, along the opposite centres less the own one",
        HERE,
    )


def images(evidence: Evidence) -> Claim:
    fine, coarse = (np.median(evidence.images[kind].smallest(), axis=1) for kind in ("cluster", "binary"))
    estimate = bootstrap(float, np.log(fine / coarse), level=LEVEL).exp()
    return Claim(
        f"{evidence.dataset}: taught ten classes and merged to two, a network is more robust than taught two.",
        predicted=None,
        measured=estimate.value,
        interval=estimate.bounded,
        rule=f"ratio of radii ({POINTS}, each under the best of FGSM and PGD), over groupings; holds if the {INTERVAL} lies "
        "above 1, fails if below",
        verdict=estimate.above(1.0),
        source=PAPER,
        unit="ratio of radii",
    )


def _relative(statement: str, values: Floats, expected: float, what: str, source: str) -> Claim:
    """A radius against its prediction, judged in proportion."""
    ratio = bootstrap(float, np.log(values / expected), level=LEVEL).exp()
    low, high = ratio.interval
    estimate = Estimate(ratio.value * expected, (low * expected, high * expected), LEVEL)
    return Claim(
        statement,
        predicted=float(expected),
        measured=estimate.value,
        interval=estimate.bounded,
        rule=_rule(what, f"{RADIUS_MARGIN:.0%} of the prediction"),
        verdict=ratio.equivalent_to(1.0, RADIUS_MARGIN),
        source=source,
        unit="Euclidean radius",
    )


def _rule(what: str, margin: str) -> str:
    return f"{what}; holds if the {INTERVAL} lies within {margin}, fails if wholly outside"


def _name(trained: Trained) -> str:
    labels = "binary labels" if trained.cell.supervision == "binary" else "cluster labels"
    return f"{labels}, k = {trained.world.clusters}, D = {trained.world.dimension}"


def _mean(values: Floats) -> Estimate:
    return bootstrap(float, values, level=LEVEL)

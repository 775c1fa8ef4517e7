"""The claims of the joint-law study. Every rule and margin stands here and was set before the runs that it judges.

Intervals are bootstrap over the runs of the grid. They say how much a number hangs on which runs there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any

import numpy as np

from twopart.findings import Claim
from twopart.fits import Estimate, ScalingFit, slope
from twopart.studies.joint_law.evidence import Evidence, Floats

LEVEL = 0.95
DEVIATION = 0.25
"""Largest root mean square of log2(measured / predicted redundancy): a factor of 1.19."""
SLOPE_MARGIN = 0.1
"""Exponents within this of the predicted one count as agreeing, as in the other studies."""
FLOOR = 0.05
"""Largest relative difference between the fitted irreducible loss and the world's entropy."""
CEILING = 2.0
"""Bits of knowledge per parameter that language models of 10^6 to 10^9 parameters reach (Allen-Zhu and Li 2024)."""

NONE = Estimate(float("nan"), (-np.inf, np.inf), LEVEL)
"""Of a fit that there is not."""

DERIVED = "docs/laws/joint.md"
PAPER = f"Pan, Wang, Li 2025, arXiv 2504.09597; {DERIVED}"
CHINCHILLA = f"Hoffmann et al. 2022, arXiv 2203.15556, approach 3; {DERIVED}"


def follows_the_law(evidence: Evidence) -> Claim:
    """How far the measured grid lies from the law's surface."""
    rms = evidence.estimate(evidence.rms)
    return Claim(
        "Redundancy over the grid is the joint law's exact surface with two fitted numbers.",
        predicted=0.0,
        measured=rms.value,
        interval=rms.bounded,
        rule="root mean square over runs of log2(measured / predicted redundancy), bits per parameter and exposures fitted to "
        f"it; {_over_runs(rms)}; holds if it lies below {DEVIATION:g}, fails if above",
        verdict=rms.below(DEVIATION),
        source=DERIVED,
        unit="octaves",
    )


def bits_per_parameter(evidence: Evidence) -> Claim:
    """The first fitted number."""
    b = evidence.bits_per_parameter
    return Claim(
        "A parameter holds no more than the 2 bits that larger language models reach.",
        predicted=CEILING,
        measured=b.value,
        interval=b.bounded,
        rule=f"bits per parameter of the fitted surface; {_over_runs(b)}; holds if it lies below {CEILING:g}, fails if above",
        verdict=b.below(CEILING),
        source="Allen-Zhu, Li 2024, arXiv 2404.05405, result 1",
        unit="bits per parameter",
    )


def exposures(evidence: Evidence) -> Claim:
    """The second fitted number."""
    told = evidence.exposures
    return Claim(
        "A learner must be told a fact more than once: T > 1.",
        predicted=None,
        measured=told.value,
        interval=told.bounded,
        rule=f"exposures T of the fitted surface; {_over_runs(told)}; holds if it lies above 1, fails if below",
        verdict=told.above(1.0),
        source=DERIVED,
        unit="exposures per fact",
    )


def exponents(evidence: Evidence) -> Iterator[Claim]:
    """The exponents that a scaling-law fit finds, against what the same fit finds in the law's surface."""
    d = evidence.world.discount
    for name, what, limit in (("alpha", "parameters", 1 / d - 1), ("beta", "data", 1 - d)):
        yield _beside_the_law(
            evidence,
            f"The exponent of {what} is the one that the joint law's surface shows over this grid.",
            itemgetter(name),
            f"{name} of A N^-alpha + B D^-beta fitted to redundancy; the law's limit is {limit:.2f}",
            PAPER,
        )


def allocation(evidence: Evidence) -> Claim:
    """How parameters should grow with compute."""
    exact = slope(evidence.split.flops, evidence.split.params)
    return _beside_the_law(
        evidence,
        "Parameters should grow with compute as in the joint law.",
        lambda theta: theta["beta"] / (theta["alpha"] + theta["beta"]),
        "exponent of the best number of parameters in compute, beta / (alpha + beta) of the same fits; along the exact law's "
        f"best splits over the grid's range of compute it is {exact:.2f}",
        CHINCHILLA,
    )


def _beside_the_law(
    evidence: Evidence, statement: str, number: Callable[[dict[str, Any]], Any], what: str, source: str
) -> Claim:
    """A number of the fit to the measured grid against that of the fit to the law's; the interval is that of the difference,
    both fitted to the same resampled runs."""
    measured, law = evidence.fits["chinchilla", "measured"], evidence.fits["chinchilla", "law"]
    predicted, estimate = None, NONE
    if measured is not None and law is not None:
        predicted = float(number(law.parameters))
        value = float(number(measured.parameters))
        estimate = _estimate(value, predicted + _drawn(measured, number) - _drawn(law, number))
    return Claim(
        statement,
        predicted=predicted,
        measured=estimate.value,
        interval=estimate.bounded,
        rule=f"{what}; predicted: the same of the law's redundancy of the same runs; {LEVEL:.0%} bootstrap interval over runs "
        f"of the difference; holds if it lies within {SLOPE_MARGIN}, fails if wholly outside, open where the runs do not show "
        "the form",
        verdict="inconclusive" if predicted is None else estimate.equivalent_to(predicted, SLOPE_MARGIN),
        source=source,
        unit="exponent",
    )


def one_discount(evidence: Evidence) -> Claim:
    """Both exponents by one number, which is known here."""
    return _beside_the_truth(
        "One number, the world's discount, sets both exponents.",
        evidence.fits["knowledge", "measured"],
        "d",
        evidence.world.discount,
        SLOPE_MARGIN,
        "d of A N^-(1/d - 1) + B D^-(1 - d) fitted to redundancy",
        "discount",
    )


def floor(evidence: Evidence) -> Claim:
    """The irreducible loss, which is known here."""
    truth = float(evidence.nats(evidence.oracle))
    return _beside_the_truth(
        "A fit that must find the irreducible loss finds the entropy of the world.",
        evidence.with_floor,
        "E",
        truth,
        FLOOR * truth,
        "E of E + A N^-alpha + B D^-beta fitted to the losses",
        "nats per token",
    )


def _beside_the_truth(
    statement: str, fit: ScalingFit | None, name: str, truth: float, margin: float, what: str, unit: str
) -> Claim:
    """A parameter of a fit against what it is in this world."""
    estimate = NONE if fit is None else _estimate(fit.parameters[name], _drawn(fit, itemgetter(name)))
    return Claim(
        statement,
        predicted=truth,
        measured=estimate.value,
        interval=estimate.bounded,
        rule=f"{what}; {LEVEL:.0%} bootstrap interval over runs; holds if it lies within {margin:.2g} of the prediction, "
        "fails if wholly outside, open where the runs do not show the form",
        verdict=estimate.equivalent_to(truth, margin),
        source=CHINCHILLA if name == "E" else PAPER,
        unit=unit,
    )


def _drawn(fit: ScalingFit, number: Callable[[dict[str, Any]], Any]) -> Floats:
    """The number of each bootstrap draw."""
    return np.asarray(number(dict(zip(fit.form.parameters, fit.form.natural(fit.draws).T, strict=True))))


def _estimate(value: float, drawn: Floats) -> Estimate:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, (float(low), float(high)), LEVEL)


def all_of(evidence: Evidence) -> Iterator[Claim]:
    """Every claim, in the order of the page."""
    yield follows_the_law(evidence)
    yield from exponents(evidence)
    for judge in (allocation, one_discount, floor, bits_per_parameter, exposures):
        yield judge(evidence)


def _over_runs(estimate: Estimate) -> str:
    return f"{estimate.level:.0%} bootstrap interval over runs"

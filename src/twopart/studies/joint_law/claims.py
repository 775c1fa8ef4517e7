"""The claims of the joint-law study. Every rule and margin stands here and was set before the runs that it judges.

Intervals of the two fitted numbers are bootstrap over the runs of the grid, those of exponents the bootstrap of the fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any

import numpy as np

from twopart.findings import Claim, Verdict
from twopart.fits import Estimate, ScalingFit, slope
from twopart.studies.joint_law.evidence import Evidence

LEVEL = 0.95
DEVIATION = 0.25
"""Largest root mean square of log2(measured / predicted redundancy): a factor of 1.19."""
SLOPE_MARGIN = 0.1
"""Exponents within this of the predicted one count as agreeing, as in the other studies."""
FLOOR = 0.05
"""Largest relative difference between the fitted irreducible loss and the world's entropy."""
CEILING = 2.0
"""Bits of knowledge per parameter that language models of 10^6 to 10^9 parameters reach (Allen-Zhu and Li 2024)."""

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
        interval=_bounded(rms),
        rule="root mean square over runs of log2(measured / predicted redundancy), bits per parameter and exposures fitted to "
        f"it; {_over_runs(rms)}; holds if it lies below {DEVIATION:g}, fails if above",
        verdict=_below(rms, DEVIATION),
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
        interval=_bounded(b),
        rule=f"bits per parameter of the fitted surface; {_over_runs(b)}; holds if it lies below {CEILING:g}, fails if above",
        verdict=_below(b, CEILING),
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
        interval=_bounded(told),
        rule=f"exposures T of the fitted surface; {_over_runs(told)}; holds if it lies above 1, fails if below",
        verdict=told.above(1.0),
        source=DERIVED,
        unit="exposures per fact",
    )


def exponents(evidence: Evidence) -> Iterator[Claim]:
    """The exponents that a scaling-law fit finds, against what the same fit finds in the law's surface."""
    d = evidence.world.discount
    for name, what, limit in (("alpha", "parameters", 1 / d - 1), ("beta", "data", 1 - d)):
        law = evidence.fits["chinchilla", "law"]
        yield _of_fit(
            f"The exponent of {what} is the one that the joint law's surface shows over this grid.",
            evidence.fits["chinchilla", "measured"],
            itemgetter(name),
            float("nan") if law is None else law.parameters[name],
            SLOPE_MARGIN,
            f"{name} of L = E + A N^-alpha + B D^-beta fitted to the measured losses, against the same fitted to the law's "
            f"(whose limit is {limit:.2f})",
            PAPER,
            "exponent",
        )


def allocation(evidence: Evidence) -> Claim:
    """How parameters should grow with compute."""
    return _of_fit(
        "Parameters should grow with compute as the exact law says.",
        evidence.fits["chinchilla", "measured"],
        lambda theta: theta["beta"] / (theta["alpha"] + theta["beta"]),
        slope(evidence.split.flops, evidence.split.params),
        SLOPE_MARGIN,
        "exponent of the best number of parameters in compute: beta / (alpha + beta) of the fit to the measured losses, "
        "against the slope of ln parameters on ln compute along the exact law's best splits over the grid's range of compute",
        CHINCHILLA,
        "exponent",
    )


def one_discount(evidence: Evidence) -> Claim:
    """Both exponents by one number, which is known here."""
    return _of_fit(
        "One number, the world's discount, sets both exponents.",
        evidence.fits["knowledge", "measured"],
        itemgetter("d"),
        evidence.world.discount,
        SLOPE_MARGIN,
        "d of L = E + A N^-(1/d - 1) + B D^-(1 - d) fitted to the measured losses",
        PAPER,
        "discount",
    )


def floor(evidence: Evidence) -> Claim:
    """The irreducible loss, which is known here."""
    truth = float(evidence.nats(evidence.oracle))
    return _of_fit(
        "The irreducible loss that the fit finds is the entropy of the world.",
        evidence.fits["chinchilla", "measured"],
        itemgetter("E"),
        truth,
        FLOOR * truth,
        "E of the fit to the measured losses",
        CHINCHILLA,
        "nats per token",
    )


def all_of(evidence: Evidence) -> Iterator[Claim]:
    """Every claim, in the order of the page."""
    yield follows_the_law(evidence)
    yield from exponents(evidence)
    for judge in (allocation, one_discount, floor, bits_per_parameter, exposures):
        yield judge(evidence)


def _of_fit(
    statement: str,
    fit: ScalingFit | None,
    number: Callable[[dict[str, Any]], Any],
    predicted: float,
    margin: float,
    what: str,
    source: str,
    unit: str,
) -> Claim:
    """A claim about a number of a fit, a function of its parameters, with its bootstrap; inconclusive where there is no fit."""
    estimate = Estimate(float("nan"), (-np.inf, np.inf), LEVEL)
    if fit is not None:
        drawn = number(dict(zip(fit.form.parameters, fit.form.natural(fit.draws).T, strict=True)))
        low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        estimate = Estimate(float(number(fit.parameters)), (float(low), float(high)), LEVEL)
    return Claim(
        statement,
        predicted=predicted if np.isfinite(predicted) else None,
        measured=estimate.value,
        interval=_bounded(estimate),
        rule=f"{what}; {LEVEL:.0%} bootstrap interval of the fit; holds if it lies within {margin:.3g} of the prediction, "
        "fails if wholly outside; inconclusive where the runs do not show the form",
        verdict=estimate.equivalent_to(predicted, margin) if np.isfinite(predicted) else "inconclusive",
        source=source,
        unit=unit,
    )


def _over_runs(estimate: Estimate) -> str:
    return f"{estimate.level:.0%} bootstrap interval over runs"


def _bounded(estimate: Estimate) -> tuple[float, float] | None:
    """The interval if both its ends are known."""
    return estimate.interval if np.all(np.isfinite(estimate.interval)) else None


def _below(estimate: Estimate, bound: float) -> Verdict:
    low, high = estimate.interval
    return "holds" if high < bound else "fails" if low > bound else "inconclusive"

"""What a fit claims about the runs, and the rules that judge it: the same for every table, set before any was seen."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from twopart.findings import Claim
from twopart.fits import Estimate
from twopart.fits.scaling import ScalingFit
from twopart.tools.fit.fitted import Fitted

FORETOLD = 2.0
"""The runs left out may be missed by so many times what the fitted ones are."""
AGREED = 0.5
"""Share of the starts that must end at the optimum."""
TOGETHER = 0.05
"""Exponents of size and data within this of 1/2 count as growing together."""
SOURCE = "docs/tools/fit.md"


def claims(fitted: Fitted) -> Iterator[Claim]:
    """In the order a reader should meet them."""
    yield foretells_the_largest(fitted.fit)
    yield has_no_outliers(fitted)
    yield does_not_hang_on_the_objective(fitted.fit)
    yield is_found_from_most_starts(fitted.fit)
    if {"alpha", "beta"} <= set(fitted.fit.form.parameters) and fitted.split:
        yield grow_together(fitted.fit)


def foretells_the_largest(fit: ScalingFit) -> Claim:
    test = fit.holdout
    count = 0 if test is None else len(test.rows)
    ratio = np.nan if test is None else test.error / max(test.in_sample, 1e-12)
    return Claim(
        "The law of the smaller runs foretells the largest fifth of them"
        + ("." if test is None else f", {count} runs of up to {test.reach:.3g} times the compute."),
        predicted=None,
        measured=np.nan if test is None else 100 * test.error,
        interval=None,
        rule=f"mean error on the runs left out, in %; holds if at most {FORETOLD:g} times the mean error on those fitted"
        + ("; too few runs to leave any out" if test is None else f", which is {100 * test.in_sample:.3g} %"),
        verdict="inconclusive" if test is None else "holds" if ratio <= FORETOLD else "fails",
        source=SOURCE,
        unit="%",
    )


def has_no_outliers(fitted: Fitted) -> Claim:
    far = fitted.outliers
    named = f": {', '.join(far[:6])}" + (" and more" if len(far) > 6 else "") if far else ""
    return Claim(
        f"No run lies far from the law{named}.",
        predicted=0.0,
        measured=float(len(far)),
        interval=None,
        rule="holds if no residual of ln loss exceeds 5 robust standard deviations; the runs stay in the fit",
        verdict="fails" if far else "holds",
        source=SOURCE,
        unit="runs",
    )


def does_not_hang_on_the_objective(fit: ScalingFit) -> Claim:
    """The parameter whose point under least absolute deviations lies farthest from its interval, relative to its width."""
    moves = {name: _move(fit, name) for name in fit.form.parameters}
    worst = max(moves, key=lambda name: moves[name])
    return Claim(
        f"Least absolute deviations give the same law; {worst} moves most.",
        predicted=fit.parameters[worst],
        measured=fit.lad[worst],
        interval=fit.interval(worst),
        rule=f"the interval is the 95 % bootstrap of the fit ({fit.objective.name}); holds if it holds the other point, "
        "for every parameter",
        verdict="holds" if moves[worst] <= 1 else "fails",
        source=SOURCE,
    )


def _move(fit: ScalingFit, name: str) -> float:
    """From the middle of the interval to the other point, in half widths."""
    low, high = fit.interval(name)
    return abs(fit.lad[name] - (low + high) / 2) / max((high - low) / 2, 1e-300)


def is_found_from_most_starts(fit: ScalingFit) -> Claim:
    return Claim(
        f"Most of {fit.optimum.starts} starts end at the same optimum.",
        predicted=None,
        measured=fit.optimum.share,
        interval=None,
        rule=f"share of starts that end within 1e-6 of the best objective; holds if at least {AGREED:.0%}",
        verdict="holds" if fit.optimum.share >= AGREED else "fails",
        source=SOURCE,
        unit="share of starts",
    )


def grow_together(fit: ScalingFit) -> Claim:
    """N ~ C^a with a = β/(α+β)."""
    drawn = fit.form.natural(fit.draws)
    alpha, beta = (drawn[:, fit.form.parameters.index(name)] for name in ("alpha", "beta"))
    low, high = np.quantile(beta / (alpha + beta), [0.025, 0.975])
    share = Estimate(fit.beta / (fit.alpha + fit.beta), (float(low), float(high)), 0.95)
    return Claim(
        "Parameters and tokens should grow together: the best size is proportional to the square root of compute.",
        predicted=0.5,
        measured=share.value,
        interval=share.interval,
        rule=f"beta/(alpha + beta) with its 95 % bootstrap interval; holds if all of it is within {TOGETHER:g} of 1/2, fails "
        "if all of it is outside",
        verdict=share.equivalent_to(0.5, TOGETHER),
        source="Hoffmann et al. 2022 (arXiv 2203.15556), table 2",
        unit="exponent of compute",
    )

"""What a fit claims about the runs, and the rules that judge it: the same for every table, set before any was seen."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from twopart.evidence import Estimate, above, below, claim, contains, equals, exact, within
from twopart.findings import Claim
from twopart.fits.scaling import ScalingFit
from twopart.tools.fit.fitted import Fitted
from twopart.tools.fit.sheet import listed

SOURCE = "docs/tools/fit.md"


def claims(fitted: Fitted) -> Iterator[Claim]:
    """In the order a reader should meet them."""
    yield foretells_the_largest(fitted.fit)
    yield has_no_outliers(fitted)
    yield does_not_hang_on_the_objective(fitted.fit)
    yield is_found_from_most_starts(fitted.fit)
    if {"alpha", "beta"} <= set(fitted.fit.form.parameters) and fitted.split:
        yield grow_together(fitted.fit)


@claim(below(2.0), "times the error", SOURCE, "mean error on the runs left out over that on the runs fitted{errors}")
def foretells_the_largest(fit: ScalingFit) -> Estimate:
    """The law of the smaller runs foretells the largest fifth of them{reach}."""
    test = fit.holdout
    if test is None:
        return exact(np.nan).against(None, reach="", errors="; too few runs to leave any out")
    reach = f", {len(test.rows)} runs of up to {test.reach:.3g} times the compute"
    errors = f", {100 * test.error:.3g} % over {100 * test.in_sample:.3g} %"
    return exact(test.error / max(test.in_sample, 1e-12)).against(None, reach=reach, errors=errors)


@claim(
    equals(0),
    "runs",
    SOURCE,
    "residuals of ln loss beyond 5 robust standard deviations, more for few runs; they stay in the fit",
)
def has_no_outliers(fitted: Fitted) -> Estimate:
    """No run lies far from the law{named}."""
    far = fitted.outliers
    named = f": {listed(far, 6)}" if far else ""
    return exact(len(far)).against(0.0, named=named)


@claim(
    contains(),
    "",
    SOURCE,
    "the fit by {fit.objective.name}; the prediction is the point under least absolute deviations",
)
def does_not_hang_on_the_objective(fit: ScalingFit) -> Estimate:
    """Least absolute deviations give the same law; {worst} moves most."""
    worst = max(fit.form.parameters, key=lambda name: _move(fit, name))
    return Estimate(fit.parameters[worst], fit.interval(worst), over="runs").against(fit.lad[worst], worst=worst)


def _move(fit: ScalingFit, name: str) -> float:
    """From the middle of the interval to the other point, in half widths; one without a bound holds any point."""
    low, high = fit.interval(name)
    if not (np.isfinite(low) and np.isfinite(high)):
        return 0.0
    return abs(fit.lad[name] - (low + high) / 2) / max((high - low) / 2, 1e-300)


@claim(above(0.5), "share of starts", SOURCE, "share of starts that end within 1e-6 of the best objective")
def is_found_from_most_starts(fit: ScalingFit) -> Estimate:
    """Most of {fit.optimum.starts} starts end at the same optimum."""
    return exact(fit.optimum.share)


@claim(within(0.05), "exponent of compute", "Hoffmann et al. 2022 (arXiv 2203.15556), table 2", "beta/(alpha + beta)")
def grow_together(fit: ScalingFit) -> Estimate:
    """Parameters and tokens should grow together: the best size is proportional to the square root of compute."""
    drawn = fit.form.natural(fit.draws)
    alpha, beta = (drawn[:, fit.form.parameters.index(name)] for name in ("alpha", "beta"))
    low, high = np.quantile(beta / (alpha + beta), [0.025, 0.975])
    return Estimate(fit.beta / (fit.alpha + fit.beta), (float(low), float(high)), over="runs").against(0.5)

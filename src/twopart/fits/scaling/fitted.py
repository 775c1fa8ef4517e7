"""A law with the runs that it was fitted to, and all there is to doubt about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from twopart._checks import check_choice
from twopart.fits.scaling.judgement import HoldOut, Outlier, hold_out, outliers
from twopart.fits.scaling.law import Law
from twopart.fits.scaling.objective import Objective
from twopart.fits.scaling.profile import Profile, profile
from twopart.fits.scaling.runs import Runs
from twopart.fits.scaling.solver import derivatives
from twopart.fits.scaling.starts import Optimum, search, settled
from twopart.fits.scaling.uncertainty import covariance

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Fitted(Law):
    """A law with its runs and the doubts about it."""

    runs: Runs = field(kw_only=True, repr=False)
    """What was fitted; `runs.dropped` names what was left out."""
    objective: Objective = field(kw_only=True)
    optimum: Optimum = field(kw_only=True, repr=False)
    """How the optimum was found: starts, the share that reached it, the next best."""
    resampled_share: float = field(kw_only=True, repr=False)
    """Share of the bootstrap resamples whose optimum was found to the solver's tolerance."""

    @property
    def residuals(self) -> Floats:
        """ln loss - ln L of each run in `runs`."""
        return self.scatter

    @property
    def linear_share(self) -> float:
        """Share of the residuals beyond Huber's δ: near 1, the fit is in effect one of least absolute deviations."""
        return float(np.mean(np.abs(self.residuals) > self.objective.knee))

    @cached_property
    def lad(self) -> dict[str, float]:
        """The parameters under least absolute deviations."""
        found = search(self.form, self.runs.logs(self.form), self.runs.loss, Objective("lad")).theta
        theta = settled(self.form, found, self.runs.loss)
        return dict(zip(self.form.parameters, self.form.natural(theta).tolist(), strict=True))

    @cached_property
    def outliers(self) -> tuple[Outlier, ...]:
        """Runs farther from the law than chance puts any, by a robust scale and the degrees of freedom."""
        return outliers(self.runs, self.residuals, len(self.form.parameters))

    @cached_property
    def holdout(self) -> HoldOut | None:
        """How a fit to the smaller runs foretells the largest fifth; None where too few runs would be left."""
        return hold_out(self.form, self.runs, self.objective)

    @cached_property
    def covariance(self) -> Floats:
        """Sandwich covariance (p, p) of the coordinates `theta`: logarithms of what is positive, exponents as they are."""
        slopes = derivatives(self.form, self.theta, self.runs.logs(self.form))[1]
        return covariance(slopes, self.residuals, self.objective)

    def profile(self, name: str, level: float = 0.95) -> Profile:
        """Profile likelihood of one parameter."""
        check_choice("name", name, self.form.parameters)
        z = self.runs.logs(self.form)
        return profile(self.form, name, self.theta, z, self.runs.loss, self.objective, level)

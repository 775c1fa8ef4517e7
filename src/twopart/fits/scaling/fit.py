"""A scaling law fitted to training runs, and what there is to know about the fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._checks import InputError, check, check_choice, check_integer
from twopart.fits.scaling import notes
from twopart.fits.scaling.forms import FORMS, Form
from twopart.fits.scaling.judgement import HoldOut, Outlier, hold_out, outliers
from twopart.fits.scaling.law import Law
from twopart.fits.scaling.objective import Objective
from twopart.fits.scaling.profile import Profile, profile
from twopart.fits.scaling.resampling import draw_weights, resample
from twopart.fits.scaling.runs import Runs, gather
from twopart.fits.scaling.solver import derivatives, log_losses
from twopart.fits.scaling.starts import Optimum, search
from twopart.fits.scaling.uncertainty import covariance

Floats = NDArray[np.float64]

NORMAL_DRAWS = 1000


@dataclass(frozen=True)
class ScalingFit(Law):
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
        theta = search(self.form, self.runs.logs(self.form), self.runs.loss, Objective("lad")).theta
        return dict(zip(self.form.parameters, self.form.natural(theta).tolist(), strict=True))

    @cached_property
    def outliers(self) -> tuple[Outlier, ...]:
        """Runs more than 5 robust standard deviations from the law."""
        return outliers(self.runs, self.residuals)

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
        return profile(
            self.form, name, self.theta, self.covariance, z, self.runs.loss, self.residuals, self.objective, level
        )

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """Everything about this fit that a reader should know before using it, one sentence each."""
        return notes.notes(self)

    def __str__(self) -> str:
        return notes.table(self)


def scaling_law(
    params: ArrayLike | None = None,
    tokens: ArrayLike | None = None,
    loss: ArrayLike | None = None,
    form: str | Form = "chinchilla",
    *,
    flops: ArrayLike | None = None,
    unique_tokens: ArrayLike | None = None,
    bits: ArrayLike | None = None,
    objective: str = "huber",
    delta: float = 1e-3,
    unit: str = "nats",
    drop_highest: int = 0,
    resamples: int = 4000,
    seed: int = 0,
) -> ScalingFit:
    """Fit a form to training runs: columns of one length n, all > 0, of which the form's inputs must be given.

    `flops` is 6 params tokens unless given. `loss` is a test loss per token in `unit`, "nats" or "bits". `objective` is
    "huber" with its `delta`, "lad" or "squares", on ln loss. `drop_highest` leaves out that many runs of highest loss, and
    the fit says so. Intervals come from `resamples` bootstraps of the runs, the same for the same `seed`; with 0, from the
    normal law of the sandwich covariance.

    Raises `InputError` for too few runs, an input of one value only, values not finite and > 0, a run given twice, a loss
    that cannot be one per token in this unit, and an optimum with an exponent at the end of its range.
    """
    check(loss is not None, "loss", None, "an array", "one loss per run")
    chosen = form if isinstance(form, Form) else FORMS[check_choice("form", form, tuple(FORMS))]
    check_integer("resamples", resamples, 0, 10**6, "4000 is customary, 0 leaves the bootstrap out")
    goal = Objective(objective, delta)
    given = {"params": params, "tokens": tokens, "flops": flops, "unique_tokens": unique_tokens, "bits": bits}
    runs = gather(chosen, np.asarray(loss, float), unit, given, drop_highest)
    z = runs.logs(chosen)
    optimum = search(chosen, z, runs.loss, goal)
    ranges = {name: (float(values.min()), float(values.max())) for name, values in runs.columns.items()}
    _refuse_bounds(chosen, optimum.theta, ranges)
    drawn = resample(chosen, z, runs.loss, goal, optimum.theta, draw_weights(len(runs), resamples, seed))
    residuals = np.log(runs.loss) - log_losses(chosen, optimum.theta[None], z)[0]
    if resamples:
        draws = drawn.theta
    else:
        spread = covariance(derivatives(chosen, optimum.theta, z)[1], residuals, goal)
        draws = np.random.default_rng(seed).multivariate_normal(optimum.theta, spread, NORMAL_DRAWS, method="eigh")
    share = float(np.mean(drawn.converged)) if resamples else 1.0
    return ScalingFit(
        chosen, optimum.theta, draws, unit, ranges, residuals,
        runs=runs, objective=goal, optimum=optimum, resampled_share=share,
    )  # fmt: skip


def _refuse_bounds(form: Form, theta: Floats, ranges: dict[str, tuple[float, float]]) -> None:
    """An exponent at the end of its range says that the runs do not bend the way the form does."""
    found = dict(zip(form.parameters, form.natural(theta).tolist(), strict=True))
    limits = dict(form.limits) | {name: ranges[column] for name, column in form.scales.items()}
    for name, (low, high) in limits.items():
        if not low < found[name] < high:
            raise InputError(
                f"`{name}` must be a number in ({low:g}, {high:g}), the optimum has {found[name]:.4g}; "
                f"these runs do not show {form.formula}: widen their range, or take a smaller form"
            )

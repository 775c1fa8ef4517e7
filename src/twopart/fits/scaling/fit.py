"""A scaling law fitted to training runs, and what there is to know about the fit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._checks import InputError, check, check_choice, check_integer
from twopart.fits.scaling import notes
from twopart.fits.scaling.fitted import Fitted
from twopart.fits.scaling.forms import FORMS, Form
from twopart.fits.scaling.objective import Objective
from twopart.fits.scaling.resampling import draw_weights, normal_draws, resample, with_floors
from twopart.fits.scaling.runs import gather
from twopart.fits.scaling.solver import log_losses
from twopart.fits.scaling.starts import search, settled
from twopart.fits.scaling.uncertainty import floor_covariance

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ScalingFit(Fitted):
    """A law with its runs, the doubts about it, and these in words."""

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """Everything about this fit that a reader should know before using it, one sentence each."""
        return notes.notes(self)

    def __str__(self) -> str:
        return notes.table(self)

    def _repr_html_(self) -> str:
        return notes.sheet(self)


def scaling_law(
    params: ArrayLike | None = None,
    tokens: ArrayLike | None = None,
    loss: ArrayLike | None = None,
    form: str | Form = "chinchilla",
    *,
    flops: ArrayLike | None = None,
    unique_tokens: ArrayLike | None = None,
    bits: ArrayLike | None = None,
    curves: ArrayLike | None = None,
    objective: str = "huber",
    delta: float = 1e-3,
    unit: str = "nats",
    drop_highest: int = 0,
    keep_duplicates: bool = False,
    resamples: int = 4000,
    seed: int = 0,
) -> ScalingFit:
    """Fit a form to training runs: columns of one length n, all > 0, of which the form's inputs must be given.

    `flops` is 6 params tokens unless given. `loss` is a test loss per token in `unit`, "nats" or "bits", or in bits per
    byte, "bpb". `objective` is "huber" with its `delta`, "lad" or "squares", on ln loss. `drop_highest` leaves out that many
    runs of highest loss, and the fit says so. Intervals come from `resamples` bootstraps of the runs, the same for the same
    `seed`; with 0, from the normal law of the sandwich covariance. Points along training curves are no runs of their own:
    `curves` names the curve of each, and curves are resampled whole.

    Raises `InputError` for too few runs or curves, an input of one value only, values not finite and > 0, a run given twice
    unless `keep_duplicates`, a loss that cannot be one in this unit, and an optimum with an exponent at the end of its range.
    """
    check(loss is not None, "loss", None, "an array", "one loss per run")
    chosen = form if isinstance(form, Form) else FORMS[check_choice("form", form, tuple(FORMS))]
    check_integer("resamples", resamples, 0, 10**6, "4000 is customary, 0 leaves the bootstrap out")
    check(
        curves is None or resamples > 0, "resamples", resamples, "> 0 for curves", "only the bootstrap draws them whole"
    )
    goal = Objective(objective, delta)
    given = {"params": params, "tokens": tokens, "flops": flops, "unique_tokens": unique_tokens, "bits": bits}
    runs = gather(chosen, np.asarray(loss, float), unit, given, drop_highest, curves, keep_duplicates)
    z = runs.logs(chosen)
    optimum = search(chosen, z, runs.loss, goal)
    ranges = {name: (float(values.min()), float(values.max())) for name, values in runs.columns.items()}
    theta = settled(chosen, optimum.theta, runs.loss)
    _refuse_bounds(chosen, theta, ranges)
    residuals = np.log(runs.loss) - log_losses(chosen, theta[None], z)[0]
    if resamples:
        weights = draw_weights(len(runs), resamples, seed, runs.curves)
        drawn = resample(chosen, z, runs.loss, goal, theta, weights)
        draws, share = with_floors(chosen, z, runs.loss, goal, theta, drawn, weights, seed)
    else:
        spread, _ = floor_covariance(chosen, theta, z, runs.loss, goal)
        draws, share = normal_draws(chosen, theta, spread, seed), 1.0
    return ScalingFit(
        chosen, theta, draws, unit, ranges, residuals,
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

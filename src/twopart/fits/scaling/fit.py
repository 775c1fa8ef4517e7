"""A scaling law fitted to training runs, and what there is to know about the fit."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._checks import check, check_choice, check_integer
from twopart.fits.scaling.forms import FORMS, Form
from twopart.fits.scaling.law import Law
from twopart.fits.scaling.objective import Objective
from twopart.fits.scaling.resampling import resample
from twopart.fits.scaling.runs import Runs, gather
from twopart.fits.scaling.solver import log_losses
from twopart.fits.scaling.starts import Optimum, search

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ScalingFit(Law):
    """A law with its runs and the doubts about it."""

    runs: Runs = field(kw_only=True, repr=False)
    objective: Objective = field(kw_only=True)
    optimum: Optimum = field(kw_only=True, repr=False)

    @property
    def residuals(self) -> Floats:
        """ln loss - ln L of each run in `runs`."""
        return self.scatter


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
    """Fit a form to runs: columns of one length, all > 0."""
    check(loss is not None, "loss", None, "an array", "one loss per run")
    chosen = form if isinstance(form, Form) else FORMS[check_choice("form", form, tuple(FORMS))]
    check_integer("resamples", resamples, 0, None, "4000 is customary, 0 leaves the bootstrap out")
    goal = Objective(objective, delta)
    given = {"params": params, "tokens": tokens, "flops": flops, "unique_tokens": unique_tokens, "bits": bits}
    runs = gather(chosen, np.asarray(loss, float), unit, given).without_highest(drop_highest)
    z = runs.logs(chosen)
    optimum = search(chosen, z, runs.loss, goal)
    draws = resample(chosen, z, runs.loss, goal, optimum.theta, resamples, seed)
    return ScalingFit(
        chosen,
        optimum.theta,
        draws.theta,
        unit,
        {name: (float(values.min()), float(values.max())) for name, values in runs.columns.items()},
        np.log(runs.loss) - log_losses(chosen, optimum.theta[None], z)[0],
        runs=runs,
        objective=goal,
        optimum=optimum,
    )

"""A fitted curve: a form, its parameters, and draws of them from which every interval comes.

A curve knows nothing of runs but the range that they spanned. What is made of it, a plan (allocation.py) or a file
(storage.py), takes a curve; `Law` in law.py offers both as methods.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._checks import check, check_choice, check_real
from twopart.fits.scaling.forms import Form
from twopart.fits.scaling.runs import FLOPS_PER_PARAMETER_AND_TOKEN
from twopart.fits.scaling.solver import log_losses

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Prediction:
    """Losses with their intervals, each of the points' shape."""

    value: Floats
    low: Floats
    high: Floats
    level: float


@dataclass(frozen=True)
class Curve:
    """L as a function of its form's inputs. Parameters are attributes: `law.E`, `law.alpha`."""

    form: Form
    theta: Floats = field(repr=False)
    """The point, in the form's coordinates, shape (p,)."""
    draws: Floats = field(repr=False)
    """Draws from its sampling distribution, shape (R, p)."""
    unit: str = "nats"
    """Of the loss."""
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Least and greatest value of each column among the runs: beyond them it extrapolates."""
    scatter: Floats = field(default_factory=lambda: np.zeros(1), repr=False)
    """Residuals ln loss - ln L of the runs: how much a single run strays."""
    said: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What the law's file says of the fit besides, if it was read from one."""

    def __getattr__(self, name: str) -> float:
        if not name.startswith("_") and name in self.form.parameters:
            return self.parameters[name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    @cached_property
    def parameters(self) -> dict[str, float]:
        """The formula's parameters by name."""
        return dict(zip(self.form.parameters, self.form.natural(self.theta).tolist(), strict=True))

    def interval(self, name: str, level: float = 0.95) -> tuple[float, float]:
        """Percentile interval of a parameter over the draws, or what its file says it was over all that the fit had."""
        check_choice("name", name, self.form.parameters)
        if level == self.said.get("level") and name in self.said.get("intervals", {}):
            low, high = (np.inf if end is None else float(end) for end in self.said["intervals"][name])
            return low, high
        drawn = self.form.natural(self.draws)[:, self.form.parameters.index(name)]
        low, high = percentiles(drawn, level)
        return float(low), float(high)

    def predict(
        self,
        params: ArrayLike | None = None,
        tokens: ArrayLike | None = None,
        *,
        flops: ArrayLike | None = None,
        unique_tokens: ArrayLike | None = None,
        bits: ArrayLike | None = None,
        level: float | None = None,
        single_run: bool = False,
    ) -> Floats | Prediction:
        """Loss at the points given by the form's inputs, which broadcast; with `level`, a `Prediction` with intervals.

        The interval is that of the law; with `single_run` it holds the loss of one new run, which strays from the law.
        """
        given = {"params": params, "tokens": tokens, "flops": flops, "unique_tokens": unique_tokens, "bits": bits}
        z, shape = self._points(given)
        value: Floats = exponential(log_losses(self.form, self.theta[None], z))[0].reshape(shape)
        if level is None:
            return value
        drawn = log_losses(self.form, self.draws, z)
        if single_run:
            strays = np.random.default_rng(0).choice(self.scatter, drawn.shape)
            drawn = drawn + strays
        low, high = exponential(percentiles(drawn, level))
        return Prediction(value, low.reshape(shape), high.reshape(shape), level)

    def _points(self, given: Mapping[str, ArrayLike | None]) -> tuple[Floats, tuple[int, ...]]:
        known = {name: np.asarray(values, float) for name, values in given.items() if values is not None}
        if "flops" not in known and {"params", "tokens"} <= set(known):
            known["flops"] = FLOPS_PER_PARAMETER_AND_TOKEN * known["params"] * known["tokens"]
        for name in self.form.inputs:
            check(name in known, name, None, f"given, for {self.form.formula}", "pass a number or an array")
            check(bool(np.all(known[name] > 0)), name, known[name].min(), "> 0", "a law has no value at 0")
        columns = np.broadcast_arrays(*(known[name] for name in self.form.inputs))
        return np.log(np.stack([column.ravel() for column in columns], -1)), columns[0].shape


def exponential(logs: Floats) -> Floats:
    """e^x; inf for what is beyond any floating-point number."""
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(logs))


def percentiles(drawn: Floats, level: float) -> Floats:
    """The two ends of the central interval over axis 0. Infinite draws count where they lie; those without a value, nan, as
    unbounded on either side in turn, so that they widen the interval rather than vanish. Without draws there is no bound."""
    check_real("level", level, 0, 1, "0.95 is customary", closed="()")
    if not len(drawn):
        return np.array([-np.inf, np.inf]).reshape(2, *[1] * (drawn.ndim - 1)) * np.ones(drawn.shape[1:])
    if (missing := np.isnan(drawn)).any():
        drawn = np.where(missing, np.where(np.cumsum(missing, 0) % 2, np.inf, -np.inf), drawn)
    ends: Floats = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0, method="inverted_cdf")
    return ends

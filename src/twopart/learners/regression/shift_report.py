"""What a shift of its inputs costs a torch module that is tuned: its Jacobian as features, no labels needed.

    report = shift_report(module, x_in, x_out)      # inputs that it is tuned on; shifted ones
    report.amplified                                # how much more narrowness costs on x_out than on x_in
    report.inside.variance(np.inf), report.outside.variance(np.inf)      # what noise in labels does to answers, at any width
    report.outside.width_for(0.1), report.outside.doubt                  # both are a `laws.regression.WidthLaw`

While weights stay near those that the module has, tuning is a fit of least norm on its derivatives by the weights. A width m
is tuning in m Gaussian directions of them, all weights the infinite width: docs/laws/ood-overparameterization.md, modules.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor, nn

from twopart._arrays import finite, finite_tensor
from twopart._checks import check
from twopart.laws.regression.random_features import WidthLaw
from twopart.learners.regression.linearise import linearise


@dataclass(frozen=True, eq=False)
class ShiftReport:
    """The law of widths where the module is tuned, and where inputs have shifted."""

    inside: WidthLaw
    """At each input that the module is tuned on, when that is left out: its `points` are n - 1."""
    outside: WidthLaw
    """At each shifted input."""

    @property
    def amplified(self) -> float:
        """How much more narrowness costs outside than inside: the ratio of what features leave open."""
        return float((self.outside.doubt * self.outside.trace).mean() / (self.inside.doubt * self.inside.trace).mean())

    @property
    def lasting(self) -> float:
        """How much more noise in labels reaches the answers outside than inside at infinite width: what no width removes."""
        return float(self.outside.variance(np.inf) / self.inside.variance(np.inf))


def shift_report(
    module: nn.Module, x_in: Tensor, x_out: Tensor, y: ArrayLike | None = None, *, chunk: int = 256
) -> ShiftReport:
    """The report for a module of one output, tuned on `x_in` (n, ...), at shifted inputs `x_out` (k, ...), no labels needed.

    With labels `y` (n,) of `x_in` the laws know `cost` and `answers` for what the module's own output leaves of them.
    Derivatives are taken in float64, `chunk` inputs at a time; n P numbers are held. Raises `InputError` as `linearise` does,
    for nan, n < 3, and where the module cannot tell its inputs apart.
    """
    check(len(x_in) >= 3, "x_in", len(x_in), "at least 3 inputs", "one is left out at a time")
    exact = deepcopy(module).double()
    x_in, x_out = (
        finite_tensor(name, x, (None,) * x.ndim, "give some inputs").double() if x.is_floating_point() else x
        for name, x in (("x_in", x_in), ("x_out", x_out))
    )
    inside, outside = (linearise(exact, x, chunk=chunk) for x in (x_in, x_out))
    K, cross = ((J @ inside.T).numpy(force=True) for J in (inside, outside))
    answers = exact(x_in).flatten().numpy(force=True)
    left = None if y is None else finite("y", y, answers.shape, "give one label for each of `x_in`") - answers
    own = outside.square().sum(1).numpy(force=True)
    return ShiftReport(WidthLaw.left_out(K, left), WidthLaw.of_gram(K, cross, own, left))

"""What a fit minimises: Σ_i w_i ρ(r_i), r = ln loss - ln L, a sum over runs, never a mean.

All three are Huber's ρ, quadratic up to δ and linear beyond: ρ(r) = ψ (r - ψ/2), ψ = r clipped to [-δ, δ]. `huber`
takes δ as given, 1e-3 by custom, below the noise of most runs and so in effect least absolute deviations; `lad` is the
limit δ -> 0, where ρ/δ -> |r|; `squares` is δ = ∞, where ρ = r²/2. A mean over runs would move a solver's stopping rule
with their number.
Source: Huber 1964 (Annals of Mathematical Statistics 35); on the log loss: Hoffmann et al. 2022, arXiv 2203.15556,
equation 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twopart._checks import check_choice, check_real

Floats = NDArray[np.float64]

OBJECTIVES = ("huber", "lad", "squares")
LAD = 1e-7  # δ of `lad`: the objective is within p δ/2 of Σ|r|, p the number of runs that the optimum passes through


@dataclass(frozen=True)
class Objective:
    name: str = "huber"
    """"huber", "lad" or "squares"."""
    delta: float = 1e-3
    """Huber's δ > 0, in units of ln loss; the other two set their own."""

    def __post_init__(self) -> None:
        check_choice("objective", self.name, OBJECTIVES)
        check_real("delta", self.delta, 0, np.inf, "1e-3 is customary", closed="()")

    @property
    def knee(self) -> float:
        """Where ρ turns from quadratic to linear."""
        return {"huber": self.delta, "lad": LAD, "squares": np.inf}[self.name]

    def path(self, widest: float) -> tuple[float, ...]:
        """Knees to solve at in turn, from `widest`: a wide one makes the objective smooth and leads close to the next."""
        if self.knee >= widest:
            return (self.knee,)
        steps = int(np.ceil(np.log10(widest / self.knee)))
        return tuple(np.geomspace(widest, self.knee, steps + 1).tolist())

    def psi(self, residuals: Floats) -> Floats:
        """ρ'."""
        return np.clip(residuals, -self.knee, self.knee)

    def value(self, residuals: Floats) -> Floats:
        """ρ."""
        psi = self.psi(residuals)
        return psi * (residuals - 0.5 * psi)

"""A form: what a scaling law's formula needs to say about itself so that one solver can fit it.

The solver works in coordinates θ without bounds: the logarithm of what must be positive (amplitudes, scales), the number
itself for an exponent. Inputs reach it as logarithms, one column each, z = (ln N, ln D, ...).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from twopart.fits.scaling.forms._excess import Excess

Floats = NDArray[np.float64]
Starter = Callable[[Floats, Floats], Iterator[Floats]]
Planner = Callable[[Floats, Mapping[str, float]], Excess]

EXPONENT = (
    0.01,
    3.0,
)  # outside of it a power law is a constant or a cliff within the runs: not an exponent but a symptom
FLOOR = "E"
FAINT = 1e-3  # least share of the loss that a term starts with: from zero its logarithm could not move


@dataclass(frozen=True)
class Form:
    """One scaling law. `twopart.fits.scaling.forms.FORMS` lists them all."""

    name: str
    formula: str
    """With its parameters spelled as in `parameters`."""
    source: str
    """Paper and equation."""
    inputs: tuple[str, ...]
    """Columns that it reads, in the order of z."""
    parameters: tuple[str, ...]
    positive: tuple[str, ...]
    """Those whose coordinate is their logarithm."""
    limits: Mapping[str, tuple[float, float]]
    """Open range of an exponent or a scale; an optimum at an end is refused."""
    code: int
    """Its number in `log_loss`."""
    starts: Starter = field(repr=False)
    """(z, loss) -> starting points θ: a grid over the exponents, amplitudes by variable projection."""
    excess: Planner = field(repr=False)
    """(θ of many draws, shape (p, R), logarithms of inputs that a plan does not choose) -> how the loss exceeds its floor."""
    scales: Mapping[str, str] = field(default_factory=dict)
    """Parameters with the unit of an input (where a law bends): their limits are the range of that input."""

    @property
    def logarithmic(self) -> NDArray[np.bool_]:
        """Which coordinates are logarithms."""
        return np.array([name in self.positive for name in self.parameters])

    @property
    def is_floor(self) -> NDArray[np.bool_]:
        """Which is the irreducible loss, that may be 0."""
        return np.array([name == FLOOR for name in self.parameters])

    def natural(self, theta: Floats) -> Floats:
        """Coordinates θ, shape (..., p), as the formula's parameters; inf for those beyond any floating-point number."""
        with np.errstate(over="ignore"):
            return np.where(self.logarithmic, np.exp(np.where(self.logarithmic, theta, 0.0)), theta)

    def coordinates(self, natural: Floats) -> Floats:
        """The formula's parameters, shape (..., p), as coordinates θ; -inf for the logarithm of 0, nan below."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.logarithmic, np.log(np.where(self.logarithmic, natural, 1.0)), natural)


def projected(terms: Floats, target: Floats) -> Floats:
    """ln c of the c >= 0 that minimise the relative errors of `terms @ c`, shape (n, k), against `target`; none vanishes."""
    coefficients, _ = nnls(terms / target[:, None], np.ones(len(target)))
    least = FAINT * np.mean(target) / np.mean(terms, 0)
    return np.asarray(np.log(np.maximum(coefficients, least)))

"""Linear regression in context: every prompt has a task β of its own, and its labels are linear in the inputs but for noise.

    world = InContextRegression.power(20, decay=2.0)        # or .isotropic(20), .of_inputs(x) with the spectrum of one's own
    prompts = world.sample(tasks=1000, context=40)          # addressable: the same for the same seed and stream

Inputs x ~ N(0, diag(λ)), tasks β ~ N(0, ψ² I), labels y = <x, β> + noise of variance σ². Coordinates are eigenvectors of the
covariance; no law hangs on the basis. Source: Wu, Zou, Chen, Braverman, Gu, Bartlett 2023, arXiv 2310.08391.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from twopart import _random
from twopart._arrays import Floats, finite
from twopart._checks import check, check_integer, check_real
from twopart.worlds.in_context.prompts import Prompts

TINY = 1e-10  # of the largest variance: what is less is rounding
MANY = "it is a number of prompts, or of examples in each"


@dataclass(frozen=True)
class InContextRegression:
    """Gaussian inputs with a given spectrum, and Gaussian tasks."""

    spectrum: Sequence[float]
    """λ, the variances of the inputs, shape (d,), each > 0; kept as a tuple."""
    prior: float = 1.0
    """ψ² > 0, the variance of a task's coordinates."""
    noise: float = 0.25
    """σ² >= 0, the variance of the labels' noise."""
    seed: int = 0
    """Which samples, in [0, 2^63)."""

    def __post_init__(self) -> None:
        λ = finite("spectrum", self.spectrum, (None,), "give one variance for each direction")
        check(λ.min() > 0, "spectrum", float(λ.min()), "> 0", "leave out directions that do not vary")
        check_real("prior", self.prior, 0, np.inf, "it is the variance of tasks", closed="()")
        check_real("noise", self.noise, 0, np.inf, "it is a variance; 0 is without noise", closed="[)")
        check_integer("seed", self.seed, 0, 2**63 - 1, "any other whole number names other samples")
        object.__setattr__(self, "spectrum", tuple(λ.tolist()))

    @classmethod
    def power(cls, dimension: int, decay: float = 1.0, **options: Any) -> InContextRegression:
        """λ_i = i^-decay, i = 1..dimension; options are the other fields."""
        check_integer("dimension", dimension, 1, 2**20, "inputs are vectors of that many numbers")
        check_real("decay", decay, 0, 100, "1 to 2 are common; 0 is isotropic")
        return cls(np.arange(1, dimension + 1, dtype=float) ** -decay, **options)  # type: ignore[arg-type]

    @classmethod
    def isotropic(cls, dimension: int, **options: Any) -> InContextRegression:
        """λ_i = 1."""
        return cls.power(dimension, 0.0, **options)

    @classmethod
    def of_inputs(cls, x: ArrayLike, **options: Any) -> InContextRegression:
        """With the spectrum of one's own inputs (n, d), n >= 2: eigenvalues of their covariance, without those that vanish."""
        array = finite("x", x, (None, None), "give one row for each input")
        check(len(array) >= 2, "x", len(array), "at least 2 rows", "one input has no covariance")
        λ = np.linalg.eigvalsh(np.atleast_2d(np.cov(array, rowvar=False, bias=True)))[::-1]
        check(λ[0] > 0, "x", "rows that are all alike", "inputs that vary", "see how they were read")
        return cls(λ[λ > TINY * λ[0]], **options)

    @property
    def dimension(self) -> int:
        return len(self.spectrum)

    @cached_property
    def λ(self) -> Floats:
        """The spectrum as an array, shape (d,)."""
        return np.array(self.spectrum)

    @property
    def null(self) -> float:
        """The risk of the answer 0, σ² + ψ² Σ λ."""
        return self.noise + self.prior * float(self.λ.sum())

    def sample(self, tasks: int, context: int, stream: int = 0) -> Prompts:
        """`tasks` prompts with `context` examples each; `stream` picks an independent sample."""
        T, N = check_integer("tasks", tasks, 1, None, MANY), check_integer("context", context, 1, None, MANY)
        check_integer("stream", stream, 0, None, "0 is the first")
        random = _random.generator(self.seed, "in-context regression", stream)
        x = random.standard_normal((T, N + 1, self.dimension))
        x *= np.sqrt(self.λ)
        β = np.sqrt(self.prior) * random.standard_normal((T, self.dimension))
        y = (x @ β[:, :, None])[..., 0] + np.sqrt(self.noise) * random.standard_normal((T, N + 1))
        return Prompts(x[:, :N], y[:, :N], x[:, N], y[:, N], β)

"""Regression whose inputs have exactly the covariance that is asked for, and whose least-squares solution is known.

X = √n Q R' with Q orthonormal, from a Gaussian matrix, and R R' = Σ: X'X/n = Σ in the sample itself, not only on average.
Targets are X w* plus noise that is orthogonal to the inputs, so that w* is what least squares finds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart import _random
from twopart._arrays import finite
from twopart._checks import check, check_integer, check_real


@dataclass(frozen=True, eq=False)
class Whitened:
    """Linear regression with inputs of exact covariance."""

    points: int
    """n, more than the dimension: noise needs room beside the inputs."""
    dimension: int
    """d, at least 2."""
    target_norm: float = 1.0
    """c = √(w*'Σ w*), > 0."""
    noise: float = 0.0
    """Root mean square of the noise in the targets."""
    covariance: ArrayLike | None = None
    """Σ (d, d), symmetric with eigenvalues > 0; None: the identity."""
    seed: int = 0

    def __post_init__(self) -> None:
        d = check_integer("dimension", self.dimension, 2, None, "an angle takes two")
        check_integer("points", self.points, d + 1, None, "take more, or a smaller `dimension`")
        check_real("target_norm", self.target_norm, 0, math.inf, "with nothing to fit there is no angle", closed="()")
        check_real("noise", self.noise, 0, math.inf, "0 leaves it out", closed="[)")
        Σ = np.eye(d) if self.covariance is None else finite("covariance", self.covariance, (d, d), "X'X/n is one")
        positive = bool(np.allclose(Σ, Σ.T) and np.linalg.eigvalsh(Σ)[0] > 0)
        check(positive, "covariance", Σ.tolist(), "symmetric, with eigenvalues > 0", "X'X/n of independent inputs is")

    def sample(self, stream: int = 0) -> tuple[NDArray[np.float64], ...]:
        """Inputs (n, d), targets (n,) and w* (d,), in float64; each stream has its own."""
        random, d = _random.generator(self.seed, "whitened", stream), self.dimension
        R = np.eye(d) if self.covariance is None else np.linalg.cholesky(np.asarray(self.covariance, float))
        q = np.linalg.qr(random.normal(size=(self.points, d)))[0]
        w, noise = random.normal(size=d), random.normal(size=self.points)
        w *= self.target_norm / np.linalg.norm(w @ R)
        noise -= q @ (q.T @ noise)
        return (x := math.sqrt(self.points) * q @ R.T), x @ w + self.noise * noise / np.sqrt(np.square(noise).mean()), w

"""Sparse linear regression in context: few coordinates of each prompt's task are not zero.

    world = SparseRegression(dimension=16, nonzero=4, noise=0.5)                # or design="orthonormal", coefficients="normal"
    prompts = world.sample(prompts=1000, context=32)                            # the same for the same seed and stream

Examples x ~ N(0, I), or √n times the columns of a Haar matrix, X'X = nI; queries x ~ N(0, I); labels y = <x, w> + σ N(0, 1).
The support of w is uniform; its entries are ±1/√s, signs even, or N(0, 1/s). Source: Chen, Zhao, Zou 2024, arXiv 2408.04532.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twopart import _random
from twopart._arrays import Floats
from twopart._checks import check_choice, check_integer, check_real
from twopart.worlds.in_context.prompts import Prompts

NODES = 32  # of the quadrature of normal entries, to six standard deviations


@dataclass(frozen=True)
class SparseRegression:
    """Prompts with a sparse task each; raises `InputError` for numbers out of range."""

    dimension: int = 16
    """d >= 1."""
    nonzero: int = 4
    """s in 1..d, entries of a task that are not zero."""
    noise: float = 0.5
    """σ >= 0, the standard deviation of the labels' noise."""
    design: str = "gaussian"
    """Or "orthonormal", which needs at least d examples."""
    coefficients: str = "equal"
    """Or "normal"; in both the expected |w|² is 1."""
    seed: int = 0
    """Which samples, in [0, 2^63)."""

    def __post_init__(self) -> None:
        check_integer("dimension", self.dimension, 1, 2**20, "inputs are vectors of that many numbers")
        check_integer("nonzero", self.nonzero, 1, self.dimension, "it counts entries of a task")
        check_real("noise", self.noise, 0, np.inf, "it is a standard deviation", closed="[)")
        check_choice("design", self.design, ("gaussian", "orthonormal"))
        check_choice("coefficients", self.coefficients, ("equal", "normal"))
        check_integer("seed", self.seed, 0, 2**63 - 1, "any other whole number names other samples")

    @property
    def prior(self) -> tuple[Floats, Floats]:
        """Sizes |w_j| and how many coordinates have them on average, for laws, which do not hang on signs: (V,), (V,)."""
        d, s = self.dimension, self.nonzero
        if self.coefficients == "equal":
            values, counts = np.array([s**-0.5]), np.array([float(s)])
        else:
            z = (np.arange(NODES) + 0.5) * 6 / NODES
            values, counts = z / np.sqrt(s), s * np.exp(-(z**2) / 2) / np.exp(-(z**2) / 2).sum()
        return (values, counts) if s == d else (np.append(values, 0.0), np.append(counts, float(d - s)))

    def sample(self, prompts: int, context: int, stream: int = 0) -> Prompts:
        """`prompts` of `context` examples each, the task w beside them; `stream` picks an independent sample."""
        T = check_integer("prompts", prompts, 1, None, "it is their number")
        random, d, s = _random.generator(self.seed, "sparse regression", stream), self.dimension, self.nonzero
        orthonormal = self.design == "orthonormal"
        n = check_integer("context", context, d if orthonormal else 1, None, "columns are orthonormal in as many rows")
        x, query = random.standard_normal((T, n, d)), random.standard_normal((T, d))
        if orthonormal:
            q, r = np.linalg.qr(x)
            x = np.sqrt(n) * q * np.sign(np.einsum("tii->ti", r))[:, None]  # Haar, once the diagonal is positive
        entries = random.choice([-1.0, 1.0], (T, s)) if self.coefficients == "equal" else random.standard_normal((T, s))
        w = np.zeros((T, d))
        np.put_along_axis(w, np.argsort(random.random((T, d)), 1)[:, :s], entries / np.sqrt(s), 1)
        noise = self.noise * random.standard_normal((T, n + 1))
        y = (x @ w[..., None])[..., 0] + noise[:, :n]
        return Prompts(x, y, query, (query * w).sum(1) + noise[:, n], w)

"""One ReLU neuron with a known truth: y = relu(<x, w*>) + noise, under symmetric inputs of covariance diag(λ).

    world = ReluNeuron.power(400, decay=1.2)            # λ_i ∝ i^-1.2, Σ λ = 1, weights of alternating sign
    x, y = world.sample(1000)                           # addressable: the same for the same seed and stream
    world.excess(np.zeros(400))                         # E (relu(<x, w>) - relu(<x, w*>))²

Inputs are N(0, diag λ), or Bernoulli: x = ± e_i, axis i with probability λ_i, both signs alike. Labels may be wrong in two
ways: flipped (a share of them is 0) is still a ReLU neuron on average, that of (1 - share) w*; mirrored (a share is that of -x)
is not, and no neuron fits. Source: Wu, Zou, Chen, Braverman, Gu, Kakade 2023, arXiv 2303.02255, whose loss has no half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from twopart import _random
from twopart._checks import check, check_choice, check_integer, check_real
from twopart.worlds.regression.arrays import Floats, finite
from twopart.worlds.regression.least_squares import Regression

Inputs = Literal["gaussian", "bernoulli"]
Kind = Literal["well-specified", "flipped", "mirrored"]
INPUTS: tuple[Inputs, ...] = ("gaussian", "bernoulli")
KINDS: tuple[Kind, ...] = ("well-specified", "flipped", "mirrored")


@dataclass(frozen=True)
class ReluNeuron:
    """A truth w* seen through a ReLU."""

    eigenvalues: Sequence[float]
    """λ, shape (d,), each >= 0; for Bernoulli inputs they sum to 1; kept as a tuple."""
    truth: Sequence[float]
    """w*, shape (d,); kept as a tuple."""
    noise: float = 0.3
    """σ, the standard deviation of the labels' noise, >= 0."""
    inputs: Inputs = "gaussian"
    kind: Kind = "well-specified"
    share: float = 0.1
    """Of the labels that are wrong, in [0, 1/2); well-specified ones ignore it."""
    seed: int = 0
    """Which samples, in [0, 2^63)."""

    def __post_init__(self) -> None:
        λ = finite("eigenvalues", self.eigenvalues, (None,), "give one variance for each direction")
        check(λ.min() >= 0, "eigenvalues", float(λ.min()), ">= 0", "they are variances")
        truth = finite("truth", self.truth, (len(λ),), "give one weight for each eigenvalue")
        object.__setattr__(self, "eigenvalues", tuple(λ.tolist()))
        object.__setattr__(self, "truth", tuple(truth.tolist()))
        check_real("noise", self.noise, 0, np.inf, "0 is without noise", closed="[)")
        check_choice("inputs", self.inputs, INPUTS)
        check_choice("kind", self.kind, KINDS)
        check_real("share", self.share, 0, 0.5, "wrong labels are the lesser part", closed="[)")
        check_integer("seed", self.seed, 0, 2**63 - 1, "any other whole number names other samples")
        whole = self.inputs == "gaussian" or abs(float(λ.sum()) - 1) < 1e-9
        check(whole, "eigenvalues", float(λ.sum()), "of sum 1 for Bernoulli inputs", "they are probabilities")

    @classmethod
    def power(
        cls,
        dimension: int,
        *,
        decay: float = 1.2,
        size: float = 1.0,
        noise: float = 0.3,
        inputs: Inputs = "gaussian",
        kind: Kind = "well-specified",
        share: float = 0.1,
        seed: int = 0,
    ) -> ReluNeuron:
        """λ_i ∝ i^-decay with Σ λ = 1, and w*_i = ± size with alternating signs: Σ λ w*² = size²."""
        check_integer("dimension", dimension, 1, 2**24, "inputs are vectors of that many numbers")
        check_real("decay", decay, 0, 100, "1 to 2 are common; 0 is isotropic")
        check_real("size", size, 0, np.inf, "it is the length of a weight", closed="[)")
        λ = np.arange(1, dimension + 1, dtype=float) ** -decay
        truth = np.where(np.arange(dimension) % 2 == 0, size, -size)
        return cls(tuple((λ / λ.sum()).tolist()), tuple(truth.tolist()), noise, inputs, kind, share, seed)

    @property
    def dimension(self) -> int:
        return len(self.eigenvalues)

    @cached_property
    def spectrum(self) -> Floats:
        """λ as an array, shape (d,)."""
        return np.array(self.eigenvalues)

    @cached_property
    def optimum(self) -> Floats:
        """w* as an array, shape (d,)."""
        return np.array(self.truth)

    @property
    def wrong(self) -> float:
        """The share of wrong labels, 0 where the world is well-specified."""
        return 0.0 if self.kind == "well-specified" else self.share

    @cached_property
    def best(self) -> Floats:
        """The weights of the neuron with the least loss, (1 - share) w*, shape (d,)."""
        return np.asarray((1 - self.wrong) * self.optimum)

    @cached_property
    def optimal_loss(self) -> float:
        """OPT, the loss E (y - relu(<x, w>))² of the best neuron."""
        p, mirrored = self.wrong, self.kind == "mirrored"
        signal = float(self.spectrum @ np.square(self.optimum)) / 2
        return (1 if mirrored else 1 - p) * self.noise**2 + signal * (p * (1 - p) * (1 + mirrored) + mirrored * p**2)

    @cached_property
    def cross_moment(self) -> Floats:
        """E[x y], shape (d,); without wrong labels diag(λ) w*/2."""
        kept = 1 - self.wrong * (2 if self.kind == "mirrored" else 1)
        return np.asarray(kept * self.spectrum * self.optimum / 2)

    def sample(self, n: int, stream: int = 0, dtype: Any = np.float64) -> Regression:
        """n independent inputs with their labels; `stream` picks an independent sample. `dtype` is float32 or float64."""
        check_integer("n", n, 1, None, "it is the number of inputs")
        random = _random.generator(self.seed, "relu neuron", check_integer("stream", stream, 0, None, "0 is the first"))
        if self.inputs == "gaussian":
            x = random.standard_normal((n, self.dimension), dtype)
            x *= np.sqrt(self.spectrum).astype(dtype)
            y = x @ self.optimum.astype(dtype)
        else:
            x = np.zeros((n, self.dimension), dtype)
            axis = np.searchsorted(np.cumsum(self.spectrum)[:-1], random.random(n), side="right")
            sign = (random.integers(2, size=n) * 2 - 1).astype(dtype)
            x[np.arange(n), axis] = sign
            y = sign * self.optimum.astype(dtype)[axis]
        if self.kind == "mirrored":
            y = np.where(random.random(n) < self.wrong, -y, y)
        y = np.maximum(y, 0) + np.asarray(self.noise, dtype) * random.standard_normal(n, dtype)
        if self.kind == "flipped":
            y[random.random(n) < self.wrong] = 0
        return Regression(x, y)

    def excess(self, weights: ArrayLike) -> Any:
        """Loss above that of the best neuron, for weights (..., d): shape (...), a float for one vector.

        Well-specified: E (relu(<x, w>) - relu(<x, w*>))².
        """
        w, λ = np.asarray(weights, float), self.spectrum
        check(w.shape[-1:] == λ.shape, "weights", w.shape, f"(..., {len(λ)})", "one for each direction")
        found = neuron_risk(λ, w, self.best, self.inputs)
        if self.kind == "mirrored":
            found = found - 2 * self.wrong * overlap(λ, w, -self.optimum, self.inputs)
        return float(found) if np.ndim(found) == 0 else found


def neuron_risk(eigenvalues: ArrayLike, a: ArrayLike, b: ArrayLike, inputs: Inputs = "gaussian") -> Any:
    """E (relu(<x, a>) - relu(<x, b>))² for weights (..., d) and (..., d), shape (...)."""
    λ, a, b = np.asarray(eigenvalues, float), np.asarray(a, float), np.asarray(b, float)
    if inputs == "bernoulli":  # without cancellation
        sides = [np.square(np.maximum(s * a, 0) - np.maximum(s * b, 0)) for s in (1, -1)]
        return (sides[0] + sides[1]) @ λ / 2
    lengths, angle = _angle(λ, a, b)
    return np.square(a - b) @ λ / 2 - lengths * (np.sin(angle) - angle * np.cos(angle)) / np.pi


def overlap(eigenvalues: ArrayLike, a: ArrayLike, b: ArrayLike, inputs: Inputs = "gaussian") -> Any:
    """K = E relu(<x, a>) relu(<x, b>), shape (...).

    Gaussian: s_a s_b (sin ϑ + (π - ϑ) cos ϑ)/(2π), the arc-cosine kernel of Cho and Saul 2009, with s_a² = Σ λ a².
    Bernoulli: Σ λ (a b)₊/2.
    """
    λ, a, b = np.asarray(eigenvalues, float), np.asarray(a, float), np.asarray(b, float)
    if check_choice("inputs", inputs, INPUTS) == "bernoulli":
        return np.maximum(a * b, 0) @ λ / 2
    lengths, angle = _angle(λ, a, b)
    return lengths * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi)


def _angle(λ: Floats, a: Floats, b: Floats) -> tuple[Any, Any]:
    """s_a s_b, and the angle ϑ between the neurons; a right one where a neuron is 0."""
    lengths = np.sqrt((np.square(a) @ λ) * (np.square(b) @ λ))
    cosine = np.divide((a * b) @ λ, lengths, out=np.zeros(np.shape(lengths)), where=lengths > 0)
    return lengths, np.arccos(np.clip(cosine, -1, 1))

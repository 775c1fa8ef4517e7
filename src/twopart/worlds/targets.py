"""Targets: densities on R^d whose truth is known, as samplers and diffusion models meet them.

    target = MixtureTarget([0.8, 0.2], [[-3.0], [3.0]], scales=1.0)
    target.score(x)                      # ∇ log p, shape (..., d), as x: any float type, any device
    target.sample(1000, seed=0)          # (1000, d) in float64; `stream` picks an independent sample
    target.diffused(a, s).score(x)       # of a X + s Z: a target again

A target is a potential f with p = e^{-f} / Z, so samplers need f and its score alone. Mixtures and Gaussians stand here,
densities by quadrature in landscapes.py, posteriors in posteriors.py, the clock of a diffusion in noised.py.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from twopart import _random
from twopart._arrays import finite, reals
from twopart._checks import check, check_integer

Values = ArrayLike | Tensor


class Target(ABC):
    """A density on R^d. Points are tensors (..., d); what comes back has their type and device."""

    dimension: int

    @abstractmethod
    def potential(self, x: Tensor) -> Tensor:
        """f(x) = -log p(x) up to a constant, shape (...)."""

    @abstractmethod
    def score(self, x: Tensor) -> Tensor:
        """∇ log p(x), shape (..., d)."""

    @property
    @abstractmethod
    def log_normaliser(self) -> float:
        """log ∫ e^{-f}."""

    @property
    @abstractmethod
    def mean(self) -> Tensor:
        """Shape (d,), float64."""

    @property
    @abstractmethod
    def covariance(self) -> Tensor:
        """Shape (d, d), float64."""

    @abstractmethod
    def _draw(self, count: int, random: np.random.Generator) -> Tensor:
        """`count` exact samples."""

    @abstractmethod
    def diffused(self, scale: Values, std: Values) -> Target:
        """The law of scale X + std Z, Z ~ N(0, I); both numbers, or both of shape (B,) for points (B, d), a pair for each."""

    def log_density(self, x: Tensor) -> Tensor:
        """log p(x), normalised, shape (...)."""
        return -self.potential(x) - self.log_normaliser

    def sample(self, count: int, seed: int = 0, stream: int = 0) -> Tensor:
        """`count` independent points, shape (count, d), float64; `stream` picks an independent sample."""
        check_integer("count", count, 1, None, "it is the number of points")
        return self._draw(
            count, _random.generator(seed, "target", check_integer("stream", stream, 0, None, "0 is one"))
        )


class MixtureTarget(Target):
    """Σ_k w_k N(μ_k, Σ_k), by scales (standard deviations) or by covariances; `diffused` is a mixture again.

    Its parameters may have batch dimensions in front, (B, K, ...), as `diffused` with a pair for each point makes them.
    """

    def __init__(self, weights: Values, means: Values, scales: Values | None = None, covariances: Values | None = None):
        """Weights (K,), positive, normalised here; means (K, d); scales () or (K,) or (K, d), or covariances (K, d, d).

        Raises `InputError` for shapes that do not fit, values that are not finite, and covariances that are not positive
        definite. Scales may be 0 where the target is only used `diffused`.
        """
        w = tensor("weights", weights, (None,), "one weight for each component")
        self.means = tensor("means", means, (len(w), None), "one row for each component")
        self.dimension = self.means.shape[-1]
        check(bool((w > 0).all()), "weights", w.tolist(), "> 0", "leave out components without weight")
        self.log_weights = (w / w.sum()).log()
        self.basis: Tensor | None = None
        if (scales is None) == (covariances is None):
            check(False, "scales", scales, "given, or else `covariances`", "give one of the two")
        if covariances is None:
            std = reals("scales", scales)
            std = std.reshape(-1, 1).expand(len(w), 1) if std.ndim < 2 and std.numel() in (1, len(w)) else std
            std = tensor(
                "scales", std, (len(w), None), "one number, one for each component, or one for each coordinate"
            )
            check(std.shape[1] in (1, self.dimension), "scales", tuple(std.shape), "of shape (K,) or (K, d)", "mind d")
            check(bool((std >= 0).all()), "scales", float(std.min()), ">= 0", "they are standard deviations")
            self.variances = std.square()
        else:
            shape = (len(w), self.dimension, self.dimension)
            matrices = tensor("covariances", covariances, shape, "one matrix for each component")
            check(torch.allclose(matrices, matrices.mT), "covariances", "others", "symmetric", "take (C + C^T) / 2")
            self.variances, self.basis = torch.linalg.eigh(matrices)
            least = float(self.variances.min())
            check(least > 0, "covariances", least, "positive definite", "the least eigenvalue is not positive")

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """log w_k N(x; μ_k, Σ_k), shape (..., K), and its gradients, shape (..., K, d)."""
        turned, variances = x[..., None, :] - self.means.to(x), self.variances.to(x)
        basis = None if self.basis is None else self.basis.to(x)
        if basis is not None:
            turned = torch.einsum("...ki,...kij->...kj", turned, basis)
        pull = -turned / variances
        spread = variances.log().expand(*variances.shape[:-1], self.dimension).sum(-1)
        log = self.log_weights.to(x) + 0.5 * ((turned * pull).sum(-1) - spread - self.dimension * math.log(2 * math.pi))
        return log, pull if basis is None else torch.einsum("...kj,...kij->...ki", pull, basis)

    def potential(self, x: Tensor) -> Tensor:
        return -self._parts(self._points(x))[0].logsumexp(-1)

    def score(self, x: Tensor) -> Tensor:
        log, pull = self._parts(self._points(x))
        return (log.softmax(-1)[..., None] * pull).sum(-2)

    def responsibilities(self, x: Tensor) -> Tensor:
        """P(component | x), shape (..., K)."""
        return self._parts(self._points(x))[0].softmax(-1)

    def hessian(self, x: Tensor) -> Tensor:
        """∇² log p(x), shape (..., d, d): Σ_k r_k (g_k g_k^T - Σ_k^{-1}) - g g^T with g_k the gradients, g their mean."""
        log, pull = self._parts(self._points(x))
        r = log.softmax(-1)[..., None]
        mean = (r * pull).sum(-2)
        inverse = torch.einsum("...k,...kij->...ij", r[..., 0], self._matrices(1 / self.variances).to(x))
        return torch.einsum("...ki,...kj->...ij", r * pull, pull) - mean[..., :, None] * mean[..., None, :] - inverse

    def hessian_bounds(self) -> tuple[Tensor, Tensor]:
        """Bounds (low, high) on all eigenvalues of ∇² log p(x) over all x, shapes (...): numbers, or one for each pair.

        The components must share one covariance Σ: then -1/λ_min(Σ) and -1/λ_max(Σ) + max_kl |Σ^{-1}(μ_k - μ_l)|²/4, as a
        variance on an interval is at most a quarter of its length squared. Both are sharp for two equal components.
        """
        v = self.variances
        same = bool(torch.allclose(v, v[..., :1, :])) and (
            self.basis is None or bool(torch.allclose(self._matrices(v), self._matrices(v)[..., :1, :, :]))
        )
        check(same, "covariances", "several", "one for all components", "evaluate `hessian` on a grid instead")
        turned = self.means if self.basis is None else self.means @ self.basis[..., 0, :, :]
        pulls = turned / v
        apart = (pulls[..., :, None, :] - pulls[..., None, :, :]).square().sum(-1).amax((-2, -1))
        return -1 / v.amin((-2, -1)), -1 / v.amax((-2, -1)) + apart / 4

    def _matrices(self, eigenvalues: Tensor) -> Tensor:
        """Shape (..., K, d, d), from eigenvalues in the components' bases."""
        diagonal = torch.diag_embed(eigenvalues.expand(*eigenvalues.shape[:-1], self.dimension))
        return diagonal if self.basis is None else self.basis @ diagonal @ self.basis.mT

    @property
    def log_normaliser(self) -> float:
        return 0.0

    @property
    def mean(self) -> Tensor:
        return (self.log_weights.exp()[..., None] * self.means).sum(-2)

    @property
    def covariance(self) -> Tensor:
        w, apart = self.log_weights.exp(), self.means - self.mean[..., None, :]
        second = self._matrices(self.variances) + apart[..., :, None] * apart[..., None, :]
        return (w[..., None, None] * second).sum(-3)

    def _draw(self, count: int, random: np.random.Generator) -> Tensor:
        k = torch.from_numpy(random.choice(len(self.log_weights), count, p=self.log_weights.exp().numpy()))
        z = torch.from_numpy(random.standard_normal((count, self.dimension))) * self.variances[k].sqrt()
        return self.means[k] + (z if self.basis is None else torch.einsum("nj,nij->ni", z, self.basis[k]))

    def diffused(self, scale: Values, std: Values) -> MixtureTarget:
        a, s = (v.reshape(-1, 1, 1) if v.ndim else v for v in pair(scale, std))
        made = MixtureTarget.__new__(MixtureTarget)
        made.dimension, made.log_weights, made.basis = self.dimension, self.log_weights, self.basis
        made.means, made.variances = a * self.means, a.square() * self.variances + s.square()
        return made

    def _points(self, x: Tensor) -> Tensor:
        return points(x, self.dimension, self.means.shape[:-2])


class GaussianTarget(MixtureTarget):
    """N(mean, precision^{-1}), with potential (x - mean)^T precision (x - mean) / 2.

    `GaussianTarget.circulant(spectrum("field", 32))` has its precision's eigenvalues in the Fourier basis.
    """

    def __init__(self, precision: Values, mean: Values | None = None):
        """Precision (d, d), positive definite, or (d,) for a diagonal; mean (d,), 0 if None."""
        H = reals("precision", precision)
        H = torch.diag(H) if H.ndim == 1 else H
        d = H.shape[-1] if H.ndim else 0
        H = tensor("precision", H, (d, d), "give a matrix (d, d), or its diagonal (d,)")
        check(torch.allclose(H, H.mT), "precision", "another", "symmetric", "take (H + H^T) / 2")
        least = float(torch.linalg.eigvalsh(H)[0])
        check(least > 0, "precision", least, "positive definite", "its least eigenvalue must be positive")
        centre = torch.zeros(d) if mean is None else mean
        centre = tensor("mean", centre, (d,), "one number for each coordinate")
        super().__init__([1.0], centre[None], covariances=torch.linalg.inv((H + H.mT) / 2)[None])
        self.precision = H

    @classmethod
    def circulant(cls, spectrum: ArrayLike, mean: Values | None = None) -> GaussianTarget:
        """Eigenvalues h_j = h_{d-j} of the precision, shape (d,), for the Fourier modes e^{2πi jk/d}."""
        h = finite("spectrum", spectrum, (None,), "one eigenvalue for each mode")
        check(np.allclose(h[1:], h[:0:-1]), "spectrum", h, "with h_j = h_(d-j)", "mirror it")
        row = np.fft.ifft(h).real
        return cls(row[np.subtract.outer(np.arange(len(h)), np.arange(len(h)))], mean)

    @property
    def covariance(self) -> Tensor:
        return self._matrices(self.variances)[0]

    @property
    def log_normaliser(self) -> float:
        return float(0.5 * (self.variances.log().sum() + self.dimension * math.log(2 * math.pi)))

    def potential(self, x: Tensor) -> Tensor:
        apart = self._points(x) - self.mean.to(x)
        return 0.5 * ((apart @ self.precision.to(x)) * apart).sum(-1)

    def score(self, x: Tensor) -> Tensor:
        apart = self._points(x) - self.mean.to(x)
        return -apart @ self.precision.to(x)


class Product(Target):
    """Independent coordinates: those of `first`, then those of `second`, such as wells beside a Gaussian."""

    def __init__(self, first: Target, second: Target):
        for name, part in (("first", first), ("second", second)):
            check(isinstance(part, Target), name, part, "a target", "see twopart.worlds.targets")
        self.parts, self.dimension = (first, second), first.dimension + second.dimension

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        cut = self.parts[0].dimension
        return points(x, self.dimension)[..., :cut], x[..., cut:]

    def potential(self, x: Tensor) -> Tensor:
        one, two = (part.potential(y) for part, y in zip(self.parts, self._split(x), strict=True))
        return one + two

    def score(self, x: Tensor) -> Tensor:
        return torch.cat([part.score(y) for part, y in zip(self.parts, self._split(x), strict=True)], -1)

    @property
    def log_normaliser(self) -> float:
        return self.parts[0].log_normaliser + self.parts[1].log_normaliser

    @property
    def mean(self) -> Tensor:
        return torch.cat([part.mean for part in self.parts], -1)

    @property
    def covariance(self) -> Tensor:
        made, cut = torch.zeros(self.dimension, self.dimension, dtype=torch.float64), self.parts[0].dimension
        made[:cut, :cut], made[cut:, cut:] = (part.covariance for part in self.parts)
        return made

    def _draw(self, count: int, random: np.random.Generator) -> Tensor:
        return torch.cat([part._draw(count, random) for part in self.parts], -1)

    def diffused(self, scale: Values, std: Values) -> Target:
        return Product(*(part.diffused(scale, std) for part in self.parts))


class Diffused(Target):
    """scale X + std Z of a target X, with one pair or one for each point: what does not depend on how its density is found."""

    def __init__(self, origin: Target, scale: Values, std: Values):
        self.origin, self.dimension = origin, origin.dimension
        self.scale, self.std = pair(scale, std)

    @property
    def log_normaliser(self) -> float:
        return 0.0

    @property
    def mean(self) -> Tensor:
        return self.scale[..., None] * self.origin.mean

    @property
    def covariance(self) -> Tensor:
        noise = self.std.square()[..., None, None] * torch.eye(self.dimension, dtype=torch.float64)
        return self.scale.square()[..., None, None] * self.origin.covariance + noise

    def _draw(self, count: int, random: np.random.Generator) -> Tensor:
        z = torch.from_numpy(random.standard_normal((count, self.dimension)))
        return self.scale[..., None] * self.origin._draw(count, random) + self.std[..., None] * z

    def diffused(self, scale: Values, std: Values) -> Target:
        a, s = pair(scale, std)
        return self.origin.diffused(a * self.scale, (a.square() * self.std.square() + s.square()).sqrt())

    def _points(self, x: Tensor) -> Tensor:
        """In float64: distances cancel where the noise is small."""
        return points(x, self.dimension, np.broadcast_shapes(self.scale.shape, self.std.shape)).double()


def tensor(name: str, values: Any, shape: Sequence[int | None], remedy: str) -> Tensor:
    """`values` as a finite float64 tensor of that shape, None for any length of at least one."""
    found = reals(name, values)
    have = tuple(found.shape)
    fits = len(have) == len(shape) and all(h >= 1 if w is None else h == w for h, w in zip(have, shape, strict=True))
    drawn = ", ".join("any" if want is None else str(want) for want in shape) + "," * (len(shape) == 1)
    check(fits, name, have, f"of shape ({drawn})", remedy)
    return found


def points(x: Tensor, dimension: int, pairs: Sequence[int] = ()) -> Tensor:
    """`x` if it can be points of that dimension, a finite float tensor (..., d); one for each of `pairs` that there are."""
    fits = isinstance(x, Tensor) and x.is_floating_point() and x.ndim >= 1 and x.shape[-1] == dimension
    got = (tuple(x.shape), str(x.dtype)) if isinstance(x, Tensor) else type(x).__name__
    check(fits, "x", got, f"a float tensor of shape (..., {dimension})", "the last dimension is the coordinates")
    ends = torch.stack(torch.aminmax(x.detach())) if x.numel() else x
    check(bool(ends.isfinite().all()), "x", "nan or infinity", "finite", "drop those points, or take smaller steps")
    count = x.shape[-2:-1]
    fits = not pairs or count in ((), (1,), tuple(pairs))
    check(fits, "x", tuple(x.shape), f"{tuple(pairs)} points", "`scale` and `std` have a pair for each")
    return x


def pair(scale: Values, std: Values) -> tuple[Tensor, Tensor]:
    """Both as float64, numbers or of shape (B,); refuses what is negative or not finite."""
    a, s = reals("scale", scale), reals("std", std)
    check(bool((a >= 0).all()), "scale", scale, ">= 0", "1 leaves the target")
    check(bool((s >= 0).all()), "std", std, ">= 0", "0 adds no noise")
    check(a.ndim <= 1, "scale", tuple(a.shape), "a number, or of shape (B,)", "flatten it")
    fits = s.ndim == 0 or s.shape in (a.shape, (1,)) or (s.ndim == 1 and a.numel() == 1)
    check(fits, "std", tuple(s.shape), f"a number, or of shape (B,) as `scale` is, {tuple(a.shape)}", "a pair for each")
    return a, s

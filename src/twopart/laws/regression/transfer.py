"""Pretraining on a source, fine-tuning on a target, one pass of SGD each: the target's risk, exact for any two covariances.

    law = transfer_risk(G, H, error, noise, geometric(1000, 0.4), geometric(50, 0.1))
    law.pretrained, law.tuned               # (w - w*)^T H (w - w*) after each phase: mean squared error beyond the noise
    law.bias, law.variance, law.by_direction

With S = U^T E[(w - w*)(w - w*)^T] U in the eigenbasis of a phase's covariance A = U diag(μ) U^T, each step of rate γ does

    S_ij'  =  S_ij [(1 - γμ_i)(1 - γμ_j) + (κ_ij - 2) γ²μ_iμ_j/B]  +  1{i=j} (γ²/B) μ_i (Σ_k μ_k S_kk + σ²),

κ_ii = κ, 3 for Gaussian inputs, and κ_ij = 3 for i ≠ j. Off the diagonal a phase is therefore one product; the diagonal is
`sgd_moments`. Derived in docs/laws/covariate-shift.md. Method, bounds: Wu, Zou, Braverman, Gu, Kakade 2022, arXiv 2208.01857.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from twopart._checks import check_integer, check_real
from twopart.laws.regression.sgd_moments import descend, mean_error
from twopart.worlds.regression import CovariateShift
from twopart.worlds.regression.arrays import Floats, covariance, finite, step_sizes

SAME, NONE = 1e-12, 1e-12  # relative to the largest entry: what counts as diagonal, and as a direction without variance


def geometric(steps: int, rate: float) -> Floats:
    """The rates of `steps` steps, shape (steps,): rate · 2^-floor(t/L), halved every L = ceil(steps / log2 steps) steps.

    Of one or two steps none is halved. Source: arXiv 2208.01857, algorithm 1; the base of its logarithm is our choice.
    """
    check_integer("steps", steps, 0, None, "it is the number of steps")
    check_real("rate", rate, 0, np.inf, "it is the first step's; 0 stays where it is", closed="[)")
    return np.asarray(rate * 0.5 ** (np.arange(steps) // np.ceil(effective(steps)) if steps else np.empty(0)))


def effective(steps: int) -> float:
    """steps / log2 steps, for how long the rate of `geometric` stays: the paper's M_eff and N_eff."""
    return steps / max(1.0, float(np.log2(max(steps, 1))))


@dataclass(frozen=True, eq=False)
class TransferLaw:
    """The expected risk on the target, (w - w*)^T H (w - w*)."""

    pretrained: float
    """After the source's steps."""
    tuned: float
    """After the target's steps as well."""
    bias: float
    """The part of `tuned` that the mean of w has: the products of (I - γA) applied to the first error."""
    variance: float
    """The rest of `tuned`: from sampling and from noise."""
    by_direction: Floats
    """The risk in each eigen-direction of H, falling variances, at first, pretrained and tuned: shape (3, d)."""


@dataclass(frozen=True, eq=False)
class Inputs:
    """Inputs of one domain: independent coordinates, Gaussian or of another kurtosis, in some orthogonal basis."""

    variances: Floats
    """μ, shape (d,)."""
    basis: Floats | None = None
    """U, shape (d, d), eigenvectors in columns; None: the coordinates themselves, and only the diagonal of S is kept."""
    kurtosis: float = 3.0
    """E z⁴ of a coordinate."""

    @property
    def trace(self) -> float:
        """E |x|²."""
        return float(self.variances.sum())

    def along(self, error: Floats) -> Floats:
        """U^T e, shape (d,)."""
        return error if self.basis is None else error @ self.basis

    def squares(self, moments: Floats) -> Floats:
        """The diagonal of U^T S U, shape (d,)."""
        if self.basis is None:
            return moments
        return np.asarray(np.maximum(np.einsum("ki,ki->i", self.basis, moments @ self.basis), 0))

    def shrunk(self, error: Floats, rates: Floats) -> Floats:
        """What a phase leaves of the mean error, Π (I - γA) e."""
        own = self.along(error) * mean_error(self.variances, rates)
        return own if self.basis is None else self.basis @ own

    def descend(self, moments: Floats, rates: Floats, noise: float, batch: int) -> Floats:
        """S after a phase: shape (d,), the diagonal alone, without a basis, else (d, d)."""
        diagonal = self.squares(moments).copy()
        descend(self.variances, diagonal, rates, noise**2, 1 / batch, self.kurtosis - 2, np.empty(len(rates)))
        if self.basis is None:
            return diagonal
        own = self.basis.T @ moments @ self.basis
        sums, products = np.add.outer(self.variances, self.variances), np.outer(self.variances, self.variances)
        for rate, count in zip(*np.unique(rates, return_counts=True), strict=True):
            own *= (1 - rate * sums + (1 + 1 / batch) * rate**2 * products) ** count
        np.fill_diagonal(own, diagonal)
        return np.asarray(self.basis @ own @ self.basis.T)


@dataclass(frozen=True, eq=False)
class Sampled(Inputs):
    """Inputs drawn with replacement from given rows: their fourth moments are the rows' own, at n d² operations a step."""

    rows: Floats | None = None
    """The inputs, shape (n, d)."""

    @classmethod
    def of(cls, rows: Floats) -> Sampled:
        """With the eigenbasis of X^T X / n, about the origin: inputs are not centred."""
        return cls(*np.linalg.eigh(rows.T @ rows / len(rows)), rows=rows)

    def descend(self, moments: Floats, rates: Floats, noise: float, batch: int) -> Floats:
        """S' = (I-γA) S (I-γA) + (γ²/B) (Σ_n (x^T S x) x x^T / n - A S A + σ² A)."""
        assert self.rows is not None
        x, S = self.rows, moments
        A = x.T @ x / len(x)
        for rate in rates:
            AS = A @ S
            ASA = AS @ A
            fourth = (x.T * np.einsum("ni,ni->n", x @ S, x)) @ x / len(x)
            S = S - rate * (AS + AS.T) + rate**2 * (ASA + (fourth - ASA + noise**2 * A) / batch)
        return np.asarray(S)


@dataclass(frozen=True, eq=False)
class Domains:
    """A source and a target as the law sees them, in coordinates that they share."""

    source: Inputs
    target: Inputs
    error: Floats
    """w_0 - w*, shape (d,), w* being the target's truth."""
    noise: float
    """σ of the target's answers, and of the source's."""
    drift: Floats | None = None
    """The source's truth less the target's, shape (d,); None: they are the same, as the paper has it."""
    source_noise: float | None = None
    """σ of the source's answers, if it is another."""

    @classmethod
    def of(
        cls,
        source: ArrayLike,
        target: ArrayLike,
        error: ArrayLike,
        noise: float,
        kurtosis: float = 3.0,
        drift: ArrayLike | None = None,
    ) -> Domains:
        """From covariances, each variances (d,) or a matrix (d, d); where they commute, in their common eigenbasis."""
        e = finite("error", error, (None,), "it is w_0 - w*, one number for each coordinate")
        D = None if drift is None else finite("drift", drift, e.shape, "one number for each coordinate")
        G, H = covariance("source_covariance", source, len(e)), covariance("target_covariance", target, len(e))
        check_real("noise", noise, 0, np.inf, "it is a standard deviation", closed="[)")
        check_real("kurtosis", kurtosis, 1, np.inf, "3 is Gaussian; no distribution has less than 1", closed="[)")
        if G.ndim == H.ndim == 1:
            return cls(Inputs(G, None, kurtosis), Inputs(H, None, kurtosis), e, noise, D)
        G, H = (np.diag(A) if A.ndim == 1 else A for A in (G, H))
        if (shared := _common_basis(G, H)) is not None:
            U, g, h = shared
            turned = None if D is None else D @ U
            return cls(Inputs(g, None, kurtosis), Inputs(h, None, kurtosis), e @ U, noise, turned)
        first, then = (Inputs(np.maximum(μ, 0), U, kurtosis) for μ, U in map(np.linalg.eigh, (G, H)))
        return cls(first, then, e, noise, D)

    @classmethod
    def of_world(cls, world: CovariateShift, start: ArrayLike | None = None) -> Domains:
        """Those of a world, descended from `start` (0)."""
        first = np.zeros(world.dimension) if start is None else np.asarray(start, float)
        return cls.of(world.source, world.target, first - np.asarray(world.truth), world.noise)

    def square(self, error: Floats, other: Floats | None = None) -> Floats:
        """e f^T, or its diagonal where only that is kept."""
        other = error if other is None else other
        return error * other if self.source.basis is None else np.outer(error, other)

    def pretrain(self, rates: Floats, batch: int = 1) -> Floats:
        """S about the target's truth after the source's steps."""
        own = self.error if self.drift is None else self.error - self.drift
        noise = self.noise if self.source_noise is None else self.source_noise
        moments = self.source.descend(self.square(own), rates, noise, batch)
        if self.drift is None:
            return moments
        mean = self.source.shrunk(own, rates)
        return moments + self.square(mean, self.drift) + self.square(self.drift, mean) + self.square(self.drift)

    def finetune(self, moments: Floats, rates: Floats, batch: int = 1) -> Floats:
        """S after the target's steps."""
        return self.target.descend(moments, rates, self.noise, batch)

    def mean(self, rates_source: Floats, rates_target: Floats) -> Floats:
        """E[w] - w* after both phases, shape (d,)."""
        drift = 0.0 if self.drift is None else self.drift
        return self.target.shrunk(self.source.shrunk(self.error - drift, rates_source) + drift, rates_target)

    def directions(self, moments: Floats) -> Floats:
        """The risk in each eigen-direction of H, falling variances, shape (d,)."""
        order = np.argsort(-self.target.variances, kind="stable")
        return np.asarray((self.target.variances * self.target.squares(moments))[order])

    def risk_of(self, moments: Floats) -> float:
        """tr(H S)."""
        return float(self.target.variances @ self.target.squares(moments))

    def risk(self, rates_source: ArrayLike, rates_target: ArrayLike = (), batch: int = 1) -> TransferLaw:
        """The law for these learning rates, one for each step, a batch of fresh inputs at each."""
        first, then = (
            step_sizes(name, rates, np.size(rates))
            for name, rates in (("rates_source", rates_source), ("rates_target", rates_target))
        )
        check_integer("batch", batch, 1, None, "1 is plain SGD")
        with np.errstate(over="ignore", invalid="ignore"):  # a rate too large grows without bound
            pretrained = self.pretrain(first, batch)
            tuned = self.finetune(pretrained, then, batch)
            parts = np.stack([self.directions(moments) for moments in (self.square(self.error), pretrained, tuned)])
            parts[np.isnan(parts)] = np.inf
            bias = float(self.target.variances @ self.target.along(self.mean(first, then)) ** 2)
            risks = parts.sum(1)
        return TransferLaw(float(risks[1]), float(risks[2]), bias, float(risks[2]) - bias, parts)

    def floor(self) -> float:
        """What pretraining cannot learn, however long: what the source does not show, and where its truth is another."""
        drift = 0.0 if self.drift is None else self.drift
        shown = self.source.variances > NONE * self.source.variances.max()
        own = np.where(shown, 0.0, self.source.along(self.error - drift))
        left = (own if self.source.basis is None else self.source.basis @ own) + drift
        return float(self.target.variances @ self.target.along(left) ** 2)

    def variance_order(self, rates_source: Floats, rates_target: Floats) -> float:
        """D_fine/N_eff + D_pre/M_eff of theorem 1 of arXiv 2208.01857: what the variance is of the order of.

        D_fine = #J + N_eff² γ_M² Σ_{i not in J} λ_i², D_pre = tr[Π (I - γ_t H)² H (G_K^{-1} + M_eff² γ_0² G_{K^c})] over the
        target's steps; J, K: the directions of variance above 1/(N_eff γ_M), 1/(M_eff γ_0). The rates are `geometric`'s.
        """
        λ, μ, order = self.target.variances, self.source.variances, 0.0
        if len(rates_target) and rates_target[0] > 0:
            N, γ = effective(len(rates_target)), rates_target[0]
            order += float(np.where(λ * N * γ > 1, 1.0, (N * γ * λ) ** 2).sum()) / N
        if len(rates_source) and rates_source[0] > 0:
            M, γ = effective(len(rates_source)), rates_source[0]
            head = μ * M * γ > 1
            weight = np.where(head, 1 / np.where(head, μ, 1.0), (M * γ) ** 2 * μ)
            left = mean_error(λ, rates_target) ** 2 * λ
            if self.source.basis is not None and self.target.basis is not None:
                left = (self.source.basis.T @ self.target.basis) ** 2 @ left  # the diagonal in the source's eigenbasis
            order += float(weight @ left) / M
        return order


def transfer_risk(
    source_covariance: ArrayLike,
    target_covariance: ArrayLike,
    error: ArrayLike,
    noise: float,
    rates_source: ArrayLike,
    rates_target: ArrayLike = (),
    *,
    batch: int = 1,
    kurtosis: float = 3.0,
    drift: ArrayLike | None = None,
) -> TransferLaw:
    """The target's expected risk after one pass over source data and one over target data.

    `source_covariance` and `target_covariance` are variances (d,) of independent coordinates or covariances (d, d), in the same
    coordinates; they need not commute. `error` is w_0 - w*, shape (d,), `noise` σ, the rates those of each step, (M,) and (N,).
    For matrices `kurtosis` is that of the coordinates in the eigenbasis. `drift`, shape (d,), is the source's truth less the
    target's, where they differ. Costs d a step, and d³ for each phase where they do
    not commute. A rate too large lets the result grow, to infinity. Raises `InputError` for wrong shapes, ranges and nan.
    """
    domains = Domains.of(source_covariance, target_covariance, error, noise, kurtosis, drift)
    return domains.risk(rates_source, rates_target, batch)


def _common_basis(G: Floats, H: Floats) -> tuple[Floats, Floats, Floats] | None:
    """An orthogonal matrix that makes both diagonal, with their diagonals; None if there is none."""
    sizes = [float(np.abs(A).max()) or 1.0 for A in (G, H)]
    U = np.linalg.eigh(G / sizes[0] + H / sizes[1] / np.pi)[1]  # a combination that keeps their eigenvalues apart
    turned = [U.T @ A @ U for A in (G, H)]
    diagonals = [np.diag(A) for A in turned]
    apart = [float(np.abs(A - np.diag(μ)).max()) / size for A, μ, size in zip(turned, diagonals, sizes, strict=True)]
    g, h = (np.maximum(μ, 0) for μ in diagonals)
    return (U, g, h) if max(apart) < SAME else None

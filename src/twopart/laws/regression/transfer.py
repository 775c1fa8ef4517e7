"""Pretraining on a source, fine-tuning on a target, one pass of SGD each: the target's risk, exact for any two covariances.

    law = transfer_risk(G, H, error, noise, geometric(1000, 0.4), geometric(50, 0.1))
    law.pretrained, law.tuned               # (w - w*)^T H (w - w*) after each phase: mean squared error beyond the noise
    law.bias, law.variance, law.by_direction

S = E[(w - w*)(w - w*)^T] goes through each phase as `sgd_moments` has it, in that phase's eigenbasis; the risk is tr(H S).
Derived in docs/laws/covariate-shift.md. Method, bounds: Wu, Zou, Braverman, Gu, Kakade 2022, arXiv 2208.01857.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from twopart._arrays import Floats, finite
from twopart._checks import check_integer, check_real
from twopart.laws.regression.schedule import effective
from twopart.laws.regression.sgd_moments import Inputs, mean_error
from twopart.worlds.regression import CovariateShift, covariances
from twopart.worlds.regression.arrays import covariance, step_sizes


@dataclass(frozen=True, eq=False)
class TransferLaw:
    """The expected risk on the target, (w - w*)^T H (w - w*)."""

    pretrained: float
    """After the source's steps."""
    tuned: float
    """After the target's steps as well."""
    bias: float
    """The part of `tuned` that the mean of w has; `variance` is the rest, from sampling and from noise."""
    variance: float
    by_direction: Floats
    """The risk in each eigen-direction of H, falling variances, at first, pretrained and tuned: shape (3, d)."""


@dataclass(frozen=True, eq=False)
class Domains:
    """A source and a target as the law sees them, in coordinates that they share."""

    source: Inputs
    target: Inputs
    error: Floats
    """w_0 - w*, shape (d,)."""
    noise: float
    """σ of the answers."""

    @classmethod
    def of(cls, source: ArrayLike, target: ArrayLike, error: ArrayLike, noise: float, kurtosis: float = 3.0) -> Domains:
        """From covariances, each variances (d,) or a matrix (d, d); `kurtosis` is that of coordinates in the eigenbasis."""
        e = finite("error", error, (None,), "it is w_0 - w*, one number for each coordinate")
        G, H = covariance("source_covariance", source, len(e)), covariance("target_covariance", target, len(e))
        check_real("noise", noise, 0, np.inf, "it is a standard deviation", closed="[)")
        check_real("kurtosis", kurtosis, 1, np.inf, "3 is Gaussian; no distribution has less than 1", closed="[)")
        if G.ndim == H.ndim == 1:
            return cls(Inputs(G, None, kurtosis), Inputs(H, None, kurtosis), e, noise)
        return cls(Inputs(*covariances.eigen(G), kurtosis), Inputs(*covariances.eigen(H), kurtosis), e, noise)

    @classmethod
    def of_world(cls, world: CovariateShift | Domains) -> Domains:
        """Those of a world, descended from 0; or these."""
        if isinstance(world, Domains):
            return world
        return cls.of(world.source, world.target, -np.asarray(world.truth), world.noise)

    @property
    def start(self) -> Floats:
        """S before the first step, or its diagonal where only that is kept."""
        return np.asarray(self.error**2 if self.source.basis is None else np.outer(self.error, self.error))

    def risk_of(self, moments: Floats) -> float:
        """tr(H S)."""
        return float(self.target.variances @ self.target.squares(moments))

    def risk(self, rates_source: ArrayLike, rates_target: ArrayLike = (), batch: int = 1) -> TransferLaw:
        """The law for these learning rates, one for each step, a batch of fresh inputs at each."""
        first = step_sizes("rates_source", rates_source, np.size(rates_source))
        then = step_sizes("rates_target", rates_target, np.size(rates_target))
        check_integer("batch", batch, 1, None, "1 is plain SGD")
        G, H, order = self.source, self.target, np.argsort(-self.target.variances, kind="stable")
        with np.errstate(over="ignore", invalid="ignore"):  # a rate too large grows without bound
            pretrained = G.descend(self.start, first, self.noise, batch)
            stages = self.start, pretrained, H.descend(pretrained, then, self.noise, batch)
            parts = np.stack([(H.variances * H.squares(moments))[order] for moments in stages])
            parts[np.isnan(parts)] = np.inf
            mean = H.along(H.shrunk(G.shrunk(self.error, first), then))
            (_, before, after), bias = parts.sum(1).tolist(), float(H.variances @ mean**2)
        return TransferLaw(before, after, bias, after - bias, parts)

    def floor(self) -> float:
        """The risk of what the source does not show: pretraining does not come below it, however long."""
        G, H = self.source, self.target
        hidden = np.where(G.variances > 1e-12 * G.variances.max(), 0.0, G.along(self.error))  # none, but for rounding
        return float(H.variances @ H.along(G.back(hidden)) ** 2)

    def variance_order(self, rates_source: Floats, rates_target: Floats) -> float:
        """D_fine/N_eff + D_pre/M_eff of theorem 1 of arXiv 2208.01857, for rates of `geometric`: the order of the variance.

        See docs/laws/covariate-shift.md, bounds of the paper.
        """
        λ, μ = self.target.variances, self.source.variances
        (M, γ), (N, η) = ((float(effective(len(r))), float(np.sum(r[:1]))) for r in (rates_source, rates_target))
        fine = float(np.where(λ * N * η > 1, 1.0, (N * η * λ) ** 2).sum()) / max(N, 1)
        head = μ * M * γ > 1
        weight = np.where(head, 1 / np.where(head, μ, 1.0), (M * γ) ** 2 * μ)
        left = mean_error(λ, rates_target) ** 2 * λ
        if self.source.basis is not None and self.target.basis is not None:
            left = (self.source.basis.T @ self.target.basis) ** 2 @ left  # the diagonal in the source's eigenbasis
        return fine + float(weight @ left) / max(M, 1)


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
) -> TransferLaw:
    """The target's expected risk after one pass over source data and one over target data.

    The covariances are variances (d,) of independent coordinates or matrices (d, d), in the same coordinates; they need not
    commute. `error` is w_0 - w*, shape (d,), `noise` σ, the rates those of each step, (M,) and (N,). For matrices `kurtosis`
    is that of the coordinates in the eigenbasis. Costs d a step, and for matrices d³ a phase. A rate too large lets the result
    grow, to infinity. Raises `InputError` for wrong shapes, ranges and nan.
    """
    domains = Domains.of(source_covariance, target_covariance, error, noise, kurtosis)
    return domains.risk(rates_source, rates_target, batch)

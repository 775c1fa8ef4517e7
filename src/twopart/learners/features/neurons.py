"""Which features the neurons of two-layer networks have learned: how far their weights reach along vectors μ_1, ..., μ_k."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from twopart._checks import check
from twopart.learners.features.two_layer import TwoLayer


@dataclass(frozen=True, eq=False)
class Coefficients:
    """<w, μ> of each of the m neurons of each of C outputs, in B networks."""

    own: Tensor
    """Along the features that the neuron's output stands for, shape (B, C, own features, m)."""
    other: Tensor
    """Along all others, shape (B, C, others, m)."""

    def means(self) -> dict[str, Tensor]:
        """Means over neurons, each of shape (B,): along own and other features; low and high: a neuron's extremes along own."""
        low, high = self.own.amin(2).mean((1, 2)), self.own.amax(2).mean((1, 2))
        return {"own": self.own.mean((1, 2, 3)), "other": self.other.mean((1, 2, 3)), "low": low, "high": high}

    def ratio(self) -> Tensor:
        """The largest over the least along own features, mean over neurons; nan where one is not positive; shape (B,)."""
        low, high = self.own.amin(2), self.own.amax(2)
        return torch.where(low > 0, high / low, torch.nan).mean((1, 2))

    def share(self) -> Tensor:
        """Minus the mean along other features over that along own ones, shape (B,)."""
        return -self.other.mean((1, 2, 3)) / self.own.mean((1, 2, 3))


def coefficients(network: TwoLayer, features: Tensor, own: Tensor) -> Coefficients:
    """Those of B networks along features of shape (B, k, D).

    `own`, booleans of shape (C, k), says which features an output stands for: as many for each.
    """
    (B, C, m, D), count = network.weights.shape, own.sum(1)
    same = features.shape[::2] == (B, D) and own.shape == (C, features.shape[1])
    check(same, "features", tuple(features.shape), f"({B}, k, {D}) with `own` ({C}, k)", "a set for each network")
    check(bool((count == count[0]).all()), "own", count.tolist(), "as many for each output", "leave some out")
    along = (network.weights @ features.mT[:, None]).mT
    return Coefficients(along[:, own].view(B, C, -1, m), along[:, ~own].view(B, C, -1, m))

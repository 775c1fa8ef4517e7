"""Counts beside the shares that they were drawn from, if theory is right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import power_divergence

FEW = 5  # places expected less often are taken together


@dataclass(frozen=True, eq=False)
class SharesTest:
    """How far counts lie from shares."""

    counts: NDArray[np.int64]
    """How often each place was drawn, places in falling order of their shares."""
    shares: NDArray[np.float64]
    """Positive, with a sum of 1."""

    @property
    def total(self) -> int:
        """Draws."""
        return int(self.counts.sum())

    @property
    def distance(self) -> float:
        """Total variation: half of Σ |N_v/N - share_v|."""
        return float(np.abs(self.counts / max(self.total, 1) - self.shares).sum() / 2)

    @property
    def expected_distance(self) -> float:
        """Its mean over as many draws from the shares, by the normal approximation to each count."""
        return float(np.sqrt(self.shares * (1 - self.shares) / max(self.total, 1)).sum() / np.sqrt(2 * np.pi))

    @property
    def probability(self) -> float:
        """Of counts at least so unlikely, by a G-test; nan where less than two places are expected often enough."""
        counts, expected = self.counts.astype(float), self.shares * self.total
        if (few := expected < FEW).any():
            counts, expected = (np.r_[row[~few], row[few].sum()] for row in (counts, expected))
        return float(power_divergence(counts, expected, lambda_="log-likelihood").pvalue) if len(counts) > 1 else np.nan

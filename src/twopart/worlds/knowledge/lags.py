"""Lags: an output that copies one of the inputs before it, through a permutation of its own; which one, is told or not.

Inputs x_t are uniform in V values; y_t = pi_l(x_{t-l}) with the lag l drawn as q_l ~ l^-decay, l = 1..L. The covariance of x_t
with y_{t+n} is (q_n/V)(Pi_n - 11^T/V), of operator norm q_n/V whether l is told or not: beta is `decay` in both worlds.
What the past is worth differs. Told: H_n = log2(V) sum_{l > n} q_l. Not told: the entropy of the mixture
sum_{l <= n} q_l delta(pi_l(x_{t-l})) + (1 - Q_n)/V, by Monte Carlo over x.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from twopart import _random
from twopart._arguments import Floats
from twopart._checks import check, check_integer, check_real

Integers = NDArray[np.int64]
DRAWS = 4000  # of x, for entropies


@dataclass(frozen=True)
class Lags:
    """Inputs and outputs (T,), the lag of each output, and their exact statistics; entropies in bits."""

    values: int = 16
    """V >= 2."""
    decay: float = 1.5
    """> 0."""
    lags: int = 256
    tagged: bool = False
    """Whether the lag of an output is told to who predicts it."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_integer("values", self.values, 2, 2**12, "16 keeps one exponent over a ladder")
        check_real("decay", self.decay, 0, 10, "1.5 falls within the reach of samples", closed="(]")
        check_integer("lags", self.lags, 2, 2**16, "256 leaves room for an exponent")

    @cached_property
    def weights(self) -> Floats:
        """q_l, l = 1..L (L,)."""
        powers = np.arange(1, self.lags + 1) ** -self.decay
        return np.asarray(powers / powers.sum())

    @cached_property
    def maps(self) -> Integers:
        """pi_l (L, V)."""
        random = _random.generator(self.seed, "lags", "maps")
        return random.permuted(np.tile(np.arange(self.values), (self.lags, 1)), axis=1)

    def sample(self, tokens: int, stream: int = 0) -> tuple[Integers, Integers, Integers]:
        """What stands before each output, x_{t-1}, ..., x_{t-L} (T, L), the outputs (T,) and their lags (T,), from 1."""
        check_integer("tokens", tokens, 1, 2**24, "windows of all lags are held")
        random = _random.generator(self.seed, "lags", "sample", stream)
        x = random.integers(self.values, size=tokens + self.lags - 1)
        lag = random.choice(self.lags, tokens, p=self.weights)
        before = np.lib.stride_tricks.sliding_window_view(x, self.lags)[:, ::-1]
        return before, self.maps[lag, before[np.arange(tokens), lag]], lag + 1

    @cached_property
    def entropies(self) -> Floats:
        """H_0, ..., H_L: of an output whose n last inputs are known (L + 1,)."""
        unknown = np.append(1, 1 - np.cumsum(self.weights))
        if self.tagged:
            return np.asarray(np.log2(self.values) * np.maximum(unknown, 0))
        random = _random.generator(self.seed, "lags", "entropy")
        mass, found = np.zeros((DRAWS, self.values)), []
        for n, rest in enumerate(unknown):
            if n:
                mass[np.arange(DRAWS), random.integers(self.values, size=DRAWS)] += self.weights[n - 1]
            p = np.maximum(mass + max(rest, 0) / self.values, 1e-300)
            found.append(-float((p * np.log2(p)).sum(1).mean()))
        return np.array(found)

    def entropy(self, n: int) -> float:
        """H_n in bits; exact if tagged, else within about 0.003."""
        return float(self.entropies[check_integer("n", n, 0, self.lags, "further inputs say nothing")])

    def entropy_rate(self) -> float:
        """What remains when all is known."""
        return self.entropy(self.lags)

    def covariance(self, n: int) -> Floats:
        """Of x_t and y_{t+n}, one-hot (V, V)."""
        n = check_integer("n", n, 1, self.lags, "further inputs say nothing")
        return np.asarray((np.eye(self.values)[self.maps[n - 1]] - 1 / self.values) * self.weights[n - 1] / self.values)

    @property
    def beta(self) -> float:
        return self.decay

    def gamma(self, low: int, high: int) -> float:
        """The local exponent of H_n - H_inf from n = `low` to `high` > low."""
        check(
            0 < low < high < self.lags, "low", (low, high), f"0 < low < high < {self.lags}", "take two context lengths"
        )
        n = np.unique(np.geomspace(low, high, 12).round().astype(int))
        return -float(np.polyfit(np.log(n), np.log(self.entropies[n] - self.entropy_rate()), 1)[0])

"""Worlds of known exponents, and what the theory alpha = gamma/(2 beta) says of them: where it must hold, and where not.

Noise        tokens whose covariance is known: what sampling adds to it
Learned      lags, hidden or told, and what counts teach of them
Remembered   facts that change, told by a code that remembers
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.evidence import Estimate, Found, Rows, above, claim, curves, exact, mean, statistic
from twopart.evidence.judges import within, within_factor, within_share
from twopart.findings import Claim
from twopart.fits import slope
from twopart.laws.knowledge import hidden_horizon, noise_floor, tagged_excess
from twopart.worlds import FluidSantaFe, Lags

HERE = "docs/laws/text-exponent.md"
PAPER = f"Cagnetta, Raventos, Ganguli, Wyart 2026, arXiv 2602.07488; {HERE}"
HILBERG = f"Debowski 2025, arXiv 2512.13491; {HERE}"
LADDER = "slope of the excess on the outputs learned from"
Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Noise:
    """Tokens that are independent, or copy the one before with some probability: C(n) = copied^n (diag p - p p^T)."""

    copied: float
    draws: int
    tokens: int = 8000
    types: int = 16
    lags: tuple[int, int] = (2, 25)

    def __str__(self) -> str:
        return f"tokens copied with probability {self.copied:g}" if self.copied else "independent tokens"

    @property
    def shares(self) -> Floats:
        powers = 1 / np.arange(1, self.types + 1)
        return np.asarray(powers / powers.sum())

    def squared(self, lag: int) -> float:
        covariance = np.diag(self.shares) - np.outer(self.shares, self.shares)
        return float(self.copied ** (2 * lag) * (covariance**2).sum())

    @property
    def floor(self) -> float:
        """At the last lag, in 16 documents."""
        traces = (1 - self.shares @ self.shares) * self.copied ** np.arange(60)
        return noise_floor(traces, self.tokens - 16 * self.lags[-1])


@dataclass(frozen=True)
class Learned:
    """Samples of a world of lags, and what their counts teach."""

    world: Lags
    sizes: tuple[int, ...]
    seeds: int

    def __str__(self) -> str:
        return f"{self.kind}, beta = {self.world.decay:g}"

    @property
    def kind(self) -> str:
        return "told lags" if self.world.tagged else "hidden lags"

    @property
    def contexts(self) -> tuple[int, ...]:
        """Inputs before that learners of hidden lags see; the last see all."""
        L = self.world.lags
        return (L,) if self.world.tagged else (*(2**k for k in range((L // 8).bit_length())), L)

    @cached_property
    def horizon(self) -> Floats:
        """n*(P)."""
        return hidden_horizon(self.world.weights, self.world.values, self.sizes)

    @cached_property
    def foretold(self) -> Floats:
        """Excess at each size: H_{n*} - H_inf, or exactly what a table of what was told costs."""
        if self.world.tagged:
            return tagged_excess(self.world.weights, self.world.values, self.sizes)
        return np.asarray(self.world.entropies[self.horizon.astype(int)] - self.world.entropy_rate())

    @property
    def theory(self) -> float:
        """gamma/(2 beta), gamma over the n* that occur."""
        low, high = (max(1, int(self.horizon[k])) for k in (0, -1))
        return self.world.gamma(low, max(high, low + 3)) / (2 * self.world.beta)


@dataclass(frozen=True)
class Remembered:
    """Facts that change, told by a code that remembers the last sight of every fact within the last n tokens."""

    world: FluidSantaFe
    tokens: int
    sizes: tuple[int, ...]
    """n."""
    seeds: int
    kind = "changing facts"

    def __str__(self) -> str:
        return "fluid Santa Fe"

    @cached_property
    def foretold(self) -> Floats:
        return np.asarray(self.world.entropies(self.sizes[-1])[list(self.sizes)] - self.world.entropy_rate())


def excess(t: Rows[Any]) -> Floats:
    """Of learners that see all there is (seeds, sizes)."""
    return np.asarray(
        t.array("excess", context=t.case.contexts[-1]) if isinstance(t.case, Learned) else t.array("excess")
    )


def falls(t: Rows[Any]) -> Estimate:
    return statistic(lambda mean: -slope(t.case.sizes, mean), excess(t))


@claim(within(3), "standard errors", HERE, "mean of the statistic over texts, less the truth, in standard errors")
def no_noise(t: Rows[Noise], lag: int) -> Estimate:
    """{t}: at lag {lag} the norm without noise is right on average."""
    found = t.array("squared", lag=lag)
    return exact((found.mean() - t.case.squared(lag)) / (found.std(ddof=1) / np.sqrt(len(found)))).against(0.0)


@claim(within_share(0.05), "squared norm", HERE, "plug-in less truth")
def floor(t: Rows[Noise]) -> Estimate:
    """{t}: what noise adds to the norm of counts is the law's floor."""
    lag = t.case.lags[-1]
    return mean(t.array("plug_in", lag=lag) - t.case.squared(lag)).against(t.case.floor)


@claim(within(0.12), "exponent", PAPER, f"{LADDER}; predicted with the local gamma of the n* that occur")
def horizon_holds(t: Rows[Learned]) -> Estimate:
    """{t}: the loss falls with the exponent gamma/(2 beta)."""
    return falls(t).against(t.case.theory)


@claim(within_factor(1.6), "bits", HERE, "excess in the middle of the ladder")
def horizon_loss(t: Rows[Learned]) -> Estimate:
    """{t}: a learner of P outputs pays H_n* less the entropy rate."""
    middle = len(t.case.sizes) // 2
    return mean(excess(t)[:, middle]).against(t.case.foretold[middle])


@claim(within(1), "times 2 lags or 10 %", HERE, "the largest deviation of the mean number of lags")
def horizon_length(t: Rows[Learned]) -> Estimate:
    """{t}: as many lags are used as the law's horizon holds."""
    margin = np.maximum(2, 0.1 * t.case.horizon)
    return statistic(
        lambda kept: np.abs((kept - t.case.horizon) / margin).max(), t.array("kept", context=t.case.contexts[-1])
    ).against(0.0)


@claim(within(0.04), "exponent", HERE, f"{LADDER}; predicted: of the exact law, which tends to gamma/beta")
def told(t: Rows[Learned]) -> Estimate:
    """{t}: who is told the lag learns with the exponent gamma/beta."""
    return falls(t).against(-slope(t.case.sizes, t.case.foretold))


@claim(above(0.08), "exponent", PAPER, f"{LADDER}, less gamma/(2 beta)")
def theory_fails(t: Rows[Learned]) -> Estimate:
    """{t}: the theory, which sees the same correlations, is wrong."""
    return falls(t).plus(-t.case.theory)


@claim(within(0.05), "exponent", HILBERG, "slope of the excess on the tokens remembered; predicted: of H_n, exact")
def memory(t: Rows[Remembered]) -> Estimate:
    """{t}: a code that remembers the whole past has the exponent gamma."""
    return falls(t).against(-slope(t.case.sizes, t.case.foretold))


def claims(found: Found) -> Iterator[Claim]:
    for noise in found.of(Noise):
        yield from (*(no_noise(noise, lag) for lag in noise.case.lags), floor(noise))
    for t in found.of(Learned):
        which = (told, theory_fails) if t.case.world.tagged else (horizon_holds, horizon_loss, horizon_length)
        yield from (one(t) for one in which)
    yield memory(found.one(Remembered))


def worlds(found: Found) -> Iterator[pl.DataFrame]:
    """Bits per output above the entropy rate. Laws: H at the horizon (hidden lags), an exact sum (told), H_n (facts)."""
    both: list[Rows[Any]] = [*found.of(Learned), *found.of(Remembered)]
    for t in both:
        labels = {
            "world": t.case.kind,
            "beta": f"beta {t.case.world.decay:g}" if isinstance(t.case, Learned) else "facts",
        }
        yield curves({"size": t.case.sizes}, "excess", {"law": t.case.foretold, "learner": excess(t)}, **labels)

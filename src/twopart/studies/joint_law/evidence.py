"""The measured grid beside the law. Two numbers are fitted: a model of P parameters that read N sentences is held against
the best model of C = b P bits that needs to be told a fact T times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

from twopart._checks import InputError
from twopart.fits import Estimate, ScalingFit, bootstrap, scaling_law
from twopart.laws import JointLaw, Split, joint_law, optimal_split
from twopart.worlds import EqualFrequencies, KnownEntities, SyntaxKnowledge

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Evidence:
    """The grid of one world."""

    world: SyntaxKnowledge
    entities: KnownEntities | EqualFrequencies
    """As the learners' corpus tells them: the law is that of this very world."""
    grid: pl.DataFrame
    """Rows of `train_model`, all sizes."""
    level: float = 0.95

    @cached_property
    def params(self) -> Floats:
        return self.grid["params"].to_numpy().astype(float)

    @cached_property
    def sentences(self) -> Floats:
        return self.grid["sentences"].to_numpy().astype(float)

    @cached_property
    def tokens(self) -> Floats:
        return self.grid["tokens"].to_numpy().astype(float)

    @property
    def per_sentence(self) -> float:
        """Tokens of a sentence."""
        return float(self.tokens[0] / self.sentences[0])

    @cached_property
    def oracle(self) -> float:
        """Bits of a sentence that cannot be saved: attribute and template, the name being given."""
        templates = [_entropy(psi) for psi in self.world.template_probabilities]
        return _entropy(self.world.pi) + float(self.world.pi @ templates)

    @cached_property
    def bits(self) -> Floats:
        """Measured loss of each run, bits per sentence."""
        return (self.grid["syntax"] + self.grid["value"]).to_numpy()

    @cached_property
    def redundancy(self) -> Floats:
        """The same beyond the oracle's."""
        return np.asarray(self.bits - self.oracle)

    @property
    def loss(self) -> Floats:
        """Measured loss of each run, nats per token."""
        return self.nats(self.bits)

    def nats(self, bits: Floats | float) -> Floats:
        """Nats per token of bits per sentence."""
        return np.asarray(bits * np.log(2) / self.per_sentence)

    @cached_property
    def deviations(self) -> Floats:
        """log2(measured / predicted redundancy) of each run at each fine octave of b and T, shape (b, T, runs)."""
        law = surface(self.world, self.entities, tuple(self.sentences), tuple(self.params))
        return np.asarray(np.log2(np.maximum(self.redundancy, 1e-300)) - law)

    def fit(self, weights: Floats) -> Floats:
        """(log2 b, log2 T) by weighted least squares on log2 redundancy."""
        loss = self.deviations**2 @ weights
        b, t = np.unravel_index(np.argmin(loss), loss.shape)
        return np.array([BITS.refined(loss[:, t], int(b)), TOLD.refined(loss[b], int(t))])

    def told_at(self, octave: float, weights: Floats) -> float:
        """log2 T by weighted least squares where log2 b is given."""
        b = int(np.abs(BITS.fine - octave).argmin())
        loss = self.deviations[b] ** 2 @ (weights / weights.sum())
        return TOLD.refined(loss, int(np.argmin(loss)))

    @property
    def equal(self) -> Floats:
        """Weights that count each run alike."""
        return np.full(len(self.grid), 1 / len(self.grid))

    def rms(self, weights: Floats) -> float:
        """Root mean square of log2(measured / predicted redundancy) at the fit to the same weights."""
        return float(np.sqrt((self.deviations**2 @ weights).min()))

    def estimate(self, statistic: Callable[[Floats], float]) -> Estimate:
        """A function of weights on the runs, with its bootstrap interval over runs."""
        return bootstrap(statistic, np.eye(len(self.grid)), level=self.level)

    @cached_property
    def bits_per_parameter(self) -> Estimate:
        """b."""
        return self.estimate(lambda weights: float(self.fit(weights)[0] * np.log(2))).exp()

    @cached_property
    def exposures(self) -> Estimate:
        """T."""
        return self.estimate(lambda weights: float(self.fit(weights)[1] * np.log(2))).exp()

    @cached_property
    def predicted(self) -> JointLaw:
        """The law of each run at the fitted numbers."""
        room = self.bits_per_parameter.value * self.params
        return joint_law(self.world, self.sentences, room, self.entities, self.exposures.value)

    @cached_property
    def fits(self) -> dict[tuple[str, str], ScalingFit | None]:
        """Scaling laws fitted by least squares to ln redundancy, by form and by whose: the transformers' ("measured") and what
        the "law" predicts for the same runs.

        The world's entropy, which is the floor of the loss, is known and subtracted: a fit that must find it as well leaves the
        exponents open, even if the losses are the law's own. All fits resample the same runs, so their draws can be
        compared one by one. None where the runs do not show the form: its optimum lies outside its limits.
        """
        whose = {"measured": self.redundancy, "law": self.predicted.total}
        return {(form, name): self.fitted(form, self.nats(bits)) for form in FITTED for name, bits in whose.items()}

    @cached_property
    def with_floor(self) -> ScalingFit | None:
        """The same to the measured losses, their floor a parameter as any other."""
        return self.fitted("chinchilla", self.loss)

    def fitted(self, form: str, loss: Floats) -> ScalingFit | None:
        """A scaling law fitted to losses in nats per token, or None."""
        try:
            return scaling_law(self.params, self.tokens, loss, form=form, objective="squares")
        except InputError:
            return None

    @cached_property
    def split(self) -> Split:
        """The exact law's best use of as much arithmetic as the grid's runs took, at 6 operations a token and parameter."""
        product = self.params * self.sentences
        cost = 6 * self.per_sentence
        flops = cost * np.geomspace(product.min(), product.max(), BUDGETS)
        return optimal_split(
            self.world, flops, cost, self.bits_per_parameter.value, self.entities, self.exposures.value
        )


@dataclass(frozen=True)
class Octaves:
    """Where the law is worked out, in octaves of one of the fitted numbers, and a finer row to which it is interpolated."""

    low: float
    high: float
    steps: int
    """Coarse steps."""
    finer: int = 8

    @property
    def coarse(self) -> Floats:
        return np.linspace(self.low, self.high, self.steps + 1)

    @property
    def fine(self) -> Floats:
        return np.linspace(self.low, self.high, self.steps * self.finer + 1)

    def refined(self, loss: Floats, best: int) -> float:
        """The octave at the bottom of the parabola through the best fine point and its neighbours."""
        row = self.fine
        if not 0 < best < len(row) - 1:
            return float(row[best])
        left, middle, right = loss[best - 1 : best + 2]
        bend = left - 2 * middle + right
        return float(row[best] + (row[1] - row[0]) * (0.5 * (left - right) / bend if bend > 0 else 0.0))


BITS = Octaves(-6.0, 2.0, 16)
"""Bits per parameter from 1/64 to 4."""
TOLD = Octaves(-2.0, 12.0, 28)
"""Exposures from 1/4 to 4096."""
BUDGETS = 25
FITTED = ("chinchilla", "knowledge")


@lru_cache(maxsize=4)
def surface(
    world: SyntaxKnowledge,
    entities: KnownEntities | EqualFrequencies,
    sentences: tuple[float, ...],
    params: tuple[float, ...],
) -> Floats:
    """log2 of the law's redundancy of each run at each fine octave of b and T, shape (b, T, runs).

    The law is solved at the coarse octaves, and between them interpolated by cubic splines.
    """
    n, room = np.array(sentences)[:, None], np.array(params)[:, None] * 2.0**BITS.coarse
    solved = [joint_law(world, n, room, entities, 2.0**t).total for t in TOLD.coarse]
    coarse = np.log2(np.array(solved)).transpose(2, 0, 1)
    between = RegularGridInterpolator((BITS.coarse, TOLD.coarse), coarse, method="cubic")
    return np.asarray(between(tuple(np.meshgrid(BITS.fine, TOLD.fine, indexing="ij"))))


def _entropy(p: Floats) -> float:
    p = p[p > 0]
    return float(-(p @ np.log2(p)))

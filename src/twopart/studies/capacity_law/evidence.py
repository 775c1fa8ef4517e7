"""Models beside the law. One number is fitted, the bits per parameter b: a model of P parameters is held against the best
model of C = b P bits. Whatever is estimated is a function of weights on the models, so that resampling models is
weighting them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from twopart.fits import Estimate, bootstrap
from twopart.laws import CapacityLaw, capacity_law
from twopart.studies.capacity_law.cells import ModelCell

Floats = NDArray[np.float64]

OCTAVES = np.linspace(-8.0, 4.0, 481)
"""log2 of the bits per parameter that are tried, 1/256 to 16; between them the fit interpolates."""
STEP = OCTAVES[1] - OCTAVES[0]


@dataclass(frozen=True, eq=False)
class Model:
    """One trained model and what it was found to know."""

    cell: ModelCell
    table: pl.DataFrame
    """Of `train_model`."""

    @cached_property
    def parameters(self) -> int:
        return self.cell.parameters

    @cached_property
    def value(self) -> float:
        """Redundancy of values in bits per sentence; the oracle pays nothing for them."""
        return self._mean("value")

    @cached_property
    def syntax(self) -> float:
        """Redundancy of attributes and templates in bits per sentence."""
        world = self.cell.world
        templates = [_entropy(psi) for psi in world.template_probabilities]
        return self._mean("syntax") - _entropy(world.pi) - float(world.pi @ templates)

    @property
    def total(self) -> float:
        return self.value + self.syntax

    def bits(self, column: str) -> float:
        """Bits of all facts: "stored", "chance" or "gained" as `cells.py` defines them."""
        return float(self.table[column].sum())

    @property
    def stored(self) -> float:
        """Bits of all facts that are known: stored less what chance gives."""
        return self.bits("stored") - self.bits("chance")

    @cached_property
    def share(self) -> Floats:
        """What part of the bits of each entity's facts is known, by rank."""
        known = (self.table["stored"] - self.table["chance"]).to_numpy()
        return np.asarray(known / sum(a.entropy() for a in self.cell.world.attributes))

    def rank_at(self, share: float) -> float:
        """How many entities have at least this share of their bits held, if the share did not rise with the rank:
        it is made to fall by least squares (isotonic regression)."""
        falling = isotonic_regression(self.share, increasing=False).x
        return float(np.sum(falling >= share))

    def law(self, bits: Floats) -> CapacityLaw:
        """The law in this very world."""
        return capacity_law(self.cell.world, bits, self.cell.excerpt.entities)

    def _mean(self, column: str) -> float:
        return float(self.table["weight"].to_numpy() @ self.table[column].to_numpy())


@dataclass(frozen=True, eq=False)
class Evidence:
    """The ladders of one discount."""

    label: str
    models: tuple[Model, ...]
    """By size, and by replicate."""
    level: float = 0.95

    @cached_property
    def parameters(self) -> Floats:
        return np.array([model.parameters for model in self.models], float)

    @cached_property
    def total(self) -> Floats:
        """Measured redundancy of each model, bits per sentence."""
        return np.array([model.total for model in self.models])

    @cached_property
    def stored(self) -> Floats:
        """Stored bits of each model, less what chance gives."""
        return np.array([model.stored for model in self.models])

    @cached_property
    def predicted(self) -> Floats:
        """log2 of the law's redundancy of each model at each of `OCTAVES`, shape (models, octaves)."""
        sizes = np.log2(self.parameters)
        grid = np.arange(sizes.min() + OCTAVES[0], sizes.max() + OCTAVES[-1] + STEP, STEP)
        curves = {model.cell.world: _log2(model.law(2**grid).total) for model in self.worlds}
        wanted = sizes[:, None] + OCTAVES
        return np.array([np.interp(w, grid, curves[m.cell.world]) for w, m in zip(wanted, self.models, strict=True)])

    @property
    def worlds(self) -> list[Model]:
        """A model of each replicate's world."""
        return list({model.cell.world: model for model in self.models}.values())

    @cached_property
    def equal(self) -> Floats:
        """Weights that count each model alike."""
        return np.full(len(self.models), 1 / len(self.models))

    def octave(self, weights: Floats) -> float:
        """log2 b by weighted least squares on log2 redundancy."""
        loss = weights @ (_log2(self.total)[:, None] - self.predicted) ** 2
        best = int(np.clip(np.argmin(loss), 1, len(loss) - 2))
        left, middle, right = loss[best - 1 : best + 2]
        bend = left - 2 * middle + right
        step = 0.5 * (left - right) / bend if bend > 0 else 0.0
        return float(OCTAVES[best] + np.clip(step, -1, 1) * STEP)

    def on_law(self, octave: float) -> Floats:
        """log2 of the law's redundancy of each model at b = 2^octave."""
        return np.array([np.interp(octave, OCTAVES, curve) for curve in self.predicted])

    def estimate(self, statistic: Callable[[Floats], float]) -> Estimate:
        """A function of weights on the models, with its bootstrap interval over models."""
        return bootstrap(statistic, np.eye(len(self.models)), level=self.level)

    @cached_property
    def bits_per_parameter(self) -> Estimate:
        """b, with its interval."""
        return self.estimate(lambda weights: self.octave(weights) * np.log(2)).exp()

    def rms(self, weights: Floats) -> float:
        """Root mean square of log2(measured / predicted redundancy), b fitted to the same weights."""
        deviation = _log2(self.total) - self.on_law(self.octave(weights))
        return float(np.sqrt(weights @ deviation**2))

    def slopes(self, weights: Floats) -> tuple[float, float]:
        """d ln redundancy / d ln parameters: measured, and of the law at the same sizes."""
        x, law = _log2(self.parameters), self.on_law(self.octave(weights))
        return slope(x, _log2(self.total), weights), slope(x, law, weights)

    @cached_property
    def fitted(self) -> list[CapacityLaw]:
        """The law of each model at the fitted bits per parameter."""
        return [model.law(np.array(self.bits_per_parameter.value * model.parameters)) for model in self.models]

    @cached_property
    def law_ranks(self) -> Floats:
        """Entities above each model's threshold, as the law has it: a mean over attributes."""
        return np.array(
            [law.facts / len(m.cell.world.attributes) for law, m in zip(self.fitted, self.models, strict=True)]
        )

    @cached_property
    def ranks(self) -> Floats:
        """Rank at which half of the bits are held, by model."""
        return np.array([model.rank_at(0.5) for model in self.models])


def by_label(models: Sequence[Model], discounts: Sequence[float]) -> dict[str, Evidence]:
    """The evidence of each discount."""
    groups = {f"d = {d:g}": tuple(m for m in models if m.cell.world.discount == d) for d in discounts}
    return {label: Evidence(label, group) for label, group in groups.items()}


def slope(x: Floats, y: Floats, weights: Floats) -> float:
    """Weighted least-squares slope; nan where all the weight is on one x or y is not finite."""
    centred = x - weights @ x
    spread = weights @ centred**2
    return float((weights * centred) @ y / spread) if spread > 1e-12 else float("nan")


def _entropy(p: Floats) -> float:
    p = p[p > 0]
    return float(-(p @ np.log2(p)))


def _log2(x: Floats) -> Floats:
    """log2, with the smallest positive number for what is not positive."""
    return np.asarray(np.log2(np.maximum(x, 1e-300)))

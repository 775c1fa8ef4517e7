"""What was measured: losses at every data size, and the exponent at which each falls, beside the exponents predicted.

No floor is known for real text, so none is subtracted. If a loss is E + A n^-a, what the next factor of text saves,
L(n) - L(r n), is A (1 - r^-a) n^-a: its slope on logarithmic axes is -a whatever E. Sizes stand in a geometric row for this.
Intervals are bootstrap over the held-out documents: they say how much a number hangs on which documents there are. Every model
is trained once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart._checks import InputError
from twopart.fits import Estimate, ScalingFit, bootstrap, scaling_law, slope
from twopart.studies.real_text.exam import cube

Floats = NDArray[np.float64]
LEVEL = 0.95


@dataclass(frozen=True)
class Range:
    """A prediction that comes in two numbers: of the discount of the whole text, and of that of a random tenth."""

    whole: float
    tenth: float

    @property
    def low(self) -> float:
        return min(self.whole, self.tenth)

    @property
    def high(self) -> float:
        return max(self.whole, self.tenth)


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that the cells found."""

    sizes: tuple[int, ...]
    """Bytes read at the moments of examination, a geometric row."""
    models: tuple[pl.DataFrame, ...]
    """Rows of `train_model`, the smallest model first."""
    compressor: pl.DataFrame
    """Rows of `compress_text`."""
    words: pl.DataFrame
    """Rows of `measure_words`."""
    control: Mapping[str, Sequence[pl.DataFrame]]
    """Rows of `code_words` by source, one frame per replicate."""

    # what the text's counts predict

    def law(self, part: str) -> pl.DataFrame:
        """The row of the "whole" or of the "tenth"."""
        return self.words.filter(pl.col("axis") == part)

    @cached_property
    def discount(self) -> Range:
        return Range(*(float(self.law(part)["discount"][0]) for part in ("whole", "tenth")))

    @property
    def data_exponent(self) -> Range:
        """1 - d."""
        return Range(1 - self.discount.whole, 1 - self.discount.tenth)

    @property
    def capacity_exponent(self) -> Range:
        """1/d - 1."""
        return Range(1 / self.discount.whole - 1, 1 / self.discount.tenth - 1)

    def novelty(self, order: str) -> float:
        """1 - d ln K/d ln n over the range of the sizes, for the words in the text's order ("distinct") or at "random".

        New words come at the rate dK/dn, so it is the exponent at which their share of the next words falls.
        """
        growth = self.words.filter(pl.col("axis") == "growth")
        least = growth["tokens"].max() * self.sizes[0] / self.sizes[-1]  # type: ignore[operator]
        late = growth.filter(pl.col("tokens") >= least)
        return 1 - slope(late["tokens"], late[order])

    # what readers pay

    def cube(self, marks: pl.DataFrame, column: str) -> Floats:
        """A column of a reader's rows (documents, sizes, familiarity)."""
        return cube(marks, column, self.sizes)

    def bits(self, marks: pl.DataFrame) -> Floats:
        """Bits of each held-out document after each size (documents, sizes)."""
        return np.asarray(self.cube(marks, "bits").sum(2))

    def per_byte(self, marks: pl.DataFrame) -> Floats:
        """Bits per held-out byte after each size (sizes,)."""
        return np.asarray(self.bits(marks).sum(0) / self.cube(marks, "length").sum((0, 2)))

    @cached_property
    def largest(self) -> Floats:
        """`bits` of the largest model."""
        return self.bits(self.models[-1])

    @cached_property
    def compressed(self) -> Floats:
        """`bits` of the compressor."""
        return self.bits(self.compressor)

    def exponent(self, bits: Floats) -> float:
        """a, from the savings of bits (sizes,) as they fall with the size; nan where one of them is not positive."""
        return -slope(self.sizes[:-1], bits[:-1] - bits[1:])

    def estimate(self, statistic: Callable[[Floats], float], documents: Floats) -> Estimate:
        """A statistic of the mean over documents."""
        return bootstrap(statistic, documents, level=LEVEL)

    @cached_property
    def falls(self) -> dict[str, Estimate]:
        """The exponent of each reader: the models by name, then the compressor."""
        readers = {self.name(model): self.bits(model) for model in self.models}
        return {
            name: self.estimate(self.exponent, bits)
            for name, bits in {**readers, "compressor": self.compressed}.items()
        }

    def saved(self, source: str) -> Floats:
        """What each window of the control costs less than the one before (replicates, windows - 1)."""
        return -np.diff([frame["bits"].to_numpy() for frame in self.control[source]])

    @property
    def windows(self) -> Floats:
        """Words read before each window of the control but the last."""
        return self.control["text"][0]["words"].to_numpy()[:-1].astype(float)

    def control_falls(self, source: str) -> Estimate:
        """The exponent of the control, over replicates."""
        return bootstrap(lambda mean: -slope(self.windows, mean), self.saved(source), level=LEVEL)

    @staticmethod
    def name(model: pl.DataFrame) -> str:
        return f"{model['params'][0]:,} parameters"

    @cached_property
    def unseen(self) -> Estimate:
        """The exponent at which the share of unseen words among those held out falls."""
        counted = self.cube(self.models[-1], "words")[:, :, 0]
        return self.estimate(lambda mean: -slope(self.sizes, mean), counted)

    @cached_property
    def costs(self) -> Floats:
        """Of the largest model, bits and bytes by document, size and familiarity (documents, 2, sizes, familiarity)."""
        return np.stack([self.cube(self.models[-1], column) for column in ("bits", "length")], 1)

    # all runs together

    @cached_property
    def runs(self) -> pl.DataFrame:
        """One row per model and size: params, tokens, flops, loss in nats per token, size, bits per byte."""
        return pl.concat(map(self._runs, self.models))

    def _runs(self, model: pl.DataFrame) -> pl.DataFrame:
        first = model.unique("size", keep="first", maintain_order=True)
        nats = self.bits(model).sum(0) * np.log(2) / self.held_out_tokens
        columns = {"loss": nats, "bytes": first["size"], "bits_per_byte": self.per_byte(model)}
        return first.select("params", "tokens", "flops").with_columns(**{k: pl.Series(v) for k, v in columns.items()})

    @property
    def held_out_tokens(self) -> int:
        return int(self.models[0]["held_out_tokens"][0])

    def fit(self, form: str) -> ScalingFit | None:
        """A scaling law fitted to the losses, floor and all; None where the runs do not show the form."""
        params, tokens, loss = (self.runs[name].to_numpy() for name in ("params", "tokens", "loss"))
        try:
            return scaling_law(params, tokens, loss, form=form, objective="squares")
        except InputError:
            return None

    @cached_property
    def fits(self) -> dict[str, ScalingFit | None]:
        return {form: self.fit(form) for form in ("chinchilla", "knowledge")}

    def fitted(self, form: str, name: str) -> Estimate | None:
        """A parameter of a fit with its profile interval."""
        fit = self.fits[form]
        if fit is None:
            return None
        return Estimate(fit.parameters[name], fit.profile(name, LEVEL).interval, LEVEL)

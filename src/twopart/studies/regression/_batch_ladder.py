"""Transformers trained to the same losses at several batch sizes: what is asked for, each run, and how the runs are read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Annotated, Any

import numpy as np
import polars as pl

from twopart._arrays import Floats
from twopart.evidence import Estimate, Found, statistic
from twopart.fits import batch_scaling, critical_batch_size, steps_to_target
from twopart.settings import at_least, between, distinct, every, rising, settings
from twopart.studies._transformers import fits_heads
from twopart.worlds import SyntaxKnowledge

AVERAGES = (0.0, 0.9, 0.97, 0.99)  # of the transformers' weights
SWEPT = distinct(1), every(between(0, 1, "()")).because("3e-3 to 3e-2 suits such small models")
FIT, READ = (rising(3).because("a + c/B has two constants"), every(at_least(1))), (rising(2), every(at_least(16)))


@settings
class Ladder:
    """Transformers of one layer, trained to the same losses at several batch sizes."""

    widths: Annotated[tuple[int, ...], rising(2), fits_heads, "Widths of the models."] = (8, 32)
    sentences: Annotated[tuple[int, ...], *READ, "Data D: sentences of the smallest batch."] = (2000, 4000, 8000)
    batches: Annotated[tuple[int, ...], *FIT, "Batch sizes in sentences."] = (16, 32, 64, 128, 256)
    rates: Annotated[tuple[float, ...], *SWEPT, "Rates at the first batch; others have √B."] = (5e-3, 1e-2, 2e-2)
    warmup: Annotated[int, at_least(1), "Sentences of warm-up; then the rate is constant."] = 1000
    first_decay: Annotated[float, between(0, 1, "[)"), "AdamW's memory of the gradient."] = 0.9
    replicates: Annotated[int, at_least(1), "Worlds and seeds."] = 3
    held_out: Annotated[int, at_least(10), "Sentences that the loss is measured on."] = 500


@dataclass(frozen=True)
class Train:
    """A cell: a transformer at one batch size and rate; its beginning is a run on less data."""

    ladder: Ladder
    width: int
    batch: int
    rate: float
    seed: int

    def __str__(self) -> str:
        return f"width {self.width}, batch {self.batch}, rate {self.rate:.2g}"

    def world(self, replicate: int) -> SyntaxKnowledge:
        return SyntaxKnowledge(discount=0.5, seed=self.seed + replicate)

    @property
    def ends(self) -> list[int]:
        """Steps at which the smallest batch has read the data; none for others."""
        return [d // self.batch for d in self.ladder.sentences if self.batch == self.ladder.batches[0]]

    @property
    def most(self) -> int:
        """Steps: the larger the batch, the more sentences, as the root of it."""
        times = np.sqrt(self.batch / self.ladder.batches[0])
        return int(np.ceil(times * self.ladder.sentences[-1] / self.batch))

    @property
    def marks(self) -> list[int]:
        """Steps at which the loss is measured."""
        first = max(1, self.ladder.sentences[0] // (2 * self.batch))
        return sorted({*np.geomspace(first, self.most, 24).round().astype(int).tolist(), *self.ends})


@lru_cache(maxsize=2)
def ladder(found: Found) -> pl.DataFrame:
    """A row for each replicate, width and amount of data of the transformers: `params`, `sentences`, the fewest `steps` to the
    target over rates and averages by batch, nan where none got there, and `critical`, B* by the fit, nan of fewer than three.
    """
    L, rows = found.config.ladder, []
    for r, width, data in product(range(L.replicates), L.widths, L.sentences):
        runs = {b: [t.where(replicate=r) for t in found.of(Train, width=width, batch=b)] for b in L.batches}
        there = pl.concat(runs[L.batches[0]]).filter(step=data // L.batches[0]).sort("loss")
        steps = np.array([min(arrival(run, there["loss"][0]) for run in runs[b]) for b in L.batches])
        steps[0], came = data // L.batches[0], np.isfinite(steps)
        fit = critical_batch_size(np.array(L.batches)[came], steps[came], resamples=1) if came.sum() > 2 else None
        found_here = {"steps": steps.tolist(), "critical": fit.value if fit else np.nan}
        rows.append({"width": width, "sentences": data, "params": there["params"][0], **found_here})
    return pl.DataFrame(rows)


def arrival(run: pl.DataFrame, goal: float) -> float:
    """Steps of a run to a loss by the average that gets there first; inf if none does."""
    curves = run.sort("step").partition_by("average")
    found = [steps_to_target(one["step"], one["loss"], goal) for one in curves]
    return float(np.nan_to_num(found, nan=np.inf).min())


def by_replicate(found: Found, column: str) -> Floats:
    """Logarithms of a column of the ladder, shape (replicates, widths and data)."""
    return np.asarray(np.log(ladder(found)[column].to_numpy()).reshape(found.config.ladder.replicates, -1))


def powers(found: Found, of: Any) -> Estimate:
    """`of` the exponents (p, q) of data and size, with an interval over replicates where there are several."""
    data, size = (np.exp(by_replicate(found, column)[0]) for column in ("sentences", "params"))

    def from_logs(logs: Floats) -> float:
        laws: Any = batch_scaling(data, size, np.exp(logs)) if np.all(np.isfinite(logs)) else None
        return float(of(laws.data.value, laws.model.value)) if laws else float("nan")

    logs = by_replicate(found, "critical")
    several = len(logs) > 1
    return statistic(from_logs, logs, over="seeds") if several else Estimate(from_logs(logs[0]), (-np.inf, np.inf))

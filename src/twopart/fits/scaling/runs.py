"""Training runs as columns, checked at birth: what cannot be fitted is refused with the reason and the remedy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._checks import check, check_choice, check_integer
from twopart.fits.scaling.forms import Form

Floats = NDArray[np.float64]

UNITS = {"nats": "nats per token", "bits": "bits per token", "bpb": "bits per byte"}
"""Of losses, with their words."""
FLOPS_PER_PARAMETER_AND_TOKEN = 6.0  # forward and backward pass of a dense model (Kaplan et al. 2020, section 2.1)
GUESSING = {"nats": 20.0, "bits": 29.0, "bpb": 16.0}
"""No loss of a language model is larger: a uniform guess among 5e8 tokens, and twice that among bytes."""


@dataclass(frozen=True)
class Runs:
    """Columns of one length, one entry per training run."""

    columns: Mapping[str, Floats]
    """By name: `params`, `tokens`, `flops`, `unique_tokens`, `bits`; all > 0."""
    loss: Floats
    """Test loss per token, > 0."""
    rows: NDArray[np.int64]
    """Each run's number in the caller's arrays: some may have been dropped."""
    unit: str = "nats"
    """Of the loss: "nats" or "bits" per token, "bpb" for bits per byte; the law's E and amplitudes have the same."""
    dropped: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Rows that the caller asked to drop."""
    curves: NDArray[np.int64] | None = None
    """Which training curve each run's point is of, where they are no runs of their own: curves are resampled whole."""

    def __len__(self) -> int:
        return len(self.loss)

    def logs(self, form: Form) -> Floats:
        """The form's inputs as z, shape (n, inputs)."""
        return np.log(np.stack([self.columns[name] for name in form.inputs], 1))

    def take(self, rows: NDArray[np.int64]) -> Runs:
        """A part of them, by position."""
        columns = {name: values[rows] for name, values in self.columns.items()}
        curves = None if self.curves is None else self.curves[rows]
        return Runs(columns, self.loss[rows], self.rows[rows], self.unit, self.dropped, curves)

    def without_highest(self, count: int) -> Runs:
        """All but the `count` runs of highest loss."""
        check_integer("drop_highest", count, 0, len(self) - 1, "keep some runs")
        order = np.argsort(-self.loss, kind="stable")
        kept = self.take(np.sort(order[count:]))
        return replace(kept, dropped=np.sort(self.rows[order[:count]]))

    @property
    def size(self) -> Floats:
        """How big each run is: its flops where there are any, else its first column."""
        return self.columns.get("flops", next(iter(self.columns.values())))


def gather(
    form: Form,
    loss: ArrayLike,
    unit: str,
    given: Mapping[str, ArrayLike | None],
    drop_highest: int = 0,
    curves: ArrayLike | None = None,
    keep_duplicates: bool = False,
) -> Runs:
    """The runs of a fit from the caller's arrays; `InputError` for any that cannot be fitted."""
    columns = {name: column(name, values) for name, values in given.items() if values is not None}
    losses = column("loss", loss)
    for name, values in columns.items():
        check(len(values) == len(losses), name, len(values), f"as long as loss, {len(losses)}", "one entry per run")
    if "flops" not in columns and {"params", "tokens"} <= set(columns):
        columns["flops"] = FLOPS_PER_PARAMETER_AND_TOKEN * columns["params"] * columns["tokens"]
    for name in form.inputs:
        check(name in columns, name, None, f"given for the form {form.name!r}, {form.formula}", "pass the column")
    _check_unit(losses, unit)
    of = None if curves is None else np.unique(np.asarray(curves), return_inverse=True)[1]
    check(of is None or of.shape == losses.shape, "curves", curves, f"as long as loss, {len(losses)}", "one per point")
    runs = Runs(columns, losses, np.arange(len(losses)), unit, curves=of).without_highest(drop_highest)
    _check_design(form, runs)
    if not keep_duplicates:
        _check_distinct(form, runs)
    return runs


def column(name: str, values: ArrayLike) -> Floats:
    column = np.asarray(values, float)
    check(column.ndim == 1, name, column.shape, "one-dimensional", "one entry per run")
    bad = np.flatnonzero(~(np.isfinite(column) & (column > 0)))
    where = f"{float(column[bad[0]])!r} in row {bad[0]}" if len(bad) else ""
    check(not len(bad), name, where, "finite and > 0 in every row", "leave out what was not measured")
    return column


def _check_unit(losses: Floats, unit: str) -> None:
    check_choice("unit", unit, tuple(UNITS), "name the unit of the loss")
    worst, bound = float(losses.max()), GUESSING[unit]
    remedy = "a perplexity is turned into nats by its logarithm, a loss per sequence by its length"
    check(worst <= bound, "loss", worst, f"a loss in {UNITS[unit]}, <= {bound:g}", remedy)


def _check_design(form: Form, runs: Runs) -> None:
    """Enough runs, each input varied."""
    need = len(form.parameters) + 1
    check(
        len(runs) >= need, "runs", len(runs), f"at least {need} for {form.name!r}", "train more, or take a smaller form"
    )
    z = runs.logs(form)
    for name, values in zip(form.inputs, z.T, strict=True):
        if name == "unique_tokens":
            beyond = bool(np.any(runs.columns["tokens"] > 1.001 * runs.columns[name]))
            check(
                beyond,
                name,
                float(runs.columns[name].max()),
                "< tokens in some runs",
                "take 'chinchilla': no data is repeated",
            )
            continue
        remedy = "vary it by an order of magnitude, or take a form without it"
        check(np.ptp(values) > 1e-9, name, float(np.exp(values[0])), "of more than one value", remedy)
    if runs.curves is not None:
        count, remedy = len(np.unique(runs.curves)), "whole curves are resampled: train more, or take a smaller form"
        check(count >= need, "curves", count, f"at least {need} for {form.name!r}", remedy)


def _check_distinct(form: Form, runs: Runs) -> None:
    """No run twice."""
    _, first, which = np.unique(np.c_[runs.logs(form), runs.loss], axis=0, return_index=True, return_inverse=True)
    earlier = first[which.ravel()]
    twice = [f"{runs.rows[i]} (as {runs.rows[j]})" for i, j in enumerate(earlier) if i != j]
    named = ", ".join(twice[:10]) + (f" and {len(twice) - 10} more" if len(twice) > 10 else "")
    remedy = "a copy counts one run twice: leave it out, or pass keep_duplicates=True"
    check(not twice, "runs", f"row{'s' * (len(twice) > 1)} {named} again", "distinct", remedy)

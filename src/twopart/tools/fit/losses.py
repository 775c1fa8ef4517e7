"""The unit of a loss: what --unit says, else the name of the column or its cells, else nats; and whether the values agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twopart._checks import check_choice
from twopart.fits.scaling.runs import GUESSING, UNITS
from twopart.tools.fit.columns import Found
from twopart.tools.fit.quantities import Quantity
from twopart.tools.fit.repeats import Rows
from twopart.tools.fit.sheet import Sheet

Floats = NDArray[np.float64]

LOSS_UNITS = (*UNITS, "ppl")
BYTES = 1.2  # losses all below are rather bits per byte than nats per token


def in_unit(
    sheet: Sheet, found: Found, read: Quantity, loss: Floats, rows: Rows, asked: str | None
) -> tuple[Floats, str, list[str]]:
    """The losses, their unit, and how it is known."""
    told = found.unit.text or read.told or ""
    chosen = check_choice("--unit", asked or told or "nats", LOSS_UNITS)
    worst = int(rows[np.argmax(loss[rows])])
    middle = float(np.median(loss[rows]))
    notes = []
    if not asked and told:
        notes.append(f"loss: in {told}, as its column says (--unit says otherwise)")
    elif asked and told not in ("", asked):
        notes.append(f"loss: in {asked}, as --unit says, though its column says {told}")
    elif not asked and middle < BYTES:
        notes.append(
            f"loss: taken for nats per token; a median of {middle:.3g} looks like bits per byte: --unit bpb says so"
        )
    if chosen == "ppl":
        if loss[rows].min() <= 1:
            row = int(rows[np.argmin(loss[rows])])
            raise sheet.fault(
                f"a perplexity must be > 1, got {sheet.cell(row, found.place)}; --unit says what it is", row
            )
        with np.errstate(all="ignore"):  # rows that are no runs
            return np.log(loss), "nats", [*notes, "loss: its logarithm is fitted, nats per token"]
    if loss[worst] > GUESSING[chosen]:
        what = f"{found.column!r} must be a loss in {chosen}, <= {GUESSING[chosen]:g}, got {sheet.cell(worst, found.place)}"
        raise sheet.fault(
            f"{what}; for perplexities say --unit ppl, and divide a loss per sequence by its length", worst
        )
    return loss, chosen, notes

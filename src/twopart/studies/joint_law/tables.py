"""The tables of the joint-law study."""

from __future__ import annotations

import numpy as np
import polars as pl

from twopart.fits import ScalingFit
from twopart.studies.joint_law.evidence import Evidence

RUNS_CAPTION = (
    "One row for each run: trained parameters, tokens read, operations, mean loss on held-out sentences in nats per token, and "
    "what part of it stems from names (not scored, so 0), syntax and values. The format that `twopart fit` reads."
)
SURFACE_CAPTION = (
    "Redundancy in bits per sentence beyond those of a reader who knows the world and the name, measured and by the joint law "
    "at the fitted bits per parameter and exposures."
)
FITS_CAPTION = (
    "Scaling laws fitted by least squares to ln redundancy, measured and as the law predicts it for the same runs, and to the "
    "measured losses with their floor; nats per token."
)
BY_SIZE_CAPTION = (
    "Exposures that a fact needs, fitted to the runs of each size alone at the bits per parameter of all: a learner's own "
    "number if the law is right."
)
OPTIMUM_CAPTION = (
    "The best split of a number of operations between parameters and sentences: by the exact law, and by the scaling law "
    "fitted to the measured redundancy; C = 6 N D operations."
)


def runs(evidence: Evidence) -> pl.DataFrame:
    """What fitting reads."""
    grid = evidence.grid
    syntax, value = (evidence.nats(grid[role].to_numpy()) for role in ("syntax", "value"))
    return grid.select("params", "tokens", "flops").with_columns(
        loss=pl.Series(syntax + value),
        loss_name=pl.Series(np.zeros(len(grid))),
        loss_syntax=pl.Series(syntax),
        loss_value=pl.Series(value),
        sentences=grid["sentences"],
    )


def surface(evidence: Evidence) -> pl.DataFrame:
    """Measured and predicted redundancy."""
    law, grid = evidence.predicted, evidence.grid
    return pl.DataFrame(
        {
            "parameters": grid["params"],
            "sentences": grid["sentences"],
            "redundancy": evidence.redundancy,
            "law": law.total,
            "value": grid["value"],
            "value, law": law.value,
            "syntax": grid["syntax"] - evidence.oracle,
            "syntax, law": law.syntax,
        }
    )


def fits(evidence: Evidence) -> pl.DataFrame:
    """Both forms, measured and predicted."""
    fits = {**evidence.fits, ("chinchilla", "measured, with floor"): evidence.with_floor}
    rows = [
        {"form": form, "losses": whose, "parameter": name, "value": value, **_interval(fit, name)}
        for (form, whose), fit in fits.items()
        if fit is not None
        for name, value in fit.parameters.items()
    ]
    columns = {"form": pl.String, "losses": pl.String, "parameter": pl.String}
    return pl.DataFrame(rows, schema={**columns, **dict.fromkeys(("value", "low", "high"), pl.Float64)})


def _interval(fit: ScalingFit, name: str) -> dict[str, float]:
    return dict(zip(("low", "high"), fit.interval(name), strict=True))


def by_size(evidence: Evidence) -> pl.DataFrame:
    """Exposures for each size alone."""
    b = evidence.fit(evidence.equal)[0]
    sizes = np.unique(evidence.params)
    told = [2.0 ** evidence.told_at(b, (evidence.params == size).astype(float)) for size in sizes]
    return pl.DataFrame({"parameters": sizes.astype(np.int64), "exposures": told})


def optimum(evidence: Evidence) -> pl.DataFrame:
    """The best splits along the grid's range of compute."""
    split, fit = evidence.split, evidence.fits["chinchilla", "measured"]
    best = [None if fit is None else fit.allocate(flops=float(flops)).params for flops in split.flops]
    ends = [(None, None) if size is None else size.interval for size in best]
    frame = pl.DataFrame(
        {
            "flops": split.flops,
            "parameters, law": split.params,
            "sentences, law": split.n,
            "redundancy, law": split.law.total,
            "exponent of parameters, law": split.params_exponent,
            "exponent of redundancy, law": split.exponent,
        }
    )
    return frame.with_columns(
        pl.Series("parameters, fit", [None if size is None else size.value for size in best], pl.Float64),
        pl.Series("parameters, fit, low", [low for low, _ in ends], pl.Float64),
        pl.Series("parameters, fit, high", [high for _, high in ends], pl.Float64),
    )

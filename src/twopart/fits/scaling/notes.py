"""A fit in words and numbers: its table for the terminal, and the sentences that a reader should not miss."""

from __future__ import annotations

import numpy as np

from twopart._html import element
from twopart._notebook import quantities, shown
from twopart.fits.scaling.fitted import Fitted
from twopart.fits.scaling.resampling import NO_FLOOR
from twopart.fits.scaling.runs import UNITS

LARGEST = 709.0  # ln of the largest floating-point number


def notes(fit: Fitted) -> tuple[str, ...]:
    """One sentence per finding; none about what is as it should be, but for the hold-out, which always speaks."""
    return tuple(
        sentence
        for part in (_robustness, _curves, _dropped, _outliers, _floor, _overflow, _starts, _resamples, _holdout)
        for sentence in part(fit)
    )


def _robustness(fit: Fitted) -> list[str]:
    if fit.objective.name != "huber" or fit.linear_share < 0.5:
        return []
    lad = ", ".join(f"{name} = {value:.4g}" for name, value in fit.lad.items())
    return [
        f"With δ = {fit.objective.delta:g}, {fit.linear_share:.0%} of the residuals lie in Huber's linear part: in effect "
        f"this is a fit of least absolute deviations, whose own point is {lad}."
    ]


def _curves(fit: Fitted) -> list[str]:
    if fit.runs.curves is None:
        return []
    count = len(np.unique(fit.runs.curves))
    return [f"The {len(fit.runs)} points lie on {count} training curves, which are resampled whole."]


def _dropped(fit: Fitted) -> list[str]:
    rows = fit.runs.dropped
    more = f" and {len(rows) - 10} more" if len(rows) > 10 else ""
    return (
        [f"Left out on request, as the highest losses: rows {', '.join(map(str, rows[:10]))}{more}."]
        if len(rows)
        else []
    )


def _outliers(fit: Fitted) -> list[str]:
    if not fit.outliers:
        return []
    named = ", ".join(f"row {one.row} ({one.score:+.1f})" for one in fit.outliers[:10])
    more = f" and {len(fit.outliers) - 10} more" if len(fit.outliers) > 10 else ""
    return [f"Outliers, kept in the fit, in robust standard deviations: {named}{more}."]


def _floor(fit: Fitted) -> list[str]:
    if "E" not in fit.form.parameters:
        return []
    least = float(fit.runs.loss.min())
    touching = float(np.mean(np.exp(fit.draws[:, 0]) < NO_FLOOR * least))
    if fit.parameters["E"] < NO_FLOOR * least:
        return [
            f"E is at zero: these runs show no irreducible loss, so extrapolations have no floor. It may be as large as "
            f"{fit.interval('E')[1]:.3g}."
        ]
    return [f"E falls to zero in {touching:.0%} of the draws: the runs hardly bend."] if touching > 0.01 else []


def _overflow(fit: Fitted) -> list[str]:
    """Amplitudes that no floating-point number holds; plans and predictions take their logarithms."""
    beyond = fit.form.logarithmic & (np.abs(fit.draws) > LARGEST) & ~fit.form.is_floor
    counts = {name: int(beyond[:, i].sum()) for i, name in enumerate(fit.form.parameters)}
    said = ", ".join(f"{name} in {count}" for name, count in counts.items() if count)
    return (
        [f"Of {len(fit.draws)} draws some are beyond floating-point numbers, kept as logarithms: {said}."]
        if said
        else []
    )


def _starts(fit: Fitted) -> list[str]:
    best = fit.optimum
    found = [] if best.share >= 0.5 else [f"Only {best.share:.0%} of {best.starts} starts reached the optimum."]
    if best.second is not None and best.second_objective is not None:
        values = fit.form.natural(best.second).tolist()
        point = ", ".join(f"{name} = {value:.4g}" for name, value in zip(fit.form.parameters, values, strict=True))
        height = best.second_objective / best.objective - 1 if best.objective else np.inf
        found.append(f"There is a second optimum, {height:.2g} above the best in relative terms: {point}.")
    return found


def _resamples(fit: Fitted) -> list[str]:
    found = []
    if fit.resampled_share < 0.99:
        found.append(f"Only {fit.resampled_share:.1%} of the resamples converged: intervals are rough.")
    drawn = fit.form.natural(fit.draws)
    for name, (low, high) in fit.form.limits.items():
        values = drawn[:, fit.form.parameters.index(name)]
        outside = float(np.mean((values <= low) | (values >= high)))
        if outside > 0.01:
            found.append(
                f"{name} leaves ({low:g}, {high:g}) in {outside:.0%} of the draws: the runs hardly determine it."
            )
    return found


def _holdout(fit: Fitted) -> list[str]:
    test = fit.holdout
    if test is None:
        return ["Too few runs to leave the largest out: nothing is known about extrapolation."]
    return [
        f"Fitted without the {len(test.rows)} largest runs ({test.reach:.3g}x the size of the largest fitted), "
        f"it misses them by {test.error:.2%} on average (bias {test.bias:+.2%}), and the fitted ones by {test.in_sample:.2%}."
    ]


def table(fit: Fitted) -> str:
    """Formula, parameters with 95 % intervals, and the notes."""
    lines = [
        f"{fit.form.formula}     ({fit.form.source})",
        f"{len(fit.runs)} runs, loss in {UNITS[fit.unit]}, objective {fit.objective.name}, {len(fit.draws)} draws",
        f"{fit.optimum.share:.0%} of {fit.optimum.starts} starts reached the optimum",
        "",
    ]
    for name, value in fit.parameters.items():
        low, high = fit.interval(name)
        lines.append(f"  {name:<8} {value:>12.5g}   [{low:.5g}, {high:.5g}]")
    return "\n".join([*lines, "", *(f"- {note}" for note in notes(fit))])


def sheet(fit: Fitted) -> str:
    """The same for a notebook."""
    about = f"{len(fit.runs)} runs, loss in {UNITS[fit.unit]}, objective {fit.objective.name}."
    rows = [(name, value, fit.interval(name)) for name, value in fit.parameters.items()]
    said = element("ul", *(element("li", note) for note in notes(fit)))
    return shown(fit.form.formula, element("p", about), quantities(rows), said)

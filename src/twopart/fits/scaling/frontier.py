"""The compute-optimal frontier without a formula for the loss: N_opt = k_N C^a and D_opt = k_D C^b, read off the runs
themselves.

isoflop   approach 2: at each budget C a parabola of the loss in ln N; its minimum is N_opt(C)
envelope  approach 1: from whole training curves, the size that has the least loss at each C

Source: Hoffmann et al. 2022, arXiv 2203.15556, sections 3.1 and 3.2. Intervals are bootstraps: over the runs of each
profile for `isoflop` (a resample without three sizes of a budget, or without a minimum inside, draws again), over whole
curves for `envelope`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart import _random
from twopart._checks import InputError, check, check_integer, check_real
from twopart.evidence import Estimate
from twopart.fits.scaling.curve import percentiles
from twopart.fits.scaling.runs import FLOPS_PER_PARAMETER_AND_TOKEN, column

Floats = NDArray[np.float64]

REDRAWS = 100


@dataclass(frozen=True)
class Frontier:
    """Power laws of the best size and the best number of tokens in compute, with a point per budget."""

    flops: Floats
    """Budgets C."""
    params: Floats
    """N_opt at each."""
    tokens: Floats
    """D_opt = C/(6 N_opt)."""
    loss: Floats
    """The least loss at each."""
    lines: Floats = field(repr=False)
    """(ln k_N, a) of the fit and of each resample, shape (1 + R, 2)."""

    def exponent(self, level: float = 0.95) -> Estimate:
        """a in N_opt ~ C^a; D_opt ~ C^(1-a)."""
        low, high = percentiles(self.lines[1:, 1], level)
        return Estimate(float(self.lines[0, 1]), (float(low), float(high)), level)

    def allocate(self, flops: float, level: float = 0.95) -> tuple[Estimate, Estimate]:
        """N_opt and D_opt of a budget."""
        check_real("flops", flops, 0, np.inf, "a positive number", closed="()")
        sizes = np.exp(self.lines @ np.array([1.0, np.log(flops)]))
        tokens = flops / (FLOPS_PER_PARAMETER_AND_TOKEN * sizes)
        return _estimate(sizes, level), _estimate(tokens, level)


def isoflop(
    params: ArrayLike,
    loss: ArrayLike,
    flops: ArrayLike,
    *,
    tolerance: float = 0.1,
    resamples: int = 1000,
    seed: int = 0,
) -> Frontier:
    """Approach 2. Runs whose flops agree within the factor 1 + `tolerance` of their neighbours form one profile.

    Refuses profiles of fewer than three sizes, fewer than two profiles, and a minimum outside the sizes of its profile.
    """
    sizes, losses, compute = _columns(params=params, loss=loss, flops=flops)
    check_integer("resamples", resamples, 1, 10**6, "1000 is customary")
    order = np.argsort(compute, kind="stable")
    gaps = np.flatnonzero(np.diff(np.log(compute[order])) > np.log1p(tolerance)) + 1
    groups = np.split(order, gaps)
    check(len(groups) >= 2, "flops", len(groups), "of at least 2 budgets", "train profiles at more budgets")
    budgets = np.array([np.exp(np.mean(np.log(compute[group]))) for group in groups])
    minima = np.array([_bottom(np.log(sizes[g]), losses[g], c) for g, c in zip(groups, budgets, strict=True)])
    random = _random.generator(seed, "isoflop")
    lines = [_line(np.log(budgets), minima[:, 0])]
    for _ in range(resamples):
        drawn = [_redraw(np.log(sizes[g]), losses[g], c, random) for g, c in zip(groups, budgets, strict=True)]
        lines.append(_line(np.log(budgets), np.array(drawn)))
    best = np.exp(minima[:, 0])
    return Frontier(budgets, best, budgets / (FLOPS_PER_PARAMETER_AND_TOKEN * best), minima[:, 1], np.array(lines))


def envelope(
    run: ArrayLike,
    params: ArrayLike,
    loss: ArrayLike,
    flops: ArrayLike,
    *,
    points: int = 100,
    resamples: int = 1000,
    seed: int = 0,
) -> Frontier:
    """Approach 1, from training curves: one row per logged step, `run` naming the curve that it belongs to.

    Each curve is interpolated in ln C; at `points` budgets where two or more curves have a value, the best size is the one with
    the least loss. A budget counts only if curves of a smaller and of a larger size were there to lose.
    """
    sizes, losses, compute = _columns(params=params, loss=loss, flops=flops)
    names = np.asarray(run)
    check(names.shape == sizes.shape, "run", names.shape, f"as long as params, {len(sizes)}", "one name per row")
    curves = [_curve(names == name, sizes, losses, compute) for name in np.unique(names)]
    check(len(curves) >= 3, "run", len(curves), "at least 3 curves", "an envelope needs curves to choose from")
    grid = np.linspace(np.log(compute.min()), np.log(compute.max()), points)
    table = np.array([np.interp(grid, x, y, left=np.inf, right=np.inf) for _, x, y in curves])
    log_sizes = np.log([size for size, _, _ in curves])
    found = _lowest(table, log_sizes)
    remedy = "overlap the curves' compute over more sizes"
    check(int(found[0].sum()) >= 3, "run", int(found[0].sum()), "curves that touch the envelope at 3 budgets", remedy)
    random = _random.generator(seed, "envelope")
    lines = [_line(grid[found[0]], found[1][found[0]])]
    while len(lines) <= resamples:
        drawn = random.integers(len(curves), size=len(curves))
        inside, best, _ = _lowest(table[drawn], log_sizes[drawn])
        if inside.sum() >= 3:
            lines.append(_line(grid[inside], best[inside]))
    inside, best, least = found
    budgets, size = np.exp(grid[inside]), np.exp(best[inside])
    return Frontier(budgets, size, budgets / (FLOPS_PER_PARAMETER_AND_TOKEN * size), least[inside], np.array(lines))


def _columns(**given: ArrayLike) -> tuple[Floats, ...]:
    found = tuple(column(name, values) for name, values in given.items())
    lengths = {len(values) for values in found}
    check(len(lengths) == 1, "columns", sorted(lengths), "of one length", "one entry per run")
    return found


def _bottom(x: Floats, y: Floats, budget: float) -> tuple[float, float]:
    """Minimum of the parabola through a profile: where, and how low."""
    where = f"{budget:.3g} flops"
    check(len(np.unique(x)) >= 3, "params", f"{len(np.unique(x))} sizes at {where}", "at least 3 sizes", "train more")
    curvature, slope, level = np.polyfit(x - x.mean(), y, 2)
    at = x.mean() - slope / (2 * curvature) if curvature > 0 else np.nan
    if not x.min() < at < x.max():
        place = f"at {np.exp(at):.3g} parameters" if np.isfinite(at) else "nowhere: the profile has no bottom"
        raise InputError(
            f"the optimum at {where} must lie between the profile's sizes, {np.exp(x.min()):.3g} and {np.exp(x.max()):.3g}, "
            f"it is {place}; train sizes beyond the end that it leans to"
        )
    return float(at), float(level - slope**2 / (4 * curvature))


def _redraw(x: Floats, y: Floats, budget: float, random: np.random.Generator) -> float:
    for _ in range(REDRAWS):
        drawn = random.integers(len(x), size=len(x))
        try:
            return _bottom(x[drawn], y[drawn], budget)[0]
        except InputError:
            continue
    return _bottom(x, y, budget)[0]


def _curve(chosen: NDArray[np.bool_], sizes: Floats, losses: Floats, compute: Floats) -> tuple[float, Floats, Floats]:
    """Size, ln C and loss of one curve in the order of compute."""
    size = sizes[chosen]
    check(bool(np.ptp(size) == 0), "params", size[:3].tolist(), "one size per run", "name curves of two sizes apart")
    order = np.argsort(compute[chosen], kind="stable")
    return float(size[0]), np.log(compute[chosen][order]), losses[chosen][order]


def _lowest(table: Floats, log_sizes: Floats) -> tuple[NDArray[np.bool_], Floats, Floats]:
    """At each budget: whether the winner beat both a smaller and a larger size, ln of its size, and its loss."""
    winner = np.argmin(table, 0)
    best, present = log_sizes[winner], np.isfinite(table)
    smaller = np.any(present & (log_sizes[:, None] < best), 0)
    larger = np.any(present & (log_sizes[:, None] > best), 0)
    return smaller & larger, best, np.min(table, 0)


def _line(x: Floats, y: Floats) -> tuple[float, float]:
    """(intercept, slope) of least squares."""
    centred = x - x.mean()
    slope = float(centred @ y / (centred @ centred)) if np.ptp(x) > 0 else np.nan
    return float(y.mean() - slope * x.mean()), slope


def _estimate(values: Floats, level: float) -> Estimate:
    low, high = percentiles(values[1:], level)
    return Estimate(float(values[0]), (float(low), float(high)), level)

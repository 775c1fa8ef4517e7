"""4000 bootstraps of the Chinchilla surface, against a loop over SciPy and a batched Newton method in NumPy.

The runs are 240 of the same design as those of Hoffmann et al. 2022; TWOPART_RUNS names a CSV of real ones (params,
tokens, loss), whose five highest losses are dropped, as Besiroglu et al. 2024 did. Times are of the processor, one
thread each.
"""

from __future__ import annotations

import csv
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from benchmarks._table import Row
from twopart.fits.scaling import FORMS
from twopart.fits.scaling.objective import Objective
from twopart.fits.scaling.resampling import draw_weights, resample
from twopart.fits.scaling.solver import minimise
from twopart.fits.scaling.starts import search

Floats = NDArray[np.float64]

RESAMPLES = 4000
LOOPED = 100  # as many as SciPy's loop does in a few seconds; its time grows in proportion
JUDGED = 100
DELTA = 1e-3


def run() -> Iterator[Row]:
    z, loss = _runs()
    form, objective = FORMS["chinchilla"], Objective("huber", DELTA)
    theta = search(form, z, loss, objective).theta
    weights = draw_weights(len(loss), RESAMPLES, 0)
    ours = lambda: resample(form, z, loss, objective, theta, weights)  # noqa: E731
    ends = ours()

    batched = BatchedNewton(z, loss)
    peer = lambda: batched.minimise(theta, weights)  # noqa: E731
    their_objective = peer()
    mine, theirs = _paired(ours, peer, 5)
    name = f"{RESAMPLES} bootstraps of {len(loss)} runs"
    yield Row(name, f"{mine:.2f} s of CPU", "batched NumPy Newton", theirs / mine, ">= 1/1.5")
    worst = float(np.max(ends.objective / their_objective - 1))
    yield Row("... its objectives", f"{worst:.1e} worse at most", "its own, relative", worst, "<= 1e-6")

    loop = lambda: [_scipy(form, theta, z, loss, w) for w in weights[:LOOPED]]  # noqa: E731
    mine, theirs = _paired(ours, loop, 3)
    ratio = theirs * RESAMPLES / LOOPED / mine
    yield Row(name, f"{mine:.2f} s of CPU", f"loop over least_squares ({LOOPED} of them)", ratio, ">= 15")

    grid = np.array(list(form.starts(z, loss)))
    worst = max(_excess(form, grid, z, loss, weights[b], ends.objective[b]) for b in range(JUDGED))
    yield Row(
        f"{JUDGED} resamples, worst objective", f"{worst:.1e} above", "36 starts each, relative", worst, "<= 1e-6"
    )


def _paired(ours: Callable[[], object], peer: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median CPU seconds of ours, and that times the median ratio of neighbours in time."""
    pairs = [(_cpu(ours), _cpu(peer)) for _ in range(rounds)]
    mine = statistics.median(one for one, _ in pairs)
    return mine, mine * statistics.median(other / one for one, other in pairs)


def _cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _runs() -> tuple[Floats, Floats]:
    path = os.environ.get("TWOPART_RUNS")
    if path:
        with Path(path).open() as lines:
            rows = list(csv.DictReader(lines))
        params, tokens, loss = (np.array([float(row[name]) for row in rows]) for name in ("params", "tokens", "loss"))
        kept = np.sort(np.argsort(loss)[:-5])
        return np.log(np.stack([params, tokens], 1))[kept], loss[kept]
    random = np.random.default_rng(0)
    flops = np.exp(random.uniform(np.log(6e18), np.log(3e21), 240))
    params = np.sqrt(flops / 6 / np.exp(random.normal(np.log(20), 1.2, 240)))
    tokens = flops / 6 / params
    loss = (1.8 + 480 / params**0.35 + 2000 / tokens**0.37) * np.exp(0.005 * random.laplace(size=240))
    return np.log(np.stack([params, tokens], 1)), loss


def _scipy(form: Any, theta: Floats, z: Floats, loss: Floats, weights: Floats) -> Floats:
    """One resample the plain way: SciPy's trust region, exact Jacobian, warm start, its own Huber loss."""
    rows = np.repeat(np.arange(len(loss)), weights.astype(int))
    x, y, target = z[rows, 0], z[rows, 1], np.log(loss[rows])

    def terms(p: Floats) -> tuple[Floats, Floats, float]:
        return np.exp(p[1] - p[3] * x), np.exp(p[2] - p[4] * y), float(np.exp(p[0]))

    def residuals(p: Floats) -> Floats:
        size, data, floor = terms(p)
        return np.log(size + data + floor) - target

    def jacobian(p: Floats) -> Floats:
        size, data, floor = terms(p)
        return np.stack([np.full_like(x, floor), size, data, -x * size, -y * data], 1) / (size + data + floor)[:, None]

    found = least_squares(
        residuals, theta, jacobian, loss="huber", f_scale=DELTA, x_scale="jac", ftol=1e-10, xtol=1e-10
    )
    return np.asarray(found.x)


def _excess(form: Any, grid: Floats, z: Floats, loss: Floats, weights: Floats, objective: float) -> float:
    """By how much a dense multi-start betters one resample."""
    theta, repeated = grid, np.repeat(weights[None], len(grid), 0)
    for knee in (2e-2, 5e-3, DELTA):
        ends = minimise(form, theta, z, np.log(loss), repeated, knee)
        theta = ends.theta
    return max(0.0, objective / float(ends.objective.min()) - 1)


class BatchedNewton:
    """The peer: all resamples of a chunk advance together, sums over runs as matrix products, exact Hessian, damping by λI."""

    def __init__(self, z: Floats, loss: Floats) -> None:
        x, y = (z - z.mean(0)).T
        self.mean, self.x, self.y, self.target = z.mean(0), x, y, np.log(loss)
        one = np.ones_like(x)
        self.bases = np.stack([one, x, x * x], 1), np.stack([one, x, y, x * y], 1), np.stack([one, y, y * y], 1)

    def minimise(self, theta: Floats, weights: Floats, chunk: int = 250) -> Floats:
        """Objectives of all resamples, from `theta` of the form `chinchilla`."""
        e, a, b, alpha, beta = theta
        start = np.array([a - alpha * self.mean[0], b - beta * self.mean[1], e, alpha, beta])
        return np.concatenate([self._chunk(start, weights[k : k + chunk]) for k in range(0, len(weights), chunk)])

    def _chunk(self, start: Floats, weights: Floats) -> Floats:
        count = len(weights)
        p, damping, objective = np.repeat(start[None], count, 0), np.full(count, 1e-4), np.empty(count)
        index = np.arange(count)
        value, g, H = self._evaluate(p, weights)
        scale = np.abs(np.einsum("bii->bi", H)).mean(0)
        for _ in range(100):
            least = np.linalg.eigvalsh(H / np.sqrt(scale[:, None] * scale))[:, 0]
            shift = np.maximum(damping, 1e-6 - least)[:, None, None] * np.diag(scale)
            step = -np.linalg.solve(H + shift, g[..., None])[..., 0]
            done = -np.einsum("bi,bi->b", g, step) < 1e-9 * value
            objective[index[done]] = value[done]
            if done.all():
                break
            p, g, H, value, damping, step, index, weights = (
                part[~done] for part in (p, g, H, value, damping, step, index, weights)
            )
            new_value, new_g, new_H = self._evaluate(p + step, weights)
            better = new_value < value
            p[better] += step[better]
            value[better], g[better], H[better] = new_value[better], new_g[better], new_H[better]
            damping = np.where(better, damping * 0.1, damping * 10)
        else:
            objective[index] = value
        return objective

    def _evaluate(self, p: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
        a, b, e, alpha, beta = (p[:, k : k + 1] for k in range(5))
        s1, s2 = np.exp(a - alpha * self.x), np.exp(b - beta * self.y)
        total = s1 + s2 + np.exp(e)
        s1, s2, r = s1 / total, s2 / total, self.target - np.log(total)
        psi = np.clip(r, -DELTA, DELTA)
        value = np.einsum("bi,bi->b", weights, psi * (r - 0.5 * psi))
        bend, psi = weights * (np.abs(r) <= DELTA), weights * psi
        X, XY, Y = self.bases
        u, v = (psi * s1) @ X, (psi * s2) @ Y
        c = bend + psi
        s3 = 1 - s1 - s2
        m11, m12, m22 = (c * s1 * s1) @ X, (c * s1 * s2) @ XY, (c * s2 * s2) @ Y
        m13, m23, m33 = (c * s1 * s3) @ X, (c * s2 * s3) @ Y, (c * s3 * s3).sum(1)
        left = psi.sum(1) - u[:, 0] - v[:, 0]
        g = np.stack([-u[:, 0], -v[:, 0], -left, u[:, 1], v[:, 1]], 1)
        H = np.empty((len(p), 5, 5))
        upper = {
            (0, 0): m11[:, 0] - u[:, 0], (0, 1): m12[:, 0], (0, 2): m13[:, 0], (0, 3): u[:, 1] - m11[:, 1],
            (0, 4): -m12[:, 2], (1, 1): m22[:, 0] - v[:, 0], (1, 2): m23[:, 0], (1, 3): -m12[:, 1],
            (1, 4): v[:, 1] - m22[:, 1], (2, 2): m33 - left, (2, 3): -m13[:, 1], (2, 4): -m23[:, 1],
            (3, 3): m11[:, 2] - u[:, 2], (3, 4): m12[:, 3], (4, 4): m22[:, 2] - v[:, 2],
        }  # fmt: skip
        for (i, j), entry in upper.items():
            H[:, i, j] = H[:, j, i] = entry
        return value, g, H

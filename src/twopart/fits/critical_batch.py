"""The critical batch size: up to where larger batches save steps, from steps to a target at several batch sizes.

critical_batch_size  T = a + c/B fitted in logarithms; B* where it costs 20 % more examples than linear scaling would
steps_to_target      the first step at which a training curve is down to a loss
batch_scaling        B* as a product of powers of data and of model size
noise_scale          tr Σ / |G|² of gradients, which is often taken for it and is not it

    found = critical_batch_size([64, 128, 256, 512, 1024], [46000, 23000, 13282, 7000, 3840], reference=256)
    found.value, found.interval(), found.efficiency(2048), found.notes

Source: Zhang et al. 2024, arXiv 2410.21676; the noise scale: McCandlish et al. 2018, arXiv 1812.06162, appendix A.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student

from twopart import _random
from twopart._checks import check, check_choice, check_integer, check_real
from twopart.evidence import Estimate, statistic

Floats = NDArray[np.float64]

FORMS = {"reciprocal": 2, "power": 3}
"""T = a + c/B, T = a + c/B^alpha: by name, with the number of constants."""
LARGE = 1e6  # c/a beyond so many times the largest batch shows no departure from linear scaling
ROUGH = 0.1  # residuals beyond this are told
ROUNDS = 200


@dataclass(frozen=True, eq=False)
class CriticalBatch:
    """A fit of steps to batch size, and the batch size at which it leaves linear scaling."""

    batch: Floats
    """(m,), as fitted."""
    measured: Floats
    """Steps (m,), as fitted."""
    reference: float
    """B0: linear scaling is from here; 0 is from the limit of small batches, where examples are fewest."""
    overhead: float
    """The share of examples beyond linear scaling that B* costs."""
    form: str
    theta: Floats = field(repr=False)
    """(ln a, ln c, alpha) of the fit and of each resample, shape (1 + R, 3)."""

    @property
    def a(self) -> float:
        """Steps that no batch size saves; 0 where none were seen."""
        return float(np.exp(self.theta[0, 0]))

    @property
    def c(self) -> float:
        """Examples that the smallest batches need, for alpha = 1."""
        return float(np.exp(self.theta[0, 1]))

    @property
    def alpha(self) -> float:
        return float(self.theta[0, 2])

    @property
    def value(self) -> float:
        """B*; inf where the fit sees no departure from linear scaling."""
        return float(self._critical()[0])

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Percentiles of B* over the resamples of residuals."""
        check_real("level", level, 0, 1, "0.95 is customary", closed="()")
        tails = ((1 - level) / 2, (1 + level) / 2)
        low, high = np.quantile(self._critical()[1:], tails, method="inverted_cdf")
        return float(low), float(high)

    def steps(self, batch: ArrayLike) -> Any:
        """T(B) of the fit; a float for a number."""
        found = np.exp(_logs(self.theta[:1], np.log(_batches(batch))))[0]
        return float(found[0]) if np.ndim(batch) == 0 else found.reshape(np.shape(batch))

    def efficiency(self, batch: ArrayLike) -> Any:
        """Examples at the reference over examples at B, 1 for linear scaling; 1/(1 + overhead) at B*."""
        examples = self.steps(self.reference) * self.reference if self.reference else self.c
        return examples / (
            np.asarray(batch, float) * self.steps(batch) if np.ndim(batch) else batch * self.steps(batch)
        )

    @property
    def residuals(self) -> Floats:
        """ln(measured) - ln(fit), shape (m,)."""
        return np.asarray(np.log(self.measured) - _logs(self.theta[:1], np.log(self.batch))[0])

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know before using B*."""
        largest, worst, said = self.batch.max(), float(np.abs(np.expm1(self.residuals)).max()), []
        if np.isinf(self.value):
            said.append(f"Up to batch {largest:g} steps fall as 1/B: B* lies beyond what was measured.")
        elif self.value > largest:
            said.append(f"B* is beyond the largest batch, {largest:g}: an extrapolation.")
        if self.value < self.batch.min():
            said.append(f"B* is below the smallest batch, {self.batch.min():g}: an extrapolation.")
        if worst > ROUGH:
            said.append(f"A measured number of steps lies {worst:.0%} off the fit: see whether each batch was tuned.")
        return tuple(said)

    def _critical(self) -> Floats:
        return _critical(self.theta, self.reference, self.overhead)


def critical_batch_size(
    batch: ArrayLike,
    steps: ArrayLike,
    *,
    overhead: float = 0.2,
    reference: float | None = None,
    form: str = "reciprocal",
    resamples: int = 1000,
    seed: int = 0,
) -> CriticalBatch:
    """B* from the steps (m,) that reach one target at batch sizes (m,), the best run of each.

    T = a + c/B (`form` "reciprocal") or a + c/B^alpha ("power") by least squares of ln T; B* is where
    B T(B) = (1 + overhead) B0 T(B0), for alpha = 1 at overhead c/a + (1 + overhead) B0. `reference` B0 is the smallest batch
    if None; 256 is the authors', and 0 the limit of small batches, where overhead 1 gives Kaplan's B_crit = c/a. Numbers of
    different references or overheads cannot be compared. Intervals resample residuals, widened by the degrees of freedom.
    Raises `InputError` for fewer than 3 batch sizes (4 for "power"), and for numbers that are not finite and positive.
    """
    B, T = _batches(batch), _positive("steps", steps)
    check(B.ndim == 1 and B.shape == T.shape, "steps", T.shape, f"as many as batches, {B.shape}", "one for each batch")
    p = FORMS[check_choice("form", form, tuple(FORMS))]
    distinct = len(np.unique(B))
    check(distinct > p, "batch", distinct, f"at least {p + 1} different sizes", "measure more of them")
    check_real("overhead", overhead, 0, 100, "0.2 is the authors'", closed="()")
    check_integer("resamples", resamples, 1, 10**6, "1000 is customary")
    B0 = float(B.min()) if reference is None else check_real("reference", reference, 0, 1e18, "256 is the authors'")
    x, y = np.log(B), np.log(T)
    theta = _fitted(x, y[None], p, _starts(x, y, p))
    off, m = y - _logs(theta, x)[0], len(B)
    off = (off - off.mean()) * np.sqrt(m / (m - p))
    drawn = off[_random.generator(seed, "critical batch").integers(m, size=(resamples, m))]
    samples = _fitted(x, _logs(theta, x) + drawn, p, np.repeat(theta, resamples, 0))
    return CriticalBatch(B, T, B0, overhead, form, np.concatenate([theta, samples]))


def steps_to_target(step: ArrayLike, loss: ArrayLike, target: float, *, smooth: int | None = None) -> float:
    """The first step at which the loss is down to `target`, interpolated in logarithms of both; nan if it never is.

    `step` (t,) rises from above 0; `loss` (t,) > 0 is measured there. `smooth` averages each with the evaluations before it,
    so many in all. Where the first evaluation is down already, its step is the answer.
    """
    s, values = _positive("step", step), _positive("loss", loss)
    check(s.shape == values.shape and s.ndim == 1, "loss", values.shape, f"of shape {s.shape}", "one for each step")
    check(bool(np.all(np.diff(s) > 0)), "step", step, "rising", "sort the evaluations, one for each step")
    goal = check_real("target", target, 0, np.inf, "it is a loss", closed="()")
    if smooth is not None:
        width = check_integer("smooth", smooth, 1, len(values), "it is a number of evaluations")
        sums = np.concatenate([[0.0], np.cumsum(values)])
        first = np.maximum(np.arange(len(values)) + 1 - width, 0)
        values = (sums[1:] - sums[first]) / (np.arange(len(values)) + 1 - first)
    down = np.flatnonzero(values <= goal)
    if not down.size:
        return float("nan")
    if (k := int(down[0])) == 0:
        return float(s[0])
    (x0, x1), (y0, y1) = np.log(s[k - 1 : k + 1]), np.log(values[k - 1 : k + 1])
    return float(np.exp(x0 + (x1 - x0) * (y0 - np.log(goal)) / (y0 - y1)))


@dataclass(frozen=True)
class PowerLaws:
    """B* = constant D^data N^model, with Student's intervals."""

    constant: float
    data: Estimate | None
    """Exponent of the data; None if it was not varied."""
    model: Estimate | None
    """Exponent of the model's size; None if it was not varied."""

    def predict(self, data: float = 1.0, model: float = 1.0) -> float:
        """B* of another run; an exponent that is None counts nothing."""
        at = [(self.data, data, "data"), (self.model, model, "model")]
        logs = [p.value * np.log(check_real(n, x, 0, np.inf, "it is a size", closed="()")) for p, x, n in at if p]
        return float(self.constant * np.exp(sum(logs)))


def batch_scaling(
    data: ArrayLike | None, model: ArrayLike | None, critical: ArrayLike, *, level: float = 0.95
) -> PowerLaws:
    """ln B* = const + p ln D + q ln N by least squares over runs (n,); None leaves an input out.

    Raises `InputError` where D and N vary together, so that nobody can tell p from q, and for fewer runs than constants.
    With as many runs as constants the intervals are infinite.
    """
    check_real("level", level, 0, 1, "0.95 is customary", closed="()")
    y = np.log(_positive("critical", critical))
    given = [(name, one) for name, one in (("data", data), ("model", model)) if one is not None]
    check(bool(given), "data", None, "given, or `model`", "say what was varied")
    columns = [np.log(_positive(name, one)) for name, one in given]
    for (name, _), x in zip(given, columns, strict=True):
        check(x.shape == y.shape, name, x.shape, f"of shape {y.shape}", "one for each critical batch size")
    X = np.column_stack([np.ones_like(y), *columns])
    rank = int(np.linalg.matrix_rank(X - np.r_[0, X[:, 1:].mean(0)]))
    remedy = "vary D and N apart, or leave one of them None" if len(given) == 2 else "vary it"
    check(len(y) >= X.shape[1] == rank, given[0][0], f"{len(y)} runs of rank {rank}", f"of rank {X.shape[1]}", remedy)
    (constant, *powers), free = np.linalg.lstsq(X, y)[0], len(y) - X.shape[1]
    error = np.full(len(powers), np.inf)
    if free:
        spread = np.sum((y - X @ np.r_[constant, powers]) ** 2) / free
        error = student.ppf((1 + level) / 2, free) * np.sqrt(spread * np.diag(np.linalg.inv(X.T @ X))[1:])
    found = {
        name: Estimate(float(p), (float(p - e), float(p + e)), level, "runs", kind="Student interval")
        for (name, _), p, e in zip(given, powers, error, strict=True)
    }
    return PowerLaws(float(np.exp(constant)), found.get("data"), found.get("model"))


def noise_scale(
    small: ArrayLike, large: ArrayLike | None = None, batches: Sequence[float] = (1,), *, blocks: int = 20
) -> Estimate:
    """B_simple = tr Σ / |G|², in examples: a ratio of averages, with an interval over measurements.

    Either the squared lengths of gradients (n,) at two batch sizes, `small` at batches[0] and `large` at batches[1], measured
    together n >= 2 times; or in `small` the gradients themselves (n, p), each the mean over batches[0] examples: one of
    single examples, or one of each worker. Those are taken in `blocks` of at least 2, at most so many.

        |G|² = (B2 |G2|² - B1 |G1|²)/(B2 - B1)        tr Σ = (|G1|² - |G2|²)/(1/B1 - 1/B2)

    nan, with an infinite interval, where |G|² is no more than noise. NumPy arrays or CPU tensors, float32 or float64.
    """
    squares = np.asarray(small, float)
    sizes = [check_real("batches", b, 0, np.inf, "they are batch sizes", closed="()") for b in batches]
    if squares.ndim == 2:
        check(large is None and len(sizes) == 1, "batches", batches, "one size", "gradients have the batch of each")
        count = len(squares)
        check(count >= 4, "small", count, "at least 4 gradients", "one batch alone tells no noise from signal")
        parts = np.array_split(squares, min(check_integer("blocks", blocks, 2, None, "20 is customary"), count // 2))
        pairs = np.array([(np.square(g).sum(1).mean(), np.square(g.mean(0)).sum(), len(g)) for g in parts])
        first, second, B1, B2 = pairs[:, 0], pairs[:, 1], sizes[0], sizes[0] * pairs[:, 2]
    else:
        first, second = squares, np.asarray(large if large is not None else [], float)
        same = first.ndim == 1 and first.shape == second.shape and len(first) >= 2
        check(
            same, "large", second.shape, f"of shape {first.shape}, at least (2,)", "measure both together, many times"
        )
        check(
            len(sizes) == 2 and sizes[0] < sizes[1], "batches", batches, "two rising sizes", "one batch tells no noise"
        )
        B1, B2 = sizes[0], np.full(len(first), sizes[1])
    for name, one in (("small", first), ("large", second)):
        check(bool(np.all(np.isfinite(one) & (one >= 0))), name, one, "finite, and >= 0", "they are squared lengths")
    signal, noise = (B2 * second - B1 * first) / (B2 - B1), (first - second) / (1 / B1 - 1 / B2)
    return statistic(
        lambda means: means[1] / means[0] if means[0] > 0 else float("nan"),
        np.stack([signal, noise], axis=1),
        over="measurements",
    )


# The fit: damped Gauss and Newton on (ln a, ln c, alpha), all resamples in one call.


def _logs(theta: Floats, x: Floats) -> Floats:
    """ln T, shape (R, m)."""
    return np.logaddexp(theta[:, :1], theta[:, 1:2] - theta[:, 2:] * x)


def _starts(x: Floats, y: Floats, p: int) -> Floats:
    """The best of a grid over c/a and alpha, a by its mean."""
    ratios, alphas = np.linspace(x.min() - 5, x.max() + 10, 40), (1.0,) if p == 2 else (0.5, 0.75, 1.0, 1.5, 2.0)
    grid = np.array([(0.0, r * alpha, alpha) for r in ratios for alpha in alphas])
    grid[:, :2] += (y - _logs(grid, x)).mean(1)[:, None]
    return grid[[np.square(y - _logs(grid, x)).sum(1).argmin()]]


def _fitted(x: Floats, y: Floats, p: int, theta: Floats) -> Floats:
    """The minimum for each row of y (R, m), from `theta` (R, 3), by Levenberg and Marquardt.

    c/a is kept below the bound of `LARGE`; there ln a is -inf, as the steps show none.
    """
    bound, theta = x.max() + np.log(LARGE), theta.copy()
    least, damping, live = np.square(y - _logs(theta, x)).sum(1), np.full(len(y), 1e-3), np.arange(len(y))
    for _ in range(ROUNDS):
        now = theta[live]
        logs = _logs(now, x)
        share = np.exp(now[:, :1] - logs)  # of a in T
        slopes = np.stack([share, 1 - share, -(1 - share) * x], axis=2)[:, :, :p]
        square = slopes.transpose(0, 2, 1) @ slopes
        scale = np.maximum(np.diagonal(square, axis1=1, axis2=2), 1e-12)
        square += (damping[live, None] * scale)[:, :, None] * np.eye(p)
        push = slopes.transpose(0, 2, 1) @ (y[live] - logs)[:, :, None]
        trial = now.copy()
        trial[:, :p] += np.clip(np.linalg.solve(square, push)[:, :, 0], -2, 2)
        trial[:, 2] = np.clip(trial[:, 2], 0.05, 5)
        trial[:, 0] = np.maximum(trial[:, 0], trial[:, 1] - trial[:, 2] * bound)
        found = np.square(y[live] - _logs(trial, x)).sum(1)
        better = found <= least[live]
        theta[live[better]], least[live[better]] = trial[better], found[better]
        damping[live] = np.where(better, np.maximum(damping[live] / 10, 1e-15), damping[live] * 10)
        done = np.where(better, np.abs(trial - now).max(1) < 1e-12, damping[live] > 1e8)
        if not (live := live[~done]).size:
            break
    theta[theta[:, 0] <= theta[:, 1] - theta[:, 2] * bound + 1e-6, 0] = -np.inf
    return theta


def _critical(theta: Floats, reference: float, overhead: float) -> Floats:
    """B* of each row; inf where a is at its bound. For alpha other than 1 by bisection in ln B."""
    a, c, alpha = theta.T
    if np.all(alpha == 1):
        return np.asarray(overhead * np.exp(c - a) + (1 + overhead) * reference)
    start = max(reference, 1e-6)
    goal = np.log1p(overhead) + np.log(start) + _logs(theta, np.log([start]))[:, 0]
    low, high = np.full(len(theta), np.log(start)), np.full(len(theta), np.log(start) + 60)
    for _ in range(100):
        middle = (low + high) / 2
        over = middle + np.logaddexp(a, c - alpha * middle) > goal
        low, high = np.where(over, low, middle), np.where(over, middle, high)
    return np.where(low > np.log(start) + 59, np.inf, np.exp(high))


def _batches(values: ArrayLike) -> Floats:
    return _positive("batch", values)


def _positive(name: str, values: ArrayLike) -> Floats:
    array = np.atleast_1d(np.asarray(values))
    check(array.dtype.kind in "iuf", name, array.dtype.name, "numbers", "convert it first")
    array = array.astype(float)
    fine = array.size > 0 and bool(np.all(np.isfinite(array) & (array > 0)))
    check(fine, name, values, "finite and > 0", "leave out what was not reached")
    return array

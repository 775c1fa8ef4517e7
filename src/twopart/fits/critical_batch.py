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
from numpy.typing import ArrayLike
from scipy.optimize import least_squares
from scipy.stats import t as student

from twopart import _random
from twopart._arrays import Floats, numbers
from twopart._checks import check, check_choice, check_integer, check_real
from twopart._html import element
from twopart._notebook import quantities, shown
from twopart.evidence import Estimate, statistic

FORMS = {"reciprocal": 2, "power": 3}
"""T = a + c/B, T = a + c/B^alpha: by name, with the number of constants."""
FAINT = 1e-4  # a share of a below this in the steps of the largest batch is no departure from linear scaling
ROUGH = 0.1  # residuals beyond this are told
ALPHAS = 0.05, 5.0
WHOLE: Any = dict.fromkeys(("xtol", "ftol", "gtol"), 1e-15)  # of a minimum: to the last digit


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
        return float(_critical(self.theta[:1], self.reference, self.overhead)[0])

    def _repr_html_(self) -> str:
        rows = [
            ("critical batch size B*", self.value, self.interval()),
            ("steps that no batch size saves", self.a, None),
        ]
        said = f"B* costs {self.overhead:.0%} more examples than linear scaling; {len(self.batch)} measurements."
        return shown("Steps by batch size", quantities(rows), element("p", said))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Percentiles of B* over the resamples."""
        check_real("level", level, 0, 1, "0.95 is customary", closed="()")
        found = _critical(self.theta[1:], self.reference, self.overhead)
        low, high = np.quantile(found, ((1 - level) / 2, (1 + level) / 2), method="inverted_cdf")
        return float(low), float(high)

    def steps(self, batch: ArrayLike) -> Any:
        """T(B) of the fit: a float for a number, else an array of the batches' shape."""
        found = np.exp(_logs(self.theta[:1], np.log(positive("batch", batch)))[0])
        return float(found[0]) if np.ndim(batch) == 0 else found

    def efficiency(self, batch: ArrayLike) -> Any:
        """Examples at the reference over examples at B: 1 for linear scaling, 1/(1 + overhead) at B*."""
        return self._linear / (self.steps(batch) * (batch if np.ndim(batch) == 0 else np.asarray(batch, float)))

    @property
    def _linear(self) -> float:
        """Examples that linear scaling costs."""
        return float(self.steps(self.reference) * self.reference) if self.reference else self.c

    def curves(self) -> dict[str, tuple[Floats, Floats]]:
        """Batches and steps to draw: as measured, the fit, and linear scaling from the reference."""
        x = np.geomspace(self.batch.min(), self.batch.max(), 24)
        ends = x[[0, -1]]
        return {
            "measured": (self.batch, self.measured),
            "fit": (x, self.steps(x)),
            "linear": (ends, self._linear / ends),
        }

    @property
    def residuals(self) -> Floats:
        """ln(measured) - ln(fit), shape (m,)."""
        return np.asarray(np.log(self.measured / self.steps(self.batch)))

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know before using B*."""
        least, most, said = self.batch.min(), self.batch.max(), []
        if np.isinf(self.value):
            said.append(f"Up to batch {most:g} steps fall as 1/B: B* lies beyond what was measured.")
        elif not least <= self.value <= most:
            said.append(f"B* lies outside of the batches measured, {least:g} to {most:g}: an extrapolation.")
        if (worst := float(np.abs(np.expm1(self.residuals)).max())) > ROUGH:
            said.append(f"A measured number of steps lies {worst:.0%} off the fit: see whether each batch was tuned.")
        return tuple(said)


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
    different references or overheads cannot be compared. Intervals resample residuals, widened by the degrees of freedom,
    and fit each resample by one step of Gauss and Newton. Raises `InputError` for fewer than 3 batch sizes (4 for "power"), and
    for numbers that are not finite and positive.
    """
    B, T = positive("batch", batch), positive("steps", steps)
    check(B.shape == T.shape, "steps", T.shape, f"of shape {B.shape}", "one for each batch")
    p = FORMS[check_choice("form", form, tuple(FORMS))]
    sizes = sorted({*B.tolist()})
    check(len(sizes) > p, "batch", sizes, f"at least {p + 1} different sizes", "measure more of them")
    check_real("overhead", overhead, 0, 100, "0.2 is the authors'", closed="()")
    check_integer("resamples", resamples, 1, 10**6, "1000 is customary")
    B0 = check_real("reference", B.min() if reference is None else reference, 0, 1e18, "256 is the authors'")
    x, y, m = np.log(B), np.log(T), len(B)

    def theta_of(free: Floats) -> Floats:
        return np.asarray(np.r_[free, 1.0][None, :3])

    limits = np.array([(-60, 100), (-60, 300), ALPHAS][:p]).T
    starts = [np.r_[y.min(), y[0] + alpha * x[0], alpha][:p] for alpha in ((1.0,) if p == 2 else (0.6, 1.0, 1.6))]
    found = [
        least_squares(lambda free: y - _logs(theta_of(free), x)[0], start, bounds=limits, x_scale="jac", **WHOLE)
        for start in starts
    ]
    best = min(found, key=lambda one: one.cost)
    off = (best.fun - best.fun.mean()) * np.sqrt(m / (m - p))
    drawn = off[_random.generator(seed, "critical batch").integers(m, size=(resamples, m))]
    theta = np.repeat(theta_of(best.x), 1 + resamples, 0)
    theta[1:, :p] -= drawn @ np.linalg.pinv(best.jac).T
    theta[:, 2] = np.clip(theta[:, 2], *ALPHAS)
    share = np.exp(theta[:, 0] - _logs(theta, x.max(keepdims=True))[:, 0])
    theta[share < FAINT, 0] = -np.inf
    return CriticalBatch(B, T, B0, overhead, theta)


def steps_to_target(step: ArrayLike, loss: ArrayLike, target: float, *, smooth: int = 1) -> float:
    """The first step at which the loss is down to `target`, interpolated in logarithms of both; nan if it never is.

    `step` (t,) rises from above 0, `loss` (t,) > 0 is measured there; `smooth` averages each with the evaluations before it,
    so many in all. Where the first evaluation is down already, its step is the answer.
    """
    s, values = positive("step", step), positive("loss", loss)
    check(s.shape == values.shape, "loss", values.shape, f"of shape {s.shape}", "one for each step")
    check(bool(np.all(np.diff(s) > 0)), "step", step, "rising", "sort the evaluations, one for each step")
    goal = check_real("target", target, 0, np.inf, "it is a loss", closed="()")
    width = check_integer("smooth", smooth, 1, len(values), "it is a number of evaluations")
    first = np.maximum(np.arange(len(values)) + 1 - width, 0)
    sums = np.r_[0.0, np.cumsum(values)]
    values = (sums[1:] - sums[first]) / (np.arange(len(values)) + 1 - first) if width > 1 else values
    down = np.flatnonzero(values <= goal)
    if not down.size or down[0] == 0:
        return float(s[0]) if down.size else float("nan")
    ends = slice(down[0] - 1, down[0] + 1)
    return float(np.exp(np.interp(-np.log(goal), -np.log(values[ends]), np.log(s[ends]))))


@dataclass(frozen=True)
class PowerLaws:
    """B* = constant D^data N^model, with Student's intervals."""

    constant: float
    data: Estimate | None
    """Exponent of the data; None if it was not varied."""
    model: Estimate | None
    """Exponent of the model's size; None if it was not varied."""

    def predict(self, data: float = 1.0, model: float = 1.0) -> float:
        """B* of another run; what has no exponent does not count."""
        for name, size in (("data", data), ("model", model)):
            check_real(name, size, 0, np.inf, "it is a size", closed="()")
        p, q = (0.0 if one is None else one.value for one in (self.data, self.model))
        return float(self.constant * data**p * model**q)


def batch_scaling(
    data: ArrayLike | None, model: ArrayLike | None, critical: ArrayLike, *, level: float = 0.95
) -> PowerLaws:
    """ln B* = const + p ln D + q ln N by least squares over runs (n,); None leaves an input out.

    Raises `InputError` where D and N vary together, so that nobody can tell p from q, and for fewer runs than constants.
    With as many runs as constants the intervals are infinite.
    """
    check_real("level", level, 0, 1, "0.95 is customary", closed="()")
    y = np.log(positive("critical", critical))
    given = {name: np.log(positive(name, x)) for name, x in (("data", data), ("model", model)) if x is not None}
    for name, x in given.items():
        check(x.shape == y.shape, name, x.shape, f"of shape {y.shape}", "one for each critical batch size")
    centred = np.column_stack([np.ones_like(y), *(x - x.mean() for x in given.values())])
    p = centred.shape[1]
    known = p > 1 and len(y) >= p == np.linalg.matrix_rank(centred, tol=1e-9)
    check(bool(known), "data", list(given), f"inputs that vary apart over {p} runs or more", "None leaves one out")
    (level_, *powers), free = np.linalg.lstsq(centred, y)[0], len(y) - p
    spread = np.sum((y - centred @ np.r_[level_, powers]) ** 2) / free if free else np.inf
    errors = np.sqrt(spread * np.diag(np.linalg.inv(centred.T @ centred))[1:])
    reach = errors * (student.ppf((1 + level) / 2, free) if free else 1.0)
    found = {
        name: Estimate(float(q), (float(q - e), float(q + e)), level, "runs", kind="Student interval")
        for name, q, e in zip(given, powers, reach, strict=True)
    }
    constant = np.exp(level_ - sum(q * x.mean() for q, x in zip(powers, given.values(), strict=True)))
    return PowerLaws(float(constant), found.get("data"), found.get("model"))


def noise_scale(
    small: ArrayLike, large: ArrayLike | None = None, batches: Sequence[float] = (1,), *, blocks: int = 20
) -> Estimate:
    """B_simple = tr Σ / |G|², in examples: a ratio of averages, with an interval over measurements.

    Either the squared lengths of gradients (n,) at two batch sizes, `small` at batches[0] and `large` at batches[1], measured
    together n >= 2 times; or in `small` the gradients themselves (n, p), each the mean over batches[0] examples: one of
    single examples, or one of each worker. Those are taken in `blocks`, each of two or more.

        |G|² = (B2 |G2|² - B1 |G1|²)/(B2 - B1)        tr Σ = (|G1|² - |G2|²)/(1/B1 - 1/B2)

    nan, with an infinite interval, where |G|² is no more than noise. NumPy arrays or CPU tensors, float32 or float64.
    """
    first, second = np.asarray(small, float), np.asarray([] if large is None else large, float)
    sizes = positive("batches", batches).tolist()
    B2 = np.asarray(sizes[-1])
    check_integer("blocks", blocks, 2, None, "20 is customary")
    if first.ndim == 2:
        alone, remedy = large is None and len(sizes) == 1 and len(first) >= 4, "one alone tells no noise from signal"
        check(alone, "small", first.shape, "at least 4 gradients of one batch size", remedy)
        parts = np.array_split(first, min(blocks, len(first) // 2))
        B2 = np.array([sizes[0] * len(part) for part in parts])
        first, second = np.array([(np.square(g).sum(1).mean(), np.square(g.mean(0)).sum()) for g in parts]).T
    else:
        check(len(sizes) == 2 and sizes[0] < sizes[1], "batches", batches, "two rising sizes", "one tells no noise")
    same = first.ndim == 1 and first.shape == second.shape and len(first) >= 2
    check(same, "large", second.shape, f"of shape {first.shape}, two or more", "measure both together, many times")
    for name, one in (("small", first), ("large", second)):
        numbers(name, one, 0, np.inf, "[)", "they are squared lengths")
    signal = (B2 * second - sizes[0] * first) / (B2 - sizes[0])
    noise = (first - second) / (1 / sizes[0] - 1 / B2)

    def ratio(means: Floats) -> float:
        return float(means[1] / means[0]) if means[0] > 0 else float("nan")

    return statistic(ratio, np.stack([signal, noise], axis=1), over="measurements")


def positive(name: str, values: ArrayLike) -> Floats:
    """`values` as a vector of finite numbers > 0. Raises `InputError` naming the argument."""
    array = np.atleast_1d(numbers(name, values, 0, np.inf, "()", "leave out what was not reached"))
    check(array.ndim == 1 and array.size > 0, name, array.shape, "a vector of numbers > 0", "give at least one")
    return array


def _logs(theta: Floats, x: Floats) -> Floats:
    """ln T of each (ln a, ln c, alpha) at ln B, shape (R, m)."""
    return np.logaddexp(theta[:, :1], theta[:, 1:2] - theta[:, 2:] * x)


def _critical(theta: Floats, reference: float, overhead: float) -> Floats:
    """B* of each row; for alpha other than 1 by bisection in ln B, inf beyond 60 of it."""
    a, c, alpha = theta.T
    if np.all(alpha == 1):
        return np.asarray(overhead * np.exp(c - a) + (1 + overhead) * reference)
    start = np.log(max(reference, 1e-6))
    goal = np.log1p(overhead) + start + _logs(theta, np.array([start]))[:, 0]
    low, high = np.full(len(theta), start), np.full(len(theta), start + 60)
    for _ in range(80):
        middle = (low + high) / 2
        over = middle + np.logaddexp(a, c - alpha * middle) > goal
        low, high = np.where(over, low, middle), np.where(over, middle, high)
    return np.where(low > start + 59, np.inf, np.exp(high))

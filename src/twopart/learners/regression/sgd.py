"""SGD on least squares over a fixed training set, many runs at once: w ← w - (η/b) Σ_{k in batch} (<x_k, w> - y_k) x_k.

    w = least_squares_sgd(x, y, learning_rate=0.1, steps=1000, replicates=2000)     # shape (2000, d)

Runs differ in the order of the training points alone:
    replacement     each place of a batch is any of the n points (torch.utils.data.RandomSampler(replacement=True))
    batch-without   a batch holds no point twice; each is drawn afresh
    reshuffle       epochs, each in a new order (DataLoader(shuffle=True), SGDRegressor); the last batch may be smaller
    full            all points at each step: gradient descent

A run's weights stay in the cache of a core while it walks; a batch of runs in one tensor would fetch them all at each step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._checks import check_choice, check_integer
from twopart._numba import REASSOCIATE, inlined, kernel
from twopart._philox import HALF, LOW, Key, philox4x32, philox_key
from twopart.learners.regression.runs import first_weights, like, samples
from twopart.worlds.regression.arrays import step_sizes, steps_at

ORDERS = ("replacement", "batch-without", "reshuffle", "full")


def least_squares_sgd(
    x: Any,
    y: Any,
    *,
    learning_rate: ArrayLike,
    steps: int,
    batch: int = 1,
    order: str = "replacement",
    start: Any = None,
    replicates: int = 1,
    seed: int = 0,
    on_step: Callable[[int, Any], None] | None = None,
    at: Sequence[int] | None = None,
) -> Any:
    """The weights after `steps` steps from `start`, shape (R, d): run r depends on the data, `seed` and r alone.

    `x` (n, d) and `y` (n,) are NumPy arrays or torch tensors, float32 or float64; the result is of the same kind (it is
    computed on the CPU). `learning_rate` is one number or one for each step; `start` (d,) or (R, d), 0 without it.
    `on_step(t, weights)` is called before the first step (t = 0) and after each, or after those in `at`; it must copy what it
    keeps. A rate too large makes weights grow without bound: they become infinite or nan, nothing is raised.
    Raises `InputError` for wrong shapes, ranges and nan.
    """
    rows, answers = samples(x, y)
    check_integer("steps", steps, 0, None, "0 gives the start")
    check_integer("replicates", replicates, 1, None, "it is the number of runs")
    check_choice("order", order, ORDERS)
    most = None if order == "replacement" else len(rows)
    check_integer("batch", batch, 1, most, "a batch without replacement holds no point twice")
    rates = step_sizes("learning_rate", learning_rate, steps).astype(rows.dtype)
    w = first_weights(start, replicates, rows.shape[1], rows.dtype)
    calls = [] if on_step is None else steps_at(at, steps, range(steps + 1))
    walk, done = _walk(rows, answers, batch, order, replicates, philox_key(seed, "least squares sgd")), 0
    for step in calls:
        walk(w, rates[done:step], done)
        done = step
        on_step(step, like(w, x))  # type: ignore[misc]
    walk(w, rates[done:], done)
    return like(w, x)


def _walk(
    x: NDArray[Any], y: NDArray[Any], batch: int, order: str, replicates: int, key: Key
) -> Callable[[NDArray[Any], NDArray[Any], int], None]:
    """A function (w, rates, steps before) that walks all runs on, in place."""
    if order == "full":
        return partial(_full, x, y)
    place = np.tile(np.arange(len(x) if order != "replacement" else batch), (replicates, 1))
    return partial(_sample, x, y, batch, ORDERS.index(order), *key, place)


def _full(x: NDArray[Any], y: NDArray[Any], w: NDArray[Any], rates: NDArray[Any], begin: int) -> None:
    alike = w[:1] if bool((w == w[0]).all()) else w
    for rate in rates:
        alike -= (rate / len(x)) * ((alike @ x.T - y) @ x)
    w[:] = alike


@inlined
def _below(n: int, number: int, run: int, k0: np.uint64, k1: np.uint64) -> Any:
    """The `number`-th draw of a run, one of 0..n-1: each as likely to within n/2^32."""
    word, _, _, _ = philox4x32(np.uint64(number) & LOW, np.uint64(number) >> HALF, np.uint64(run), np.uint64(0), k0, k1)
    return np.int64((word * np.uint64(n)) >> HALF)


@inlined
def _mix(place: NDArray[Any], count: int, number: int, run: int, k0: np.uint64, k1: np.uint64) -> None:
    """Bring `count` places, drawn without replacement, to the front, in random order (Fisher and Yates)."""
    for j in range(count):
        other = j + _below(len(place) - j, number + j, run, k0, k1)
        place[j], place[other] = place[other], place[j]


@partial(kernel, fastmath=REASSOCIATE)
def _sample(
    x: NDArray[Any],
    y: NDArray[Any],
    batch: int,
    order: int,
    k0: np.uint64,
    k1: np.uint64,
    place: NDArray[Any],
    w: NDArray[Any],
    rates: NDArray[Any],
    begin: int,
) -> None:
    (n, d), epoch = x.shape, -(-len(x) // batch)
    push = np.empty(batch, x.dtype)
    for r in range(len(w)):
        for t in range(len(rates)):
            step, first, last = begin + t, 0, batch
            if order == 0:
                for j in range(batch):
                    place[r, j] = _below(n, step * batch + j, r, k0, k1)
            elif order == 1:
                _mix(place[r], batch, step * batch, r, k0, k1)
            else:
                first = (step % epoch) * batch
                last = min(first + batch, n)
                if first == 0:
                    _mix(place[r], n, (step // epoch) * n, r, k0, k1)
            for j in range(first, last):
                i, along = place[r, j], x.dtype.type(0)
                for k in range(d):
                    along += x[i, k] * w[r, k]
                push[j - first] = (along - y[i]) * rates[t] / (last - first)
            for j in range(first, last):
                i, by = place[r, j], push[j - first]
                for k in range(d):
                    w[r, k] -= by * x[i, k]

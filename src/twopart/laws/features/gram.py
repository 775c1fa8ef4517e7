"""The exact law of a patch network on given data: gradient descent as a recursion in inner products, in float64.

Every gradient lies in the span of the training patches, so what filters know of the patches, H = <x_ip, w_r>, obeys a closed
recursion with their Gram matrix K: a step with slopes D is

    C ← C - η D,        H ← H - η K D,        w = w_0 + Σ_ip C_ip x_ip at any time.

A step costs M² F multiplications for N patches, M of them distinct, and F neurons, whatever the dimension d is; in d numbers it
costs 2 N d F. Replacing K by its mean gives the closed forms of the pages of docs/laws on signal and memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from twopart import _random
from twopart._checks import InputError, check, check_integer, check_real
from twopart.laws.features.patch_step import Step

Floats = NDArray[np.float64]
RELU = Step()


@dataclass(frozen=True, eq=False)
class PatchGram:
    """Inner products of the patches of B samples. Equal ones, as of a feature in many points, are one of M distinct patches."""

    products: Floats
    """Of the distinct patches with those of all points in turn, shape (B, M, n P)."""
    place: NDArray[np.int64]
    """Which of the distinct patches each is, shape (B, n, P)."""
    first: NDArray[np.int64]
    """Where each of the distinct patches is first found among the n P, shape (B, M)."""

    @classmethod
    def of(cls, x: Any) -> PatchGram:
        """Of samples x, shape (B, n, P, d). One with fewer distinct patches than others repeats one, which changes nothing."""
        x = np.asarray(x, np.float64)
        check(
            x.ndim == 4 and x.size > 0,
            "x",
            x.shape,
            "of shape (B, n, P, d)",
            "give patches of each point of each sample",
        )
        check(bool(np.isfinite(x).all()), "x", "nan or infinite numbers", "finite", "drop or fill those points")
        rows = x.reshape(len(x), -1, x.shape[-1])
        found = [np.unique(_as_bytes(sample), return_index=True, return_inverse=True)[1:] for sample in rows]
        most = max(len(first) for first, _ in found)
        first = np.stack([np.pad(first, (0, most - len(first)), mode="edge") for first, _ in found])
        distinct = np.take_along_axis(rows, first[..., None], 1)
        return cls(distinct @ rows.mT, np.stack([place for _, place in found]).reshape(x.shape[:3]), first)


def _as_bytes(rows: Floats) -> NDArray[Any]:
    """Rows as single values, equal when their numbers are; 0 and -0 are."""
    rows = np.ascontiguousarray(rows + 0.0)
    return rows.view(np.dtype((np.void, rows.shape[1] * rows.itemsize)))[:, 0]


@dataclass(frozen=True, eq=False)
class GramState:
    """B networks after some steps."""

    step: int
    outputs: Floats
    """f of the points of the last step, before it, shape (B, n)."""
    coefficients: Floats
    """C, what each patch of each point has added to each neuron's weights, shape (B, n, P, F)."""
    second: Floats
    """The second layer v, signs and scale included, shape (B, P or 1, F)."""


def gram_descent(
    patches: PatchGram,
    y: Any,
    start: Any,
    second: Any,
    *,
    rate: float,
    steps: int,
    step: Step = RELU,
    trained: bool = False,
    scale: Any = 1.0,
    order: NDArray[np.int64] | None = None,
    on_step: Callable[[GramState], object] | None = None,
) -> GramState:
    """Gradient descent of B networks, each on its own sample.

    `y` (B, n) are labels in [-1, 1]; `start` (B, n, P, F) the pre-activations of the first weights, <x_ip, w_0>; `second`
    (B, P or 1, F) the second layer, one weight for each neuron or for each of its patches, with signs and scale. It stays, or
    it is `trained`: v = `scale` u, and u descends. `order` (steps, b) names the points of each step, None all of them.
    `on_step(state)` sees every state from step 0 on, and stops descent by answering True; it must copy what it keeps.
    """
    B, n, P = patches.place.shape
    h, v, y = (np.array(part, np.float64) for part in (start, second, y))
    fits = h.shape[:3] == (B, n, P) and v.ndim == 3 and v.shape[::2] == (B, h.shape[-1]) and v.shape[1] in (1, P)
    shapes = f"({B}, {n}, {P}, F), `second` ({B}, {P} or 1, F)"
    check(h.ndim == 4 and fits, "start", (h.shape, v.shape), shapes, "one start for each sample")
    check(
        y.shape == (B, n) and bool((np.abs(y) <= 1).all()), "y", y.shape, f"({B}, {n}) labels in [-1, 1]", "one a point"
    )
    check_real("rate", rate, 0, np.inf, "it is the size of a step", closed="()")
    check_integer("steps", steps, 0, None, "0 leaves the start")
    M, F = patches.products.shape[1], h.shape[-1]
    h = np.take_along_axis(h.reshape(B, n * P, F), patches.first[..., None], 1)  # of distinct patches alone
    place, coefficients, each = patches.place + M * np.arange(B)[:, None, None], np.zeros((B, n, P, F)), np.arange(n)
    every = patches.products.reshape(B, M, n, P)
    square = np.take_along_axis(patches.products, patches.first[:, None], 2)
    alike = csr_array(
        (np.ones(B * n * P), (place.ravel(), np.arange(B * n * P))), (B * M, B * n * P)
    )  # sums equal patches
    for done in range(steps + 1):
        rows = each if order is None else order[min(done, steps - 1)]
        some = len(rows) < n
        f, dh, dv = step(h.reshape(B * M, F)[place[:, rows] if some else place], v, y[:, rows] if some else y, trained)
        if (on_step is not None and on_step(GramState(done, f, coefficients, v))) or done == steps:
            break
        dh *= rate
        if some:
            h -= every[:, :, rows].reshape(B, M, -1) @ dh.reshape(B, -1, F)
        else:
            h -= square @ (alike @ dh.reshape(-1, F)).reshape(B, M, F)
        coefficients[:, rows] -= dh
        if trained:
            v -= rate * scale**2 * (dv if v.shape[1] == P else dv.sum(1, keepdims=True))
    if not np.isfinite(h).all():
        raise InputError(f"`rate` must be small enough to converge, got {rate}; take a smaller one")
    return GramState(done, f, coefficients, v)


def visits(n: int, steps: int, batch: int, seed: int = 0) -> NDArray[np.int64]:
    """The points of each step, shape (steps, batch): every epoch visits all n once, in a fresh random order.

    Where `batch` does not divide n, a step may run over from one epoch to the next, without visiting a point twice.
    """
    check_integer("batch", batch, 1, n, f"there are {n} points")

    def epochs() -> Iterator[NDArray[np.int64]]:
        random, left = _random.generator(seed, "visits"), np.empty(0, np.int64)
        for _ in range(steps):
            if len(left) < batch:
                fresh = random.permutation(n)
                left = np.concatenate([left, fresh[~np.isin(fresh, left)], fresh[np.isin(fresh, left)]])
            yield left[:batch]
            left = left[batch:]

    return np.array(list(epochs()), np.int64).reshape(steps, batch)

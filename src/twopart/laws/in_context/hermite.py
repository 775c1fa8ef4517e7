"""What a nonlinearity does to a standard Gaussian: its Hermite coefficients and its power, for any function."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import ArrayLike, NDArray

from twopart._arrays import Floats, numbers
from twopart._checks import check, check_integer

Function = Callable[[Any], Any]
"""Of NumPy arrays or of torch tensors, entry by entry, such as `np.tanh`, `torch.nn.GELU()` or a lambda."""
CLIP = "clip it where it is large"
REACH, PANELS, NODES = 12, 8, 8  # of the integral, in standard deviations; panels in one of them; nodes in a panel


class Hermite(NamedTuple):
    """Moments of f(ξ + s), ξ ~ N(0, 1); s has shape (...)."""

    coefficients: Floats
    """a_k = E f(ξ + s) He_k(ξ)/√k!, shape (..., order + 1): a_0 is the mean, a_1 the linear part."""
    power: Floats
    """ν = E f(ξ + s)², the sum of all a_k², shape (...)."""


def hermite(f: Function, order: int = 4, *, shift: ArrayLike = 0.0) -> Hermite:
    """Hermite coefficients of `f` up to `order`, and its power, at each `shift` s in [-100, 100].

    By Gauss-Legendre in panels of 1/8: kinks and jumps at 0, 1/2, 1, 3, 6 fall between panels and cost nothing, another kink
    less than 1e-4 of its change of slope. Raises `InputError` for an f of another shape, not finite, or without finite power.
    """
    check_integer("order", order, 1, 100, "0 is the mean, 1 the linear part")
    s = numbers("shift", shift, -100, 100, "[]", "it is in standard deviations")
    low, high = np.floor(s.min()) - REACH, np.ceil(s.max()) + REACH
    x, w = leggauss(NODES)
    left = np.arange(low, high, 1 / PANELS)
    t = (left[:, None] + (x + 1) / (2 * PANELS)).ravel()
    with np.errstate(all="ignore"):
        values = applied(f, t)
    check(bool(np.isfinite(values).all()), "f", "values that are nan or infinite", f"finite on {low:g}..{high:g}", CLIP)
    ξ = t - s[..., None]
    weight = np.tile(w / (2 * PANELS), len(left)) * np.exp(-(ξ**2) / 2) / np.sqrt(2 * np.pi)
    power = (weight * values**2).sum(-1)
    tail = np.where(abs(ξ) > REACH - 1, weight * values**2, 0).sum(-1)
    check(bool(np.all(tail <= 1e-9 * power)), "f", "one that grows too fast", "of finite power E f(ξ)²", CLIP)
    polynomials = [np.ones_like(ξ), ξ]
    for k in range(1, order):
        polynomials.append((ξ * polynomials[k] - np.sqrt(k) * polynomials[k - 1]) / np.sqrt(k + 1))
    return Hermite(np.stack([(weight * values * p).sum(-1) for p in polynomials], axis=-1), power)


def applied(f: Function, x: NDArray[Any]) -> NDArray[Any]:
    """f of an array, in its shape and type; what takes only tensors is given one, torch modules one of their own type."""
    torch: Any = sys.modules.get("torch")  # whoever has a module has loaded it
    check(callable(f), "f", f, "a function of arrays or tensors", "np.tanh is one")
    is_module = torch is not None and isinstance(f, torch.nn.Module)
    try:
        found = None if is_module else np.asarray(f(x))
    except (TypeError, AttributeError):
        if torch is None:
            raise
        found = None
    if found is None:
        like = next(f.parameters(), None) if is_module else None  # type: ignore[attr-defined]
        with torch.no_grad():
            found = f(torch.as_tensor(x) if like is None else torch.as_tensor(x).to(like)).numpy(force=True)
    check(found.shape == x.shape, "f", found.shape, f"one that keeps the shape {x.shape}", "it works entry by entry")
    return np.asarray(found, x.dtype)

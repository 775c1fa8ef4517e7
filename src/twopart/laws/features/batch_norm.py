"""Batch normalisation of a linear model, exactly and in n P numbers: how fast all margins become one, and what that is worth.

The model is f(x) = γ Σ_p <w, x_p>/‖w‖_Σ over P patches, ‖w‖_Σ the root mean square of <w, x_ip> over the N = n P training
patches, without centring; gradient descent on w and γ, logistic loss. All that matters are a_ip = y_i <w, x_ip> and the Gram
matrix G of the y_i x_ip. With s = |a|/√N = ‖w‖_Σ and the margins z = a/s, which lie on the sphere |z|² = N, a step is

    a ← a - η (γ/s) G (g - z (z·g)/N),    γ ← γ - η z·g,    g_ip = -1/(n (1 + exp(γ Σ_q z_iq))).

On the sphere the loss is least at z = 1: uniform margins. Late, with z = 1 + δ and J the sums over the patches of a point,

    P γ = ln(P² η t),    dδ/dγ = -(γ/(n P s²)) Π G (γ J + 1) δ,    Π = 1 - 11ᵀ/N.

For P = 1 that is exp(-Θ(ln³ t)), for more patches exp(-Θ(ln² t)). Source: Cao, Zou, Li, Gu 2023, arXiv 2306.11680, who prove
exp(-Ω(ln² t)) for both; the rates and constants are derived in docs/laws/batch-norm-bias.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp
from scipy.linalg import cholesky, eigvalsh, helmert, solve_triangular
from scipy.optimize import nnls
from scipy.special import ndtr

from twopart._arguments import like
from twopart._arrays import Floats, finite, numbers
from twopart._checks import check, check_integer, check_real
from twopart._numba import REASSOCIATE, kernel

EACH = "give one for each patch of each point, patch by patch within a point"


@dataclass(frozen=True, eq=False)
class Path:
    """A descent at T of its steps, from first to last; leading axes are those of the Gram matrices."""

    step: Floats
    """Shape (T,)."""
    gamma: Floats
    """γ, shape (..., T)."""
    scale: Floats
    """s, shape (..., T)."""
    margins: Floats
    """z, shape (..., T, n, P), |z|² = n P; times the sign of γ they are the model's."""
    loss: Floats
    """The mean logistic loss, shape (..., T)."""


def spread(margins: ArrayLike, axes: int = 1) -> Floats:
    """D = (1/n²) Σ_ik (z_i - z_k)², twice the variance over the last `axes` axes (2: points and patches): 0 if uniform."""
    z = finite("margins", margins, np.shape(margins), EACH)
    check_integer("axes", axes, 1, None, "2 are points and patches")
    check(z.ndim >= axes and z.size > 0, "margins", z.shape, f"of {axes} axes or more, none empty", EACH)
    return np.asarray(2 * z.var(tuple(range(-axes, 0))))


def signed_gram(x: ArrayLike, y: ArrayLike) -> Floats:
    """G of points x, shape (..., n, d) with P = 1 or (..., n, P, d) if y is (..., n): inner products of all y_i x_ip.

    Labels are -1 or 1. Shape (..., n P, n P), float64. Raises `InputError` for other shapes, labels and numbers.
    """
    y = np.asarray(y)
    check(y.ndim >= 1 and bool(np.isin(y, (-1, 1)).all()), "y", y, "labels -1 or 1", "2 * y - 1 of classes 0 and 1")
    form = np.shape(x)
    fits = form[: y.ndim] == y.shape and len(form) - y.ndim in (1, 2) and 0 not in form
    check(fits, "x", form, f"of shape {(*y.shape, 'd')} or {(*y.shape, 'P', 'd')}", "give one point for each label")
    rows = finite("x", x, form, EACH).reshape(*y.shape, -1, form[-1]) * y[..., None, None]
    rows = rows.reshape(*y.shape[:-1], -1, form[-1])
    return np.asarray(rows @ rows.mT)


def margin_path(
    gram: ArrayLike,
    steps: int,
    rate: float,
    margins: ArrayLike,
    gamma: float = 1.0,
    patches: int = 1,
    *,
    normalised: bool = True,
    looks: int = 100,
) -> Path:
    """Gradient descent from a = `margins`, shape (..., n P), of weights whose Gram matrix is `gram`, shape (..., n P, n P).

    `margins` are y_i <w, x_ip>, not yet normalised: their size is s, and the speed is that of `rate`/s². Without
    `normalised` it is plain descent on w, γ fixed, and z is still a/s. About so many `looks` are kept, evenly in the logarithm
    of the step. A step costs (n P)² multiplications; rounding leaves D at about 1e-28. Raises `InputError` for shapes, ranges
    and numbers that do not fit.
    """
    G, n = _gram(gram, patches)
    a = finite("margins", margins, G.shape[:-1], EACH).reshape(-1, G.shape[-1])
    check(bool((np.abs(a).max(-1) > 0).all()), "margins", "all 0", "not all 0", "without length nothing is normalised")
    steps = check_integer("steps", steps, 0, None, "0 looks at the start")
    check_integer("looks", looks, 1, None, "they are spread evenly in the logarithm of the step")
    η = check_real("rate", rate, 0, math.inf, "it is the size of a step", closed="()")
    gamma = check_real("gamma", gamma, -math.inf, math.inf, "1 is usual", closed="()")
    at = np.unique(np.r_[0, np.geomspace(1, steps, looks).round() if steps else 0]).astype(np.int64)
    out = np.empty((len(a), len(at), a.shape[1] + 1))
    for one, (product, start) in enumerate(zip(G.reshape(-1, *G.shape[-2:]), a, strict=True)):
        _descend(product, start.copy(), gamma, η, patches, normalised, at, out[one])
    check(bool(np.isfinite(out).all()), "rate", rate, "small enough for a and γ to stay finite", "take a smaller one")
    end, a = out[..., -1].reshape(*G.shape[:-2], -1), out[..., :-1].reshape(*G.shape[:-2], len(at), n, patches)
    s = np.sqrt(np.square(a).mean((-2, -1)))
    z = a / s[..., None, None]
    f = (end * (1.0 if normalised else s))[..., None] * z.sum(-1)
    return Path(at.astype(float), end, s, z, np.logaddexp(0, -f).mean(-1))


@partial(kernel, fastmath=REASSOCIATE, error_model="numpy")
def _descend(G: Floats, a: Floats, γ: float, η: float, P: int, normalised: bool, at: Any, out: Floats) -> None:
    """`a` and then γ before each of the steps `at`, in the rows of `out`."""
    N, look = len(a), 0
    n, push = N // P, np.empty(N)
    for step in range(at[-1] + 1):
        square = 0.0
        for k in range(N):
            square += a[k] * a[k]
        if step == at[look]:
            for k in range(N):
                out[look, k] = a[k]
            out[look, N] = γ
            look += 1
        s = math.sqrt(square / N) if normalised else 1.0
        pull = 0.0  # z·g
        for i in range(n):
            f = 0.0
            for k in range(i * P, (i + 1) * P):
                f += a[k] / s
            g = -1 / (n * (1 + math.exp(γ * f)))
            for k in range(i * P, (i + 1) * P):
                push[k] = g
            pull += f * g
        if normalised:
            for k in range(N):
                push[k] -= a[k] / s * pull / N
        for k in range(N):
            moved = 0.0
            for other in range(N):
                moved += G[k, other] * push[other]
            a[k] -= η * γ / s * moved
        if normalised:
            γ -= η * pull


def late_gamma(steps: ArrayLike, rate: ArrayLike, patches: int = 1) -> Any:
    """γ = ln(P² η t)/P, to which it comes late, whatever the data: the loss is then 1/(P² η t)."""
    t, η = (numbers(k, v, 0, math.inf, "()", "it is positive") for k, v in (("steps", steps), ("rate", rate)))
    check_integer("patches", patches, 1, None, "P")
    return like((steps, rate), np.log(patches**2 * η * t) / patches)


def exponent(gram: ArrayLike, scale: float, gamma: ArrayLike, patches: int = 1) -> Any:
    """-ln D of the slowest mode, late, as it grows from γ = 0 to `gamma`, from the Gram matrix, shape (n P, n P), and s.

    P = 1: 2 κ (γ³/3 + γ²/2), κ = λ_min(A)/(n s²), A = Π G Π on 1⊥. P >= 2: κ' γ², κ' = λ_min((Qᵀ A⁻¹ Q)⁻¹)/(n P s²), Q a
    basis of what has no sum over a point's patches. Raises `InputError` for dependent patches, shapes and ranges.
    """
    G, n = _gram(gram, patches, independent=True)
    check(len(G) > 1, "gram", np.shape(gram), "of two patches or more", "one margin is uniform")
    unit = len(G) * check_real("scale", scale, 0, math.inf, "it is s, a length", closed="()") ** 2
    γ = numbers("gamma", gamma, 0, math.inf, "[)", "it is |γ|")
    flat = helmert(len(G))
    inner = flat @ G @ flat.T
    if patches == 1:
        return like((gamma,), 2 * eigvalsh(inner)[0] / unit * (γ**3 / 3 + γ**2 / 2))
    Q = flat @ np.kron(np.eye(n), helmert(patches).T)
    return like((gamma,), γ**2 / eigvalsh(Q.T @ np.linalg.solve(inner, Q))[-1] / unit)


def spread_law(
    gram: ArrayLike, gamma_from: float, gamma_to: ArrayLike, scale: float, deviations: ArrayLike, patches: int = 1
) -> Floats:
    """The late law: deviations δ = z - 1, shape (n P,), as they are at γ = `gamma_to` if at `gamma_from` they are `deviations`.

    First order in δ and in e^{-Pγ}, s fixed; solved to 1e-8 of the largest (`gamma_to` rises from `gamma_from`). Shape (n P,),
    or (T, n P) for T of them. Raises `InputError` for shapes, ranges and numbers that do not fit.
    """
    G, n = _gram(gram, patches, independent=False)
    δ = finite("deviations", deviations, (len(G),), EACH)
    low = check_real("gamma_from", gamma_from, 0, math.inf, "take z times the sign of γ, and |γ|", closed="()")
    to = np.atleast_1d(numbers("gamma_to", gamma_to, low, math.inf, "[)", "it rises from `gamma_from`"))
    rising = to.ndim == 1 and to.size > 0 and bool((np.diff(to) > 0).all())
    check(rising, "gamma_to", to, "a number, or rising", "sort them")
    unit = len(G) * check_real("scale", scale, 0, math.inf, "it is s, a length", closed="()") ** 2
    Q = helmert(len(G))
    inner, sums = Q @ G @ Q.T / unit, Q @ np.kron(np.eye(n), np.ones((patches, patches))) @ Q.T
    both, ends = inner @ sums, (low, max(to[-1], low * (1 + 1e-9)))

    def matrix(γ: float, _: Floats) -> Floats:
        return np.asarray(-γ * (γ * both + inner))

    size = float(np.abs(δ).max()) or 1.0
    found = solve_ivp(lambda γ, v: matrix(γ, v) @ v, ends, Q @ δ, "LSODA", to, rtol=1e-8, atol=1e-15 * size, jac=matrix)
    late = found.y.T @ Q
    return np.asarray(late[0] if np.ndim(gamma_to) == 0 else late)


class Both(NamedTuple):
    """Of both limits."""

    uniform: Any
    """With batch normalisation: the margins of all patches are equal."""
    maximum: Any
    """Without: the least margin of the points' sums over patches is as large as can be."""


def limits(gram: ArrayLike, patches: int = 1) -> Both:
    """Where w ends, as coefficients c_ip of w = Σ c_ip y_i x_ip, shape (n P,), from the Gram matrix, shape (n P, n P).

    Uniform: G⁻¹ 1. Maximum: exactly, by nonnegative least squares; its least margin is 1. Raises `InputError` for dependent
    patches, whose margins cannot be chosen.
    """
    G, n = _gram(gram, patches, independent=True)
    root = cholesky(G.reshape(n, patches, n, patches).sum((1, 3)))  # upper: K = RᵀR of the points' sums
    dual, _ = nnls(root, solve_triangular(root, np.ones(n), trans="T"))
    return Both(np.linalg.solve(G, np.ones(len(G))), np.repeat(dual, patches))


def shift_errors(strengths: ArrayLike, kept: ArrayLike, points: int, dimension: int, noise: float = 1.0) -> Both:
    """The test error of both limits where only the patches `kept` hold their signal; all patches hold noise.

    A patch p, of `dimension` d numbers, is y μ_p e_p and noise of deviation σ = `noise`, orthogonal to all e; `strengths` are
    the μ_p, shape (..., P), `kept` booleans (P,). With X = σ² (d - P) the weights are Σ c_p y_i x_ip, c_p = 1/(n μ_p² + X)
    where margins are uniform, one c where largest; the error is Φ(-k), k = √n Σ_kept μ_p² c_p/(σ √(P X Σ c_p²)).
    It takes noise patches to be orthogonal: good to about √(n P/d). Raises `InputError` for ranges and shapes.
    """
    μ = np.atleast_1d(numbers("strengths", strengths, 0, math.inf, "[)", "they are lengths"))
    there = np.asarray(kept)
    check(there.dtype == bool and there.shape == μ.shape[-1:], "kept", kept, f"{μ.shape[-1]} booleans", "one a patch")
    P, n = μ.shape[-1], check_integer("points", points, 1, None, "n")
    d = check_integer("dimension", dimension, P + 1, None, "noise needs a coordinate")
    σ = check_real("noise", noise, 0, math.inf, "without noise nothing errs", closed="()")
    X, errors = σ**2 * (d - P), []
    for c in (1 / (n * μ**2 + X), np.ones_like(μ)):
        signal, size = (μ**2 * c * there).sum(-1), np.sqrt(P * X * np.square(c).sum(-1))
        errors.append(like((μ[..., 0],), ndtr(-math.sqrt(n) * signal / (σ * size))))
    return Both(*errors)


def _gram(gram: ArrayLike, patches: int, independent: bool | None = None) -> tuple[Floats, int]:
    """Matrices as float64, and n; one alone where it matters whether patches are independent."""
    form, remedy = np.shape(gram), "inner products of the y_i x_ip: see `signed_gram`"
    fits = 0 not in form and (len(form) == 2 or (len(form) > 2 and independent is None))
    check(fits, "gram", form, "of shape (n P, n P)", remedy)
    check_integer("patches", patches, 1, form[-1], "it is P, of n P patches")
    check(form[-1] % patches == 0, "patches", patches, f"a divisor of {form[-1]}, the patches of all points", "it is P")
    G = finite("gram", gram, (*form[:-1], form[-2]), remedy)
    even = bool(np.allclose(G, G.mT, rtol=1e-6, atol=1e-6 * float(np.abs(G).max())))
    check(even, "gram", "one that is not symmetric", "symmetric", remedy)
    if independent:
        least, most = eigvalsh(G)[[0, -1]]
        given = f"a least eigenvalue of {least:.1e}"
        check(least > 1e-10 * most, "gram", given, "positive", "take fewer points, or a larger d")
    return np.ascontiguousarray(G), form[-1] // patches

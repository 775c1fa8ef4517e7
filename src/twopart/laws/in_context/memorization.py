"""What a ridge probe of attention's features memorises of its context's labels.

    law = memorization_law(np.tanh, ratio=0.5, ridge=[0.1, 1.0], signal=2.0, dimension=256)
    law.memorization, law.saturation                # mean squared error on the tokens that were fitted; when to trust it
    ridge_law(0.5, [0.1, 1.0], signal=2.0)          # the error of ridge on the tokens themselves
    activation_report(torch.nn.GELU())              # all about one nonlinearity, at equal power of features too

Tokens X = μ y' + Z (p, n), Z ~ N(0, 1), y = ±1; features A = X K, K = f(X' W X/√p)/√p entry by entry without its diagonal,
W = I + w_K w_Q'; a probe (A A' + nγ)^-1 A y. c = p/n stays, p is large. Source of the question: Liao et al. 2025, arXiv
2506.18656; all is derived in docs/laws/in-context-memorization.md. Arguments broadcast; `InputError` refuses ranges and nan.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._arrays import Floats, finite, numbers
from twopart._checks import check, check_choice, check_real
from twopart.laws.in_context.hermite import Function, Hermite, applied, hermite

Complex = NDArray[np.complex128]
RATIO = "it is p/n, dimensions over tokens"
SWAP = np.array([[0.0, 0, 1], [0, 0, 0], [1, 0, 0]])
STEP = 1e-20  # a derivative is the imaginary part of what a step along i does: no difference is taken
NEAR, SETTLED = 1e-3, 1e-11  # the relative change from which on steps are Newton's, and that of the last
MOST, NEWTON = 100_000, 30  # steps


class MemorizationLaw(NamedTuple):
    """Arrays of the arguments' common shape."""

    memorization: Floats
    """|y - A' w|²/n, the mean squared error of the probe's answers to the labels ±1 that were fitted."""
    saturation: Floats
    """S = (|μ|² + μ'w_K μ'w_Q)/√p: so far tokens of one class move f's argument. A law that is not saturated needs S << 1."""


def memorization_law(
    f: Function, ratio: ArrayLike, ridge: ArrayLike, signal: ArrayLike = 0.0, *, gram: ArrayLike | None = None,
    dimension: int | None = None, saturated: bool | None = None,
    labels: Literal["true", "random"] = "true", diagonal: Literal["removed", "kept"] = "removed",
) -> MemorizationLaw:  # fmt: skip
    """Error of the probe on features of attention by `f`, whose mean E f(ξ) is taken off.

    `ratio` is c = p/n, `ridge` γ, and `signal` |μ| with W = I; or `gram`, (..., 3, 3), has all inner products of μ, w_K, w_Q.
    With a `dimension` p the law for an f that is odd, but for its mean, is `saturated`: it keeps what a signal does to f at
    finite p. Otherwise it is the limit. `labels` may be random instead: all that a signal does is then to saturate f. A
    `diagonal` that is kept needs the dimension.
    """
    check_choice("diagonal", diagonal, ("removed", "kept"))
    check_choice("labels", labels, ("true", "random"))
    p = check_real("dimension", inf if dimension is None else dimension, 1, inf, "it is the length of a token")
    check(p < inf or not (saturated or diagonal == "kept"), "dimension", None, "given here", "they are of finite p")
    mean, t = hermite(f, 1).coefficients[0], np.linspace(0, 8, 257)[1:]
    up, down = applied(f, t), applied(f, -t)
    odd = bool(np.abs(up + down - 2 * mean).max() <= 1e-6 * np.abs(up).max())  # but for its mean, to six digits
    check(odd or not saturated, "saturated", saturated, "False where f is not odd", "its slope hangs on both labels")
    saturate = odd and p < inf if saturated is None else saturated
    shape, c, γ, g = _setting(ratio, ridge, signal, gram)
    B = _frame(g)[1]
    shift = B[:, 0, 0] / np.sqrt(p)
    at = hermite(f, 1, shift=shift if saturate else 0 * shift)
    a = at.coefficients[:, 1]
    noise = at.power - (at.coefficients**2).sum(-1)  # of f, beside its linear part
    κ = (applied(f, np.array([np.sqrt(p)]))[0] - mean) / np.sqrt(p) if diagonal == "kept" else 0.0
    low = B * a[:, None, None]
    if saturate:
        low[:, 0, 0] = (at.coefficients[:, 0] - mean) * np.sqrt(p)
    if labels == "random":
        g, low = 0 * g, 0 * low
    error = _error(c, γ, g, a, np.full_like(c, κ), noise / c, low)
    return MemorizationLaw(error.reshape(shape), shift.reshape(shape))


def ridge_law(ratio: ArrayLike, ridge: ArrayLike, signal: ArrayLike = 0.0) -> Floats:
    """Error of ridge on the tokens themselves, (X X' + nγ)^-1 X y, of the common shape: attention whose K is the identity."""
    shape, c, γ, g = _setting(ratio, ridge, signal, None)
    none = np.zeros_like(c)
    return _error(c, γ, g, none, none + 1, none, np.zeros((len(c), 4, 4))).reshape(shape)


def feature_power(f: Function, ratio: ArrayLike) -> Floats:
    """tr A A'/n² = ν + a_1²/c without the diagonal, as p grows, shape (...); that of the tokens, tr X X'/n², is c."""
    moments, c = hermite(f, 1), numbers("ratio", ratio, 0, inf, remedy=RATIO)
    mean, linear = moments.coefficients
    return np.asarray(moments.power - mean**2 + linear**2 / c)


@dataclass(frozen=True)
class ActivationReport:
    """What the law says of one nonlinearity, at one setting."""

    moments: Hermite
    """a_0, ..., a_4 and ν."""
    linear_share: float
    """a_1²/(ν - a_0²): 1 for a linear f; at 0 the signal is not seen."""
    law: MemorizationLaw
    equal_power: MemorizationLaw
    """The same with features rescaled to the tokens' power, tr A A' = tr X X'."""
    ridge: float
    """The error of ridge on the tokens."""


def activation_report(
    f: Function, ratio: float = 0.5, ridge: float = 0.1, signal: float = 0.0, *, dimension: int | None = None
) -> ActivationReport:
    """How much attention by `f` memorises beside ridge, without a simulation."""
    moments = hermite(f)
    share = float(moments.coefficients[1] ** 2 / (moments.power - moments.coefficients[0] ** 2))
    scales = np.array([1.0, feature_power(f, ratio) / ratio])
    law = memorization_law(f, ratio, ridge * scales, signal, dimension=dimension)
    own, equal = (MemorizationLaw(*(v[i] for v in law)) for i in (0, 1))
    return ActivationReport(moments, share, own, equal, float(ridge_law(ratio, ridge, signal)))


def _error(c: Floats, γ: Floats, g: Floats, a: Floats, κ: Floats, b2: Floats, low: Floats) -> Floats:
    """γ² y'Q²y/n in N settings: the derivative of y'Qy/n, the signal standing about the noise in a frame (N, 4, 4)."""
    A0, A1 = np.zeros((len(c), 3, 3), complex), np.zeros((len(c), 3, 3))
    A0[:, 0, 0], A0[:, 0, 2], A0[:, 2, 0], A0[:, 1, 2], A0[:, 2, 1] = γ * (1 + 1j * STEP), κ - a, κ - a, -1, -1
    A1[:, 1, 1], A1[:, 0, 2], A1[:, 2, 0] = 1, a / c, a / c
    G = _fixed_point(A0, A1, c[:, None, None], b2[:, None, None])
    H = np.linalg.solve(np.eye(3) + G @ A1, G)
    C = np.zeros((len(c), 3, 4, 3, 4))
    C[:, 2, :, 0, :], C[:, 0, :, 2, :], C[:, 1, :, 1, :] = low, low.mT, c[:, None, None] * _frame(g)[0]
    inner = np.zeros((2, len(c), 4, 4))
    inner[0, :, 0, 0], inner[1, :, 1:, 1:] = 1, g
    T = np.einsum("nij,nkl->nikjl", G, inner[0]) + np.einsum("nij,nkl->nikjl", H, inner[1])
    T = T.reshape(-1, 12, 12) / c[:, None, None]
    M = T @ np.linalg.inv(np.eye(12) + C.reshape(T.shape) @ T)
    return np.asarray(-γ * c * M[:, 0, 0].imag / STEP)


def _fixed_point(A0: Complex, A1: Floats, c: Floats, b2: Floats) -> Complex:
    """G = [A_0 + c A_1 (1 + G A_1)^-1 - b² P G P]^-1: halfway steps from far, all real, then Newton's."""
    G: Any = np.eye(3) * np.stack([1 / A0[:, 0, 0].real, 0 * c[:, 0, 0] + 1, 0 * c[:, 0, 0] - 1], -1)[:, None, :]
    for _ in range(MOST):
        _, new = _halves(G, A0.real, A1, c, b2)
        gap, G = _change(new, G), (G + new) / 2
        if gap < NEAR:
            break
    G = G + 0 * A0
    for _ in range(NEWTON):
        L, new = _halves(G, A0, A1, c, b2)
        if max(_change(new.real, G.real), _change(new.imag, G.imag)) < SETTLED:
            return np.asarray(new)
        slope = c[..., None, None] * _kron(new @ L, L @ new) + b2[..., None, None] * _kron(new @ SWAP, SWAP @ new)
        rest = np.eye(9) - slope.reshape(-1, 9, 9)
        G = G + np.linalg.solve(rest, (new - G).reshape(-1, 9, 1)).reshape(G.shape)
    raise RuntimeError(f"the fixed point has not settled: {gap:.1e} after {MOST} steps and {NEWTON} of Newton's")


def _halves(G: Any, A0: Any, A1: Any, c: Floats, b2: Floats) -> tuple[Any, Any]:
    """L = A_1 (1 + G A_1)^-1, and what the equation makes of G."""
    L = A1 @ np.linalg.inv(np.eye(3) + G @ A1)
    return L, np.linalg.inv(A0 + c * L - b2 * SWAP @ G @ SWAP)


def _change(new: Floats, old: Floats) -> float:
    """The largest change of an entry, relative to the largest entry of its matrix."""
    size = np.abs(new).max((-2, -1))
    return float((np.abs(new - old).max((-2, -1)) / np.where(size > 0, size, 1)).max())


def _kron(A: Complex, B: Complex) -> Complex:
    """What X ↦ A X B does to the entries of X, (..., 3, 3, 3, 3)."""
    return np.asarray(np.einsum("...ij,...lk->...ikjl", A, B))


def _setting(
    ratio: ArrayLike, ridge: ArrayLike, signal: ArrayLike, gram: ArrayLike | None
) -> tuple[tuple[int, ...], Floats, Floats, Floats]:
    """The common shape, then c (N,), γ (N,) and the Gram matrix of μ, w_K, w_Q (N, 3, 3)."""
    c = numbers("ratio", ratio, 0, inf, remedy=RATIO)
    γ = numbers("ridge", ridge, 0, inf, remedy="without it the probe may have no answer")
    μ2 = numbers("signal", signal, 0, inf, "[)", "it is a length") ** 2
    g = np.multiply.outer(μ2, np.diag([1.0, 0, 0]))
    if gram is not None:
        check(not np.any(μ2), "signal", signal, "left out where `gram` is given", "that has it")
        g = finite("gram", gram, (*np.shape(gram)[:-2], 3, 3), "give the inner products of μ, w_K and w_Q")
        fits = np.allclose(g, g.mT) and np.linalg.eigvalsh(g).min() >= -1e-8 * max(1.0, np.abs(g).max())
        check(bool(fits), "gram", g.tolist(), "symmetric and without negative eigenvalues", "V @ V.T of three rows is")
    shapes = {"ratio": c.shape, "ridge": γ.shape, "signal or gram": g.shape[:-2]}
    try:
        shape = np.broadcast_shapes(*shapes.values())
    except ValueError:
        check(False, "ridge", shapes, "of a shape that broadcasts with the others", "give one of them as a column")
    c, γ = (np.broadcast_to(v, shape).ravel() for v in (c, γ))
    return shape, c, γ, np.broadcast_to(g, (*shape, 3, 3)).reshape(-1, 3, 3)


def _frame(g: Floats) -> tuple[Floats, Floats]:
    """Of X'X - Z'Z = p U E U' and X'W X - Z'Z = p U B U', U = [y, Z'μ, Z'w_K, Z'w_Q]/√p: E and B, (N, 4, 4)."""
    E, k, q = (np.zeros((len(g), *shape)) for shape in ((4, 4), (4,), (4,)))
    E[:, 0, 0], E[:, 0, 1], E[:, 1, 0] = g[:, 0, 0], 1, 1
    k[:, 0], k[:, 2], q[:, 0], q[:, 3] = g[:, 0, 1], 1, g[:, 0, 2], 1
    return E, E + k[:, :, None] * q[:, None, :]

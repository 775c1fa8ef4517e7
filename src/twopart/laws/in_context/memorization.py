"""In-context memorisation by attention without softmax: how well a ridge probe of its features fits the labels it was given.

    law = memorization_law(np.tanh, ratio=0.5, ridge=[0.1, 1.0], signal=2.0, dimension=256)
    law.memorization, law.generalization            # mean squared errors on the same tokens and on fresh ones
    ridge_law(0.5, [0.1, 1.0], signal=2.0)          # the same for ridge on the tokens themselves
    activation_report(torch.nn.GELU())              # all about one nonlinearity, at equal power of features too

Tokens X = μ y' + Z (p, n), Z ~ N(0, 1), y = ±1; features A = X K, K = f(X' W X/√p)/√p entry by entry without its diagonal,
W = I + w_K w_Q'; a probe (A A' + nγ)^-1 A y. c = p/n stays, p is large. Source of the question: Liao et al. 2025,
arXiv 2506.18656; fixed point, signal, saturation and fresh tokens are derived in docs/laws/in-context-memorization.md.
Arguments broadcast, and `InputError` is raised for wrong ranges, shapes and nan.
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

Diagonal = Literal["removed", "kept"]
Complex = NDArray[np.complex128]
SWAP = np.array([[0.0, 0, 1], [0, 0, 0], [1, 0, 0]])
STEP = 1e-20  # a derivative is the imaginary part of what a step along i does: no difference is taken
NEAR, SETTLED, MOST = 1e-3, 1e-11, 100_000  # where Newton begins; relative change at the end; steps


class MemorizationLaw(NamedTuple):
    """Mean squared errors of the probe's answers to labels ±1: arrays of the arguments' common shape."""

    memorization: Floats
    """|y - A' w|²/n, on the tokens that were fitted."""
    generalization: Floats
    """On a fresh token that attends to these."""
    saturation: Floats
    """S = (|μ|² + μ'w_K μ'w_Q)/√p: by so much tokens of one class move f's argument. Where the law is not saturated it is good
    only for S << 1; 0 in the limit, and for ridge."""


def memorization_law(
    f: Function,
    ratio: ArrayLike,
    ridge: ArrayLike,
    signal: ArrayLike = 0.0,
    *,
    gram: ArrayLike | None = None,
    dimension: int | None = None,
    saturated: bool | None = None,
    diagonal: Diagonal = "removed",
) -> MemorizationLaw:
    """Errors of the probe on features of attention by `f`, whose mean E f(ξ) is taken off.

    `ratio` is c = p/n, `ridge` γ, and `signal` |μ| with W = I; or `gram`, (..., 3, 3), has all inner products of μ, w_K, w_Q.
    With a `dimension` p the law for an f that is odd, but for its mean, is `saturated`: it keeps what a signal does to f at
    finite p. Otherwise it is the limit. A `diagonal` that is kept needs the dimension.
    """
    check_choice("diagonal", diagonal, ("removed", "kept"))
    p = check_real("dimension", inf if dimension is None else dimension, 1, inf, "it is the length of a token")
    check(p < inf or not (saturated or diagonal == "kept"), "dimension", None, "given here", "they are of finite p")
    whole = hermite(f, 1)
    odd = _is_odd(f, whole)
    check(odd or not saturated, "saturated", saturated, "False where f is not odd", "its slope hangs on both labels there")
    saturate = (odd and p < inf) if saturated is None else saturated
    shape, c, γ, g = _setting(ratio, ridge, signal, gram)
    moved = g[:, 0, 0] + g[:, 0, 1] * g[:, 0, 2]
    at = hermite(f, 1, shift=moved / np.sqrt(p)) if saturate else whole
    a = np.broadcast_to(at.coefficients[..., 1], c.shape)
    noise = np.broadcast_to(at.power - (at.coefficients**2).sum(-1), c.shape)  # of f, beside its linear part
    κ = (applied(f, np.array([np.sqrt(p)]))[0] - whole.coefficients[0]) / np.sqrt(p) if diagonal == "kept" else 0.0
    low = _outer(g) * a[:, None, None]
    if saturate:
        low[:, 0, 0] = (at.coefficients[:, 0] - whole.coefficients[0]) * np.sqrt(p)
    parts = _probe(c, γ, g, a, np.full_like(c, κ), noise / c, low, answers=2)
    k, q = (_dot(side, parts.seen) for side in _sides(g))
    spread = a**2 * (2 * k * q + g[:, 2, 2] * k**2 - parts.by_power / c) - noise * parts.by_size
    fresh = (1 - _dot(low[:, :, 0], parts.seen)) ** 2 + spread
    return MemorizationLaw(*(v.reshape(shape) for v in (parts.error, fresh, moved / np.sqrt(p))))


def ridge_law(ratio: ArrayLike, ridge: ArrayLike, signal: ArrayLike = 0.0) -> MemorizationLaw:
    """Errors of ridge regression on the tokens themselves, (X X' + nγ)^-1 X y: attention whose K is the identity."""
    shape, c, γ, g = _setting(ratio, ridge, signal, None)
    none = np.zeros_like(c)
    parts = _probe(c, γ, g, none, none + 1, none, np.zeros((len(c), 4, 4)), answers=0)
    fresh = (1 - c * _dot(_means(g)[:, 0], parts.seen)) ** 2 - c * parts.by_power
    return MemorizationLaw(*(v.reshape(shape) for v in (parts.error, fresh, none)))


def feature_power(f: Function, ratio: ArrayLike) -> Floats:
    """tr A A'/n² = ν + a_1²/c without the diagonal, as p grows, shape (...); that of the tokens, tr X X'/n², is c."""
    moments, c = hermite(f, 1), numbers("ratio", ratio, 0, inf, remedy=RATIO)
    mean, linear = moments.coefficients
    return np.asarray(moments.power - mean**2 + linear**2 / c)


@dataclass(frozen=True)
class ActivationReport:
    """What the law says of one nonlinearity, at one setting."""

    moments: Hermite
    """a_0, ..., a_4 and ν; the mean a_0 is taken off."""
    linear_share: float
    """a_1²/(ν - a_0²): 1 for a linear f; at 0 the signal is not seen."""
    law: MemorizationLaw
    """Of its features; saturated where it is odd."""
    equal_power: MemorizationLaw
    """The same with features rescaled to the tokens' power, tr A A' = tr X X'."""
    ridge: MemorizationLaw
    """Of ridge on the tokens."""


def activation_report(
    f: Function, ratio: float = 0.5, ridge: float = 0.1, signal: float = 0.0, *, dimension: int | None = None
) -> ActivationReport:
    """How much attention by `f` memorises and generalises beside ridge, without a simulation."""
    moments = hermite(f)
    size = moments.power - moments.coefficients[0] ** 2
    law = memorization_law(f, ratio, [ridge, ridge * feature_power(f, ratio) / ratio], signal, dimension=dimension)
    own, equal = (MemorizationLaw(*(v[i] for v in law)) for i in (0, 1))
    return ActivationReport(
        moments, float(moments.coefficients[1] ** 2 / size), own, equal, ridge_law(ratio, ridge, signal)
    )


RATIO = "it is p/n, dimensions over tokens"


class _Parts(NamedTuple):
    """What the resolvent says of the probe, N settings at once."""

    error: Floats
    """γ² y'Q²y/n."""
    seen: Floats
    """U'V U e_1, (N, 4): V the block of the resolvent that makes answers of labels."""
    by_size: Floats
    """Minus (p/n) y'V'V y/p."""
    by_power: Floats
    """Minus y'V'(X'X/n)V y/p."""


def _probe(
    c: Floats, γ: Floats, g: Floats, a: Floats, κ: Floats, b2: Floats, low: Floats, *, answers: int
) -> _Parts:
    """Signal in the frame U = [y, Z'μ, Z'w_K, Z'w_Q]/√p about the noise; three derivatives, in γ and in two quadratic forms."""
    N, means = len(c), c[:, None, None] * _means(g)
    A0, A1 = np.zeros((2, 3, N, 3, 3), complex)  # axis 0: along which the derivative is taken
    A0[..., 0, 0], A0[..., 0, 2], A0[..., 2, 0], A0[..., 1, 2], A0[..., 2, 1] = γ, κ - a, κ - a, -1, -1
    A1[..., 1, 1], A1[..., 0, 2], A1[..., 2, 0] = 1, a / c, a / c
    C = np.zeros((3, N, 3, 4, 3, 4), complex)
    C[..., 2, :, 0, :], C[..., 0, :, 2, :], C[..., 1, :, 1, :] = low, low.mT, means
    A0[0, :, 0, 0] += 1j * STEP * γ
    A0[1, :, answers, answers] += 1j * STEP
    A1[2, :, answers, answers] += 1j * STEP
    C[2, :, answers, :, answers, :] += 1j * STEP * means
    G = _fixed_point(A0, A1, c[:, None, None], b2[:, None, None])
    H = np.linalg.solve(np.eye(3) + G @ A1, G)
    inner = np.zeros((2, N, 4, 4))
    inner[0, :, 0, 0], inner[1, :, 1:, 1:] = 1, g
    T = np.einsum("xnij,nkl->xnikjl", G, inner[0]) + np.einsum("xnij,nkl->xnikjl", H, inner[1])
    T = T.reshape(3, N, 12, 12) / c[:, None, None]
    M = (T @ np.linalg.inv(np.eye(12) + C.reshape(T.shape) @ T)).reshape(C.shape)
    slope = M[:, :, 0, 0, 0, 0].imag / STEP
    return _Parts(-γ * c * slope[0], M[0, :, answers, :, 0, 0].real, slope[1], slope[2])


def _fixed_point(A0: Complex, A1: Complex, c: Floats, b2: Floats) -> Complex:
    """G = [A_0 + c A_1 (1 + G A_1)^-1 - b² P G P]^-1: halfway steps from far, Newton's from near."""
    one = np.eye(3)
    G = np.zeros_like(A0)
    G[..., 0, 0], G[..., 1, 1], G[..., 2, 2] = 1 / A0[0, :, 0, 0].real, 1, -1
    for _ in range(MOST):
        L = A1 @ np.linalg.inv(one + G @ A1)
        new = np.linalg.inv(A0 + c * L - b2 * SWAP @ G @ SWAP)
        gap = np.maximum(_change(new.real, G.real), _change(new.imag, G.imag))
        if gap.max() < SETTLED:
            return new
        near = bool(_change(new.real, G.real).max() < NEAR)
        move = (new - G) / 2
        if near:
            slope = c[..., None, None] * _kron(new @ L, L @ new) + b2[..., None, None] * _kron(new @ SWAP, SWAP @ new)
            rest = np.eye(9) - slope.reshape(*G.shape[:-2], 9, 9)
            move = np.linalg.solve(rest, (new - G).reshape(*G.shape[:-2], 9, 1)).reshape(G.shape)
        G = G + move
    raise RuntimeError(f"the fixed point has not settled after {MOST} steps: {gap.max():.1e}")


def _change(new: Floats, old: Floats) -> Floats:
    """The largest change of an entry, relative to the largest entry, for each matrix."""
    size = np.abs(new).max((-2, -1))
    return np.asarray(np.abs(new - old).max((-2, -1)) / np.where(size > 0, size, 1))


def _kron(A: Complex, B: Complex) -> Complex:
    """What X ↦ A X B does to the entries of X, (..., 3, 3, 3, 3)."""
    return np.asarray(np.einsum("...ij,...lk->...ikjl", A, B))


def _setting(
    ratio: ArrayLike, ridge: ArrayLike, signal: ArrayLike, gram: ArrayLike | None
) -> tuple[tuple[int, ...], Floats, Floats, Floats]:
    """The common shape, then c (N,), γ (N,) and the Gram matrix of μ, w_K, w_Q (N, 3, 3)."""
    c = numbers("ratio", ratio, 0, inf, remedy=RATIO)
    γ = numbers("ridge", ridge, 0, inf, remedy="without it the probe may have no answer")
    size = numbers("signal", signal, 0, inf, "[)", "it is a length")
    g = np.zeros((*size.shape, 3, 3))
    g[..., 0, 0] = size**2
    if gram is not None:
        g = finite("gram", gram, (*np.shape(gram)[:-2], 3, 3), "give the inner products of μ, w_K and w_Q")
        least = float(np.linalg.eigvalsh(g).min())
        fits = least >= -1e-8 * max(1.0, float(np.abs(g).max())) and np.allclose(g, g.mT)
        check(fits, "gram", g.tolist(), "symmetric and without negative eigenvalues", "V @ V.T of three rows is")
        check(not np.any(size), "signal", signal, "left out where `gram` is given", "that has it")
    shape = np.broadcast_shapes(c.shape, γ.shape, g.shape[:-2])
    flat = [np.broadcast_to(v, shape).ravel() for v in (c, γ)]
    return shape, flat[0], flat[1], np.broadcast_to(g, (*shape, 3, 3)).reshape(-1, 3, 3)


def _sides(g: Floats) -> tuple[Floats, Floats]:
    """k and q, (N, 4): X'w_K = √p U k, X'w_Q = √p U q."""
    none, one = np.zeros(len(g)), np.ones(len(g))
    return np.stack([g[:, 0, 1], none, one, none], -1), np.stack([g[:, 0, 2], none, none, one], -1)


def _means(g: Floats) -> Floats:
    """X'X - Z'Z = p U E U': E, (N, 4, 4)."""
    E = np.zeros((len(g), 4, 4))
    E[:, 0, 0], E[:, 0, 1], E[:, 1, 0] = g[:, 0, 0], 1, 1
    return E


def _outer(g: Floats) -> Floats:
    """X'W X - Z'Z = p U B U': B, (N, 4, 4)."""
    k, q = _sides(g)
    return _means(g) + k[:, :, None] * q[:, None, :]


def _dot(a: Floats, b: Floats) -> Floats:
    return np.asarray((a * b).sum(-1))


def _is_odd(f: Function, moments: Hermite) -> bool:
    """Whether f less its mean is odd, to six digits."""
    t = np.linspace(0, 8, 257)[1:]
    up, down = applied(f, t), applied(f, -t)
    size = np.sqrt(moments.power - moments.coefficients[0] ** 2)
    return bool(np.abs(up + down - 2 * moments.coefficients[0]).max() <= 1e-6 * max(size, np.abs(up).max()))

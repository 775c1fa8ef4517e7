"""Context hijacking of linear transformers: what L steps of gradient descent say after N copies of one adverse example.

β_0 = c w*, β_{l+1} = β_l + α_l X'(y - X β_l), logit <β_L, x_q>. Derived in docs/laws/context-hijacking.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import erf, gammaincinv, ndtri
from scipy.stats import qmc

from twopart import _random
from twopart._arrays import Floats, finite, numbers
from twopart._checks import check_integer, check_real

S = np.sqrt(2 / np.pi)  # E|g|, what a label ±1 tells of <w, x>
SHUFFLES, POINTS = 8, 2**11  # independent randomisations of the quadrature, whose spread is its error; points of each
Moments = Callable[[float], Floats]


class Chance(NamedTuple):
    """A probability, and the standard error of the quadrature that found it."""

    value: Floats
    error: Floats


class Limits(NamedTuple):
    """Probabilities of a wrong answer as N grows."""

    learned: float
    """The context is fitted exactly: where no layer overshoots, whatever their number."""
    odd: float
    """All of an odd number of layers overshoot."""
    even: float
    """The same of an even number: 1 - odd."""


class Optimum(NamedTuple):
    """What squared loss on n examples makes best."""

    scale: float
    """c, of β_0 = c w*."""
    step: float
    """α, of every layer."""
    loss: float
    """E (y_q - <β_L, x_q>)², labels being ±1."""
    error: float
    """Standard error of `loss` over the draws; 0 where it is in closed form, at one layer."""


def hijack_logits(
    initial: ArrayLike, steps: ArrayLike, query: ArrayLike, hijacker: ArrayLike, tokens: ArrayLike,
    label: ArrayLike = 1.0,
) -> Floats:  # fmt: skip
    """Logits (K, T) of T queries after K numbers of copies of their hijackers, whose label is -`label`.

    `initial` (d,), `steps` (L,) or matrices (L, d, d), `query` and `hijacker` (T, d), `tokens` (K,), `label` (T,) or a number.
    The residual is the same number r of every copy: a layer adds N r x_q'Γx_h to the logit and takes N r x_h'Γx_h from r.
    Raises `InputError`.
    """
    β = finite("initial", initial, (None,), "a vector of d numbers")
    Γ, d = _steps(steps, len(β)), len(β)
    x_q = finite("query", query, (None, d), "one row for each prompt")
    x_h = finite("hijacker", hijacker, x_q.shape, "one for each query")
    N = _tokens(tokens)[:, None]
    y = np.broadcast_to(finite("label", label, np.shape(label) and (len(x_q),), "1 or -1 for each query"), len(x_q))
    r, logit = np.broadcast_to(-y - x_h @ β, (len(N), len(x_q))), x_q @ β
    for layer in Γ:
        moved = x_h @ layer.T if layer.ndim else layer * x_h
        logit = logit + N * (x_q * moved).sum(1) * r
        r = r * (1 - N * (x_h * moved).sum(1))
    return np.asarray(logit + np.zeros(r.shape))


def hijack_error(
    scale: float, steps: ArrayLike, tokens: ArrayLike, *, dimension: int, prior_spread: float = 1.0
) -> Chance:
    """P(logit < 0), shape (K,), over task and pair, for β_0 = `scale` w*, `steps` (L,) and `tokens` (K,) copies; isotropic.

    2^14 Sobol points in five numbers; the sixth, the query's distance b from the boundary, enters the logit linearly and is
    integrated exactly. Raises `InputError`.
    """
    c = check_real("scale", scale, -np.inf, np.inf, "optimal_steps finds one", closed="()")
    α, N, nodes = _steps(steps, None), _tokens(tokens), _nodes(dimension, prior_spread)
    residual = (np.prod(1 - n * α[:, None, None] * nodes.norm, axis=0) for n in N)
    found = np.stack([nodes.wrong(c, 1.0, 1 - left) for left in residual])
    return Chance(found.mean(1), found.std(1, ddof=1) / np.sqrt(SHUFFLES))


def hijack_limits(scale: float, *, dimension: int, prior_spread: float = 1.0) -> Limits:
    """The error's three limits for β_0 = `scale` w*; raises `InputError`."""
    c = check_real("scale", scale, -np.inf, np.inf, "optimal_steps finds one", closed="()")
    nodes = _nodes(dimension, prior_spread)
    return Limits(*(float(nodes.wrong(c, *part).mean()) for part in ((1.0, 1.0), (0.0, 1.0), (0.0, -1.0))))


def optimal_steps(
    context: int, layers: int, *, dimension: int, prior_spread: float = 1.0, draws: int = 2000, seed: int = 0
) -> Optimum:
    """The (c, α) of least squared loss for L layers with equal steps and contexts of n examples.

    Given α the loss is a quadratic of c; α is searched. One layer is in closed form; more are exact but for `draws` of X, whose
    eigenvalues are reused for every α and L. Raises `InputError`.
    """
    moments = _moments(context, layers, dimension, prior_spread, draws, seed)

    def best(log_step: float) -> Optimum:
        wP, wR, PP, PR, RR = moments(α := float(np.exp(log_step)))
        c = float((S * wP - PR).mean() / PP.mean())
        loss = 1 - 2 * S * (c * wP + wR) + c**2 * PP + 2 * c * PR + RR  # 1 - 2 s E<β, w> + E|β|², β = c P w* + R
        return Optimum(c, α, float(loss.mean()), float(loss.std() / np.sqrt(len(loss))))

    grid = np.log(np.geomspace(1e-4, 2, 40) / (context + dimension))  # beyond, one layer overshoots in training
    least = int(np.argmin([best(one).loss for one in grid]))
    ends = grid[max(least - 1, 0)], grid[min(least + 1, len(grid) - 1)]
    found = minimize_scalar(lambda one: best(one).loss, bounds=ends, method="bounded", options={"xatol": 1e-6})
    return best(float(found.x))


class _Nodes(NamedTuple):
    """Draws of a world's task and pair, shapes (SHUFFLES, points / SHUFFLES)."""

    cos: Floats
    """<w, w*>."""
    side: Floats
    """Of w* off w, times x_⊥."""
    across: Floats
    """|x_⊥|²."""
    a: Floats

    @property
    def norm(self) -> Floats:
        """|x_h|²."""
        return self.across + self.a**2

    def wrong(self, c: float, own: float, ρ: Floats | float) -> Floats:
        """P(own <β_0, x_q> + ρ κ (-1 - <β_0, x_h>) < 0) over half-normal b, on which it is linear: A + B b."""
        r = ρ * (-1 - c * (self.side - self.a * self.cos)) / self.norm
        A, B = own * c * self.side + self.across * r, own * c * self.cos - self.a * r
        inside = erf(np.maximum(-A / np.where(B == 0, 1, B), 0) / np.sqrt(2))
        return np.asarray(np.where(B == 0, A < 0, np.where(B > 0, inside, 1 - inside)).mean(-1))


def _nodes(dimension: int, prior_spread: float) -> _Nodes:
    d = check_integer("dimension", dimension, 2, None, "a neighbour needs a direction along the boundary")
    return _all_nodes(d, check_real("prior_spread", prior_spread, 0, np.inf, "1 is the usual one", closed="[)"))


@lru_cache(maxsize=8)
def _all_nodes(d: int, τ: float) -> _Nodes:
    sobol = [qmc.Sobol(5, rng=_random.generator(one, "hijack error")) for one in range(SHUFFLES)]
    u = np.moveaxis(np.clip([one.random(POINTS) for one in sobol], 2**-50, 1 - 2**-50), -1, 0)
    along, side = 1 + τ * ndtri(u[0]) / np.sqrt(d), τ * np.sqrt(_chi_square(d - 1, u[1]) / d)
    cos, g = along / np.hypot(along, side), ndtri(u[2])
    return _Nodes(cos, g * np.sqrt(1 - cos**2), g**2 + _chi_square(d - 2, u[3]), ndtri((1 + u[4]) / 2))


def _chi_square(freedom: int, u: Floats) -> Floats:
    return np.asarray(2 * gammaincinv(freedom / 2, u) if freedom else np.zeros_like(u))


def _moments(n: int, L: int, d: int, τ: float, draws: int, seed: int) -> Moments:
    """<Pw*, w>, <R, w>, |Pw*|², <Pw*, R> and |R|² by α, shape (5, draws), or (5, 1) where they are expectations."""
    check_integer("context", n, 1, None, "it is the number of examples in training")
    check_integer("layers", L, 1, None, "a transformer has one")
    check_integer("draws", draws, 2, None, "2000 are usual")
    m = float(_nodes(d, τ).cos.mean())
    if L == 1:  # P = I - αX'X, R = αX'y

        def one_layer(α: float) -> Floats:
            PP, PR = 1 - 2 * α * n + α**2 * n * (n + d + 1), α * n * m * S * (1 - α * (n + d))
            return np.array([[m * (1 - α * n)], [α * n * S], [PP], [PR], [α**2 * n * (d + (n - 1) * S**2)]])

        return one_layer
    λ, prior, task, told = _spectra(n, d, τ, draws, seed)

    def drawn(α: float) -> Floats:  # P = (1 - αλ)^L, R = α Σ_l (1 - αλ)^l X'y
        powers = (1 - α * λ) ** np.arange(L + 1)[:, None, None]
        P, R = powers[L] * prior, α * powers[:L].sum(0) * told
        return np.stack([(a * b).sum(1) for a, b in ((P, task), (R, task), (P, P), (P, R), (R, R))])

    return drawn


@lru_cache(maxsize=8)
def _spectra(n: int, d: int, τ: float, draws: int, seed: int) -> tuple[Floats, ...]:
    """λ (draws, d), and w*, w and X'y in the eigenvectors' frame."""
    random = _random.generator(seed, "optimal steps")
    prior, x = np.eye(d)[0], random.standard_normal((draws, n, d))
    w = prior + τ / np.sqrt(d) * random.standard_normal((draws, d))
    w /= np.linalg.norm(w, axis=1, keepdims=True)
    told = np.einsum("tnd,tn->td", x, np.sign(np.einsum("tnd,td->tn", x, w)))
    λ, V = np.linalg.eigh(x.swapaxes(1, 2) @ x)
    return λ, V[:, 0], np.einsum("tde,td->te", V, w), np.einsum("tde,td->te", V, told)


def _steps(steps: ArrayLike, d: int | None) -> Floats:
    matrices = d is not None and np.ndim(steps) == 3
    return finite("steps", steps, (None, d, d) if matrices else (None,), "a number, or a matrix, for each layer")


def _tokens(tokens: ArrayLike) -> Floats:
    return finite(
        "tokens", np.atleast_1d(numbers("tokens", tokens, 0, np.inf, "[)", "0 is none")), (None,), "flatten it"
    )

"""Tokenizers: what a linear masked autoencoder codes at which ratio of masking, and what its code's modes cost a score.

Pixels x ~ (0, Σ) are hidden with probability r, each or patch by patch. The best map from what is left is C, and the best code
of k numbers spans the top eigenvectors of

    G_r = (1 - r) Σ ((1 - r) Σ + r D)^-1 Σ,        D = diag Σ, or the blocks of patches:

PCA at r = 0; towards r = 1 variance that pixels share counts squared, a lone pixel's once. Derived in docs/laws/maetok.md.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import softmax

from twopart import _random
from twopart._arguments import like
from twopart._arrays import Floats, finite, numbers
from twopart._checks import check, check_integer, check_real

RATIOS = tuple(i / 20 for i in range(19))
BLOCK = 2000  # points whose Jacobians are held at once


class MaskedCode(NamedTuple):
    """The best linear code of k numbers from pixels that are hidden with probability r; losses are sums over pixels."""

    values: Floats
    """Eigenvalues of G_r, falling, shape (d,)."""
    basis: Floats
    """Its top eigenvectors V, what the decoder spans, shape (d, k)."""
    encoder: Floats
    """V'C, from pixels to code, shape (k, d)."""
    masked: float
    """E|x - V V'C (masked x)|²: what training sees."""
    clean: float
    """The same maps on whole images."""
    tuned: float
    """The encoder kept, the decoder fitted to whole images."""

    def share(self, direction: ArrayLike) -> Floats:
        """How much of directions (d,) or (d, m), in columns, the code spans: 0 to 1, shape () or (m,)."""
        v = finite("direction", direction, (len(self.basis),) + (None,) * (np.ndim(direction) - 1), "as many as pixels")
        return np.asarray(np.square(self.basis.T @ v).sum(0) / np.square(v).sum(0))


def masked_code(covariance: ArrayLike, k: int, ratio: float = 0.0, patches: ArrayLike | None = None) -> MaskedCode:
    """The code of k numbers at a masking ratio r in [0, 1) for pixels of that covariance (d, d), which may be singular.

    `patches` (d,) are labels of pixels that are hidden together; None: each by itself. Exact. Raises `InputError` for what is
    not a covariance and arguments out of range.
    """
    S = finite("covariance", covariance, (len(np.atleast_1d(covariance)),) * 2, "a square matrix")
    least = float(np.linalg.eigvalsh(S)[0]) if np.allclose(S, S.T) else -np.inf
    check(least >= -1e-8 * np.trace(S), "covariance", least, "symmetric and positive semidefinite", "see np.cov")
    check_integer("k", k, 1, len(S), "numbers of a code, at most one a pixel")
    r = check_real("ratio", ratio, 0, 1, "0 hides nothing", closed="[)")
    own = np.arange(len(S)) if patches is None else finite("patches", patches, (len(S),), "a label for each pixel")
    hidden = (1 - r) ** 2 * S + r * (1 - r) * np.where(own[:, None] == own, S, 0)  # covariance of what is left
    C = (1 - r) * S @ np.linalg.pinv(hidden, rcond=1e-10, hermitian=True)
    G = (1 - r) * C @ S
    values, vectors = np.linalg.eigh((G + G.T) / 2)
    V = vectors[:, : -k - 1 : -1]
    E, total = V.T @ C, float(np.trace(S))
    apart = np.eye(len(S)) - V @ E
    code = E @ S
    tuned = total - float(np.trace(code.T @ np.linalg.pinv(code @ E.T, rcond=1e-10, hermitian=True) @ code))
    masked = total - float(values[-k:].sum())
    return MaskedCode(values[::-1], V, E, masked, float(np.einsum("ij,jk,ik->", apart, S, apart)), tuned)


def switch_ratio(signal: ArrayLike, spread: ArrayLike, noise: ArrayLike, lone: ArrayLike) -> Any:
    """r* = (Λ - Λ²/ν)/(Λ - l), above which a direction that m pixels share is coded before a lone pixel of variance ν.

    Λ = λ + noise is its variance and l = λ/m + noise a pixel's, for `signal` λ and `spread` m > 1. 0 where it is first
    anyhow, ν <= Λ; nan where no masking helps, ν >= Λ²/l. Arguments broadcast.
    """
    λ, η, ν = (numbers(name, v, 0, np.inf) for name, v in (("signal", signal), ("noise", noise), ("lone", lone)))
    m, Λ = numbers("spread", spread, 1, np.inf), λ + η
    ℓ = λ / m + η
    found = np.where(ν < Λ**2 / ℓ, np.maximum(Λ - Λ**2 / ν, 0) / (Λ - ℓ), np.nan)
    return like((signal, spread, noise, lone), found)


class MaskPlan(NamedTuple):
    """What enters a code at which ratio of masking, without training."""

    ratios: Floats
    kept: Floats
    """How much of each principal direction, first to last, the code spans, shape (ratios, d)."""
    price: Floats
    """Square error of whole images after decoder tuning over that of PCA, shape (ratios,)."""
    suggested: float
    """The largest ratio whose price is within the budget."""


def suggest_mask(
    images: ArrayLike, k: int, *, patch: int = 1, ratios: ArrayLike = RATIOS, budget: float = 0.1
) -> MaskPlan:
    """What masking makes a linear code of k numbers keep of images (n, channels, height, width), from their covariance alone.

    `patch` is the side of what is hidden together, `budget` by which share the code may be dearer than PCA. Takes time as the
    cube of pixels. Raises `InputError` for sides that patches do not tile.
    """
    x = finite("images", images, (None,) * 4, "(n, channels, height, width)")
    r, (_, _, h, w) = np.atleast_1d(numbers("ratios", ratios, 0, 1, "[)")), x.shape
    p = check_integer("patch", patch, 1, None, "pixels of a side; 1 hides each by itself")
    check(h % p == w % p == 0, "patch", patch, f"a divisor of {h} and {w}", "patches tile images")
    labels = np.broadcast_to(np.arange(h)[:, None] // p * w + np.arange(w) // p, x.shape[1:]).ravel()
    S = np.atleast_2d(np.cov(x.reshape(len(x), -1).T))
    codes, plain = [masked_code(S, k, ratio, labels) for ratio in r], masked_code(S, k)
    check(plain.clean > 1e-12 * np.trace(S), "k", k, "less than the images' rank", "so many numbers code them whole")
    price = np.array([code.tuned for code in codes]) / plain.clean
    within = r[price <= 1 + check_real("budget", budget, 0, np.inf, "0.1 is a tenth dearer")]
    directions = np.linalg.eigh(S)[1][:, ::-1]
    return MaskPlan(r, np.stack([c.share(directions) for c in codes]), price, float(within.max(initial=0)))


class ModeError(NamedTuple):
    """E|ŝ - s|² of the score at a time, its centres found from n points, to first order in 1/n."""

    separated: float
    """e^-2t K d/n, where no mode touches another."""
    likelihood: float
    """tr(J I^-1)/n: centres of maximum likelihood."""
    matching: float
    """tr(J^-1 Γ)/n: centres by denoising score matching at that one time."""
    halves: float
    """By what share halves of the points that the last two were averaged over differ, at most."""


def mode_error(
    centres: ArrayLike, samples: int, t: float, *, pairs: int = 2, points: int = 20_000, seed: int = 0
) -> ModeError:
    """For K equal unit Gaussians at `centres` (K, d), `samples` n and the OU time t, by a mean over `points`.

    I is the information of the centres and J = E[∂s'∂s]. Score matching sees each point with `pairs` draws of noise, each
    with its opposite: Γ is the covariance of its gradient. Raises `InputError` for arguments out of range.
    """
    μ = finite("centres", centres, (None, None), "a row for each mode")
    n = check_integer("samples", samples, 1, None, "points that centres are found from")
    m = check_integer("pairs", pairs, 1, None, "draws of noise and their opposites")
    check_integer("points", points, 2 * μ.size, None, "with fewer the information may be singular")
    time = check_real("t", t, 0, np.inf, "the OU clock's", closed="()")
    a, s, random = np.exp(-time), np.sqrt(-np.expm1(-2 * time)), _random.generator(seed, "modes")
    sums, blocks = np.zeros((2, 3, μ.size, μ.size)), 2 * -(-points // (2 * BLOCK))
    for block in range(blocks):
        x = μ[random.integers(len(μ), size=points // blocks)] + random.standard_normal((points // blocks, μ.shape[1]))
        r, g, _ = _parts(x, μ)
        own, z = (r[..., None] * g).reshape(len(x), -1), random.standard_normal((m, *x.shape))
        gradient = np.zeros_like(own)
        for noise in (*z, *-z):
            r, g, score = _parts(a * x + s * noise, a * μ)
            slope = np.einsum("nki,nkj->nikj", score[:, None] - g, r[..., None] * g)  # of the score's part i by μ_kj
            slope += np.einsum("nk,ij->nikj", r, np.eye(μ.shape[1]))
            slope = a * slope.reshape(len(x), μ.shape[1], -1)
            gradient += np.einsum("ni,nij->nj", score + noise / s, slope) / (2 * m)
            sums[block % 2, 1] += np.tensordot(slope, slope, ((0, 1), (0, 1))) / (2 * m)
        sums[block % 2, 0] += own.T @ own
        sums[block % 2, 2] += gradient.T @ gradient
    whole, *halves = (
        np.array([np.trace(np.linalg.solve(I, J)), np.trace(np.linalg.solve(J, Γ))]) / n
        for I, J, Γ in (sums.sum(0), *sums)
    )
    return ModeError(a**2 * μ.size / n, *whole.tolist(), float(np.abs(halves[0] / halves[1] - 1).max()))


def samples_for(modes: int, dimension: int, nats: float) -> float:
    """Points n at which the reverse SDE of K separate modes is off by that many nats: K d/2n = ∫ e^-2t K d/n dt."""
    K, d = (check_integer(n, v, 1, None, "how many") for n, v in (("modes", modes), ("dimension", dimension)))
    return K * d / 2 / check_real("nats", nats, 0, np.inf, "a divergence", closed="()")


def _parts(x: Floats, centres: Floats) -> tuple[Floats, Floats, Floats]:
    """Of unit modes: responsibilities (n, K), pulls μ_k - x (n, K, d), and the score (n, d)."""
    g = centres - x[:, None]
    r = softmax(-np.square(g).sum(-1) / 2, axis=1)
    return r, g, (r[..., None] * g).sum(1)

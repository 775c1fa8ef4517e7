"""Tokenizers: what a linear masked autoencoder codes at which ratio of masking.

Pixels x ~ (0, Σ) are hidden with probability r, each or patch by patch. The best map from what is left is C, and the best code
of k numbers spans the top eigenvectors of

    G_r = (1 - r) Σ ((1 - r) Σ + r D)^-1 Σ,        D = diag Σ, or the blocks of patches:

PCA at r = 0; towards r = 1 variance that pixels share counts squared, a lone pixel's once. Derived in docs/laws/maetok.md.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from twopart._arguments import like
from twopart._arrays import Floats, finite, numbers
from twopart._checks import check, check_integer, check_real


class MaskedCode(NamedTuple):
    """The best linear code of k numbers from pixels that are hidden with probability r.

    `values` are the eigenvalues of G_r, falling, (d,); `basis` its top eigenvectors V, which the decoder spans, (d, k);
    `encoder` V'C, (k, d). Square errors, sums over pixels: `masked` is what training sees, `clean` that of the same maps on
    whole images, `tuned` that of a decoder fitted to whole images, the encoder kept.
    """

    values: Floats
    basis: Floats
    encoder: Floats
    masked: float
    clean: float
    tuned: float

    def share(self, direction: ArrayLike) -> Floats:
        """How much of directions (d,) or (d, m), in columns, the code spans: 0 to 1, shape () or (m,)."""
        v = finite("direction", direction, (len(self.basis),) + (None,) * (np.ndim(direction) - 1), "as many as pixels")
        check(bool(v.any(0).all()), "direction", v, "not 0", "leave it out")
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
    left = (1 - r) ** 2 * S + r * (1 - r) * np.where(own[:, None] == own, S, 0)  # covariance of what is not hidden
    C = (1 - r) * S @ np.linalg.pinv(left, rcond=1e-10, hermitian=True)
    G, total = (1 - r) * C @ S, float(np.trace(S))
    values, vectors = np.linalg.eigh((G + G.T) / 2)
    V = vectors[:, : -k - 1 : -1]
    E = V.T @ C
    apart, code = np.eye(len(S)) - V @ E, E @ S
    tuned = total - float(np.trace(code.T @ np.linalg.pinv(code @ E.T, rcond=1e-10, hermitian=True) @ code))
    return MaskedCode(values[::-1], V, E, total - float(values[-k:].sum()), float(np.trace(apart @ S @ apart.T)), tuned)


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
    """What enters a code at which of the `ratios`, (R,).

    `kept` is how much of each principal direction the code spans, first to last, (R, d); `price` the square error of whole
    images after decoder tuning over PCA's, (R,).
    """

    ratios: Floats
    kept: Floats
    price: Floats


def suggest_mask(images: ArrayLike, k: int, *, patch: int = 1, ratios: ArrayLike | None = None) -> MaskPlan:
    """What masking makes a linear code of k numbers keep of images (n, channels, height, width), from their covariance alone.

    `patch` is the side of what is hidden together, `ratios` 0 to .9 if None. Takes time as the cube of pixels. Raises
    `InputError` for sides that patches do not tile.
    """
    x = finite("images", images, (None,) * 4, "(n, channels, height, width)")
    r = np.atleast_1d(numbers("ratios", np.arange(19) / 20 if ratios is None else ratios, 0, 1, "[)"))
    check(len(x) > 1, "images", len(x), "two or more", "one has no covariance")
    (h, w), p = x.shape[2:], check_integer("patch", patch, 1, None, "pixels of a side; 1 hides each by itself")
    check(h % p == w % p == 0, "patch", patch, f"a divisor of {h} and {w}", "patches tile images")
    labels = np.broadcast_to(np.arange(h)[:, None] // p * w + np.arange(w) // p, x.shape[1:]).ravel()
    S = np.atleast_2d(np.cov(x.reshape(len(x), -1).T))
    codes, plain = [masked_code(S, k, ratio, labels) for ratio in r], masked_code(S, k)
    check(plain.clean > 1e-12 * np.trace(S), "k", k, "less than the images' rank", "so many numbers code them whole")
    price = np.array([code.tuned for code in codes]) / plain.clean
    principal = np.linalg.eigh(S)[1][:, ::-1]
    kept = np.stack([code.share(principal) for code in codes])
    return MaskPlan(r, kept, price)

"""What denoising is worth: the I-MMSE identity, and errors of one prediction as another's.

Let L(λ) be a denoiser's loss E |epŝ - eps|² in all coordinates at log SNR λ. With perfect denoisers of p and q on data of p

    KL(p ‖ q) = ½ ∫ (L_q - L_p) dλ

(Guo, Shamai, Verdú 2005; Verdú 2010), so with the product of marginals for q it is the mutual information. For any denoiser
½ ∫ E |epŝ - eps*|² dλ bounds KL(p ‖ p̂) of what the reverse SDE generates (Girsanov). Derived in docs/laws/denoising.md.
What a score lacks whose modes were found from samples, `mode_error`, is derived in docs/laws/maetok.md.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import softmax

from twopart import _random
from twopart._arguments import like
from twopart._arrays import Floats, finite, numbers
from twopart._checks import check, check_choice, check_integer, check_real

PREDICTIONS = ("score", "eps", "x0", "v")
BLOCK = 2000  # points whose Jacobians are held at once


class Nats(NamedTuple):
    """An integral over log SNR."""

    value: float
    by_level: np.ndarray
    """What each interval between neighbouring levels adds, shape (L - 1,)."""
    error: float
    """Of the quadrature: what half of the levels would change. It does not see what lies beyond the ends."""
    ends: tuple[float, float]
    """½ gap at the ends: what a unit of log SNR beyond them would add if the gap stayed."""


def nats(log_snr: ArrayLike, gap: ArrayLike) -> Nats:
    """½ ∫ gap dλ by trapezoids, of eps losses (summed over coordinates) at rising `log_snr`, both of shape (L,), L >= 3.

    Raises `InputError` for shapes that do not fit and levels that do not rise.
    """
    λ = finite("log_snr", log_snr, (None,), "levels in rising order")
    g = finite("gap", gap, (len(λ),), "one for each level")
    check(len(λ) >= 3 and bool((np.diff(λ) > 0).all()), "log_snr", λ, "three or more, rising", "sort them")
    parts = np.diff(λ) * (g[1:] + g[:-1]) / 4
    kept = np.unique(np.r_[np.arange(0, len(λ), 2), len(λ) - 1])
    coarse = float((np.diff(λ[kept]) * (g[kept][1:] + g[kept][:-1]) / 4).sum())
    total = float(parts.sum())
    return Nats(total, parts, abs(total - coarse), (float(g[0] / 2), float(g[-1] / 2)))


def gaussian_loss(variance: ArrayLike, log_snr: ArrayLike) -> Any:
    """The least E |epŝ - eps|² a coordinate for Gaussian data of that variance v: v/(v + e^-λ)."""
    v = numbers("variance", variance, 0, np.inf, "[)")
    λ = numbers("log_snr", log_snr, -np.inf, np.inf)
    return like((variance, log_snr), v / (v + np.exp(-λ)))


def error_factor(scale: ArrayLike, std: ArrayLike, *, source: str, to: str) -> Any:
    """By what the square error of one prediction at a point is to be multiplied to be another's, at x = a x0 + s eps.

    Those of eps, x0 = (x - s eps)/a, score = -eps/s and v = a eps - s x0 are as 1 : s²/a² : 1/s² : (a + s²/a)².
    """
    a, s = numbers("scale", scale, 0, np.inf), numbers("std", std, 0, np.inf)
    sizes = {"eps": np.ones_like(a * s), "x0": (s / a) ** 2, "score": 1 / s**2 + 0 * a, "v": (a + s**2 / a) ** 2}
    for name, kind in (("source", source), ("to", to)):
        check_choice(name, kind, PREDICTIONS)
    return like((scale, std), sizes[to] / sizes[source])


class ModeError(NamedTuple):
    """E|ŝ - s|² of a score at a time whose centres were found from n points, to first order in 1/n.

    `separated` is e^-2t K d/n, where no mode touches another; `likelihood` tr(J I^-1)/n, centres of maximum likelihood;
    `matching` tr(J^-1 Γ)/n, by denoising score matching at that one time. `halves` is by what share halves of the points differ
    that the last two were averaged over, at most.
    """

    separated: float
    likelihood: float
    matching: float
    halves: float


def mode_error(
    centres: ArrayLike, samples: int, t: float, *, pairs: int = 2, points: int = 20_000, seed: int = 0
) -> ModeError:
    """For K equal unit Gaussians at `centres` (K, d), `samples` n and the OU time t, by a mean over `points`.

    I is the information of the centres and J = E[∂s'∂s]. Score matching sees each point with `pairs` draws of noise and their
    opposites: Γ is the covariance of its gradient. Raises `InputError` for arguments out of range.
    """
    μ = finite("centres", centres, (None, None), "a row for each mode")
    n = check_integer("samples", samples, 1, None, "points that centres are found from")
    m = check_integer("pairs", pairs, 1, None, "draws of noise and their opposites")
    check_integer("points", points, 20 * μ.size, None, "with fewer the information may be singular")
    time = check_real("t", t, 0, np.inf, "the OU clock's", closed="()")
    a, s, random = np.exp(-time), np.sqrt(-np.expm1(-2 * time)), _random.generator(seed, "modes")
    sums, blocks, same = np.zeros((2, 3, μ.size, μ.size)), 2 * -(-points // (2 * BLOCK)), np.arange(μ.shape[1])
    for block in range(blocks):
        x = μ[random.integers(len(μ), size=points // blocks)] + random.standard_normal((points // blocks, μ.shape[1]))
        own, z = _pulls(x, μ)[0].reshape(len(x), -1), random.standard_normal((m, *x.shape))
        gradient = np.zeros_like(own)
        for noise in (*z, *-z):
            pulls, r, score, g = _pulls(a * x + s * noise, a * μ)
            slope = np.einsum("nki,nkj->nikj", score[:, None] - g, pulls)  # of the score's part i by μ_kj, over a
            slope[:, same, :, same] += r
            slope = slope.reshape(len(x), len(same), -1)
            gradient += a * np.einsum("ni,nij->nj", score + noise / s, slope) / (2 * m)
            sums[block % 2, 1] += a**2 * np.tensordot(slope, slope, ((0, 1), (0, 1))) / (2 * m)
        sums[block % 2, [0, 2]] += np.stack([own.T @ own, gradient.T @ gradient])
    whole, *halves = (
        np.array([np.trace(np.linalg.solve(I, J)), np.trace(np.linalg.solve(J, Γ))]) / n
        for I, J, Γ in (sums.sum(0), *sums)
    )
    differ = float(np.abs(halves[0] / halves[1] - 1).max())
    return ModeError(a**2 * μ.size / n, float(whole[0]), float(whole[1]), differ)


def _pulls(x: Floats, centres: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Of unit modes: r_k (μ_k - x) (n, K, d), responsibilities r (n, K), their sum, the score (n, d), and μ_k - x."""
    g = centres - x[:, None]
    r = softmax(-np.square(g).sum(-1) / 2, axis=1)
    return r[..., None] * g, r, (r[..., None] * g).sum(1), g

"""In context: the law of memorisation against contexts that are drawn, its curve against scikit-learn's ridge.

As many contexts are drawn as bring the standard error of their mean to the law's own distance from it, 2 %. The curve and the
ridges agree. RBFSampler with Ridge stands for random features that look at one token at a time: another question's answer.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.kernel_approximation import RBFSampler
from sklearn.linear_model import Ridge

from benchmarks._table import Row, median_seconds, ratios
from twopart.laws.in_context import memorization_law
from twopart.learners.in_context import Entrywise, features, memorization_curve, memorization_error
from twopart.worlds.in_context import SignalTokens

WORLD, CONTEXTS, FEW = SignalTokens(256, 512, 3.0), 40, 2
TANH = Entrywise(np.tanh)


def run() -> Iterator[Row]:
    yield memorization()
    yield curve()
    yield random_features()


def memorization() -> Row:
    """|μ| = 3, p = 256, n = 512; a few contexts are drawn, and scaled up."""

    def law() -> float:
        return float(memorization_law(np.tanh, 0.5, 0.5, 3.0, dimension=256).memorization)

    def peer(count: int = FEW) -> np.ndarray:
        drawn = map(WORLD.sample, range(count))
        return np.array([memorization_error(features(x, None, TANH), y, 0.5) for x, y in drawn])

    errors = peer(CONTEXTS)
    off, error = abs(errors.mean() / law() - 1), errors.std(ddof=1) / np.sqrt(CONTEXTS) / law()
    name = f"law of memorisation, off {off:.1%} ± {error:.1%}"
    times = CONTEXTS / FEW * ratios(law, peer, 5)
    return Row(name, f"{1e3 * median_seconds(law):.1f} ms", f"{CONTEXTS} contexts", times, ">= 100")


def curve() -> Row:
    """Errors at 20 ridges by one decomposition."""
    (x, y), ridges = WORLD.sample(), np.geomspace(0.01, 10, 20)

    def peer() -> np.ndarray:
        fits = (Ridge(512 * γ, fit_intercept=False).fit(x.T, y) for γ in ridges)
        return np.array([np.square(y - fit.predict(x.T)).mean() for fit in fits])

    off = float(np.abs(memorization_curve(x, y, ridges) - peer()).max())
    value = f"{1e3 * median_seconds(lambda: memorization_curve(x, y, ridges), 5):.0f} ms"
    times = ratios(lambda: memorization_curve(x, y, ridges), peer, 5)
    return Row(f"memorisation at 20 ridges, off {off:.0e}", value, "Ridge, one by one", times, ">= 1")


def random_features() -> Row:
    """As many features of each kind, and a probe."""
    x, y = WORLD.sample()

    def ours() -> float:
        return float(memorization_error(features(x, None, TANH), y, 0.5))

    def peer() -> float:
        z = RBFSampler(gamma=1 / 512, n_components=256, random_state=0).fit_transform(x.T)
        return float(
            np.square(y - Ridge(0.5 * np.square(z).sum() / 256, fit_intercept=False).fit(z, y).predict(z)).mean()
        )

    name, value = f"attention, a probe, E {ours():.3f}", f"{1e3 * median_seconds(ours, 5):.0f} ms"
    return Row(name, value, f"RBFSampler, E {peer():.3f}", ratios(ours, peer, 5), "no aim: other features")

"""Learning in context: laws against the simulation that is as accurate, readers against prompts asked one by one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from sklearn.kernel_approximation import RBFSampler
from sklearn.linear_model import Ridge

from benchmarks._table import Row, median_seconds, ratios
from twopart.laws.in_context import hijack_error, hijack_logits, memorization_law
from twopart.learners.in_context import (
    Entrywise,
    GradientTransformer,
    answers,
    features,
    hijack_curve,
    memorization_curve,
    memorization_error,
)
from twopart.worlds.in_context import HijackedClassification, SignalTokens

STEPS, TOKENS = (0.0109, 0.0109), (1, 4, 12, 40)
WORLD, CONTEXTS, FEW, TANH = SignalTokens(256, 512, 3.0), 40, 2, Entrywise(np.tanh)


def run() -> Iterator[Row]:
    yield hijacking()
    yield one_by_one()
    yield memorization()
    yield memorization_ridges()
    yield random_features()


def hijacking() -> Row:
    """The curve of two layers at d = 20, against forward passes on so many prompts that their standard error is the law's.

    The passes are of 4000 prompts, and scaled up: p (1 - p) / error² are needed where the law is least accurate.
    """
    world, few = HijackedClassification(), 4000
    law = hijack_error(0.553, STEPS, TOKENS, dimension=20)
    needed = float((law.value * (1 - law.value) / law.error**2).min())
    model = GradientTransformer(2, 20, tied=True, isotropic=True).set(
        torch.from_numpy(0.553 * world.prior).float(), STEPS[0]
    )

    def ours() -> None:
        hijack_error(0.553, STEPS, TOKENS, dimension=20)

    def peer() -> None:
        hijack_curve(model, world, TOKENS, count=few)

    pairs = world.pairs(200_000)
    wrong = (hijack_logits(0.553 * world.prior, STEPS, pairs.query, pairs.hijacker, TOKENS) < 0).mean(1)
    off = float(np.abs(wrong - law.value).max())
    name = f"hijacked error, L = 2, off {off:.0e}"
    times = needed / few * ratios(ours, peer, 3)
    return Row(name, f"{1e3 * median_seconds(ours):.1f} ms", f"{needed:,.0f} prompts, simulated", times, ">= 100")


def one_by_one() -> Row:
    """1000 prompts of 40 tokens, in batches of 256 against one at a time."""
    model = GradientTransformer(4, 20, isotropic=True)
    prompts = HijackedClassification().hijacked(1000, 40)
    value = f"{1e3 * median_seconds(lambda: answers(model, prompts), 5):.1f} ms"
    times = ratios(lambda: answers(model, prompts), lambda: answers(model, prompts, batch=1), 3)
    return Row("1000 prompts of 40 tokens", value, "one by one", times, ">= 5")


def memorization() -> Row:
    """|μ| = 3, p = 256, n = 512, against contexts whose mean has the law's error; a few are drawn, and scaled up."""

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


def memorization_ridges() -> Row:
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
    """As many features of each kind, and a probe; those of RBFSampler see one token at a time, and answer another question."""
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

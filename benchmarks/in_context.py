"""Learning in context: laws against the simulation that is as accurate, readers against prompts asked one by one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from sklearn.datasets import load_diabetes
from sklearn.kernel_approximation import RBFSampler
from sklearn.linear_model import LassoCV, Ridge
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from benchmarks._table import Row, median_seconds, ratios
from twopart.laws.in_context import (
    Geometric,
    hijack_error,
    hijack_logits,
    memorization_law,
    optimum,
    path_risk,
    risk,
    stable_step,
    trajectory,
)
from twopart.learners.in_context import (
    AttentionOnly,
    CrateBlock,
    Entrywise,
    GradientTransformer,
    PreprocessedGradient,
    SequenceRegressor,
    answers,
    descend,
    features,
    hijack_curve,
    memorization_curve,
    memorization_error,
    preprocessed_path,
    train_together,
)
from twopart.worlds.in_context import (
    HijackedClassification,
    InContextRegression,
    Recall,
    SignalTokens,
    SparseRegression,
)

STEPS, TOKENS = (0.0109, 0.0109), (1, 4, 12, 40)
WORLD, CONTEXTS, FEW, TANH = SignalTokens(256, 512, 3.0), 40, 2, Entrywise(np.tanh)
PRETRAINING, PART, RUNS = 1000, 100, 400
ERROR = 0.001  # of runs, the standard error; the law has none


def run() -> Iterator[Row]:
    yield crate()
    yield hijacking()
    yield one_by_one()
    yield memorization()
    yield memorization_ridges()
    yield random_features()
    yield pretraining_tasks(8)
    yield pretraining_tasks(20)
    yield pretraining_tasks(20, per_step=4)
    yield reading()
    yield preprocessed_descent()
    yield sparse_fit()
    yield together()


def crate() -> Row:
    """A layer forward and backward, against a plain block of ViT whose products are as many: 12 w² + 2 n w for each token.

    CRATE has three matrices, one of them made of its dictionary first (d³), and 2 n d for attention.
    """
    (B, n, d), w = (8, 197, 384), 216
    flops = (3 * d**2 + d**3 / (B * n) + 2 * n * d) / (12 * w**2 + 2 * n * w)
    ours = CrateBlock(d, 6)
    peer = torch.nn.TransformerEncoderLayer(w, 6, 4 * w, 0.0, "gelu", batch_first=True, norm_first=True)

    x = {width: torch.randn(B, n, width, requires_grad=True) for width in (d, w)}

    def both_ways(block: torch.nn.Module, width: int) -> None:
        block.zero_grad()
        block(x[width]).square().mean().backward()

    name = f"CRATE layer, both ways, {flops:.2f} of its products"
    value = f"{1e3 * median_seconds(lambda: both_ways(ours, d), 3):.0f} ms"
    times = ratios(lambda: both_ways(ours, d), lambda: both_ways(peer, w), 7)
    return Row(name, value, f"ViT block, w = {w}", times, ">= 0.83")


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


def pretraining_tasks(d: int, per_step: int = 1) -> Row:
    """1000 steps, N = 20: the law against runs, 400 at once, of which a tenth of the steps is timed."""
    world = InContextRegression.power(d, 2.0)
    rates = Geometric(0.3 * stable_step(world, 20)).rates(PRETRAINING)

    def law() -> float:
        return float(trajectory(world, 20, rates, tasks_per_step=per_step)[-1, 0])

    def runs(steps: int = PART) -> np.ndarray:
        return descend(world, 20, rates[:steps], runs=RUNS, tasks_per_step=per_step)

    excess = risk(world, runs(PRETRAINING), 20) - optimum(world, 20).risk
    off, error = excess.mean() / (law() - optimum(world, 20).risk) - 1, excess.std() / excess.mean() / np.sqrt(RUNS)
    assert abs(off) < 5 * error
    needed = (excess.std() / excess.mean() / ERROR) ** 2
    times = PRETRAINING / PART * needed / RUNS * ratios(law, runs, 3)
    name = f"law of 1000 steps, d = {d}" + f", {per_step} tasks each" * (per_step > 1)
    peer = f"{needed:,.0f} runs, error {ERROR:.1%}"
    return Row(name, f"{1e3 * median_seconds(law, 5):.0f} ms", peer, times, ">= 100")


def reading() -> Row:
    """GPT-2's body at 20 lengths of context: with its keys and values kept, and asked anew at each."""
    from transformers import GPT2Config, GPT2Model

    sizes = {"n_embd": 64, "n_layer": 4, "n_head": 4, "n_positions": 128, "vocab_size": 2}
    body = GPT2Model(GPT2Config(**sizes, bos_token_id=None, eos_token_id=None))
    model, prompts, lengths = (
        SequenceRegressor(body, 8, 64),
        InContextRegression.power(8).sample(64, 40),
        range(2, 41, 2),
    )
    model = model.to(torch.float64)

    def ours() -> np.ndarray:
        return answers(model, prompts, lengths=list(lengths))

    def peer() -> np.ndarray:
        return np.stack([answers(model, prompts.first(n)) for n in lengths], 1)

    off = float(np.abs(ours() - peer()).max())
    name = f"GPT-2 at 20 lengths of context, off {off:.0e}"
    return Row(name, f"{median_seconds(ours, 3):.2f} s", "each prompt anew", ratios(ours, peer, 3), ">= 4")


def preprocessed_descent() -> Row:
    """40 steps at d = 64, s = 16, n = 128: the mean field against prompts, 400 of which are drawn and run, and scaled up.

    The mean field is 1.7 % off at worst there; so many prompts are asked for that their error is 0.5 %.
    """
    world, few, error = SparseRegression(64, 16), 400, 0.005
    values, counts = world.prior

    def law() -> np.ndarray:
        return path_risk(values, 128, 0.5, 2.0, 40, counts=counts).risk

    def prompts() -> np.ndarray:
        drawn = world.sample(few, 128)
        return np.square(preprocessed_path(drawn.x, drawn.y, 40, 2.0) - drawn.task[:, None]).sum(-1)

    risks = prompts()
    needed = float(((risks.std(0) / risks.mean(0))[1:].max() / error) ** 2)
    peer = f"{needed:,.0f} prompts, error {error:.1%}"
    times = needed / few * ratios(law, prompts, 5)
    return Row("preprocessed descent, 40 steps", f"{1e3 * median_seconds(law, 5):.0f} ms", peer, times, ">= 100")


def sparse_fit() -> Row:
    """Diabetes with quadratic features: 300 steps that stop early, against LassoCV; both choose by held-out rows."""
    x, y = load_diabetes(return_X_y=True)
    x = StandardScaler().fit_transform(PolynomialFeatures(include_bias=False).fit_transform(x))
    ours = PreprocessedGradient(300, early_stop=0.25, random_state=0)
    peer = LassoCV(cv=3, max_iter=10_000)
    scores = [cross_val_score(model, x, y, cv=3).mean() for model in (ours, peer)]
    name, value = "diabetes, quadratic features", f"{1e3 * median_seconds(lambda: ours.fit(x, y), 5):.1f} ms"
    times = ratios(lambda: ours.fit(x, y), lambda: peer.fit(x, y), 3)
    return Row(name, value, f"LassoCV, R² {scores[0]:.2f} | {scores[1]:.2f}", times, ">= 1")


def together() -> Row:
    """Three networks of two layers on recall, 40 steps: one batch against plain loops of torch, one after the other."""
    task, steps = Recall(4), 40
    asked = torch.from_numpy(task.sample(100).tokens)

    def networks() -> list[AttentionOnly]:
        torch.manual_seed(0)
        return [AttentionOnly(2, 1, 48, **task.shape) for _ in range(3)]

    def ours() -> list[AttentionOnly]:
        models = networks()
        train_together(models, task, steps=steps, tests=100, looks=1)
        return models

    def peer() -> list[AttentionOnly]:
        models, known = networks(), task.split()[0]
        for r, model in enumerate(models):
            adam = torch.optim.Adam(model.parameters(), lr=3e-3, betas=(0.9, 0.99))
            cycle = torch.optim.lr_scheduler.OneCycleLR(adam, 3e-3, total_steps=steps, pct_start=0.1)
            for step in range(1, steps + 1):
                x, y = (torch.from_numpy(one)[64 * r : 64 * r + 64] for one in known.sample(192, f"0 {step}"))
                adam.zero_grad()
                torch.nn.functional.cross_entropy(model(x), y).backward()
                adam.step()
                cycle.step()
        return models

    off = max(float((a(asked) - b(asked)).detach().abs().max()) for a, b in zip(ours(), peer(), strict=True))
    value = f"{1e3 * median_seconds(ours, 3):.0f} ms"
    return Row(f"three networks at once, off {off:.0e}", value, "torch, one by one", ratios(ours, peer, 3), ">= 1")

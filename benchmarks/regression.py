"""Regression: laws against the matrix products that they are made of, SGD against loops in torch and scikit-learn.

The loop over replicates in torch does a few of them and is scaled up; it draws its batches beforehand, outside the time. One
run of ours is a run of `SGDRegressor` with `shuffle=True`, epoch for epoch, at sizes from tiny to larger than the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import ml_dtypes
import numpy as np
import torch
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge, SGDRegressor
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from benchmarks._table import Row, median_seconds, ratios
from twopart.laws.regression import (
    Domains,
    LeastSquaresSGD,
    Noise,
    arc_cosine,
    geometric,
    one_pass,
    population,
    precision_risk,
    sgd_risk,
    width_law,
)
from twopart.learners import WeightAverage
from twopart.learners.regression import (
    FORMATS,
    GeometricLR,
    MinNorm,
    SteepestDescent,
    feature_weights,
    glm_tron,
    least_squares_sgd,
    pretrain_finetune,
    random_features,
)
from twopart.worlds.regression import CovariateShift, LeastSquares, Regression, ReluNeuron, Sketch, benign_shift

STEPS, REPLICATES, FEW = 200, 2000, 4
SIZES = ((50, 10), (1000, 20), (1000, 200), (10_000, 1000))


def run() -> Iterator[Row]:
    yield multi_pass()
    yield one_pass_moments()
    data = LeastSquares.power(256, noise=0.3).sample(64)
    yield many(data, 1)
    yield many(data, 8)
    for n, d in SIZES:
        yield one(LeastSquares.power(d, noise=0.3).sample(n))
    yield transfer_law(1000, 8000, 2000, 0.0, "< 1 s")
    yield transfer_law(200, 800, 200, 0.3, ">= 2")
    yield transfer()
    yield neurons()
    yield averaged_curves()
    yield weight_averages()
    yield from steepest()
    yield from map(signs_by_size, (1, 2))
    yield few_bits()
    yield rounding()
    yield widths()
    yield least_norm()


def multi_pass() -> Row:
    """n = 500, d = 1000: the law a step against two products of 500 x 500."""
    world = LeastSquares.power(1000, noise=0.3)
    data, test = world.sample(500), population(world.spectrum, world.optimum)
    matrix, steps = np.random.default_rng(0).standard_normal((2, 500, 500)), 20

    def law(steps: int) -> None:
        sgd_risk(*data, *test, learning_rate=0.3, steps=steps, at=[steps])

    def products() -> None:
        for _ in range(2 * steps):
            matrix[0] @ matrix[1]

    fixed = median_seconds(lambda: law(0), 3)
    whole, floor = median_seconds(lambda: law(steps), 5), median_seconds(products, 5)
    step = (whole - fixed) / steps
    name = "multi-pass law, n = 500, a step"
    return Row(name, f"{1e3 * step:.1f} ms", "two products", floor / steps / step, ">= 0.77: within 1.3 of the floor")


def one_pass_moments() -> Row:
    """10,000 steps at d = 1000, against the same in NumPy."""
    world, rates = LeastSquares.power(1000, noise=0.3), np.full(10_000, 0.3)
    λ, start = world.spectrum, world.optimum**2

    def ours() -> float:
        return float(one_pass(λ, start, rates=rates, noise=0.3).excess[-1])

    def peer() -> float:
        m = start
        for η in rates:
            m = m * ((1 - η * λ) ** 2 + η**2 * λ**2) + η**2 * λ * (λ @ m + 0.09)
        return float(λ @ m / 2)

    name = f"one pass, 10,000 steps at d = 1000, off {abs(ours() / peer() - 1):.0e}"
    return Row(name, f"{median_seconds(ours):.3f} s", "NumPy, step by step", ratios(ours, peer, 3), "< 1 s")


def many(data: Regression, batch: int) -> Row:
    """2000 replicates of 200 steps, against torch replicate by replicate."""
    x, y = (torch.from_numpy(part) for part in data)
    picks = torch.randint(len(y), (FEW, STEPS, batch))

    def ours() -> None:
        least_squares_sgd(*data, learning_rate=0.3, steps=STEPS, batch=batch, replicates=REPLICATES)

    def peer() -> None:
        for replicate in picks:
            w = torch.zeros(x.shape[1], dtype=x.dtype)
            for pick in replicate:
                rows = x[pick]
                w -= 0.3 / batch * ((rows @ w - y[pick]) @ rows)

    times = REPLICATES / FEW * ratios(ours, peer, 5)
    name = f"2000 runs of SGD, n = 64, d = 256, b = {batch}"
    return Row(name, f"{median_seconds(ours, 5):.3f} s", "torch, run by run", times, ">= 20")


def one(data: Regression) -> Row:
    """Ten epochs of one run, against scikit-learn."""
    n, d = data.x.shape
    options = {"penalty": None, "learning_rate": "constant", "fit_intercept": False, "tol": None}
    peer = SGDRegressor(eta0=0.05, max_iter=10, shuffle=True, **options)

    def ours() -> None:
        least_squares_sgd(*data, learning_rate=0.05, steps=10 * n, order="reshuffle")

    times = ratios(ours, lambda: peer.fit(*data), 9)
    value = f"{1e3 * median_seconds(ours):.2f} ms"
    return Row(f"one run of SGD, n = {n:,}, d = {d}", value, "SGDRegressor", times, ">= 1")


def transfer_law(d: int, source: int, target: int, angle: float, aim: str) -> Row:
    """The law of pretraining and fine-tuning, against its recursion in NumPy: of the diagonal, or of matrices."""
    world = CovariateShift.power(d, source_decay=2.0)
    world = world.rotated(angle) if angle else world
    phases = [("source", geometric(source, 0.4)), ("target", geometric(target, 0.1))]

    def ours() -> float:
        return Domains.of_world(world).risk(phases[0][1], phases[1][1]).tuned

    def peer() -> float:
        S = np.ones((d, d) if angle else d)
        for name, rates in phases:
            μ, U = np.linalg.eigh(world.covariance(name)) if angle else (getattr(world, name), None)
            S = U.T @ S @ U if angle else S
            for γ in rates:
                push = γ**2 * μ * (μ @ (np.diag(S) if angle else S) + 1)
                if angle:
                    S = S * (1 - γ * np.add.outer(μ, μ) + 2 * γ**2 * np.outer(μ, μ)) + np.diag(push)
                else:
                    S = S * ((1 - γ * μ) ** 2 + γ**2 * μ**2) + push
            S = U @ S @ U.T if angle else S
        return float(np.sum(world.covariance("target") * S) if angle else np.asarray(world.target) @ S)

    name = f"transfer law, d = {d}, {source + target:,} steps{', turned' * bool(angle)}, off {abs(ours() / peer() - 1):.0e}"
    return Row(name, f"{median_seconds(ours, 3):.3f} s", "NumPy, step by step", ratios(ours, peer, 3), aim)


def transfer() -> Row:
    """1000 runs over 200 source and 50 target samples, against torch.optim.SGD with the schedule, run by run."""
    world, rates, runs = CovariateShift.power(64, source_decay=2.0), (0.4, 0.1), 1000
    data = world.sample(200, "source"), world.sample(50, "target")
    tensors = [tuple(map(torch.from_numpy, part)) for part in data]

    def ours() -> None:
        pretrain_finetune(*data, rates=rates, replicates=runs)

    def peer() -> None:
        w = torch.zeros(64, dtype=torch.float64, requires_grad=True)
        for (x, y), rate in zip(tensors, rates, strict=True):
            optimizer = torch.optim.SGD([w], lr=rate)
            schedule = GeometricLR(optimizer, len(y))
            for i in torch.randperm(len(y)):
                optimizer.zero_grad()
                ((x[i] @ w - y[i]) ** 2 / 2).backward()
                optimizer.step()
                schedule.step()

    times = runs * ratios(ours, peer, 3)
    return Row(
        "1000 runs of pretraining and fine-tuning",
        f"{median_seconds(ours, 3):.3f} s",
        "torch, run by run",
        times,
        ">= 20",
    )


def neurons() -> Row:
    """2000 passes of SGD over a ReLU neuron, against torch's module, loss and gradient run by run; on one order they agree."""
    x, y = map(torch.from_numpy, ReluNeuron.power(256).sample(STEPS))
    start = torch.full((256,), 0.1, dtype=x.dtype)

    def ours(replicates: int = REPLICATES, batch: int = 1) -> Tensor:
        return glm_tron(x, y, schedule=0.3, start=start, gate=True, replicates=replicates, batch=batch)

    def peer(runs: int = FEW, batch: int = 1) -> Tensor:
        for _ in range(runs):
            neuron = nn.Linear(256, 1, bias=False, dtype=x.dtype)
            neuron.weight.data[:] = start
            optimiser = torch.optim.SGD(neuron.parameters(), lr=0.3)
            halved = torch.optim.lr_scheduler.LambdaLR(
                optimiser, [*geometric(STEPS // batch, 1.0).tolist(), 0.0].__getitem__
            )
            for rows in torch.randperm(STEPS).split(batch):
                optimiser.zero_grad()
                (nn.functional.mse_loss(neuron(x[rows])[:, 0].relu(), y[rows]) / 2).backward()
                optimiser.step()
                halved.step()
        return neuron.weight.detach()

    off = float((ours(1, STEPS) - peer(1, STEPS)).abs().max())
    times = REPLICATES / FEW * ratios(ours, peer, 5)
    name = f"2000 runs of a ReLU neuron, d = 256, off {off:.0e}"
    return Row(name, f"{median_seconds(ours, 5):.3f} s", "torch, run by run", times, ">= 20")


def averaged_curves() -> Row:
    """2000 steps in 300 directions, seven averages, against the same in NumPy; a point is a curve of one average."""
    world = LeastSquares.power(300, decay=1.5, source=3.0, noise=1.0)
    law, rates = LeastSquaresSGD(world.spectrum, world.optimum**2, 1.0), np.full(2000, 0.3)
    λ, τ = world.spectrum, np.array(law.averages)[:, None]

    def ours() -> None:
        law.excess(rates, 16)

    def peer() -> None:
        m, c, q = world.optimum**2, np.zeros((len(τ), len(λ))), np.zeros((len(τ), len(λ)))
        for γ in rates:
            old = (1 - γ * λ) * c
            m = m * ((1 - γ * λ) ** 2 + γ**2 * λ**2 / 16) + γ**2 / 16 * λ * (λ @ m + 1)
            q = τ**2 * q + 2 * τ * (1 - τ) * old + (1 - τ) ** 2 * m
            c = τ * old + (1 - τ) * m

    seconds = median_seconds(ours, 9)
    name = "steps by batch size, points of 2000 steps"
    return Row(
        name, f"{len(τ) / seconds:.0f} a second", "NumPy, step by step", ratios(ours, peer, 3), ">= 10^4 a second"
    )


def weight_averages() -> Row:
    """One average of a network of 1.3 M weights, an update, against torch's."""
    network = nn.Sequential(nn.Linear(512, 1024), nn.ReLU(), nn.Linear(1024, 768))
    average, torchs = WeightAverage(network, 0.99), AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.99))
    torchs.update_parameters(network)
    seconds = median_seconds(average.update, 9)
    ratio = ratios(average.update, lambda: torchs.update_parameters(network), 9)
    return Row("average of weights, an update", f"{1e3 * seconds:.2f} ms", "torch AveragedModel", ratio, ">= 0.9")


def steepest() -> Iterator[Row]:
    """Steps on the same parameters: signs against torch's SGD, Newton-Schulz against torch's Muon, which it equals."""
    shapes: dict[str, list[tuple[int, ...]]] = {
        "100 of up to 16 x 16": [(16, 16), (16,)] * 50,
        "48 of up to 64 x 64": [(64, 64), (64,)] * 24,
        "16 of up to 512 x 512": [(512, 512), (512,)] * 8,
        "2 of 2048 x 2048": [(2048, 2048)] * 2,
    }
    for β in (0.0, 0.9):
        for name, sizes in shapes.items():
            peer = torch.optim.SGD(_parameters(sizes), 1e-3, momentum=β)
            yield _stepped(f"signs, β = {β:g}, {name}", SteepestDescent(_parameters(sizes), 1e-3, momentum=β), peer, 20)
    muon = {"norm": "spectral", "momentum": 0.95, "nesterov": True, "weight_decay": 0.1, "svd": "newton-schulz"}
    for together in (True, False):
        sizes = [(64, 64)] * 16 + [(64, 256)] * 4
        ours = SteepestDescent(_parameters(sizes), 1e-3, **muon, adjust_lr_fn="original", foreach=together)  # type: ignore[arg-type]
        name = "Newton-Schulz, " + ("together" if together else "one by one")
        yield _stepped(name, ours, torch.optim.Muon(_parameters(sizes), 1e-3), 2)


def signs_by_size(threads: int) -> Row:
    """Tensors of 10^3 to 10^7 numbers, of either float type, and groups of them: the least ratio, and where it is."""
    before, found = torch.get_num_threads(), {}
    torch.set_num_threads(threads)
    cases: dict[str, list[tuple[int, ...]]] = {f"10^{power}": [(10**power,)] for power in range(3, 8)}
    cases |= {
        "4 small": [(32, 16), (32,), (10, 32), (10,)],
        "100 small": [(16, 16), (16,)] * 50,
        "16 x 512^2": [(512, 512)] * 16,
    }
    for kind, (name, shapes) in product((torch.float32, torch.float64), cases.items()):
        params = _parameters(shapes, kind)
        steps = max(1, min(50, 10**6 // sum(p.numel() for p in params)))
        row = _stepped("", SteepestDescent(params, 1e-3), torch.optim.SGD(params, 1e-3), steps)
        found[f"{name} of {str(kind).removeprefix('torch.')}"] = row.ratio
    torch.set_num_threads(before)
    least = min(found, key=lambda where: found[where])
    name = f"signs, 10^3 to 10^7 numbers, threads: {threads}"
    return Row(name, f"least at {least}", "torch.optim.SGD", found[least], ">= 0.91")


def _parameters(shapes: list[tuple[int, ...]], kind: torch.dtype = torch.float32) -> list[Tensor]:
    made = [torch.randn(shape, dtype=kind).requires_grad_() for shape in shapes]
    for p in made:
        p.grad = torch.randn_like(p)
    return made


def _stepped(name: str, ours: torch.optim.Optimizer, peer: torch.optim.Optimizer, steps: int) -> Row:
    def walk(optimiser: torch.optim.Optimizer) -> None:
        for _ in range(steps):
            optimiser.step()

    value = f"{1e3 * median_seconds(lambda: walk(ours)) / steps:.2f} ms"
    return Row(
        name, value, f"torch.optim.{type(peer).__name__}", ratios(lambda: walk(ours), lambda: walk(peer), 15), ">= 0.91"
    )


def few_bits() -> Row:
    """2000 noises at M = 128, 500 steps, against the same recursion in NumPy, all points at once."""
    moments = Sketch(LeastSquares.power(1000, source=2.0, noise=0.3), 128).moments
    ε, points = np.linspace(0, 0.1, 2000), 2000

    def ours() -> np.ndarray:
        return np.asarray(precision_risk(moments, Noise(additive=ε), rate=0.3, steps=500, batch=2).quantised)

    def peer() -> np.ndarray:
        λ, U = np.linalg.eigh(moments.covariance)
        c, μ = U.T @ moments.cross, λ + ε[:, None]
        m, floor = (c / μ) ** 2, moments.power - c**2 @ (1 / μ).T
        for γ in geometric(500, 0.3):
            risk = floor + (μ * m).sum(1)
            m = m * ((1 - γ * μ) ** 2 + γ**2 * μ**2 / 2) + γ**2 / 2 * μ * risk[:, None]
        return floor + (μ * m).sum(1)

    off = float(np.abs(ours() / peer() - 1).max())
    rate = points / median_seconds(ours, 3)
    return Row(
        f"law of few bits, M = 128, 500 steps, off {off:.0e}",
        f"{rate:,.0f} / s",
        "NumPy",
        ratios(ours, peer, 3),
        "10,000 / s",
    )


def rounding() -> Row:
    """10^6 numbers to e4m3 and back, against ml_dtypes; they agree."""
    x = np.random.default_rng(0).standard_normal(10**6).astype(np.float32)

    def peer() -> np.ndarray:
        return x.astype(ml_dtypes.float8_e4m3fn).astype(np.float32)

    off = float(np.abs(FORMATS["fp8_e4m3"](x) - peer()).max())
    times = ratios(lambda: FORMATS["fp8_e4m3"](x), peer, 5)
    value = f"{1e3 * median_seconds(lambda: FORMATS['fp8_e4m3'](x), 5):.1f} ms"
    return Row(f"10^6 numbers to fp8_e4m3, off {off:.0e}", value, "ml_dtypes", times, "no aim: any bits, by chance too")


def widths() -> Row:
    """Of 300 points at 2000 shifted inputs: answers, variances and the law of all widths, against answers by KernelRidge."""
    world = benign_shift(300)
    (x, y), (z, _) = world.sample(300, "source"), world.sample(2000, "target")

    def peer() -> object:
        return KernelRidge(alpha=1e-12, kernel="precomputed").fit(arc_cosine(x), y).predict(arc_cosine(z, x))

    off = float(np.abs(width_law(x, z, y).answers - peer()).max())
    value = f"{1e3 * median_seconds(lambda: width_law(x, z, y), 5):.0f} ms"
    times = ratios(lambda: width_law(x, z, y), peer, 5)
    return Row(f"law of widths, n = 300, off {off:.0e}", value, "KernelRidge", times, ">= 0.5: it knows more")


def least_norm() -> Row:
    """A fit of 300 points by 4000 features, against scikit-learn's Ridge on the same features."""
    x, y = benign_shift(300).sample(300, "source")
    features, tiny = random_features(x, feature_weights(4000, 300)), Ridge(alpha=1e-12, fit_intercept=False)
    off = float(np.abs(MinNorm.fit(features, y).weights - tiny.fit(features, y).coef_).max())
    value = f"{1e3 * median_seconds(lambda: MinNorm.fit(features, y), 5):.1f} ms"
    times = ratios(lambda: MinNorm.fit(features, y), lambda: tiny.fit(features, y), 9)
    return Row(f"least norm, 4000 features, off {off:.0e}", value, "Ridge", times, ">= 1")

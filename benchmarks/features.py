"""Features: gradient descent of a patch network in inner products, delayed spikes, a penalty on examples' gradients, Mixup.

The work of a step, counted first: N = 2 n patches, M distinct ones (n of noise and the centres), F = 2 m neurons. In weights
it is two products, 2 N d F multiplications; in inner products one, M² F, and the same activations and slopes: 2 N d / M²
times fewer, 74 at n = 100 and d = 2,000, less what activations take.

A plain step is three products a layer. The penalty and the loss from one pass are six: outputs, slopes of outputs, and two for
the slopes of each of these. Gradients per example, as torch.func forms them, are n times the parameters, written and read.

Mixup reads a batch twice and writes it once, and looks whether it is finite: a few passes over images, against some hundreds of
multiplications a pixel in two convolutional layers.

A step of batch normalisation's law is N² multiplications, N = 80 here; in d numbers it is 2 N d, d = 200, in a dozen operators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from torch import nn

from benchmarks._table import Row, median_seconds, ratios
from twopart.laws.features import batch_norm
from twopart.laws.features.denoising import noising
from twopart.laws.features.gram import visits
from twopart.laws.features.spikes import path
from twopart.learners.features import (
    PatchNetConfig,
    expected_denoising_loss,
    initialise_patches,
    mixup,
    per_example_penalty,
    soft_cross_entropy,
    stack,
    train_patches,
)
from twopart.worlds.features import PerClass, SignalNoise, StrongWeak, Whitened, Xor

RATE, STEPS, FEW = 1.0, 1000, 10


def run() -> Iterator[Row]:
    yield gram(torch.float64)
    yield gram(torch.float32)
    yield points()
    yield spike_map()
    yield from penalty()
    yield from mixing()
    yield denoising()
    yield normalised()


def gram(dtype: torch.dtype) -> Row:
    """n = 100, d = 2,000, 64 neurons a side: against autograd and torch.optim.SGD on the same network."""
    x, y = stack([SignalNoise(Xor(4.0), dimension=2000).sample(100)])
    network = initialise_patches(PatchNetConfig(64), 2000, [0], dtype=torch.float64)
    points, labels = x[0].to(dtype), y[0].to(dtype)

    def ours(steps: int = STEPS) -> torch.Tensor:
        return train_patches(network, x, y, steps=steps, rate=RATE, method="gram").weights

    def peer(steps: int = FEW) -> torch.Tensor:
        filters = nn.Linear(2000, 128, bias=False, dtype=dtype)
        filters.weight.data[:] = network.weights[0].flatten(0, 1)
        optimiser = torch.optim.SGD(filters.parameters(), lr=RATE)
        for _ in range(steps):
            optimiser.zero_grad()
            sides = filters(points).relu().unflatten(2, (2, 64)).sum(1).mean(-1)
            nn.functional.softplus(-labels * (sides[:, 0] - sides[:, 1])).mean().backward()
            optimiser.step()
        return filters.weight.detach()

    off = float((ours(FEW)[0].flatten(0, 1) - peer()).abs().max())
    times = STEPS / FEW * ratios(ours, peer, 5)
    name = f"patch network, n = 100, a step, off {off:.0e}"
    value = f"{1e6 * median_seconds(ours, 3) / STEPS:.0f} µs"
    return Row(name, value, f"torch, d = 2,000, {str(dtype)[6:]}", times, ">= 20")


def points() -> Row:
    """A point a step, as benign oscillation is trained: five networks, n = 20, d = 2,000, 16 neurons of relu² a side."""
    x, y = stack([SignalNoise(StrongWeak(), noise=0.009, seed=seed).sample(20) for seed in range(5)])
    config = PatchNetConfig(16, "relu2", initial=1e-3)
    network = initialise_patches(config, 2000, range(5), dtype=torch.float64)
    order = torch.from_numpy(visits(20, STEPS, 1))

    def ours(steps: int = STEPS) -> torch.Tensor:
        return train_patches(network, x, y, steps=steps, rate=4.0, loss="square", batch=1, method="gram").weights

    def peer(steps: int = STEPS // 10) -> torch.Tensor:
        filters = nn.Parameter(network.weights.flatten(1, 2).clone())
        optimiser = torch.optim.SGD([filters], lr=4.0)
        for i in order[:steps, 0]:
            optimiser.zero_grad()
            sides = (x[:, i] @ filters.mT).relu().square().sum(1).unflatten(1, (2, 16)).mean(-1)
            ((y[:, i] - sides[:, 0] + sides[:, 1]) ** 2 / 2).sum().backward()
            optimiser.step()
        return filters.detach()

    off = float((ours(STEPS // 10).flatten(1, 2) - peer()).abs().max())
    name = f"five networks, a point a step, off {off:.0e}"
    value = f"{1e6 * median_seconds(ours, 3) / STEPS:.0f} µs"
    return Row(name, value, "torch, d = 2,000, float64", 10 * ratios(ours, peer, 3), ">= 2")


def spike_map(runs: int = 3600, few: int = 50) -> Row:
    """The map of delayed spikes, 3,600 runs at once, against a run in torch on 50 points of 10 numbers: a step of a run.

    A step of the map is some 20 operations on three numbers, one of training two products and torch's overhead per call.
    """
    x, y, star = (torch.from_numpy(part) for part in Whitened(50, 10, 2.0).sample())
    rates = np.linspace(0.1, 1.5, runs)

    def ours(steps: int = STEPS) -> torch.Tensor:
        return torch.from_numpy(path(0.39, 0.92, 0.05, 2.0, rates, 0.05, steps).loss)

    def peer(steps: int = few) -> torch.Tensor:
        w, alpha = nn.Parameter(star + torch.ones(10)), nn.Parameter(torch.tensor(0.05, dtype=torch.float64))
        optimiser = torch.optim.SGD([{"params": [w], "lr": 0.9}, {"params": [alpha]}], lr=0.05)
        for _ in range(steps):
            optimiser.zero_grad()
            z = x @ w
            loss = (alpha * z / z.square().mean().sqrt() - y).square().mean() / 2
            loss.backward()
            optimiser.step()
        return loss.detach()

    times = STEPS * runs / few * ratios(ours, peer, 3)
    value = f"{1e9 * median_seconds(ours, 3) / STEPS / runs:.0f} ns"
    return Row("map of delayed spikes, a step of a run", value, "torch, n = 50, d = 10, float64", times, ">= 1000")


def penalty(n: int = 128, width: int = 512) -> Iterator[Row]:
    """A step of three linear layers on n images of 28 x 28 with the penalty, against a plain one and torch's own gradients."""
    layers = nn.Linear(784, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10)
    model, x, y = nn.Sequential(*layers), torch.randn(n, 784), torch.randint(10, (n,))
    loss = partial(nn.functional.cross_entropy, reduction="none")

    def one(state: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        value = loss(torch.func.functional_call(model, state, (x[None],)), y[None])[0]
        return value, value

    def torchs() -> torch.Tensor:
        each = torch.func.vmap(torch.func.grad(one, has_aux=True), (None, 0, 0))
        gradients, losses = each(dict(model.named_parameters()), x, y)
        return losses.mean() + 0.05 * sum(g.square().sum() for g in gradients.values()) / n

    def ours() -> torch.Tensor:
        return per_example_penalty(model, loss, x, y, 0.1, plus_loss=True)

    def step(value: Callable[[], torch.Tensor]) -> torch.Tensor:
        model.zero_grad()
        value().backward()
        return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])

    off = float((step(ours) - step(torchs)).abs().max())
    run, plain = partial(step, ours), partial(step, lambda: loss(model(x), y).mean())
    name, value = f"penalty per example, a step, off {off:.0e}", f"{1e3 * median_seconds(run):.1f} ms"
    yield Row(name, value, "a plain step's time", 1 / ratios(run, plain, 9), "<= 3")
    yield Row(name, value, "torch.func, vmap(grad)", ratios(run, partial(step, torchs), 5), ">= 1")


def mixing(n: int = 128) -> Iterator[Row]:
    """Mixup of n colour images of 32 x 32, against a step of a small convolutional network, and torchvision's formula."""
    layers = nn.Conv2d(3, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 36, 10))
    x, y, random = torch.rand(n, 3, 32, 32), torch.randint(10, (n,)), torch.Generator().manual_seed(0)
    soft, beta = (
        nn.functional.one_hot(y, 10).float(),
        torch.distributions.Beta(torch.tensor([0.4]), torch.tensor([0.4])),
    )

    def ours() -> torch.Tensor:
        return mixup(x, y, 0.4, classes=10, generator=random)[0]

    def published() -> torch.Tensor:
        lam, labels = float(beta.sample()), nn.functional.one_hot(y, 10).float()
        labels.roll(1, 0).mul_(1 - lam).add_(labels.mul(lam))
        return x.roll(1, 0).mul_(1 - lam).add_(x.mul(lam))

    def step() -> None:
        model.zero_grad()
        soft_cross_entropy(model(x), soft).backward()
        with torch.no_grad():
            for p in model.parameters():
                p -= 0.1 * p.grad  # type: ignore[operator]

    name, value = f"mixup, {n} images of 3 x 32 x 32", f"{1e6 * median_seconds(ours, 25):.0f} µs"
    yield Row(name, value, "1 % of a small CNN's step", 100 / ratios(ours, step, 15), "<= 2")
    yield Row(name, value, "torchvision's formula", ratios(ours, published, 25), ">= 0.5")


def denoising(d: int = 300, m: int = 10) -> Row:
    """The exact gradient of a tied denoiser, n = 20, against noise drawn as diffusion libraries do, until 1 % is left of it."""
    patches = stack([SignalNoise(PerClass(5.0), dimension=d).sample(20)])[0].flatten(0, 2)
    filters = nn.Parameter(torch.randn(m, d, dtype=torch.float64) * 1.3 / d**0.5)
    alpha, beta = noising(0.2)

    def ours() -> torch.Tensor:
        return torch.autograd.grad(expected_denoising_loss(filters, patches, alpha, beta), filters)[0]

    def peer() -> torch.Tensor:
        noise = torch.randn_like(patches)
        seen = (alpha * patches + beta * noise) @ filters.mT
        loss = (seen.square() @ filters / m**0.5 - noise).square().sum(1).mean() / 2
        return torch.autograd.grad(loss, filters)[0]

    drawn, exact = torch.stack([peer() for _ in range(400)]), ours()
    error = float((drawn - exact).square().sum((1, 2)).mean().sqrt() / exact.norm())
    off = float((drawn.mean(0) - exact).norm() / exact.norm() / (error / 20))
    name = f"denoiser's gradient, {off:.2f} of the error of 400 draws off"
    value, times = f"{1e6 * median_seconds(ours, 9):.0f} µs", (error / 0.01) ** 2 * ratios(ours, peer, 9)
    return Row(name, value, "noise drawn until 1 % is left", times, ">= 100")


def normalised(n: int = 40, d: int = 200) -> Row:
    """A linear layer before torch.nn.BatchNorm1d, points beside their negatives, so that its centring changes nothing."""
    x, y = torch.randn(n, d, dtype=torch.float64), torch.ones(n, dtype=torch.float64)
    y[::2] = -1
    x, y = torch.cat([x, -x]), torch.cat([y, -y])
    start = (x.mT @ y) / n

    def ours(steps: int = STEPS) -> torch.Tensor:
        gram = batch_norm.signed_gram(x, y)
        path = batch_norm.margin_path(gram, steps, 0.1, (y * (x @ start)).numpy(), looks=2)
        return torch.from_numpy(path.margins[-1, :, 0])

    def peer(steps: int = STEPS) -> torch.Tensor:
        net = nn.Sequential(nn.Linear(d, 1, bias=False), nn.BatchNorm1d(1, eps=1e-12)).double()
        net[0].weight.data[:] = start
        optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(steps):
            optimiser.zero_grad()
            nn.functional.softplus(-y * net(x)[:, 0]).mean().backward()
            optimiser.step()
        return y * (net(x)[:, 0] / net[1].weight).detach()

    off = float((ours(FEW) - peer(FEW)).abs().max())
    value = f"{1e6 * median_seconds(ours, 3) / STEPS:.0f} µs"
    return Row(
        f"batch normalisation, a step, off {off:.0e}",
        value,
        "torch's BatchNorm1d, float64",
        ratios(ours, peer, 3),
        ">= 20",
    )

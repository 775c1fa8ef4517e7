"""Features: gradient descent of a patch network in inner products, against the same steps in d dimensions.

The work of a step, counted first: N = 2 n patches, M distinct ones (n noise patches and the centres), F = 2 m neurons. In
weights it is two products, 2 N d F multiplications; in inner products one, N M F, and the same activations and slopes: 2 d / M
times fewer, 38 at n = 100 and d = 2,000, less what activations take.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from benchmarks._table import Row, median_seconds, ratios
from twopart.learners.features import PatchNetConfig, initialise_patches, stack, train_patches
from twopart.worlds.features import SignalNoise, Xor

RATE, STEPS, FEW = 1.0, 1000, 10


def run() -> Iterator[Row]:
    yield gram(torch.float64)
    yield gram(torch.float32)


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

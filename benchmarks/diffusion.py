"""Diffusion: samplers against their network alone and against diffusers' loop, many networks together, a million points.

diffusers comes with the extra `test`; without it its row is left out. The perfect denoiser of a million points is measured
against the product of matrices in it, with the memory that it takes beyond the points.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from importlib.util import find_spec

import torch

from benchmarks._table import Row, median_seconds, ratios
from twopart.learners.diffusion import MLPDenoiser, sample, train_denoisers
from twopart.worlds.noise import DDPM, OU, grid
from twopart.worlds.noised import Empirical, oracle

N, STEPS, SEEDS = 1000, 100, 16
CLOCK = OU()


def run() -> Iterator[Row]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for width in (64, 256):
        yield against_its_network(width)
    if find_spec("diffusers"):
        yield against_diffusers()
    yield seeds_together()
    yield million()


@torch.no_grad()
def against_its_network(width: int) -> Row:
    model, x = MLPDenoiser(8, CLOCK, width=width), torch.randn(N, 8)
    times = grid(CLOCK, STEPS, (-8.0, 8.0))

    def ours() -> None:
        sample(model, CLOCK, times, x, solver="ddim")

    def network() -> None:
        for t in times[:-1]:
            model(x, t)

    value = f"{median_seconds(ours, 5):.3f} s"
    return Row(
        f"100 steps of 1000 points, width {width}", value, "the network alone", ratios(ours, network, 9), ">= 0.91"
    )


@torch.no_grad()
def against_diffusers() -> Row:
    import diffusers

    scheduler = diffusers.DDIMScheduler(1000, clip_sample=False)
    scheduler.set_timesteps(STEPS)
    clock = DDPM(tuple(scheduler.betas.double().tolist()))
    model, x = MLPDenoiser(8, clock), torch.randn(N, 8)
    times = scheduler.timesteps.double() + 1

    def ours() -> None:
        sample(model, clock, times, x, solver="ddim")

    def peer() -> None:
        y = x
        for k in scheduler.timesteps[:-1]:
            y = scheduler.step(model(y, k + 1.0), k, y).prev_sample

    value = f"{median_seconds(ours, 5):.3f} s"
    return Row("the same, width 64", value, "diffusers' DDIM loop", ratios(ours, peer, 9), ">= 1")


def seeds_together() -> Row:
    points = torch.randn(500, 2)

    def trained(count: int) -> None:
        train_denoisers(
            [MLPDenoiser(2, CLOCK, width=32, depth=2) for _ in range(count)], points, CLOCK, steps=30, batch=64
        )

    def alone() -> None:
        for _ in range(2):
            trained(1)

    times = SEEDS / 2 * ratios(lambda: trained(SEEDS), alone, 5)
    value = f"{median_seconds(lambda: trained(SEEDS), 5):.2f} s"
    return Row(f"30 steps of {SEEDS} networks", value, "one after the other", times, ">= 3")


def million() -> Row:
    """The memory beyond the points is that of one block, 2^22 distances of eight bytes in a few arrays."""
    data, x = Empirical(torch.randn(10**6, 8, dtype=torch.float64)), torch.randn(16, 8, dtype=torch.float64)
    perfect = oracle(data, CLOCK, "eps")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    perfect(x, 0.5)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20

    def products() -> None:
        for part in data.x.split(2**16):
            torch.cdist(x, part).square().neg().softmax(-1) @ part

    value = f"{median_seconds(lambda: perfect(x, 0.5), 3):.2f} s, {grown:.2f} GiB more"
    return Row(
        "64 scores of a million points",
        value,
        "cdist, softmax, product",
        ratios(lambda: perfect(x, 0.5), products, 3),
        "",
    )

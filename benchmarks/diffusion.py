"""Diffusion: samplers against their network alone and diffusers' loop, many networks, a million points; tokens in parallel.

Copies among samples are found against scikit-learn's neighbours, distillation against the calls that it cannot do without, and
students' samples against diffusers' scheduler.

diffusers comes with the extra `test`; without it its row is left out. The perfect denoiser of a million points is measured
against the product of matrices in it, with the memory that it takes beyond the points. Tokens come from a transformer of 2
layers of width 64, 12 x 12 at a time: several at once against one by one, where N/passes is predicted, and one by one against
a Llama of that shape in transformers (extra `test`). Codes of masked digits against factor analysis, a small tokenizer
against diffusers' AutoencoderKL.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

from benchmarks._table import Row, median_seconds, ratios
from twopart.fits import memorisation, neighbours
from twopart.laws.diffusion import masked_code
from twopart.learners.diffusion import (
    Consistency,
    GridTransformer,
    MLPDenoiser,
    consistency_distill,
    generate,
    par_order,
    raster,
    sample,
    small_tokenizer,
    train_denoisers,
)
from twopart.worlds.diffusion import pictures
from twopart.worlds.noise import DDPM, OU, VE, grid
from twopart.worlds.noised import Empirical, oracle

N, STEPS, SEEDS, SIDE = 1000, 100, 16, 12
CLOCK = OU()


def run() -> Iterator[Row]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for width in (64, 256):
        yield against_its_network(width)
    yield guidance()
    if find_spec("diffusers"):
        yield against_diffusers()
    yield seeds_together()
    if find_spec("sklearn"):
        yield neighbourhoods()
        yield copies()
    yield distilled()
    if find_spec("diffusers"):
        yield against_consistency_scheduler()
    yield million()
    for batch in (1, 16):
        for regions in (2, 4):
            yield in_parallel(batch, regions)
    if find_spec("transformers"):
        yield against_transformers()
    if find_spec("sklearn"):
        yield against_factor_analysis()
    if find_spec("diffusers"):
        yield against_autoencoder_kl()


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


def guidance() -> Row:
    """A classifier's gradient at each step, against the network and that gradient alone."""
    from twopart.learners.diffusion import guided

    model, classifier, x = MLPDenoiser(8, CLOCK), MLPDenoiser(8, CLOCK), torch.randn(N, 8)
    times = grid(CLOCK, STEPS, (-8.0, 8.0))
    predict = guided(model, CLOCK, lambda x, t: classifier(x, t)[:, 0])

    def alone() -> None:
        for t in times[:-1]:
            point = x.clone().requires_grad_()
            torch.autograd.grad(classifier(point, t)[:, 0].sum(), point)
            with torch.no_grad():
                model(x, t)

    def ours() -> None:
        sample(predict, CLOCK, times, x, solver="ddim")

    value = f"{median_seconds(ours, 5):.3f} s"
    return Row("the same, guided, width 64", value, "network and gradient", ratios(ours, alone, 9), ">= 0.91")


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


def neighbourhoods() -> Row:
    from sklearn.neighbors import KDTree

    points, radius = np.random.default_rng(0).normal(size=(20_000, 2)), 0.05

    def peer() -> None:
        KDTree(points).query_radius(points, radius, count_only=True)

    value = f"{median_seconds(lambda: neighbours(points, radius), 5):.3f} s"
    times = ratios(lambda: neighbours(points, radius), peer, 9)
    return Row("neighbours of 20,000 points in the plane", value, "scikit-learn's KDTree", times, ">= 1")


def copies() -> Row:
    from sklearn.neighbors import NearestNeighbors

    training, samples = (np.random.default_rng(i).normal(size=(5000, 64)) for i in (0, 1))

    def peer() -> None:
        NearestNeighbors(n_neighbors=2, algorithm="brute").fit(training).kneighbors(samples)

    def ours() -> None:
        memorisation(samples, training)

    value = f"{median_seconds(ours, 5):.3f} s"
    return Row("copies among 5,000 samples of 64", value, "scikit-learn's neighbours", ratios(ours, peer, 5), ">= 1")


def distilled() -> Row:
    """A step calls the teacher, the student twice, and the student backwards, and Adam."""
    teacher, student, x, t = (
        MLPDenoiser(8, CLOCK, width=256),
        MLPDenoiser(8, CLOCK, width=256),
        torch.randn(512, 8),
        torch.ones(512),
    )
    times, points, adam = grid(CLOCK, 12, (-5.0, 4.0)), torch.randn(1000, 8), torch.optim.Adam(student.parameters())

    def ours() -> None:
        consistency_distill(teacher, student, points, CLOCK, times, steps=20, batch=512, ema=0.0)

    def calls() -> None:
        for _ in range(20):
            with torch.no_grad():
                aim = teacher(x, t) + student(x, t)
            adam.zero_grad()
            (student(x, t) - aim).square().sum(1).mean().backward()
            adam.step()

    value = f"{median_seconds(ours, 5):.3f} s"
    return Row("20 steps of distillation, width 256", value, "its calls alone", ratios(ours, calls, 9), ">= 0.8")


@torch.no_grad()
def against_consistency_scheduler() -> Row:
    """The same network and noise levels, four calls."""
    import diffusers

    scheduler = diffusers.CMStochasticIterativeScheduler(4, clip_denoised=False)
    scheduler.set_timesteps(4)
    model, levels = MLPDenoiser(8, VE(), width=256, skip="edm", data_std=0.5), scheduler.sigmas.double()
    levels[-1] /= 2  # the last call is at the least noise
    student = Consistency(model, VE(), levels)

    def peer() -> None:
        scheduler.set_timesteps(4)
        x = levels[0] * torch.randn(N, 8)
        for t, level in zip(scheduler.timesteps, levels, strict=False):
            x = scheduler.step(model(scheduler.scale_model_input(x, t), level), t, x).prev_sample

    value = f"{1000 * median_seconds(lambda: student.sample((N, 8), 4), 9):.1f} ms"
    gain = ratios(lambda: student.sample((N, 8), 4), peer, 9)
    return Row("1000 points in four steps, width 256", value, "diffusers' consistency loop", gain, ">= 1")


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
        "16 scores of a million points",
        value,
        "cdist, softmax, product",
        ratios(lambda: perfect(x, 0.5), products, 3),
        "",
    )


def in_parallel(batch: int, regions: int) -> Row:
    """PAR's order against the raster order of the same model, both with a cache."""
    model, order = GridTransformer(SIDE, 2), par_order(SIDE, regions)
    gain = ratios(
        lambda: generate(model, order, batch, values=2), lambda: generate(model, raster(SIDE), batch, values=2)
    )
    value = f"{median_seconds(lambda: generate(model, order, batch, values=2), 5):.3f} s"
    passes = f"{SIDE**2 / len(order):.2f} by passes"
    return Row(f"PAR-{regions**2}, {batch} grids of {SIDE} x {SIDE}", value, "one by one", gain, passes)


def against_transformers() -> Row:
    """One token after the other, 16 at a time, drawn from the softmax, keys and values kept."""
    import transformers

    shape: dict[str, Any] = {
        "hidden_size": 64,
        "intermediate_size": 176,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }
    config = transformers.LlamaConfig(vocab_size=19, max_position_embeddings=SIDE**2 + 1, pad_token_id=0, **shape)
    peer: Any = transformers.LlamaForCausalLM(config)
    model, start = GridTransformer(SIDE, 2), torch.full((16, 1), 2)
    length = {"min_new_tokens": SIDE**2, "max_new_tokens": SIDE**2}

    peer.eval()

    def theirs() -> None:
        peer.generate(start, attention_mask=torch.ones_like(start), do_sample=True, top_k=0, **length)

    def ours() -> None:
        generate(model, raster(SIDE), 16, values=2)

    value = f"{median_seconds(ours, 5):.3f} s"
    return Row(f"16 grids of {SIDE} x {SIDE} one by one", value, "transformers' Llama", ratios(ours, theirs), ">= 1")


def against_factor_analysis() -> Row:
    """What a code of 6 numbers keeps of the digits: the law at one ratio, and its limit's cousin by EM."""
    from sklearn.decomposition import FactorAnalysis

    x = pictures("digits")[0].x.reshape(1348, -1).astype(float)

    def ours() -> None:
        masked_code(np.cov(x.T), 6, 0.6)

    value = f"{1000 * median_seconds(ours, 9):.1f} ms"
    return Row(
        "6 numbers of masked digits", value, "factor analysis", ratios(ours, lambda: FactorAnalysis(6).fit(x)), ""
    )


@torch.no_grad()
def against_autoencoder_kl() -> Row:
    """Encoding 64 images of 32 x 32: 16 latents of 8 by two layers of width 64, and 4 x 8 x 8 by convolutions of width 32."""
    import diffusers

    model, x = small_tokenizer(32, 4), torch.randn(64, 3, 32, 32)
    peer = diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(32, 32, 32),
    )  # fmt: skip
    value = f"{median_seconds(lambda: model.encode(x), 5):.3f} s"
    gain = ratios(lambda: model.encode(x), lambda: peer.encode(x), 5)
    return Row("64 images to latents", value, "diffusers' AutoencoderKL", gain, "")

"""The networks of the study of penalties on gradients: a cell trains all replicates as one batch, in inner products.

`learn` gives a row for each replicate after training (axis "end"): error on fresh points, loss, signal and memory, the largest
inner products of a neuron with its side's signal and with the noise of points of its label, and start, memory before training;
and one for each noise of fresh points (axis "noise"). `grow` gives growth rates, of roots of sums of squares over active
neurons: signal; memory, the mean over points; off, the root mean square deviation of points' rates from the law, points
weighed by their sums; and bent, the farthest of slopes |ℓ'| from 1/2.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import torch
from torch import Tensor
from torch.nn.functional import softplus

from twopart import _random
from twopart.evidence import long
from twopart.lab import Cell
from twopart.laws.features import Penalised, penalty_rates
from twopart.learners.features import (
    Moment,
    PatchNet,
    PatchNetConfig,
    fresh_error,
    initialise_patches,
    memory,
    signal,
    stack,
    train_patches,
)
from twopart.learners.features.patch_reading import own_label
from twopart.studies.features.per_example_gradient import NOISES, Growth, Trained
from twopart.worlds.features import Patches, SignalNoise, Signed


def learn(case: Trained, cell: Cell) -> pl.DataFrame:
    """Train to the end, and see what was learned."""
    total = 1.05 * case.steps

    def watch(moment: Moment) -> None:
        if moment.step % 50 == 0:
            cell.progress(moment.step, total)

    worlds, samples = points(case)
    (x, y), start = stack(samples), networks(case, cell)
    groups = case.networks.points if case.over == "examples" else 1
    step = Penalised.of(x, case.weight, groups, activation=case.activation)
    end = train_patches(start, x, y, steps=case.steps, rate=case.rate, method="gram", step=step, on_step=watch)
    (_, first), last = (active(net, samples, worlds) for net in (start, end))
    found = {"loss": softplus(-y * end(x)).mean(1), "start": first.amax((1, 2, 3))}
    found |= {name: part.amax((1, 2, 3)) for name, part in zip(("signal", "memory"), last, strict=True)}
    shifted = [[SignalNoise(w.features, w.dimension, noise=noise, seed=w.seed) for w in worlds] for noise in NOISES]
    errors = torch.stack([fresh_error(end, of, case.networks.tests, seed=cell.seed) for of in shifted], 1)
    cell.progress(total, total)
    at_noise = long("noise", {"error": errors, "noise": np.array(NOISES)[None].repeat(len(worlds), 0)})
    return pl.concat([long("end", found | {"error": errors[:, 0]}), at_noise], how="diagonal")


def grow(case: Growth, cell: Cell) -> pl.DataFrame:
    """Train for an e-fold of signal and of memory each."""
    kept: dict[int, tuple[PatchNet, Tensor]] = {}

    def watch(moment: Moment) -> None:
        if moment.step in (0, *case.ends):
            kept[moment.step] = moment.network(), (moment.outputs.sigmoid() - 0.5).abs().amax(1)
            cell.progress(moment.step, case.ends[0])

    worlds, samples = points(case)
    (x, y), start = stack(samples), networks(case, cell)
    step = Penalised.of(x, case.weight)
    train_patches(start, x, y, steps=case.ends[0], rate=case.rate, method="gram", step=step, on_step=watch)
    before, own = active(start, samples, worlds), [active(kept[end][0], samples, worlds) for end in case.ends]
    squares = [[part.clamp(min=0).square().sum((1, 2)) for part in (own[i][i], before[i])] for i in (0, 1)]
    grown = [(now / then).sqrt() for now, then in squares]  # nan of a point that no neuron of its side is active at
    rates: list[Tensor] = [(ratio ** (1 / end) - 1) / case.rate for ratio, end in zip(grown, case.ends, strict=True)]
    n, m, (M, _) = case.networks.points, case.networks.neurons, case.squares
    X = np.stack([np.square(sample.x[:, 1], dtype=float).sum(1) for sample in samples])
    law = penalty_rates(n, M, X, m, case.weight).memory
    unit = case.dimension / (n * m) * max(1.0, abs(1 - case.share))
    weights = squares[1][1].numpy()
    off = np.sqrt(np.nansum(weights * np.square(rates[1].numpy() - law), axis=1) / weights.sum(1)) / unit
    cell.progress(case.ends[0], case.ends[0])
    bent = torch.stack([bent for _, bent in kept.values()]).amax(0)
    return long("end", {"signal": rates[0][:, 0], "memory": rates[1].nanmean(1), "off": off, "bent": bent})


def points(case: Trained) -> tuple[list[SignalNoise], list[Patches]]:
    """A world for each replicate, and its training set."""
    seeds = range(case.seed, case.seed + case.networks.seeds)
    worlds = [SignalNoise(Signed(case.norm), case.dimension, seed=seed) for seed in seeds]
    return worlds, [world.sample(case.networks.points) for world in worlds]


def networks(case: Trained, cell: Cell) -> PatchNet:
    keys = [int(key >> 1) for key in _random.keys(cell.seed, case.networks.seeds, "patch-net")]
    config = PatchNetConfig(case.networks.neurons, case.activation, initial=case.initial)
    return initialise_patches(config, case.dimension, keys, dtype=torch.float64, device=cell.device)


def active(network: PatchNet, samples: Sequence[Patches], worlds: Sequence[SignalNoise]) -> tuple[Tensor, Tensor]:
    """Inner products with the side's own signal, (B, 2, m, 1), and with noise of its label, 0 elsewhere, (B, 2, m, n)."""
    sign = torch.tensor([1.0, -1.0], dtype=torch.float64)[:, None, None]
    return signal(network, worlds) * sign, memory(network, samples) * own_label(samples)

"""The networks of the study of output scale: a cell trains all replicates as one batch, in inner products.

Axis "way", a row for each look: time, steps times rate; stretched, ∫ 2|ℓ'| dt; loss; active, the share of neurons that a
training point's noise activates on its side; means over neurons of hidden_signal, a, output_signal, v_1, hidden_memory, the
length of what was learned off μ, output_memory, v_2, and balance, v_1² - a², or v² - |w|² where patches share v.
Axis "end", a row for each replicate: error on fresh points, margin, the mean y f of training points, active, balance, loss.
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
from twopart.learners.features import (
    Moment,
    PatchNet,
    PatchNetConfig,
    active_share,
    fresh_error,
    initialise_patches,
    signal,
    stack,
    train_patches,
)
from twopart.studies.features.initialization import Train
from twopart.worlds.features import SignalNoise, Signed


def train(case: Train, cell: Cell) -> pl.DataFrame:
    """Train to the end, and look at both layers on the way."""
    net, seeds = case.networks, range(case.networks.seeds)
    worlds = [SignalNoise(Signed(case.norm), net.dimension, seed=case.seed + i) for i in seeds]
    samples = [world.sample(net.points) for world in worlds]
    x, y = (part.to(cell.device) for part in stack(samples))
    total, stretched, rows = 1.1 * net.steps, torch.zeros(net.seeds, dtype=x.dtype), []
    looks = {0, *np.geomspace(1, net.steps, net.looks).round().astype(int).tolist()}
    config = PatchNetConfig(
        net.neurons, output=case.output, scale="sum", initial=net.initial, output_initial=case.scale
    )
    keys = [int(key >> 1) for key in _random.keys(case.seed, net.seeds, "patch-net")]
    start = initialise_patches(config, net.dimension, keys, dtype=x.dtype, device=cell.device)

    def watch(moment: Moment) -> None:
        margins = moment.outputs * y.cpu()
        if moment.step in looks:
            now = moment.network()
            row = {"time": torch.full_like(stretched, moment.step * net.rate), "stretched": stretched.clone()}
            rows.append(
                row
                | {"loss": softplus(-margins).mean(1), "active": active_share(now, samples)}
                | layers(now, start, worlds)
            )
            cell.progress(moment.step, total)
        stretched.add_(2 * net.rate * torch.sigmoid(-margins).mean(1))

    end = train_patches(start, x, y, steps=net.steps, rate=net.rate, method="gram", on_step=watch)
    last = {name: rows[-1][name] for name in ("active", "balance", "loss")} | {"margin": (end(x) * y).mean(1)}
    last["error"] = fresh_error(end, worlds, net.tests, seed=case.seed)
    cell.progress(total, total)
    way = {name: torch.stack([row[name].cpu() for row in rows], 1) for name in rows[0]}
    return pl.concat([long("way", way), long("end", last)], how="diagonal")


def layers(now: PatchNet, start: PatchNet, worlds: Sequence[SignalNoise]) -> dict[str, Tensor]:
    """Means over neurons, shapes (B,)."""
    norm = float(np.linalg.norm(worlds[0].directions))
    sign = torch.tensor([1.0, -1.0]).to(now.weights)[:, None]
    a, learned = signal(now, worlds)[..., 0] * sign / norm, now.weights - start.weights
    along = signal(PatchNet(now.config, learned, now.second), worlds)[..., 0] / norm
    first, second = now.second[..., 0], now.second[..., -1]
    length = a.square() if now.second.shape[-1] > 1 else now.weights.square().sum(-1)
    found = {
        "hidden_signal": a,
        "output_signal": first,
        "hidden_memory": (learned.square().sum(-1) - along.square()).clamp(min=0).sqrt(),
        "output_memory": second,
        "balance": first.square() - length,
    }
    return {name: part.mean((1, 2)) for name, part in found.items()}

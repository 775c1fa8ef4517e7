"""What patch networks know: the signal, the training noise, and how often they err on fresh points of their world.

A network meets a fresh noise patch as H = W ξ ~ N(0, σ² W W^T), over the J m filters and off the directions: so test points are
drawn in J m numbers, in float32, and a million of them cost nothing whatever the dimension is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from twopart._checks import check, check_integer
from twopart.learners.features.patch_net import PatchNet
from twopart.worlds.features.signal_noise import Features, Group, Patches, SignalNoise

CHUNK = 2**12  # points held at a time, as many as a cache takes


def stack(samples: Sequence[Patches], *, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Points (B, n, P, d) and labels (B, n) of B samples of one size, for `train_patches`."""
    sizes = {sample.x.shape for sample in samples}
    check(len(sizes) == 1, "samples", sizes, "of one shape", "a batch of networks needs samples of equal size")
    x, y = (np.stack([getattr(sample, part) for sample in samples]) for part in ("x", "label"))
    return torch.from_numpy(x).to(dtype), torch.from_numpy(y).to(dtype)


def signal(network: PatchNet, worlds: SignalNoise | Sequence[SignalNoise]) -> Tensor:
    """<w, direction> of every neuron, shape (B, J, m, K); one world for all networks or one for each."""
    return network.weights @ _each(network, worlds, "directions").mT[:, None]


def memory(network: PatchNet, samples: Sequence[Patches]) -> Tensor:
    """<w, ξ> with the training noise, shape (B, J, m, N): noise patches in the order of the points, as many in each sample."""
    most = {int(sample.noisy.sum()) for sample in samples}
    check(len(most) == 1, "samples", most, "of equally many noise patches", "draw them with `balanced`, or one by one")
    noise = torch.from_numpy(np.stack([sample.x[sample.noisy] for sample in samples])).to(network.weights)
    return network.weights @ noise.mT[:, None]


def own_label(samples: Sequence[Patches]) -> Tensor:
    """Whether a noise patch's label is that of the side F_+, F_-: booleans (B, 2, 1, N), for `memory`."""
    labels = torch.from_numpy(np.stack([np.where(s.noisy, s.label[:, None], 0)[s.noisy] for s in samples]))
    return torch.stack([labels == 1, labels == -1], 1)[:, :, None]


def active_share(network: PatchNet, samples: Sequence[Patches]) -> Tensor:
    """q, the share of (neuron, noise patch of its side's label) pairs with a positive pre-activation, shape (B,)."""
    own, found = own_label(samples), memory(network, samples)
    return ((found > 0) & own).sum((1, 2, 3)) / (own.sum((1, 2, 3)) * found.shape[2])


def fresh_error(
    network: PatchNet, worlds: SignalNoise | Sequence[SignalNoise], points: int = 10**6, *, seed: int = 0
) -> Tensor:
    """Share of fresh points whose f has not the sign of their clean label (0 counts half), shape (B,).

    Points are spread over the groups as their shares say, `points` in all for each network. Patches that hold a feature also
    hold noise where the world says so. One kind of features, one σ for all worlds.
    """
    check_integer("points", points, 1, None, "a million is usual")
    wrong = torch.zeros(len(network.weights), dtype=torch.float64, device=network.weights.device)
    for group, sides in fresh_sides(network, worlds, points, seed=seed):
        f = group.label * (sides[..., 0] - (sides[..., 1] if network.config.sides == 2 else 0))
        wrong += group.share / _points_of(group, points) * ((f < 0).sum(1) + (f == 0).sum(1) / 2)
    return wrong


def fresh_sides(
    network: PatchNet, worlds: SignalNoise | Sequence[SignalNoise], points: int, *, seed: int = 0
) -> Iterator[tuple[Group, Tensor]]:
    """F_+ and F_- of fresh points, group by group in chunks: the group and the sides, shape (B, count, J)."""
    world = worlds if isinstance(worlds, SignalNoise) else worlds[0]
    fits = world.slots != "random" or network.second.shape[-1] == 1
    check(fits, "slots", world.slots, "'first' or 'apart' for an output per patch", "ask the network about a sample")
    known, root = signal(network, worlds).flatten(1, 2).float(), (noise_root(network, worlds) * world.noise).float()
    network = replace(network, second=network.second.float())
    random = torch.Generator(network.weights.device).manual_seed(seed)
    for group in world.features.groups:
        slots, left = _slots(world, group), _points_of(group, points)
        while left:
            count = min(left, CHUNK)
            left -= count
            yield group, network.sides_from(_fresh(network, world, group, slots, count, known, root, random))


def _points_of(group: Group, points: int) -> int:
    return max(1, round(group.share * points)) if group.share > 0 else 0


def noise_root(network: PatchNet, worlds: SignalNoise | Sequence[SignalNoise]) -> Tensor:
    """A root A of W W^T = A A^T off the directions, shape (B, J m, J m)."""
    w = network.weights.flatten(1, 2).double()
    basis = _each(network, worlds, "basis").double()
    across = w - (w @ basis.mT) @ basis
    values, vectors = torch.linalg.eigh(across @ across.mT)
    root: Tensor = vectors * values.clamp(min=0).sqrt()[:, None]
    return root.to(network.weights)


def _fresh(
    network: PatchNet, world: SignalNoise, group: Group, slots: list[int], count: int, known: Tensor, root: Tensor,
    random: torch.Generator,
) -> Tensor:  # fmt: skip
    """Pre-activations (B, count, P, J, m)."""
    B, J, m, _ = network.weights.shape
    h = torch.zeros(B, count, world.patches, J * m).to(root)
    for p in range(world.patches):
        if world.noise_on == "all" or p not in slots:
            h[:, :, p] = torch.randn(B, count, J * m, generator=random, dtype=root.dtype, device=root.device) @ root.mT
    for part, p in zip(group.parts, slots, strict=True):
        h[:, :, p] += part.amount * known[:, None, :, part.direction]
    return h.view(B, count, world.patches, J, m)


def _slots(world: SignalNoise, group: Group) -> list[int]:
    """The patch of each part."""
    return [part.kind if world.slots == "apart" else place for place, part in enumerate(group.parts)]


def _each(network: PatchNet, worlds: SignalNoise | Sequence[SignalNoise], what: str) -> Tensor:
    """`what` of each network's world, shape (B, K, d)."""
    several = [worlds] * len(network.weights) if isinstance(worlds, SignalNoise) else list(worlds)
    check(len(several) == len(network.weights), "worlds", len(several), f"{len(network.weights)}", "one a network")
    d = network.weights.shape[-1]
    check({w.dimension for w in several} == {d}, "worlds", several[0].dimension, f"of dimension {d}", "as the weights")
    same: set[Features] = {w.features for w in several}
    check(len(same) == 1, "worlds", same, "of the same features", "ask about them one by one")
    return torch.from_numpy(np.stack([getattr(w, what) for w in several])).to(network.weights)

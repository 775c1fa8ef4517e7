"""The stacks and networks of the study of sparse rate reduction.

Axis "linear", by map and layer: R^c of matrices, raw and at fixed Frobenius norm, and their laws. Axis "softmax", by sign,
basis, tokens and layer: R^c raw and at unit norm of tokens. Axis "run", for each network at each protocol that it came to: its
settings and measures. Axis "course", by epoch and layer: SRR and its parts.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn
from torch.nn import functional

from twopart import _random
from twopart.evidence import long
from twopart.lab import Cell
from twopart.laws.in_context.coding_rate import MAPS, rate_by_layer
from twopart.learners.ensemble import Ensemble
from twopart.learners.in_context.complexity import complexity
from twopart.learners.in_context.crate import Crate
from twopart.learners.in_context.rate_reduction import SRRRegulariser, subspace_rate, watch
from twopart.studies.in_context.sparse_rate_reduction import BASES, EPOCHS, FIT, LOSS, OURS, TOKENS, Stack, Train
from twopart.worlds.in_context.images import Images
from twopart.worlds.in_context.subspace_tokens import SubspaceTokens

LAYERS, K, N, D, SQUARE = 8, 4, 40, 24, 0.5  # of stacks; SQUARE is ε²
BETA, EPS, SOFT_STEP = D / K / (N * SQUARE), SQUARE**0.5, 0.3
STEPS = {"plus": 0.02, "negative": 0.02, "gradient": 1.0, "second": 0.3}  # determinants stay within float64
SEEN, MOMENTS = 128, 4  # images that measures see, moments of the course


def moved(Z: Tensor, U: Tensor, how: str) -> Tensor:
    """Tokens (R, n, d) after a layer of linear attention, in matrices."""
    told: Tensor
    V = Z[:, None] @ U
    G = V.mT @ V
    if how == "gradient":
        told = -BETA * torch.linalg.solve(torch.eye(D // K).to(G) + BETA * G, V, left=False)
    else:
        told = {"plus": V @ G, "negative": -V @ G, "second": -BETA * V + BETA**2 * V @ G}[how]
    return Z + STEPS[how] * (told @ U.mT).sum(1)


def softened(Z: Tensor, U: Tensor, how: str) -> Tensor:
    """The same of softmax attention after LayerNorm; U (R, K, d, p) is each input's own."""
    V = functional.layer_norm(Z, (D,))[:, None] @ U
    told: Tensor = torch.softmax(V @ V.mT * V.shape[-1] ** -0.5, -1) @ V @ U.mT
    return Z + (SOFT_STEP if how == "plus" else -SOFT_STEP) * told.sum(1)


def attend(case: Stack, cell: Cell) -> pl.DataFrame:
    """Tokens through layers of attention alone."""
    random, R, rows, layer = _random.generator(case.seed, "stacks"), case.inputs, [], {"layer": np.arange(LAYERS + 1)}

    def normal(*shape: int) -> Tensor:
        return torch.from_numpy(random.standard_normal(shape))

    def bases(kind: str, count: int) -> Tensor:
        square = normal(count, D, D)
        frames: Tensor = torch.linalg.qr(square).Q if kind == "orthonormal" else square / D**0.5
        return frames.reshape(count, D, K, -1).transpose(1, 2)

    U, Z = bases("orthonormal", 1)[0], functional.normalize(normal(R, N, D), dim=-1)
    s, norm = torch.linalg.svdvals(Z[:, None] @ U).flatten(1), torch.linalg.matrix_norm(Z, keepdim=True)
    for how, (name, keep) in product(MAPS, (("raw", False), ("fixed", True))):
        z = [Z]
        for _ in range(LAYERS):
            after = moved(z[-1], U, how)
            z.append(after * norm / torch.linalg.matrix_norm(after, keepdim=True) if keep else after)
        law = rate_by_layer(s, how, STEPS[how], beta=BETA, layers=LAYERS, keep_norm=keep).T
        found = {"matrices": subspace_rate(torch.stack(z, 1), U, EPS, False), "law": law}
        rows.append(long("linear", layer | found, how=how, scale=name))
    first = normal(R // 5, N, D), torch.from_numpy(SubspaceTokens(K, 2, D, N, seed=case.seed).sample(R // 5)[0])
    for basis, how, (tokens, start) in product(BASES, MAPS[:2], zip(TOKENS, first, strict=True)):
        own, z = bases(basis, R // 5), [start]
        for _ in range(LAYERS):
            z.append(softened(z[-1], own, how))
        each = list(zip(torch.stack(z, 1), own, strict=True))
        for scale, unit in (("raw", False), ("unit", True)):
            rates = torch.stack([subspace_rate(one, u, EPS, unit) for one, u in each])
            rows.append(long("softmax", layer | {"matrices": rates}, how=how, scale=scale, basis=basis, tokens=tokens))
    cell.progress(1, 1)
    return pl.concat(rows, how="diagonal_relaxed")


def objective(weight: float) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    """Cross-entropy, with the penalty on the last layer."""
    penalty = SRRRegulariser(weight)

    def loss(network: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        with watch(network) as seen:
            fit = functional.cross_entropy(network(x), y)
            return fit + penalty(seen) if weight else fit

    return loss


def train(case: Train, cell: Cell, ranked: bool = True) -> pl.DataFrame:
    """Train an ensemble until all have come to the loss, and look at each there and after equal epochs."""
    n, rows, random, there = case.network, [], cell.generator("orders"), set[int]()
    sets = Images(n.dataset, n.folder, case.seed).parts(n.images, n.validation)
    (x, y), *others = [(torch.from_numpy(a).to(cell.device), torch.from_numpy(b).to(cell.device)) for a, b in sets]
    last, marks = n.most if ranked else n.epochs, {round(n.epochs * k / MOMENTS) for k in range(MOMENTS + 1)}
    loss, used = objective(case.weight), len(x) // case.batch * case.batch
    with torch.random.fork_rng():
        torch.manual_seed(cell.seed % 2**63)
        sizes: Any = x.shape[-1], n.patch, int(y.max()) + 1, n.width, n.depth, n.heads, case.output
        made = (Crate(*sizes, channels=x.shape[1], dropout=case.dropout) for _ in range(case.seeds))
        ensemble = Ensemble([one.to(cell.device) for one in made])
        adam = torch.optim.Adam(ensemble.parameters(), case.rate)
        for epoch in range(1, last + 1):
            ensemble.train()
            orders = torch.rand(case.seeds, len(x), generator=random, device=x.device).argsort(1)
            batches = torch.split(orders[:, :used], case.batch, 1)
            ensemble.fit(((x[chosen], y[chosen]) for chosen in batches), loss, adam)
            ensemble.train(False)
            cell.progress(epoch, last)
            if epoch % 2 and epoch not in marks:
                continue
            with torch.no_grad():
                fit = -ensemble.each(loss, x, y, shared=True)
            for seed, network in enumerate(ensemble.members()):
                come = ranked and seed not in there and float(fit[seed]) >= -n.loss
                for protocol in [EPOCHS] * (epoch == n.epochs) + [LOSS] * come:
                    labels = {"replicate": seed, "axis": "run", "protocol": protocol, "epoch": epoch}
                    told = {FIT: float(fit[seed])} | seen_of(network, [(x, y), *others], ranked)
                    rows.append(pl.DataFrame(labels | told))
                if ranked and epoch in marks:
                    rows.append(long("course", layers(network, x), epoch=epoch))
                there |= {seed} if come else set()
            if epoch >= n.epochs and len(there) == case.seeds:
                break
    cell.progress(1, 1)
    return pl.concat(rows, how="diagonal_relaxed")


def regularise(case: Train, cell: Cell) -> pl.DataFrame:
    """Train for equal epochs, with the penalty or without."""
    return train(case, cell, ranked=False)


def layers(network: nn.Module, x: Tensor) -> dict[str, np.ndarray]:
    """SRR and its parts by layer, shapes (1, layers), mean over the first images."""
    with torch.no_grad(), watch(network) as seen:
        network(x[:SEEN])
        by = [(r.srr, r.total, r.subspace, r.sparsity) for r in seen.rates()]
    means = np.array([[float(one.mean()) for one in layer] for layer in by]).T[:, None]
    return {"layer": 1 + np.arange(len(by))[None], **dict(zip(("SRR", "R", "R^c", "nonzero"), means, strict=True))}


def seen_of(network: nn.Module, sets: list[tuple[Tensor, Tensor]], ranked: bool) -> dict[str, float]:
    """Accuracies, the gap, and the measures of a network that is to be ranked."""
    with torch.no_grad():
        right = [float((network(x).argmax(1) == y).float().mean()) for x, y in sets]
    told = {"validation": right[1], "accuracy": right[2], "gap": right[0] - right[2]}
    if not ranked:
        return told
    srr, R, within, nonzero = (one[0] for name, one in layers(network, sets[0][0]).items() if name != "layer")
    ours = map(float, (srr.mean(), srr[-1], within.mean(), -R.mean(), nonzero.mean()))
    return told | dict(zip(OURS, ours, strict=True)) | complexity(network, (sets[0][0][:SEEN], sets[0][1][:SEEN]))

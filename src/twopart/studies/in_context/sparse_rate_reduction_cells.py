"""The stacks and networks of the study of sparse rate reduction.

Axis "linear", by map and layer: R^c of matrices, raw and at fixed Frobenius norm, and their laws. Axis "softmax", by sign,
basis, tokens and layer: R^c raw and at unit norm of tokens. Axis "run", for each network at each protocol that it came to: its
settings and measures. Axis "course", by epoch and layer: SRR and its parts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
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


def moved(Z: Tensor, U: Tensor, how: str, norm: Tensor | None = None) -> Tensor:
    """Tokens (R, n, d) after a layer of linear attention, in matrices; scaled to a norm, if it is given."""
    V = Z[:, None] @ U
    G = V.mT @ V
    if how == "gradient":
        told = -BETA * torch.linalg.solve(torch.eye(D // K).to(G) + BETA * G, V, left=False)
    else:
        told = {"plus": V @ G, "negative": -V @ G, "second": -BETA * V + BETA**2 * V @ G}[how]
    after: Tensor = Z + STEPS[how] * (told @ U.mT).sum(1)
    return after if norm is None else after * norm / torch.linalg.matrix_norm(after, keepdim=True)


def softened(Z: Tensor, U: Tensor, how: str) -> Tensor:
    """The same of softmax attention after LayerNorm; U (R, K, d, p) is each input's own."""
    V = functional.layer_norm(Z, (D,))[:, None] @ U
    told: Tensor = torch.softmax(V @ V.mT * V.shape[-1] ** -0.5, -1) @ V @ U.mT
    return Z + (SOFT_STEP if how == "plus" else -SOFT_STEP) * told.sum(1)


def stacked(Z: Tensor, layer: Callable[[Tensor], Tensor]) -> Tensor:
    """Tokens before the first layer and after each, shape (R, layers + 1, n, d)."""
    z = [Z]
    for _ in range(LAYERS):
        z.append(layer(z[-1]))
    return torch.stack(z, 1)


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
    for how, (scale, kept) in product(MAPS, (("raw", None), ("fixed", norm))):
        z = stacked(Z, partial(moved, U=U, how=how, norm=kept))
        law = rate_by_layer(s, how, STEPS[how], beta=BETA, layers=LAYERS, keep_norm=kept is not None).T
        rows.append(
            long("linear", layer | {"matrices": subspace_rate(z, U, EPS, False), "law": law}, how=how, scale=scale)
        )
    first = normal(R // 5, N, D), torch.from_numpy(SubspaceTokens(K, 2, D, N, seed=case.seed).sample(R // 5)[0])
    for basis, how, (tokens, start) in product(BASES, MAPS[:2], zip(TOKENS, first, strict=True)):
        own = bases(basis, R // 5)
        z = stacked(start, partial(softened, U=own, how=how))
        for scale, unit in (("raw", False), ("unit", True)):
            rates = torch.stack([subspace_rate(one, u, EPS, unit) for one, u in zip(z, own, strict=True)])
            rows.append(long("softmax", layer | {"matrices": rates}, how=how, scale=scale, basis=basis, tokens=tokens))
    cell.progress(1, 1)
    return pl.concat(rows, how="diagonal_relaxed")


def objective(weight: float) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    """Cross-entropy, with the penalty on the last layer."""
    penalty = SRRRegulariser(weight)

    def loss(network: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        if not weight:
            return functional.cross_entropy(network(x), y)
        with watch(network) as seen:
            return functional.cross_entropy(network(x), y) + penalty(seen)

    return loss


def train(case: Train, cell: Cell) -> pl.DataFrame:
    """Train an ensemble until all have come to the loss, and look at each there and after equal epochs."""
    n, rows, random, there, loss = case.network, [], cell.generator("orders"), set[int](), objective(case.weight)
    sets = Images(n.dataset, n.folder, case.seed).parts(n.images, n.validation)
    (x, y), *others = [(torch.from_numpy(a).to(cell.device), torch.from_numpy(b).to(cell.device)) for a, b in sets]
    used, marks = len(x) // case.batch * case.batch, {round(n.epochs * k / MOMENTS) for k in range(MOMENTS + 1)}
    with torch.random.fork_rng():
        torch.manual_seed(cell.seed % 2**63)
        sizes: Any = x.shape[-1], n.patch, int(y.max()) + 1, n.width, n.depth, n.heads, case.output
        made = (Crate(*sizes, channels=x.shape[1], dropout=case.dropout) for _ in range(case.seeds))
        ensemble = Ensemble([one.to(cell.device) for one in made])
        adam = torch.optim.Adam(ensemble.parameters(), case.rate)
        for epoch in range(1, n.most + 1):
            ensemble.train()
            orders = torch.rand(case.seeds, len(x), generator=random, device=x.device).argsort(1)
            batches = torch.split(orders[:, :used], case.batch, 1)
            ensemble.fit(((x[chosen], y[chosen]) for chosen in batches), loss, adam)
            ensemble.train(False)
            cell.progress(epoch, n.most)
            if epoch % 2 and epoch not in marks:
                continue
            with torch.no_grad():
                losses = ensemble.each(loss, x, y, shared=True)
            for seed, network in enumerate(ensemble.members()):
                fit = {FIT: -float(losses[seed])}
                come = seed not in there and fit[FIT] >= -n.loss
                for protocol in [EPOCHS] * (epoch == n.epochs) + [LOSS] * come:
                    labels = {"replicate": seed, "axis": "run", "protocol": protocol, "epoch": epoch}
                    rows.append(pl.DataFrame(labels | fit | measured(network, (x, y), *others)))
                if epoch in marks:
                    rows.append(long("course", layers(network, x), epoch=epoch))
                there |= {seed} if come else set()
            if epoch >= n.epochs and len(there) == case.seeds:
                break
    cell.progress(1, 1)
    return pl.concat(rows, how="diagonal_relaxed")


def regularise(case: Train, cell: Cell) -> pl.DataFrame:
    """Train for equal epochs, with the penalty or without."""
    return train(replace(case, network=replace(case.network, most=case.network.epochs)), cell)


def layers(network: nn.Module, x: Tensor) -> dict[str, np.ndarray]:
    """SRR and its parts by layer, shapes (1, layers), mean over the first images."""
    with torch.no_grad(), watch(network) as seen:
        network(x[:SEEN])
        means = np.array([[float(part.mean()) for part in (rates.srr, *rates)] for rates in seen.rates()])
    columns = zip(("SRR", "R", "R^c", "nonzero"), means.T[:, None], strict=True)
    return {"layer": 1 + np.arange(len(means))[None], **dict(columns)}


def measured(network: nn.Module, *sets: tuple[Tensor, Tensor]) -> dict[str, float]:
    """Accuracies on validation and test images, the gap, and all that may rank it."""
    (x, y), by = sets[0], layers(network, sets[0][0])
    with torch.no_grad():
        right = [float((network(x).argmax(1) == y).float().mean()) for x, y in sets]
    ours = by["SRR"].mean(), by["SRR"][0, -1], by["R^c"].mean(), -by["R"].mean(), by["nonzero"].mean()
    told = {"validation": right[1], "accuracy": right[2], "gap": right[0] - right[2]}
    return told | dict(zip(OURS, map(float, ours), strict=True)) | complexity(network, (x[:SEEN], y[:SEEN]))

"""The stacks and networks of the study of sparse rate reduction.

Axis "linear", by map and layer: raw R^c of matrices and its law; the same at fixed Frobenius norm. Axis "softmax", by sign, basis,
tokens and layer: R^c raw and of tokens of length 1. Axis "run", a row for each network at each protocol that it reached: rate, seed,
epoch, losses, accuracies, measures. Axis "course", by epoch and layer: SRR and its parts.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import torch
from torch import Tensor
from torch.func import functional_call, grad_and_value, stack_module_state, vmap
from torch.nn import functional as F

from twopart import _random
from twopart.evidence import long
from twopart.lab import Cell
from twopart.laws.in_context.coding_rate import MAPS, rate_by_layer
from twopart.learners.in_context.complexity import complexity
from twopart.learners.in_context.crate import Crate
from twopart.learners.in_context.rate_reduction import SRRRegulariser, subspace_rate, watch
from twopart.studies.in_context.sparse_rate_reduction import PROTOCOLS, Stack, Train
from twopart.worlds.in_context.images import Images
from twopart.worlds.in_context.subspace_tokens import SubspaceTokens

STEPS = {"plus": 0.05, "negative": 0.05, "gradient": 1.0, "second": 1.0}
SOFT_STEP, SEEN, MOMENTS = (
    0.3,
    128,
    6,
)  # the step of softmax stacks, images that measures see, epochs whose course is kept


def move(Z: Tensor, U: Tensor, how: str, beta: float) -> Tensor:
    """A layer of linear attention in matrices: tokens (R, n, d), subspaces (K, d, p)."""
    V, κ = Z[:, None] @ U, STEPS[how]
    G = V.mT @ V
    if how == "gradient":
        told = -beta * torch.linalg.solve(torch.eye(G.shape[-1], dtype=G.dtype) + beta * G, V, left=False)
    else:
        told = {"plus": V @ G, "negative": -V @ G, "second": -beta * V + beta**2 * V @ G}[how]
    return Z + κ * (told @ U.mT).sum(1)


def soften(Z: Tensor, U: Tensor, sign: float) -> Tensor:
    """A layer of softmax attention after LayerNorm; U has one (K, d, p) for each input."""
    V = F.layer_norm(Z, Z.shape[-1:])[:, None] @ U
    return Z + sign * SOFT_STEP * (torch.softmax(V @ V.mT / V.shape[-1] ** 0.5, -1) @ V @ U.mT).sum(1)


def attend(case: Stack, cell: Cell) -> pl.DataFrame:
    """Tokens through layers of attention alone."""
    random, d, K, n, eps = (
        _random.generator(case.seed, "stacks"),
        case.dimension,
        case.heads,
        case.tokens,
        case.square**0.5,
    )
    beta, steps, rows = d / K / (n * case.square), {"layer": np.arange(case.layers + 1)}, []

    def bases(count: int) -> Tensor:
        frames = np.linalg.qr(random.standard_normal((count, d, d)))[0]
        return torch.from_numpy(frames.reshape(count, d, K, d // K).swapaxes(1, 2))

    U, Z = bases(1)[0], F.normalize(torch.from_numpy(random.standard_normal((case.inputs, n, d))), dim=-1)
    s = torch.linalg.svdvals(Z[:, None] @ U).flatten(1).numpy()
    for how in MAPS:
        raw, fixed = [Z], [Z]
        for _ in range(case.layers):
            raw.append(move(raw[-1], U, how, beta))
            moved = move(fixed[-1], U, how, beta)
            fixed.append(moved * (torch.linalg.matrix_norm(Z) / torch.linalg.matrix_norm(moved))[:, None, None])
        measured = {
            name: subspace_rate(torch.stack(z, 1), U, eps, False) for name, z in (("raw", raw), ("fixed", fixed))
        }
        law = {
            n: rate_by_layer(s, how, STEPS[how], beta=beta, layers=case.layers, keep_norm=n != "law").T
            for n in ("law", "fixed law")
        }
        rows.append(long("linear", {**steps, **measured, **law}, how=how))
    count = case.inputs // 5
    world = SubspaceTokens(K, 2, d, n, seed=case.seed)
    for kind, first in (("Gaussian", random.standard_normal((count, n, d))), ("clustered", world.sample(count)[0])):
        for basis in ("orthonormal", "random"):
            own = (
                bases(count)
                if basis == "orthonormal"
                else torch.from_numpy(random.standard_normal((count, K, d, d // K)) / d**0.5)
            )
            for how, sign in (("plus", 1.0), ("negative", -1.0)):
                z = [torch.from_numpy(first)]
                for _ in range(case.layers):
                    z.append(soften(z[-1], own, sign))
                rates = [
                    torch.stack(
                        [subspace_rate(one, U_, eps, unit) for one, U_ in zip(torch.stack(z, 1), own, strict=True)]
                    )
                    for unit in (False, True)
                ]
                rows.append(
                    long("softmax", {**steps, "raw": rates[0], "unit": rates[1]}, how=how, basis=basis, tokens=kind)
                )
    cell.progress(1, 1)
    return pl.concat(rows, how="diagonal_relaxed")


class Crowd:
    """Networks of one shape, trained together: parameters stacked along a first axis, a learning rate each."""

    def __init__(self, case: Train, seed: int, device: str, channels: int, image: int, classes: int) -> None:
        n, torch_seed = case.network, int(_random.keys(seed, 1, "networks")[0] >> 1)
        torch.manual_seed(torch_seed)
        made = [Crate(image, n.patch, classes, n.width, n.depth, n.heads, case.output, channels=channels, dropout=case.dropout).to(device) for _ in range(len(case.rates) * case.seeds)]  # fmt: skip
        self.base, self.step = made[0], 0
        self.frozen = {name for name, p in self.base.named_parameters() if not p.requires_grad}
        self.weights = {name: p.detach() for name, p in stack_module_state(made)[0].items()}
        self.moments = {name: torch.zeros(2, *p.shape, device=device) for name, p in self.weights.items()}
        self.rates = torch.tensor(np.repeat(case.rates, case.seeds), dtype=torch.float32, device=device)
        penalty = SRRRegulariser(case.weight)

        def loss(weights: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
            if not case.weight:
                return F.cross_entropy(functional_call(self.base, weights, (x,)), y)
            with watch(self.base) as seen:
                return F.cross_entropy(functional_call(self.base, weights, (x,)), y) + penalty(seen)

        self.gradient = vmap(grad_and_value(loss), randomness="different")
        self.scored = vmap(lambda weights, x: functional_call(self.base, weights, (x,)), (0, None))

    def update(self, x: Tensor, y: Tensor) -> Tensor:
        """A step of Adam on batches (networks, batch, ...); the losses."""
        self.base.train()
        gradients, loss = self.gradient(self.weights, x, y)
        self.step += 1
        size = self.rates * (1 - 0.999**self.step) ** 0.5 / (1 - 0.9**self.step)
        for name in self.weights.keys() - self.frozen:
            g, (m, v), p = gradients[name], self.moments[name], self.weights[name]
            m.lerp_(g, 0.1), v.lerp_(g * g, 0.001)
            p.sub_(size.view(-1, *(1,) * (p.ndim - 1)) * m / (v.sqrt() + 1e-8))
        return loss

    def scores(self, x: Tensor) -> Tensor:
        """Of all networks on the same images, shape (networks, images, classes)."""
        self.base.eval()
        with torch.no_grad():
            return self.scored(self.weights, x)

    def network(self, index: int) -> Crate:
        """One of them, as a module that is overwritten by the next."""
        with torch.no_grad():
            for name, p in self.base.named_parameters():
                p.copy_(self.weights[name][index])
        return self.base.eval()

    def keep(self, which: Tensor) -> None:
        """Go on with some of them."""
        self.rates = self.rates[which]
        for name in self.weights:
            self.weights[name], self.moments[name] = self.weights[name][which], self.moments[name][:, which]


def train(case: Train, cell: Cell) -> pl.DataFrame:
    """Train a crowd until each has reached the loss, and look at it then and after equal epochs."""
    n = case.network
    sets = Images(n.dataset, n.folder, case.seed).parts(n.images, n.validation)
    (x, y), *others = [
        (torch.from_numpy(part.x).to(cell.device), torch.from_numpy(part.y).to(cell.device)) for part in sets
    ]
    random, rows = cell.generator("orders"), []
    with torch.random.fork_rng():
        crowd = Crowd(case, cell.seed, cell.device, *x.shape[1:3], int(y.max()) + 1)
        alive, reached = torch.arange(len(crowd.rates)), set()

        def look(i: int, epoch: int, protocol: str, loss: Tensor, right: Tensor) -> None:
            net, network = crowd.network(i), int(alive[i])
            with torch.no_grad():
                validation, test = (float((net(a).argmax(1) == b).float().mean()) for a, b in others)
            told = {"rate": float(crowd.rates[i]), "seed": network % case.seeds, "epoch": epoch, "loss": float(loss[i])}
            told |= {
                "validation": validation,
                "accuracy": test,
                "gap": float(right[i]) - test,
                "minus loss": -float(loss[i]),
            }
            told |= {**compression(net, x)[0], **complexity(net, (x[:SEEN], y[:SEEN]))} if case.measured else {}
            rows.append(pl.DataFrame({"replicate": network, "axis": "run", "protocol": protocol, **told}))

        for epoch in range(n.most + 1 if case.measured else n.epochs + 1):
            if epoch:
                orders = torch.rand(len(alive), n.images, generator=random, device=cell.device).argsort(1)
                for start in range(0, n.images - case.batch + 1, case.batch):
                    chosen = orders[:, start : start + case.batch]
                    crowd.update(x[chosen], y[chosen])
            scores = crowd.scores(x)
            loss = F.cross_entropy(scores.mT, y.expand(len(alive), -1), reduction="none").mean(1)
            right = (scores.argmax(2) == y).double().mean(1)
            for i in range(len(alive)):
                if case.measured and epoch in {round(n.epochs * k / MOMENTS) for k in range(MOMENTS + 1)}:
                    parts = compression(crowd.network(i), x)[1]
                    rows.append(
                        long("course", {k: v[None] for k, v in parts.items()}, epoch=epoch).with_columns(
                            replicate=alive[i].item()
                        )
                    )
                if epoch == n.epochs:
                    look(i, epoch, PROTOCOLS[0], loss, right)
                if case.measured and loss[i] <= n.loss and int(alive[i]) not in reached:
                    reached.add(int(alive[i]))
                    look(i, epoch, PROTOCOLS[1], loss, right)
            left = torch.tensor([int(one) not in reached for one in alive])
            cell.progress(epoch, n.most if case.measured else n.epochs)
            if epoch >= n.epochs and not left.all():
                if not left.any():
                    break
                crowd.keep(left)
                alive = alive[left]
    cell.progress(1, 1)
    return pl.concat(rows, how="diagonal_relaxed")


def compression(network: Crate, x: Tensor) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """The measures of SRR, and by layer SRR and its parts, of the first images."""
    with torch.no_grad(), watch(network) as seen:
        network(x[:SEEN])
        rates = seen.rates()
    by = {
        "SRR": [r.srr for r in rates],
        "R": [r.total for r in rates],
        "R^c": [r.subspace for r in rates],
        "sparsity": [r.sparsity for r in rates],
    }
    parts = {name: np.array([float(one.mean()) for one in values]) for name, values in by.items()}
    mean = {name: float(values.mean()) for name, values in parts.items()}
    told = {"SRR, mean of layers": mean["SRR"], "SRR, last layer": float(parts["SRR"][-1]), "R^c": mean["R^c"]}
    return told | {"minus R": -mean["R"], "sparsity": mean["sparsity"]}, parts | {"layer": np.arange(len(rates))}

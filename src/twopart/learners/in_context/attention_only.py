"""Transformers of attention only, the accuracy of anybody's by depth and heads, and what their heads attend to.

model = AttentionOnly(2, 1, width=48, **task.shape)                           # a torch module from tokens to logits
depth_profile(lambda L, H: AttentionOnly(L, H, 48, **task.shape), task, [(1, 1), (2, 1)])      # a table
operations(model.attentions(x), roles=[0, 1, 0, 1, 0], tokens=x)              # or the `attentions` of Hugging Face
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from twopart._arrays import finite
from twopart._checks import check, check_integer, check_real, check_sizes
from twopart.learners.in_context.training import train_together


class AttentionOnly(nn.Module):
    """Softmax attention with residuals and learned positions, read at the last token: (B, T) or (B, T, e) to (B, classes).

    `scale` is the length of a token's and of a place's vector at the start. At 1, which is common, scores start so flat that
    heads hardly learn whom to attend to. `mlp` adds 4 width GELUs after each attention. Two more starts help to compare: with
    `tied` keys are so many times the queries, as equal vectors then attend to each other (Trockman, Kolter 2023); with `period`
    places are sums of a vector of their period and one of the place within it. Raises `InputError` for bad sizes.
    """

    def __init__(
        self, layers: int, heads: int, width: int, *, length: int, classes: int, vocabulary: int = 0, inputs: int = 0,
        head_width: int | None = None, mlp: bool = False, scale: float = 3.0, tied: float = 0.0,
        period: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        check((vocabulary > 0) != (inputs > 0), "vocabulary", vocabulary, ">= 1, or else `inputs` >= 1", "give one")
        inner = max(1, width // max(1, heads)) if head_width is None else head_width
        check_sizes(layers=layers, heads=heads, width=width, length=length, classes=classes, head_width=inner)
        entry = check_real("scale", scale, 0, np.inf, "3 is usual", closed="()") / width**0.5
        self.heads, self.head_width = heads, inner
        self.embed = nn.Parameter(torch.randn(vocabulary + inputs, width) * entry / max(1, inputs) ** 0.5)
        self.positions = nn.Parameter(torch.randn(length, width) * entry)
        if check_integer("period", period, 0, length, "0 gives each place a vector of its own"):
            whole, within = (torch.randn(n, width) * entry / 2**0.5 for n in (length // period + 1, period))
            self.positions.data = (whole[:, None] + within).flatten(0, 1)[:length]
        shape = layers, width, heads * inner
        self.query, self.key, self.value = (nn.Parameter(torch.randn(shape) / width**0.5) for _ in range(3))
        if check_real("tied", tied, 0, np.inf, "2 is usual, and 0 draws keys of their own", closed="[)"):
            self.key.data = tied * self.query.data
        self.out = nn.Parameter(torch.randn(layers, heads * inner, width) / (heads * inner) ** 0.5)
        wide = ([nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)] for _ in range(layers * mlp))
        self.mlps = nn.ModuleList(nn.Sequential(*one) for one in wide)
        self.readout = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, classes)."""
        logits: Tensor = self.readout(self.stream(x))
        return logits

    def stream(self, x: Tensor) -> Tensor:
        """What the readout reads, (B, width)."""
        return self._run(x, every=False)[0][:, -1]

    def attentions(self, x: Tensor) -> list[Tensor]:
        """Whom each place attends to, by layer: (B, heads, T, T)."""
        return self._run(x, every=True)[1]

    def _run(self, x: Tensor, every: bool) -> tuple[Tensor, list[Tensor]]:
        """The stream after all layers, and attention; unless `every` place asks only the last does in the last layer."""
        most, kind = len(self.positions), 3 if x.is_floating_point() else 2
        shape = f"(B, {most}) or (B, {most}, {len(self.embed)})"
        check(x.ndim == kind and x.shape[1] == most, "x", tuple(x.shape), f"of shape {shape}", "numbers, or vectors")
        h, maps = (x @ self.embed if x.is_floating_point() else self.embed[x]) + self.positions, []
        for layer, out in enumerate(self.out):
            asking = h if every or layer + 1 < len(self.out) else h[:, -1:]
            q, k, v = asking @ self.query[layer], h @ self.key[layer], h @ self.value[layer]
            q, k, v = (one.view(*one.shape[:2], self.heads, -1).transpose(1, 2) for one in (q, k, v))
            maps.append((q @ k.transpose(-1, -2) / self.head_width**0.5).softmax(-1))
            h = asking + (maps[-1] @ v).transpose(1, 2).flatten(2) @ out
            h = h + self.mlps[layer](h) if self.mlps else h
        return h, maps


def depth_profile(
    make_model: Callable[[int, int], nn.Module], task: Any, grid: Iterable[tuple[int, int]],
    *, networks: int = 3, seed: int = 0, **training: Any,
) -> pl.DataFrame:  # fmt: skip
    """By layers, heads and network: accuracy at the end on the unseen part, and steps to 95%, null where it was not reached.

    `make_model(layers, heads)` gives a fresh module; `task` and `training` are those of `train_together`.
    """
    rows, sizes = [], list(grid)
    check(len(sizes) > 0, "grid", sizes, "at least one pair (layers, heads)", "such as [(1, 1), (2, 1)]")
    for layers, heads in sizes:
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            models = [make_model(layers, heads) for _ in range(networks)]
        way = train_together(models, task, seed=seed, **training).group_by("network", maintain_order=True)
        found = way.agg(pl.col("accuracy").last(), steps=pl.col("step").filter(pl.col("accuracy") >= 0.95).first())
        rows.append(found.select(layers=layers, heads=heads, network="network", accuracy="accuracy", steps="steps"))
    return pl.concat(rows)


def operations(attentions: Any, roles: ArrayLike, tokens: Any, places: Any = slice(None)) -> pl.DataFrame:
    """How much of each head's attention goes to the place before, to others of the same role, and to equal tokens elsewhere.

    `attentions`: by layer (B, H, T, T), tensors or arrays, such as Hugging Face's. `roles`: whole numbers (T,), such as 0 for
    questions, 1 for answers. `tokens`: (B, T), or vectors (B, T, e). Means over sequences and the `places` that ask, a slice or
    list. Columns: layer, head, parsing, copying, matching. Raises `InputError` for other shapes, and for what is not finite.
    """
    x, rows = np.asarray(tokens), []
    check(x.ndim in (2, 3), "tokens", x.shape, "of shape (B, T), or (B, T, e)", "give those that were attended to")
    (B, T), x = x.shape[:2], finite("tokens", x, x.shape, "numbers or vectors").reshape(*x.shape[:2], -1)
    role, other = finite("roles", roles, (T,), "one for each place"), ~np.eye(T, dtype=bool)
    same = (x[:, :, None] == x[:, None]).all(-1) & other
    goes = {"parsing": np.eye(T, k=-1)[None], "copying": ((role[:, None] == role) & other)[None], "matching": same}
    for layer, given in enumerate(attentions):
        attention = torch.as_tensor(given).numpy(force=True)
        attention = finite("attentions", attention, (B, None, T, T), "in each layer (sequences, heads, places, places)")
        shares = {name: (attention * to[:, None]).sum(-1)[..., places].mean((0, 2)) for name, to in goes.items()}
        rows.append(pl.DataFrame({"layer": layer, "head": np.arange(attention.shape[1]), **shares}))
    check(len(rows) > 0, "attentions", attentions, "of at least one layer", "see `output_attentions`")
    return pl.concat(rows)

"""Transformers of attention alone, with so many heads in each layer, as in-context regressors.

    model = InContextRegressor(dimension=8, heads=(8, 1, 1))                   # three layers of linear attention
    train_in_context(model, lambda step: world.sample(256, 16, step))
    head_importance(model, [prompts])

Tokens are (x_i, y_i) and (x_query, 0), with room for what layers write; the answer is read from the query's. Keys and values are
of examples only: the query's label is no label, and would dilute X'y/n. Source: Chen, Zhao, Zou 2024, arXiv 2408.04532.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from twopart._arrays import finite_tensor
from twopart._checks import check, check_choice, check_integer

KINDS, VALUES = ("linear", "softmax"), ("tokens", "labels")


class Attention(nn.Module):
    """A layer, added to its tokens (B, n + 1, width); `project` gets heads side by side, each `num_heads`-th of its input."""

    def __init__(self, width: int, heads: int, head_width: int, kind: str, label: int | None) -> None:
        super().__init__()
        self.num_heads, self.kind, self.label = heads, kind, label
        self.query, self.key = (nn.Linear(width, heads * head_width, bias=False) for _ in range(2))
        told = (width, heads * head_width) if label is None else (1, heads)
        self.value, self.out_proj = nn.Linear(*told, bias=False), nn.Linear(told[1], width, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        examples = tokens[:, :-1]
        told = examples if self.label is None else examples[..., self.label : self.label + 1]
        q, k, v = (
            part.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for part in (self.query(tokens), self.key(examples), self.value(told))
        )
        if self.kind == "softmax":
            out = nn.functional.scaled_dot_product_attention(q, k, v)
        else:
            out = q @ (k.transpose(-1, -2) @ v / k.shape[-2])
        added: Tensor = tokens + self.out_proj(out.transpose(1, 2).flatten(2))
        return added


class InContextRegressor(nn.Module):
    """`model(x, y, query) -> answers (B,)` from x (B, n, d), y (B, n) and query (B, d)."""

    def __init__(
        self,
        dimension: int,
        heads: Sequence[int],
        *,
        width: int | None = None,
        kind: str = "linear",
        values: str = "tokens",
        scale: float = 0.5,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        d = self.dimension = check_integer("dimension", dimension, 1, None, "of the inputs")
        self.width = check_integer("width", 2 * d + 1 if width is None else width, d + 1, None, "tokens hold x and y")
        check_choice("kind", kind, KINDS)
        check_choice("values", values, VALUES)
        check(len(heads) > 0, "heads", heads, "a number for each layer", "(8, 1, 1) has three layers")
        for h in heads:
            check_integer("heads", h, 1, None, "a layer has one")
        label = d if values == "labels" else None
        self.layers = nn.Sequential(*(Attention(self.width, h, self.width, kind, label) for h in heads))
        self.read = nn.Linear(self.width, 1, bias=False)
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=scale / self.width**0.5, generator=generator)

    def forward(self, x: Tensor, y: Tensor, query: Tensor) -> Tensor:
        x = finite_tensor("x", x, (None, None, self.dimension), "prompts, their examples, dimensions of the model")
        labels = torch.nn.functional.pad(finite_tensor("y", y, tuple(x.shape[:2]), "a label for each"), (0, 1))
        asked = finite_tensor("query", query, (len(x), self.dimension), "one for each prompt")[:, None]
        tokens = torch.cat([torch.cat([x, asked], 1), labels[..., None]], 2)
        tokens = self.layers(nn.functional.pad(tokens, (0, self.width - self.dimension - 1)))
        answer: Tensor = self.read(tokens[:, -1])[:, 0]
        return answer

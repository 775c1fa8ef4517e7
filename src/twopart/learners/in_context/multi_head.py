"""Transformers of attention alone, with so many heads in each layer, as in-context regressors.

    model = InContextRegressor(dimension=8, heads=(8, 1, 1))                   # three layers of linear attention
    train_in_context(model, lambda step: world.sample(64, 16, step))
    head_importance(model, [prompts])

Tokens are (x_i, y_i) and (x_query, 0), with room for what layers write; the answer is read from the query's. Keys and values
are of examples only: the query's label is none, and would dilute X'y/n. Source: Chen, Zhao, Zou 2024, arXiv 2408.04532.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from twopart._checks import check, check_choice, check_integer
from twopart.learners.in_context.answers import check_prompts


class Attention(nn.Module):
    """A layer, added to its tokens (B, n + 1, width); values are of whole tokens, or of the number at `label` alone."""

    def __init__(self, width: int, heads: int, softmax: bool, label: int | None) -> None:
        super().__init__()
        self.num_heads, self.softmax = heads, softmax
        self.told = slice(None) if label is None else slice(label, label + 1)
        read, wide = (width, heads * width) if label is None else (1, heads)
        self.query, self.key = (nn.Linear(width, heads * width, bias=False) for _ in range(2))
        self.value, self.out_proj = nn.Linear(read, wide, bias=False), nn.Linear(wide, width, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        examples = tokens[:, :-1]
        parts = self.query(tokens), self.key(examples), self.value(examples[..., self.told])
        q, k, v = (part.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for part in parts)
        linear = not self.softmax
        out = q @ (k.mT @ v / k.shape[2]) if linear else nn.functional.scaled_dot_product_attention(q, k, v)
        added: Tensor = tokens + self.out_proj(out.transpose(1, 2).flatten(2))
        return added


class InContextRegressor(nn.Module):
    """`model(x, y, query) -> answers (B,)` from x (B, n, d), y (B, n) and query (B, d)."""

    def __init__(
        self, dimension: int, heads: Sequence[int], *, width: int | None = None, kind: str = "linear",
        values: str = "tokens", generator: torch.Generator | None = None,
    ) -> None:  # fmt: skip
        """`heads` of each layer; `width` > d of tokens, by default 2d + 1; `kind` "linear" divides by n, or "softmax"; `values`
        of whole "tokens" or of "labels" alone; first weights are normal, with standard deviation 1/√width.
        """
        super().__init__()
        d = self.dimension = check_integer("dimension", dimension, 1, None, "of the inputs")
        self.width = check_integer("width", 2 * d + 1 if width is None else width, d + 1, None, "tokens hold x and y")
        softmax = check_choice("kind", kind, ("linear", "softmax")) == "softmax"
        label = d if check_choice("values", values, ("tokens", "labels")) == "labels" else None
        check(len(heads) > 0, "heads", heads, "a number for each layer", "(8, 1, 1) has three layers")
        counts = [check_integer("heads", h, 1, None, "a layer has one") for h in heads]
        self.layers = nn.Sequential(*(Attention(self.width, h, softmax, label) for h in counts))
        self.read = nn.Linear(self.width, 1, bias=False)
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=1 / self.width**0.5, generator=generator)

    def forward(self, x: Tensor, y: Tensor, query: Tensor) -> Tensor:
        check_prompts(x, y, query, self.dimension)
        inputs, labels = torch.cat([x, query[:, None]], 1), nn.functional.pad(y, (0, 1))
        room = nn.functional.pad(labels[..., None], (0, self.width - self.dimension - 1))
        answer: Tensor = self.read(self.layers(torch.cat([inputs, room], 2))[:, -1])[:, 0]
        return answer

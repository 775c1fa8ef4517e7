"""CRATE: a transformer whose layers are steps on sparse rate reduction: attention compresses, a step of ISTA makes sparse.

    model = Crate(image=32, patch=4, classes=10, width=384, depth=12, heads=6, channels=3)      # images (B, 3, 32, 32)
    block = CrateBlock(64, heads=4, output="tied")                                              # tokens (..., n, 64)

Source: Yu et al. 2023, arXiv 2306.01129, as in its public code; the variants are those of Hu, Zou, Xu 2024, arXiv 2411.17182.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from twopart._checks import check, check_choice, check_integer, check_real, check_sizes

Output = Literal["learned", "tied", "negative", "transpose", "fixed", "identity"]
OUTPUTS: tuple[str, ...] = get_args(Output)
FUSED = 64  # tokens from which torch's fused attention is faster than its parts


class Mssa(nn.Module):
    """Attention whose queries, keys and values are one product: heads softmax(V V' p^-1/2) V, V = Z U_k, and an output map.

    `output`: "learned" (CRATE) has a matrix and bias of its own; "tied" (CRATE-C) is U_k, as derived; "negative" (CRATE-N) that
    with a minus; "transpose" (CRATE-T) U_k', a choice here, for the paper's is not known; "fixed" a random matrix; "identity".
    """

    def __init__(self, width: int, heads: int, output: Output = "learned", dropout: float = 0.0) -> None:
        super().__init__()
        check_integer("heads", heads, 1, check_integer("width", width, 1, None, "of a token"), "they share the width")
        check(width % heads == 0, "heads", heads, f"a divisor of the width {width}", "they share it")
        self.heads, self.output = heads, check_choice("output", output, OUTPUTS)
        self.dropout = nn.Dropout(check_real("dropout", dropout, 0, 1, "0 drops nothing", closed="[)"))
        self.projection = nn.Linear(width, width, bias=False)
        if output in ("learned", "fixed"):
            self.out = nn.Linear(width, width, bias=output == "learned").requires_grad_(output == "learned")

    @property
    def subspaces(self) -> Tensor:
        """U, shape (heads, width, width / heads)."""
        return self.projection.weight.view(self.heads, -1, self.projection.in_features).mT

    def forward(self, tokens: Tensor) -> Tensor:
        """What is added to tokens (..., n, width), of the same shape."""
        v, weight = self.projection(tokens).unflatten(-1, (self.heads, -1)).transpose(-3, -2), self.projection.weight
        if v.shape[-2] < FUSED:
            told = torch.softmax(v @ v.mT * v.shape[-1] ** -0.5, -1) @ v
        else:
            told = functional.scaled_dot_product_attention(v, v, v)
        told = told.transpose(-3, -2).flatten(-2)
        if self.output in ("learned", "fixed"):
            told = self.out(told)
        elif self.output != "identity":
            told = told @ (weight.mT if self.output == "transpose" else weight)
        dropped: Tensor = self.dropout(-told if self.output == "negative" else told)
        return dropped


class Ista(nn.Module):
    """A step towards a sparse code in the dictionary D: relu(N + step D'(N - DN) - step threshold), N tokens as columns.

    It is one product with I + step (D' - D'D), which is made first: a third of the work.
    """

    def __init__(self, width: int, step: float = 0.1, threshold: float = 0.1) -> None:
        super().__init__()
        self.step = check_real("step", step, 0, np.inf, "0.1 is published", closed="()")
        self.threshold = check_real("threshold", threshold, 0, np.inf, "0.1 is published", closed="[)")
        self.dictionary = nn.Parameter(torch.empty(check_integer("width", width, 1, None, "of a token"), width))
        nn.init.kaiming_uniform_(self.dictionary)

    @property
    def map(self) -> Tensor:
        """I + step (D' - D'D), shape (width, width)."""
        D = self.dictionary
        return torch.eye(len(D), dtype=D.dtype, device=D.device) + self.step * (D.mT - D.mT @ D)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (..., n, width) to the same shape."""
        return functional.relu(functional.linear(tokens, self.map) - self.step * self.threshold)


class CrateBlock(nn.Module):
    """A layer: Z + Mssa(norm Z), then Ista of its norm. Raises `InputError` for tokens of another width."""

    def __init__(
        self, width: int, heads: int, output: Output = "learned", step: float = 0.1, threshold: float = 0.1,
        dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.attention, self.ista = Mssa(width, heads, output, dropout), Ista(width, step, threshold)
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (..., n, width) to the same shape."""
        shape, width = tuple(tokens.shape), self.before.normalized_shape[0]
        check(len(shape) > 1 and shape[-1] == width, "tokens", shape, f"of shape (..., n, {width})", "rows are tokens")
        coded: Tensor = self.ista(self.between(tokens + self.attention(self.before(tokens))))
        return coded


class Crate(nn.Module):
    """An image classifier: patches and a class token, positions, layers, and a head on the class token.

    Images (B, channels, image, image) to scores (B, classes). Raises `InputError` for sizes that do not fit.
    """

    def __init__(
        self, image: int, patch: int, classes: int, width: int, depth: int, heads: int, output: Output = "learned",
        step: float = 0.1, threshold: float = 0.1, *, channels: int = 1, dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        check_sizes(image=image, patch=patch, classes=classes, depth=depth, channels=channels)
        check(image % patch == 0, "patch", patch, f"a divisor of the image's side {image}", "patches tile it")
        layers = (CrateBlock(width, heads, output, step, threshold, dropout) for _ in range(depth))
        self.shape, self.patch, numbers = (channels, image, image), patch, channels * patch**2
        self.embed = nn.Sequential(nn.LayerNorm(numbers), nn.Linear(numbers, width), nn.LayerNorm(width))
        self.first = nn.Parameter(torch.randn(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1, (image // patch) ** 2 + 1, width))
        self.layers = nn.ModuleList(layers)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, classes))

    def forward(self, images: Tensor) -> Tensor:
        """Scores (B, classes)."""
        shape = tuple(images.shape)
        check(shape[1:] == self.shape, "images", shape, f"(B, {', '.join(map(str, self.shape))})", "give a batch")
        z = self.embed(functional.unfold(images, self.patch, stride=self.patch).mT)
        z = torch.cat([self.first.expand(len(z), -1, -1), z], 1) + self.positions
        for layer in self.layers:
            z = layer(z)
        scores: Tensor = self.head(z[:, 0])
        return scores

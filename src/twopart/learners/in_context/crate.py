"""CRATE: a transformer whose layers are steps on sparse rate reduction: attention compresses, a step of ISTA makes sparse.

    model = Crate(image=32, patch=4, classes=10, width=384, depth=12, heads=6, channels=3)      # images (B, 3, 32, 32)
    block = CrateBlock(width=64, heads=4, output="tied")                                        # tokens (..., n, 64)

Source: Yu et al. 2023, arXiv 2306.01129, as in its public code; the variants are those of Hu, Zou, Xu 2024, arXiv 2411.17182.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from twopart._checks import check, check_choice, check_integer, check_real

Output = Literal["learned", "tied", "negative", "transpose", "fixed", "identity"]
FUSED = 64  # tokens from which torch's fused attention is faster than its parts
OUTPUTS: tuple[str, ...] = get_args(Output)


class Mssa(nn.Module):
    """Attention whose queries, keys and values are one product: heads of softmax(V V' p^-1/2) V, V = Z U_k, with an output map.

    `output`: "learned" (CRATE) has a matrix and bias of its own; "tied" (CRATE-C) is U_k, as in the derivation; "negative"
    (CRATE-N) the same with a minus sign; "transpose" (CRATE-T) is U_k', a choice here, for the paper's is not known;
    "fixed" a random matrix that is not trained; "identity" none.
    """

    def __init__(self, width: int, heads: int, output: Output = "learned", dropout: float = 0.0) -> None:
        super().__init__()
        check_integer("width", width, 1, None, "of a token")
        check_integer("heads", heads, 1, width, "a head has a dimension of the tokens")
        check(width % heads == 0, "heads", heads, f"a divisor of the width {width}", "heads share it")
        check_choice("output", output, OUTPUTS)
        p = check_real("dropout", dropout, 0, 1, "0 drops nothing", closed="[)")
        self.heads, self.output, self.dropout = heads, output, nn.Dropout(p)
        self.projection = nn.Linear(width, width, bias=False)
        if output in ("learned", "fixed"):
            self.out = nn.Linear(width, width, bias=output == "learned").requires_grad_(output == "learned")

    @property
    def subspaces(self) -> Tensor:
        """U, shape (heads, width, width / heads)."""
        return self.projection.weight.unflatten(0, (self.heads, -1)).mT

    def forward(self, tokens: Tensor) -> Tensor:
        """What is added to tokens (..., n, width), of the same shape."""
        v = self.projection(tokens).unflatten(-1, (self.heads, -1)).transpose(-3, -2)
        if v.shape[-2] < FUSED:
            told = torch.softmax(v @ v.mT * v.shape[-1] ** -0.5, -1) @ v
        else:
            told = F.scaled_dot_product_attention(v, v, v)
        told = told.transpose(-3, -2).flatten(-2)
        if self.output in ("learned", "fixed"):
            told = self.out(told)
        elif self.output != "identity":
            weight = self.projection.weight
            told = F.linear(told, weight if self.output == "transpose" else weight.mT)
        return self.dropout(-told if self.output == "negative" else told)


class Ista(nn.Module):
    """A step towards a sparse code in the dictionary D: relu(N + step D'(N - DN) - step threshold), N the tokens given.

    Rows are tokens, so that the step is one product with I + step (D - D'D), which is made first: half of the work.
    """

    def __init__(self, width: int, step: float = 0.1, threshold: float = 0.1) -> None:
        super().__init__()
        self.step = check_real("step", step, 0, np.inf, "0.1 is published", closed="()")
        self.threshold = check_real("threshold", threshold, 0, np.inf, "0.1 is published", closed="[)")
        self.dictionary = nn.Parameter(torch.empty(check_integer("width", width, 1, None, "of a token"), width))
        nn.init.kaiming_uniform_(self.dictionary)

    @property
    def map(self) -> Tensor:
        """I + step (D' - D'D), which acts on a token as a column, shape (width, width)."""
        D = self.dictionary
        return torch.eye(len(D), dtype=D.dtype, device=D.device) + self.step * (D.mT - D.mT @ D)

    def forward(self, tokens: Tensor) -> Tensor:
        return F.relu(F.linear(tokens, self.map) - self.step * self.threshold)


class CrateBlock(nn.Module):
    """A layer: Z + Mssa(norm Z), then Ista of its norm; tokens (..., n, width) to the same shape."""

    def __init__(
        self, width: int, heads: int, output: Output = "learned", step: float = 0.1, threshold: float = 0.1,
        dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.attention, self.ista = Mssa(width, heads, output, dropout), Ista(width, step, threshold)
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        check(
            tokens.shape[-1] == len(self.ista.dictionary), "tokens", tuple(tokens.shape), "(..., n, width)", "see width"
        )
        return self.ista(self.between(tokens + self.attention(self.before(tokens))))


class Crate(nn.Module):
    """An image classifier of CRATE layers: patches, a class token, positions, layers, and a head on the class token.

    Images (B, channels, image, image) to scores (B, classes). Raises `InputError` for sizes that do not fit.
    """

    def __init__(
        self, image: int, patch: int, classes: int, width: int, depth: int, heads: int, output: Output = "learned",
        step: float = 0.1, threshold: float = 0.1, *, channels: int = 1, dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        for name, size in {
            "image": image,
            "patch": patch,
            "classes": classes,
            "depth": depth,
            "channels": channels,
        }.items():
            check_integer(name, size, 1, None, "it is a number of pixels, classes, layers or colours")
        check(image % patch == 0, "patch", patch, f"a divisor of the image's side {image}", "patches tile it")
        self.shape, numbers = (channels, image, image), channels * patch**2
        self.embed = nn.Sequential(
            nn.Unfold(patch, stride=patch),
            _Turn(),
            nn.LayerNorm(numbers),
            nn.Linear(numbers, width),
            nn.LayerNorm(width),
        )
        self.first = nn.Parameter(torch.randn(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1, (image // patch) ** 2 + 1, width))
        self.layers = nn.ModuleList(CrateBlock(width, heads, output, step, threshold, dropout) for _ in range(depth))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, classes))

    def forward(self, images: Tensor) -> Tensor:
        fits = images.shape[-3:] == self.shape and images.ndim == 4
        check(fits, "images", tuple(images.shape), f"(B, {', '.join(map(str, self.shape))})", "give a batch of images")
        patches = self.embed(images)
        z = torch.cat([self.first.expand(len(patches), -1, -1), patches], 1) + self.positions
        for layer in self.layers:
            z = layer(z)
        return self.head(z[:, 0])


class _Turn(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mT

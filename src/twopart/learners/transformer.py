"""A compact decoder in the style of Llama: what the laboratory trains.

    x = embedding[token]
    for each layer:   x += attention(norm(x));   x += feed_forward(norm(x))
    logits = norm(x) @ embedding.T

RMSNorm before each part (Zhang and Sennrich 2019), rotary positions (Su et al. 2021), SwiGLU (Shazeer 2020), no biases, and one
table for input and output (Press and Wolf 2017). The arithmetic is that of Hugging Face's `LlamaForCausalLM`, so a saved
model loads there with equal logits (`huggingface.py`, tested).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from twopart._checks import check, check_integer
from twopart._random import keys
from twopart.learners._operators import attend, gated, norm
from twopart.learners._products import product

ROTARY_BASE = 10_000.0
"""Base of the rotary wavelengths."""


@dataclass(frozen=True)
class TransformerConfig:
    """The shape of a model."""

    vocabulary: int
    """Distinct tokens; >= 2."""
    context: int
    """Longest input in tokens; >= 1."""
    layers: int = 2
    """Blocks of attention and feed-forward; >= 1."""
    width: int = 128
    """Size of the residual stream; an even multiple of `heads`."""
    heads: int = 4
    """Attention heads; >= 1."""
    hidden: int | None = None
    """Inner size of the feed-forward part; None takes 8/3 of the width, rounded up to a multiple of 8 (Shazeer 2020)."""

    def __post_init__(self) -> None:
        check_integer("vocabulary", self.vocabulary, 2, None, "count every token id, BOS too")
        check_integer("context", self.context, 1, None, "give the longest sentence's tokens")
        check_integer("layers", self.layers, 1, None, "give at least one block")
        check_integer("width", self.width, 2, None, "64 to 256 suits a CPU")
        check_integer("heads", self.heads, 1, None, "width / 32 heads suit small models")
        even = self.width % (2 * self.heads) == 0
        remedy = f"rotary positions turn pairs: take a multiple of {2 * self.heads} or other heads"
        check(even, "width", self.width, f"an even multiple of heads={self.heads}", remedy)
        if self.hidden is not None:
            check_integer("hidden", self.hidden, 1, None, "None takes 8/3 of the width")

    @property
    def inner(self) -> int:
        """Inner size of the feed-forward part, with the default worked out."""
        return self.hidden if self.hidden is not None else 8 * math.ceil(self.width / 3)

    @property
    def head_width(self) -> int:
        return self.width // self.heads

    @property
    def parameters(self) -> int:
        """Trained numbers: V C + L (4 C^2 + 3 C H + 2 C) + C for vocabulary V, width C, inner size H and L layers."""
        C = self.width
        return self.vocabulary * C + self.layers * (4 * C**2 + 3 * C * self.inner + 2 * C) + C

    @property
    def flops_per_token(self) -> int:
        """Floating-point operations to train on one token: 6 per matrix entry and 12 L C T for attention.

        Chowdhery et al. 2022 (PaLM), appendix B, with T the context. The table counts once, for the logits: looking a
        row up costs nothing.
        """
        C = self.width
        matrices = self.vocabulary * C + self.layers * (4 * C**2 + 3 * C * self.inner)
        return 6 * matrices + 12 * self.layers * C * self.context


class Transformer(nn.Module):
    """tokens (B, T) -> logits (B, T, V)."""

    cosines: Tensor
    sines: Tensor

    def __init__(self, config: TransformerConfig, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Parameter(torch.empty(config.vocabulary, config.width))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.Parameter(torch.ones(config.width))
        cosines, sines = rotary_tables(config.context, config.head_width)
        self.register_buffer("cosines", cosines, persistent=False)
        self.register_buffer("sines", sines, persistent=False)
        self._initialise(seed)

    def forward(self, tokens: Tensor) -> Tensor:
        return product(self.features(tokens), self.embedding.t()).view(*tokens.shape, -1)

    def features(self, tokens: Tensor) -> Tensor:
        """The normalised residual stream, a row per token (B T, C); its products with the table's rows are the logits."""
        T = tokens.shape[1]
        cosines, sines = self.cosines[:T], self.sines[:T]
        x = functional.embedding(tokens.flatten(), self.embedding)
        for block in self.blocks:
            x = block(x, cosines, sines)
        return norm(x, self.norm)

    @torch.no_grad()
    def _initialise(self, seed: int) -> None:
        """Normal weights: deviation 1/sqrt(inputs) (LeCun et al. 1998, section 4.6), by sqrt(2 L) less where a part ends
        in the residual stream, and 0.02 for the table (both as in Radford et al. 2019, GPT-2).

        In one pass over 10^5 sentences this left a fifth fewer value bits unlearned than GPT-2's 0.02 for all matrices.
        """
        random = torch.Generator().manual_seed(int(keys(seed, 1, "learner", "weights")[0] >> 1))
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                depth = 2 * self.config.layers if name.endswith(("out", "down")) else 1
                deviation = 0.02 if name == "embedding" else 1 / math.sqrt(weight.shape[0] * depth)
                weight.normal_(0.0, deviation, generator=random)


class Block(nn.Module):
    """One layer. Query, key and value are one matrix, and so are gate and up: fewer, larger products.

    Matrices are (in, out)."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        C, H = config.width, config.inner
        self.heads = config.heads
        self.attention_norm = nn.Parameter(torch.ones(C))
        self.query_key_value = nn.Parameter(torch.empty(C, 3 * C))
        self.out = nn.Parameter(torch.empty(C, C))
        self.feed_norm = nn.Parameter(torch.ones(C))
        self.gate_up = nn.Parameter(torch.empty(C, 2 * H))
        self.down = nn.Parameter(torch.empty(H, C))

    def forward(self, x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
        qkv = product(norm(x, self.attention_norm), self.query_key_value)
        x = x + product(attend(qkv, self.heads, cosines, sines), self.out)
        return x + product(gated(product(norm(x, self.feed_norm), self.gate_up)), self.down)


def rotary_tables(context: int, head_width: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines (T, D/2) of position x frequency `ROTARY_BASE`^(-2i/D) (Su et al. 2021, section 3.2.2)."""
    frequencies = ROTARY_BASE ** (-torch.arange(0, head_width, 2, dtype=torch.int64).float() / head_width)
    angles = torch.outer(torch.arange(context).float(), frequencies)
    return angles.cos(), angles.sin()

"""A compact decoder in the style of Llama: what the laboratory trains.

    x = embedding[token]
    for each layer:   x += attention(norm(x));   x += feed_forward(norm(x))
    logits = norm(x) @ embedding.T

RMSNorm before each part (Zhang and Sennrich 2019), rotary positions (Su et al. 2021), SwiGLU (Shazeer 2020), no biases, and one
table for input and output (Press and Wolf 2017). The arithmetic is that of Hugging Face's `LlamaForCausalLM`, so a saved
model loads there with equal logits, and any dense Llama from there loads here (`huggingface.py`, tested).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from twopart._checks import check, check_choice, check_integer, check_real
from twopart._random import keys
from twopart.learners._operators import ACTIVATIONS, NORM_EPSILON, attend, gated, norm
from twopart.learners._products import product
from twopart.learners.rotary import PLAIN, Rotary

Attention = Callable[[Tensor, int, Tensor, Tensor], Tensor]
"""(qkv, heads, cosines, sines) -> mixed values, as `_operators.attend`."""
KEPT = 1 << 13
"""Most positions whose rotary tables are kept; those of longer inputs are made anew each time."""


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
    head: int | None = None
    """Width of a head, even; None takes width / heads."""
    key_heads: int | None = None
    """Heads of keys and values, each for heads / key_heads heads of queries (Ainslie et al. 2023); None takes `heads`."""
    tied: bool = True
    """Whether output and input have one table."""
    attention_biases: bool = False
    """Whether query, key, value and output have biases."""
    feed_biases: bool = False
    """Whether the maps of the feed-forward part have biases."""
    activation: str = "silu"
    """Of the gate: silu, gelu, gelu_tanh or relu."""
    epsilon: float = NORM_EPSILON
    """Added to the mean square in RMSNorm; > 0."""
    rotary: Rotary = PLAIN
    """How positions are told."""

    def __post_init__(self) -> None:
        check_integer("vocabulary", self.vocabulary, 2, None, "count every token id, BOS too")
        check_integer("context", self.context, 1, None, "give the longest sentence's tokens")
        check_integer("layers", self.layers, 1, None, "give at least one block")
        check_integer("width", self.width, 2, None, "64 to 256 suits a CPU")
        check_integer("heads", self.heads, 1, None, "width / 32 heads suit small models")
        if self.head is None:
            even = self.width % (2 * self.heads) == 0
            remedy = f"rotary positions turn pairs: take a multiple of {2 * self.heads} or other heads"
            check(even, "width", self.width, f"an even multiple of heads={self.heads}", remedy)
        else:
            check_integer("head", self.head, 2, None, "None takes width / heads")
            check(self.head % 2 == 0, "head", self.head, "even", "rotary positions turn pairs")
        if self.key_heads is not None:
            check_integer("key_heads", self.key_heads, 1, self.heads, "None takes as many as heads")
            shared = self.heads % self.key_heads == 0
            check(shared, "key_heads", self.key_heads, f"a divisor of heads={self.heads}", "None takes as many")
        check_choice("activation", self.activation, tuple(ACTIVATIONS))
        check_real("epsilon", self.epsilon, 0, 1, "1e-6 is customary", closed="(]")
        if self.hidden is not None:
            check_integer("hidden", self.hidden, 1, None, "None takes 8/3 of the width")

    @property
    def inner(self) -> int:
        """Inner size of the feed-forward part, with the default worked out."""
        return self.hidden if self.hidden is not None else 8 * math.ceil(self.width / 3)

    @property
    def head_width(self) -> int:
        return self.width // self.heads if self.head is None else self.head

    @property
    def parts(self) -> tuple[int, int, int]:
        """Width of all queries, of all keys, and of all values."""
        keys = self.head_width * (self.heads if self.key_heads is None else self.key_heads)
        return self.heads * self.head_width, keys, keys

    @property
    def parameters(self) -> int:
        """Trained numbers: V C + L (4 C^2 + 3 C H + 2 C) + C for vocabulary V, width C, inner size H and L layers.

        Grouped keys have fewer; biases, and a table of its own for the output, come on top.
        """
        C, H, attention = self.width, self.inner, sum(self.parts)
        biases = self.attention_biases * (attention + C) + self.feed_biases * (2 * H + C)
        tables = (1 if self.tied else 2) * self.vocabulary * C
        return tables + self.layers * (self._matrices + 2 * C + biases) + C

    @property
    def _matrices(self) -> int:
        """Entries of a layer's matrices."""
        C = self.width
        return C * (sum(self.parts) + self.parts[0]) + 3 * C * self.inner

    @property
    def flops_per_token(self) -> int:
        """Floating-point operations to train on one token: 6 per matrix entry and 12 L C T for attention.

        Chowdhery et al. 2022 (PaLM), appendix B, with T the context. The table counts once, for the logits: looking a
        row up costs nothing.
        """
        matrices = self.vocabulary * self.width + self.layers * self._matrices
        return 6 * matrices + 12 * self.layers * self.parts[0] * self.context


class Transformer(nn.Module):
    """tokens (B, T) -> logits (B, T, V)."""

    cosines: Tensor
    sines: Tensor

    def __init__(self, config: TransformerConfig, seed: int | None = 0) -> None:
        """With weights drawn by `seed`; with None, matrices are left for the caller to fill."""
        super().__init__()
        self.config = config
        self.embedding = nn.Parameter(torch.empty(config.vocabulary, config.width))
        self.head = None if config.tied else nn.Parameter(torch.empty(config.vocabulary, config.width))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.Parameter(torch.ones(config.width))
        kept = min(KEPT, config.rotary.settled(config.context))
        cosines, sines = config.rotary.tables(kept, config.head_width, config.context)
        self.register_buffer("cosines", cosines, persistent=False)
        self.register_buffer("sines", sines, persistent=False)
        if seed is not None:
            self._initialise(seed)

    @property
    def table(self) -> Tensor:
        """The rows (V, C) whose products with the features are the logits."""
        return self.embedding if self.head is None else self.head

    def forward(self, tokens: Tensor) -> Tensor:
        return product(self.features(tokens), self.table.t()).view(*tokens.shape, -1)

    def features(self, tokens: Tensor) -> Tensor:
        """The normalised residual stream, a row per token (B T, C); its products with the table's rows are the logits."""
        cosines, sines = self._turns(tokens.shape[1])
        x = functional.embedding(tokens.flatten(), self.embedding)
        for block in self.blocks:
            x = block(x, cosines, sines)
        return norm(x, self.norm, self.config.epsilon)

    def _turns(self, T: int) -> tuple[Tensor, Tensor]:
        """Cosines and sines (T, D/2)."""
        if len(self.cosines) >= T:
            return self.cosines[:T], self.sines[:T]
        cosines, sines = self.config.rotary.tables(T, self.config.head_width, self.config.context)
        return cosines.to(self.cosines), sines.to(self.cosines)

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
                deviation = 0.02 if name in ("embedding", "head") else 1 / math.sqrt(weight.shape[0] * depth)
                weight.normal_(0.0, deviation, generator=random)


class Block(nn.Module):
    """One layer. Query, key and value are one matrix, and so are gate and up: fewer, larger products.

    Matrices are (in, out)."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        C, H = config.width, config.inner
        self.heads, self.epsilon, self.activation = config.heads, config.epsilon, config.activation
        self.attention_norm = nn.Parameter(torch.ones(C))
        self.query_key_value = nn.Parameter(torch.empty(C, sum(config.parts)))
        self.out = nn.Parameter(torch.empty(config.parts[0], C))
        self.feed_norm = nn.Parameter(torch.ones(C))
        self.gate_up = nn.Parameter(torch.empty(C, 2 * H))
        self.down = nn.Parameter(torch.empty(H, C))
        self.query_key_value_bias = _bias(config.attention_biases, sum(config.parts))
        self.out_bias = _bias(config.attention_biases, C)
        self.gate_up_bias = _bias(config.feed_biases, 2 * H)
        self.down_bias = _bias(config.feed_biases, C)

    def forward(self, x: Tensor, cosines: Tensor, sines: Tensor, attention: Attention = attend) -> Tensor:
        """`attention` stands for `attend`: for other masks than the causal one, and for keys kept from before."""
        qkv = _linear(norm(x, self.attention_norm, self.epsilon), self.query_key_value, self.query_key_value_bias)
        x = x + _linear(attention(qkv, self.heads, cosines, sines), self.out, self.out_bias)
        gate_up = _linear(norm(x, self.feed_norm, self.epsilon), self.gate_up, self.gate_up_bias)
        return x + _linear(gated(gate_up, self.activation), self.down, self.down_bias)


def _bias(wanted: bool, size: int) -> nn.Parameter | None:
    return nn.Parameter(torch.zeros(size)) if wanted else None


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return product(x, weight) if bias is None else product(x, weight) + bias


def rotary_tables(context: int, head_width: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines (T, D/2) of the laboratory's own models."""
    return PLAIN.tables(context, head_width, context)

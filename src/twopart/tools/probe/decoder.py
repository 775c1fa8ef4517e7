"""A decoder that is asked many questions which begin alike: what they share is read once, and never copied.

    start = decoder.read(shared)                       the beginning of all prompts, one row
    logs, state = decoder.extend(start, rows, tokens)  the ends of B prompts: log-probabilities of the next token (B, V)
    logs, state = decoder.extend(state, rows, tokens)  one token further, from any of the rows, any number of times

`Llama` runs the laboratory's own `Transformer`, `Other` any causal model of `transformers`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from twopart.learners._operators import gated, norm, turn
from twopart.learners._products import multiply
from twopart.learners.transformer import Block, Transformer, _linear

Pair = tuple[Tensor, Tensor]
"""Keys and values (B, heads, tokens, width)."""


@dataclass(frozen=True, eq=False)
class State:
    """What was read: per layer, of the shared beginning (one row), and of each row behind it."""

    shared: list[Pair]
    rows: list[Pair]
    length: int
    """Tokens read, the shared ones too."""


class Decoder(Protocol):
    parameters: int
    context: int

    def read(self, tokens: list[int]) -> State: ...

    def extend(self, state: State, rows: Tensor, tokens: Tensor) -> tuple[Tensor, State]:
        """Rows (B,) of `state` to go on from, and the tokens (B, T) that follow: log-probabilities (B, V), the new state."""
        ...


class Llama:
    """The laboratory's decoder."""

    def __init__(self, model: Transformer) -> None:
        self.model = model.eval()
        self.parameters = sum(weight.numel() for weight in model.parameters())
        self.context = model.config.context

    @torch.inference_mode()
    def read(self, tokens: list[int]) -> State:
        config = self.model.config
        nothing = self.model.embedding.new_zeros(1, config.parts[1] // config.head_width, 0, config.head_width)
        empty: list[Pair] = [(nothing, nothing)] * config.layers
        if not tokens:
            return State(empty, empty, 0)
        _, state = self.extend(State(empty, empty, 0), torch.tensor([0]), torch.tensor([tokens]))
        return State(state.rows, empty, len(tokens))

    @torch.inference_mode()
    def extend(self, state: State, rows: Tensor, tokens: Tensor) -> tuple[Tensor, State]:
        model, (B, T) = self.model, tokens.shape
        cosines, sines = (table[state.length :] for table in model._turns(state.length + T))
        x = model.embedding[tokens.flatten()]
        kept: list[Pair] = []
        for module, shared, old in zip(model.blocks, state.shared, state.rows, strict=True):
            block = cast(Block, module)
            y = norm(x, block.attention_norm, block.epsilon)
            qkv = _linear(y, block.query_key_value, block.query_key_value_bias).view(B, T, -1, 2 * cosines.shape[1])
            fewer = shared[0].shape[1]
            q, k, v = qkv.split_with_sizes((block.heads, fewer, fewer), 2)
            k, v = turn(k, cosines, sines).transpose(1, 2), v.transpose(1, 2)
            own = (
                torch.cat((before[rows.remainder(len(before))], new), 2)
                for before, new in zip(old, (k, v), strict=True)
            )
            kept.append(cast(Pair, tuple(own)))
            mixed = _attend(turn(q, cosines, sines).transpose(1, 2), shared, kept[-1])
            x = x + _linear(mixed.transpose(1, 2).reshape(B * T, -1), block.out, block.out_bias)
            gate_up = _linear(norm(x, block.feed_norm, block.epsilon), block.gate_up, block.gate_up_bias)
            x = x + _linear(gated(gate_up, block.activation), block.down, block.down_bias)
        last = norm(x.view(B, T, -1)[:, -1].contiguous(), model.norm, model.config.epsilon)
        logs = (multiply(last, model.table.t())).log_softmax(1)
        return logs, State(state.shared, kept, state.length + T)


def _attend(q: Tensor, shared: Pair, own: Pair) -> Tensor:
    """Attention of the last T tokens of each row: to all of the shared beginning, and to their row up to themselves.

    Heads of keys serve groups of heads of queries; the shared keys are multiplied as they stand, for all rows at once.
    """
    B, H, T, D = q.shape
    K = own[0].shape[1]
    q = q.reshape(B, K, H // K * T, D) / D**0.5
    near = q @ own[0].transpose(2, 3)
    later = torch.ones(T, own[0].shape[2], dtype=torch.bool).triu(own[0].shape[2] - T + 1)
    near = near.view(B, K, -1, T, near.shape[3]).masked_fill(later, -torch.inf).view_as(near)
    weights = torch.cat((q @ shared[0].transpose(2, 3), near), 3).softmax(3)
    far, close = weights.split_with_sizes((shared[0].shape[2], own[0].shape[2]), 3)
    return (far @ shared[1] + close @ own[1]).reshape(B, H, T, D)


class Other:
    """A causal model of `transformers`; what was read of the shared beginning is copied to each row."""

    def __init__(self, model: Any) -> None:
        self.model = model.eval()
        self.parameters = sum(weight.numel() for weight in model.parameters())
        self.context = getattr(model.config, "max_position_embeddings", 1 << 20)

    @torch.inference_mode()
    def read(self, tokens: list[int]) -> State:
        if not tokens:
            return State([], [], 0)
        _, state = self._run([], torch.tensor([tokens]))
        return State([], state, len(tokens))

    @torch.inference_mode()
    def extend(self, state: State, rows: Tensor, tokens: Tensor) -> tuple[Tensor, State]:
        past = [(k[rows.remainder(len(k))], v[rows.remainder(len(v))]) for k, v in state.rows]
        logs, pairs = self._run(past, tokens)
        return logs, State([], pairs, state.length + tokens.shape[1])

    def _run(self, past: list[Pair], tokens: Tensor) -> tuple[Tensor, list[Pair]]:
        from transformers import DynamicCache

        cache: Any = DynamicCache()
        for layer, (k, v) in enumerate(past):
            cache.update(k, v, layer)
        out = self.model(tokens, past_key_values=cache, use_cache=True, logits_to_keep=1)
        return out.logits[:, -1].float().log_softmax(1), [(layer.keys, layer.values) for layer in cache.layers]

"""Ladders: models of one shape trained as one batched model, beside the same runs one after the other.

The batched model holds the weights of R models side by side, (R, in, out), and its products are PyTorch's batched ones; the
rest is PyTorch's own operators, as our compiled loops know one model only. Same start, same batches, same losses (checked).
The capacity-law study has three models of one shape at most, one in each world; a batch of eight is what a study with more
replicates could have.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks._table import Row, median_seconds, ratios
from twopart.learners import SymbolStream, TrainingConfig, Transformer, TransformerConfig, train
from twopart.learners._operators import NORM_EPSILON
from twopart.studies._transformers import Shape
from twopart.worlds import Biographies

MODELS = (3, 8)
WIDTHS = (4, 16, 32)
BATCH, UPDATES = 256, 24
SCORED = 3  # attribute, template, value: names are read, not scored
CONFIG = TrainingConfig(batch=BATCH, learning_rate=1e-2, clip=math.inf, device="cpu", compile="off")


def run() -> Iterator[Row]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    world = Biographies().world(0.5, 1)
    streams = [SymbolStream(world.sample(BATCH * UPDATES, stream=i), names=False) for i in range(max(MODELS))]
    for models in MODELS:
        for width in WIDTHS:
            yield against_one_by_one(Shape(width=width).reading(world), streams[:models])
    torch.set_num_threads(threads)


def against_one_by_one(config: TransformerConfig, streams: list[SymbolStream]) -> Row:
    """All of R short runs, both ways."""
    ours, peer = one_by_one(config, streams), Batched(config, len(streams)).learn(streams)
    if not np.allclose(ours, peer, rtol=0.02):
        raise AssertionError(f"the two learn differently: {ours} and {peer}")
    ratio = ratios(lambda: Batched(config, len(streams)).learn(streams), lambda: one_by_one(config, streams))
    taken = median_seconds(lambda: Batched(config, len(streams)).learn(streams), rounds=3)
    rate = len(streams) * BATCH * UPDATES / taken
    name = f"{len(streams)} models of {config.parameters:,} parameters as one"
    return Row(name, f"{rate:,.0f} sentences/s", "one after the other", ratio, "none: studies do without")


def one_by_one(config: TransformerConfig, streams: list[SymbolStream]) -> list[float]:
    """Mean bits of each model's last batch."""
    runs = [train(CONFIG, config, stream, seed=i) for i, stream in enumerate(streams)]
    return [float(run.lengths.total[-BATCH:].mean()) for run in runs]


class Batched:
    """R transformers of one shape and one layer, side by side."""

    def __init__(self, config: TransformerConfig, models: int) -> None:
        singles = [Transformer(config, seed) for seed in range(models)]
        named = [dict(single.named_parameters()) for single in singles]
        self.config = config
        self.weights = {name: torch.stack([w[name].detach() for w in named]).requires_grad_() for name in named[0]}
        self.cosines, self.sines = singles[0].cosines, singles[0].sines

    def learn(self, streams: list[SymbolStream]) -> list[float]:
        """One pass over all streams; mean bits of each model's last batch."""
        betas = (CONFIG.first_decay, CONFIG.second_decay)
        optimiser = torch.optim.AdamW(
            self.weights.values(), lr=CONFIG.learning_rate, betas=betas, weight_decay=0.0, fused=True
        )
        for step in range(UPDATES):
            for group in optimiser.param_groups:
                group["lr"] = CONFIG.learning_rate * CONFIG.schedule.factor(step, UPDATES)
            start = step * BATCH
            tokens = torch.from_numpy(np.stack([s.batch(start, start + BATCH).tokens for s in streams]))
            nats = self.nats(tokens)
            (nats.sum() / (BATCH * SCORED)).backward()
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        return (nats.detach().sum(-1) / (BATCH * math.log(2))).tolist()

    def nats(self, tokens: Tensor) -> Tensor:
        """What the scored tokens of (R, B, T+1) cost each model, (R, B SCORED)."""
        R, B, T, C = *tokens.shape[:2], tokens.shape[2] - 1, self.config.width
        w = self.weights
        inputs = tokens[..., :-1].reshape(R, B * T, 1).expand(-1, -1, C)
        x = w["embedding"].gather(1, inputs)
        qkv = self._norm(x, "blocks.0.attention_norm") @ w["blocks.0.query_key_value"]
        x = x + self._attend(qkv.view(R * B, T, 3, self.config.heads, -1)).reshape(R, B * T, C) @ w["blocks.0.out"]
        gate, up = (self._norm(x, "blocks.0.feed_norm") @ w["blocks.0.gate_up"]).chunk(2, -1)
        x = x + (functional.silu(gate) * up) @ w["blocks.0.down"]
        last = self._norm(x.view(R, B, T, C)[:, :, -SCORED:].reshape(R, B * SCORED, C), "norm")
        logits = last @ w["embedding"].transpose(1, 2)
        targets = tokens[..., -SCORED:].reshape(R * B * SCORED)
        return functional.cross_entropy(logits.flatten(0, 1), targets, reduction="none").view(R, -1)

    def _norm(self, x: Tensor, name: str) -> Tensor:
        return functional.rms_norm(x, x.shape[-1:], eps=NORM_EPSILON) * self.weights[name].unsqueeze(1)

    def _attend(self, qkv: Tensor) -> Tensor:
        """(R B, T, C) from queries, keys and values (R B, T, 3, heads, D)."""
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        turned = [self._turn(x) for x in (query, key)]
        out = functional.scaled_dot_product_attention(turned[0], turned[1], value, is_causal=True)
        return out.transpose(1, 2).flatten(2)

    def _turn(self, x: Tensor) -> Tensor:
        """Rotary positions."""
        first, second = x.chunk(2, -1)
        cos, sin = self.cosines, self.sines
        return torch.cat((first * cos - second * sin, first * sin + second * cos), -1)

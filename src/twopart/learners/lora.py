"""LoRA: fine-tuning by low-rank changes of the linear maps (Hu et al. 2021, arXiv 2106.09685, section 4.1).

    W' = W + (scale / rank) A B     A (in, rank) normal, B (rank, out) zero at the start, W frozen

Only A and B are learned: of all blocks, the maps query-key-value, out, gate-up and down. Embedding and norms stay as they are.
A model with adapters has its merged weights as attributes, so it is saved, asked and evaluated like any other.
"""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from twopart._random import keys
from twopart.learners.transformer import Transformer
from twopart.settings import at_least, between, settings

MAPS = ("query_key_value", "out", "gate_up", "down")
"""The linear maps of a block."""


@settings
class LoRA:
    """Adapters of this rank on every linear map."""

    rank: Annotated[
        int,
        at_least(1).because("4 to 16 is usual"),
        "Rank of each map's change; a map that is narrower is changed without bound.",
    ] = 4
    scale: Annotated[
        float,
        between(0, math.inf, "()").because("twice the rank is usual"),
        "What a change is multiplied by, times the rank (α in the paper).",
    ] = 8.0

    def attach(self, model: Transformer, seed: int) -> None:
        """Freeze the model's weights and give its maps adapters, which change nothing yet."""
        random = torch.Generator().manual_seed(int(keys(seed, 1, "learner", "adapters")[0] >> 1))
        model.requires_grad_(False)
        for block in model.blocks:
            for name in MAPS:
                change = _LowRank(getattr(block, name), self.rank, self.scale / self.rank, random)
                parametrize.register_parametrization(block, name, change)


@torch.no_grad()
def merged(model: Transformer) -> Transformer:
    """The same model without adapters: their changes are part of its weights, all of which are free again."""
    if not any(parametrize.is_parametrized(block) for block in model.blocks):
        return model
    plain = Transformer(model.config).to(model.embedding.device)
    for name, weight in plain.named_parameters():
        module, _, attribute = name.rpartition(".")
        weight.copy_(getattr(model.get_submodule(module), attribute))
    return plain


class _LowRank(nn.Module):
    """weight -> weight + scale * A B."""

    def __init__(self, weight: Tensor, rank: int, scale: float, random: torch.Generator) -> None:
        super().__init__()
        inputs, outputs = weight.shape
        start = torch.randn(inputs, rank, generator=random) / math.sqrt(inputs)
        self.left = nn.Parameter(start.to(weight.device))
        self.right = nn.Parameter(torch.zeros(rank, outputs, device=weight.device))
        self.scale = scale

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.scale * (self.left @ self.right)

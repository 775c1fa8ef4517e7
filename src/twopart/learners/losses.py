"""What a model pays for each sentence, by role: from a batch of tokens to code lengths."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from twopart._checks import check
from twopart.learners._operators import cross_entropy
from twopart.learners.streams import Batch
from twopart.learners.transformer import Transformer
from twopart.roles import ROLES, CodeLengths, Role

ROWS = 128
"""Logits are made for a multiple of so many positions. Building a kernel takes 3 to 15 ms, using one again 0.3 to 5."""
_PADDING = int(Role.PADDING)  # the compiler cannot compare a tensor with an enum


def sentence_bits(
    model: Transformer,
    tokens: Tensor,
    roles: Tensor,
    importance: Tensor | None = None,
    positions: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The objective, and the bits of each sentence by role (B, 3) in the order of `ROLES`.

    The objective is the mean cross-entropy in nats of the scored positions, each counted with its sentence's `importance` (B,).
    With `positions` (), a number, it is their sum over that number: the mean over a batch of which these sentences are a part.
    `tokens` and `roles` are (B, T+1). On a GPU the products are made in bfloat16, the weights and all sums stay float32.
    """
    targets, roles = tokens[:, 1:].flatten(), roles[:, 1:]
    scored = (roles != _PADDING).flatten()
    weights = scored / (scored.sum() if positions is None else positions)
    if importance is not None:
        weights = weights * importance.repeat_interleave(roles.shape[1])
    with torch.autocast(tokens.device.type, torch.bfloat16, enabled=tokens.is_cuda):
        rows = model.features(tokens[:, :-1])
        # On a GPU shapes are fixed: all positions, padding at weight 0.
        if tokens.is_cuda or torch.compiler.is_compiling() or bool(scored.all()):
            objective, nats = cross_entropy(rows, model.table, targets, weights)
        else:
            at = _scored_first(scored)
            parts = [part.index_select(0, at) for part in (rows, targets, weights)]
            objective, costs = cross_entropy(parts[0], model.table, parts[1], parts[2])
            nats = costs.new_zeros(len(weights)).index_copy(0, at, costs)
    return objective, by_role(nats.view_as(roles), roles) / math.log(2)


def _scored_first(scored: Tensor) -> Tensor:
    """The scored positions, and unscored ones to fill up `ROWS`: oneDNN builds a kernel for each number of rows it meets."""
    wanted = min(len(scored), -(-int(scored.sum()) // ROWS) * ROWS)
    return torch.cat((scored.nonzero(), scored.logical_not().nonzero())).squeeze(1)[:wanted]


def by_role(costs: Tensor, roles: Tensor) -> Tensor:
    """Sums of `costs` (B, T) over the positions of each role: (B, 3). Nothing is scattered: deterministic on a GPU too."""
    each = torch.arange(len(ROLES), device=roles.device)
    return (costs.unsqueeze(-1) * (roles.unsqueeze(-1) == each)).sum(1)


def to_tensors(batch: Batch, model: Transformer, part: bool = False) -> tuple[Tensor, Tensor, Tensor | None]:
    """The batch on the model's device; sentences that the model cannot read are refused. A `part` of one may score nothing."""
    config, device = model.config, model.embedding.device
    longest, last = batch.tokens.shape[1] - 1, int(batch.tokens.max())
    check(longest <= config.context, "context", config.context, f">= {longest}", "the stream's sentences are longer")
    inside = int(batch.tokens.min()) >= 0 and last < config.vocabulary
    check(inside, "vocabulary", config.vocabulary, f"> {last}", "the stream has token ids outside it")
    scored = (part or int(batch.roles[:, 1:].min()) < Role.PADDING) and int(batch.roles.max()) <= Role.PADDING
    check(
        scored, "roles", np.unique(batch.roles).tolist(), "roles of `Role`, not all PADDING", "give each token a role"
    )
    importance = None if batch.weights is None else torch.from_numpy(batch.weights).to(device)
    return torch.from_numpy(batch.tokens).to(device), torch.from_numpy(batch.roles).to(device), importance


def code_lengths(bits: Tensor) -> CodeLengths:
    """The bits (N, 3) of N sentences, on the CPU and in float64."""
    return CodeLengths(*bits.double().T.contiguous().cpu().numpy())

"""What a model pays for each sentence, by role."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from twopart.learners._operators import cross_entropy
from twopart.learners.transformer import Transformer
from twopart.roles import ROLES, Role


def sentence_bits(model: Transformer, tokens: Tensor, roles: Tensor) -> tuple[Tensor, Tensor]:
    """The objective, and the bits of each sentence by role (B, 3) in the order of `ROLES`.

    The objective is the mean cross-entropy in nats of the scored positions. `tokens` and `roles` are (B, T+1).
    """
    targets, roles = tokens[:, 1:], roles[:, 1:]
    scored = (roles != Role.PADDING).float()
    rows = model.features(tokens[:, :-1])
    weights = (scored / scored.sum()).flatten()
    objective, nats = cross_entropy(rows, model.embedding, targets.flatten(), weights)
    return objective, by_role(nats.view_as(targets), roles) / math.log(2)


def by_role(costs: Tensor, roles: Tensor) -> Tensor:
    """Sums of `costs` (B, T) over the positions of each role: (B, 3). Nothing is scattered: deterministic on a GPU too."""
    each = torch.arange(len(ROLES), device=roles.device)
    return (costs.unsqueeze(-1) * (roles.unsqueeze(-1) == each)).sum(1)

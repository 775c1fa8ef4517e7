"""Attention inside anybody's modules: where heads are mixed, how many there are, and the subspaces that they read.

find_heads(model)                 # {"layers.0.self_attn": 4, ...}: where heads are mixed, and how many
subspaces_of(model.layers[0])     # (4, width, width / 4): the value projection of the first attention in it, by head
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from twopart._checks import InputError, check

PROJECTION = re.compile(r"(^|\.)(o|o_proj|out_proj|c_proj|out_lin|wo|(\w*att\w*|output)\.(dense|proj))$", re.IGNORECASE)
COUNTS = ("num_heads", "num_attention_heads", "n_heads", "n_head")
VALUES = ("value", "v_proj", "v_lin")


def find_heads(module: nn.Module) -> dict[str, int]:
    """Output projections of attention by dotted name, with their numbers of heads, in the order of the module.

    Those of `nn.MultiheadAttention`, and parts named as transformers name them inside something that has a number of heads, or
    is called attention where a config has one. Raises `InputError` where there is none.
    """
    found: dict[str, int] = {}
    for name, part in module.named_modules():
        if isinstance(part, nn.MultiheadAttention):
            found[name] = part.num_heads
        elif PROJECTION.search(name):
            parts = name.split(".")
            around = [module.get_submodule(".".join(parts[:k])) for k in range(len(parts) - 1, -1, -1)]
            near = around[:2] + [one.config for one in around if "att" in name.lower() and hasattr(one, "config")]
            if (count := _count(near)) and not isinstance(around[0], nn.MultiheadAttention):
                found[name] = count
    check(bool(found), "module", type(module).__name__, "one whose heads are found", "give `layers`, {name: heads}")
    return found


def subspaces_of(module: nn.Module) -> Tensor:
    """U (K, d, p) of the first attention in a module: its own `subspaces`, as `Mssa` has, or the value projection by head.

    Knows `nn.MultiheadAttention`, and Hugging Face's attention by the names of its parts: `value`, `v_proj`, `v_lin`, `c_attn`.
    Raises `InputError` where there is none.
    """
    part: Any
    for part in module.modules():
        if hasattr(part, "subspaces"):
            return torch.as_tensor(part.subspaces)
        heads = _count([part, getattr(part, "config", None)])
        value = next((getattr(part, name).weight for name in VALUES if hasattr(part, name)), None)
        if isinstance(part, nn.MultiheadAttention):
            value = part.v_proj_weight if part.in_proj_weight is None else part.in_proj_weight.chunk(3)[2]
        elif hasattr(part, "c_attn"):
            value = part.c_attn.weight.mT.chunk(3)[2]
        if value is not None and heads:
            width = getattr(part, "head_dim", None) or len(value) // heads
            return torch.as_tensor(value).reshape(-1, width, value.shape[1]).mT
    raise InputError(f"`module` must have attention that is known, got {type(module).__name__}; give `srr` subspaces")


def _count(owners: Iterable[Any]) -> int:
    """The number of heads that the first of them has which has one, else 0."""
    return next((int(getattr(one, name)) for one in owners for name in COUNTS if hasattr(one, name)), 0)

"""A model beside itself with fewer bits."""

from __future__ import annotations

import re

import torch

from twopart._checks import InputError
from twopart.learners.transformer import Transformer
from twopart.tools.probe.answers import Asker
from twopart.tools.probe.askers import Asked, open_asker
from twopart.tools.probe.decoder import Llama


def check_quantiser(text: str) -> tuple[str, int, int]:
    """Kind, size of a block (0: a row) and bits of "rows:4" or "blocks32:3"."""
    found = re.fullmatch(r"(?:rows|blocks(\d+)):(\d+)", text)
    if found is None or not 2 <= int(found[2]) <= 8 or found[1] == "0":
        raise InputError(
            f"`quantise` must be rows:BITS or blocksSIZE:BITS with 2 to 8 bits, got {text!r}; try blocks32:3"
        )
    return text, int(found[1] or 0), int(found[2])


def open_quantised(model: str, how: str) -> Asker:
    """The Llama of that name, in fewer bits. Raises `InputError` for another model."""
    check_quantiser(how)
    asker = open_asker(model)
    if not isinstance(asker, Asked) or not isinstance(asker.decoder, Llama):
        raise InputError(
            f"{model} is no Llama that is read here, and `quantise` rounds only these; compare with `against`"
        )
    quantised(asker.decoder.model, how)
    return asker.renamed(f"{asker.name} {how}")


@torch.no_grad()
def quantised(model: Transformer, how: str) -> Transformer:
    """The same model with its matrices rounded to nearest, in place: 2^bits levels between the least and the greatest weight of
    each output's row, or of blocks of a row. Tables and gains stay."""
    _, size, bits = check_quantiser(how)
    for name, weight in model.named_parameters():
        if weight.ndim < 2 or name in ("embedding", "head"):
            continue
        rows = weight.t().contiguous()  # (out, in)
        block = size or rows.shape[1]
        if rows.shape[1] % block:
            raise InputError(
                f"`quantise` is {how!r}, and {name} has rows of {rows.shape[1]}; take a size that divides them"
            )
        parts = rows.view(-1, block)
        low, high = parts.amin(1, keepdim=True), parts.amax(1, keepdim=True)
        step = ((high - low) / (2**bits - 1)).clamp_min(1e-12)
        weight.copy_((((parts - low) / step).round() * step + low).view_as(rows).t())
    return model

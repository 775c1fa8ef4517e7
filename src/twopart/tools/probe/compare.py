"""Two models side by side on the same facts, or a model beside itself with fewer bits: what is lost, and what is gained."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
import torch

from twopart._checks import InputError
from twopart.evidence import Estimate
from twopart.learners.transformer import Transformer
from twopart.tools.probe.analysis import Floats, Integers, Rows, Studied, weighted_d
from twopart.tools.probe.answers import Asker
from twopart.tools.probe.askers import Asked, open_asker
from twopart.tools.probe.decoder import Llama


@dataclass(frozen=True, eq=False)
class Compared:
    """One template, two models, with resamples of the same subjects."""

    before: Studied
    after: Studied

    def __str__(self) -> str:
        return f"{self.after.asking.model} after {self.before.asking.model}, {self.before}"

    @property
    def x(self) -> Floats:
        x = self.before.rows.x
        return np.zeros(len(self.before.asking.facts)) if x is None else x

    @property
    def lost(self) -> Floats:
        """1 where it was right and is no more (N,)."""
        return self.before.asking.right * (1 - self.after.asking.right)

    @cached_property
    def lost_share(self) -> Estimate:
        """Of what was known: of the facts that were right, each weighted by P(known | right)."""

        def share(rows: Rows) -> float:
            right, weight = self._right(rows)
            return float((weight * self.lost[right]).sum() / weight.sum()) if weight.sum() > 0 else math.nan

        return self.before.by_resample(share)

    @cached_property
    def surest(self) -> Estimate:
        """Somers' D of lost on the doubt that the model before had."""
        return self.order(-self.before.asking.share[np.arange(len(self.x)), self.before.asking.facts.answer])

    def order(self, by: Floats) -> Estimate:
        """Somers' D of lost on a number of each fact (N,), among facts that were right, weighted by P(known | right)."""

        def d(rows: Rows) -> float:
            right, weight = self._right(rows)
            return weighted_d(by[right], self.lost[right], weight)

        return self.before.by_resample(d)

    def _right(self, rows: Rows) -> tuple[Integers, Floats]:
        right = rows.right > 0
        return rows.index[right], rows.learned.known_if_right[right]

    @cached_property
    def strata(self) -> pl.DataFrame:
        """By fifths of frequency: facts right before and after, lost and gained."""
        stratum, x = self.before.rows.stratum, self.x
        was, now = self.before.asking.right, self.after.asking.right
        return pl.DataFrame(
            [
                {
                    "frequency": float(10 ** np.median(x[i])),
                    "facts": int(i.sum()),
                    "right before": float(was[i].mean()),
                    "right after": float(now[i].mean()),
                    "lost, of those right": float(self.lost[i].sum() / max(was[i].sum(), 1)),
                    "gained, of those wrong": float(((1 - was) * now)[i].sum() / max((1 - was[i]).sum(), 1)),
                }
                for i in (stratum == s for s in np.unique(stratum))
            ]
        )


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

"""The models of the study of batch normalisation: descents in inner products, their first steps in weights, and shifted tests.

Axis "path", a row for each look: step; gamma; spread, D; sums, D of the points' sums; plain, D without
normalisation; law, D by the late law from the first look at which D stays below `EARLIEST`, and guide, that of the slowest
mode through the last D, both nan where there is none; trained, D of weights, and difference, of their margins from the
recursion's, nan past the steps that were trained. Axis "margins": mean, low and high over the points of a patch.
Of `shift`, a row for each replicate: uniform, the error of the trained model, and maximum, of the largest margin.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import polars as pl
import torch

from twopart.evidence import long
from twopart.lab import Cell
from twopart.laws.features import batch_norm as law
from twopart.learners.features import NormalisedLinear, PatchNet, PatchNetConfig, fresh_error, train_normalised
from twopart.studies.features.batch_norm_bias import EARLIEST, LEAST, Descend, Floats, Shift


def descend(case: Descend, cell: Cell) -> pl.DataFrame:
    """Follow each replicate with and without normalisation."""
    s, P, rows = case.descents, case.patches, []
    for replicate in range(s.seeds):
        x, y = case.sample(replicate)
        gram = law.signed_gram(x, y)
        start, γ = gram.sum(1), law.late_gamma(s.steps, s.rate, P)  # w = Σ y x
        depth = law.exponent(gram, 1.0, γ, P) if case.independent else s.depth
        start *= np.sqrt(depth / s.depth / np.square(start).mean())  # s: as long as the slowest mode asks for
        follow = partial(law.margin_path, gram, s.steps, s.rate, start, patches=P, looks=s.looks)
        run, plain = follow(), follow(normalised=False)
        found = {"step": run.step, "gamma": run.gamma, "sums": law.spread(run.margins.sum(-1))}
        found |= {"spread": law.spread(run.margins, 2), "plain": law.spread(plain.margins, 2)}
        found |= foretold(case, gram, run) | trained(case, x, y, run)
        parts = [long("path", {name: values[None] for name, values in found.items()})]
        for series, z in (("spread", run.margins[None]), ("plain", plain.margins[None])):
            ends = {"margin": z.mean(2), "low": z.min(2), "high": z.max(2)}
            where = {"step": run.step[None, :, None], "patch": np.arange(P)}
            parts.append(long("margins", where | ends, series=series))
        rows.append(pl.concat(parts, how="diagonal").with_columns(replicate=replicate))
        cell.progress(replicate + 1, s.seeds)
    return pl.concat(rows)


def foretold(case: Descend, gram: Floats, run: law.Path) -> dict[str, Floats]:
    D, P = law.spread(run.margins, 2), case.patches
    found = {name: np.full(len(D), np.nan) for name in ("law", "guide")}
    first = int(np.flatnonzero(np.r_[1.0, D] >= EARLIEST)[-1])
    if case.independent and first < len(D):
        γ, sign = np.abs(run.gamma), np.sign(run.gamma[first])
        late = law.spread_law(gram, γ[first], γ[first:], run.scale[first], sign * run.margins[first].ravel() - 1, P)
        found["law"][first:] = law.spread(late)
        last = int(np.flatnonzero(D > LEAST)[-1])
        to_go = law.exponent(gram, run.scale[last], γ, P)
        found["guide"][first:] = D[last] * np.exp(to_go[last] - to_go[first:])
    return found


def trained(case: Descend, x: Any, y: Any, run: law.Path) -> dict[str, Floats]:
    """The first steps in d numbers, by autograd."""
    x, y, s = torch.from_numpy(x).double(), torch.from_numpy(y).double(), case.descents
    found = {name: np.full(len(run.step), np.nan) for name in ("trained", "difference")}

    def look(step: int, model: NormalisedLinear) -> None:
        at = int(np.searchsorted(run.step, step))
        if run.step[at] == step:
            z = model.margins(x, y).numpy()
            found["trained"][at] = law.spread(z, 2)
            found["difference"][at] = np.abs(z - np.sign(run.gamma[at]) * run.margins[at]).max()

    train_normalised(x, y, min(s.trained, s.steps), s.rate, initial=float(run.scale[0]), on_step=look)
    return found


def shift(case: Shift, cell: Cell) -> pl.DataFrame:
    """Train on both features; err without the strong one."""
    part, weights = case.shifted, []
    for replicate in range(case.seeds):
        sample = case.world(replicate).sample(part.fitted)
        gram, signed = law.signed_gram(sample.x, sample.label), sample.x * sample.label[:, None, None]
        start = gram.sum(1)
        start *= 2 / np.sqrt(np.square(start).mean())
        z = law.margin_path(gram, part.descent, 0.3, start, patches=2).margins[-1].ravel()
        both = np.stack([np.linalg.solve(gram, z), law.limits(gram, 2).maximum])
        weights.append(both @ signed.reshape(-1, part.dimension))
    ends = torch.from_numpy(np.stack(weights))[:, :, None, None]  # (R, 2, 1, 1, d)
    worlds = [case.world(i).without("strong") for i in range(case.seeds)]
    config = PatchNetConfig(1, "identity", sides=1)
    nets = (PatchNet(config, w, torch.ones(case.seeds, 1, 1, 1).to(w)) for w in ends.unbind(1))
    errors = (fresh_error(net, worlds, part.tests, seed=case.seed % 2**31) for net in nets)
    found = long("end", dict(zip(("uniform", "maximum"), errors, strict=True)))
    cell.progress(1, 1)
    return found

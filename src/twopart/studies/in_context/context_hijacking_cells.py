"""The transformers of the study of hijacking: each is trained, hijacked and read.

Axis "curve", by N: error; law, with the trained initial point and steps, and its standard error. Axis "layers", by N and layer:
mean logit, and its law. Axis "model": step (n tr Γ/d, mean over layers), scale, cosine of β_0; clipped, error at N = n.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from twopart.lab import Cell
from twopart.laws.in_context import Chance, hijack_error, hijack_logits
from twopart.learners.in_context import GradientTransformer, hijack_curve, layer_logits, train_in_context
from twopart.studies.in_context.context_hijacking import Train
from twopart.worlds.in_context import Prompts

OTHERS = 20_000  # pairs over which the law of matrices is averaged
SHOWN = (4, 16)  # N at which logits are read layer by layer


def train(case: Train, cell: Cell) -> pl.DataFrame:
    """Train one transformer and hijack it."""
    best, world, tied = case.best, case.best.world, case.kind == "tied"
    n, d, how, N = best.context, world.dimension, case.training, np.array(best.tokens)
    model = GradientTransformer(case.layers, d, tied=tied, isotropic=tied).to(cell.device)

    def draw(step: int) -> Prompts:
        cell.progress(step, how.steps + 1)
        return world.sample(how.prompts, n, f"{cell.seed} {step}")

    train_in_context(model, draw, steps=how.steps)
    β, Γ = model.initial.detach().double().cpu().numpy(), model.step_sizes()
    pairs, scale = world.pairs(how.pairs, f"asked {cell.replicate}"), float(β @ world.prior)
    if tied:
        law = hijack_error(scale, Γ, N, **best.prior)
    else:
        other = world.pairs(OTHERS, "law")
        mean = (hijack_logits(β, Γ, other.query, other.hijacker, N) < 0).mean(1)
        law = Chance(mean, np.sqrt(mean * (1 - mean) / OTHERS))
    curve = {"error": hijack_curve(model, pairs, best.tokens).error, "law": law.value, "law_error": law.error}
    rows = [pl.DataFrame({"axis": "curve", "tokens": N, **curve})]
    for few in SHOWN:
        own = [hijack_logits(β, Γ[:k], pairs.query, pairs.hijacker, few).mean() for k in range(1, case.layers + 1)]
        logits = {"logit": layer_logits(model, pairs.prompts(few)).mean(1), "law": [(pairs.query @ β).mean(), *own]}
        rows.append(pl.DataFrame({"axis": "layers", "tokens": few, **logits}))
    model.clip = True
    step = n * (Γ.mean() if tied else np.trace(Γ, axis1=1, axis2=2).mean() / d)
    found = {"step": step, "scale": scale, "cosine": scale / np.linalg.norm(β)}
    rows.append(pl.DataFrame({"axis": "model", **found, "clipped": hijack_curve(model, pairs, (n,)).error}))
    cell.progress(1, 1)
    return pl.concat(rows, how="diagonal_relaxed")

"""The cells of the study of depth: weights by hand, readouts of frozen features, and networks that are trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import torch
from scipy.optimize import linprog

from twopart.lab import Cell
from twopart.laws.in_context import recall_accuracy, recall_capacity
from twopart.learners.in_context import AttentionOnly, circuits, operations, train_together
from twopart.studies.in_context.transformer_depth import CONTEXT, FOUR, MEMORISE, RECALL, THREE, Case, families
from twopart.worlds.in_context import ContextTemplates, Memorise, Recall, Templates

SHARES = np.linspace(1.4, 2.6, 9)  # N over D


def construct(case: Case, cell: Cell) -> pl.DataFrame:
    """A row for each construction, tried on fresh prompts."""
    tasks, rows = families(2, case.seed), []
    most, known = recall_capacity(case.size) + 2, Memorise(40, seed=case.seed)
    context = ContextTemplates(4, Templates(3, size=48, seed=case.seed), 5, seed=case.seed)
    tried = [
        (RECALL, Recall(most, most), circuits.recall_two_layer(most, most), 1.0),
        (THREE, tasks[THREE], circuits.templates_two_layer(3, inputs=32), 1.0),
        (FOUR, tasks[FOUR], circuits.templates_two_layer(4, inputs=32), 1.0),
        (CONTEXT, context, circuits.context_templates_three_layer(context), 1.0),
        (MEMORISE, known, circuits.memorise(*known.table, heads=2), 1.0),
    ]
    for H, n in ((H, recall_capacity(H) + more) for H in range(2, case.size + 1) for more in range(3)):
        name = f"{RECALL} of {n} pairs"
        tried.append((name, Recall(n, most), circuits.recall_one_layer(n, most, H), recall_accuracy(H, n)))
    for name, task, model, law in tried:
        asked = task.sample(case.config.prompts, f"construction {cell.seed}")
        right = model(torch.from_numpy(asked.tokens)).argmax(-1).numpy() == asked.target
        rows.append({"what": f"{name}, L = {len(model.out)}, H = {model.heads}", "accuracy": right.mean(), "law": law})
    cell.progress(1, 1)
    return pl.DataFrame(rows)


def separate(case: Case, cell: Cell) -> pl.DataFrame:
    """By number of sequences, `points`, and group of labelings: the share that a readout without intercept separates.

    It is trained to a hinge loss of 0, if one can, by linear programming, on a random layer's features of random sequences.
    """
    rows, random, D, groups = [], np.random.default_rng(cell.seed), case.size, max(4, case.config.seeds)
    torch.manual_seed(cell.seed % 2**32)
    for r in range(groups):
        model = AttentionOnly(1, 1, D, length=4, classes=2, vocabulary=64)
        for N in np.unique(np.round(SHARES * D).astype(int)).tolist():
            sequences = torch.from_numpy(Memorise(N, 4, 64, seed=case.seed + r).table.tokens)
            signs = random.choice([-1.0, 1.0], (case.config.trials, N, 1))
            rows_of = signs * model.stream(sequences).double().numpy(force=True)
            fits = [linprog(np.zeros(D), -one, -np.ones(N), bounds=(None, None)).status == 0 for one in rows_of]
            rows.append({"replicate": r, "points": N, "separated": np.mean(fits)})
        cell.progress(r + 1, groups)
    return pl.DataFrame(rows)


def train(case: Case, cell: Cell) -> pl.DataFrame:
    """Axes "way", accuracy by step, and "heads", what each attends to, in the last layer from the last place."""
    how, rate = case.config, {MEMORISE: 1e-2, RECALL: 1e-2, CONTEXT: 2.5e-3}.get(case.name, 3e-3)
    steps, period, start = how.steps, 2, dict[str, Any]()
    if case.name == CONTEXT:
        steps, period, start = how.told, 3, {"period": 3, "tied": 2.0}
    task = families(how.pairs, case.seed)[case.name]
    torch.manual_seed(cell.seed % 2**32)
    models = [AttentionOnly(case.size, case.heads, how.width, **start, **task.shape) for _ in range(how.seeds)]
    way = train_together(
        [model.to(cell.device) for model in models], task, steps=steps, batch=how.batch, learning_rate=rate,
        tests=how.tests, looks=how.looks, seed=cell.seed, on_look=lambda step: cell.progress(step, steps),
    )  # fmt: skip
    rows = [way.rename({"network": "replicate"}).with_columns(axis=pl.lit("way"))]
    asked = torch.from_numpy(task.split()[1].sample(200, "attention").tokens).to(cell.device)
    for r, model in enumerate(models):
        for layer, attention in enumerate(model.attentions(asked)):
            places = slice(None) if layer + 1 < case.size else [-1]
            found = operations([attention], np.arange(asked.shape[1]) % period, asked.cpu(), places)
            rows.append(found.with_columns(axis=pl.lit("heads"), layer=layer, replicate=r))
    return pl.concat(rows, how="diagonal_relaxed")

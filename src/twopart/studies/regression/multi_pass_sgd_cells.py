"""The runs of the multi-pass study: a cell computes its law and walks all replicates over one training set.

Rows are told apart by the column `axis`:
    law     step, descent, fluctuation; of a race gradients and risk, least over rates; `law of GD` the same for GD
    run     of every replicate: step, risk, gap (its squared distance from gradient descent, halved)
    group   of every group of replicates: step, deviation (the same for the mean of its weights)
    goal    of a race: risk, steps to it by the law (gd, sgd; null: not reached), rate
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from twopart import _random
from twopart._arrays import Floats
from twopart.evidence import long
from twopart.lab import Cell
from twopart.laws.regression import MultiPassLaw, growth, largest_stable_step, sgd_risk
from twopart.learners.regression import least_squares_sgd, linearise
from twopart.studies import spaced
from twopart.studies.regression._multi_pass_cases import GROUPS, Case, Descent, Edge, Network, Race, Scales

SHARES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)  # of the largest stable step: the learning rates that race


def descend(case: Descent, cell: Cell) -> pl.DataFrame:
    """All replicates at a share of the largest stable step, and the law."""
    return walked(case, cell, case.runs.rate * case.largest, case.recorded, case.order)


def walk_the_edge(case: Edge, cell: Cell) -> pl.DataFrame:
    """The same near that step, over fewer steps, those of the last half evenly spread."""
    T = case.runs.edge_steps
    at = sorted({*spaced(3, T, case.runs.moments), *np.linspace(T / 2, T, 21).round().astype(int).tolist()})
    return walked(case, cell, case.factor * case.largest, at, "replacement")


def walked(case: Case, cell: Cell, rate: float, at: list[int], order: str) -> pl.DataFrame:
    """Law and replicates at the steps `at`; of reshuffling the law is that of sampling with replacement."""
    T, setting, descent = at[-1], case.setting, {}
    law = lawful(case, rate, order, at, lambda t: cell.progress(t, 2 * T))
    rows = [long("law", {"step": law.steps[None], "descent": law.descent, "fluctuation": law.fluctuation})]
    walk = partial(least_squares_sgd, *setting.train, learning_rate=rate, steps=T, at=at)
    walk(order="full", on_step=lambda t, w: descent.update({t: w[0].copy()}))

    def look(t: int, w: Floats) -> None:
        rows.append(long("run", {"risk": setting.risk(w), "gap": setting.risk(w, descent[t])}, step=t))
        means = w.reshape(GROUPS, -1, w.shape[1]).mean(1)
        rows.append(long("group", {"deviation": setting.risk(means, descent[t])}, step=t))
        cell.progress(T + t, 2 * T)

    walk(batch=case.batch, order=order, replicates=case.runs.replicates, seed=cell.seed, on_step=look)
    return pl.concat(rows, how="diagonal_relaxed")


def race(case: Race, cell: Cell) -> pl.DataFrame:
    """Laws at many rates, who needs how many steps to the goal, and the replicates about the step at which SGD is there."""
    n, T, (x, y), top, total = case.setting.points, case.runs.steps, case.setting.train, case.largest, len(SHARES) + 2
    edge, whole, gd, sgd = 2 * n / np.linalg.eigvalsh(x @ x.T).max(), list(range(T + 1)), [], []
    for i, share in enumerate(SHARES):
        gd.append(lawful(case, share * edge, "full", whole, lambda t: None))
        heard = partial(lambda i, t: cell.progress(i + t / T, total), i)
        sgd.append(lawful(case, share * top, "replacement", whole, heard))
    goal = case.target * min(law.best().risk for law in gd)
    to_goal = zip((law.first_below(goal) for law in sgd), SHARES, strict=True)
    steps, share = min(((t, share) for t, share in to_goal if t is not None), default=(None, 0.0))
    rate, needed = share * top, min(law.first_below(goal) or T for law in gd)
    rows, at = [long("goal", {"risk": [goal]}, gd=needed, sgd=steps, rate=rate)], spaced(1, T, 60)
    for axis, laws, points in (("law", sgd, case.batch), ("law of GD", gd, n)):
        least = np.fmin.reduce([law.risk for law in laws])[at]
        rows.append(long(axis, {"gradients": np.array([at]) * points, "risk": least}))
    if steps is not None:
        at = spaced(max(1, steps / 2), 2 * steps, 41)  # about the crossing of the goal

        def look(t: int, w: Floats) -> None:
            rows.append(long("run", {"risk": case.setting.risk(w)}, step=t))
            cell.progress(len(SHARES) + t / at[-1], total)

        walk = partial(least_squares_sgd, x, y, learning_rate=rate, batch=case.batch, seed=cell.seed)
        walk(steps=at[-1], at=at, replicates=case.runs.replicates, on_step=look)
    cell.progress(total, total)
    return pl.concat(rows, how="diagonal_relaxed")


def find_edges(case: Scales, cell: Cell) -> pl.DataFrame:
    """The largest stable step, what stands in for it elsewhere, and growth beside it, where rare runs carry the mean."""
    x, n = case.setting.train.x, case.setting.points
    below, above = (growth(x, near * case.largest, case.batch, steps=case.runs.steps) for near in (0.95, 1.05))
    cell.progress(1, 1)
    rule, edge = 2 / np.square(x).sum(1).mean(), 2 * n / np.linalg.eigvalsh(x @ x.T).max()
    edges = {"largest": case.largest, "rule": rule, "edge": edge, "below": below, "above": above}
    return pl.DataFrame({"replicate": 0, "batch": case.batch, **edges})


def tune(case: Network, cell: Cell) -> pl.DataFrame:
    """Replicates of a network from the same weights, each on batches of its own, and the law of its linearisation."""
    x, y, x_test, y_test = (torch.from_numpy(part).float() for part in (*case.setting.train, *case.setting.test))
    torch.manual_seed(cell.seed % 2**63)
    network = nn.Sequential(nn.Linear(x.shape[1], case.width), nn.Tanh(), nn.Linear(case.width, 1), nn.Flatten(0))
    features, test_features = linearise(network, x), linearise(network, x_test)
    with torch.no_grad():
        left, test_left = y - network(x), y_test - network(x_test)
    rate, at, R = case.runs.rate * largest_stable_step(features, case.batch), case.moments, case.replicates
    law = sgd_risk(features, left, test_features, test_left, learning_rate=rate, steps=at[-1], batch=case.batch, at=at)
    rows = [long("law", {"step": law.steps[None], "descent": law.descent, "fluctuation": law.fluctuation})]
    weights = {name: weight.detach().expand(R, *weight.shape).clone() for name, weight in network.named_parameters()}

    def loss(weights: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        out: Tensor = functional_call(network, weights, (x,))
        return (out - y).square().mean() / 2

    picks = _random.generator(cell.seed, "batches").integers(len(x), size=(at[-1], R, case.batch))
    for t, pick in enumerate(torch.from_numpy(picks), start=1):
        slope = vmap(grad(loss))(weights, x[pick], y[pick])
        weights = {name: weight - rate * slope[name] for name, weight in weights.items()}
        if t in at:
            risk = vmap(loss, in_dims=(0, None, None))(weights, x_test, y_test)
            rows.append(long("run", {"risk": risk}, step=t))
        cell.progress(t, at[-1])
    return pl.concat(rows, how="diagonal_relaxed")


def lawful(case: Case, rate: float, order: str, at: list[int], on_step: Callable[[int], None]) -> MultiPassLaw:
    """The law at the steps `at`; of reshuffling that of sampling with replacement."""
    size, twice = case.setting.points if order == "full" else case.batch, order in ("replacement", "reshuffle")
    sets = (*case.setting.train, *case.setting.test)
    return sgd_risk(*sets, learning_rate=rate, steps=at[-1], batch=size, replacement=twice, at=at, on_step=on_step)

"""The runs of the multi-pass study: a cell computes its law and walks all replicates over one training set.

Rows are told apart by the column `axis`:
    law     step, descent, fluctuation, training; of a race gradients and risk, least over rates; `law of GD` the same for GD
    run     of every replicate: step, risk, gap (its squared distance from gradient descent, halved)
    group   of every group of replicates: step, deviation (the same for the mean of its weights)
    goal    of a race: risk, steps to it by the law (gd, sgd; null: not reached), rate
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from twopart import _random
from twopart.evidence import long
from twopart.lab import Cell
from twopart.laws.regression import MultiPassLaw, growth, largest_stable_step, sgd_risk
from twopart.learners.regression import least_squares_sgd, linearise
from twopart.studies.regression.multi_pass_sgd import (
    GROUPS,
    NEAR,
    SHARES,
    Case,
    Descent,
    Edge,
    Network,
    Race,
    Scales,
    spaced,
)
from twopart.worlds.regression.arrays import Floats

RECORDED = 41  # steps about the crossing of a race's goal


def descend(case: Descent, cell: Cell) -> pl.DataFrame:
    """All replicates at a share of the largest stable step, and the law."""
    return walked(case, cell, case.runs.rate * case.largest, case.recorded, case.order, GROUPS)


def walk_the_edge(case: Edge, cell: Cell) -> pl.DataFrame:
    """The same near that step, over fewer steps, those of the last half evenly spread."""
    T = case.runs.edge_steps
    at = sorted({*spaced(3, T, case.runs.moments), *np.linspace(T / 2, T, 21).round().astype(int).tolist()})
    return walked(case, cell, case.factor * case.largest, at, "replacement", 0)


def walked(case: Case, cell: Cell, rate: float, at: list[int], order: str, groups: int) -> pl.DataFrame:
    """Law and replicates at the steps `at`."""
    law = lawful(case, cell, rate, at, order, total=2 * at[-1])
    rows, descent = [rows_of(law)], {}
    walk(case, rate, at, "full", 1, 0, lambda t, w: descent.update({t: w[0].copy()}))

    def look(t: int, w: Floats) -> None:
        rows.append(long("run", {"risk": case.setting.risk(w), "gap": case.setting.gap(w, descent[t])}, step=t))
        if groups:
            means = w.reshape(groups, -1, w.shape[1]).mean(1)
            rows.append(long("group", {"deviation": case.setting.gap(means, descent[t])}, step=t))
        cell.progress(at[-1] + t, 2 * at[-1])

    walk(case, rate, at, order, case.runs.replicates, cell.seed, look)
    return pl.concat(rows, how="diagonal_relaxed")


def race(case: Race, cell: Cell) -> pl.DataFrame:
    """Laws at many rates, who needs how many steps to the goal, and the replicates about the step at which SGD is there."""
    n, T = case.points, case.runs.steps
    total = (len(SHARES) + 2) * T
    edge = edge_of_descent(case)
    gd = [lawful(case, cell, share * edge, None, "full") for share in SHARES]
    sgd = [lawful(case, cell, s * case.largest, None, "replacement", i * T, total) for i, s in enumerate(SHARES)]
    goal = case.target * min(law.best().risk for law in gd)
    to_goal = [law.first_below(goal) for law in sgd]
    reached = [(steps, share) for steps, share in zip(to_goal, SHARES, strict=True) if steps is not None]
    steps, share = min(reached, default=(None, 0.0))
    needed = {"gd": min(law.first_below(goal) or T for law in gd), "sgd": steps, "rate": share * case.largest}
    rows = [long("goal", {"risk": [goal]}, **needed), least("law", sgd, case.batch), least("law of GD", gd, n)]
    if steps is not None:
        at = spaced(max(1, steps / 2), 2 * steps, RECORDED)

        def look(t: int, w: Floats) -> None:
            rows.append(long("run", {"risk": case.setting.risk(w)}, step=t))
            cell.progress(len(SHARES) * T + T * t / at[-1], total)

        walk(case, share * case.largest, at, "replacement", case.runs.replicates, cell.seed, look)
    cell.progress(total, total)
    return pl.concat(rows, how="diagonal_relaxed")


def find_edges(case: Scales, cell: Cell) -> pl.DataFrame:
    """The largest stable step, what stands in for it elsewhere, and growth on both sides."""
    x = case.setting.train.x
    below, above = (growth(x, near * case.largest, case.batch, steps=case.runs.steps) for near in NEAR)
    cell.progress(1, 1)
    edges = {"largest": case.largest, "rule": 2 / np.square(x).sum(1).mean(), "edge": edge_of_descent(case)}
    return pl.DataFrame({"replicate": 0, "batch": case.batch, **edges, "below": below, "above": above})


def edge_of_descent(case: Case) -> float:
    """2/λ_max of X^T X/n."""
    x = case.setting.train.x
    return float(2 * len(x) / np.linalg.eigvalsh(x @ x.T).max())


def tune(case: Network, cell: Cell) -> pl.DataFrame:
    """Replicates of a network from the same weights, each on batches of its own, and the law of its linearisation."""
    (x, y), (x_test, y_test) = (tensors(part) for part in (case.setting.train, case.setting.test))
    torch.manual_seed(cell.seed % 2**63)
    network = nn.Sequential(nn.Linear(x.shape[1], case.width), nn.Tanh(), nn.Linear(case.width, 1), nn.Flatten(0))
    features, test_features = linearise(network, x), linearise(network, x_test)
    with torch.no_grad():
        left, test_left = y - network(x), y_test - network(x_test)
    rate, at = case.runs.rate * largest_stable_step(features, case.batch), case.moments
    law = sgd_risk(features, left, test_features, test_left, learning_rate=rate, steps=at[-1], batch=case.batch, at=at)
    rows, R = [rows_of(law)], case.replicates
    start = {name: weight.detach().expand(R, *weight.shape).clone() for name, weight in network.named_parameters()}

    def loss(weights: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        out: Tensor = functional_call(network, weights, (x,))
        return (out - y).square().mean() / 2

    descent, weights = vmap(grad(loss)), start
    picks = _random.generator(cell.seed, "batches").integers(len(x), size=(at[-1], R, case.batch))
    for t, pick in enumerate(torch.from_numpy(picks), start=1):
        slope = descent(weights, x[pick], y[pick])
        weights = {name: weight - rate * slope[name] for name, weight in weights.items()}
        if t in at:
            risk = vmap(loss, in_dims=(0, None, None))(weights, x_test, y_test)
            rows.append(long("run", {"risk": risk}, step=t))
        cell.progress(t, at[-1])
    return pl.concat(rows, how="diagonal_relaxed")


def lawful(
    case: Case, cell: Cell, rate: float, at: list[int] | None, order: str, done: int = 0, total: int = 0
) -> MultiPassLaw:
    """The law; of reshuffling that of sampling with replacement. Progress goes from `done` on; a `total` of 0 reports none."""
    sets, T = (*case.setting.train, *case.setting.test), case.runs.steps if at is None else at[-1]
    batch, replacement = case.points if order == "full" else case.batch, order in ("replacement", "reshuffle")
    options: dict[str, Any] = {"learning_rate": rate, "steps": T, "batch": batch, "replacement": replacement, "at": at}
    return sgd_risk(*sets, **options, on_step=lambda t: cell.progress(done + t, total) if total else None)


def walk(
    case: Case, rate: float, at: list[int], order: str, replicates: int, seed: int, look: Callable[[int, Floats], Any]
) -> None:
    """Replicates of SGD, looked at after the steps `at`."""
    options: dict[str, Any] = {"batch": case.batch, "order": order, "replicates": replicates, "seed": seed}
    least_squares_sgd(*case.setting.train, learning_rate=rate, steps=at[-1], on_step=look, at=at, **options)


def least(axis: str, laws: list[MultiPassLaw], batch: int) -> pl.DataFrame:
    """The least risk over rates by gradients, at steps that are evenly spread in their logarithms."""
    at = spaced(1, laws[0].steps[-1], 60)
    return long(axis, {"gradients": np.array([at]) * batch, "risk": np.fmin.reduce([law.risk for law in laws])[at]})


def rows_of(law: MultiPassLaw) -> pl.DataFrame:
    columns = {"step": law.steps, "descent": law.descent, "fluctuation": law.fluctuation, "training": law.training}
    return long("law", {name: values[None] for name, values in columns.items()})


def tensors(part: Any) -> tuple[Tensor, Tensor]:
    x, y = (torch.from_numpy(values).float() for values in part)
    return x, y

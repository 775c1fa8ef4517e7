"""Networks of the over-parameterisation study: trained in full on the digits, then tuned as one label moves."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from twopart.lab import Cell
from twopart.learners.regression import shift_report, tangent_gram
from twopart.studies.regression.ood_overparameterization import NATURAL, Tuned

MOMENTUM = 0.98
OFTEN = 50  # steps between reports


def tune(case: Tuned, cell: Cell) -> pl.DataFrame:
    """The variance of answers per unit of noise in labels, which are moved one by one, beside the trained network's report."""
    rows, given, total = [], case.pictures, 2 * case.pictures.steps * case.pictures.networks
    for replicate in range(given.networks):
        random, world = torch.Generator().manual_seed(cell.seed ^ replicate), case.world(replicate)
        x, y = map(torch.from_numpy, world.train)
        network = nn.Sequential(nn.Linear(x.shape[1], given.hidden), nn.ReLU(), nn.Linear(given.hidden, 1)).double()
        for weight in (network[0].weight, network[2].weight):
            nn.init.normal_(weight, std=(2 / weight.shape[1]) ** 0.5, generator=random)
        begun = 2 * replicate * given.steps
        (trained,) = descend([network], x, y[None], given.steps, lambda done, at=begun: cell.progress(at + done, total))
        moves = given.move * torch.cat([torch.zeros(1, len(y)), torch.eye(len(y))]).double()
        middle = begun + given.steps
        tuned = descend([trained] * len(moves), x, y + moves, given.steps, lambda done, at=middle: cell.progress(at + done, total))
        left = float((responses(tuned, x) / given.move - torch.eye(len(y))).square().sum(0).mean())
        for shift, amount in (("none", 0.0), *NATURAL):
            z = torch.from_numpy(world.test(shift, amount).x[: given.seen])
            law = float(shift_report(trained, x, z).outside.variance(np.inf))
            variance = float((responses(tuned, z) / given.move).square().sum(0).mean())
            rows.append((replicate, f"{shift} {amount:g}", variance, law, left))
    return pl.DataFrame(rows, ["replicate", "shift", "variance", "law", "left"], orient="row")


def responses(tuned: list[nn.Module], x: Tensor) -> Tensor:
    """By how much moving each label moves the answers: all networks less the first, shape (labels, n)."""
    with torch.no_grad():
        answers = torch.stack([network(x)[:, 0] for network in tuned])
    return answers[1:] - answers[0]


def descend(
    networks: list[nn.Module], x: Tensor, y: Tensor, steps: int, report: Callable[[int], None]
) -> list[nn.Module]:
    """Full-batch descent with momentum of networks of one form, each on its own labels, `y` (networks, n), all at once."""
    weights = {name: w.detach().requires_grad_() for name, w in stack_module_state(networks)[0].items()}  # type: ignore[arg-type]
    rate = 0.5 / float(torch.linalg.eigvalsh(tangent_gram(networks[0], x))[-1])
    descent = torch.optim.SGD(weights.values(), lr=rate, momentum=MOMENTUM)
    answers = vmap(lambda own: functional_call(networks[0], own, (x,))[:, 0])
    for step in range(1, steps + 1):
        descent.zero_grad()
        ((answers(weights) - y).square().sum() / 2).backward()
        descent.step()
        if step % OFTEN == 0 or step == steps:
            report(step)
    found = [deepcopy(network) for network in networks]
    for i, network in enumerate(found):
        network.load_state_dict({name: w[i].detach() for name, w in weights.items()})
    return found

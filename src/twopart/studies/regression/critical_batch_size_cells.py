"""The cells of the study of the critical batch size: the law, runs of averaged SGD beside it, and transformers.

solve    a row for each amount of data: B* by the law, B* by the fit of its steps, and the noise scale at the target
descend  a row for each batch size, mark and group of runs: the group's mean excess risk
train    a row for each mark and average
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import torch

from twopart._arrays import Floats
from twopart.evidence import long
from twopart.fits import critical_batch_size
from twopart.lab import Cell
from twopart.laws.regression import LeastSquaresSGD, one_pass
from twopart.laws.regression.critical_batch import Best
from twopart.learners import SymbolStream, Transformer, WeightAverage
from twopart.learners.losses import sentence_bits, to_tensors
from twopart.learners.settings import pick_device
from twopart.studies._transformers import Shape
from twopart.studies.regression._batch_ladder import AVERAGES, Train
from twopart.studies.regression.critical_batch_size import GROUPS, OVERHEAD, Descent, Spectrum, law_of

ROOM = 1 << 19  # numbers that are drawn at once


def solve(case: Spectrum, cell: Cell) -> pl.DataFrame:
    """The law at every amount of data."""
    problem, rows = case.problem, []
    for done, samples in enumerate(case.squares.samples, start=1):
        law = law_of(case, samples)
        rates, batch = np.full(round(law.steps[0]), law.best[0].rate), round(law.batch[0])
        left = one_pass(problem.eigenvalues, problem.square, rates=rates, noise=problem.noise, batch=batch).moments[-1]
        fitted = critical_batch_size(law.batch, law.steps, overhead=OVERHEAD, resamples=1).value
        rows.append((samples, law.critical, fitted, problem.noise_scale(left)))
        cell.progress(done, len(case.squares.samples))
    return pl.DataFrame(rows, schema=["samples", "critical", "fitted", "noise_scale"], orient="row")


def descend(case: Descent, cell: Cell) -> pl.DataFrame:
    """Runs at the smallest batch and at the two around B*, each at the law's rate and average."""
    law, rows, done = case.law, [], 0.0
    random = torch.Generator(cell.device).manual_seed(cell.seed)
    plan = {k: case.marks(k) for k in dict.fromkeys(case.batches)}
    total = case.runs * sum(law.batch[k] * at[-1] for k, at in plan.items())

    def tell(examples: float) -> None:
        nonlocal done
        done += examples
        cell.progress(done, total)

    for k, at in plan.items():
        how = case.spectrum.problem, round(law.batch[k]), law.best[k], case.runs
        groups = averaged_sgd(*how, at, random, tell).reshape(GROUPS, -1, len(at)).mean(1)
        rows.append(long("run", {"excess": groups, "step": np.array(at)}, batch=float(law.batch[k])))
    return pl.concat(rows)


def averaged_sgd(
    problem: LeastSquaresSGD, batch: int, best: Best, runs: int, at: Sequence[int], random: torch.Generator, tell: Any
) -> Floats:
    """Excess risk of the averaged weights after the steps `at`, shape (runs, len(at)): SGD on fresh Gaussian inputs, each run
    its own. Runs are taken a handful at a time, so that what is drawn at a step stays in the cache."""
    λ, start = (torch.as_tensor(one).to(random.device) for one in (problem.eigenvalues, np.sqrt(problem.square)))
    root, few, out = λ.sqrt().float(), max(1, ROOM // (batch * len(λ))), np.empty((runs, len(at)))
    for first in range(0, runs, few):
        δ = start.float().repeat(min(few, runs - first), 1)
        x, noise = δ.new_empty(len(δ), batch, len(λ)), δ.new_empty(len(δ), batch, 1)
        mean, seen = torch.zeros_like(δ), 0
        for t in range(1, at[-1] + 1):
            x.normal_(generator=random).mul_(root)
            miss = torch.baddbmm(noise.normal_(generator=random), x, δ[:, :, None], beta=-problem.noise)
            δ -= best.rate / batch * torch.bmm(miss.mT, x)[:, 0]
            mean.lerp_(δ, 1 - best.average)
            if t == at[seen]:
                excess = (mean.double() / (1 - best.average**t)).square() @ λ / 2
                out[first : first + few, seen] = excess.numpy(force=True)
                seen += 1
        tell(len(δ) * batch * at[-1])
    return out


def train(case: Train, cell: Cell) -> pl.DataFrame:
    """One pass at a constant rate after the warm-up, the loss in bits per held-out sentence under each average."""
    world, ladder, rows = case.world(cell.replicate), case.ladder, []
    stream = SymbolStream(world.sample(case.most * case.batch, stream=1), names=False)
    held_out = SymbolStream(world.sample(ladder.held_out, stream=2), names=False).batch(0, ladder.held_out)
    model = Transformer(Shape(1, case.width).reading(world), cell.seed).to(pick_device(cell.device))
    learned, average = list(model.parameters()), WeightAverage(model, AVERAGES)
    optimiser = torch.optim.AdamW(learned, betas=(ladder.first_decay, 0.99), weight_decay=0.0, fused=True)

    @torch.no_grad()
    def loss(τ: float) -> float:
        with average.swap(τ):
            return float(sentence_bits(model, *to_tensors(held_out, model))[1].sum(1).mean())

    for t in range(1, case.most + 1):
        optimiser.zero_grad()
        batch = stream.batch((t - 1) * case.batch, t * case.batch)
        torch.autograd.backward(sentence_bits(model, *to_tensors(batch, model))[0])
        torch.nn.utils.clip_grad_norm_(learned, 1.0, foreach=True)
        optimiser.param_groups[0]["lr"] = case.rate * min(1.0, t * case.batch / ladder.warmup)
        optimiser.step()
        average.update()
        if t in case.marks:
            rows += [{"step": t, "average": τ, "loss": loss(τ)} for τ in AVERAGES]
            cell.progress(t, case.most)
    return pl.DataFrame(rows).with_columns(params=sum(p.numel() for p in learned))

"""Pretraining and fine-tuning by one pass of SGD each: linear models on arrays and streams, and any torch module.

    runs = pretrain_finetune(source, target, rates=(0.4, 0.1), replicates=100)      # source = (x, y), target = (x, y)
    before, after = runs.risk(x_test, y_test)                                       # mean squared errors, shape (100,)
    runs = pretrain_finetune_module(network, source_loader, target_loader, rates=(0.1, 0.01))

A first rate is that of `geometric` (arXiv 2208.01857, algorithm 1); `GeometricLR` is that schedule for a loop of one's own.
Descent is on half the square: w ← w - γ mean_batch (<x, w> - y) x.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Sized
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from twopart._arrays import alike, either
from twopart._checks import check, check_integer
from twopart.laws.regression.schedule import effective, scheduled
from twopart.learners.regression.runs import array, first_weights, like
from twopart.learners.regression.sgd import least_squares_sgd

Rate = float | ArrayLike
Batches = Iterable[tuple[Any, Any]]


class GeometricLR(LambdaLR):
    """The rates of `geometric(steps, rate)`, rate being the optimizer's: call `step()` after each of its steps."""

    def __init__(self, optimizer: torch.optim.Optimizer, steps: int, last_epoch: int = -1) -> None:
        last = math.ceil(effective(check_integer("steps", steps, 1, None, "it is the number of steps of the phase")))
        super().__init__(optimizer, lambda t: 0.5 ** (t // last), last_epoch)


class Transfer(NamedTuple):
    """What the two phases end with."""

    pretrained: Any
    """Weights, shape (R, d), or a module."""
    tuned: Any
    """The same after the target's steps as well."""

    @torch.no_grad()
    def risk(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Mean squared errors on inputs (n, d), answers (n,), before and after fine-tuning: (R,), or a number of a module."""
        outputs = [
            end(x).flatten() if callable(end) else end @ either("x", x, (None, end.shape[1]), "see the source", end).T
            for end in self
        ]
        answers = either("y", alike(outputs[0], array(y).flatten()), outputs[0].shape[-1:], "one for each input")
        before, after = (((output - answers) ** 2).mean(-1) for output in outputs)
        return before, after


def pretrain_finetune(
    source: tuple[Any, Any] | Batches,
    target: tuple[Any, Any] | Batches,
    *,
    rates: tuple[Rate, Rate],
    start: Any = None,
    replicates: int = 1,
    seed: int = 0,
) -> Transfer:
    """Linear least squares: one pass over the source, then one over the target, R runs at once.

    `source` and `target` are each a pair (x, y) of arrays or tensors, (n, d) and (n,), float32 or float64, which every run
    reads in a random order of its own, a row a step; or a stream of batches, such as a DataLoader: pairs (b, d), (b,) for all
    runs or (R, b, d), (R, b) with rows of its own for each. `rates` are for each domain the first of `geometric`, or one for
    each step, (steps,), which also says how much of a stream is read; a stream without a length needs them so. `start` is (d,)
    or (R, d), 0 without it. Raises `InputError` for wrong shapes, ranges and nan in arrays, for streams that end early, and for
    `rates` that are not two.
    """
    check_integer("replicates", replicates, 1, None, "it is the number of runs")
    ends = [start]
    for number, (name, data, rate) in enumerate(_phases(source, target, rates)):
        if isinstance(data, tuple) and len(data) == 2 and hasattr(data[0], "ndim"):  # a stream's pairs are tuples too
            γ, number_seed = scheduled("rates", rate, len(data[0])), 2 * seed + number
            given: Any = {"start": ends[-1], "replicates": replicates, "seed": number_seed, "order": "reshuffle"}
            ends.append(least_squares_sgd(*data, learning_rate=γ, steps=len(γ), **given))
        else:
            ends.append(_over_stream(name, data, rate, ends[-1], replicates))
    return Transfer(*ends[1:])


def pretrain_finetune_module(
    module: nn.Module, source: Batches, target: Batches, *, rates: tuple[Rate, Rate]
) -> Transfer:
    """The same for any torch module with one output: SGD on half the squared error, a pass over each stream of batches (x, y).

    `rates` are as those of `pretrain_finetune`; a phase of rate 0 is left out. `module` is left as it is; what comes back are
    copies on its device. Raises `InputError` for `rates` out of range, outputs that do not fit the answers, and losses that
    are not finite.
    """
    trained, ends = copy.deepcopy(module), []
    device = next(module.parameters()).device
    for name, stream, rate in _phases(source, target, rates):
        optimizer = torch.optim.SGD([p for p in trained.parameters() if p.requires_grad])
        for γ, x, y in _steps(name, stream, rate) if np.any(rate) else ():
            output = trained(x.to(device)).flatten()
            answers, bound = y.to(output).flatten(), f"{len(output)} answers, one for each output"
            check(output.shape == answers.shape, name, tuple(y.shape), bound, "see the stream")
            loss = (output - answers).square().mean() / 2
            check(bool(torch.isfinite(loss)), "rates", rate, "small enough to converge", "take a smaller rate")
            optimizer.zero_grad()
            loss.backward()
            optimizer.param_groups[0]["lr"] = γ
            optimizer.step()
        ends.append(copy.deepcopy(trained))
    return Transfer(*ends)


def _phases(source: Any, target: Any, rates: Any) -> Iterator[tuple[str, Any, Any]]:
    """The name of each domain, its data and its rates."""
    check(isinstance(rates, tuple) and len(rates) == 2, "rates", rates, "two", "give the source's and the target's")
    return zip(("source", "target"), (source, target), rates, strict=True)


def _steps(name: str, stream: Any, rate: Rate) -> Iterator[tuple[float, Any, Any]]:
    """The rate of each step, with its batch."""
    sized = np.ndim(rate) > 0 or isinstance(stream, Sized)
    check(sized, name, type(stream).__name__, "with a length", "give a rate for each step")
    rates, batches = scheduled("rates", rate, np.size(rate) if np.ndim(rate) else len(stream)), iter(stream)
    for step, γ in enumerate(rates.tolist()):
        pair: Any = next(batches, None)
        check(pair is not None, name, step, f"at least {len(rates)} batches", "give fewer rates")
        yield γ, *pair


def _over_stream(name: str, stream: Any, rate: Rate, start: Any, replicates: int) -> Any:
    """All runs in one tensor, or in one array where the stream gives arrays."""
    w = given = None
    for γ, given, answers in _steps(name, stream, rate):
        x, y = torch.as_tensor(given), torch.as_tensor(answers)
        w = torch.from_numpy(first_weights(start, replicates, x.shape[-1])).to(x) if w is None else w
        fits = y.ndim and x.shape == (*y.shape, w.shape[-1]) and y.shape[:-1] in ((), (len(w),))
        bound = "batches (b, d), (b,) or (R, b, d), (R, b)"
        check(bool(fits), name, (tuple(x.shape), tuple(y.shape)), bound, "see the stream")
        push = (x * w[:, None]).sum(-1) - y
        w -= (γ / x.shape[-2]) * (push[..., None] * x).sum(1)
    check(w is not None or start is not None, name, 0, "one batch or more", "or give the weights to `start` with")
    return start if w is None else like(w, given)

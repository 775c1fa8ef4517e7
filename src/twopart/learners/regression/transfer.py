"""Pretraining and fine-tuning by one pass of SGD each: linear models on arrays and streams, and any torch module.

    runs = pretrain_finetune(source, target, rates=(0.4, 0.1), replicates=100)      # source = (x, y), target = (x, y)
    before, after = runs.risk(x_test, y_test)                                       # mean squared errors, shape (100,)
    runs = pretrain_finetune_module(network, source_loader, target_loader, rates=(0.1, 0.01))

A first rate stands for the schedule of Wu, Zou, Braverman, Gu, Kakade 2022, arXiv 2208.01857: halved every L = ceil(T / log2 T)
of a phase's T steps. `geometric(T, rate)` is that schedule as an array, `GeometricLR(optimizer, T)` as a scheduler of torch.
Descent is on half the square: w ← w - γ mean_batch (<x, w> - y) x.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from twopart._checks import InputError, check, check_integer, check_real
from twopart.laws.regression.schedule import effective, scheduled
from twopart.learners.regression.runs import first_weights
from twopart.learners.regression.sgd import least_squares_sgd

Rate = float | ArrayLike
Batches = Iterable[tuple[Any, Any]]


class GeometricLR(LambdaLR):
    """The rates of `geometric(steps, rate)`, rate being the optimizer's: call `step()` after each of its steps."""

    def __init__(self, optimizer: torch.optim.Optimizer, steps: int, last_epoch: int = -1) -> None:
        check_integer("steps", steps, 1, None, "it is the number of steps of the phase")
        last = math.ceil(effective(steps))
        super().__init__(optimizer, lambda t: 0.5 ** (t // last), last_epoch)


@dataclass(frozen=True, eq=False)
class Transfer:
    """What the two phases end with."""

    pretrained: Any
    """Weights, shape (R, d), or a module."""
    tuned: Any
    """The same after the target's steps as well."""

    def risk(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Mean squared errors on inputs (n, d), answers (n,), before and after fine-tuning: (R,), or a number of a module."""
        return _squared_error(self.pretrained, x, y), _squared_error(self.tuned, x, y)


def pretrain_finetune(
    source: tuple[Any, Any] | Batches,
    target: tuple[Any, Any] | Batches,
    *,
    rates: tuple[Rate, Rate],
    start: Any = None,
    batch: int = 1,
    replicates: int = 1,
    seed: int = 0,
) -> Transfer:
    """Linear least squares: one pass over the source, then one over the target, R runs at once.

    `source` and `target` are each a pair (x, y) of arrays or tensors, (n, d) and (n,), float32 or float64, which every run
    reads in a random order of its own, `batch` rows a step; or a stream of batches, such as a DataLoader: pairs (b, d), (b,)
    for all runs or (R, b, d), (R, b) with rows of its own for each. `rates` are for each domain the first of `geometric`, or
    one for each step, (steps,), which also says how much of a stream is read; a stream without a length needs them so.
    `start` is (d,) or (R, d), 0 without it. Raises `InputError` for wrong shapes, ranges and nan in arrays, for streams that
    end early, and for `rates` that are not two.
    """
    check(isinstance(rates, tuple) and len(rates) == 2, "rates", rates, "two", "give the source's and the target's")
    check_integer("replicates", replicates, 1, None, "it is the number of runs")
    check_integer("batch", batch, 1, None, "1 is plain SGD")
    weights = [start]
    for number, (name, data, rate) in enumerate(zip(("source", "target"), (source, target), rates, strict=True)):
        if _is_pair(data):
            weights.append(_over_rows(name, data, rate, weights[-1], batch, replicates, 2 * seed + number))
        else:
            weights.append(_over_stream(name, data, rate, weights[-1], replicates))
    return Transfer(weights[1], weights[2])


def pretrain_finetune_module(
    module: nn.Module, source: Batches, target: Batches, *, rates: tuple[float, float]
) -> Transfer:
    """The same for any torch module with one output: SGD on half the squared error, a pass over each loader.

    `source` and `target` have a length and give batches (x, y), y of as many numbers as the module's output. `module` is left
    as it is; what comes back are copies on its device. Raises `InputError` for `rates` out of range, outputs that do not fit
    the answers, and losses that are not finite.
    """
    trained, ends = copy.deepcopy(module), []
    device = next(module.parameters()).device
    for name, loader, rate in zip(("source", "target"), (source, target), rates, strict=True):
        check_real("rates", rate, 0, np.inf, "the first rate of a phase; 0 leaves it out", closed="[)")
        optimizer = torch.optim.SGD([p for p in trained.parameters() if p.requires_grad], lr=rate)
        schedule = GeometricLR(optimizer, max(_length(name, loader), 1))
        for x, y in loader if rate else ():
            output = trained(x.to(device))
            answers, bound = y.to(output), f"answers like outputs {tuple(output.shape)}"
            check(output.numel() == answers.numel(), name, tuple(y.shape), bound, "give one number for each row")
            loss = (output.flatten() - answers.flatten()).square().mean() / 2
            check(bool(torch.isfinite(loss)), "rates", rate, "small enough to converge", "take a smaller rate")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        ends.append(copy.deepcopy(trained))
    return Transfer(*ends)


def _is_pair(data: Any) -> bool:
    return isinstance(data, tuple) and len(data) == 2 and all(hasattr(part, "ndim") for part in data)


def _over_rows(name: str, data: Any, rate: Rate, start: Any, batch: int, replicates: int, seed: int) -> Any:
    x, y = data
    n, remedy = len(x) if np.ndim(x) else 0, "streams give each run rows of its own"
    check(np.ndim(x) == 2 and n > 0, name, np.shape(x), "inputs of shape (n, d)", remedy)
    check(batch <= n, "batch", batch, f"at most {n}, the rows of `{name}`", "a batch holds no row twice")
    steps = -(-n // batch)
    options: Any = {"batch": batch, "order": "reshuffle", "start": start, "replicates": replicates, "seed": seed}
    return least_squares_sgd(x, y, learning_rate=scheduled("rates", rate, steps), steps=steps, **options)


def _over_stream(name: str, stream: Any, rate: Rate, start: Any, replicates: int) -> Any:
    """A loop over batches, all runs in one tensor, or in one array where the stream gives arrays."""
    rates = scheduled("rates", rate, _length(name, stream) if np.ndim(rate) == 0 else np.size(rate))
    batches: Iterator[tuple[Any, Any]] = iter(stream)
    w, arrays = None, False
    for step, γ in enumerate(rates.tolist()):
        try:
            x, y = next(batches)
        except StopIteration:
            raise InputError(f"`{name}` must have {len(rates)} batches, got {step}; give fewer rates") from None
        arrays = isinstance(x, np.ndarray)
        x, y = torch.as_tensor(x), torch.as_tensor(y)
        w = torch.from_numpy(first_weights(start, replicates, x.shape[-1])).to(x) if w is None else w
        fits = x.ndim in (2, 3) and x.shape[-1] == w.shape[-1] and y.shape == x.shape[:-1]
        fits = fits and x.shape[:-2] in ((), (len(w),))
        shapes = tuple(x.shape), tuple(y.shape)
        check(fits, name, shapes, "batches (b, d), (b,) or (R, b, d), (R, b)", "see the stream")
        push = (x * w[:, None]).sum(-1) - y
        w -= (γ / x.shape[-2]) * (push[..., None] * x).sum(1)
    if w is None:
        check(start is not None, name, 0, "one batch or more", "or give the weights to `start` with")
        return start
    return w.numpy(force=True) if arrays else w


def _length(name: str, stream: Any) -> int:
    check(isinstance(stream, Sized), name, type(stream).__name__, "with a length", "give a rate for each step")
    return len(stream)


def _squared_error(model: Any, x: Any, y: Any) -> Any:
    if isinstance(model, nn.Module):
        with torch.no_grad():
            return float((model(x).flatten() - y.flatten()).square().mean())
    left = x @ model.T - y[:, None]
    return (left**2).mean(0)

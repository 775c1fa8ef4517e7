"""Several processes that train one model, each on its share of every batch: `torchrun --nproc-per-node 8 train.py`.

    with together():                    joins the processes that torchrun has started; alone it does nothing
        trained = train(...)            the same in every process

The batch, the order of the stream and the code lengths are those of one process, up to the order of sums: process r of R takes
sentences floor(B r / R) .. floor(B (r+1) / R) - 1 of a batch of B, gradients are summed over processes before they are
clipped (data parallelism: every process holds the model and AdamW's moments), and each process knows the code lengths of all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, distributed

from twopart._checks import InputError

T = TypeVar("T")


@contextmanager
def together() -> Iterator[None]:
    """Join the processes that torchrun has started: NCCL where each has a GPU, which becomes its "cuda", else Gloo."""
    if "WORLD_SIZE" not in os.environ or distributed.is_initialized():
        yield
        return
    local, beside = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    on_gpus = torch.cuda.device_count() >= beside
    if on_gpus:
        torch.cuda.set_device(local)
    distributed.init_process_group("nccl" if on_gpus else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def count() -> int:
    """How many processes train together; 1 alone."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def number() -> int:
    """Which of them this is, from 0."""
    return distributed.get_rank() if count() > 1 else 0


def share(start: int, stop: int) -> slice:
    """The sentences of a batch that this process takes."""
    sentences = stop - start
    return slice(start + sentences * number() // count(), start + sentences * (number() + 1) // count())


def summed(value: Tensor) -> Tensor:
    """The sum of `value` over the processes, in its place."""
    if count() > 1:
        distributed.all_reduce(value)
    return value


def sum_gradients(weights: Iterable[Tensor]) -> None:
    """Sum the gradients of `weights` over the processes, in their place: in one message, as small ones cost as much."""
    if count() == 1:
        return
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    whole = summed(torch.cat([gradient.flatten() for gradient in gradients]))
    parts = torch.split(whole, [gradient.numel() for gradient in gradients])
    torch._foreach_copy_(gradients, [part.view_as(gradient) for part, gradient in zip(parts, gradients, strict=True)])


def from_first(make: Callable[[], T]) -> T:
    """What the first process makes, in all of them; if it raises an error that is the user's to mend, all do."""
    if count() == 1:
        return make()
    told: list[T | Exception | None] = [None]
    if number() == 0:
        try:
            told = [make()]
        except (InputError, OSError) as error:
            told = [error]
    distributed.broadcast_object_list(told)
    if isinstance(told[0], Exception):
        raise told[0]
    return told[0]  # type: ignore[return-value]  # the first process has put it there


def wait() -> None:
    """Until all processes are here."""
    if count() > 1:
        distributed.barrier()

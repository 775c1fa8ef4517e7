"""What a run will take, before it is started: arithmetic, memory, time."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch

from twopart import _random
from twopart._checks import check_integer, check_real
from twopart.learners._products import multiply
from twopart.learners._run import Run
from twopart.learners.settings import TrainingConfig, pick_device
from twopart.learners.streams import ArrayStream
from twopart.learners.transformer import TransformerConfig
from twopart.roles import Role

REHEARSED = 4
"""Updates that are made to see how long one takes; the first, which also allocates, does not count."""
MOST_FLOPS = 2e10
"""Of a rehearsed update, under a second of a core. A larger one is rehearsed on a part of its batch and scaled up."""
PROCESS = 400e6
"""Bytes that a process holds with PyTorch loaded."""
GPU_SHARE = 0.3
"""Part of the peak that training reaches on a GPU; assumed, not measured."""


@dataclass(frozen=True)
class Estimate:
    """The cost of one run."""

    flops: float
    """Floating-point operations of all updates."""
    memory: float
    """Peak memory in bytes: the process, weights, gradients, AdamW's moments, one batch's activations, the recorded lengths."""
    seconds: float
    """Time on one core, or on the GPU."""


def estimate(
    config: TrainingConfig, model_config: TransformerConfig, sentences: int, tokens_per_sentence: float
) -> Estimate:
    """The cost of `sentences` sentences of on average `tokens_per_sentence` tokens, BOS among them.

    The time comes from a rehearsal: a few updates of this shape on random tokens, made here and now on one core; on a GPU from
    its peak, measured for a moment.
    """
    check_integer("sentences", sentences, 1, None, "give the stream's length")
    check_real("tokens_per_sentence", tokens_per_sentence, 1, float("inf"), "count BOS too", closed="()")
    positions = tokens_per_sentence - 1
    flops = sentences * positions * model_config.flops_per_token
    C, H = model_config.width, model_config.inner
    activations = config.batch * positions * (model_config.layers * (8 * C + 5 * H) + 2 * model_config.vocabulary)
    memory = PROCESS + 4.0 * (4 * model_config.parameters + activations + 9 * sentences)
    return Estimate(flops, memory, _seconds(config, model_config, sentences, positions))


def _seconds(config: TrainingConfig, model: TransformerConfig, sentences: int, positions: float) -> float:
    if (device := pick_device(config.device).type) == "cuda":
        return sentences * positions * model.flops_per_token / peak_flops(device) / GPU_SHARE
    length = max(1, min(round(positions), model.context))
    most = max(1, int(MOST_FLOPS / (length * model.flops_per_token)))
    return sentences * positions / length * _rehearsal(replace(config, batch=min(config.batch, most)), model, length)


@cache
def _rehearsal(config: TrainingConfig, model: TransformerConfig, length: int) -> float:
    """Seconds on one core for each sentence of `length` tokens behind BOS: the best of a few updates."""
    sentences = REHEARSED * config.batch
    tokens = _random.generator(0, "rehearsal").integers(model.vocabulary, size=(sentences, length + 1))
    stream = ArrayStream(tokens, np.full(tokens.shape, Role.VALUE, np.uint8))
    run = Run(replace(config, compile="off"), model, sentences, 0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        moments = [time.perf_counter() for _ in run.updates(stream)]
    finally:
        torch.set_num_threads(threads)
    return float(np.diff(moments).min()) / config.batch


@cache
def peak_flops(device: str = "cpu") -> float:
    """Floating-point operations per second of a large matrix product as training does it, on the threads PyTorch may use."""
    size, dtype = (1024, torch.float32) if device == "cpu" else (8192, torch.bfloat16)
    x = torch.ones(size, size, device=device, dtype=dtype)
    times = []
    for _ in range(20):  # the best of them: others may be using the machine
        start = time.perf_counter()
        float(multiply(x, x)[0, 0])
        times.append(time.perf_counter() - start)
    return 2.0 * size**3 / min(times)

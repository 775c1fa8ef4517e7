"""What a run will take, before it is started: arithmetic, memory, time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache

import torch

from twopart._checks import check_integer, check_real
from twopart.learners._products import multiply
from twopart.learners.settings import TrainingConfig, pick_device
from twopart.learners.transformer import TransformerConfig

PER_WIDTH, PER_LOGIT, PER_UPDATE = 30e-9, 1e-9, 0.6e-3
"""Seconds beside the matrix products on one core: per position, layer and unit of width; per position and vocabulary entry; per
update. Fitted to the eight runs of `benchmarks/training.py` on an AMD EPYC (Zen 5), to 20 %."""
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

    The time comes from a matrix product measured here and now, for a fifth of a second.
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
    device = pick_device(config.device).type
    products = sentences * positions * model.flops_per_token / peak_flops(device)
    if device == "cuda":
        return products / GPU_SHARE
    others = PER_WIDTH * model.layers * model.width + PER_LOGIT * model.vocabulary
    return products + sentences * (positions * others + PER_UPDATE / config.batch)


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

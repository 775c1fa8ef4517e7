"""Training as prequential coding: one pass over a stream, and what each sentence costs just before it is learned from.

    for each batch of sentences, in order:
        bits by role of every sentence under the model as it is       -> the prequential code length (Dawid 1984; Rissanen 1984)
        one AdamW update on the same batch

    train(config, model_config, stream, seed=0)   -> Trained: the model, and those bits as CodeLengths
    evaluate(model, stream)                       -> CodeLengths of a stream under a model that learns nothing from it

Same seed, machine and versions: same bytes, whether the run was interrupted or not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from twopart._checks import check, check_choice, check_integer, check_real
from twopart.learners._memory import keep_freed_memory
from twopart.learners.losses import sentence_bits
from twopart.learners.schedules import Constant, Schedule
from twopart.learners.streams import Batch, TokenStream
from twopart.learners.transformer import Transformer, TransformerConfig
from twopart.roles import ROLES, CodeLengths


@dataclass(frozen=True)
class TrainingConfig:
    """How a model learns."""

    batch: int = 128
    """Sentences per update; >= 1."""
    learning_rate: float = 2e-3
    """AdamW's learning rate at the schedule's peak; > 0."""
    schedule: Schedule = field(default_factory=Constant)
    """Warm-up and fall of the learning rate."""
    weight_decay: float = 0.1
    """AdamW's decay of the matrices, per update and unit of learning rate; >= 0. The norms' gains are scales near 1,
    not maps: decaying them would only shrink what they scale, so they are left alone."""
    first_decay: float = 0.9
    """AdamW's memory of the gradient (beta 1); in [0, 1)."""
    second_decay: float = 0.95
    """AdamW's memory of its square (beta 2); in [0, 1)."""
    clip: float = 1.0
    """Longest gradient in Euclidean norm; longer ones are scaled down to it; > 0."""
    device: str = "auto"
    """"cpu", "cuda", or "auto": cuda where there is one."""
    compile: str = "auto"
    """"on", "off", or "auto": compile the step where that pays back within the run."""
    checkpoint_every: int = 0
    """Sentences between checkpoints, when a folder is given; 0 writes one at the end only."""

    def __post_init__(self) -> None:
        check_integer("batch", self.batch, 1, None, "128 is a good start")
        check_real("learning_rate", self.learning_rate, 0, np.inf, "1e-3 to 3e-3 suits small models", closed="()")
        check_real("weight_decay", self.weight_decay, 0, np.inf, "0 turns it off", closed="[)")
        check_real("first_decay", self.first_decay, 0, 1, "0.9 is usual", closed="[)")
        check_real("second_decay", self.second_decay, 0, 1, "0.95 to 0.999 is usual", closed="[)")
        check_real("clip", self.clip, 0, np.inf, "1.0 is usual, inf turns it off", closed="(]")
        check_choice("device", self.device, ("auto", "cpu", "cuda"))
        check_choice("compile", self.compile, ("auto", "on", "off"))
        check_integer("checkpoint_every", self.checkpoint_every, 0, None, "0 writes one at the end only")


@dataclass(frozen=True)
class Progress:
    """How far a run has come."""

    done: int
    """Sentences learned."""
    total: int
    """Sentences in the stream."""
    bits: dict[str, float]
    """Mean bits per sentence by role, and in all, of the sentences since the last report."""


@dataclass(frozen=True, eq=False)
class Trained:
    """What a run ends with."""

    model: Transformer
    lengths: CodeLengths
    """Bits of each sentence before it was learned from: the prequential code length."""


def train(
    config: TrainingConfig,
    model_config: TransformerConfig,
    stream: TokenStream,
    *,
    seed: int = 0,
    folder: str | Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Trained:
    """Learn `stream` in one pass, in order."""
    keep_freed_memory()
    device = pick_device(config.device)
    model = Transformer(model_config, seed).to(device)
    optimiser = _optimiser(model, config)
    total = len(stream)
    lengths = torch.empty(total, len(ROLES), device=device)
    steps = -(-total // config.batch)
    reported, last = 0, time.monotonic()
    for step in range(steps):
        start, stop = step * config.batch, min(total, (step + 1) * config.batch)
        tokens, roles = _tensors(stream.batch(start, stop), model_config, device)
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * config.schedule.factor(step, steps)
        objective, bits = sentence_bits(model, tokens, roles)
        lengths[start:stop] = bits
        torch.autograd.backward(objective)
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip, foreach=True)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        if on_progress is not None and (stop == total or time.monotonic() - last > 0.5):
            on_progress(Progress(stop, total, _lengths(lengths[reported:stop]).mean()))
            reported, last = stop, time.monotonic()
    return Trained(model, _lengths(lengths))


@torch.no_grad()
def evaluate(model: Transformer, stream: TokenStream, batch: int = 256) -> CodeLengths:
    """Bits by role of each sentence under `model`, which stays as it is."""
    device = model.embedding.device
    parts = []
    for start in range(0, len(stream), batch):
        tokens, roles = _tensors(stream.batch(start, min(len(stream), start + batch)), model.config, device)
        parts.append(sentence_bits(model, tokens, roles)[1])
    return _lengths(torch.cat(parts))


def pick_device(name: str) -> torch.device:
    available = torch.cuda.is_available()
    check(
        available or name != "cuda",
        "device",
        name,
        "a device of this machine",
        'PyTorch sees no GPU: take "cpu" or "auto"',
    )
    return torch.device("cuda" if name != "cpu" and available else "cpu")


def _optimiser(model: Transformer, config: TrainingConfig) -> torch.optim.AdamW:
    matrices = [weight for weight in model.parameters() if weight.ndim == 2]
    gains = [weight for weight in model.parameters() if weight.ndim == 1]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": gains, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, betas=(config.first_decay, config.second_decay), fused=True)


def _tensors(batch: Batch, config: TransformerConfig, device: torch.device) -> tuple[Tensor, Tensor]:
    longest = batch.tokens.shape[1] - 1
    check(longest <= config.context, "context", config.context, f">= {longest}", "the stream has a longer sentence")
    inside = int(batch.tokens.min()) >= 0 and int(batch.tokens.max()) < config.vocabulary
    check(inside, "vocabulary", config.vocabulary, f"> {int(batch.tokens.max())}", "the stream has ids outside it")
    return torch.from_numpy(batch.tokens).to(device), torch.from_numpy(batch.roles).to(device)


def _lengths(bits: Tensor) -> CodeLengths:
    return CodeLengths(*bits.double().T.contiguous().cpu().numpy())

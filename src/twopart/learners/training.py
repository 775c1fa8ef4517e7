"""Training as prequential coding: one pass over a stream, and what each sentence costs just before it is learned from.

    for each batch of sentences, in order:
        bits by role of every sentence under the model as it is       -> the prequential code length (Dawid 1984; Rissanen 1984)
        one AdamW update on the same batch

    train(config, model_config, stream, seed=0)   -> Trained: the model, and those bits as CodeLengths
    evaluate(model, stream)                       -> CodeLengths of a stream under a model that learns nothing from it

Same seed, machine, threads and versions: same bytes, whether the run was interrupted or not.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from twopart._checks import InputError, check, check_choice, check_integer, check_real
from twopart.learners._memory import keep_freed_memory
from twopart.learners.checkpoints import START_OVER, Checkpoint, read_checkpoint, write_checkpoint
from twopart.learners.losses import sentence_bits
from twopart.learners.schedules import Constant, Schedule
from twopart.learners.streams import Batch, TokenStream, padded
from twopart.learners.transformer import Transformer, TransformerConfig
from twopart.roles import ROLES, CodeLengths, Role

REPORT_SECONDS = 0.5
"""Time between two reports of progress."""


@dataclass(frozen=True)
class TrainingConfig:
    """How a model learns."""

    batch: int = 128
    """Sentences per update; >= 1."""
    learning_rate: float = 2e-3
    """AdamW's learning rate at the schedule's peak; > 0."""
    schedule: Schedule = field(default_factory=Constant)
    """Warm-up and fall of the learning rate."""
    weight_decay: float = 0.0
    """AdamW's decay of the matrices, per update and unit of learning rate; >= 0. In a single pass nothing is overfitted and
    decay is forgetting. Gains of norms are scales near 1, not maps, and are never decayed."""
    first_decay: float = 0.9
    """AdamW's memory of the gradient (beta 1); in [0, 1)."""
    second_decay: float = 0.99
    """AdamW's memory of its square (beta 2); in [0, 1). Batches of short sentences are small: 0.99 left 5 % fewer bits
    unlearned than the 0.95 of large language models."""
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
    """Learn `stream` in one pass, in order.

    With a `folder`, the run goes on from the checkpoint there, if there is one, and leaves one when it ends.
    """
    total = len(stream)
    check_integer("len(stream)", total, 1, None, "give it sentences")
    keep_freed_memory()
    run = _Run(config, model_config, total, seed)
    identity = _identity(config, model_config, stream, seed)
    found = read_checkpoint(Path(folder), identity) if folder is not None else None
    if found is not None:
        run.restore(found)
    report = _Reporter(on_progress, run.done, total)
    for done in run.updates(stream):
        report(done, run.lengths)
        if folder is not None and _crosses(config.checkpoint_every, done, config.batch, total):
            write_checkpoint(Path(folder), identity, run.checkpoint())
    run.check_finite()
    return Trained(run.model, _code_lengths(run.lengths))


@torch.no_grad()
def evaluate(model: Transformer, stream: TokenStream, batch: int = 256) -> CodeLengths:
    """Bits by role of each sentence under `model`, which stays as it is."""
    check_integer("batch", batch, 1, None, "256 is a good start")
    check_integer("len(stream)", len(stream), 1, None, "give it sentences")
    keep_freed_memory()
    parts = []
    for start in range(0, len(stream), batch):
        sentences = stream.batch(start, min(len(stream), start + batch))
        parts.append(sentence_bits(model, *_tensors(sentences, model))[1])
    return _code_lengths(torch.cat(parts))


def pick_device(name: str) -> torch.device:
    """The device that `TrainingConfig.device` means on this machine."""
    available = torch.cuda.is_available()
    check(
        available or name != "cuda",
        "device",
        name,
        "a device of this machine",
        'PyTorch sees no GPU: take "cpu" or "auto"',
    )
    return torch.device("cuda" if name != "cpu" and available else "cpu")


class _Run:
    """A model on its way through a stream: weights, AdamW's moments, and the code lengths so far."""

    def __init__(self, config: TrainingConfig, model_config: TransformerConfig, total: int, seed: int) -> None:
        self.config = config
        self.total = total
        self.done = 0
        device = pick_device(config.device)
        self.model = Transformer(model_config, seed).to(device)
        self.lengths = torch.zeros(total, len(ROLES), device=device)
        self._optimiser = _adamw(self.model, config)
        self._compiled = (
            torch.compile(sentence_bits, dynamic=False, fullgraph=True)
            if _compiles(config, device, _updates(total, config.batch))
            else None
        )

    def updates(self, stream: TokenStream) -> Iterator[int]:
        """Learn batch after batch; yields the sentences learned after each update."""
        steps = _updates(self.total, self.config.batch)
        while self.done < self.total:
            stop = min(self.total, self.done + self.config.batch)
            self._rate(self.config.schedule.factor(_updates(self.done, self.config.batch), steps))
            objective, bits = self._measure(stream.batch(self.done, stop))
            self.lengths[self.done : stop] = bits
            torch.autograd.backward(objective)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip, foreach=True)
            self._optimiser.step()
            self._optimiser.zero_grad(set_to_none=True)
            self.done = stop
            yield stop

    def _measure(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """A compiled step has one shape: sentences are padded to the context, and a smaller last batch runs uncompiled."""
        if self._compiled is None or len(batch) < self.config.batch:
            return sentence_bits(self.model, *_tensors(batch, self.model))
        return self._compiled(self.model, *_tensors(padded(batch, self.model.config.context + 1), self.model))

    def check_finite(self) -> None:
        """A diverged run is nobody's result."""
        lost = (~torch.isfinite(self.lengths[: self.done])).any(1)
        if bool(lost.any()):
            first = int(lost.nonzero()[0])
            remedy = "take a lower one, a longer warm-up or a smaller `clip`"
            raise InputError(
                f"`learning_rate` {self.config.learning_rate:g} made training diverge at sentence {first}; {remedy}"
            )

    def checkpoint(self) -> Checkpoint:
        self.check_finite()
        return Checkpoint(self.done, {**self._moving(), "lengths": self.lengths[: self.done]})

    def restore(self, checkpoint: Checkpoint) -> None:
        """Stand where the run stood that wrote `checkpoint`."""
        tensors = dict(checkpoint.tensors)
        lengths = tensors.pop("lengths")
        for weight in self.model.parameters():
            step = torch.tensor(float(_updates(checkpoint.done, self.config.batch)), device=weight.device)
            moments = {name: torch.zeros_like(weight) for name in ("exp_avg", "exp_avg_sq")}
            self._optimiser.state[weight] = {"step": step, **moments}
        mine = self._moving()
        if {name: tensor.shape for name, tensor in mine.items()} != {name: t.shape for name, t in tensors.items()}:
            raise InputError(f"the checkpoint does not hold this model's tensors; {START_OVER}")
        with torch.no_grad():
            for name, tensor in mine.items():
                tensor.copy_(tensors[name])
            self.lengths[: checkpoint.done] = lengths.to(self.lengths.device)
        self.done = checkpoint.done

    def _moving(self) -> dict[str, Tensor]:
        """The weights and AdamW's moments, by name."""
        weights = dict(self.model.named_parameters())
        moments = {
            f"{moment}.{name}": self._optimiser.state[weight][moment]
            for name, weight in weights.items()
            for moment in ("exp_avg", "exp_avg_sq")
        }
        return {**{f"weight.{name}": weight for name, weight in weights.items()}, **moments}

    def _rate(self, factor: float) -> None:
        for group in self._optimiser.param_groups:
            group["lr"] = self.config.learning_rate * factor


class _Reporter:
    """Tells `on_progress` every `REPORT_SECONDS`, and at the end."""

    def __init__(self, on_progress: Callable[[Progress], None] | None, done: int, total: int) -> None:
        self._tell, self._total = on_progress, total
        self._since, self._time = done, time.monotonic()

    def __call__(self, done: int, lengths: Tensor) -> None:
        if self._tell is None or (done < self._total and time.monotonic() - self._time < REPORT_SECONDS):
            return
        self._tell(Progress(done, self._total, _code_lengths(lengths[self._since : done]).mean()))
        self._since, self._time = done, time.monotonic()


def _adamw(model: Transformer, config: TrainingConfig) -> torch.optim.AdamW:
    matrices = [weight for weight in model.parameters() if weight.ndim == 2]
    gains = [weight for weight in model.parameters() if weight.ndim == 1]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": gains, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, betas=(config.first_decay, config.second_decay), fused=True)


def _compiles(config: TrainingConfig, device: torch.device, updates: int) -> bool:
    """Whether to compile the step with Inductor; a rule of the config alone, so that a resumed run decides alike.

    On a CPU it never pays: measured at 0.2 M and 0.8 M parameters, Inductor's step takes 1.7 times as long as the loops of
    `_kernels.py` with oneDNN's products, and is ready after 5 to 20 s. On a GPU it saves perhaps 5 ms of launching
    kernels per update and is ready within a minute or two (assumed, not measured: there was no GPU at hand).
    """
    if config.compile == "on":
        compiler = os.environ.get("CXX", "g++")
        remedy = f'there is no {compiler} on the path: install it, or take "auto" or "off"'
        check(shutil.which(compiler) is not None, "compile", "on", "off without a C++ compiler", remedy)
    return config.compile == "on" or (config.compile == "auto" and device.type == "cuda" and updates > 20_000)


def _identity(config: TrainingConfig, model: TransformerConfig, stream: TokenStream, seed: int) -> dict[str, str]:
    """What makes this run another than that one; where checkpoints fall does not. The stream is known by its first batch."""
    first = stream.batch(0, min(len(stream), config.batch))
    digest = hashlib.blake2b(first.tokens.tobytes() + first.roles.tobytes(), digest_size=8).hexdigest()
    settings = {f.name: repr(getattr(config, f.name)) for f in fields(config) if f.name != "checkpoint_every"}
    shape = {f.name: repr(getattr(model, f.name)) for f in fields(model)}
    return {"seed": str(seed), "sentences": str(len(stream)), "first batch": digest, **settings, **shape}


def _crosses(every: int, done: int, batch: int, total: int) -> bool:
    """Whether a checkpoint is due: at the end, and when the last update crossed a multiple of `every`."""
    return done == total or (every > 0 and done // every > (done - batch) // every)


def _updates(sentences: int, batch: int) -> int:
    return -(-sentences // batch)


def _tensors(batch: Batch, model: Transformer) -> tuple[Tensor, Tensor]:
    """The batch on the model's device; sentences that the model cannot read are refused."""
    config, device = model.config, model.embedding.device
    longest, last = batch.tokens.shape[1] - 1, int(batch.tokens.max())
    check(longest <= config.context, "context", config.context, f">= {longest}", "the stream's sentences are longer")
    inside = int(batch.tokens.min()) >= 0 and last < config.vocabulary
    check(inside, "vocabulary", config.vocabulary, f"> {last}", "the stream has token ids outside it")
    scored = int(batch.roles[:, 1:].min()) < Role.PADDING and int(batch.roles.max()) <= Role.PADDING
    check(
        scored, "roles", np.unique(batch.roles).tolist(), "roles of `Role`, not all PADDING", "give each token a role"
    )
    return torch.from_numpy(batch.tokens).to(device), torch.from_numpy(batch.roles).to(device)


def _code_lengths(bits: Tensor) -> CodeLengths:
    return CodeLengths(*bits.double().T.contiguous().cpu().numpy())

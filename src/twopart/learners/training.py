"""Training as prequential coding: one pass over a stream, and what each sentence costs just before it is learned from.

    for each batch of sentences, in order:
        bits by role of every sentence under the model as it is       -> the prequential code length (Dawid 1984; Rissanen 1984)
        one AdamW update on the same batch

    train(config, model_config, stream, seed=0)   -> Trained: the model, those bits as CodeLengths, models from on the way
    train(..., start=model, adapters=LoRA())      fine-tuning: from a model's weights on, all of them or low-rank changes
    evaluate(model, stream)                       -> CodeLengths of a stream under a model that learns nothing from it

Same seed, machine, threads, processes and versions: same bytes on a CPU, whether the run was interrupted or not. On a GPU
PyTorch's attention may add its gradients in another order each time.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from torch import Tensor

from twopart._checks import InputError, check, check_integer
from twopart.learners import devices
from twopart.learners._memory import keep_freed_memory
from twopart.learners._run import Run
from twopart.learners.checkpoints import read_checkpoint, write_checkpoint
from twopart.learners.huggingface import load_model, save_model
from twopart.learners.lora import LoRA
from twopart.learners.losses import code_lengths, sentence_bits, to_tensors
from twopart.learners.settings import TrainingConfig
from twopart.learners.streams import TokenStream
from twopart.learners.transformer import Transformer, TransformerConfig
from twopart.roles import CodeLengths

REPORT_SECONDS = 0.5
"""Time between two reports of progress."""


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
    snapshots: dict[int, Transformer]
    """The model as it stood after so many sentences, rounded up to a whole update."""


def train(
    config: TrainingConfig,
    model_config: TransformerConfig,
    stream: TokenStream,
    *,
    seed: int = 0,
    folder: str | Path | None = None,
    snapshots: Sequence[int] = (),
    start: Transformer | None = None,
    adapters: LoRA | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Trained:
    """Learn `stream` in one pass, in order.

    The weights start at random, or as those of `start`, a model of that shape, which stays as it is; AdamW starts without a
    memory either way. With `adapters` only they are learned, and are part of the weights of every model that comes back.
    With a `folder`, the run goes on from the checkpoint there, if there is one, and leaves one when it ends. `snapshots` are
    numbers of sentences after which the model is kept, in the folder as `snapshot-<sentences>`, which `load_model` reads.

    Processes that torchrun has started (`together`) share each batch, and all get the same back. The first of them writes the
    folder, whose checkpoints any number of processes may go on from; for snapshots all must see it. `on_progress` is told.
    """
    total = len(stream)
    check_integer("len(stream)", total, 1, None, "give it sentences")
    keep_freed_memory()
    if start is not None:
        check(
            start.config == model_config,
            "start",
            start.config,
            f"of shape {model_config}",
            "give a model of that shape",
        )
    run = Run(config, model_config, total, seed, start, adapters)
    identity = _identity(config, model_config, stream, seed) | _origin(start, adapters)
    found = devices.from_first(lambda: read_checkpoint(Path(folder), identity)) if folder is not None else None
    if found is not None:
        run.restore(found)
    report = _Reporter(on_progress if devices.number() == 0 else None, run.done, total)
    album = _Album(None if folder is None else Path(folder), snapshots, run.done, total)
    for done in run.updates(stream):
        report(done, run.lengths)
        album.keep(run.model, done)
        if folder is not None and _due(config.checkpoint_every, done, config.batch, total):
            checkpoint = run.checkpoint()
            if devices.number() == 0:
                write_checkpoint(Path(folder), identity, checkpoint)
    devices.wait()  # until what the first process writes is there
    return Trained(run.finished(), code_lengths(run.lengths), album.models())


@torch.no_grad()
def evaluate(model: Transformer, stream: TokenStream, batch: int = 256) -> CodeLengths:
    """Bits by role of each sentence under `model`, which stays as it is."""
    check_integer("batch", batch, 1, None, "256 is a good start")
    check_integer("len(stream)", len(stream), 1, None, "give it sentences")
    keep_freed_memory()
    parts = []
    for start in range(0, len(stream), batch):
        sentences = stream.batch(start, min(len(stream), start + batch))
        parts.append(sentence_bits(model, *to_tensors(sentences, model))[1])
    return code_lengths(torch.cat(parts))


class _Album:
    """Keeps the model at the wanted moments of a run. What was kept before the run's checkpoint is there already."""

    def __init__(self, folder: Path | None, wanted: Sequence[int], done: int, total: int) -> None:
        for sentences in wanted:
            check_integer("snapshots", sentences, 1, total, "the stream ends there")
        if folder is None and wanted:
            raise InputError("`snapshots` are kept on disk; give a `folder`")
        self._paths = {int(n): Path(folder or "") / f"snapshot-{n}" for n in sorted(wanted)}
        self._left = [n for n in self._paths if n > done]
        missing = [n for n in self._paths if n <= done and not (self._paths[n] / "config.json").exists()]
        if missing:
            raise InputError(
                f"{folder} has a checkpoint at {done} sentences but no snapshot at {missing[0]}; start over"
            )

    def keep(self, model: Transformer, done: int) -> None:
        while self._left and self._left[0] <= done:
            path = self._paths[self._left.pop(0)]
            if devices.number() == 0:
                save_model(model, path)

    def models(self) -> dict[int, Transformer]:
        return {n: load_model(path) for n, path in self._paths.items()}


class _Reporter:
    """Tells `on_progress` every `REPORT_SECONDS`, and at the end."""

    def __init__(self, on_progress: Callable[[Progress], None] | None, done: int, total: int) -> None:
        self._tell, self._total = on_progress, total
        self._since, self._time = done, time.monotonic()

    def __call__(self, done: int, lengths: Tensor) -> None:
        if self._tell is None or (done < self._total and time.monotonic() - self._time < REPORT_SECONDS):
            return
        self._tell(Progress(done, self._total, code_lengths(lengths[self._since : done]).mean()))
        self._since, self._time = done, time.monotonic()


def _identity(config: TrainingConfig, model: TransformerConfig, stream: TokenStream, seed: int) -> dict[str, str]:
    """What makes this run another than that one; where checkpoints fall does not. The stream is known by its first batch."""
    first = stream.batch(0, min(len(stream), config.batch))
    weights = b"" if first.weights is None else first.weights.tobytes()
    digest = hashlib.blake2b(first.tokens.tobytes() + first.roles.tobytes() + weights, digest_size=8).hexdigest()
    settings = {f.name: repr(getattr(config, f.name)) for f in fields(config) if f.name != "checkpoint_every"}
    shape = {f.name: repr(getattr(model, f.name)) for f in fields(model)}
    return {"seed": str(seed), "sentences": str(len(stream)), "first batch": digest, **settings, **shape}


def _origin(start: Transformer | None, adapters: LoRA | None) -> dict[str, str]:
    """What fine-tuning adds to the identity of a run."""
    found = {} if adapters is None else {"adapters": repr(adapters)}
    if start is not None:
        digest = hashlib.blake2b(digest_size=8)
        for weight in start.parameters():
            digest.update(weight.detach().cpu().numpy().tobytes())
        found["start"] = digest.hexdigest()
    return found


def _due(every: int, done: int, batch: int, total: int) -> bool:
    """Whether a checkpoint is due: at the end, and when the last update crossed a multiple of `every`."""
    return done == total or (every > 0 and done // every > (done - batch) // every)

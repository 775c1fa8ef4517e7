"""A run between its first update and its last: what moves, how it moves, and how it is put down and taken up again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from twopart._checks import InputError
from twopart.learners import devices
from twopart.learners.checkpoints import Checkpoint
from twopart.learners.lora import LoRA, merged
from twopart.learners.losses import sentence_bits, to_tensors
from twopart.learners.settings import TrainingConfig, compiles, pick_device
from twopart.learners.streams import TokenStream, padded
from twopart.learners.transformer import Transformer, TransformerConfig
from twopart.roles import ROLES, Role


class Run:
    """A model on its way through a stream: weights, AdamW's moments, and the code lengths so far."""

    def __init__(
        self,
        config: TrainingConfig,
        model_config: TransformerConfig,
        total: int,
        seed: int,
        start: Transformer | None = None,
        adapters: LoRA | None = None,
    ) -> None:
        self.config = config
        self.total = total
        self.done = 0
        device = pick_device(config.device)
        self.model = Transformer(model_config, seed)
        if start is not None:
            self.model.load_state_dict(start.state_dict())
        self.model.to(device)
        if adapters is not None:
            adapters.attach(self.model, seed)
        self._learned = {name: weight for name, weight in self.model.named_parameters() if weight.requires_grad}
        self.lengths = torch.zeros(total, len(ROLES), device=device)
        self._optimiser = _adamw(list(self._learned.values()), config)
        self._compiles = compiles(config, device, updates_in(total, config.batch))
        self._compiled = (
            torch.compile(sentence_bits, dynamic=False, fullgraph=True) if self._compiles else sentence_bits
        )

    def updates(self, stream: TokenStream) -> Iterator[int]:
        """Learn batch after batch; yields the sentences learned after each update."""
        steps = updates_in(self.total, self.config.batch)
        while self.done < self.total:
            stop = min(self.total, self.done + self.config.batch)
            self._rate(self.config.schedule.factor(updates_in(self.done, self.config.batch), steps))
            objective = self._measure(stream, stop)
            torch.autograd.backward(objective)
            devices.sum_gradients(self._learned.values())
            _clip(self._learned.values(), self.config.clip)
            self._optimiser.step()
            self._optimiser.zero_grad(set_to_none=True)
            self.done = stop
            yield stop

    def _measure(self, stream: TokenStream, stop: int) -> Tensor:
        """The objective of the batch up to `stop`, whose code lengths are noted; of this process's share, if there are several.

        A compiled step has one shape: sentences are padded to the context, and a smaller last batch runs uncompiled.
        """
        whole = self._compiles and stop - self.done == self.config.batch
        share = devices.share(self.done, stop)
        idle = share.start == share.stop  # fewer sentences than processes: take part with one that does not count
        batch = stream.batch(self.done, self.done + 1) if idle else stream.batch(share.start, share.stop)
        if whole:
            batch = padded(batch, self.model.config.context + 1)
        tokens, roles, importance = to_tensors(batch, self.model, part=devices.count() > 1)
        positions = None
        if devices.count() > 1:
            scored = (roles[:, 1:] != Role.PADDING).sum() * (not idle)
            positions = devices.summed(scored)
            importance = torch.zeros(1, device=roles.device) if idle else importance
        measure = self._compiled if whole else sentence_bits
        objective, bits = measure(self.model, tokens, roles, importance, positions)
        if not idle:
            self.lengths[share] = bits
        devices.summed(self.lengths[self.done : stop])  # others' rows are nought until they come
        return objective

    def check_finite(self) -> None:
        """A diverged run is nobody's result."""
        lost = (~torch.isfinite(self.lengths[: self.done])).any(1)
        if bool(lost.any()):
            first = int(lost.nonzero()[0])
            remedy = "take a lower one, a longer warm-up or a smaller `clip`"
            raise InputError(
                f"`learning_rate` {self.config.learning_rate:g} made training diverge at sentence {first}; {remedy}"
            )

    def finished(self) -> Transformer:
        """The model, adapters made part of its weights."""
        self.check_finite()
        return merged(self.model)

    def checkpoint(self) -> Checkpoint:
        self.check_finite()
        return Checkpoint(self.done, {**self._moving(), "lengths": self.lengths[: self.done]})

    def restore(self, checkpoint: Checkpoint) -> None:
        """Stand where the run stood that wrote `checkpoint`."""
        tensors = dict(checkpoint.tensors)
        lengths = tensors.pop("lengths")
        for weight in self._learned.values():
            step = torch.tensor(float(updates_in(checkpoint.done, self.config.batch)), device=weight.device)
            moments = {name: torch.zeros_like(weight) for name in ("exp_avg", "exp_avg_sq")}
            self._optimiser.state[weight] = {"step": step, **moments}
        with torch.no_grad():
            for name, tensor in self._moving().items():
                tensor.copy_(tensors[name])
            self.lengths[: checkpoint.done] = lengths.to(self.lengths.device)
        self.done = checkpoint.done

    def _moving(self) -> dict[str, Tensor]:
        """The weights that are learned and AdamW's moments, by name."""
        weights = self._learned
        moments = {
            f"{moment}.{name}": self._optimiser.state[weight][moment]
            for name, weight in weights.items()
            for moment in ("exp_avg", "exp_avg_sq")
        }
        return {**{f"weight.{name}": weight for name, weight in weights.items()}, **moments}

    def _rate(self, factor: float) -> None:
        for group in self._optimiser.param_groups:
            group["lr"] = self.config.learning_rate * factor


@torch.no_grad()
def _clip(learned: Iterable[Tensor], most: float) -> None:
    """As PyTorch's `clip_grad_norm_`, without its sorting by device and precision: 0.12 ms of a small step, not 0.27."""
    gradients = [weight.grad for weight in learned if weight.grad is not None]
    norm = torch.stack(torch._foreach_norm(gradients)).norm()
    torch._foreach_mul_(gradients, (most / (norm + 1e-6)).clamp_(max=1.0))


def _adamw(learned: list[Tensor], config: TrainingConfig) -> torch.optim.AdamW:
    matrices = [weight for weight in learned if weight.ndim == 2]
    gains = [weight for weight in learned if weight.ndim == 1]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": gains, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, betas=(config.first_decay, config.second_decay), fused=True)


def updates_in(sentences: int, batch: int) -> int:
    return -(-sentences // batch)

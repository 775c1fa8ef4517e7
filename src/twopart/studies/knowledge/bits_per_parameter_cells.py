"""The learners of the bits-per-parameter study: each is taught a random table of facts and then asked for all of them.

A row for each learner:
    parameters    trained numbers; `table` of them are the rows of its symbols
    people, told  those of its table of facts, and the bits of their values
    held          bits that it holds, `bit_complexity` of what it pays, names too where they are learned; `names`, these alone
    known         the same counted as in the study of the capacity law: fact by fact, at least 0, less what luck would give
    right         share of values that are its best guess
    sentences, updates
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from twopart import _random
from twopart.lab import Cell
from twopart.laws.knowledge import bit_complexity
from twopart.learners import Cosine, Transformer, TransformerConfig, WarmupStableDecay
from twopart.learners.knowledge import AssociativeMemory, MemoryConfig, teach
from twopart.learners.losses import sentence_bits
from twopart.roles import Role
from twopart.studies import world_seed
from twopart.studies._transformers import Shape
from twopart.studies.knowledge.bits_per_parameter import STUDY, Model

NAMES = 2**18
WARMUP = 100  # updates, and no more than a tenth of them
BLOCK = 4096  # sentences examined together


@dataclass(frozen=True, eq=False)
class Facts:
    """A random table of facts, and its sentences: BOS, the name's digits, its values; or one value after what is asked."""

    case: Model
    values: NDArray[np.int64]
    """(people, length)."""
    tokens: NDArray[np.int64]
    """(sentences, positions)."""
    digits: int

    @classmethod
    def of(cls, case: Model, people: int, replicate: int) -> Facts:
        random = _random.generator(world_seed(case.seed, STUDY, replicate), "facts")
        digits = int(np.ceil(np.log(NAMES) / np.log(case.symbols) - 1e-9))
        name = random.choice(NAMES, people, replace=False)[:, None] // case.symbols ** np.arange(digits) % case.symbols
        values = random.integers(case.symbols, size=(people, case.length))
        bos = np.full((people, 1), case.symbols)
        if not case.alone:
            return cls(case, values, np.hstack([bos, name, values]), digits)
        asked = case.symbols + 1 + np.tile(np.arange(case.length), people)
        told = np.hstack([np.repeat(np.hstack([bos, name]), case.length, 0), asked[:, None], values.reshape(-1, 1)])
        return cls(case, values, told, digits)

    @property
    def roles(self) -> NDArray[np.uint8]:
        """Of each position (positions,); what is read and not learned is padding."""
        roles = np.full(self.tokens.shape[1], Role.PADDING, np.uint8)
        roles[1 : 1 + self.digits] = Role.NAME if self.case.names else Role.PADDING
        roles[-1 if self.case.alone else -self.case.length :] = Role.VALUE
        return roles

    def frequencies(self) -> NDArray[np.float64] | None:
        """With which probability sentences are drawn (sentences,), which is also in proportion to what they count then.

        Of people of frequency p = rank^(-1/d) the square root of p; None where all are alike.
        """
        if not self.case.discount:
            return None
        rank = 1 + np.arange(len(self.tokens)) // (self.case.length if self.case.alone else 1)
        tempered = rank ** (-0.5 / self.case.discount)
        return np.asarray(tempered / tempered.sum())

    def batches(self, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """Which sentences each update reads: all in a new order again and again, or drawn."""
        left, rows, share = np.empty(0, np.int64), len(self.tokens), self.frequencies()
        for _ in range(self.updates):
            while len(left) < self.case.batch:
                more = random.permutation(rows) if share is None else random.choice(rows, rows, p=share)
                left = np.concatenate([left, more])
            yield left[: self.case.batch]
            left = left[self.case.batch :]

    @property
    def updates(self) -> int:
        return -(-len(self.tokens) * self.case.exposures // self.case.batch)


def train_model(case: Model, cell: Cell) -> pl.DataFrame:
    """Teach, then ask for everything."""
    found = _memory(case, cell) if case.learner == "memory" else _transformer(case, cell)
    cell.progress(1, 1)
    return pl.DataFrame([found])


def _transformer(case: Model, cell: Cell) -> dict[str, float]:
    shape = shape_of(case)
    people = people_of(case, shape.parameters)
    facts = Facts.of(case, people, cell.replicate)
    model = taught(shape, facts, cell)
    found = examine(*answers(model, facts), case, people)
    table = case.width * shape.vocabulary
    return _sizes(facts, shape.parameters, table) | found


def shape_of(case: Model) -> TransformerConfig:
    """The model that reads such sentences."""
    digits = int(np.ceil(np.log(NAMES) / np.log(case.symbols) - 1e-9))
    vocabulary = case.symbols + 1 + case.alone * case.length
    return Shape(case.layers, case.width).of(vocabulary, digits + 1 + (1 if case.alone else case.length - 1))


def people_of(case: Model, parameters: int) -> int:
    """So many that they have `load` bits for each parameter."""
    return max(2, round(case.load * parameters / case.bits))


def taught(shape: TransformerConfig, facts: Facts, cell: Cell) -> Transformer:
    """A model after all updates."""
    case, updates = facts.case, facts.updates
    model, random = Transformer(shape, cell.seed).to(cell.device), _random.generator(cell.seed, "order")
    tokens, share = torch.from_numpy(facts.tokens).to(cell.device), facts.frequencies()
    roles = torch.from_numpy(facts.roles).to(cell.device).expand(case.batch, -1)
    counted = None if share is None else torch.from_numpy((share / (share**2).sum()).astype(np.float32)).to(cell.device)
    optimisers = optimisers_of(case, model)
    warmup = min(WARMUP, updates // 10)
    schedule = (
        Cosine(warmup, final=0.1) if case.schedule == "cosine" else WarmupStableDecay(warmup, decay=0.5, final=0.05)
    )
    for u, rows in enumerate(facts.batches(random)):
        at = torch.from_numpy(rows).to(cell.device)
        objective, _ = sentence_bits(model, tokens[at], roles, None if counted is None else counted[at])
        torch.autograd.backward(objective)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        for optimiser in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = case.rate * schedule.factor(u, updates)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        if u % 200 == 0:
            cell.progress(u, updates * 1.01)
    return model


def optimisers_of(case: Model, model: Transformer) -> list[torch.optim.Optimizer]:
    """Without decay, which would be forgetting. Muon moves the blocks' matrices, with steps of AdamW's size."""
    weights = list(model.parameters())
    if case.optimiser == "SGD":
        return [torch.optim.SGD(weights, case.rate, momentum=0.9)]
    inside = [w for w in model.blocks.parameters() if w.ndim == 2] if case.optimiser == "Muon" else []
    rest = [w for w in weights if all(w is not other for other in inside)]
    found: list[torch.optim.Optimizer] = [torch.optim.AdamW(rest, case.rate, (0.9, 0.99), weight_decay=0.0, fused=True)]
    if inside:
        found.append(torch.optim.Muon(inside, case.rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"))
    return found


@torch.no_grad()
def answers(model: Transformer, facts: Facts) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """ln p of each symbol at each value (people, length, symbols), the values, and nats of each person's name (people,)."""
    case, length = facts.case, facts.case.length
    device, logs, names = model.embedding.device, [], []
    for start in range(0, len(facts.tokens), BLOCK):
        tokens = torch.from_numpy(facts.tokens[start : start + BLOCK]).to(device)
        all_logs: Tensor = model(tokens[:, :-1]).log_softmax(-1)
        logs.append(all_logs[:, -1:] if case.alone else all_logs[:, -length:])
        digits = tokens[:, 1 : 1 + facts.digits, None]
        names.append(-all_logs[:, : facts.digits].gather(2, digits).sum((1, 2)))
    shape = (len(facts.values), length, -1)
    of_symbols = torch.cat(logs)[..., : case.symbols].reshape(shape).double().cpu().numpy()
    each = torch.cat(names).double().cpu().numpy().reshape(len(facts.values), -1).mean(1)
    return of_symbols, facts.values, each


def examine(
    logs: NDArray[np.float64], values: NDArray[np.int64], names: NDArray[np.float64], case: Model, people: int
) -> dict[str, float]:
    """The bits that answers show: ln p (people, length, symbols), the truth (people, length), nats of names (people,)."""
    right = np.take_along_axis(logs, values[..., None], 2)[..., 0]
    naming = {"name_nats": float(names.mean()), "name_bits": float(np.log2(NAMES))} if case.names else {}
    paid = float(-right.sum(1).mean())
    gained = np.maximum(0.0, (logs + np.log(case.symbols)) / np.log(2))
    true = np.take_along_axis(gained, values[..., None], 2)[..., 0]
    luck = (gained.sum(2) - true) / (case.symbols - 1)
    held = bit_complexity(people, paid, case.bits, **naming)
    return {
        "held": held,
        "names": held - bit_complexity(people, paid, case.bits),
        "known": float((true - luck).sum()),
        "right": float((logs.argmax(2) == values).mean()),
    }


def _memory(case: Model, cell: Cell) -> dict[str, float]:
    """A linear memory of as many facts, one for each key, taught by Adam with the transformers' schedule."""
    memory = AssociativeMemory(MemoryConfig(case.symbols, case.width), cell.seed)
    facts = Facts.of(replace(case, alone=True), people_of(case, memory.weights.size), cell.replicate)
    values, random = facts.values.ravel(), _random.generator(cell.seed, "order")
    order = np.concatenate(list(facts.batches(random)))
    warmup = min(WARMUP, facts.updates // 10)
    schedule = WarmupStableDecay(warmup, decay=0.5, final=0.05)
    how: dict[str, Any] = {"step": "adam", "rate": case.rate, "schedule": schedule, "batch": case.batch}
    (learned,) = teach(memory, order, values[order], **how).values()
    logits = learned.logits(np.arange(len(values)))
    logs = (logits - np.log(np.exp(logits).sum(1, keepdims=True))).reshape(*facts.values.shape, -1).astype(float)
    found = examine(logs, facts.values, np.zeros(len(facts.values)), case, len(facts.values))
    return _sizes(facts, memory.weights.size, 0) | found


def _sizes(facts: Facts, parameters: int, table: int) -> dict[str, float]:
    people, sentences = len(facts.values), len(facts.tokens) * facts.case.exposures
    sizes = {"parameters": parameters, "table": table, "people": people, "told": people * facts.case.bits}
    return sizes | {"sentences": sentences, "updates": facts.updates}

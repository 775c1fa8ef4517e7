"""Transformers of attention only, their training many at once, accuracy by depth and heads, and what heads attend to.

model = AttentionOnly(2, 1, width=48, **task.shape)                            # or any torch module from tokens to logits
trained = train_together([model, ...], task)                                   # networks of one shape, in one batch
depth_profile(lambda L, H: AttentionOnly(L, H, 48, **task.shape), task, [(1, 1), (2, 1)])      # a table
operations(model.attentions(x), roles=[0, 1, 0, 1, 0], tokens=x)               # or the `attentions` of Hugging Face
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import polars as pl
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.functional import cross_entropy

from twopart._arrays import Floats, numbers
from twopart._checks import check, check_integer, check_real

REACHED = 0.95


class AttentionOnly(nn.Module):
    """Softmax attention with residuals and learned positions, read at the last token: (B, T) or (B, T, e) to (B, classes).

    `scale` is the length of a token's and of a place's vector at the start. At 1, which is common, scores start so flat that
    heads hardly learn whom to attend to. `mlp` adds 4 width GELUs after each attention.
    """

    def __init__(
        self, layers: int, heads: int, width: int, *, length: int, classes: int, vocabulary: int | None = None,
        inputs: int | None = None, head_width: int | None = None, mlp: bool = False, scale: float = 3.0,
    ) -> None:  # fmt: skip
        super().__init__()
        inner = max(1, width // heads) if head_width is None else head_width
        sizes = {"layers": layers, "heads": heads, "width": width, "length": length, "classes": classes}
        for name, value in (sizes | {"head_width": inner}).items():
            check_integer(name, value, 1, None, "one at least")
        check((vocabulary is None) != (inputs is None), "vocabulary", vocabulary, "given, or else `inputs`", "give one")
        entry = check_real("scale", scale, 0, np.inf, "3 is usual", closed="()") / width**0.5
        tokens = check_integer("vocabulary" if inputs is None else "inputs", vocabulary or inputs, 1, None, "one at least")
        self.heads, self.head_width = heads, inner
        self.embed = nn.Parameter(torch.randn(tokens, width) * (entry if inputs is None else entry / tokens**0.5))
        self.positions = nn.Parameter(torch.randn(length, width) * entry)
        shape = layers, width, heads * inner
        self.query, self.key, self.value = (nn.Parameter(torch.randn(shape) / width**0.5) for _ in range(3))
        self.out = nn.Parameter(torch.randn(layers, heads * inner, width) / (heads * inner) ** 0.5)
        wide = [nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)) for _ in range(layers)]
        self.mlps = nn.ModuleList(wide if mlp else [])
        self.readout = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, classes)."""
        logits: Tensor = self.readout(self.stream(x))
        return logits

    def stream(self, x: Tensor) -> Tensor:
        """What the readout reads, (B, width)."""
        h = self._enter(x)
        for layer in range(len(self.out)):
            h, _ = self._attend(layer, h, h if layer + 1 < len(self.out) else h[:, -1:])
        return h[:, -1]

    def attentions(self, x: Tensor) -> list[Tensor]:
        """Whom each place attends to, by layer: (B, heads, T, T)."""
        h, maps = self._enter(x), []
        for layer in range(len(self.out)):
            h, attention = self._attend(layer, h, h)
            maps.append(attention)
        return maps

    def _enter(self, x: Tensor) -> Tensor:
        return (x @ self.embed if x.is_floating_point() else self.embed[x]) + self.positions

    def _attend(self, layer: int, h: Tensor, asking: Tensor) -> tuple[Tensor, Tensor]:
        def split(x: Tensor, weights: Tensor) -> Tensor:
            return (x @ weights[layer]).unflatten(-1, (self.heads, self.head_width)).transpose(1, 2)

        scores = split(asking, self.query) @ split(h, self.key).transpose(-1, -2) / self.head_width**0.5
        attention = scores.softmax(-1)
        h = asking + (attention @ split(h, self.value)).transpose(1, 2).flatten(2) @ self.out[layer]
        return (h + self.mlps[layer](h) if self.mlps else h), attention


class Task(Protocol):
    """What is learned: tasks of `worlds.in_context`, or anything that draws tokens and targets so."""

    def split(self) -> tuple[Any, Any]:
        """To train on, and to test on; each has `sample(count, stream)` with `tokens` and `target`."""


class Trained(NamedTuple):
    """R networks, which were trained in place, and their accuracy on the way."""

    models: Sequence[nn.Module]
    steps: NDArray[np.int64]
    """At which they were tested, shape (K,)."""
    accuracy: Floats
    """On the task's unseen part, shape (R, K)."""

    @property
    def reached(self) -> Floats:
        """Steps to an accuracy of 95%, to the next test; infinite where it was not reached, shape (R,)."""
        there = self.accuracy >= REACHED
        return np.where(there.any(1), self.steps[there.argmax(1)], np.inf)


def train_together(
    models: Sequence[nn.Module], task: Task, *, steps: int = 600, batch: int = 64, learning_rate: float = 3e-3,
    tests: int = 1000, looks: int = 20, seed: int = 0, on_look: Callable[[int], None] = lambda step: None,
) -> Trained:  # fmt: skip
    """Train modules of one shape at once, each on data of its own, by Adam with a one-cycle rate on cross-entropy.

    The task is trained on its first part and tested, `looks` times, on its unseen one. Modules are called by `torch.func.vmap`.
    """
    total, K = check_integer("steps", steps, 10, None, "600 are usual"), check_integer("looks", looks, 1, steps, "20 are usual")
    B, R = check_integer("batch", batch, 1, None, "64 is usual"), len(models)
    check(R > 0, "models", R, "at least one", "give a list of modules")
    rate = check_real("learning_rate", learning_rate, 0, np.inf, "3e-3 is usual", closed="()")
    (state, buffers), (known, unseen) = stack_module_state(list(models)), task.split()
    like = next(iter(state.values()))
    adam = torch.optim.Adam(state.values(), lr=rate, betas=(0.9, 0.99))
    cycle = torch.optim.lr_scheduler.OneCycleLR(adam, rate, total_steps=total, pct_start=0.1)
    at = np.unique(np.linspace(total / K, total, K).round().astype(int))

    def draw(part: Any, count: int, stream: str) -> tuple[Tensor, Tensor]:
        drawn = part.sample(count, stream)
        x, y = torch.as_tensor(drawn.tokens), torch.as_tensor(drawn.target)
        return (x.to(like) if x.is_floating_point() else x.to(like.device)), y.to(like.device)

    def ask(state: Any, buffers: Any, x: Tensor) -> Tensor:
        return functional_call(models[0], (state, buffers), (x,))

    asked, answer = draw(unseen, check_integer("tests", tests, 1, None, "1000 are usual"), f"{seed} tests")
    accuracy = []
    for step in range(total):
        x, y = draw(known, R * B, f"{seed} {step}")
        logits = vmap(ask)(state, buffers, x.unflatten(0, (R, B)))
        adam.zero_grad()
        (R * cross_entropy(logits.flatten(0, 1), y)).backward()
        adam.step()
        cycle.step()
        if step + 1 in at:
            with torch.no_grad():
                said = vmap(ask, in_dims=(0, 0, None))(state, buffers, asked).argmax(-1)
            accuracy.append((said == answer).double().mean(1).cpu().numpy())
            on_look(step + 1)
    for r, model in enumerate(models):
        model.load_state_dict({name: value[r].detach() for name, value in (state | buffers).items()})
    return Trained(models, at, np.stack(accuracy, 1))


def depth_profile(
    make_model: Callable[[int, int], nn.Module], task: Task, grid: Iterable[tuple[int, int]],
    *, networks: int = 3, seed: int = 0, **training: Any,
) -> pl.DataFrame:  # fmt: skip
    """Accuracy on the unseen part, and steps to 95%, of networks of each (layers, heads), one row for each network.

    `make_model(layers, heads)` gives a fresh module; `training` is that of `train_together`.
    """
    rows = []
    for layers, heads in grid:
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            models = [make_model(layers, heads) for _ in range(check_integer("networks", networks, 1, None, "3 are usual"))]
        done = train_together(models, task, seed=seed, **training)
        found = {"network": np.arange(networks), "accuracy": done.accuracy[:, -1], "steps": done.reached}
        rows.append(pl.DataFrame({"layers": layers, "heads": heads, **found}))
    check(bool(rows), "grid", rows, "at least one pair", "such as [(1, 1), (2, 1)]")
    return pl.concat(rows)


def operations(attentions: Any, roles: ArrayLike, tokens: Any, places: Sequence[int] | slice = slice(None)) -> pl.DataFrame:
    """How much of each head's attention goes to the place before, to others of the same role, and to equal tokens elsewhere.

    `attentions`: by layer (B, H, T, T), tensors or arrays, as models of Hugging Face return them; `roles` (T,): whole numbers, such
    as 0 for questions and 1 for answers; `tokens`: (B, T), or vectors (B, T, e). Means over sequences and the `places` that ask.
    Columns: layer, head, parsing, copying, matching.
    """
    x = torch.as_tensor(tokens)
    T = x.shape[1]
    role = numbers("roles", roles, -np.inf, np.inf, remedy="one for each place")
    check(role.shape == (T,), "roles", role.shape, f"of shape ({T},)", "one for each place")
    other = ~torch.eye(T, dtype=torch.bool)
    same = x[:, :, None] == x[:, None]
    goes = {
        "parsing": torch.eye(T).roll(-1, 1).tril().bool()[None],
        "copying": (torch.from_numpy(role[:, None] == role) & other)[None],
        "matching": (same.all(-1) if x.ndim == 3 else same) & other,
    }
    rows = []
    for layer, given in enumerate(attentions):
        attention = torch.as_tensor(given).detach().cpu()
        fits = attention.ndim == 4 and attention.shape[0] == len(x) and attention.shape[2:] == (T, T)
        check(fits, "attentions", tuple(attention.shape), f"of shape ({len(x)}, heads, {T}, {T}) in each layer", "see output_attentions")
        check(bool(attention.isfinite().all()), "attentions", "nan or infinite", "finite", "see the model")
        sums = {name: (attention * to[:, None]).sum(-1)[:, :, places].mean((0, 2)).numpy() for name, to in goes.items()}
        rows.append(pl.DataFrame({"layer": layer, "head": np.arange(attention.shape[1]), **sums}))
    return pl.concat(rows)

"""Linear attention that learns regression in context, and its pretraining, task by task.

    model = OneStepAttention(20)                                        # x'Γz, z = X'y/N: one step of gradient descent
    pretrain(model, world.sample(3000, 20), Geometric(0.03).rates(3000))    # SGD, a fresh task a step; any module of that form
    gammas = descend(world, 20, rates, runs=400)                        # 400 such runs at once, (400, 20, 20)

`LinearAttention` has queries, keys, values and a projection, and no softmax. Both keep what they have read as one small matrix,
so that a longer prompt costs only its new examples (`read`, `ask`). Source: Wu et al. 2023, arXiv 2310.08391; the full layer as
in Ahn, Cheng, Daneshmand, Sra 2023, arXiv 2306.00297, where the query sees the examples and not itself.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from twopart._arrays import Floats, finite
from twopart._checks import check, check_integer, check_real
from twopart.worlds.in_context.prompts import Prompts
from twopart.worlds.in_context.regression import InContextRegression

State = tuple[Tensor, int]
"""What was read: a sum over examples, and how many they were."""


class _Reader(nn.Module):
    """A model whose answer is linear in a sum over the examples."""

    dimension: int

    def forward(self, context: Tensor, labels: Tensor, query: Tensor) -> Tensor:
        """Answers (B,) to queries (B, d) after examples (B, N, d) with labels (B, N)."""
        state, shape = self.read(context, labels, None), (len(context), self.dimension)
        check(query.shape == shape, "query", tuple(query.shape), f"of shape {shape}", "give one for each prompt")
        return self.ask(state, query)

    def read(self, context: Tensor, labels: Tensor, state: State | None) -> State:
        """The state after more examples (B, n, d) with labels (B, n)."""
        fits = context.ndim == 3 and context.shape[2] == self.dimension and labels.shape == context.shape[:2]
        shapes, bound = (tuple(context.shape), tuple(labels.shape)), f"(B, N, {self.dimension}) and (B, N)"
        check(fits and context.shape[1] > 0, "context and labels", shapes, bound, "give a batch of prompts")
        total, count = (0, 0) if state is None else state
        return total + self.summed(context, labels), count + context.shape[1]

    @abstractmethod
    def summed(self, context: Tensor, labels: Tensor) -> Tensor: ...

    @abstractmethod
    def ask(self, state: State, query: Tensor) -> Tensor: ...


class OneStepAttention(_Reader):
    """x'Γz with z = X'y/N and Γ = `gamma`, shape (d, d), zero at first."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.dimension = check_integer("dimension", dimension, 1, None, "of the inputs")
        self.gamma = nn.Parameter(torch.zeros(dimension, dimension))

    def summed(self, context: Tensor, labels: Tensor) -> Tensor:
        return (labels[:, None] @ context)[:, 0]

    def ask(self, state: State, query: Tensor) -> Tensor:
        """Answers (B,) to queries (B, d)."""
        return (query @ self.gamma * (state[0] / state[1])).sum(-1)


class LinearAttention(_Reader):
    """A layer of attention without softmax over tokens (x, y), the query's being (x, 0), with query, key, value and projection.

    All are (d + 1, d + 1), normal at first with standard deviation `scale` / sqrt(d + 1); the answer is where the query has 0.
    """

    def __init__(self, dimension: int, scale: float = 0.5, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.dimension = check_integer("dimension", dimension, 1, None, "of the inputs")
        spread = check_real("scale", scale, 0, np.inf, "0 learns nothing", closed="()") / np.sqrt(dimension + 1)
        size = dimension + 1, dimension + 1
        parts = (nn.Parameter(spread * torch.randn(size, generator=generator)) for _ in range(4))
        self.query, self.key, self.value, self.projection = parts

    def summed(self, context: Tensor, labels: Tensor) -> Tensor:
        tokens = torch.cat([context, labels[..., None]], -1)
        return (tokens @ self.key).transpose(1, 2) @ (tokens @ self.value)  # (B, keys, values)

    def ask(self, state: State, query: Tensor) -> Tensor:
        """Answers (B,) to queries (B, d)."""
        asked = (query @ self.query[:-1])[:, None]
        return (asked @ (state[0] / state[1]))[:, 0] @ self.projection[:, -1]


def pretrain(
    model: nn.Module,
    batches: Prompts | Iterable[Prompts],
    rates: ArrayLike,
    *,
    tasks_per_step: int = 1,
    optimizer: torch.optim.Optimizer | None = None,
) -> Floats:
    """Train any in-context regressor on fresh tasks, a step for each rate; the mean squared error before each step, shape (T,).

    Tasks are taken from `batches` in their order, `tasks_per_step` a step; a rest too small for a step is left out. The loss is
    half the mean square, so that SGD (the default optimizer) makes the paper's step. Raises `InputError` when tasks run out.
    """
    γs = finite("rates", rates, (None,), "give one step size for each step")
    check(γs.min() >= 0, "rates", float(γs.min()), ">= 0", "descent goes down the gradient")
    B = check_integer("tasks_per_step", tasks_per_step, 1, None, "it is the number of tasks of a step")
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = optimizer or torch.optim.SGD(parameters, lr=0.0)
    whole = [batches] if isinstance(batches, Prompts) else batches
    parts = ((p, slice(at, at + B)) for p in whole for at in range(0, len(p) - B + 1, B))
    losses: list[float] = []
    for γ, (prompts, part) in zip(γs, parts, strict=False):
        given = (prompts.x, prompts.y, prompts.query, prompts.label)
        x, y, query, label = (torch.as_tensor(array[part]).to(parameters[0]) for array in given)
        for group in optimizer.param_groups:
            group["lr"] = float(γ)
        optimizer.zero_grad()
        loss = (model(x, y, query) - label).square().mean()
        (loss / 2).backward()
        optimizer.step()
        losses.append(loss.item())
    steps = len(losses)
    check(steps == len(γs), "batches", f"tasks for {steps} steps", f"enough for {len(γs)}", "give more, or fewer rates")
    return np.array(losses)


def descend(
    world: InContextRegression,
    context: int,
    rates: ArrayLike,
    *,
    runs: int = 1,
    tasks_per_step: int = 1,
    on_step: Callable[[int, Floats], None] | None = None,
) -> Floats:
    """Γ of many runs of SGD from 0, (runs, d, d), each on fresh tasks of its own at every step; `on_step(t, Γ)` from 1 on."""
    γs = finite("rates", rates, (None,), "give one step size for each step")
    R = check_integer("runs", runs, 1, None, "they are independent")
    B = check_integer("tasks_per_step", tasks_per_step, 1, None, "1 is the paper's")
    Γ = np.zeros((R, world.dimension, world.dimension))
    for t, γ in enumerate(γs):
        tasks = world.sample(R * B, context, stream=t)
        z, query = (tasks.y[:, None] @ tasks.x).reshape(R, B, -1) / context, tasks.query.reshape(R, B, -1)
        error = ((query @ Γ) * z).sum(-1) - tasks.label.reshape(R, B)
        Γ -= (query * (γ / B * error)[..., None]).transpose(0, 2, 1) @ z
        if on_step is not None:
            on_step(t + 1, Γ)
    return Γ

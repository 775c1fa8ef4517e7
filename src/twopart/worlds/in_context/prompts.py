"""Prompts: examples with their labels, and a query whose label is asked for; each prompt has a task of its own."""

from __future__ import annotations

from dataclasses import dataclass

from twopart._arrays import Floats, finite
from twopart._checks import check_integer


@dataclass(frozen=True, eq=False)
class Prompts:
    """T prompts with N examples each in d dimensions, float64; raises `InputError` where shapes do not agree."""

    x: Floats
    """The examples, shape (T, N, d)."""
    y: Floats
    """Their labels, real or ±1, shape (T, N)."""
    query: Floats
    """What is asked about, shape (T, d)."""
    label: Floats
    """The true answer, shape (T,)."""
    task: Floats
    """The truth of each prompt, such as its weights, shape (T, d)."""

    def __post_init__(self) -> None:
        T, N, d = finite("x", self.x, (None, None, None), "prompts, their examples, dimensions").shape
        for name, shape in {"y": (T, N), "query": (T, d), "label": (T,), "task": (T, d)}.items():
            object.__setattr__(self, name, finite(name, getattr(self, name), shape, "one for each that `x` has"))
        object.__setattr__(self, "x", finite("x", self.x, (T, N, d), ""))

    def __len__(self) -> int:
        return len(self.x)

    def first(self, examples: int) -> Prompts:
        """The same prompts with only the first of their examples, at least one."""
        n = check_integer("examples", examples, 1, self.x.shape[1], "prompts have no more")
        return Prompts(self.x[:, :n], self.y[:, :n], self.query, self.label, self.task)

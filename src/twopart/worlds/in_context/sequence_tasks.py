"""Four families of tasks on short sequences: memorise, recall, match templates, and match templates that the context labels.

task = Recall(pairs=4, vocabulary=16)                    # q_1 a_1 ... q_4 a_4 q: which answer came with q?
train, unseen = task.split()                             # the same on tokens, or combinations, of their own
asked = unseen.sample(1000, stream=0)                    # Sequences: tokens (B, T) or vectors (B, T, e), target (B,)
task.oracle(asked)                                       # the best answers, (B,): always right, as task.optimum says
AttentionOnly(2, 1, width=48, **task.shape)              # what a learner must know

A template is a restricted growth string: (0, 0, 1) says that the second token repeats the first, and that the third is another.
Source: Chen, Zou 2024 (arXiv 2404.01601) for the families; their exact distributions are chosen here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from twopart import _random
from twopart._checks import check, check_choice, check_integer, check_real

Ints = NDArray[np.int64]
UNSEEN = 8  # one combination of a question and an answer in so many is kept from training


class Sequences(NamedTuple):
    """B sequences: numbers of tokens, int64 (B, T), or vectors, float32 (B, T, e), and the class asked for, int64 (B,)."""

    tokens: NDArray[Any]
    target: Ints


def growth_strings(length: int) -> tuple[tuple[int, ...], ...]:
    """All templates of a length of at most 10, in order, as many as its Bell number: 2, 5, 15, 52 of two to five tokens."""
    strings: list[tuple[int, ...]] = [()]
    for _ in range(check_integer("length", length, 1, 10, "there are 115,975 templates of ten")):
        strings = [(*s, token) for s in strings for token in range(max(s, default=-1) + 2)]
    return tuple(strings)


def template_of(tokens: NDArray[Any]) -> Ints:
    """The template of each sequence, (..., L), of numbers of tokens, int (..., L), or vectors, float (..., L, e)."""
    x = tokens[..., None] if tokens.dtype.kind == "i" else tokens
    first = (x[..., :, None, :] == x[..., None, :, :]).all(-1).argmax(-1)
    rank = (first == np.arange(first.shape[-1])).cumsum(-1) - 1
    return np.asarray(np.take_along_axis(rank, first, -1))


@dataclass(frozen=True)
class Task(ABC):
    """What the four families share."""

    part: str = field(default="all", kw_only=True)
    """"train" and "unseen" have tokens, or combinations, of their own."""
    seed: int = field(default=0, kw_only=True)
    optimum: ClassVar[float] = 1.0
    """The accuracy of the best learner: all four families can be known."""

    def __post_init__(self) -> None:
        check_choice("part", self.part, ("all", "train", "unseen"))
        check_integer("seed", self.seed, 0, 2**63 - 1, "any other whole number names other draws")
        for name in {"length", "vocabulary", "classes", "pairs", "size"} & vars(self).keys():
            check_integer(name, vars(self)[name], 1, 10**6, "see what it stands for")

    @property
    def shape(self) -> dict[str, Any]:
        """`length`, `classes`, and `vocabulary`, or `inputs` where tokens are vectors; of fields, where a task has these."""
        return {name: getattr(self, name) for name in ("length", "classes", "vocabulary")}

    @abstractmethod
    def oracle(self, sequences: Sequences) -> Ints:
        """The best answer to each, (B,), from the tokens alone."""

    @abstractmethod
    def _draw(self, count: int, random: np.random.Generator) -> Sequences: ...

    def sample(self, count: int, stream: str | int = 0) -> Sequences:
        """So many sequences of a stream of their own; raises `InputError` for less than one."""
        n = check_integer("count", count, 1, None, "ask for one")
        return self._draw(n, _random.generator(self.seed, "sequence-tasks", self.part, stream))

    def split(self) -> tuple[Self, Self]:
        """The same task to train on, and to test on."""
        return replace(self, part="train"), replace(self, part="unseen")


@dataclass(frozen=True)
class Memorise(Task):
    """Distinct sequences with random labels, the same in every part and draw: what was not seen cannot be known."""

    sequences: int
    length: int = 4
    vocabulary: int = 16
    classes: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        most = min(self.vocabulary**self.length, 2**62)
        check_integer("sequences", self.sequences, 1, most, "there are no more distinct sequences")

    @cached_property
    def table(self) -> Sequences:
        """All sequences and their labels."""
        random = _random.generator(self.seed, "sequence-tasks", "memorise")
        codes = random.choice(min(self.vocabulary**self.length, 2**62), self.sequences, replace=False)
        tokens = codes[:, None] // self.vocabulary ** np.arange(self.length) % self.vocabulary
        return Sequences(tokens, random.integers(self.classes, size=self.sequences))

    def oracle(self, sequences: Sequences) -> Ints:
        known = dict(zip(map(tuple, self.table.tokens), self.table.target, strict=True))
        return np.array([known[tuple(one)] for one in sequences.tokens])

    def _draw(self, count: int, random: np.random.Generator) -> Sequences:
        which = random.integers(self.sequences, size=count)
        return Sequences(self.table.tokens[which], self.table.target[which])


@dataclass(frozen=True)
class Recall(Task):
    """q_1 a_1 ... q_n a_n q, distinct questions 0..V-1, answers V..2V-1, q one of the q_i: the class is its answer, less V.

    Unseen combinations, an eighth of all, occur in no prompt of the part "train"; in "unseen" one of them is asked for.
    """

    pairs: int
    vocabulary: int = 16
    repeated_answers: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.pairs <= self.vocabulary, "pairs", self.pairs, f"<= {self.vocabulary}", "questions are distinct")

    @property
    def shape(self) -> dict[str, Any]:
        return {"length": 2 * self.pairs + 1, "classes": self.vocabulary, "vocabulary": 2 * self.vocabulary}

    def oracle(self, sequences: Sequences) -> Ints:
        tokens = sequences.tokens
        which = (tokens[:, :-1:2] == tokens[:, -1:]).argmax(1)
        return np.asarray(tokens[np.arange(len(tokens)), 2 * which + 1] - self.vocabulary)

    def _draw(self, count: int, random: np.random.Generator) -> Sequences:
        V, n, at, kept = self.vocabulary, self.pairs, np.arange(count), np.empty((0, 2 * self.pairs + 2), np.int64)
        while len(kept) < count:
            q, a = (random.random((count, V)).argsort(1)[:, :n] for _ in range(2))
            a = random.integers(V, size=q.shape) if self.repeated_answers else a
            new = (a - q) % V < -(-V // UNSEEN)
            fits = {"all": new | True, "train": ~(new | new.any(1, keepdims=True)), "unseen": new}[self.part]
            asked = (random.random(q.shape) * fits).argmax(1)
            rows = np.column_stack([np.stack([q, a + V], 2).reshape(count, -1), q[at, asked], a[at, asked]])
            kept = np.concatenate([kept, rows[fits.any(1)]])
        return Sequences(kept[:count, :-1], kept[:count, -1])


@dataclass(frozen=True)
class Templates(Task):
    """A sequence fills a template's wildcards with distinct tokens; the class is the template's label, by default its own.

    Templates are uniform. Tokens are fresh "gaussian" vectors of dimension `size`, or "finite", numbers below `size`, the lower
    half to train on, the upper half unseen.
    """

    length: int
    templates: Any = "all"
    labels: Sequence[int] = ()
    tokens: str = "gaussian"
    size: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        every = growth_strings(self.length)
        object.__setattr__(self, "templates", every if self.templates == "all" else tuple(self.templates))
        object.__setattr__(self, "labels", tuple(self.labels) or tuple(range(len(self.templates))))
        few = len(set(self.templates)) == len(self.templates) > 0 and set(self.templates) <= set(every)
        check(few, "templates", self.templates, "'all' or distinct growth strings of the length", "such as (0, 0, 1)")
        fits = len(self.labels) == len(self.templates) and min(self.labels) >= 0
        check(fits, "labels", self.labels, "a class >= 0 for each template", "() gives each its own")
        wide = check_choice("tokens", self.tokens, ("gaussian", "finite")) == "gaussian" or self.size >= 2 * self.length
        check(wide, "size", self.size, f">= {2 * self.length}", "each half of a vocabulary must fill a template")

    @property
    def shape(self) -> dict[str, Any]:
        kind = "inputs" if self.tokens == "gaussian" else "vocabulary"
        return {"length": self.length, "classes": max(self.labels) + 1, kind: self.size}

    def oracle(self, sequences: Sequences) -> Ints:
        same = template_of(sequences.tokens)[:, None] == np.array(self.templates)
        return np.asarray(np.array(self.labels)[same.all(-1).argmax(-1)])

    def fill(self, which: Ints, random: np.random.Generator) -> NDArray[Any]:
        """Sequences of templates of these numbers, (B,): tokens (B, L), or vectors (B, L, e)."""
        slots, half = np.array(self.templates)[which], self.size // 2
        if self.tokens == "gaussian":
            fresh = random.standard_normal((*slots.shape, self.size), dtype=np.float32)
            return np.take_along_axis(fresh, slots[..., None], 1)
        low, high = {"all": (0, self.size), "train": (0, half), "unseen": (half, self.size)}[self.part]
        return np.take_along_axis(low + random.random((len(slots), high - low)).argsort(1), slots, 1)

    def _draw(self, count: int, random: np.random.Generator) -> Sequences:
        which = random.integers(len(self.templates), size=count)
        return Sequences(self.fill(which, random), np.array(self.labels)[which])


@dataclass(frozen=True)
class ContextTemplates(Task):
    """Pairs of a sequence and a label, distinct templates and labels drawn anew in each prompt, then a sequence of one of them.

    The labels of `templates` do not count. A label is a token: vectors have √size in one of `classes` further entries, numbers
    follow those of tokens. A share of the prompts to train on can be easier: `kept`, where templates keep their numbers as
    labels, and `first`, where the lowest of the templates shown is asked for. Alone the family hardly trains.
    """

    pairs: int
    templates: Templates
    classes: int = 2
    kept: float = 0.0
    first: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        numbers = len(self.templates.templates)
        most = min(numbers, self.classes)
        check(self.pairs <= most, "pairs", self.pairs, f"<= {most}", "a context shows distinct templates and labels")
        kept = check_real("kept", self.kept, 0, float(self.classes >= numbers), "it takes a class for each template")
        check_real("first", self.first, 0, 1 - kept, "both are shares of the same prompts")
        object.__setattr__(self, "templates", replace(self.templates, labels=(), part=self.part))

    @property
    def shape(self) -> dict[str, Any]:
        n, inner = self.pairs, self.templates.shape
        sizes = {name: inner[name] + self.classes for name in inner.keys() & {"inputs", "vocabulary"}}
        return {"length": n * (inner["length"] + 1) + inner["length"], "classes": self.classes, **sizes}

    def oracle(self, sequences: Sequences) -> Ints:
        n, L, size, x = self.pairs, self.templates.length, self.templates.size, sequences.tokens
        told = x[:, : n * (L + 1)].reshape(len(x), n, L + 1, *x.shape[2:])
        label = told[:, :, L] - size if x.ndim == 2 else told[:, :, L, size:].argmax(-1)
        same = (template_of(told[:, :, :L]) == template_of(x[:, None, -L:])).all(-1)
        return np.asarray(label[np.arange(len(x)), same.argmax(1)])

    def _draw(self, count: int, random: np.random.Generator) -> Sequences:
        n, inner, asked = self.pairs, self.templates, random.integers(self.pairs, size=(count, 1))
        drawn = (random.random((count, of)).argsort(1)[:, :n] for of in (len(inner.templates), self.classes))
        (which, label), way = drawn, random.random((count, 1)) if self.part == "train" else np.ones((count, 1))
        label = np.where(way < self.kept, which, label)
        asked = np.where((way >= self.kept) & (way < self.kept + self.first), which.argmin(1)[:, None], asked)
        which, label = (np.concatenate([one, np.take_along_axis(one, asked, 1)], 1) for one in (which, label))
        x, target = inner.fill(which.ravel(), random), label[:, -1]
        tokens: NDArray[Any] = inner.size + label
        if x.ndim == 3:
            x = np.pad(x, ((0, 0), (0, 0), (0, self.classes)))
            tokens = np.float32(inner.size**0.5) * np.eye(x.shape[2], dtype=np.float32)[tokens]
        x = np.concatenate([x.reshape(count, n + 1, inner.length, *x.shape[2:]), tokens[:, :, None]], 2)
        return Sequences(x.reshape(count, -1, *x.shape[3:])[:, :-1], target)

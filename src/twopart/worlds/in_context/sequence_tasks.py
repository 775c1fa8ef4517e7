"""Four families of tasks on short sequences: memorise, recall, match templates, and match templates that the context labels.

task = Recall(pairs=4, vocabulary=16)                    # q_1 a_1 ... q_4 a_4 q: which answer came with q?
train, unseen = task.split()                             # the same task on tokens, or combinations, of their own
asked = unseen.sample(1000, stream=0)                    # Sequences: tokens (B, T) or vectors (B, T, e), target (B,)
(task.oracle(asked) == asked.target).mean()              # task.optimum: the exact accuracy of the best learner
AttentionOnly(2, 1, width=48, **task.shape)              # what a learner must know

A template is a restricted growth string: (0, 0, 1) says that the second token repeats the first, and that the third is another.
Source: Chen, Zou 2024 (arXiv 2404.01601) for the families; their exact distributions are chosen here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import factorial
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from twopart import _random
from twopart._checks import check, check_choice, check_integer

Ints = NDArray[np.int64]
Strings = tuple[tuple[int, ...], ...]
PARTS = "all", "train", "unseen"
HELD_OUT = 8  # one question in so many has no answer of the unseen combinations in training


@dataclass(frozen=True, eq=False)
class Sequences:
    """B sequences of T tokens with what each asks for."""

    tokens: NDArray[Any]
    """Numbers of tokens, int64 (B, T), or vectors, float32 (B, T, e)."""
    target: Ints
    """The class that is asked for, shape (B,)."""


def growth_strings(length: int) -> Strings:
    """All templates of a length in order, as many as its Bell number: 2, 5, 15, 52 of two, three, four, five tokens."""
    strings: list[tuple[int, ...]] = [()]
    for _ in range(check_integer("length", length, 1, 10, "there are 115,975 templates of ten")):
        strings = [(*s, token) for s in strings for token in range(max(s, default=-1) + 2)]
    return tuple(strings)


def template_of(tokens: NDArray[Any]) -> Ints:
    """The template of each sequence, (..., L), from numbers of tokens, int (..., L), or vectors, float (..., L, e)."""
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

    def __post_init__(self) -> None:
        check_choice("part", self.part, PARTS)
        check_integer("seed", self.seed, 0, 2**63 - 1, "any other whole number names other draws")

    @property
    @abstractmethod
    def shape(self) -> dict[str, int]:
        """`length`, `classes`, and `vocabulary`, or `inputs` where tokens are vectors."""

    @property
    @abstractmethod
    def chance(self) -> float:
        """The accuracy of the best answer that does not look at what is asked, in the part "all"."""

    optimum: ClassVar[float] = 1.0
    """The accuracy of the best learner, exact: all four families can be known, and `oracle` does."""

    @abstractmethod
    def oracle(self, sequences: Sequences) -> Ints:
        """The best answer to each, (B,), from the tokens alone."""

    @abstractmethod
    def _draw(self, count: int, random: np.random.Generator) -> Sequences: ...

    def sample(self, count: int, stream: str | int = 0) -> Sequences:
        """So many sequences, of a stream of their own. Raises `InputError` for no whole number of at least 1."""
        n = check_integer("count", count, 1, None, "ask for one")
        return self._draw(n, _random.generator(self.seed, "sequence-tasks", self.part, stream))

    def split(self) -> tuple[Self, Self]:
        """The same task to train on and to test on: tokens, or combinations, that training does not see."""
        return replace(self, part="train"), replace(self, part="unseen")


@dataclass(frozen=True)
class Memorise(Task):
    """Distinct sequences with random labels, the same for every draw: what training saw is what is asked."""

    sequences: int
    length: int = 4
    vocabulary: int = 16
    classes: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("length", "vocabulary", "classes"):
            check_integer(name, getattr(self, name), 1 + (name != "length"), None, "see the task's fields")
        most = self.vocabulary**self.length
        check(most < 2**62, "length", self.length, "shorter for so large a vocabulary", "2^62 sequences are told apart")
        check_integer("sequences", self.sequences, 1, most, "there are no more distinct sequences")

    @property
    def shape(self) -> dict[str, int]:
        return {"length": self.length, "classes": self.classes, "vocabulary": self.vocabulary}

    @cached_property
    def table(self) -> Sequences:
        """All sequences and their labels."""
        random = _random.generator(self.seed, "sequence-tasks", "memorise")
        codes = random.choice(self.vocabulary**self.length, self.sequences, replace=False)
        tokens = codes[:, None] // self.vocabulary ** np.arange(self.length) % self.vocabulary
        return Sequences(tokens, random.integers(self.classes, size=self.sequences))

    @property
    def chance(self) -> float:
        return float(np.bincount(self.table.target).max() / self.sequences)

    def split(self) -> tuple[Self, Self]:
        """The task, twice: what was not seen cannot be known."""
        return self, self

    def oracle(self, sequences: Sequences) -> Ints:
        places = self.vocabulary ** np.arange(self.length)
        known, asked = self.table.tokens @ places, sequences.tokens @ places
        order = known.argsort()
        return np.asarray(self.table.target[order[np.searchsorted(known[order], asked)]])

    def _draw(self, count: int, random: np.random.Generator) -> Sequences:
        which = random.integers(self.sequences, size=count)
        return Sequences(self.table.tokens[which], self.table.target[which])


@dataclass(frozen=True)
class Recall(Task):
    """q_1 a_1 ... q_n a_n q, with distinct questions 0..V-1, answers V..2V-1 and q one of the q_i: the class is its answer less V.

    Unseen combinations, an eighth of all, occur in no prompt of the part "train"; in "unseen" one of them is asked for.
    """

    pairs: int
    vocabulary: int = 16
    repeated_answers: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer("vocabulary", self.vocabulary, 2, None, "questions, and as many answers")
        check_integer("pairs", self.pairs, 1, self.vocabulary, "questions are drawn without replacement")

    @property
    def shape(self) -> dict[str, int]:
        return {"length": 2 * self.pairs + 1, "classes": self.vocabulary, "vocabulary": 2 * self.vocabulary}

    @property
    def chance(self) -> float:
        n, V = self.pairs, self.vocabulary
        if not self.repeated_answers:
            return 1 / n
        terms = np.array([1 / factorial(k) for k in range(n)])  # E max = Σ_m P(max > m), by counts' generating function
        ways = [np.polynomial.polynomial.polypow(terms[: m + 1], V)[n : n + 1].sum() for m in range(n)]
        return float(sum(1 - factorial(n) * np.array(ways) / float(V) ** n) / n)

    def oracle(self, sequences: Sequences) -> Ints:
        tokens = sequences.tokens
        which = (tokens[:, :-1:2] == tokens[:, -1:]).argmax(1)
        return np.asarray(tokens[np.arange(len(tokens)), 2 * which + 1] - self.vocabulary)

    def _draw(self, count: int, random: np.random.Generator) -> Sequences:
        V, n, kept, have = self.vocabulary, self.pairs, [], 0
        while have < count:
            q = random.random((count, V)).argsort(1)[:, :n]
            a = (
                random.integers(V, size=q.shape)
                if self.repeated_answers
                else random.random((count, V)).argsort(1)[:, :n]
            )
            new = (a - q) % V < -(-V // HELD_OUT)
            asked = (random.random(q.shape) + (new if self.part == "unseen" else 0)).argmax(1)
            fits = {"all": new.any(1) | True, "train": ~new.any(1), "unseen": new.any(1)}[self.part]
            pairs, at = np.stack([q, a + V], 2).reshape(count, -1), np.arange(count)
            kept.append(np.column_stack([pairs, q[at, asked], a[at, asked]])[fits])
            have += len(kept[-1])
        rows = np.concatenate(kept)[:count]
        return Sequences(rows[:, :-1], rows[:, -1])


@dataclass(frozen=True)
class Templates(Task):
    """A sequence fills a template's wildcards with distinct tokens; the class is the template's label."""

    length: int
    templates: Strings | str = "all"
    """The templates that occur, equally often."""
    labels: tuple[int, ...] | None = None
    """The class of each template; None: one of its own."""
    tokens: str = "gaussian"
    """"gaussian": fresh vectors; "finite": numbers, of which the lower half is trained on and the upper half unseen."""
    size: int = 32
    """Dimensions of a vector, or tokens in the vocabulary."""

    def __post_init__(self) -> None:
        super().__post_init__()
        every = growth_strings(self.length)
        if self.templates == "all":
            object.__setattr__(self, "templates", every)
        few = len(set(self.templates)) == len(self.templates) > 0 and set(self.templates) <= set(every)
        check(few, "templates", self.templates, "'all' or distinct growth strings of the length", "such as (0, 0, 1)")
        if self.labels is not None:
            fits = len(self.labels) == len(self.templates) and min(self.labels) >= 0
            check(fits, "labels", self.labels, "a class >= 0 for each template", "None gives each its own")
        check_choice("tokens", self.tokens, ("gaussian", "finite"))
        least = 2 * self.length if self.tokens == "finite" else 1
        check_integer("size", self.size, least, None, "each half of the vocabulary must fill a template")

    @property
    def classes(self) -> Ints:
        """Of each template."""
        return np.arange(len(self.templates)) if self.labels is None else np.array(self.labels)

    @property
    def shape(self) -> dict[str, int]:
        known = {"inputs" if self.tokens == "gaussian" else "vocabulary": self.size}
        return {"length": self.length, "classes": int(self.classes.max()) + 1, **known}

    @property
    def chance(self) -> float:
        return float(np.bincount(self.classes).max() / len(self.templates))

    def which(self, tokens: NDArray[Any]) -> Ints:
        """The number of each sequence's template among the task's."""
        places = self.length ** np.arange(self.length)
        known = np.array(self.templates) @ places
        return np.asarray((template_of(tokens) @ places)[..., None] == known).argmax(-1)

    def oracle(self, sequences: Sequences) -> Ints:
        return np.asarray(self.classes[self.which(sequences.tokens)])

    def fill(self, which: Ints, random: np.random.Generator) -> NDArray[Any]:
        """Sequences of templates of these numbers, (B,): tokens (B, L), or vectors (B, L, e)."""
        slots = np.array(self.templates)[which]
        if self.tokens == "gaussian":
            fresh = random.standard_normal((*slots.shape, self.size), dtype=np.float32)
            return np.take_along_axis(fresh, slots[..., None], 1)
        low, high = {"all": (0, self.size), "train": (0, self.size // 2)}.get(self.part, (self.size // 2, self.size))
        fresh = low + random.random((len(slots), high - low)).argsort(1)[:, : self.length]
        return np.take_along_axis(fresh, slots, 1)

    def _draw(self, count: int, random: np.random.Generator) -> Sequences:
        which = random.integers(len(self.templates), size=count)
        return Sequences(self.fill(which, random), self.classes[which])


@dataclass(frozen=True)
class ContextTemplates(Task):
    """Pairs of a sequence and a label, distinct templates with distinct labels drawn anew in each prompt, then a sequence of one.

    A label is a token of its own: vectors have √size in one of `classes` further entries, numbers follow those of tokens.
    """

    pairs: int
    templates: Templates
    """Of the sequences; its own labels do not count."""
    classes: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer("pairs", self.pairs, 1, len(self.templates.templates), "a context shows distinct templates")
        check_integer("classes", self.classes, self.pairs, None, "a context has distinct labels")
        object.__setattr__(self, "templates", replace(self.templates, part=self.part))

    @property
    def shape(self) -> dict[str, int]:
        inner = self.templates.shape
        (kind,) = inner.keys() & {"inputs", "vocabulary"}
        length = self.pairs * (self.templates.length + 1) + self.templates.length
        return {"length": length, "classes": self.classes, kind: inner[kind] + self.classes}

    @property
    def chance(self) -> float:
        return 1 / self.pairs

    def oracle(self, sequences: Sequences) -> Ints:
        n, L, size, x = self.pairs, self.templates.length, self.templates.size, sequences.tokens
        examples = x[:, : n * (L + 1)].reshape(len(x), n, L + 1, *x.shape[2:])
        label = examples[:, :, L] - size if x.ndim == 2 else examples[:, :, L, size:].argmax(-1)
        same = (template_of(examples[:, :, :L]) == template_of(x[:, None, -L:])).all(-1)
        return np.asarray(label[np.arange(len(x)), same.argmax(1)])

    def _draw(self, count: int, random: np.random.Generator) -> Sequences:
        n, inner, at = self.pairs, self.templates, np.arange(count)
        shown = random.random((count, len(inner.templates))).argsort(1)[:, :n]
        labels = random.random((count, self.classes)).argsort(1)[:, :n]
        j = random.integers(n, size=count)
        which, told = (np.column_stack([one, one[at, j]]) for one in (shown, labels))
        flat = inner.fill(which.ravel(), random)
        if flat.ndim == 3:
            flat = np.pad(flat, ((0, 0), (0, 0), (0, self.classes)))
            label = np.float32(inner.size**0.5) * np.eye(inner.size + self.classes, dtype=np.float32)[inner.size + told]
        else:
            label = inner.size + told
        whole = np.concatenate([flat.reshape(count, n + 1, inner.length, *flat.shape[2:]), label[:, :, None]], 2)
        return Sequences(whole.reshape(count, -1, *flat.shape[2:])[:, :-1], told[:, -1])

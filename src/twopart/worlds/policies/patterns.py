"""Patterns of reasoning as a table: a policy draws a pattern for a question, whose answer is right with a rate of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twopart import _random
from twopart._arrays import Floats, finite, numbers
from twopart._checks import check, check_integer, check_real

Stream = int | np.random.Generator
Table = Sequence[float] | Sequence[Sequence[float]]


class Groups(NamedTuple):
    """G draws for each question, arrays (..., Q, G)."""

    pattern: NDArray[np.int64]
    answer: NDArray[np.int64]
    """0 is right."""


@dataclass(frozen=True)
class Patterns:
    """Q questions with K patterns each."""

    base: Table = (0.02, 0.18, 0.3, 0.5)
    """What a policy starts with: masses (Q, K), or (K,) of one question, each row of sum 1."""
    success: Table = (0.9, 0.6, 0.4, 0.2)
    """How often a pattern's answer is right, of the shape of `base`, in [0, 1]."""
    answers: int = 2
    """Distinct answers; the wrong ones are equally likely."""
    seed: int = 0

    def __post_init__(self) -> None:
        shape = np.shape(self.base)
        check(len(shape) in (1, 2) and shape[-1] >= 2, "base", shape, "(Q, K) or (K,), K >= 2", "one mass per pattern")
        numbers("base", self.base, 0, 1, remedy="no pattern is impossible or certain")
        sums = np.sum(self.base, -1)
        check(bool(np.allclose(sums, 1, atol=1e-9)), "base", sums, "of sum 1", "divide by the sums")
        finite("success", self.success, shape, "one rate for each mass")
        numbers("success", self.success, 0, 1, "[]", "rates are shares of right answers")
        check_integer("answers", self.answers, 2, None, "a right one and a wrong one")
        for name in ("base", "success"):
            rows = np.asarray(getattr(self, name), float).tolist()
            object.__setattr__(self, name, tuple(tuple(r) if isinstance(r, list) else r for r in rows))

    @classmethod
    def of_answers(cls, *beliefs: float) -> Patterns:
        """Questions whose patterns are answers, right with these chances; with a logit for each, φ moves at twice the rate."""
        return cls([(a, 1 - a) for a in beliefs], [(1.0, 0.0)] * len(beliefs))

    @property
    def masses(self) -> Floats:
        """`base` as an array (Q, K)."""
        return np.atleast_2d(np.asarray(self.base, float))

    @property
    def rates(self) -> Floats:
        """`success` as an array (Q, K)."""
        return np.atleast_2d(np.asarray(self.success, float))

    def hard(self, mass: float) -> Patterns:
        """The same with this mass on each question's best pattern, the others in proportion: what fine-tuning on it moves."""
        x = check_real("mass", mass, 0, 1, "1e-3 is hard, 0.2 easy", closed="()")
        best = np.eye(self.rates.shape[1], dtype=bool)[self.rates.argmax(1)]
        others = np.where(best, 0.0, self.masses)
        moved = np.where(best, x, others * (1 - x) / others.sum(1, keepdims=True))
        return replace(self, base=moved.reshape(np.shape(self.base)).tolist())

    def sample(self, policy: Floats, group: int, stream: Stream = 0, success: Floats | None = None) -> Groups:
        """`group` draws of each question under `policy` (..., Q, K), by a stream of the world's seed or a generator.

        `success`, of the policy's shape, where rates are no longer the world's.
        """
        G, mass = check_integer("group", group, 1, None, "8 is usual"), numbers("policy", policy, 0, 1, "[]", "masses")
        fits = mass.shape[-2:] == self.rates.shape
        check(fits, "policy", mass.shape, f"of shape (..., {', '.join(map(str, self.rates.shape))})", "as `masses` is")
        random = _random.generator(self.seed, "groups", stream) if isinstance(stream, int) else stream
        ends, shape = mass.cumsum(-1)[..., None, :-1], (*mass.shape[:-1], G)
        pattern = (random.random(shape)[..., None] * mass.sum(-1)[..., None, None] >= ends).sum(-1)
        rates = np.broadcast_to(self.rates if success is None else success, mass.shape)
        wrong = random.random(shape) >= np.take_along_axis(rates, pattern, -1)
        return Groups(pattern, wrong * (random.integers(1, self.answers, shape) if self.answers > 2 else 1))

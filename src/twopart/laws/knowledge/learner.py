"""The learner's law: what a learner that is not the best possible one knows of facts. Derived in docs/laws/learner-law.md.

A linear softmax memory of P weights has read n sentences; a fact of frequency q was told with strength s, nats given so far:
    1/s = 1/(γ n q G) + 1/limit     G = 1 - (1/P) Σ_k Tr(s_k, σ)     σ² = ν + (1/P) Σ_k A(s_k, σ)
each fact flows alone through the noise σ g of all others (`learner_flow.py`); A = E|a|² and Tr = -E[a.g]/σ are of its logits a.
    memory_law    both equations solved, from an empty memory upwards: nothing is fitted
    learner_law   the same for a transformer, whose limit is the way that its optimiser can have gone
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from twopart._arrays import Floats, finite, numbers
from twopart._checks import check, check_integer, check_real
from twopart._numba import kernel
from twopart.laws.knowledge.frequencies import frequencies
from twopart.laws.knowledge.learner_flow import SIGMAS, STRENGTHS, flow_table, in_table
from twopart.laws.knowledge.tails import Entities
from twopart.worlds.knowledge.syntax_knowledge import SyntaxKnowledge

BIN = 0.1  # of ln q, within which facts count as alike
RAREST = 1e-3  # exposures, below which a fact is as good as never told


@dataclass(frozen=True, eq=False)
class Facts:
    """Facts of one kind: how often each is told, and what it may be."""

    frequency: Floats
    """q, the probability that a sentence tells the fact, in (0, 1], shape (F,)."""
    count: Floats
    """How many facts have it, > 0, shape (F,); one number for all alike."""
    base: int | tuple[float, ...]
    """V >= 2 values that are alike, or the values' probabilities > 0."""

    def __post_init__(self) -> None:
        q = finite("frequency", self.frequency, (None,), "give one number for each fact")
        numbers("frequency", q, 0, 1, "(]", "it is the probability that a sentence tells the fact")
        count = numbers("count", np.broadcast_to(self.count, q.shape), 0, np.inf, remedy="1 is a fact of its own")
        total = float(q @ count)
        check(total <= 1 + 1e-6, "frequency", total, "at most 1 in all", "divide by the number of sentences")
        if isinstance(self.base, tuple):
            fine = len(self.base) > 1 and min(self.base) > 0 and abs(sum(self.base) - 1) < 1e-6
            check(fine, "base", self.base, "two or more probabilities > 0 that sum to 1", "divide them by their sum")
        else:
            check_integer("base", self.base, 2, None, "a fact of one value is known to everybody")
        object.__setattr__(self, "frequency", q)
        object.__setattr__(self, "count", count)

    @classmethod
    def of_world(cls, world: SyntaxKnowledge, n: float, entities: Entities | None = None) -> Facts:
        """All facts of a world, those too rare to be told in n sentences together; `entities` as in `capacity_law`.

        Raises `InputError` unless all attributes have the same values, in whatever order.
        """
        bases = {a.values if a.base is None else tuple(sorted(a.base, reverse=True)) for a in world.attributes}
        check(len(bases) == 1, "world", len(bases), "of attributes whose values are alike", "take one attribute")
        p, count = frequencies(world.entities if entities is None else entities, RAREST / (n + 1))
        p, count = p[count > 0], count[count > 0]
        return cls(np.outer(world.pi, p).ravel(), np.tile(count, len(world.pi)), bases.pop())

    @property
    def mass(self) -> Floats:
        """Probability that a sentence tells one of them, shape (F,)."""
        return self.frequency * self.count

    def binned(self, width: float) -> Facts:
        """The same with facts whose ln q lie in one bin taken together: their number and total frequency stay."""
        place = np.unique(np.floor(np.log(self.frequency) / width), return_inverse=True)[1]
        count, mass = np.bincount(place, self.count), np.bincount(place, self.mass)
        return Facts(mass / count, np.asarray(count, float), self.base)


@dataclass(frozen=True, eq=False)
class MemoryLaw:
    """What a memory knows; fields have the common shape of sentences and weights, answers about q that of q behind it."""

    facts: Facts
    n: Floats
    """Sentences learned from."""
    weights: Floats
    """P."""
    rate: Floats
    """γ n G, strength over frequency where nothing limits it."""
    limit: Floats
    """Strength that no fact can pass; inf: none."""
    noise: Floats
    """σ², variance of the logits of a name never told."""
    gain: Floats
    """G, the part of what a fact was taught that is left when it is asked for."""

    def of(self, name: str, q: ArrayLike) -> Floats:
        """One of the means of `flow_table` for facts of frequency q in [0, 1]."""
        told = numbers("q", q, 0, 1, "[]", "it is the probability that a sentence tells the fact")
        rate, limit, noise = (x.reshape(x.shape + (1,) * told.ndim) for x in (self.rate, self.limit, self.noise))
        with np.errstate(divide="ignore"):
            strength = 1 / (1 / (rate * told) + 1 / limit)
        return in_table(flow_table(self.facts.base)[name], strength, np.sqrt(noise))

    def bits(self, q: ArrayLike) -> Floats:
        """Bits to pay for the value of a fact of frequency q."""
        return self.of("bits", q)

    def known(self, q: ArrayLike) -> Floats:
        """Probability that less than half of a fact's bits are left to pay."""
        return self.of("known", q)

    @property
    def value(self) -> Floats:
        """Bits per sentence that values cost."""
        return np.asarray(self.bits(self.facts.frequency) @ self.facts.mass)

    @property
    def unknown(self) -> Floats:
        """Probability that a sentence's fact is not known."""
        return np.asarray(1 - self.known(self.facts.frequency) @ self.facts.mass)

    @property
    def wrong_best(self) -> Floats:
        """Probability that a sentence's value is not the best guess."""
        return np.asarray(1 - self.of("right", self.facts.frequency) @ self.facts.mass)

    @property
    def wrong_sampled(self) -> Floats:
        """The same of an answer drawn as the memory gives it."""
        return np.asarray(1 - self.of("correct", self.facts.frequency) @ self.facts.mass)

    @property
    def known_facts(self) -> Floats:
        """Expected number of facts known, beyond those that are by luck."""
        return np.asarray((self.known(self.facts.frequency) - self.known(0.0)[..., None]) @ self.facts.count)

    @property
    def stranger_bits(self) -> Floats:
        """Bits to pay for the value of a name never told: more than a fact has, as crowding makes answers confident."""
        return self.bits(0.0)

    @property
    def stranger_confidence(self) -> Floats:
        """Mean probability of the best guess about a name never told."""
        return self.of("confidence", 0.0)

    def half(self, share: float = 0.5) -> Floats:
        """Frequency q at which this `share` of facts are known, inf where the limit keeps all below it; n q are exposures."""
        check_real("share", share, 0, 1, "0.5 is half of them", closed="()")
        rows = in_table(flow_table(self.facts.base)["known"], STRENGTHS, np.sqrt(self.noise).reshape(-1, 1))
        found = [np.interp(share, row, STRENGTHS) for row in np.maximum.accumulate(rows, axis=1)]
        s = np.reshape(found, self.noise.shape)
        return np.where(s < self.limit, 1 / np.maximum(1 / s - 1 / self.limit, 1e-300), np.inf) / self.rate


def memory_law(
    facts: Facts,
    n: ArrayLike,
    weights: ArrayLike,
    *,
    nats: ArrayLike = 1.0,
    limit: ArrayLike = np.inf,
    noise: ArrayLike = 0.0,
) -> MemoryLaw:
    """The law of a linear softmax memory of P = width times values `weights` after n >= 0 sentences; arguments broadcast.

    `nats` γ > 0 is what an exposure gives a fact alone: SGD's rate where keys have norm 1. `limit` > 0 is the strength that no
    fact can pass, `noise` ν >= 0 a variance of strangers' logits that more weights do not lessen. Facts are taken together in
    bins of ln q of 0.1. Raises `InputError` on numbers out of range.
    """
    given = (
        numbers("n", n, 0, np.inf, "[)", "it is a number of sentences"),
        numbers("weights", weights, 0, np.inf, remedy="it is the number of weights"),
        numbers("nats", nats, 0, np.inf, remedy="0.1 to 0.4 is usual"),
        numbers("limit", limit, 0, np.inf, "(]", "inf is no limit"),
        numbers("noise", noise, 0, np.inf, "[)", "0 is the noise of crowding alone"),
    )
    binned = facts.binned(BIN)
    size, P, gamma, most, nu = (np.array(x) for x in np.broadcast_arrays(*given))
    table, state, x = flow_table(facts.base), np.empty((size.size, 2)), gamma * size
    points = (part.ravel() for part in (x, P, most, nu))
    solve(table["spread"], table["response"], SIGMAS, binned.frequency, binned.count, *points, state)
    gain, variance = (part.reshape(size.shape) for part in state.T)
    return MemoryLaw(binned, size, P, x * gain, most, variance, gain)


@kernel
def solve(
    spread: Any, response: Any, sigmas: Any, q: Any, count: Any, x: Any, P: Any, most: Any, nu: Any, out: Any
) -> None:
    """Both equations, iterated from G = 1 and σ = 0 by steps of 0.3 of the way: the branch of a memory that fills."""
    for i in range(len(x)):
        G, v = 1.0, nu[i]
        for _ in range(2000):
            sigma = min(max(math.sqrt(v), sigmas[0]), sigmas[-1])
            row = min(max(np.searchsorted(sigmas, sigma), 1), len(sigmas) - 1)
            share = (sigma**2 - sigmas[row - 1] ** 2) / (sigmas[row] ** 2 - sigmas[row - 1] ** 2)
            A, T = 0.0, 0.0
            for k in range(len(q)):
                told = x[i] * q[k] * G
                s = told * most[i] / (told + most[i]) if most[i] < 1e300 else told
                if s <= STRENGTHS[1]:
                    left, u = 0, s / STRENGTHS[1]
                else:
                    place = 1 + 8 * (math.log(s) + 5)
                    left = min(int(place), len(STRENGTHS) - 2)
                    u = min(place - left, 1.0)
                for r, w in ((row - 1, 1 - share), (row, share)):
                    A += count[k] * w * (spread[r, left] * (1 - u) + spread[r, left + 1] * u)
                    T += count[k] * w * (response[r, left] * (1 - u) + response[r, left + 1] * u)
            dG, dv = max(1 - T / P[i], 1e-3) - G, nu[i] + A / P[i] - v
            if abs(dG) < 1e-6 and abs(dv) < 1e-6 * (1 + v):
                break
            G, v = G + 0.3 * dG, v + 0.3 * dv
        out[i, 0], out[i, 1] = G, v


@dataclass(frozen=True)
class StepSum:
    """S(n) = Σ_u η_u, the learning rates of all updates that n sentences make: how far an optimiser of unit steps can go."""

    rate: float
    """The peak."""
    batch: int
    """Sentences per update."""
    factor: Callable[[int, int], float] = lambda update, updates: 1.0
    """The rate of an update (from 0) of so many, over the peak: the method `factor` of a schedule of `twopart.learners`."""
    sentences: int | None = None
    """Of the whole run; None: the most that is asked for."""

    def __post_init__(self) -> None:
        check_real("rate", self.rate, 0, np.inf, "1e-3 to 1e-2 suits small models", closed="()")
        check_integer("batch", self.batch, 1, None, "it is the number of sentences per update")

    def __call__(self, n: ArrayLike) -> Floats:
        """S after n >= 0 sentences, any shape."""
        told = numbers("n", n, 0, 1e12, "[)", "it is a number of sentences")
        updates = math.ceil(max(told.max(initial=0), self.sentences or 0) / self.batch)
        rates = [self.factor(update, updates) for update in range(math.ceil(told.max(initial=0) / self.batch))]
        return np.asarray(self.rate * np.interp(told / self.batch, np.arange(len(rates) + 1), np.cumsum([0.0, *rates])))


def learner_law(
    world: SyntaxKnowledge,
    n: ArrayLike,
    params: ArrayLike,
    width: ArrayLike,
    *,
    nats: ArrayLike,
    speed: ArrayLike,
    steps: StepSum,
    noise: ArrayLike = 0.0,
    entities: Entities | None = None,
) -> MemoryLaw:
    """A transformer of P = `params` and this width after n > 0 sentences of the world; arguments broadcast.

    It is a memory of P weights in which no fact's strength passes `speed` times width times S(n), S the sum of the learning
    rates; `nats` and `speed` are a learner's own numbers (`fit_learner`). `entities` as in `capacity_law`. Raises `InputError`
    on numbers out of range.
    """
    told = numbers("n", n, 0, np.inf, remedy="it is a number of sentences")
    reach = numbers("speed", speed, 0, np.inf, remedy="0.3 to 0.5 was seen")
    limit = reach * numbers("width", width, 0, np.inf, remedy="it is the model's width") * steps(told)
    facts = Facts.of_world(world, float(told.max()), entities)
    return memory_law(facts, told, params, nats=nats, limit=limit, noise=noise)

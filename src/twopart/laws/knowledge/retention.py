"""What a memory keeps of old facts when new ones are told. Derived in docs/laws/learner-law.md, Told first and later.

A linear softmax memory has learned old facts (`memory_law`): logits z of an old fact, σ₁² of a name never told. Then n
sentences come, a share r of them replayed, the others about new facts, and what is learned of them is crowded by what is there:
    G = 1 - (1/P) Σ Tr     σ₂² = (1/P) Σ A     σ² = G² σ₁² + σ₂²
summed over what is learned now. New facts flow through noise of σ²; of an old one G z + σ₂ g is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart import _random
from twopart._arrays import Floats, numbers
from twopart._checks import check
from twopart.laws.knowledge.learner import Facts, MemoryLaw
from twopart.laws.knowledge.learner_flow import flow_logits

BIN = 0.25  # of ln q, within which old facts count as alike
DRAWS, COARSE = 512, 8  # noises, in pairs of opposite sign; one in so many tells the noise and the gain


@dataclass(frozen=True, eq=False)
class Retention:
    """What is left of old facts; fields have the common shape S of sentences and shares of replay."""

    old: MemoryLaw
    """Old facts as they would be known by replay alone."""
    new: MemoryLaw
    """New facts; its noise σ² is that of a name never told, its gain G what is left of old logits."""
    added: Floats
    """σ₂², the part of the noise that came later."""
    was: Floats
    """Probability that an old fact was the best guess before, shape (F,), by `old.facts`."""
    left: Floats
    """Probability that it was and still is, nothing told of it since, shape S + (F,)."""

    def known(self, q: ArrayLike) -> Floats:
        """Probability that an old fact of frequency q was the best guess and still is; shape S, then that of q.

        It still is if what is left of it says so, or else if replay alone would teach it.
        """
        told = numbers("q", q, 0, 1, "[]", "it is the probability that an old sentence tells the fact")
        each = self.old.facts.frequency
        share = self.left + (self.was - self.left) * self.old.of("right", each)
        place = np.interp(np.log(np.maximum(told, 1e-300)), np.log(each), np.arange(len(each)))
        low = np.minimum(place.astype(int), max(len(each) - 2, 0))
        high, part = np.minimum(low + 1, len(each) - 1), place - low
        return np.asarray(share[..., low] * (1 - part) + share[..., high] * part)

    @property
    def kept(self) -> Floats:
        """The share of the old facts known before that still is, shape S."""
        facts = self.old.facts
        return np.asarray(self.known(facts.frequency) @ facts.count / max(float(self.was @ facts.count), 1e-12))


def retention_law(
    before: MemoryLaw,
    new: Facts,
    n: ArrayLike,
    replay: ArrayLike = 0.0,
    *,
    nats: ArrayLike = 1.0,
    limit: ArrayLike = np.inf,
) -> Retention:
    """What the memory `before`, of one size after one lesson, keeps of its facts after n >= 0 sentences of another.

    A share `replay` in [0, 1] of them tells old facts at `before.facts.frequency`, the others `new` ones at theirs; `nats` and
    `limit` as in `memory_law`; all broadcast. Values must be alike. Facts that are replayed and were kept count as quiet, so
    noise comes out too low where much is replayed. Raises `InputError` on numbers out of range.
    """
    check(before.noise.shape == (), "before", before.noise.shape, "the law of one memory, of shape ()", "take one size")
    alike = isinstance(new.base, int) and new.base == before.facts.base
    check(alike, "new", new.base, f"of {before.facts.base} values that are alike, as the old ones", "take such facts")
    given = (
        numbers("n", n, 0, np.inf, "[)", "it is a number of sentences"),
        numbers("replay", replay, 0, 1, "[]", "0.1 replays a tenth"),
        numbers("nats", nats, 0, np.inf, remedy="0.1 to 0.4 is usual"),
        numbers("limit", limit, 0, np.inf, "(]", "inf is no limit"),
    )
    size, share, gamma, most = (np.array(x) for x in np.broadcast_arrays(*given))
    old, P, values = before.facts.binned(BIN), float(before.weights), int(before.facts.base)  # type: ignore[arg-type]
    g, fresh = _pairs("before", values), _pairs("later", values)
    with np.errstate(divide="ignore"):
        strength = 1 / (1 / (before.rate * old.frequency) + 1 / before.limit)
    first = np.sqrt(before.noise) * g
    first = first + flow_logits(first, strength)  # (F, draws, V), the first value being true
    was, G, added = _best(first), np.ones(size.shape), np.zeros(size.shape)

    def left(every: int = 1) -> Floats:
        gain, noise = G[..., None, None, None], np.sqrt(added)[..., None, None, None]
        still = _best(gain * first[:, ::every] + noise * fresh[::every])
        return np.asarray((was[:, ::every] & still).mean(-1))

    def told(facts: Facts, part: Floats) -> MemoryLaw:
        return MemoryLaw(
            facts, size, np.full(size.shape, P), gamma * size * part * G, most, G**2 * before.noise + added, G
        )

    for _ in range(200):
        again, lesson, gone = told(old, share), told(new, 1 - share), 1 - left(COARSE)
        A, Tr = (
            lesson.of(name, new.frequency) @ new.count + (again.of(name, old.frequency) * gone) @ old.count
            for name in ("spread", "response")
        )
        toward, more = np.maximum(1 - Tr / P, 1e-3) - G, A / P - added
        G, added = G + 0.3 * toward, added + 0.3 * more
        if np.all(np.abs(toward) < 1e-4) and np.all(np.abs(more) < 1e-4 * (1 + added)):
            break
    return Retention(told(old, share), told(new, 1 - share), added, was.mean(-1), left())


def _pairs(purpose: str, values: int) -> Floats:
    half = _random.generator(0, "retention", purpose).standard_normal((DRAWS // 2, values))
    return np.concatenate([half, -half])


def _best(logits: Floats) -> NDArray[np.bool_]:
    return np.asarray(logits[..., 0] > logits[..., 1:].max(-1))

"""A learner of facts that is solved: a linear softmax memory, taught one fact after another (docs/laws/learner-law.md).

memory = AssociativeMemory(MemoryConfig(values=64, width=64), seed=0)      # logits W x, x the fact's random key, W = 0
taught = teach(memory, facts, values, step="sgd", rate=0.36, snapshots=(16_000, 64_000))
taught[64_000].logits(facts)
confidence_of_strangers(recall(model, world, entity, attribute))           # of any model: its noise, from unknown names
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, softmax

from twopart import _random
from twopart._checks import check, check_choice, check_integer, check_real
from twopart._philox import hash_uniform, hash_words, philox_key
from twopart.learners.knowledge.recalling import Recall
from twopart.learners.schedules import Schedule
from twopart.settings import at_least, between, settings
from twopart.worlds.knowledge import SyntaxKnowledge

Floats = NDArray[np.float32]
DIGITS, BASE = 3, 64  # of a name, as far as names are alike
BETAS, TINY = (0.9, 0.99), 1e-8  # Adam's
NOISES = 400


@settings
class MemoryConfig:
    """A memory of `width` times `values` weights."""

    values: Annotated[int, at_least(2).because("a fact of one value is known to everybody"), "Values V."] = 64
    width: Annotated[int, at_least(1), "Numbers p in a key."] = 64
    shared: Annotated[float, between(0, 1, "[)"), "Part of a key's square norm that is made of its digits."] = 0.0


@dataclass(frozen=True, eq=False)
class AssociativeMemory:
    """Logits W x of a fact's values, x a Gaussian key of mean square norm 1, a function of the seed and the fact alone."""

    config: MemoryConfig
    seed: int = 0
    weights: Any = field(default=None, repr=False)
    """W, shape (p, V), float32; None: zeros, which know nothing."""

    def __post_init__(self) -> None:
        check_integer("seed", self.seed, 0, 2**63 - 1, "any other whole number gives other keys")
        shape = self.config.width, self.config.values
        given = np.zeros(shape, np.float32) if self.weights is None else np.asarray(self.weights, np.float32)
        fine = given.shape == shape and bool(np.isfinite(given).all())
        check(fine, "weights", given.shape, f"finite and of shape {shape}", "None is an empty memory")
        object.__setattr__(self, "weights", given)

    def keys(self, facts: ArrayLike) -> Floats:
        """Keys of facts (K,), any whole numbers, shape (K, p); names that share digits have keys that are alike."""
        ids = _whole("facts", facts, None)
        own = self._gaussian(ids, "key")
        if self.config.shared:
            digits = ids[:, None] // BASE ** np.arange(DIGITS) % BASE + BASE * np.arange(DIGITS)
            alike = self._gaussian(np.arange(BASE * DIGITS), "digit")[digits].sum(1) / np.sqrt(DIGITS)
            own = np.sqrt(1 - self.config.shared) * own + np.sqrt(self.config.shared) * alike
        return np.asarray(own / np.sqrt(self.config.width), np.float32)

    def logits(self, facts: ArrayLike) -> Floats:
        """What it says of facts (K,), shape (K, V)."""
        return np.asarray(self.keys(facts) @ self.weights)

    def recall(self, world: SyntaxKnowledge, entity: ArrayLike, attribute: ArrayLike) -> Recall:
        """Its answers about the facts (entity, attribute) of a world, arrays (F,), named by `fact_ids`."""
        which, most = np.asarray(attribute, np.int16), max(a.values for a in world.attributes)
        check(most == self.config.values, "world", most, f"of {self.config.values} values", "ask in its own world")
        shares = softmax(self.logits(fact_ids(entity, attribute)).astype(float), axis=1)
        return Recall(world, which, world.value(entity, attribute), shares)

    @property
    def noise(self) -> float:
        """σ²: variance of a logit of a fact never told, exact over keys (with nothing shared): |W|²/(pV)."""
        return float(np.square(self.weights, dtype=float).mean())

    def _gaussian(self, ids: NDArray[np.int64], purpose: str) -> NDArray[np.float64]:
        uniform = hash_uniform(ids[:, None], np.arange(self.config.width), philox_key(self.seed, purpose))
        return np.asarray(ndtri(uniform + 2.0**-54))  # the middle of a cell, so that no number is infinite


def fact_ids(entity: ArrayLike, attribute: ArrayLike) -> NDArray[np.int64]:
    """One number for each fact, in [0, 2^62)."""
    return np.asarray((hash_words(entity, attribute, philox_key(0, "fact")) >> np.uint64(2)).astype(np.int64))


def teach(
    memory: AssociativeMemory,
    facts: ArrayLike,
    values: ArrayLike,
    *,
    step: Literal["sgd", "adam"] = "sgd",
    rate: float,
    schedule: Schedule | None = None,
    batch: int = 128,
    snapshots: Sequence[int] = (),
) -> dict[int, AssociativeMemory]:
    """One pass over facts and their values, arrays (n,), by descent in cross-entropy; the memory that is given stays as it is.

    "sgd" sums over the batch, so that `rate` is the nats that an exposure gives a fact alone. "adam" takes the mean, with
    betas 0.9 and 0.99, and its rate is that of keys of unit root mean square, as a transformer's are after its norm: a step
    moves a logit by up to about sqrt(2/π) p `rate`. `schedule` None stays at the peak. The result is by sentences, rounded up
    to a whole update, and has the end in any case. Raises `InputError` on arguments that do not fit.
    """
    ids = _whole("facts", facts, None)
    truth = _whole("values", values, memory.config.values)
    n = len(ids)
    check(len(truth) == n > 0, "values", len(truth), f"one for each of {n} facts", "give both columns of one table")
    check_choice("step", step, ("sgd", "adam"))
    check_real("rate", rate, 0, np.inf, "0.1 to 0.4 suits SGD, 0.01 Adam", closed="()")
    check_integer("batch", batch, 1, None, "128 is a good start")
    wanted = sorted({check_integer("snapshots", m, 1, n, "the facts end there") for m in snapshots} | {n})
    named, row = np.unique(ids, return_inverse=True)
    keys, W, out = memory.keys(named), memory.weights.copy(), {}
    mean, square, steps = np.zeros_like(W), np.zeros_like(W), -(-n // batch)
    for u in range(steps):
        here = slice(u * batch, min((u + 1) * batch, n))
        x, error = keys[row[here]], np.arange(here.stop - here.start)
        shares = x @ W
        shares -= shares.max(1, keepdims=True)
        np.exp(shares, out=shares)
        shares /= shares.sum(1, keepdims=True)
        shares[error, truth[here]] -= 1
        gradient = x.T @ shares
        eta = np.float32(rate * (1.0 if schedule is None else schedule.factor(u, steps)))
        if step == "adam":
            gradient /= len(error)
            mean += (1 - BETAS[0]) * (gradient - mean)
            square += (1 - BETAS[1]) * (gradient * gradient - square)
            bias = np.sqrt(1 - BETAS[1] ** (u + 1)) / (1 - BETAS[0] ** (u + 1))
            scale = np.float32(np.sqrt(memory.config.width))  # of keys of norm 1: W and its steps are as much larger
            gradient = np.float32(bias) * scale * mean / (np.sqrt(square) + np.float32(TINY))
        W -= eta * gradient
        while wanted and wanted[0] <= here.stop:
            out[wanted.pop(0)] = AssociativeMemory(memory.config, memory.seed, W.copy())
    return out


@dataclass(frozen=True)
class Strangers:
    """How a model answers about names that nobody told it: as if its logits were β log base + σ g, g Gaussian."""

    sharpness: float
    """β; 1 where all values are alike, which does not show it."""
    noise: float
    """σ."""
    measured: dict[str, float]
    """Mean `confidence`, share `right`, and share `top` of best guesses that are the most probable value."""
    fitted: dict[str, float]
    """The same of the logits fitted."""


def confidence_of_strangers(recall: Recall) -> Strangers:
    """β and σ from a model's answers about facts that it was never told; whether it was, nobody can see here.

    Least squares of three shares on a grid, with 400 noises; needs no truth but the values' own. Raises `InputError` where
    nothing was asked, or of attributes whose values are not alike.
    """
    bases = {tuple(np.sort(a.value_probabilities())[::-1]) for a in recall.world.attributes}
    check(len(recall.truth) > 0, "recall", len(recall.truth), "one answer or more", "ask about names never told")
    check(len(bases) == 1, "recall", len(bases), "of attributes whose values are alike", "take one attribute")
    base = np.array(bases.pop())
    top = float((recall.place(recall.answer) == 0).mean())
    measured = {"confidence": float(recall.confidence.mean()), "right": float(recall.right.mean()), "top": top}
    alike, g = bool(base[0] == base[-1]), _random.generator(0, "strangers").standard_normal((NOISES, len(base)))
    tried, numbers = (
        [],
        [(b, s) for b in ((1.0,) if alike else np.arange(0, 2.55, 0.1)) for s in np.arange(0, 6.05, 0.1)],
    )
    for beta, sigma in numbers:
        shares = softmax(beta * np.log(base) + sigma * g, axis=1)
        guess = shares.argmax(1)
        tried.append((shares.max(1).mean(), base[guess].mean(), (guess == 0).mean()))
    off = (np.array(tried) - list(measured.values())) ** 2 @ ([1, 0, 0] if alike else [1, 1, 1])
    best = int(off.argmin())
    beta, sigma = numbers[best]
    return Strangers(float(beta), float(sigma), measured, dict(zip(measured, map(float, tried[best]), strict=True)))


def _whole(name: str, given: ArrayLike, values: int | None) -> NDArray[np.int64]:
    array = np.asarray(given)
    inside = array.dtype.kind in "iu" and array.ndim == 1
    inside = inside and (values is None or bool(np.all((array >= 0) & (array < values))))
    bound = "whole numbers of shape (any,)" + ("" if values is None else f" in [0, {values})")
    check(inside, name, given, bound, "one for each fact told")
    return array.astype(np.int64)

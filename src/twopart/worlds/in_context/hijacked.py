"""Context hijacking: true statements about a neighbour of the query, whose label is the opposite one.

world = HijackedClassification(dimension=20)
world.sample(1000, context=40)     # Prompts of linear classification in context, each with a task of its own
world.hijacked(1000, tokens=8)     # the same with eight copies of a neighbour across the boundary as the context
digit_pairs(3, 8)                  # real neighbours: digits of one class, each with the nearest of the other

Source: Li, Zhang, Chen, Cao, Zou 2025 (arXiv 2502.15609); the sizes a, b and the spread τ are chosen here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from twopart import _random
from twopart._arrays import Floats, finite
from twopart._checks import check, check_integer, check_real
from twopart.worlds._libraries import library
from twopart.worlds.in_context.images import two_digits
from twopart.worlds.in_context.prompts import Prompts


@dataclass(frozen=True, eq=False)
class HijackPairs:
    """T queries, each with a hijacker, whose label is the opposite one; raises `InputError` where shapes do not agree."""

    hijacker: Floats
    """What the context repeats, shape (T, d)."""
    query: Floats
    """What is asked about, shape (T, d)."""
    label: Floats
    """The query's true label ±1, shape (T,); the hijacker's is its negative."""
    task: Floats
    """The normal of the boundary between them, of any length, shape (T, d); 0 where it is not known."""

    def __post_init__(self) -> None:
        T, d = finite("hijacker", self.hijacker, (None, None), "one row for each pair").shape
        for name, shape in {"hijacker": (T, d), "query": (T, d), "label": (T,), "task": (T, d)}.items():
            object.__setattr__(self, name, finite(name, getattr(self, name), shape, "one for each hijacker"))
        check(bool((np.abs(self.label) == 1).all()), "label", self.label, "1 or -1", "two classes are needed")

    def prompts(self, tokens: int, jitter: float = 0.0, seed: int = 0) -> Prompts:
        """Each query after N copies of its hijacker; `jitter` is the deviation by which each is moved along the boundary."""
        N, (T, d) = check_integer("tokens", tokens, 1, None, "a context has at least one"), self.query.shape
        x = np.broadcast_to(self.hijacker[:, None], (T, N, d))
        if check_real("jitter", jitter, 0, np.inf, "0 repeats the hijacker", closed="[)"):
            moves = _random.generator(seed, "jitter").standard_normal(x.shape)
            w = self.task / np.maximum(np.linalg.norm(self.task, axis=1, keepdims=True), 1e-300)
            x = x + jitter * (moves - np.einsum("tnd,td->tn", moves, w)[..., None] * w[:, None])
        return Prompts(x, np.broadcast_to(-self.label[:, None], (T, N)), self.query, self.label, self.task)


@dataclass(frozen=True)
class HijackedClassification:
    """Tasks w = (w* + τ g/√d)/|.| around what pretraining knows, w*; x ~ N(0, Λ), tr Λ = d; labels sign<w, x>."""

    dimension: int = 20
    """d."""
    prior_spread: float = 1.0
    """τ: 0 has one task, w*."""
    decay: float = 0.0
    """Variances of x fall as i^-decay; 0 is isotropic, as in the paper."""
    seed: int = 0
    """Of w* and of every draw."""

    def __post_init__(self) -> None:
        check_integer("dimension", self.dimension, 2, None, "a neighbour needs a direction along the boundary")
        check_real("prior_spread", self.prior_spread, 0, np.inf, "1 is the usual one", closed="[)")
        check_real("decay", self.decay, 0, np.inf, "0 is isotropic", closed="[)")
        check_integer("seed", self.seed, 0, 2**63 - 1, "any other whole number names other draws")

    @cached_property
    def prior(self) -> Floats:
        """w*, of length 1, shape (d,)."""
        g = _random.generator(self.seed, "hijacked", "prior").standard_normal(self.dimension)
        return np.asarray(g / np.linalg.norm(g))

    @cached_property
    def deviations(self) -> Floats:
        """√Λ, shape (d,)."""
        falling = np.arange(1.0, self.dimension + 1) ** -self.decay
        return np.asarray(np.sqrt(falling / falling.mean()))

    def sample(self, prompts: int, context: int, stream: str | int = 0) -> Prompts:
        """Prompts with `context` examples each, of a stream of their own."""
        T = check_integer("prompts", prompts, 1, None, "ask for one")
        N = check_integer("context", context, 1, None, "a prompt has an example")
        random = _random.generator(self.seed, "hijacked", "sample", stream)
        w = self._tasks(T, random)
        x = random.standard_normal((T, N + 1, self.dimension)) * self.deviations
        y = np.where(np.einsum("tnd,td->tn", x, w) > 0, 1.0, -1.0)
        return Prompts(x[:, 1:], y[:, 1:], x[:, 0], y[:, 0], w)

    def pairs(self, count: int, stream: str | int = 0) -> HijackPairs:
        """x_q = x_⊥ + b w, label 1, and its neighbour x_h = x_⊥ - a w; a, b half-normal, as <w, x> is on either side."""
        T = check_integer("count", count, 1, None, "ask for one")
        random = _random.generator(self.seed, "hijacked", "pairs", stream)
        w = self._tasks(T, random)
        x = random.standard_normal((T, self.dimension)) * self.deviations
        across = x - (x * w).sum(1, keepdims=True) * w
        a, b = np.abs(random.standard_normal((2, T, 1))) * np.linalg.norm(w * self.deviations, axis=1)[:, None]
        return HijackPairs(across - a * w, across + b * w, np.ones(T), w)

    def hijacked(self, prompts: int, tokens: int, jitter: float = 0.0, stream: str | int = 0) -> Prompts:
        """Prompts whose context is a neighbour's, `tokens` times; the pairs are the same for every number of tokens."""
        return self.pairs(prompts, stream).prompts(tokens, jitter, self.seed)

    def _tasks(self, count: int, random: np.random.Generator) -> Floats:
        w = self.prior + self.prior_spread / np.sqrt(self.dimension) * random.standard_normal((count, self.dimension))
        return np.asarray(w / np.linalg.norm(w, axis=1, keepdims=True))


def digit_pairs(positive: int = 3, negative: int = 8, dimension: int = 20, seed: int = 0) -> HijackPairs:
    """Handwritten digits of two classes: each of a half of them with the nearest of the other class in the other half.

    Pixels are projected on the other half's `dimension` principal components and whitened there; the task is a logistic
    regression's direction. Needs scikit-learn, which has the digits. Raises `InputError` for classes other than two of 0 to 9.
    """
    pixels, y = two_digits((negative, positive))
    d = check_integer("dimension", dimension, 2, 40, "a digit has hardly more directions")
    known, asked = np.array_split(_random.generator(seed, "digit pairs").permutation(len(y)), 2)
    mean = pixels[known].mean(0)
    _, sizes, components = np.linalg.svd(pixels[known] - mean, full_matrices=False)
    x = (pixels - mean) @ (components[:d].T * np.sqrt(len(known)) / sizes[:d])
    w = library("sklearn.linear_model", "digits").LogisticRegression(fit_intercept=False).fit(x[known], y[known]).coef_
    distance = np.square(x[asked][:, None] - x[known]).sum(-1) + np.where(y[asked][:, None] == y[known], np.inf, 0)
    return HijackPairs(
        x[known][distance.argmin(1)], x[asked], y[asked], np.tile(w / np.linalg.norm(w), (len(asked), 1))
    )

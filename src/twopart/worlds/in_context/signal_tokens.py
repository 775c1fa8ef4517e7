"""Tokens in two classes: a signal with the label's sign in Gaussian noise; and the same of real images.

x, label = SignalTokens(dimension=256, tokens=512, signal=2.0).sample(0)        # (p, n) and (n,), one draw for each stream
x, label = DigitTokens((3, 8), dimension=40, tokens=200).sample(0)              # handwritten digits, whitened
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from twopart import _random
from twopart._arrays import Floats, finite
from twopart._checks import check, check_integer, check_real
from twopart.worlds.in_context.images import check_two_digits, two_digits


class Tokens(NamedTuple):
    """A context."""

    x: Floats
    """The tokens, a column each, shape (p, n)."""
    label: Floats
    """±1, shape (n,)."""


@dataclass(frozen=True)
class SignalTokens:
    """X = μ y' + Z: labels are ±1 with equal chances, Z has independent N(0, 1) entries."""

    dimension: int = 256
    """p, of a token."""
    tokens: int = 512
    """n, of a context."""
    signal: float | Sequence[float] | Floats = 0.0
    """μ, shape (p,), kept as a tuple; or its length along the first axis."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_integer("dimension", self.dimension, 1, None, "it is the length of a token")
        check_integer("tokens", self.tokens, 1, None, "it is the length of a context")
        check_integer("seed", self.seed, 0, 2**63 - 1, "any other whole number names another world")
        if np.ndim(self.signal) == 0:
            check_real("signal", self.signal, 0, np.inf, "it is a length; give a vector for a direction", closed="[)")
        else:
            μ = finite("signal", self.signal, (self.dimension,), "give one number for each dimension")
            object.__setattr__(self, "signal", tuple(μ.tolist()))

    @cached_property
    def mu(self) -> Floats:
        """μ, shape (p,)."""
        return np.asarray(self.signal) * (np.eye(1, self.dimension)[0] if np.ndim(self.signal) == 0 else 1.0)

    def __str__(self) -> str:
        return f"p/n = {self.dimension / self.tokens:g}"

    def sample(self, stream: int = 0) -> Tokens:
        """A context."""
        random = _random.generator(self.seed, "tokens", stream)
        label = random.choice([-1.0, 1.0], self.tokens)
        return Tokens(np.outer(self.mu, label) + random.standard_normal((self.dimension, self.tokens)), label)


@dataclass(frozen=True)
class DigitTokens:
    """Two digits of scikit-learn, about 360 images: principal components within classes, whitened, about the midpoint."""

    classes: tuple[int, int] = (3, 8)
    """Which two; the second has the label +1."""
    dimension: int = 40
    """p, components; some pixels never vary."""
    tokens: int = 200
    """n, of a context."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_two_digits(self.classes)
        check_integer("dimension", self.dimension, 1, 64, "there are 64 pixels")
        check_integer("tokens", self.tokens, 2, None, "two digits have about 360 images")
        check_integer("seed", self.seed, 0, 2**63 - 1, "any other whole number names another choice of images")

    def __str__(self) -> str:
        return f"digits {self.classes[0]} and {self.classes[1]}"

    def sample(self, stream: int = 0) -> Tokens:
        """A context, chosen without replacement."""
        x, label = self._all
        check(self.tokens <= len(label), "tokens", self.tokens, f"at most {len(label)}", "there are no more images")
        chosen = _random.generator(self.seed, "digit tokens", stream).permutation(len(label))[: self.tokens]
        return Tokens(x[:, chosen], label[chosen])

    @cached_property
    def mu(self) -> Floats:
        """Half of the difference of the classes' means, shape (p,)."""
        x, label = self._all
        return np.asarray((x[:, label > 0].mean(1) - x[:, label < 0].mean(1)) / 2)

    @cached_property
    def _all(self) -> Tokens:
        x, label = two_digits(self.classes)
        order = np.argsort(label, kind="stable")
        x, label = x[order], label[order]
        first, second = x[label < 0].mean(0), x[label > 0].mean(0)
        half, about = (second - first) / 2, x - (second + first) / 2
        values, vectors = np.linalg.eigh(np.cov((about - np.outer(label, half)).T))
        rank, p = int((values > 1e-9 * values[-1]).sum()), self.dimension
        check(p <= rank, "dimension", p, f"at most {rank}", "the other pixels of these digits never vary")
        top = vectors[:, -p:] / np.sqrt(values[-p:])
        return Tokens((about @ top).T, label)

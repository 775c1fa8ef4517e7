"""The signal-noise world: a point is P patches of d numbers, a few hold features, the others noise orthogonal to all features.

    world = SignalNoise(Xor(norm=4.0, cosine=0.3), dimension=4000, flips=0.1, seed=0)
    sample = world.sample(80)                  # .x (80, 2, 4000), .label, .clean, .group, .slot; stream=1 gives fresh points

Which features there are is a value. Each kind is a mixture of a few groups of points, and a group says which directions, in
what amount, its points hold:

    Signed        y μ                                        one direction, its sign is the label
    PerClass      μ_y                                        orthogonal directions, one for each class
    Xor           ±u for y = 1, ±v for y = -1                <u, v> = cosine norm²: no linear rule does better than chance
    CommonRare    v_y, or u_y in a share `rare`              `leak` adds leak v_(either class) in a further patch
    StrongWeak    y v always, and y u but for a share `missing`

Noise patches are N(0, σ² (I - projector on all directions)), so that signal and memory do not mix. Sources: Cao, Chen, Belkin,
Gu 2022, arXiv 2202.06526 (Signed); Meng, Zou, Cao 2024, arXiv 2310.01975 (Xor); Zou, Cao, Li, Gu 2023, arXiv 2303.08433
(CommonRare); Lu, Wu, Yang, Zou 2024, arXiv 2310.17074 (StrongWeak).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from twopart import _random
from twopart._checks import InputError, check, check_integer
from twopart.settings import at_least, between, one_of, settings

Floats = NDArray[np.float64]
NORM = between(0, math.inf, "()").because("a feature without length is none; see `without`")
SHARE = between(0, 1).because("it is a share of the points")


class Part(NamedTuple):
    """What one patch of a point holds."""

    kind: int
    """Which of the features' `kinds`."""
    direction: int
    amount: float


class Group(NamedTuple):
    """Points that hold the same features."""

    share: float
    label: int
    parts: tuple[Part, ...]


@runtime_checkable
class Features(Protocol):
    """Which directions there are, and which of them a point holds."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of the features that a point may hold, each at most once."""

    @property
    def triangle(self) -> Floats:
        """The K directions in an orthonormal basis, lower triangular, shape (K, K): their norms and angles."""

    @property
    def groups(self) -> tuple[Group, ...]:
        """The mixture; shares sum to 1."""

    def without(self, feature: str) -> Features:
        """The same directions, one feature of a point removed."""


def _signs(share: float, *parts: tuple[int, int]) -> tuple[Group, ...]:
    """Both classes, a point's label being the sign of its (kind, direction) parts."""
    return tuple(Group(share / 2, y, tuple(Part(kind, at, float(y)) for kind, at in parts)) for y in (1, -1))


class _Single:
    """Features of which a point holds one: there is none to remove."""

    kinds: tuple[str, ...] = ("signal",)

    def without(self, feature: str) -> Any:
        raise InputError(f"`feature` must be one of several, got {feature!r}; these points hold no other")


@settings
class Signed(_Single):
    """[y μ, ξ]: the sign of the signal is the label."""

    norm: Annotated[float, NORM, "‖μ‖."]

    @property
    def triangle(self) -> Floats:
        return np.array([[self.norm]])

    @property
    def groups(self) -> tuple[Group, ...]:
        return _signs(1.0, (0, 0))


@settings
class PerClass(_Single):
    """[μ_y, ξ], the two directions orthogonal: what an even activation needs, which cannot tell y μ from -y μ."""

    norm: Annotated[float, NORM, "‖μ_y‖."]

    @property
    def triangle(self) -> Floats:
        return self.norm * np.eye(2)

    @property
    def groups(self) -> tuple[Group, ...]:
        return tuple(Group(0.5, y, (Part(0, at, 1.0),)) for at, y in enumerate((1, -1)))


@settings
class Xor(_Single):
    """[±u, ξ] with label 1, [±v, ξ] with label -1, the two at any angle."""

    norm: Annotated[float, NORM, "‖u‖ = ‖v‖."]
    cosine: Annotated[float, between(-1, 1, "()").because("u and v must differ"), "<u, v> / norm²."] = 0.0

    @property
    def triangle(self) -> Floats:
        return self.norm * np.array([[1.0, 0.0], [self.cosine, math.sqrt(1 - self.cosine**2)]])

    @property
    def groups(self) -> tuple[Group, ...]:
        return tuple(Group(0.25, y, (Part(0, at, sign),)) for at, y in enumerate((1, -1)) for sign in (1.0, -1.0))


@settings
class CommonRare:
    """Directions v_1, v_-1 (common), u_1, u_-1 (rare), all orthogonal."""

    norm: Annotated[float, NORM, "‖v_y‖."] = 1.0
    rare_norm: Annotated[float, NORM, "‖u_y‖."] = 1.0
    rare: Annotated[float, SHARE, "Share of the points that hold the rare feature of their class."] = 0.1
    leak: Annotated[float, between(0, 1), "Amount of v of either class, by chance, in a further patch."] = 0.0
    kinds = ("common", "rare", "leak")

    @property
    def triangle(self) -> Floats:
        return np.diag([self.norm, self.norm, self.rare_norm, self.rare_norm])

    @property
    def groups(self) -> tuple[Group, ...]:
        leaks: list[tuple[Part, ...]] = [(Part(2, at, self.leak),) for at in (0, 1)] if self.leak else [()]
        return tuple(
            Group(share / 2 / len(leaks), y, (Part(kind, 2 * kind + at, 1.0), *leak))
            for kind, share in enumerate((1 - self.rare, self.rare))
            for at, y in enumerate((1, -1))
            for leak in leaks
        )

    def without(self, feature: str) -> CommonRare:
        """Without "common" all points are rare ones, without "rare" none is."""
        changed: dict[str, dict[str, float]] = {"common": {"rare": 1.0}, "rare": {"rare": 0.0}, "leak": {"leak": 0.0}}
        check(feature in changed, "feature", feature, f"one of {self.kinds}", "these points hold no other")
        return replace(self, **changed[feature])


@settings
class StrongWeak:
    """Directions u (strong) and v (weak), orthogonal."""

    strong: Annotated[float, NORM, "‖u‖."] = 1.0
    weak: Annotated[float, NORM, "‖v‖."] = 0.2
    missing: Annotated[float, SHARE, "Share of the points without the strong feature."] = 0.2
    kinds = ("weak", "strong")

    @property
    def triangle(self) -> Floats:
        return np.diag([self.weak, self.strong])

    @property
    def groups(self) -> tuple[Group, ...]:
        return (*_signs(1 - self.missing, (0, 0), (1, 1)), *_signs(self.missing, (0, 0)))

    def without(self, feature: str) -> StrongWeak:
        """Without "strong" all points have the weak feature alone."""
        check(feature == "strong", "feature", feature, "'strong'", "every point holds the weak one, which is its label")
        return replace(self, missing=1.0)


@dataclass(frozen=True, eq=False)
class Patches:
    """A sample of n points; a network is trained on `label`, and judged by `clean`."""

    x: NDArray[np.float32]
    """Shape (n, P, d)."""
    label: NDArray[np.int64]
    """-1 or 1, some of them flipped; shape (n,)."""
    clean: NDArray[np.int64]
    """Before flips."""
    group: NDArray[np.int64]
    """Which of the features' groups, shape (n,)."""
    slot: NDArray[np.int64]
    """The patch of each of the features' kinds, -1 where the point has none; shape (n, kinds)."""
    noisy: NDArray[np.bool_]
    """Which patches hold noise, shape (n, P)."""

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: Any) -> Patches:
        """Some of the points: a slice, or whatever picks rows of an array."""
        return Patches(**{name: part[rows] for name, part in vars(self).items()})


@settings
class SignalNoise:
    """Patches that hold features or noise."""

    features: Annotated[Any, "Signed, PerClass, Xor, CommonRare, StrongWeak, or an own kind of `Features`."]
    dimension: Annotated[int, at_least(2), "d, numbers in a patch, above the number of directions."] = 2000
    noise: Annotated[float, between(0, math.inf, "[)"), "σ, of each coordinate of a noise patch."] = 1.0
    patches: Annotated[int, at_least(1), "P, no fewer than the features of a point."] = 2
    noise_on: Annotated[str, one_of("empty", "all"), "Which patches hold noise: those without a feature, or all."] = (
        "empty"
    )
    slots: Annotated[
        str, one_of("first", "random", "apart"), "Features sit in the first patches, in any, or each kind in its own patch."
    ] = "first"  # fmt: skip
    flips: Annotated[float, between(0, 0.5, "[)"), "Labels are flipped with this probability."] = 0.0
    balanced: Annotated[bool, "Groups have their shares of a sample as closely as n allows, not by chance."] = True
    seed: Annotated[
        int, between(0, 2**63 - 1).because("any other names another world"), "Which directions and points."
    ] = 0

    def __post_init__(self) -> None:
        kind = isinstance(self.features, Features)
        check(kind, "features", self.features, "a kind of `Features`", "such as Signed(norm=3.0)")
        K, kinds = len(self.features.triangle), len(self.features.kinds)
        check(self.dimension > K, "dimension", self.dimension, f"> {K}, the directions", "noise needs a direction too")
        most = kinds if self.slots == "apart" else max(len(group.parts) for group in self.features.groups)
        check(self.patches >= most, "patches", self.patches, f">= {most}", "each feature of a point takes a patch")

    @cached_property
    def basis(self) -> Floats:
        """An orthonormal basis of the directions' space, shape (K, d)."""
        shape = self.dimension, len(self.features.triangle)
        q, r = np.linalg.qr(_random.generator(self.seed, "signal directions").standard_normal(shape))
        return np.asarray((q * np.sign(np.diag(r))).T)

    @cached_property
    def directions(self) -> Floats:
        """The features' directions, norms included, shape (K, d)."""
        return np.asarray(self.features.triangle @ self.basis)

    def without(self, feature: str) -> SignalNoise:
        """The same world, one feature of its points removed: where a network is tested that has learned too little."""
        return replace(self, features=self.features.without(feature))

    def sample(self, n: int, stream: int = 0) -> Patches:
        """n points; `stream` picks an independent sample."""
        check_integer("n", n, 1, None, "it is the number of points")
        random = _random.generator(self.seed, "patches", check_integer("stream", stream, 0, None, "0 is the first"))
        groups, P, K = self.features.groups, self.patches, len(self.features.kinds)
        group = self._groups(n, random)
        slot = self._slots(group, random)
        noisy = np.ones((n, P), bool)
        if self.noise_on == "empty":
            rows, k = np.nonzero(slot >= 0)
            noisy[rows, slot[rows, k]] = False
        x = np.zeros((n, P, self.dimension), np.float32)
        x[noisy] = self.noise * self._across(random.standard_normal((int(noisy.sum()), self.dimension), np.float32))
        for g, k in np.ndindex(len(groups), K):
            for part in (part for part in groups[g].parts if part.kind == k):
                rows = np.flatnonzero(group == g)
                x[rows, slot[rows, k]] += (part.amount * self.directions[part.direction]).astype(np.float32)
        clean = np.array([g.label for g in groups])[group]
        return Patches(x, np.where(random.random(n) < self.flips, -clean, clean), clean, group, slot, noisy)

    def _across(self, x: Any) -> Any:
        """The part of rows that is orthogonal to all directions."""
        basis = self.basis.astype(x.dtype)
        return x - (x @ basis.T) @ basis

    def _groups(self, n: int, random: np.random.Generator) -> NDArray[np.int64]:
        """The group of each point, in random order."""
        edges = np.cumsum([group.share for group in self.features.groups])
        edges[-1] = 1.0  # of shares that sum to 1 but for rounding
        at = (np.arange(n) + random.random()) / n if self.balanced else random.random(n)
        return np.asarray(random.permutation(np.searchsorted(edges, at, side="right")), np.int64)

    def _slots(self, group: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
        """The patch of each kind of feature, shape (n, kinds), -1 for none."""
        parts = [[part.kind for part in g.parts] for g in self.features.groups]
        patch = np.broadcast_to(np.arange(self.patches), (len(group), self.patches))
        patch = random.permuted(patch, axis=1) if self.slots == "random" else patch
        slot = np.full((len(group), len(self.features.kinds)), -1)
        for g, kinds in enumerate(parts):
            rows = np.flatnonzero(group == g)
            for place, kind in enumerate(kinds):
                slot[rows, kind] = patch[rows, kind if self.slots == "apart" else place]
        return slot

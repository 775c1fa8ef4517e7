"""Pairs with a hidden rule, b = g(a) + δ ξ: exact at every noise level.

    world = RulePairs("quadratic", 0.05)             # a ~ U(-1, 1), b = 1.5 a² - ½ + 0.05 ξ
    oracle(world, noise, "eps")                      # the perfect denoiser; of `world.product()`, one that knows no rule

Between kinks a rule is straight, or many straight pieces, and each piece is a normal law cut at its ends: there is no grid that
small noise or a small tolerance could fall through. Derived in docs/laws/hidden-rules.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from twopart import _random
from twopart._arrays import Floats
from twopart._checks import check, check_choice, check_integer, check_real, check_sizes
from twopart.worlds.noise import Noise
from twopart.worlds.targets import Product, Target, Values, points

FAR = torch.tensor(1e6, dtype=torch.float64)  # the noise of a feature that is not seen


@dataclass(frozen=True)
class Rule:
    """b = of(u), u the sum of the other features; with more than one of them it must be straight."""

    of: Callable[[Any], Any]
    """Of arrays or tensors, entry by entry."""
    kinks: tuple[float, ...] = ()
    """Where in (-1, 1) it jumps or bends."""
    pieces: int = 1
    """Straight pieces between kinks: some hundred for a curve."""
    features: int = 2

    def __post_init__(self) -> None:
        rising = all(low < high for low, high in pairwise((-1.0, *self.kinks, 1.0)))
        check(rising, "kinks", self.kinks, "rising within (-1, 1)", "the ends are known")
        check_integer("pieces", self.pieces, 1, None, "some hundred for a curve")
        check_integer("features", self.features, 2, None, "the last is told by the others")


def ratio(c: float) -> Rule:
    slope = check_real("c", c, -math.inf, math.inf, "b over a", closed="()")
    return Rule(lambda u: slope * u)


def total(c: float, features: int = 3) -> Rule:
    """All features sum to c."""
    whole = check_real("c", c, -math.inf, math.inf, "what features sum to", closed="()")
    return Rule(lambda u: whole - u, features=features)


RULES = {
    "equal": ratio(1.0),
    "quadratic": Rule(lambda u: 1.5 * u * u - 0.5, pieces=256),
    "threshold": Rule(lambda u: 1.0 - 2.0 * (u <= 0), kinks=(0.0,)),
    "sum": total(0.5),
}


class RulePairs(Target):
    """Features (a_1, ..., b): a_i independent, U(-1, 1), and b = g(Σ a) + `tolerance` ξ. Densities are of pairs."""

    scale: Tensor = torch.ones((), dtype=torch.float64)  # of `diffused`: numbers, or (B,)
    std: Tensor = torch.zeros((), dtype=torch.float64)
    log_normaliser = 0.0

    def __init__(self, rule: str | Rule, tolerance: float) -> None:
        """A rule, or the name of one of `RULES`. Raises `InputError` for others and for tolerances out of range."""
        self.rule = RULES[check_choice("rule", rule, tuple(RULES))] if isinstance(rule, str) else rule
        check(isinstance(self.rule, Rule), "rule", rule, "a `Rule` or a name", "Rule(function, pieces=256) makes one")
        self.tolerance = check_real("tolerance", tolerance, 0, math.inf, "that of b from its rule", closed="[)")
        self.seen = list(range(self.rule.features))  # `product` takes features one by one
        self.dimension, self.ends = len(self.seen), (-1.0, *self.rule.kinks, 1.0)
        edges = np.unique(np.concatenate([np.linspace(*pair, self.rule.pieces + 1) for pair in pairwise(self.ends)]))
        low, high = torch.from_numpy(edges[:-1]), torch.from_numpy(edges[1:])
        one, two = (low + q * (high - low) for q in (0.25, 0.75))  # inside, as a rule may jump at the ends
        slope = (self.rule.of(two) - self.rule.of(one)) / (two - one)
        self._pieces = low, high, slope, self.rule.of(one) - slope * one

    def residual(self, x: Any) -> Any:
        """b - g(Σ a) of points (..., k), arrays or tensors, shape (...)."""
        return x[..., -1] - self.rule.of(x[..., :-1].sum(-1))

    def product(self) -> Product:
        """Of a pair: the law with the same marginals and no rule."""
        parts = copy(self), copy(self)
        for feature, part in enumerate(parts):
            part.seen, part.dimension = [feature], 1
        return Product(*parts)

    def patches(self, count: int, size: int, noise: float = 0.0, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Points (count, k, size), a feature times a random unit vector in each patch, and noise; the vectors (k, size)."""
        check_sizes(size=size)
        check_real("noise", noise, 0, math.inf, "a deviation", closed="[)")
        x, random = self.sample(count, seed), _random.generator(seed, "patches")
        vectors = torch.from_numpy(_random.generator(seed, "vectors").standard_normal((x.shape[1], size)))
        vectors = vectors / vectors.norm(dim=1, keepdim=True)
        return x[..., None] * vectors + noise * torch.from_numpy(random.standard_normal((*x.shape, size))), vectors

    def potential(self, x: Tensor) -> Tensor:
        return -self._law(x)[0]

    def score(self, x: Tensor) -> Tensor:
        return self._law(x)[1]

    def _law(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Log density and score: a given its sight is N(a, v), given that of b too a normal, cut at the ends of each piece."""
        remedy = "take `Empirical(world.sample(n))`, noised"
        check(self.rule.features == 2, "rule", f"{self.rule.features} features", "of two for a density", remedy)
        y, σ = points(x, self.dimension).double() / self.scale[..., None], (self.std / self.scale).clamp(min=1e-12)
        a, b = (y[..., self.seen.index(f), None] if f in self.seen else 0 * y[..., :1] for f in (0, 1))
        v, w = ((σ[..., None] if f in self.seen else FAR) ** 2 for f in (0, 1))
        low, high, c, d = self._pieces
        w, r = w + self.tolerance**2, b - d - c * a
        V = w + c * c * v
        size, centre = (v * w / V).sqrt(), a + c * v / V * r
        α, β = (low - centre) / size, (high - centre) / size
        mass = log_mass(α, β)
        log = mass - (r * r / V + (2 * math.pi * V).log()) / 2
        lean = ((-α * α / 2 - mass).exp() - (-β * β / 2 - mass).exp()) / (size * math.sqrt(2 * math.pi))
        slopes = r * c / V + lean * w / V, lean * c * v / V - r / V
        score = torch.stack([(log.softmax(-1) * slopes[f]).sum(-1) for f in self.seen], -1) / self.scale[..., None]
        unseen = (2 - self.dimension) * math.log(FAR * math.sqrt(2 * math.pi)) - math.log(2)  # and a's density, ½
        return (log.logsumexp(-1) + unseen - self.dimension * self.scale.log()).to(x), score.to(x)

    @property
    def mean(self) -> Tensor:
        (u, weight), mean = nodes(self.ends), torch.zeros(self.rule.features, dtype=torch.float64)
        mean[-1] = float(weight @ self.rule.of(u)) / 2
        return self.scale[..., None] * mean[self.seen]

    @property
    def covariance(self) -> Tensor:
        (u, weight), k = nodes(self.ends), self.rule.features
        g, own = self.rule.of(u), torch.eye(k, dtype=torch.float64) / 3
        own[-1, :-1] = own[:-1, -1] = float(weight @ (u * g)) / 2
        own[-1, -1] = (k - 1) * float(weight @ (g - float(weight @ g) / 2) ** 2) / 2 + self.tolerance**2
        a, s = (v.square()[..., None, None] for v in (self.scale, self.std))
        return a * own[self.seen][:, self.seen] + s * torch.eye(self.dimension, dtype=torch.float64)

    def _draw(self, count: int, random: np.random.Generator) -> Tensor:
        u = random.uniform(-1, 1, (count, self.rule.features - 1))
        x = np.column_stack([u, self.rule.of(u.sum(1)) + self.tolerance * random.standard_normal(count)])[:, self.seen]
        noise = torch.from_numpy(random.standard_normal(x.shape))
        return self.scale[..., None] * torch.from_numpy(x) + self.std[..., None] * noise

    def diffused(self, scale: Values, std: Values) -> Target:
        a, s = (torch.as_tensor(v, dtype=torch.float64) for v in (scale, std))
        check(bool((a > 0).all() and (s >= 0).all()), "scale", scale, "> 0, and `std` >= 0", "no signal, no rule")
        made = copy(self)
        made.scale, made.std = a * self.scale, (a.square() * self.std.square() + s.square()).sqrt()
        return made


def band_classifier(width: float, noise: Noise, count: int = 32) -> Callable[[Tensor, Tensor], Tensor]:
    """(x, t) -> log P(|b - a| < width | x_t), shape (n,), for independent a, b ~ U(-1, 1): exact (Doob's transform).

    By Gauss-Legendre over `count` quantiles of a given x_t: they are where a is, at any noise.
    """
    q, weight = (torch.from_numpy(part) for part in nodes((0.0, 1.0), count))
    w = check_real("width", width, 0, 2, "beyond 2 there is no pair", closed="(]")

    def log_prob(x: Tensor, t: Tensor | float) -> Tensor:
        time = torch.as_tensor(t, dtype=torch.float64, device=x.device)[..., None]
        σ = noise.std(time) / noise.scale(time)
        a, b = (points(x, 2).double() / noise.scale(time))[..., None, :].unbind(-1)
        a = a.clamp(-1 - 6 * σ, 1 + 6 * σ)
        low, high = (torch.special.ndtr((end - a) / σ) for end in (-1, 1))
        at = a + σ * torch.special.ndtri(low + (high - low) * q)
        inside = log_mass(((at - w).clamp(min=-1) - b) / σ, ((at + w).clamp(max=1) - b) / σ)
        return (inside - log_mass((-1 - b) / σ, (1 - b) / σ) + weight.log()).logsumexp(-1).to(x)

    return log_prob


def log_mass(low: Tensor, high: Tensor) -> Tensor:
    """log(Φ(high) - Φ(low)), low < high, in either tail."""
    turned = low + high > 0
    low, high = torch.where(turned, -high, low), torch.where(turned, -low, high)
    top: Tensor = torch.special.log_ndtr(high)
    return top + torch.log(-torch.expm1(torch.special.log_ndtr(low) - top))


def nodes(ends: tuple[float, ...], count: int = 64) -> tuple[Floats, Floats]:
    """Places and weights of Gauss-Legendre quadrature between neighbouring ends."""
    x, w = np.polynomial.legendre.leggauss(count)
    middle, half = (np.array(ends[1:]) + ends[:-1]) / 2, np.diff(ends) / 2
    return (middle[:, None] + half[:, None] * x).ravel(), (half[:, None] * w).ravel()

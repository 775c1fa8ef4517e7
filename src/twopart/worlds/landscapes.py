"""Landscapes: targets whose normaliser is an integral, computed on a grid, in one or two dimensions.

double well, ring, Mueller-Brown. The sum over a uniform grid of an analytic density that vanishes at the ends converges
faster than any power of the spacing (Trefethen & Weideman 2014); `normaliser_error` is what halving the grid changes.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from twopart._checks import check_real
from twopart.worlds.noised import Empirical
from twopart.worlds.targets import Diffused, Target, Values, points

TAIL = 40.0  # a box ends where the potential is this much above its least value: e^-40 is left out


class Landscape(Target):
    """A target of dimension 1 or 2 by its potential and score, with all integrals on a grid over `box`."""

    nodes: int = 4001
    """Grid points an axis."""

    @property
    @abstractmethod
    def box(self) -> tuple[tuple[float, float], ...]:
        """Its ends on each axis; outside the density is negligible."""

    @cached_property
    def grid(self) -> tuple[Tensor, Tensor]:
        """Nodes (n, d) and the logarithms of their shares of all mass, (n,)."""
        x = self._nodes
        log = -self.potential(x)
        return x, log - log.logsumexp(0)

    @cached_property
    def spacing(self) -> Tensor:
        """Distance of nodes on each axis, shape (d,)."""
        return torch.tensor([(high - low) / (self.nodes - 1) for low, high in self.box], dtype=torch.float64)

    @cached_property
    def _nodes(self) -> Tensor:
        axes = [torch.linspace(low, high, self.nodes, dtype=torch.float64) for low, high in self.box]
        return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, self.dimension)

    @cached_property
    def log_normaliser(self) -> float:
        return float((-self.potential(self._nodes)).logsumexp(0) + self.spacing.log().sum())

    @cached_property
    def normaliser_error(self) -> float:
        """How much half of the nodes an axis change the logarithm: far above what the grid itself is wrong by."""
        log = (-self.potential(self._nodes)).reshape([self.nodes] * self.dimension)
        half = log[tuple(slice(None, None, 2) for _ in range(self.dimension))]
        coarse = float(half.flatten().logsumexp(0) + (2 * self.spacing).log().sum())
        return abs(coarse - self.log_normaliser)

    @property
    def mean(self) -> Tensor:
        x, log = self.grid
        return log.exp() @ x

    @property
    def covariance(self) -> Tensor:
        x, log = self.grid
        apart = x - self.mean
        return apart.T @ (log.exp()[:, None] * apart)

    def _draw(self, count: int, random: np.random.Generator) -> Tensor:
        """Exact rejection: a cell by its share and by what may exceed it, a point in it, kept as its density has it."""
        x, log = self.grid
        slack = 0.02 + 0.6 * (self.score(x).abs() * self.spacing).sum(-1)  # half a cell's slope, and how it bends
        share = torch.where(log > log.max() - TAIL, log + slack, -torch.inf).softmax(0).numpy()
        found: list[Tensor] = []
        while sum(map(len, found)) < count:
            cell = torch.from_numpy(random.choice(len(x), count, p=share))
            at = x[cell] + self.spacing * torch.from_numpy(random.random((count, self.dimension)) - 0.5)
            excess = self.potential(x[cell]) - self.potential(at) - slack[cell]
            found.append(at[torch.from_numpy(random.random(count)).log() < excess])
        return torch.cat(found)[:count]

    def diffused(self, scale: Values, std: Values) -> Target:
        return DiffusedLandscape(self, scale, std)


class DiffusedLandscape(Diffused):
    """scale X + std Z for X from a landscape, its density by quadrature, to about 1e-8 at every pair.

    Where the noise is wide, over the landscape's own grid; where it is as narrow as that grid, over one of its own:
    p(y) = E p_0(x) / a^d for x = (y + s ξ) / a, ξ ~ N(0, I), and the score is E[ξ] / s under the posterior.
    """

    def __init__(self, landscape: Landscape, scale: Values, std: Values):
        super().__init__(landscape, scale, std)
        self.landscape, self.wide = landscape, Empirical(*landscape.grid).diffused(self.scale, self.std)
        self.covers = self.std > 3 * float(landscape.spacing.max()) * self.scale

    def potential(self, x: Tensor) -> Tensor:
        log, _ = self._local(x)
        return torch.where(self.covers.to(x.device), self.wide.potential(x), -log)

    def score(self, x: Tensor) -> Tensor:
        _, local = self._local(x)
        return torch.where(self.covers.to(x.device)[..., None], self.wide.score(x), local)

    def _local(self, x: Tensor) -> tuple[Tensor, Tensor]:
        d, y = self.dimension, self._points(x)
        a, s = self.scale.to(y)[..., None, None], self.std.to(y)[..., None, None].clamp_min(1e-12)
        axis = torch.linspace(-7, 7, 29, dtype=torch.float64, device=y.device)
        ξ = torch.stack(torch.meshgrid(*[axis] * d, indexing="ij"), -1).reshape(-1, d)
        weights = (-ξ.square().sum(-1) / 2).log_softmax(0)
        log = self.landscape.log_density((y[..., None, :] + s * ξ) / a.clamp_min(1e-12)) + weights
        score = (log.softmax(-1)[..., None] * ξ).sum(-2) / s[..., 0, :]
        return (log.logsumexp(-1) - d * a[..., 0, 0].log()).to(x), score.to(x)


class DoubleWell(Landscape):
    """f(x) = height (x²/width² - 1)² + tilt x in one dimension: wells at about ±width, a barrier of about `height`."""

    dimension = 1

    def __init__(self, height: float = 2.0, width: float = 1.0, tilt: float = 0.0):
        self.height = check_real("height", height, 0, 1e4, "it is the barrier between the wells", closed="(]")
        self.width = check_real("width", width, 0, 1e6, "it is where the wells lie", closed="(]")
        self.tilt = check_real("tilt", tilt, -1e4, 1e4, "0 makes the wells equal")

    @property
    def box(self) -> tuple[tuple[float, float], ...]:
        """(u² - 1)² >= u⁴/2 - 1 in u = x/width: far enough out the quartic carries the tilt and `TAIL`."""
        pull = abs(self.tilt) * self.width
        end = max((4 * (TAIL + 2 * self.height + pull) / self.height) ** 0.25, (4 * pull / self.height) ** (1 / 3))
        return ((-self.width * end, self.width * end),)

    def potential(self, x: Tensor) -> Tensor:
        u = points(x, 1)[..., 0]
        return self.height * ((u / self.width).square() - 1).square() + self.tilt * u

    def score(self, x: Tensor) -> Tensor:
        u = points(x, 1) / self.width
        return -4 * self.height / self.width * u * (u.square() - 1) - self.tilt


class Ring(Landscape):
    """f(x) = (|x| - radius)² / 2 width² in the plane, 6 to 40 widths in radius: nothing is left at the centre's cusp."""

    dimension, nodes = 2, 241

    def __init__(self, radius: float = 3.0, width: float = 0.3):
        self.width = check_real("width", width, 0, np.inf, "it is the standard deviation across", closed="()")
        self.radius = check_real("radius", radius, 6 * self.width, 40 * self.width, "mind `width`: 6 to 40 of them")

    @property
    def box(self) -> tuple[tuple[float, float], ...]:
        end = self.radius + (2 * TAIL) ** 0.5 * self.width
        return ((-end, end), (-end, end))

    def potential(self, x: Tensor) -> Tensor:
        return ((_norm(x) - self.radius) / self.width).square() / 2

    def score(self, x: Tensor) -> Tensor:
        r = _norm(x)[..., None].clamp_min(1e-12)
        return (self.radius - r) / self.width**2 * x / r


class MuellerBrown(Landscape):
    """f = β V for the potential of Müller & Brown 1979: three basins, two saddles, curved paths."""

    dimension, nodes = 2, 401
    A, a = (-200.0, -100.0, -170.0, 15.0), (-1.0, -1.0, -6.5, 0.7)
    b, c = (0.0, 0.0, 11.0, 0.6), (-10.0, -10.0, -6.5, 0.7)
    at = ((1.0, 0.0), (0.0, 0.5), (-0.5, 1.5), (-1.0, 1.0))

    def __init__(self, beta: float = 0.1):
        self.beta = check_real("beta", beta, 0.05, 1.0, "0.1 lets the basins meet; the least value of V is -146.7")

    @cached_property
    def box(self) -> tuple[tuple[float, float], ...]:
        """Round all points of a coarse grid that lie less than `TAIL` above the lowest, and a step further."""
        axes = [torch.linspace(-5, 4, 181, dtype=torch.float64), torch.linspace(-4, 5, 181, dtype=torch.float64)]
        x = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)
        f = self.potential(x)
        low = x[f < f.min() + TAIL]
        ends = zip((low.amin(0) - 0.05).tolist(), (low.amax(0) + 0.05).tolist(), strict=True)
        return tuple(ends)

    def _terms(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """A_k e^{...}, shape (..., 4), and the derivatives of the exponents."""
        x = points(x, 2)
        A, a, b, c = (x.new_tensor(v) for v in (self.A, self.a, self.b, self.c))
        dx, dy = (x[..., None, :] - x.new_tensor(self.at)).unbind(-1)
        term = A * (a * dx.square() + b * dx * dy + c * dy.square()).clamp_max(100).exp()  # far out no overflow
        return term, 2 * a * dx + b * dy, b * dx + 2 * c * dy

    def potential(self, x: Tensor) -> Tensor:
        return self.beta * self._terms(x)[0].sum(-1)

    def score(self, x: Tensor) -> Tensor:
        term, along_x, along_y = self._terms(x)
        return -self.beta * torch.stack([(term * along_x).sum(-1), (term * along_y).sum(-1)], -1)


def _norm(x: Tensor) -> Tensor:
    """|x|, shape (...)."""
    return points(x, 2).square().sum(-1).sqrt()

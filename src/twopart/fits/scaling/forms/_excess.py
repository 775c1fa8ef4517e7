"""What a plan needs of a form: the excess of the loss over its floor, a falling term for each input, solved for the inputs.

    L^(1/p) = F + T,     T = e^(a - α X) + e^(b - β Y)     X = ln N, Y = ln D, but for data that run out

Everything is a logarithm, t = ln T, so that no amplitude is too large and no excess too small; arrays have one entry for each
draw of the parameters. At equal compute neither more parameters nor more tokens help where both terms have one slope,
α A/N^α = β B/D^β, so the best splits lie on a line in (ln N, ln D), and every goal has a closed form. Derived here.

Where data run out (`repeated`), X and Y are the logarithms of what parameters and tokens are worth, and slopes have the
factor g = dX/d ln N. It falls: with S = R (1 - e^(-q/R)), ln g = ln(1+q) - q/R - ln(1+S), and since q >= S,
d ln g/dq = 1/(1+q) - (R+1)/(R (1+S)) < 0. So each goal is where one falling function crosses zero, between known ends. Up
to U tokens the best size has no excess parameters, and the plain line holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

HALVINGS = 52  # of brackets that are at most some hundreds wide in a logarithm: to 1e-13
FARTHEST = 600.0  # ln of how many times a unit is repeated, at most: e^600 is still a number


@dataclass(frozen=True)
class Excess:
    """A floor, and what is above it."""

    floor: Floats
    """ln F, -inf where there is none, shape (R,)."""
    power: Floats | float = field(default=1.0, kw_only=True)
    """p."""

    @property
    def lowest(self) -> Floats:
        """The least t that inputs without bound reach."""
        return np.full_like(self.floor, -np.inf)

    def loss(self, t: Floats) -> Floats:
        """ln L."""
        return np.asarray(self.power * np.logaddexp(self.floor, t))

    def above_floor(self, loss: float) -> Floats:
        """t of ln L; -inf where the floor is above it."""
        gap = self.floor - loss / self.power
        with np.errstate(divide="ignore"):
            return np.asarray(loss / self.power + np.log(-np.expm1(np.minimum(gap, 0.0))))


@dataclass(frozen=True)
class Split(Excess):
    """Parameters and tokens, which share a budget. Exponents that are not > 0 are nan: such a draw has no best split."""

    a: Floats
    alpha: Floats
    b: Floats
    beta: Floats
    end: float = np.inf
    """ln U, distinct tokens."""
    reuse: tuple[Floats, Floats] | None = None
    """R of parameters and of tokens; None where nothing wears out."""

    @cached_property
    def ratio(self) -> Floats:
        """ln(α A / β B)."""
        return self.a - self.b + np.log(self.alpha / self.beta)

    @property
    def lowest(self) -> Floats:
        return super().lowest if self.reuse is None else self.b - self.beta * self.end + self._lasting

    def distinct(self, t: float) -> float:
        """The least number of distinct tokens on which the first draw reaches the excess t."""
        return float(np.exp((self.b + self._lasting - t) / self.beta)[0])

    @property
    def _lasting(self) -> Floats:
        """ln of the share of B/U^β that endless repeats leave."""
        size, data = (np.log1p(R) for R in self.reuse or (np.zeros(1), np.zeros(1)))
        return np.logaddexp(np.log(self.beta / self.alpha) - self.alpha * size, -self.beta * data)

    def excess(self, x: Floats, y: Floats) -> Floats:
        """t at any point."""
        X, Y = x, y
        if self.reuse is not None:
            u = np.minimum(y, self.end)
            X, Y = _worth(x, (self.ratio + self.beta * u) / self.alpha, self.reuse[0]), _worth(y, u, self.reuse[1])
        return np.logaddexp(self.a - self.alpha * X, self.b - self.beta * Y)

    def at_compute(self, k: Floats) -> tuple[Floats, Floats]:
        """The best x and y of x + y = k."""
        x = (self.beta * k + self.ratio) / (self.alpha + self.beta)
        if self._lasts(k - x):
            return x, k - x
        worn = _root(lambda x: self._size_slope(x) - self._data_slope(k - x), self._corner, k - self.end)
        x = np.where(k - x > self.end, worn, x)
        return x, k - x

    def at_size(self, x: Floats) -> tuple[Floats, Floats]:
        """x, and the y that belongs to it."""
        y = (self.alpha * x - self.ratio) / self.beta
        if self._lasts(y):
            return x, y
        low = np.full_like(y, self.end)
        wanted = self._size_slope(x)
        worn = _root(lambda y: self._data_slope(y) - wanted, low, low + FARTHEST)
        return x, np.where(y > self.end, worn, y)

    def at_data(self, y: Floats) -> tuple[Floats, Floats]:
        """y, and the x that belongs to it."""
        x = (self.beta * y + self.ratio) / self.alpha
        if self._lasts(y):
            return x, y
        wanted = self._data_slope(y)
        worn = _root(lambda x: self._size_slope(x) - wanted, self._corner, self._corner + FARTHEST)
        return np.where(y > self.end, worn, x), y

    def at_excess(self, t: Floats, served: float = -np.inf) -> tuple[Floats, Floats]:
        """The x and y of excess t with the least 6 N D + 2 N S, ln S = `served`; inf where no inputs reach it.

        By λ, the logarithm of the data's term over the size's: N costs (6 D + 2 S) N and D costs 6 N D, so the cheapest has
        G - H = ln(1 + S/(3 D)), logarithms of slopes. G - H >= λ* - λ below the balance λ* = ln(α/β) of S = 0, which
        bounds λ; wear moves λ* by no more than β ln(1 + R_D) down, α ln(1 + R_N) up.
        """
        even = np.log(self.alpha / self.beta)
        y = self._terms(t, even)[1]
        plain = self._lasts(y)
        if plain and served == -np.inf:
            x, y = self._terms(t, even)
        else:
            up, down = (np.log1p(R) for R in self.reuse) if self.reuse and not plain else (0.0 * t, 0.0 * t)
            extra = np.logaddexp(0.0, served - np.log(3.0) - np.minimum(y, self.end))
            low, high = even - self.beta * down - extra, even + self.alpha * up
            x, y = self._terms(t, _root(lambda share: self._gain(t, share, served), low, high))
        never = ~(t > self.lowest) & ~np.isnan(t + even)
        return np.where(never, np.inf, x), np.where(never, np.inf, y)

    @cached_property
    def _corner(self) -> Floats:
        """x at the end of the distinct tokens."""
        return (self.ratio + self.beta * self.end) / self.alpha

    def _lasts(self, y: Floats) -> bool:
        """Whether no draw repeats its tokens."""
        return self.reuse is None or not bool(np.any(y > self.end))

    def _size_slope(self, x: Floats) -> Floats:
        """ln of how fast T falls with x, where tokens repeat."""
        return self._steepest[0] - _wear(self.alpha, x, self._corner, self.reuse and self.reuse[0])

    def _data_slope(self, y: Floats) -> Floats:
        return self._steepest[1] - _wear(self.beta, y, self.end, self.reuse and self.reuse[1])

    @cached_property
    def _steepest(self) -> tuple[Floats, Floats]:
        return np.log(self.alpha) + self.a, np.log(self.beta) + self.b

    def _terms(self, t: Floats, share: Floats) -> tuple[Floats, Floats]:
        """x and y of which the terms make up t, the data's e^share times the size's."""
        X = (self.a - t + np.logaddexp(0.0, share)) / self.alpha
        Y = (self.b - t + np.logaddexp(0.0, -share)) / self.beta
        if self.reuse is None:
            return X, Y
        return _needed(X, self._corner, self.reuse[0]), _needed(Y, self.end, self.reuse[1])

    def _gain(self, t: Floats, share: Floats, served: float) -> Floats:
        """> 0 where fewer tokens and more parameters would be cheaper."""
        x, y = self._terms(t, share)
        gain: Floats = self._size_slope(x) - self._data_slope(y) - np.logaddexp(0.0, served - np.log(3.0) - y)
        return gain


@dataclass(frozen=True)
class Fall(Excess):
    """One input: t = b - c0 y - c1 f ln(1 + e^((y - d)/f)). Without the bend, the last three are None."""

    b: Floats
    slope: Floats
    """c0; nan where it is not > 0."""
    bend: Floats | None = None
    """c1; below -c0 the loss rises beyond `turn`."""
    place: Floats | None = None
    width: Floats | None = None

    @property
    def turn(self) -> Floats:
        """y of the least loss; inf where more always helps."""
        if self.bend is None or self.place is None or self.width is None:
            return np.full_like(self.floor, np.inf)
        rises = self.slope + self.bend < 0
        share = np.where(rises, -self.slope / np.where(rises, self.bend, -1.0), 0.5)
        return np.where(rises, self.place + self.width * (np.log(share) - np.log1p(-share)), np.inf)

    @property
    def lowest(self) -> Floats:
        turn = self.turn
        return np.where(np.isinf(turn), -np.inf, self.excess(np.where(np.isinf(turn), 0.0, turn)))

    def excess(self, y: Floats) -> Floats:
        """t at any point."""
        return self.b - self._drop(y)

    def at_excess(self, t: Floats) -> Floats:
        """The least y of excess t; inf where none reaches it.

        Where the loss falls for ever, the drop rises by at least min(c0, c0 + c1) per unit of y; where it turns, it stays
        below c0 y.
        """
        drop = self.b - t
        if self.bend is None or self.place is None:
            return drop / self.slope
        rises = self.slope + self.bend < 0
        steepest = np.where(rises, 1.0, np.maximum(np.minimum(self.slope, self.slope + self.bend), 1e-12))
        start = np.where(rises, 0.0, self.place)
        ahead = start + (drop - self._drop(start)) / steepest
        low = np.where(rises, drop / self.slope, np.minimum(start, ahead))
        high = np.where(rises, self.turn, np.maximum(start, ahead))
        found = _root(lambda y: drop - self._drop(y), low, high)
        never = ~(t >= self.lowest) & ~np.isnan(t + self.slope)
        return np.where(never, np.inf, found)

    def _drop(self, y: Floats) -> Floats:
        if self.bend is None or self.place is None or self.width is None:
            return self.slope * y
        return self.slope * y + self.bend * self.width * np.logaddexp(0.0, (y - self.place) / self.width)


def falling(exponent: Floats) -> Floats:
    """An exponent, nan where the loss would not fall."""
    return np.where(exponent > 0, exponent, np.nan)


def _times(x: Floats, unit: Floats | float) -> tuple[Floats, Floats]:
    """ln(1 + q) and q of what goes beyond a unit, as often as q times."""
    beyond = np.minimum(np.maximum(x - unit, 0.0), FARTHEST)
    return beyond, np.expm1(beyond)


def _worth(x: Floats, unit: Floats, R: Floats) -> Floats:
    """X = ln(U (1 + R (1 - e^(-q/R)))) beyond the unit U, x up to it."""
    _, q = _times(x, unit)
    return np.minimum(x, unit) + np.log1p(-R * np.expm1(-q / R))


def _needed(X: Floats, unit: Floats | float, R: Floats) -> Floats:
    """The x that is worth X; inf where none is."""
    used = np.expm1(np.minimum(np.maximum(X - unit, 0.0), FARTHEST)) / R
    with np.errstate(divide="ignore"):
        beyond: Floats = np.log1p(-R * np.log1p(-np.minimum(used, 1.0)))
    return np.minimum(X, unit) + beyond


def _wear(exponent: Floats, x: Floats, unit: Floats | float, R: Floats | None) -> Floats:
    """By how much the logarithm of a term's slope has fallen at x: that of the term, and of what a further step is worth."""
    if R is None:
        return exponent * x
    beyond, q = _times(x, unit)
    q = q / R
    lost: Floats = np.log1p(-R * np.expm1(-q))
    return exponent * (np.minimum(x, unit) + lost) - beyond + q + lost


def _root(falling: Callable[[Floats], Floats], low: Floats, high: Floats) -> Floats:
    """Where functions that fall cross 0, one per draw, by halving their brackets; nan is below 0."""
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        before = falling(middle) > 0
        low, high = np.where(before, middle, low), np.where(before, high, middle)
    return 0.5 * (low + high)

"""Grids of tokens whose joint law is known, and a user's own, whose law is not.

IsingGrid      values 0..V-1 on a square with free edges, equal neighbours favoured; exact by enumeration and transfer matrix
GaussianGrid   a Gaussian Markov field on a torus; exact by its covariance
TokenGrid      anybody's token grids, codes of a tokenizer or grey levels: samples alone

Positions are row by row: (r, c) is r side + c. Laws are those of 2-D Ising and Potts models (Baxter 1982, chapters 7 and 12).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart import _random
from twopart._arrays import Floats, finite
from twopart._checks import InputError, check, check_integer, check_real
from twopart.worlds._libraries import library

Ints = NDArray[np.int64]
TABLE, STATES = 20, 14
"""Most bits of a grid whose law is held as a table, and of a row, which is a state of the transfer matrix."""
SEED, STREAM = "any other whole number names other samples", "0 is the first"


@dataclass(frozen=True)
class IsingGrid:
    """p(x) ~ exp(2 J [pairs of equal neighbours] + 2 h [tokens of value 1]): with V = 2 the Ising model, with more Potts'."""

    side: int
    """G: the grid is G x G; V^G <= 2^14."""
    coupling: float
    """J, in Ising's convention, s s' with s = -1, 1; Potts' own is 2 J."""
    field: float = 0.0
    """h, towards the value 1."""
    values: int = 2
    """V."""
    seed: int = 0
    """Of samples."""

    def __post_init__(self) -> None:
        check_integer("side", self.side, 1, STATES, "a row's states are summed over one by one")
        most = int(2 ** (STATES / self.side) + 1e-9)
        check_integer("values", self.values, 2, most, "2 is the Ising model; V^side is at most 2^14")
        for name in ("coupling", "field"):
            check_real(name, getattr(self, name), -20, 20, "a coupling of 0.44 is nearly critical for two values")
        check_integer("seed", self.seed, 0, 2**63 - 1, SEED)

    @property
    def tokens(self) -> int:
        return self.side**2

    @cached_property
    def probabilities(self) -> Floats:
        """The law as a table, one axis a position, shape (V, ..., V); V^(G²) <= 2^20."""
        bits = self.tokens * np.log2(self.values)
        check(bits <= TABLE, "side", self.side, f"a grid of at most {TABLE} bits", "ask for `conditionals` instead")
        grid = np.indices((self.values,) * self.tokens, sparse=True)
        weight = sum(2 * self.coupling * (grid[i] == grid[j]) for i, j in neighbours(self.side).tolist())
        table = np.exp(np.asarray(weight + sum(2 * self.field * (axis == 1) for axis in grid)))
        return np.asarray(table / table.sum())

    @cached_property
    def entropy(self) -> float:
        """H in bits, ln Z(1) - d ln Z(t)/dt at t = 1 over ln 2, weights to the power t; its derivative by a complex step."""
        step = 1e-20
        found = self._filter(temperature=1 + 1j * step)[1].item()
        return float((found.real - found.imag / step) / log(2))

    def conditional(self, known: Mapping[int, int]) -> Floats:
        """p(x_i | the known values by position) of every position, shape (N, V)."""
        x = np.array([[known.get(i, 0) for i in range(self.tokens)]])
        return np.asarray(self.conditionals(x, tuple(known))[0])

    def conditionals(self, tokens: ArrayLike, known: Sequence[int]) -> Floats:
        """The same for each of many grids (n, N), of which the positions `known` are taken as given; shape (n, N, V)."""
        x, V = whole("tokens", tokens, (None, self.tokens), self.values), self.values
        given = [check_integer("known", i, 0, self.tokens - 1, "positions are row by row") for i in known]
        weights = np.ones((len(x), self.tokens, V))
        weights[:, given] = np.eye(V)[x[:, given]]
        before = self._filter(weights)[0]
        after, found = np.ones((len(x), V**self.side)), np.empty((len(x), self.tokens, V))
        for site in reversed(range(self.tokens)):
            up, left, shape = self._step(site)
            joint = (before[site + 1] * after).reshape(shape)
            found[:, site] = joint.sum((1, 3)) / joint.sum((1, 2, 3))[:, None]
            after = after.reshape(shape) * weights[:, site][:, None, :, None] * left
            after = (up @ after).reshape(len(x), -1)
            after /= after.max(1, keepdims=True)
        return found

    def sample(self, n: int, stream: int = 0) -> Ints:
        """n independent grids, shape (n, N), exact; `stream` picks an independent sample."""
        check_integer("n", n, 1, None, "it is the number of grids")
        random = _random.generator(self.seed, "ising", check_integer("stream", stream, 0, None, STREAM))
        before, V, G = self._filter()[0], self.values, self.side
        state, x = _draw(before[-1][0][None].repeat(n, 0), random), np.empty((n, self.tokens), np.int64)
        x[:, -G:] = state[:, None] // V ** np.arange(G - 1, -1, -1) % V
        for site in range(self.tokens - 1, G - 1, -1):  # the state before a site had the value above it in its column
            place = V ** (G - 1 - site % G)
            states = (state - x[:, site] * place)[:, None] + place * np.arange(V)
            equal = np.exp(2 * self.coupling * (np.arange(V) == x[:, site, None]))
            above = _draw(before[site][0][states] * equal, random)
            x[:, site - G], state = above, states[np.arange(n), above]
        return x

    def _filter(self, weights: Floats | None = None, temperature: complex = 1.0) -> tuple[list[Any], Any]:
        """p(last G values | no later weight), before and after each site, each (B, V^G) to a factor; and ln of the sum, (B,).

        Weights (B, N, V) multiply those of each token's values: 1 and 0 where it is known.
        """
        w = np.ones((1, self.tokens, self.values)) if weights is None else weights
        state = np.full((len(w), self.values**self.side), 1 / self.values**self.side)
        found: list[Any] = [state]
        total: Any = 0.0
        for site in range(self.tokens):
            up, left, shape = self._step(site, temperature)
            state = up.T @ state.reshape(shape) * left * w[:, site][:, None, :, None]
            size = state.sum((1, 2, 3))
            total, state = total + np.log(size), (state / size[:, None, None, None]).reshape(len(w), -1)
            found.append(state)
        return found, total

    def _step(self, site: int, temperature: complex = 1.0) -> tuple[Any, Any, tuple[int, int, int, int]]:
        """Weights of the value above and this one (V, V), of this and the one to its left, and a state's shape around it."""
        (row, column), V = divmod(site, self.side), self.values
        equal = np.exp(2 * self.coupling * temperature * np.eye(V))
        shape = (-1, V**column, V, V ** (self.side - 1 - column))
        field = np.exp(2 * self.field * temperature * (np.arange(V) == 1))[None, :, None]
        left = np.tile(equal, (V ** (column - 1), 1))[:, :, None] if column else np.ones((1, 1, 1))
        return (equal if row else np.full((V, V), 1 / V)), left * field * (1 if row else V), shape


@dataclass(frozen=True)
class GaussianGrid:
    """A Gaussian field on a G x G torus, of unit variance, whose precision is that of 1/l² - Laplacian, scaled."""

    side: int
    """G."""
    length: float
    """l, about which correlations reach, in sites; > 0."""
    seed: int = 0
    """Of samples."""

    def __post_init__(self) -> None:
        check_integer("side", self.side, 2, 128, "the covariance is a matrix of side^4 numbers")
        check_real("length", self.length, 0, 1e3, "1 to 8 suit a side of 24", closed="()")
        check_integer("seed", self.seed, 0, 2**63 - 1, SEED)

    @cached_property
    def _spectrum(self) -> Floats:
        """Variances of the Fourier modes, of mean 1, shape (G, G)."""
        wave = 2 - 2 * np.cos(2 * np.pi * np.arange(self.side) / self.side)
        variances = 1 / (self.length**-2 + wave[:, None] + wave)
        return np.asarray(variances / variances.mean())

    @cached_property
    def covariance(self) -> Floats:
        """Shape (N, N), N = G²."""
        row, column = np.divmod(np.arange(self.side**2), self.side)
        return np.asarray(np.fft.ifft2(self._spectrum).real[row[:, None] - row, column[:, None] - column])

    def sample(self, n: int, stream: int = 0) -> Floats:
        """n independent fields, shape (n, N); `stream` picks an independent sample."""
        check_integer("n", n, 1, None, "it is the number of fields")
        random = _random.generator(self.seed, "gaussian grid", check_integer("stream", stream, 0, None, STREAM))
        noise = random.standard_normal((n, self.side, self.side))
        return np.asarray(np.fft.ifft2(np.fft.fft2(noise) * np.sqrt(self._spectrum)).real.reshape(n, -1))


@dataclass(frozen=True, eq=False)
class TokenGrid:
    """Anybody's grids of tokens, whole numbers from 0 of shape (n, G, G): their law is unknown."""

    tokens: Ints

    def __post_init__(self) -> None:
        grids = whole("tokens", self.tokens, (None, None, None), 2**31)
        check(grids.shape[1] == grids.shape[2], "tokens", grids.shape, "of shape (n, G, G)", "cut the grids to squares")
        object.__setattr__(self, "tokens", grids)

    @classmethod
    def load(cls, path: str | Path) -> TokenGrid:
        """From a file of NumPy (.npy). Raises `InputError` where there is none, or none that reads."""
        try:
            tokens = np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise InputError(f"`path` must be a file of numpy.save, got {str(path)!r}; {error}") from error
        return cls(tokens)

    @classmethod
    def digits(cls, levels: int = 4) -> TokenGrid:
        """The 1,797 digits of scikit-learn, 8 x 8 pixels of 17 greys, merged evenly to so many levels."""
        check_integer("levels", levels, 2, 17, "the greys are 0 to 16")
        return cls(library("sklearn.datasets", "the digits").load_digits().images.astype(np.int64) * levels // 17)

    @property
    def side(self) -> int:
        return int(self.tokens.shape[1])

    @property
    def values(self) -> int:
        return int(self.tokens.max()) + 1


def neighbours(side: int) -> Ints:
    """Pairs of positions of a grid with free edges, side by side or one above the other, shape (2 side (side - 1), 2)."""
    at = np.arange(check_integer("side", side, 1, None, "it is the grid's") ** 2).reshape(side, side)
    pairs = [np.stack((a.ravel(), b.ravel()), 1) for a, b in ((at[:, :-1], at[:, 1:]), (at[:-1], at[1:]))]
    return np.concatenate(pairs)


def whole(name: str, values: Any, shape: tuple[int | None, ...], below: int) -> Ints:
    """`values` as whole numbers in [0, below) of that shape; raises `InputError` naming the argument."""
    array = finite(name, values, shape, "token grids are flat, (n, N), or (n, G, G)")
    fine = bool((array == np.floor(array)).all() and (array >= 0).all() and (array < below).all())
    check(fine, name, values, f"whole numbers in [0, {below - 1}]", "count tokens from 0")
    return array.astype(np.int64)


def _draw(weights: Floats, random: np.random.Generator) -> Ints:
    """One index of each row (n, k), by its weights."""
    steps = weights.cumsum(1)
    return np.asarray((steps < random.random((len(steps), 1)) * steps[:, -1:]).sum(1))

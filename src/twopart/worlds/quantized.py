"""Quantised targets: a mixture histogrammed in a cube, its cells written in bits. Masses and the scores of bit flips are exact.

    world = QuantizedTarget(MixtureTarget([0.6, 0.4], [[-1.0], [1.5]], scales=0.5), bits=6, radius=4.0)
    world.mass                       # (2^B,) for B <= 20: state x is the number whose binary digits are its bits
    world.ratios(bits, remaining)    # q_u(bit i flipped) / q_u(bits), the face of a perfectly trained network, at any B
    world.sample(1000, seed=0)       # (1000, B), uint8

With z = tanh u a law's noised version is q_u(x) ∝ Σ_k z^k (mass of the states k flips from x): a polynomial with positive
coefficients, so that nothing cancels at any u (docs/laws/quantized-transition.md, the score).
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr
from torch import Tensor

from twopart import _random
from twopart._arrays import finite_tensor
from twopart._checks import check, check_choice, check_integer, check_real
from twopart.worlds.targets import MixtureTarget

Floats = NDArray[np.float64]
Code = Literal["binary", "gray", "random"]
CODES: tuple[Code, ...] = ("binary", "gray", "random")
JOINT = 10
"""Up to so many bits all axes are one table."""
LARGEST = 20
"""Bits of the largest law that is held as an array."""


def code_words(bits: int, code: Code = "binary", seed: int = 0) -> NDArray[np.int64]:
    """The word of each cell 0..2^bits - 1: its number, the Gray code n ^ (n >> 1), or a random permutation drawn by `seed`."""
    check_integer("bits", bits, 1, LARGEST, "it is the bits of one axis")
    cells, random = np.arange(2**bits), _random.generator(seed, "code")
    if check_choice("code", code, CODES) == "binary":
        return cells
    return cells ^ (cells >> 1) if code == "gray" else random.permutation(cells)


class QuantizedTarget:
    """q(n) = p(cell n) / p(cube) on {0,1}^B, B = d `bits`, for a mixture p with diagonal covariances: still a mixture of
    products, so that masses, samples and scores are exact at any dimension.
    """

    def __init__(self, target: MixtureTarget, bits: int, radius: float, code: Code = "binary", seed: int = 0):
        """`bits` of each axis, the cube [-radius, radius]^d; `seed` draws a random code.

        Raises `InputError` for covariances that are not diagonal and for a cube without mass.
        """
        fits = isinstance(target, MixtureTarget) and target.basis is None
        check(fits, "target", type(target).__name__, "a mixture with `scales`", "cells need independent axes")
        self.target, self.dimension = target, target.dimension
        self.bits = check_integer("bits", bits, 1, LARGEST, "it is the bits of one axis")
        self.radius = check_real("radius", radius, 0, math.inf, "it is half the side of the cube", closed="()")
        self.total = self.dimension * bits
        edges, std = np.linspace(-radius, radius, 2**bits + 1), target.variances.sqrt().numpy()
        check(bool((std > 0).all()), "target", "a scale of 0", "a density", "give positive `scales`")
        cells = _between((edges - target.means.numpy()[..., None]) / std[..., None])  # (K, d, cells)
        inside = cells.sum(-1)
        weights = target.log_weights.exp().numpy() * inside.prod(-1)
        self.inside = float(weights.sum())
        """p(cube)."""
        check(self.inside > 1e-12, "radius", radius, "that of a cube with mass", "make it larger")
        there = weights > 0
        self.weights: Floats = weights[there] / self.inside
        self.axes = np.empty_like(cells[there])
        """Masses of each component's words, shape (K, d, 2^bits), each axis summing to 1."""
        self.axes[:, :, code_words(bits, code, seed)] = cells[there] / inside[there][..., None]

    @cached_property
    def mass(self) -> Floats:
        """q, shape (2^B,)."""
        check(self.total <= LARGEST, "bits", self.total, f"{LARGEST} in all at most", "use samples and `ratios`")
        parts = self.weights[:, None]
        for axis in self.axes.swapaxes(0, 1):
            parts = (parts[:, :, None] * axis[:, None]).reshape(len(parts), -1)
        return np.asarray(parts.sum(0))

    def sample(self, count: int, seed: int = 0, stream: int = 0) -> Tensor:
        """`count` independent states, shape (count, B), uint8; `stream` picks an independent sample."""
        check_integer("count", count, 1, None, "it is the number of states")
        random = _random.generator(seed, "quantized", check_integer("stream", stream, 0, None, "0 is one"))
        upto = self.axes.cumsum(-1)[random.choice(len(self.weights), count, p=self.weights)]  # (count, d, words)
        found = (random.random((count, self.dimension, 1)) * upto[..., -1:] >= upto).sum(-1)
        return torch.from_numpy(digits(found, self.bits).reshape(count, -1))

    def ratios(self, bits: Tensor, remaining: Tensor) -> Tensor:
        """q_u(x with bit i flipped) / q_u(x) at states (n, B) and times (n,), shape (n, B), float64."""
        check_remaining(remaining, len(check_bits(bits, self.total)))
        weights, tables = (part.to(bits.device) for part in self._tables)
        _, d, states, powers = tables.shape
        word = words(bits.reshape(len(bits), d, -1))[..., None]
        place = states >> torch.arange(1, powers, device=bits.device)
        near = torch.cat([word, word ^ place], -1) + states * torch.arange(d, device=bits.device)[:, None]
        z = remaining.double().tanh()[:, None] ** torch.arange(powers, device=bits.device)
        value = torch.einsum("kndip,np->kndi", tables.flatten(1, 2)[:, near], z)  # i: here, and a flip of each bit
        here = value[..., :1]
        share = (weights.log()[:, None] + here.log().sum((2, 3))).softmax(0)
        return torch.einsum("kn,kndi->ndi", share, value[..., 1:] / here).reshape(bits.shape)

    @cached_property
    def _tables(self) -> tuple[Tensor, Tensor]:
        """Weights (K,), and masses at each distance from each word of an axis, (K, d, 2^b, b + 1); few bits are one axis."""
        joint = self.total <= JOINT
        found = torch.from_numpy(self.mass[None, None] if joint else self.axes)[..., None]
        for i in range(found.shape[2].bit_length() - 1):  # bit by bit, own word and z times the other
            pad, other = found.new_zeros(*found.shape[:3], 1), found[:, :, torch.arange(found.shape[2]) ^ (1 << i)]
            found = torch.cat([found, pad], -1) + torch.cat([pad, other], -1)
        return torch.from_numpy(np.ones(1) if joint else self.weights), found


def check_remaining(remaining: Tensor, n: int) -> Tensor:
    """Times (n,) that remain, all > 0."""
    finite_tensor("remaining", remaining, (n,), "one time for each row of `bits`")
    check(bool((remaining > 0).all()), "remaining", float(remaining.min()), "in (0, inf)", "stop at a time > 0")
    return remaining


def check_bits(bits: Tensor, width: int | None = None) -> Tensor:
    """Bits (n, B), one state at least, as uint8; `width` is B."""
    fits = isinstance(bits, Tensor) and bits.ndim == 2 and bits.numel() > 0 and width in (None, bits.shape[1])
    got = tuple(bits.shape) if isinstance(bits, Tensor) else type(bits).__name__
    check(fits, "bits", got, f"a tensor of shape (n, {width or 'B'})", "one row for each state")
    check(not bits.is_complex() and bool(((bits == 0) | (bits == 1)).all()), "bits", "others", "0 or 1", "see `encode`")
    return bits if bits.dtype == torch.uint8 else bits.to(torch.uint8)


def digits(words: NDArray[np.integer], bits: int) -> NDArray[np.uint8]:
    """Binary digits, the highest first: (...) -> (..., bits)."""
    return ((words[..., None] >> np.arange(bits - 1, -1, -1)) & 1).astype(np.uint8)


def words(bits: Tensor) -> Tensor:
    """The numbers with these binary digits: (..., b) -> (...), the inverse of `digits`."""
    return (bits.long() << torch.arange(bits.shape[-1] - 1, -1, -1, device=bits.device)).sum(-1)


def _between(edges: Floats) -> Floats:
    """Normal mass between neighbouring edges along the last axis, from the nearer tail, so that far cells keep their digits."""
    low, high = edges[..., :-1], edges[..., 1:]
    return np.asarray(np.where(low > 0, ndtr(-low) - ndtr(-high), ndtr(high) - ndtr(low)))

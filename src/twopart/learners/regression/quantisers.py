"""Rounding to few bits, of arrays and of torch tensors: unbiased where it draws numbers, and how large its error is.

    q = StochasticRounding(0.1)             # to multiples of 0.1, up or down by chance
    q = FloatRounding(3, 4)                 # floats of 3 mantissa and 4 exponent bits;  BlockFloat(8, 32): MX;  Dither(0.1)
    q = quantise("fp8_e4m3")                # a format by name, to nearest as torch casts; stochastic=True draws
    q(x, generator)                         # of x's kind and float type;  q.variance(std): of the error, for N(0, std²)

A generator is torch's or NumPy's; None is torch's own. nan stays nan. Derived in docs/laws/precision-scaling.md, quantisers.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from twopart._arrays import numbers
from twopart._checks import check, check_choice, check_integer, check_real

Random = torch.Generator | np.random.Generator | None
SCALED = np.polynomial.legendre.leggauss(4)


class Quantiser:
    """What rounds: a function of an array or a tensor of any shape, and of a generator."""

    def __call__(self, x: Any, generator: Random = None) -> Any:
        """Rounded, of the same shape, kind and float type. Raises `InputError` if x is not of floats."""
        tensor = x if isinstance(x, Tensor) else torch.as_tensor(np.asarray(x))
        check(tensor.is_floating_point(), "x", tensor.dtype, "of floats", "convert it first")
        if isinstance(generator, np.random.Generator):
            generator = torch.Generator(tensor.device).manual_seed(int(generator.integers(2**63)))
        wide = tensor.float() if tensor.dtype.itemsize < 4 else tensor  # random numbers of few bits would be biased
        rounded = self.rounded(wide, generator).to(tensor.dtype)
        return rounded if isinstance(x, Tensor) else rounded.numpy()

    @abstractmethod
    def rounded(self, x: Tensor, generator: torch.Generator | None) -> Tensor: ...

    def variance(self, std: ArrayLike) -> Any:
        """The mean square of the error for numbers of N(0, std²), std >= 0 of any shape."""
        given = numbers("std", std, 0, np.inf, "[)", "it is a standard deviation")
        found = np.array([self._variance(s) if s else 0.0 for s in given.ravel()]).reshape(given.shape)
        return float(found) if found.ndim == 0 else found

    def _variance(self, std: float) -> float:
        """By default of a sample of 2^17 numbers, in vectors of 2^10: to half a per cent."""
        random = torch.Generator().manual_seed(0)
        x = std * torch.randn(2**7, 2**10, generator=random, dtype=torch.float64)
        return float((self.rounded(x, random) - x).square().mean())


def _to_whole(x: Tensor, nearest: bool, generator: torch.Generator | None) -> Tensor:
    """To a neighbouring whole number: the nearest, ties to even, or either by chance."""
    if nearest:
        return x.round()
    low = x.floor()
    return low + (torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device) < x - low)


def _power(like: Tensor, exponent: Tensor) -> Tensor:
    """2^exponent, or the least number above 0 of that type, of which all are multiples."""
    type = torch.finfo(like.dtype)
    return torch.ldexp(torch.ones_like(like), exponent.clamp(min=round(np.log2(type.tiny) + np.log2(type.eps))))


@dataclass(frozen=True)
class StochasticRounding(Quantiser):
    """To a multiple of `step`, the upper or the lower neighbour by chance, so that the mean is x."""

    step: float
    """Distance of neighbours, > 0."""
    nearest = False

    def __post_init__(self) -> None:
        check_real("step", self.step, 0, np.inf, "it is the distance of neighbours", closed="()")

    def rounded(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        return self.step * _to_whole(x / self.step, self.nearest, generator)

    def _variance(self, std: float) -> float:
        """Fourier series of frac (1 - frac), or of the square to the nearest, under a Gaussian."""
        s = std / self.step
        if s < 0.05:  # all lie within a step of 0
            return std**2 if self.nearest else self.step * std * np.sqrt(2 / np.pi) - std**2
        k = np.arange(1, 60)
        waves = np.exp(-2 * (np.pi * k * s) ** 2) / (np.pi * k) ** 2
        return self.step**2 * float(1 / 12 + ((-1.0) ** k @ waves) if self.nearest else 1 / 6 - waves.sum())


class NearestRounding(StochasticRounding):
    """To the nearest multiple of `step`: biased, for contrast."""

    nearest = True


class Dither(StochasticRounding):
    """To the multiple nearest to x plus a triangular number of ± `step`: a mean of x and a variance of step²/4, whatever x."""

    def rounded(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        drawn = torch.rand((2, *x.shape), generator=generator, dtype=x.dtype, device=x.device)
        return self.step * (x / self.step + drawn[0] - drawn[1]).round()

    def _variance(self, std: float) -> float:
        return self.step**2 / 4


@dataclass(frozen=True)
class ScalarNoise(Quantiser):
    """A vector (the last axis) times 1 + √eps or 1 - √eps, as likely: the theory's multiplicative noise, one factor for all."""

    eps: float
    """In [0, 1]."""

    def __post_init__(self) -> None:
        check_real("eps", self.eps, 0, 1, "the factor 1 - √eps must not turn x around")

    def rounded(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        drawn = torch.rand((*x.shape[:-1], 1), generator=generator, dtype=x.dtype, device=x.device)
        return torch.where(drawn < 0.5, x * (1 + self.eps**0.5), x * (1 - self.eps**0.5))

    def _variance(self, std: float) -> float:
        return self.eps * std**2


@dataclass(frozen=True)
class FloatRounding(Quantiser):
    """To floats of few bits, each number by itself; without `exponent_bits` the exponent is as it comes."""

    mantissa_bits: int
    """Of the fraction, >= 0."""
    exponent_bits: int | None = None
    """In 1..11, with the bias of IEEE 754: below the least exponent numbers are subnormal."""
    largest: float | None = None
    """Greatest value, if there is no infinity; None: as in IEEE 754, whose last exponent is not a number's."""
    nearest: bool = False
    """To the nearest, ties to even, as hardware and casts round; otherwise by chance, so that the mean is x."""

    def __post_init__(self) -> None:
        check_integer("mantissa_bits", self.mantissa_bits, 0, 52, "7 is bfloat16")
        if self.exponent_bits is not None:
            check_integer("exponent_bits", self.exponent_bits, 1, 11, "8 is bfloat16")
        if self.largest is not None:
            check_real("largest", self.largest, 0, np.inf, "it is the greatest value", closed="()")

    @cached_property
    def ends(self) -> tuple[int, float]:
        """The exponent of the least normal number, and the greatest number."""
        if self.exponent_bits is None:
            return -(2**30), self.largest or np.inf
        bias = 2 ** (self.exponent_bits - 1) - 1
        return 1 - bias, self.largest or float(2.0**bias * (2 - 0.5**self.mantissa_bits))

    def rounded(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """Beyond the greatest number is infinity, if there is any, but not by chance, as it would have no mean."""
        least, most = self.ends
        step = _power(x, (torch.frexp(x).exponent - 1).clamp(min=least) - self.mantissa_bits)
        out = torch.where(x.isfinite(), step * _to_whole(x / step, self.nearest, generator), x)
        if self.nearest and self.largest is None:
            return torch.where(out.abs() > most, out * np.inf, out)
        most = min(most, torch.finfo(x.dtype).max)
        return out.clamp(-most, most)

    def _variance(self, std: float) -> float:
        """By quadrature in every half of a cell of the grid, octave by octave."""
        (least, most), (nodes, weights) = self.ends, SCALED
        octaves, parts = np.arange(-14, 4)[:, None, None] + np.floor(np.log2(std)), 2 ** (self.mantissa_bits + 1)
        x = 2.0**octaves * (1 + (np.arange(parts)[:, None] + (nodes + 1) / 2) / parts)
        weight = 2.0**octaves / parts * weights * np.exp(-((x / std) ** 2) / 2) / (std * np.sqrt(2 * np.pi))
        steps = 2.0 ** (np.maximum(octaves, least) - self.mantissa_bits)
        fraction = x / steps - np.floor(x / steps)
        near = np.minimum(fraction, 1 - fraction) ** 2 if self.nearest else fraction * (1 - fraction)
        beyond = np.where(x > most, (x - most) ** 2, steps**2 * near)
        return float((weight * beyond).sum())


@dataclass(frozen=True)
class BlockFloat(Quantiser):
    """Signed whole numbers of `bits` bits with a scale for each block of the last axis, as in MX, or for all, as integers."""

    bits: int
    """With the sign, in 2..24: -(2^(bits-1) - 1) to 2^(bits-1) - 1."""
    block: int | None = 32
    """Neighbours that share a scale, the least power of two that holds them; a shorter block may end the axis. None: one scale
    for the whole tensor, whose largest number is the largest integer."""
    nearest: bool = False

    def __post_init__(self) -> None:
        check_integer("bits", self.bits, 2, 24, "one of them is the sign")
        if self.block is not None:
            check_integer("block", self.block, 1, None, "None is the whole tensor")

    def rounded(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        if not x.numel():
            return x
        rows = x.reshape(1, -1) if self.block is None or not x.ndim else x.reshape(-1, x.shape[-1])
        block = min(self.block or x.numel(), rows.shape[1])
        padded = torch.nn.functional.pad(rows, (0, -rows.shape[1] % block)).reshape(len(rows), -1, block)
        most = 2 ** (self.bits - 1) - 1
        scale = padded.abs().amax(-1, keepdim=True) / most
        if self.block is not None:
            fraction, exponent = torch.frexp(scale)
            scale = _power(scale, exponent - (fraction == 0.5).int())
        scale = torch.where(scale > 0, scale, 1.0)
        whole = _to_whole(padded / scale, self.nearest, generator).clamp(-most, most) * scale
        return whole.reshape(len(rows), -1)[:, : rows.shape[1]].reshape(x.shape)


FORMATS: dict[str, FloatRounding | BlockFloat] = {
    "fp8_e4m3": FloatRounding(3, 4, 448.0, nearest=True),
    "fp8_e5m2": FloatRounding(2, 5, nearest=True),
    "fp4_e2m1": FloatRounding(1, 2, 6.0, nearest=True),
    "bf16": FloatRounding(7, 8, nearest=True),
    "fp16": FloatRounding(10, 5, nearest=True),
    "int8": BlockFloat(8, None, nearest=True),
    "int4": BlockFloat(4, None, nearest=True),
}
"""By name, to nearest: floats as torch casts them (float8_e4m3fn, float8_e5m2, bfloat16, float16), integers of one scale for a
tensor."""


def quantise(format: str | Quantiser, *, stochastic: bool = False) -> Quantiser:
    """The quantiser of a format, or the one that is given; `stochastic`: it rounds by chance, and saturates."""
    if isinstance(format, Quantiser):
        return format
    name = check_choice("format", format, tuple(FORMATS), "or give a quantiser")
    return replace(FORMATS[name], nearest=not stochastic)

"""Quantised transition diffusion (Huang, Lin, Kuang, Dong, Zou, Ma, Zhang 2025, arXiv 2505.21892), on any data and network.

    quantizer = Quantizer.fit(x, bits=4)                        histogram: columns (n, d) to bits (n, B) and back
    model = BitDenoiser(quantizer.total)                        or any module (bits, remaining) -> logits of clean bits = 1
    train_bits(model, quantizer.encode(x), steps=2000)          cross-entropy on flipped bits
    run = uniformize(posterior_ratios(model), quantizer.total, 1000, schedule(quantizer.total, 3.0, 0.01))
    new = quantizer.decode(run.bits)

Bits flip at rate 1; uniformisation draws the times at which the way back may flip one from a Poisson process and asks the score
there, so that no step size biases it. What it generates, exactly: `twopart.laws.sampling`, docs/laws/quantized-transition.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from twopart._arrays import Floats, finite, finite_tensor
from twopart._checks import check, check_choice, check_function, check_integer, check_real, check_sizes
from twopart.laws.sampling.bit_diffusion import Segments, check_segments
from twopart.worlds.quantized import Code, check_bits, check_remaining, code_words, digits, words

Ratios = Callable[[Tensor, Tensor], Tensor]
"""(bits (n, B), remaining (n,)) -> q_u(bit i flipped) / q_u(bits), (n, B), not negative."""
Times = Literal["log-uniform", "uniform"]
Loss = Literal["cross-entropy", "score-entropy"]


@dataclass(frozen=True, eq=False)
class Quantizer:
    """Equal cells between `lower` and `upper` on each column, their numbers in binary or Gray code, all bits in a row."""

    lower: Floats
    upper: Floats
    bits: tuple[int, ...]
    """Of each column."""
    code: Code = "binary"

    def __post_init__(self) -> None:
        check_choice("code", self.code, ("binary", "gray"))
        fits = isinstance(self.bits, tuple) and len(self.bits) > 0
        check(fits, "bits", self.bits, "a tuple", "one number for each column")
        for b in self.bits:
            check_integer("bits", b, 1, 16, "2^bits cells on a column")
        for name in ("lower", "upper"):
            finite(name, getattr(self, name), (len(self.bits),), "one number for each column")
        check(bool((self.lower < self.upper).all()), "upper", self.upper, f"above `lower`, {self.lower}", "see `fit`")

    @classmethod
    def fit(
        cls,
        x: ArrayLike | Tensor,
        bits: int | Sequence[int],
        radius: float | Literal["theorem"] | None = None,
        code: Code = "binary",
        eps: float = 0.1,
    ) -> Quantizer:
        """Cells for points (n, d), with `bits` for all columns or for each.

        `radius`: None takes each column's own range; a number the cube [-radius, radius]^d; "theorem" σ√(2 ln(2d/eps)) with σ²
        the largest second moment along any direction, which is the sub-Gaussian constant of a Gaussian and below others'.
        Raises `InputError` for wrong shapes, nan, a column that is constant and no radius.
        """
        points = _points(x, None)
        d = points.shape[1]
        each = tuple(bits) if isinstance(bits, Sequence) else (bits,) * d
        check(len(each) == d, "bits", each, f"one number, or one for each of {d} columns", "mind the columns of `x`")
        if radius is None:
            lower, upper = points.min(0), points.max(0)
            flat = np.flatnonzero(lower == upper)
            shown = f"one value in column {flat[:1]}"
            check(flat.size == 0, "x", shown, "of several values in each", "drop the column")
            return cls(lower, upper, each, code)
        if radius == "theorem":
            check_real("eps", eps, 0, 1, "0.1 leaves a tenth outside at most", closed="()")
            sigma = math.sqrt(np.linalg.eigvalsh(points.T @ points / len(points))[-1])
            radius = sigma * math.sqrt(2 * math.log(2 * d / eps))
        check_real("radius", radius, 0, math.inf, "it is half the side of the cube", closed="()")
        return cls(np.full(d, -float(radius)), np.full(d, float(radius)), each, code)

    @classmethod
    def levels(cls, columns: int, bits: int, code: Code = "binary") -> Quantizer:
        """For columns of whole numbers 0..2^bits - 1, such as grey levels: exact, `decode(bits)` gives them back."""
        check_sizes(columns=columns, bits=bits)
        return cls(np.full(columns, -0.5), np.full(columns, 2**bits - 0.5), (bits,) * columns, code)

    @property
    def total(self) -> int:
        """B, the bits of a row."""
        return sum(self.bits)

    def encode(self, x: ArrayLike | Tensor) -> Tensor:
        """Bits (n, B), uint8, of points (n, d); a point outside is put into the nearest cell, as `KBinsDiscretizer` does."""
        points = _points(x, len(self.bits))
        cells = 2.0 ** np.array(self.bits)
        number = np.floor((points - self.lower) / (self.upper - self.lower) * cells).clip(0, cells - 1).astype(np.int64)
        words = [digits(code_words(b, self.code)[n], b) for b, n in zip(self.bits, number.T, strict=True)]
        return torch.from_numpy(np.concatenate(words, 1))

    def decode(
        self, bits: Tensor, generator: torch.Generator | None = None, dtype: torch.dtype | None = None
    ) -> Tensor:
        """Points (n, d), uniform in their cells, or without a generator the cells' centres, in `dtype` or torch's default."""
        rows, cells = torch.split(check_bits(bits, self.total).cpu().long(), list(self.bits), 1), []
        for b, part in zip(self.bits, rows, strict=True):
            cells.append(torch.from_numpy(np.argsort(code_words(b, self.code)))[words(part)])
        n = torch.stack(cells, 1)
        inside = torch.full(n.shape, 0.5) if generator is None else torch.rand(n.shape, generator=generator)
        low, high = torch.from_numpy(self.lower), torch.from_numpy(self.upper)
        share = (n + inside.double()) / 2.0 ** torch.tensor(self.bits)
        return (low + share * (high - low)).to(dtype or torch.get_default_dtype())


class Trajectory(NamedTuple):
    """What `uniformize` made: n samples and what each took."""

    bits: Tensor
    """(n, B), uint8."""
    evaluations: Tensor
    """Times that the score was asked, (n,)."""
    jumps: Tensor
    """Bits that flipped, (n,)."""
    truncated: Tensor
    """Times that a score exceeded the rate of events and was scaled down, (n,); 0 for posterior ratios on a `schedule`."""


@torch.no_grad()
def uniformize(
    ratios: Ratios,
    bits: int,
    n: int,
    segments: Segments,
    generator: torch.Generator | None = None,
    *,
    on_segment: Callable[[int, int], None] = lambda done, total: None,
) -> Trajectory:
    """`n` samples of the reverse chain by truncated uniformisation, all at once, from uniform bits.

    In each segment N ~ Poisson(rate · length) events at uniform times; at each, bit i flips with probability ratio_i / rate.
    Computed on the generator's device; `ratios` is given uint8 bits and times of torch's default float type.
    `on_segment(done, total)` is called after each segment. Raises `InputError` for ratios of a wrong shape, negative or not
    finite.
    """
    check_sizes(bits=bits, n=n)
    check_segments(segments, bits)
    check_function("ratios", ratios, "bits and times")
    device = torch.device("cpu") if generator is None else generator.device
    x = torch.randint(2, (n, bits), generator=generator, device=device, dtype=torch.uint8)
    evaluations, jumps, truncated = torch.zeros(3, n, dtype=torch.int64, device=device)
    parts = zip(pairwise(segments.remaining.tolist()), segments.rate.tolist(), strict=True)
    for done, ((before, after), rate) in enumerate(parts, 1):
        mean = torch.full((n,), rate * (before - after), dtype=torch.float64, device=device)
        count = torch.poisson(mean, generator=generator).long()
        share = torch.rand(n, int(count.max()), generator=generator, device=device, dtype=torch.float64)
        share[torch.arange(share.shape[1], device=device) >= count[:, None]] = 2.0  # sorted behind all events
        for k, column in enumerate(share.sort(1).values.unbind(1)):
            rows = (count > k).nonzero()[:, 0]
            u = before - (before - after) * column[rows]
            draw = rate * torch.rand(len(rows), generator=generator, device=device, dtype=torch.float64)
            r = ratios(x[rows], u.to(torch.get_default_dtype()))
            r = finite_tensor("ratios", r, (len(rows), bits), "a function of bits and times, one for each bit")
            check(bool((r >= 0).all()), "ratios", float(r.min()), ">= 0", "they are rates")
            r = r.double().to(device)
            total = r.sum(1)
            upto = (r * (rate / total).clamp_max(1)[:, None]).cumsum(1)
            which = (upto <= draw[:, None]).sum(1)
            moved = which < bits
            x[rows[moved], which[moved]] ^= 1
            evaluations[rows] += 1
            jumps[rows] += moved
            truncated[rows] += total > rate * (1 + 1e-6)  # 1e-6: u has single precision
        on_segment(done, len(segments.rate))
    return Trajectory(x, evaluations, jumps, truncated)


def posterior_ratios(model: Callable[[Tensor, Tensor], Tensor]) -> Ratios:
    """Ratios h coth u + (1 - h) tanh u, h = P(bit i was flipped), from a model of the clean bits' logits.

    They lie in [tanh u, coth u] as the exact ones do, so that no score on a `schedule` is truncated.
    """

    check_function("model", model, "bits and times")

    def ratios(bits: Tensor, remaining: Tensor) -> Tensor:
        check_remaining(remaining, len(check_bits(bits)))
        return _from_logits(_logits(model, bits, remaining).double(), bits, remaining)

    return ratios


def _logits(model: Callable[[Tensor, Tensor], Tensor], bits: Tensor, remaining: Tensor) -> Tensor:
    return finite_tensor("logits", model(bits, remaining), tuple(bits.shape), "a model has one for each bit")


def _from_logits(logits: Tensor, bits: Tensor, remaining: Tensor) -> Tensor:
    tanh = remaining.double().tanh()[:, None]
    h = (logits * (1 - 2 * bits.to(logits))).sigmoid()
    return h / tanh + (1 - h) * tanh


class BitDenoiser(nn.Module):
    """An MLP with the logits of P(clean bit = 1 | noisy bits) as its face: (bits (n, B), remaining (n,)) -> (n, B).

    To what the MLP says is added what the noisy bit says of itself, ± ln coth u: the MLP has only to learn what all other bits
    say. Two hidden layers of `width`; its float type is that of its parameters.
    """

    def __init__(self, bits: int, width: int = 128):
        super().__init__()
        check_sizes(bits=bits, width=width)
        layers = [nn.Linear(bits + 10, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, bits)]
        self.bits, self.net = bits, nn.Sequential(*layers)

    def forward(self, bits: Tensor, remaining: Tensor) -> Tensor:
        like = next(self.parameters())
        x = 2 * check_bits(bits, self.bits).to(like) - 1
        u = check_remaining(remaining, len(x)).to(like)[:, None]
        waves = u.log() * 2.0 ** torch.arange(4, device=u.device) / 4
        logits: Tensor = self.net(torch.cat([x, u.log(), (-u).exp(), waves.sin(), waves.cos()], 1))
        return logits - x * u.tanh().log()

    def ratios(self, bits: Tensor, remaining: Tensor) -> Tensor:
        """`posterior_ratios` of this module."""
        return posterior_ratios(self)(bits, remaining)


def train_bits(
    model: nn.Module,
    bits: Tensor,
    steps: int,
    batch: int = 256,
    times: Times = "log-uniform",
    loss: Loss = "cross-entropy",
    *,
    horizon: float = 4.0,
    stop: float = 1e-3,
    learning_rate: float = 2e-3,
    generator: torch.Generator | None = None,
    on_step: Callable[[int, float], None] = lambda t, loss: None,
) -> Tensor:
    """Train any module (bits, remaining) -> logits in place on clean bits (n, B), by Adam with a rate that falls to 0.

    Times lie between `stop` and `horizon`. All steps' losses come back, shape (steps,), in nats a bit; both have the exact
    posterior as their minimum: cross-entropy of the clean bits, or the denoising score entropy Σ_i s_i - r_i ln s_i with r the
    ratios given the clean bits (Lou, Meng, Ermon 2024, arXiv 2310.16834). `on_step(t, loss)` is called after each.
    """
    data, weights = check_bits(bits), list(model.parameters()) if isinstance(model, nn.Module) else []
    check(len(weights) > 0, "model", model, "a module with parameters", "such as `BitDenoiser`")
    check_sizes(steps=steps, batch=batch)
    check_choice("times", times, ("log-uniform", "uniform"))
    check_choice("loss", loss, ("cross-entropy", "score-entropy"))
    check_real("horizon", horizon, 0, math.inf, "the longest time that bits are noised", closed="()")
    check_real("stop", stop, 0, horizon, "the shortest, below `horizon`", closed="()")
    check_real("learning_rate", learning_rate, 0, math.inf, "2e-3 is the default", closed="()")
    like = weights[0]
    data, losses = data.to(like.device), torch.empty(steps)
    optimiser = torch.optim.Adam(weights, lr=learning_rate)
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    model.train()
    for step in range(steps):
        draw = _uniform(generator, like, batch)
        clean = data[(_uniform(generator, like, batch) * len(data)).long().clamp_max(len(data) - 1)]
        u = stop + draw * (horizon - stop) if times == "uniform" else stop * (horizon / stop) ** draw
        noisy = clean ^ (_uniform(generator, like, *clean.shape) < -torch.expm1(-2 * u)[:, None] / 2).to(clean)
        logits = _logits(model, noisy, u)
        if loss == "cross-entropy":
            value = binary_cross_entropy_with_logits(logits, clean.to(logits))
        else:
            s, tanh = _from_logits(logits, noisy, u), u.double().tanh()[:, None]
            value = (s - torch.where(noisy != clean, 1 / tanh, tanh) * s.log()).mean()
        optimiser.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        fall.step()
        losses[step] = value.item()
        on_step(step + 1, float(losses[step]))
    model.eval()
    return losses


def on_all_states(ratios: Ratios, bits: int) -> Callable[[float], Floats]:
    """u -> the ratios at all 2^bits states, shape (2^B, B): what `twopart.laws.sampling.learned` integrates."""
    check_integer("bits", bits, 1, 16, "all states are held at once")
    check_function("ratios", ratios, "bits and times")
    states = torch.from_numpy(digits(np.arange(2**bits), bits))

    @torch.no_grad()
    def at(u: float) -> Floats:
        check_real("u", u, 0, math.inf, "it is a time that remains", closed="()")
        found = ratios(states, torch.full((len(states),), u, dtype=torch.float64))
        return finite_tensor("ratios", found, tuple(states.shape), "one for each bit").double().cpu().numpy()

    return at


def _uniform(generator: torch.Generator | None, like: Tensor, *shape: int) -> Tensor:
    device = like.device if generator is None else generator.device
    return torch.rand(shape, generator=generator, device=device, dtype=like.dtype).to(like.device)


def _points(x: Any, columns: int | None) -> Floats:
    values = x.detach().cpu().numpy() if isinstance(x, Tensor) else x
    return np.asarray(finite("x", values, (None, columns), "one row for each point"))

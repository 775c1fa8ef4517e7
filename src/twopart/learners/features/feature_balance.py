"""How much of what an encoder's features answer is signal, and how much training noise: of any torch module, or of filters.

    found = feature_balance(model.trunk, signals, noises)      # yours: any module, inputs that hold one or the other
    found.ratio                                                # 1: signal and noise are answered alike
    found.by_feature                                           # the same for each feature
    feature_balance(filters, means, points - means)            # of filters (m, d), which answer with inner products

What a feature answers to an input v is the change that v makes: features(at + v) - features(at). An objective that asks for
all of the data leaves a ratio near 1, one that asks for labels alone a ratio far above or far below. The ratio of an untrained
linear encoder is that of the inputs' lengths. Source: Han, Huang, Cao, Zou 2025, arXiv 2412.01021, who compare <w, μ> and
<w, ξ>; docs/laws/diffusion-feature-learning.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from twopart._arrays import finite_tensor
from twopart._checks import check
from twopart.learners.features.benign import refuse_chance


@dataclass(frozen=True, eq=False)
class FeatureBalance:
    """Answers of m features, of one encoder or of B."""

    signal: Tensor
    """To each signal, shape (K, m) or (B, K, m)."""
    noise: Tensor
    """To each noise, shape (N, m) or (B, N, m)."""

    @property
    def ratio(self) -> Tensor:
        """Mean size of the answers to signals over that to noise, shape () or (B,); nan where nothing is answered."""
        return self.signal.abs().mean((-2, -1)) / self.noise.abs().mean((-2, -1))

    @property
    def root_ratio(self) -> Tensor:
        """The same of root mean squares, which strong features decide."""
        return (self.signal.square().mean((-2, -1)) / self.noise.square().mean((-2, -1))).sqrt()

    @property
    def by_feature(self) -> Tensor:
        """The ratio of each feature, shape (m,) or (B, m)."""
        return self.signal.abs().mean(-2) / self.noise.abs().mean(-2)


def feature_balance(
    encoder: Callable[[Tensor], Tensor] | Tensor, signal: Tensor, noise: Tensor, *, at: Tensor | None = None
) -> FeatureBalance:
    """The answers of an encoder to K inputs that hold signal and to N that hold training noise.

    `encoder` is a module, or any function from a batch of inputs to a batch of features of any shape; `signal` (K, ...) and
    `noise` (N, ...) are inputs, added to `at`, one input, zeros without it. Or it is filters (m, d), or (B, m, d) with inputs
    (B, K, d) and (B, N, d). No graph is kept. Raises `InputError` for shapes and types that do not fit, nan and infinite
    numbers, in inputs or answers, and for dropout or batch normalisation in training mode.
    """
    named = ("signal", signal), ("noise", noise)
    with torch.no_grad():
        if isinstance(encoder, Tensor):
            check(at is None, "at", at, "None for filters", "they answer alike everywhere")
            check(encoder.ndim in (2, 3), "encoder", tuple(encoder.shape), "of shape (m, d) or (B, m, d)", "see above")
            w = finite_tensor("encoder", encoder, (None,) * encoder.ndim, "filters")
            shape = (*w.shape[:-2], None, w.shape[-1])
            both = [finite_tensor(name, v, shape, "as wide as filters") for name, v in named]
            alike = both[0].dtype == both[1].dtype == w.dtype
            check(alike, "signal", signal.dtype, f"{w.dtype}, as filters, and noise too", "convert one of them")
            return FeatureBalance(*(v @ w.mT for v in both))
        check(callable(encoder), "encoder", type(encoder).__name__, "a module, a function, or a tensor", "see above")
        refuse_chance("encoder", encoder)
        shape = tuple(getattr(signal, "shape", ())[1:] if at is None else getattr(at, "shape", ()))
        inputs = [finite_tensor(name, v, (None, *shape), "of one shape") for name, v in named]
        rest = torch.zeros_like(inputs[0][0]) if at is None else finite_tensor("at", at, shape, "one input")
        silent, *answers = (encoder(v) for v in (rest[None], *(rest + v for v in inputs)))
        for answer, n in zip((silent, *answers), (1, *map(len, inputs)), strict=True):
            form = (n, *(None,) * max(1, getattr(answer, "ndim", 2) - 1))
            finite_tensor("encoder", answer, form, "it must answer each input with features; see how it was trained")
        return FeatureBalance(*((answer - silent).flatten(1) for answer in answers))

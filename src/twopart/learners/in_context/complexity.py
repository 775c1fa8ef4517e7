"""What is said to tell how well a network generalises: norms, margins and sharpness of any classifier.

complexity(model, (x, y))      # {"parameter norm": ..., "path norm": ..., "spectral product": ..., ...}: large is complex

Source: Jiang, Neyshabur, Mobahi, Krishnan, Bengio 2020, arXiv 1912.02178, appendix C; draws and the search are choices here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from twopart._arrays import finite_tensor
from twopart._checks import check
from twopart.learners.in_context.crate import Ista, Mssa

NORMS = (nn.LayerNorm, nn.RMSNorm, nn.GroupNorm, nn.BatchNorm1d, nn.BatchNorm2d)
RISE, DRAWS = 0.1, 3  # of the loss where sharpness is read, and draws of noise
NARROW, WIDE, HALVINGS = -12.0, 2.0, 7  # log σ, between which it is sought: within a tenth


def complexity(model: nn.Module, data: tuple[Any, Any], seed: int = 0) -> dict[str, float]:
    """Of a classifier of inputs x (N, ...) to scores (N, classes), y (N,) their classes; the model is left as it was.

    parameter norm     Σ |W|²
    path norm          see `path_norm`
    spectral product   log Π σ(W)², over matrices; filters are flattened
    spectral sum       Σ σ(W)²
    inverse margin     1/γ, γ the 10 % quantile of f_y - max f_j; inf if that is not positive
    sharpness          1/σ², for the largest Gaussian σ in all weights that adds 0.1 to the mean cross-entropy
    """
    check(len(data) == 2, "data", len(data), "inputs and classes", "give (x, y)")
    x, y = map(torch.as_tensor, data)
    x = finite_tensor("x", x, (None,) * x.ndim, "give a batch")
    check(y.shape == x.shape[:1] and not y.is_floating_point(), "y", y, f"{len(x)} classes", "one for each input")
    twin = deepcopy(model).eval()
    parameters = [p.detach().double() for p in twin.parameters()]
    spectra = [float(torch.linalg.matrix_norm(p.flatten(1), 2)) ** 2 for p in parameters if p.ndim > 1 and len(p) > 1]
    with torch.no_grad():
        scores = twin(x).double()
        others = scores.scatter(1, y[:, None], -torch.inf).amax(1)
        margin = float((scores.gather(1, y[:, None])[:, 0] - others).quantile(0.1))
        return {
            "parameter norm": sum(float(p.square().sum()) for p in parameters),
            "path norm": path_norm(model, x.shape[1:]),
            "spectral product": sum(map(math.log, spectra)),
            "spectral sum": sum(spectra),
            "inverse margin": 1 / margin if margin > 0 else math.inf,
            "sharpness": _sharpness(twin, x, y, seed),
        }


def path_norm(model: nn.Module, shape: Sequence[int]) -> float:
    """The root of the sum over paths, from inputs of `shape` to outputs, of squared products of weights.

    It is what the model with squared weights makes of ones: exact for chains of linear and ReLU layers. Normalisation is passed
    through, attention's weights stay shares, an ISTA step is its one matrix, and attention's sign is plus.
    """
    twin = deepcopy(model).double().eval()
    with torch.no_grad():
        for part in twin.modules():
            if isinstance(part, Ista):
                part.register_forward_hook(_replaced(part.map.square()))
            elif isinstance(part, NORMS):
                part.register_forward_hook(_replaced(None))
            elif isinstance(part, Mssa) and part.output == "negative":
                part.output = "tied"
        for parameter in twin.parameters():
            parameter.square_()
        ones = torch.ones(1, *shape, dtype=torch.float64, device=next(twin.parameters()).device)
        return float(twin(ones).sum().sqrt())


def _replaced(matrix: Tensor | None) -> Any:
    """A hook by which a module gives its input, or a matrix times it."""
    return lambda module, given, output: given[0] if matrix is None else functional.linear(given[0], matrix)


def _sharpness(twin: nn.Module, x: Tensor, y: Tensor, seed: int) -> float:
    """1/σ² by bisection of log σ, on the same draws for every σ."""
    parameters, random = list(twin.parameters()), torch.Generator(x.device)
    kept, most = [p.clone() for p in parameters], float(functional.cross_entropy(twin(x), y)) + RISE
    low, high = NARROW, WIDE
    for _ in range(HALVINGS):
        middle, loss = (low + high) / 2, 0.0
        random.manual_seed(seed)
        for _ in range(DRAWS):
            for p, own in zip(parameters, kept, strict=True):
                p.copy_(own + math.exp(middle) * torch.randn(p.shape, generator=random, dtype=p.dtype, device=p.device))
            loss += float(functional.cross_entropy(twin(x), y)) / DRAWS
        low, high = (middle, high) if loss < most else (low, middle)
    return math.exp(-low - high)

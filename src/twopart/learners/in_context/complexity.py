"""What is said to tell how well a network generalises: norms, margins and sharpness of any classifier.

complexity(model, (x, y))      # {"parameter norm": ..., "path norm": ..., "spectral product": ..., ...}: large is complex

Source: Jiang, Neyshabur, Mobahi, Krishnan, Bengio 2020, arXiv 1912.02178, appendix C; draws and the search are choices here.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from twopart._arrays import finite_tensor
from twopart._checks import check, check_integer, check_real
from twopart.learners.in_context.crate import Ista, Mssa

MEASURES = ("parameter norm", "path norm", "spectral product", "spectral sum", "inverse margin", "sharpness")
NORMS = (nn.LayerNorm, nn.RMSNorm, nn.GroupNorm, nn.modules.batchnorm._BatchNorm)


def complexity(
    model: nn.Module, data: tuple[Any, Any], *, rise: float = 0.1, draws: int = 3, halvings: int = 7, seed: int = 0
) -> dict[str, float]:
    """Of a classifier of inputs x (N, ...) to scores (N, classes), y (N,) their classes; the model is left as it was.

    parameter norm     Σ |W|²
    path norm          see `path_norm`
    spectral product   log Π σ(W)², over matrices; filters are flattened
    spectral sum       Σ σ(W)²
    inverse margin     1/γ, γ the 10 % quantile of f_y - max f_j; inf if it is not positive
    sharpness          1/σ², for the largest Gaussian σ in all weights that adds `rise` to the mean cross-entropy
    """
    check(len(data) == 2, "data", len(data), "inputs and classes", "give (x, y)")
    x, y = (
        finite_tensor("x", torch.as_tensor(data[0]), (None,) * torch.as_tensor(data[0]).ndim, "a batch"),
        torch.as_tensor(data[1]),
    )
    check(y.shape == x.shape[:1], "y", tuple(y.shape), f"of shape ({len(x)},)", "give a class for each input")
    was, parameters = model.training, list(model.parameters())
    matrices = [p.detach().flatten(1) for p in parameters if p.ndim > 1 and min(p.flatten(1).shape) > 1]
    spectra = torch.stack([torch.linalg.matrix_norm(m.double(), 2) ** 2 for m in matrices])
    try:
        model.eval()
        with torch.no_grad():
            scores = model(x).double()
            own = scores.gather(1, y[:, None])[:, 0]
            others = scores.scatter(1, y[:, None], -torch.inf).amax(1)
            margin = float((own - others).quantile(0.1))
            sharp = _sharpness(model, x, y, rise, draws, halvings, seed)
    finally:
        model.train(was)
    norm = sum(float(p.detach().double().square().sum()) for p in parameters)
    values = (
        norm,
        path_norm(model, x.shape[1:]),
        float(spectra.log().sum()),
        float(spectra.sum()),
        1 / margin if margin > 0 else torch.inf,
        sharp,
    )
    return dict(zip(MEASURES, values, strict=True))


def path_norm(model: nn.Module, shape: Sequence[int]) -> float:
    """The root of the sum over paths from inputs of `shape` to outputs of squared products of weights.

    It is the output at ones of the model with squared weights: exact for chains of linear and ReLU layers. Normalisation is
    passed through, attention's weights stay shares, an ISTA step is its one matrix, and signs of attention are all plus.
    """
    twin = deepcopy(model).double().eval()
    with torch.no_grad():
        for part in twin.modules():
            if isinstance(part, Ista):
                part.register_forward_hook(_through(part.map.square()))
            elif isinstance(part, NORMS):
                part.register_forward_hook(_through(None))
            elif isinstance(part, Mssa) and part.output == "negative":
                part.output = "tied"
        for parameter in twin.parameters():
            parameter.square_()
        return float(
            twin(torch.ones(1, *shape, dtype=torch.float64, device=next(twin.parameters()).device)).sum().sqrt()
        )


def _through(matrix: Tensor | None) -> Any:
    return lambda module, given, output: given[0] if matrix is None else F.linear(given[0], matrix)


def _sharpness(model: nn.Module, x: Tensor, y: Tensor, rise: float, draws: int, halvings: int, seed: int) -> float:
    """1/σ² by bisection of log σ, on the same draws for every σ."""
    wanted = F.cross_entropy(model(x), y) + check_real("rise", rise, 0, float("inf"), "0.1 is usual", closed="()")
    parameters, low, high = list(model.parameters()), -12.0, 2.0
    kept = [p.clone() for p in parameters]
    for _ in range(check_integer("halvings", halvings, 1, None, "7 find it within a tenth")):
        middle, loss = (low + high) / 2, 0.0
        random = torch.Generator(x.device).manual_seed(seed)
        for _ in range(check_integer("draws", draws, 1, None, "3 will do for an order")):
            for p, own in zip(parameters, kept, strict=True):
                p.copy_(
                    own
                    + 2.718281828**middle * torch.randn(own.shape, generator=random, dtype=own.dtype, device=own.device)
                )
            loss += float(F.cross_entropy(model(x), y)) / draws
        low, high = (middle, high) if loss < wanted else (low, middle)
    for p, own in zip(parameters, kept, strict=True):
        p.copy_(own)
    return float(torch.tensor(-low - high).exp())

"""Scores, the gradients of log densities that every sampler of this room asks for, and what is asked of them and of points.

score_of(log_density)        a score by automatic differentiation
curvature(score, points)     the range of its Hessian's eigenvalues, for steps and segments
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from twopart._checks import check, check_function

Score = Callable[[Tensor], Tensor]
"""The gradient of ln p at points (n, d), shape (n, d): exact, or an unbiased estimate."""


def score_of(log_density: Score) -> Score:
    """The score of a log density (n, d) -> (n,), up to a constant, by automatic differentiation."""
    check_function("log_density", log_density, "points (n, d)")

    def score(x: Tensor) -> Tensor:
        x = check_points(x).requires_grad_()
        with torch.enable_grad():
            log = log_density(x)
            got = tuple(log.shape) if isinstance(log, Tensor) and log.requires_grad else log
            bound = f"a differentiable tensor of shape ({len(x)},)"
            check(got == x.shape[:1], "log_density", got, bound, "see torch.autograd")
            (found,) = torch.autograd.grad(log.sum(), x)
        return _finite(found)

    return score


def curvature(score: Score, x: Tensor) -> tuple[float, float]:
    """The least and the largest eigenvalue of the Hessian of ln p over points (n, d), by central differences: 2 d n calls.

    The largest is what `segments` asks for, the larger size of the two is the smoothness; points should be where ln p bends.
    """
    x, d = check_points(x), x.shape[1]
    ε = torch.finfo(x.dtype).eps ** (1 / 3) * (1 + float(x.abs().max()))
    ways = ε * torch.eye(d, dtype=x.dtype, device=x.device)
    columns = [(answer(score, x + way) - answer(score, x - way)) / (2 * ε) for way in ways]
    hessian = torch.stack(columns, -1).double()
    found = torch.linalg.eigvalsh((hessian + hessian.mT) / 2)
    return float(found.min()), float(found.max())


def noise(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Standard normals of the shape, kind and place of `x`."""
    return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)


def check_points(x: Tensor, name: str = "x", dimension: int | None = None) -> Tensor:
    """`x`, if it is finite floats of shape (n, d), without its graph; `dimension` is d."""
    fine = isinstance(x, Tensor) and x.ndim == 2 and x.numel() > 0 and x.is_floating_point()
    fine, shown = fine and dimension in (None, x.shape[1]), tuple(x.shape) if isinstance(x, Tensor) else x
    bound = f"a tensor of floats (n, {dimension or 'd'})"
    check(fine, name, shown, bound, "torch.as_tensor(array, dtype=torch.float32)")
    check(bool(torch.isfinite(x).all()), name, "nan or infinity", "finite", "drop or fill those entries")
    return x.detach()


def answer(score: Callable[..., Tensor], x: Tensor, *at: float) -> Tensor:
    """score(x), or score(x, t), if it is of the shape of `x` and finite."""
    check_function("score", score, "points (n, d)")
    with torch.no_grad():
        found = score(x, *at)
    fine = isinstance(found, Tensor) and found.shape == x.shape
    shown = tuple(found.shape) if isinstance(found, Tensor) else found
    check(fine, "score", shown, f"a tensor of shape {tuple(x.shape)}", "it is the gradient at each point")
    return _finite(found)


def _finite(score: Tensor) -> Tensor:
    fine, remedy = bool(torch.isfinite(score.sum())), "take smaller steps if chains diverge"
    check(fine, "score", "nan or infinity", "finite", remedy)
    return score

"""Noised targets: what a diffusion sees at time t, x_t = a(t) x_0 + s(t) z, exact at every time.

    noised(target, t)                          the law of x_t: a target again
    score = oracle(target)                     (x, t) -> ∇ log p_t(x), the face of a network; prediction="eps", "x0", "v" too
    posterior(target, x, t)                    mean and covariance of x_0 given x_t
    Empirical(points)                          a data set as a target: its oracle is the perfect model of the data

Times t are a number, or one for each point. The clock is `OU()` of noise.py unless another is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from twopart._checks import InputError, check, check_choice
from twopart.worlds.noise import OU, PREDICTIONS, Noise, Prediction, convert, times
from twopart.worlds.targets import Diffused, MixtureTarget, Target, Values, points, tensor

Oracle = Callable[[Tensor, Tensor | float], Tensor]
BLOCK = 2**22
"""Distances held at once by an empirical target."""


def noised(target: Target, t: Tensor | float, noise: Noise | None = None) -> Target:
    """The law of a(t) X + s(t) Z; t is a number, or of shape (B,) for points (B, d)."""
    check(isinstance(target, Target), "target", target, "a target", "see twopart.worlds.targets")
    noise, t = noise or OU(), times(t)
    return target.diffused(noise.scale(t), noise.std(t))


def oracle(target: Target, noise: Noise | None = None, prediction: Prediction = "score") -> Oracle:
    """The exact score, noise, clean point or velocity as a function of (x, t): a perfectly trained network.

    x has shape (..., d), t is a number or has the shape of x without the last dimension.
    """
    clock = noise or OU()
    check_choice("prediction", prediction, PREDICTIONS)

    def predict(x: Tensor, t: Tensor | float) -> Tensor:
        t = times(t, points(x, target.dimension))
        if t.ndim:
            rows = x.reshape(-1, target.dimension)
            flat = t.to(x.device).expand(x.shape[:-1]).reshape(-1)
            score = noised(target, flat, clock).score(rows).reshape(x.shape)
        else:
            score = noised(target, t, clock).score(x)
        return convert(score, x, t, clock, source="score", to=prediction)

    return predict


def posterior(target: Target, x: Tensor, t: Tensor | float, noise: Noise | None = None) -> tuple[Tensor, Tensor]:
    """Mean (..., d) and covariance (..., d, d) of x_0 given x_t = x, by Tweedie's formula (Efron 2011) at t > 0.

    E = (x + s² ∇ log p_t) / a and Cov = s²/a² (I + s² ∇² log p_t).
    """
    clock, t = noise or OU(), times(t, points(x, target.dimension))
    law = noised(target, t, clock)
    a, s = (part(t).to(x)[..., None] for part in (clock.scale, clock.std))
    if isinstance(law, MixtureTarget):
        score, hessian = law.score(x), law.hessian(x)
    else:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            score = law.score(x)
            rows = [torch.autograd.grad(part.sum(), x, retain_graph=True)[0] for part in score.unbind(-1)]
        score, hessian, x = score.detach(), torch.stack(rows, -2), x.detach()
    eye = torch.eye(target.dimension).to(x)
    return (x + s.square() * score) / a, (s / a).square()[..., None] * (eye + s.square()[..., None] * hessian)


class Empirical(Target):
    """A weighted set of points, all mass on them: it has a density and a score once it is `diffused`."""

    def __init__(self, x: Values, log_weights: Values | None = None):
        """Points (n, d); logarithms of weights (n,), equal if None."""
        self.x = tensor("x", x, (None, None), "one row for each point")
        n, self.dimension = self.x.shape
        logs = torch.zeros(n) if log_weights is None else log_weights
        self.log_weights = tensor("log_weights", logs, (n,), "one for each point").log_softmax(0)

    def potential(self, x: Tensor) -> Tensor:
        raise self._refuse()

    def score(self, x: Tensor) -> Tensor:
        raise self._refuse()

    @property
    def log_normaliser(self) -> float:
        raise self._refuse()

    def _refuse(self) -> InputError:
        return InputError("`x` must be `diffused` to have a density, got points alone; ask for `noised` at a time > 0")

    @property
    def mean(self) -> Tensor:
        return self.log_weights.exp() @ self.x

    @property
    def covariance(self) -> Tensor:
        apart = self.x - self.mean
        return apart.T @ (self.log_weights.exp()[:, None] * apart)

    def _draw(self, count: int, random: np.random.Generator) -> Tensor:
        return self.x[torch.from_numpy(random.choice(len(self.x), count, p=self.log_weights.exp().numpy()))]

    def diffused(self, scale: Values, std: Values) -> Target:
        return DiffusedEmpirical(self, scale, std)


class DiffusedEmpirical(Diffused):
    """a x_i + s Z for points x_i: a mixture of equal balls, its sums taken block by block, so that n may be a million."""

    def __init__(self, data: Empirical, scale: Values, std: Values):
        super().__init__(data, scale, std)
        self.data, least = data, float(self.std.min())
        check(least > 0, "std", least, "> 0", "points without noise have no density: stop at a time > 0")

    def potential(self, x: Tensor) -> Tensor:
        return -self._posterior(x)[0].to(x)

    def score(self, x: Tensor) -> Tensor:
        mean = self._posterior(x)[1]
        a, s = self.scale.to(x.device)[..., None], self.std.to(x.device)[..., None]
        return ((a * mean - x) / s.square()).to(x)

    def denoised(self, x: Tensor) -> Tensor:
        """E[x_0 | x], the mean of the points with weights softmax(-|x - a x_i|² / 2 s²), shape (..., d)."""
        return self._posterior(x)[1].to(x)

    def _posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """log p(x), shape (...), and E[x_0 | x], shape (..., d), in float64."""
        y = self._points(x)
        a, s = self.scale.to(y)[..., None], self.std.to(y)[..., None]
        total = y.new_full(y.shape[:-1], -math.inf)
        mean, block = torch.zeros_like(y), max(1, BLOCK // max(1, y[..., 0].numel()))
        for i in range(0, len(self.data.x), block):
            part, weight = self.data.x[i : i + block].to(y), self.data.log_weights[i : i + block].to(y)
            square = y.square().sum(-1, keepdim=True) - 2 * a * (y @ part.T) + a.square() * part.square().sum(-1)
            log = weight - square / (2 * s.square())
            here = log.logsumexp(-1)
            both = torch.logaddexp(total, here)
            mean = (total - both).exp()[..., None] * mean + (log - both[..., None]).exp() @ part
            total = both
        return total - self.dimension / 2 * (2 * math.pi * s[..., 0].square()).log(), mean

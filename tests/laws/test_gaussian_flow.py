"""The law of samplers on Gaussian data against the samplers themselves, in other words, and against the exact marginals."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.laws.gaussian_flow import continuous_flow, gaussian_flow
from twopart.worlds.noise import DDPM, OU, VE, Flow, grid
from twopart.worlds.noised import oracle
from twopart.worlds.targets import GaussianTarget

MEAN, VARIANCE = np.array([1.5, -0.5]), np.array([0.25, 2.0])
CLOCKS = {"ou": OU(), "ve": VE(), "flow": Flow(), "ddpm": DDPM(tuple(np.linspace(1e-3, 0.4, 40)))}


def simulated(clock, times, solver, churn, n, bias):
    """The sampler with the oracle's score, one step after the other."""
    random, target = torch.Generator().manual_seed(0), GaussianTarget(1 / VARIANCE, MEAN)
    score = oracle(target, clock)
    x = clock.std(times[0]) * torch.randn(n, 2, generator=random, dtype=torch.float64)

    def drift(x, t):
        return clock.drift(t) * x - (1 + churn**2) / 2 * clock.diffusion(t) * (1 + bias) * score(x, t)

    for t, u in pairwise(times):
        z, h = torch.randn(n, 2, generator=random, dtype=torch.float64), t - u
        if solver == "ddim":
            eps = -clock.std(t) * (1 + bias) * score(x, t)
            x0, a = (x - clock.std(t) * eps) / clock.scale(t), clock.scale(t) / clock.scale(u)
            W = churn**2 * clock.std(u) ** 2 / clock.std(t) ** 2 * (clock.std(t) ** 2 - a**2 * clock.std(u) ** 2)
            x = clock.scale(u) * x0 + (clock.std(u) ** 2 - W).sqrt() * eps + W.sqrt() * z
            continue
        noise, first = churn * (clock.diffusion(t) * h).sqrt() * z, drift(x, t)
        once = x - h * first + noise
        x = once if solver == "euler" else x - h / 2 * (first + drift(once, u)) + noise
    return x.numpy()


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize(
    ("solver", "churn"), [("euler", 0), ("euler", 1.3), ("heun", 0), ("heun", 1), ("ddim", 0), ("ddim", 1)]
)
def test_samplers_have_these_moments(clock, solver, churn, size):
    times, n = grid(CLOCKS[clock], 7, (-2.0, 3.0)), size(20_000, 400_000)
    x = simulated(CLOCKS[clock], times, solver, churn, n, 0.1)
    law = gaussian_flow(MEAN, VARIANCE, times, CLOCKS[clock], solver=solver, churn=churn, bias=lambda t: 0.1)
    assert (np.abs(x.mean(0) - law.mean[-1]) < 5.5 * np.sqrt(law.variance[-1] / n)).all()
    assert (np.abs(x.var(0) / law.variance[-1] - 1) < 5.5 * np.sqrt(2 / n)).all()


@pytest.mark.parametrize("clock", ["ou", "ve", "flow"])
@pytest.mark.parametrize("churn", [0.0, 0.7])
def test_the_limit_is_the_marginal(clock, churn):
    """With the true score and the true start; and solvers converge to it, Heun's sooner."""
    clock, times = CLOCKS[clock], grid(CLOCKS[clock], 5, (-2.0, 3.0))
    a, s = clock.scale(times).numpy()[:, None], clock.std(times).numpy()[:, None]
    true, start = a**2 * VARIANCE + s**2, (a[0] * MEAN, a[0] ** 2 * VARIANCE + s[0] ** 2)
    limit = continuous_flow(MEAN, VARIANCE, times, clock, churn=churn, start=start)
    assert limit.variance == pytest.approx(true, rel=1e-6)
    assert limit.mean == pytest.approx(a * MEAN, rel=1e-6)
    fine = grid(clock, 400, (-2.0, 3.0))
    options = {"churn": churn, "start": start}
    apart = [
        np.abs(gaussian_flow(MEAN, VARIANCE, fine, clock, solver=solver, **options).variance[-1] / true[-1] - 1).max()
        for solver in ("euler", "heun", "ddim")
    ]
    assert max(apart) < 0.05
    assert churn > 0 or apart[1] < apart[0] / 10  # with noise Heun's method, too, is of order 1


def test_a_wrong_score_in_the_limit():
    """OU, standard data, score times 1 + κ: V' = 2 (-1 + (1 + λ²)(1 + κ)) V - 2 λ²."""
    κ, λ, T = 0.2, 0.5, 1.3
    rate = 2 * (-1 + (1 + λ**2) * (1 + κ))
    settled = 2 * λ**2 / rate
    found = continuous_flow(0.0, 1.0, [T, 0.4, 0.1], OU(), churn=λ, bias=κ, start=(0.0, 1.0))
    assert found.variance[:, 0] == pytest.approx(
        settled + (1 - settled) * np.exp(-rate * (T - np.array([T, 0.4, 0.1])))
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"times": [0.1, 0.2]}, "`times` must be"),
        ({"churn": -1.0}, "`churn` must be"),
        ({"solver": "rk4"}, "`solver` must be one of"),
        ({"solver": "ddim", "churn": 1.5}, "`churn` must be"),
        ({"variance": -1.0}, "`variance` must be finite and >= 0"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(InputError, match=message):
        gaussian_flow(**{"mean": 0.0, "variance": 1.0, "times": [1.0, 0.5], "noise": OU(), **options})

"""Errors of scores whose modes were found: quadrature with autograd's derivatives, the separated limit, nats of the sampler."""

import math

import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.laws.diffusion import mode_error, nats
from twopart.worlds.noise import OU
from twopart.worlds.targets import MixtureTarget

T, N = 0.2, 1000
A, S = math.exp(-T), math.sqrt(-math.expm1(-2 * T))
CENTRES = torch.tensor([[-0.9], [1.1]], dtype=torch.float64)


def derivatives(of, x):
    """Of a function of centres and a point, at each x (n, 1) by the centres: shape (n, 2)."""
    return torch.func.vmap(torch.func.jacrev(of), (None, 0))(CENTRES[:, 0], x[:, 0])


def log_density(μ, x):
    return torch.logsumexp(-(x - μ).square() / 2, 0)


def score(μ, y):
    return torch.func.grad(lambda y: torch.logsumexp(-(y - A * μ).square() / 2, 0))(y)


def test_it_is_what_quadrature_and_autograd_give(size):
    """Two overlapping modes on the line: the information, J, and the covariance of the gradient with one pair of draws."""
    target = MixtureTarget([1.0, 1.0], CENTRES, 1.0)
    x = torch.linspace(-8, 8, 161, dtype=torch.float64)[:, None]
    z, dx = torch.linspace(-6, 6, 121, dtype=torch.float64), 0.1
    p, q = target.log_density(x).exp() * dx, torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi) * dx
    ψ = derivatives(log_density, x)
    information = (ψ * p[:, None]).T @ ψ
    noised = target.diffused(A, S)
    slope = derivatives(score, x)
    J = (slope * (noised.log_density(x).exp() * dx)[:, None]).T @ slope
    gradients = []
    for sign in (1, -1):
        y = (A * x + sign * S * z).reshape(-1, 1)
        pull = noised.score(y)[:, 0] + (sign * z / S).expand(len(x), -1).reshape(-1)
        gradients.append((derivatives(score, y) * pull[:, None]).reshape(len(x), len(z), 2))
    mean = (gradients[0] + gradients[1]) / 2
    Γ = torch.einsum("xzi,xzj,x,z->ij", mean, mean, p, q)
    exact = [torch.trace(torch.linalg.solve(*pair)).item() / N for pair in ((information, J), (J, Γ))]
    found = mode_error(CENTRES, N, T, pairs=1, points=size(100_000, 10**6))
    assert found[1:3] == pytest.approx(exact, rel=0.01)
    assert found.halves < 0.02
    assert found.matching > 1.2 * found.separated


def test_far_apart_all_are_the_simple_line():
    centres = 12 * np.eye(4)[:3]
    found = mode_error(centres, N, T, pairs=1, points=40_000)
    assert found.separated == pytest.approx(math.exp(-0.4) * 12 / N)
    assert found[1:3] == pytest.approx([found.separated] * 2, rel=0.03)


def test_what_it_costs_the_sampler_in_nats():
    """∫ e^-2t K d/n dt over all t is K d/2n: the kit's integral over log SNR of eps errors, s² those of the score."""
    log_snr = torch.linspace(-16, 12, 400, dtype=torch.float64)
    t = OU().time(log_snr)
    gap = OU().std(t).square() * torch.exp(-2 * t) * 12 / N
    assert nats(log_snr, gap).value == pytest.approx(12 / 2 / N, rel=1e-3)


@pytest.mark.parametrize(
    ("wrong", "value"),
    [("centres", [[np.nan]]), ("centres", [1.0]), ("samples", 0), ("t", 0.0), ("pairs", 0), ("points", 3)],
)
def test_refusals(wrong, value):
    with pytest.raises(InputError, match=rf"`{wrong}` must be .*, got .*; "):
        mode_error(**{"centres": CENTRES, "samples": N, "t": T, wrong: value})

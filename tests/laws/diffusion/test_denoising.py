"""Nats against divergences in closed form, losses against perfect denoisers, factors against the conversion itself."""

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.laws.diffusion import error_factor, gaussian_loss, nats
from twopart.worlds.noise import OU, VE, convert
from twopart.worlds.noised import oracle
from twopart.worlds.targets import GaussianTarget

LEVELS = np.linspace(-20, 20, 401)
PAGE = Path(__file__).parents[3] / "docs/laws/denoising.md"


@pytest.mark.parametrize(("v", "w"), [(1.0, 3.0), (0.2, 0.1)])
def test_the_divergence_of_two_gaussians(v, w):
    """A perfect denoiser of N(0, w) on data of N(0, v): E (epŝ - eps)² with epŝ = x s/(a² w + s²), by hand."""
    σ2 = np.exp(-LEVELS)
    loss = (σ2 * (v + σ2) - 2 * σ2 * (w + σ2)) / (w + σ2) ** 2 + 1
    found = nats(LEVELS, loss - gaussian_loss(v, LEVELS))
    assert found.value == pytest.approx((v / w - 1 - np.log(v / w)) / 2, rel=1e-4)
    assert found.by_level.sum() == pytest.approx(found.value)
    assert found.error < 1e-3
    assert max(found.ends) < 1e-6


def test_mutual_information_by_perfect_denoisers():
    """Two coordinates of correlation ρ: the joint's loss against the marginals', by eigenvalues."""
    ρ = 0.9
    gap = 2 * gaussian_loss(1.0, LEVELS) - gaussian_loss(1 + ρ, LEVELS) - gaussian_loss(1 - ρ, LEVELS)
    assert nats(LEVELS, gap).value == pytest.approx(-np.log(1 - ρ**2) / 2, rel=1e-4)


@pytest.mark.parametrize("clock", [OU(), VE()])
def test_the_least_loss_is_that_of_the_perfect_denoiser(clock, size):
    n, random = size(20_000, 10**6), torch.Generator().manual_seed(0)
    x0, eps = 1.5 * torch.randn(n, 1, generator=random).double(), torch.randn(n, 1, generator=random).double()
    perfect = oracle(GaussianTarget([1 / 2.25]), clock, "eps")
    for level in (-2.0, 1.0, 4.0):
        t = clock.time(torch.tensor(level).double())
        square = (perfect(clock.scale(t) * x0 + clock.std(t) * eps, t) - eps).square()
        assert float(square.mean()) == pytest.approx(gaussian_loss(2.25, level), abs=5.5 * float(square.std()) / n**0.5)


@pytest.mark.parametrize("source", ["score", "eps", "x0", "v"])
@pytest.mark.parametrize("to", ["score", "eps", "x0", "v"])
def test_errors_are_converted_as_predictions_are(source, to):
    clock, t = OU(), torch.tensor(0.4).double()
    x, one, other = torch.randn(3, 5, generator=torch.Generator().manual_seed(0)).double()[..., None]
    apart = [convert(value, x, t, clock, source=source, to=to) for value in (one, other)]
    factor = error_factor(float(clock.scale(t)), float(clock.std(t)), source=source, to=to)
    assert torch.allclose((apart[0] - apart[1]).square(), factor * (one - other).square())


def test_the_page_runs():
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]
    said = StringIO()
    with redirect_stdout(said):
        exec(code, {})
    assert len(said.getvalue().splitlines()) == 2


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: nats([0.0, 1.0], [0.0, 1.0]), "`log_snr` must be three or more, rising"),
        (lambda: nats([0.0, 2.0, 1.0], [0.0, 1.0, 1.0]), "`log_snr` must be three or more, rising"),
        (lambda: nats([0.0, 1.0, 2.0], [0.0, np.nan, 1.0]), "`gap` must be finite"),
        (lambda: nats([0.0, 1.0, 2.0], [0.0, 1.0]), r"`gap` must be of shape \(3,\)"),
        (lambda: gaussian_loss(-1.0, 0.0), r"`variance` must be in \[0, inf\)"),
        (lambda: error_factor(0.0, 1.0, source="eps", to="v"), r"`scale` must be in \(0, inf\)"),
        (lambda: error_factor(1.0, 1.0, source="noise", to="v"), "`source` must be one of"),
    ],
)
def test_refusals(wrong, said):
    with pytest.raises(InputError, match=said):
        wrong()

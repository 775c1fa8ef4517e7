"""Densities of the ODE against those of the noised target, which a perfect denoiser has."""

import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.learners.diffusion import line_density, log_density, sample
from twopart.worlds.noise import OU, VE, grid
from twopart.worlds.noised import noised, oracle
from twopart.worlds.targets import MixtureTarget

PLANE = MixtureTarget([0.3, 0.7], [[-1.0, 0.5], [1.0, 0.0]], scales=[0.3, 0.2])
LINE = MixtureTarget([0.3, 0.7], [[-1.0], [1.0]], scales=[0.3, 0.2])


@pytest.mark.parametrize(("clock", "prediction"), [(OU(), "eps"), (VE(), "x0")])
def test_a_perfect_denoiser_has_the_noised_density(clock, prediction):
    times = grid(clock, 150, (-12.0, 7.0)).flip(0)
    law = noised(PLANE, times[0], clock)
    x = law.sample(100)
    found = log_density(oracle(PLANE, clock, prediction), clock, times, x, prediction=prediction)
    assert found.dtype == torch.float64
    assert float((found - law.log_density(x)).abs().max()) < 0.04
    assert float((found - law.log_density(x)).mean().abs()) < 0.01


def test_one_direction_is_without_bias():
    clock = OU()
    times, x = grid(clock, 25, (-6.0, 4.0)).flip(0), PLANE.sample(1).repeat(2000, 1)
    exact = log_density(oracle(PLANE, clock, "eps"), clock, times, x[:1])
    random = torch.Generator().manual_seed(0)
    found = log_density(oracle(PLANE, clock, "eps"), clock, times, x, divergence="hutchinson", generator=random)
    assert float((found.mean() - exact).abs()) < 5.5 * float(found.std()) / 2000**0.5 + 1e-12
    assert float(found.std()) > 0


@pytest.mark.parametrize("solver", ["heun", "ddim"])
def test_on_the_line_it_is_the_samplers_own(solver):
    """Shares of a sample, at few steps; and near the truth at many."""
    clock, n = OU(), 40_000
    times = grid(clock, 10, (-6.0, 3.0))
    perfect = oracle(LINE, clock, "eps")
    law = line_density(perfect, clock, times, solver=solver, dtype=torch.float64)
    start = clock.std(times[0]) * torch.randn(n, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = sample(perfect, clock, times, start, solver=solver)[:, 0].numpy()
    for at in (-1.0, 0.0, 0.8, 1.1):
        share = np.interp(at, law.places, np.append(0, np.cumsum(law.mass)))
        assert np.mean(x < at) == pytest.approx(share, abs=5 * np.sqrt(share * (1 - share) / n))


def test_on_the_line_it_comes_near_the_truth():
    clock = VE()
    times = grid(clock, 200, (-10.0, 6.0))
    law = line_density(oracle(LINE, clock, "eps"), clock, times, dtype=torch.float64)
    middle = torch.from_numpy(law.places[1:] + law.places[:-1])[:, None] / 2
    truth = noised(LINE, times[-1], clock).log_density(middle).numpy()
    assert 0 <= float(law.mass @ (law.log_density - truth)) < 1e-3


def test_refusals():
    clock, times = OU(), grid(OU(), 4, (-3.0, 3.0))
    with pytest.raises(InputError, match="`times` must be rising, got 'falling'"):
        log_density(lambda x, t: x, clock, times, torch.zeros(2, 2))
    with pytest.raises(InputError, match="`x` must be finite"):
        log_density(lambda x, t: x, clock, times.flip(0), torch.full((2, 2), np.nan))
    with pytest.raises(InputError, match="`x` must be at most 64, got '65 coordinates'; take divergence='hutchinson'"):
        log_density(lambda x, t: x, clock, times.flip(0), torch.zeros(2, 65))
    with pytest.raises(InputError, match=r"`predict` must be one that .*, got \(2, 1\)"):
        log_density(lambda x, t: x[:, :1], clock, times.flip(0), torch.zeros(2, 2))
    with pytest.raises(InputError, match="`predict` must be differentiable"):
        log_density(lambda x, t: x.detach(), clock, times.flip(0), torch.zeros(2, 2))
    with pytest.raises(InputError, match="`times` must be short enough to keep order"):
        line_density(lambda x, t: 9 * x.sin(), clock, times)
    with pytest.raises(InputError, match=r"`points` must be a whole number >= 3, got 2"):
        line_density(lambda x, t: x, clock, times, points=2)

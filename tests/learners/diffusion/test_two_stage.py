"""Two denoisers in place of one, strengths that were planted, and densities that are known."""

import pytest
import torch

from twopart._checks import InputError
from twopart.laws.diffusion import variance_ratio
from twopart.learners.diffusion import MLPDenoiser, TwoStage, concentration, strength, wrap
from twopart.worlds.noise import OU, VE, grid
from twopart.worlds.noised import noised, oracle
from twopart.worlds.targets import MixtureTarget

NOISE = OU()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_each_noise_level_has_its_network(dtype):
    low, high = (MLPDenoiser(2, NOISE, width=4, depth=1).to(dtype) for _ in range(2))
    both, x = TwoStage(low, high, 0.0, NOISE), torch.randn(6, 2, dtype=dtype)
    t = NOISE.time(torch.tensor([-3.0, 3.0, -1.0, 0.0, 1.0, 5.0]).double())
    expected = torch.stack(
        [(low if level >= 0 else high)(x[i : i + 1], t[i])[0] for i, level in enumerate((-3, 3, -1, 0, 1, 5))]
    )
    assert torch.allclose(both(x, t), expected, atol=1e-6)
    assert torch.equal(both(x, t[0]), high(x, t[0]))
    assert torch.equal(both(x, float(t[1])), low(x, t[1]))
    assert both(x, t).dtype == dtype
    both(x, t).sum().backward()
    assert all(part.grad is not None for part in both.parameters())


def biased(κ, variance, clock):
    def predict(x, t):
        a, s = clock.scale(t).to(x), clock.std(t).to(x)
        return x * (1 + κ) * s / (a**2 * variance + s**2)

    return predict


@pytest.mark.parametrize("clock", [OU(), VE()])
def test_a_planted_strength_is_found(clock, size):
    n, random = size(40_000, 10**6), torch.Generator().manual_seed(0)
    x = 0.5 * torch.randn(n, 2, generator=random)
    levels, predict = torch.tensor([-3.0, 0.0, 3.0]), biased(0.3, 0.25, clock)
    parts = torch.stack([strength(predict, part, clock, levels, generator=random) for part in x.chunk(40)])
    error = parts.std(0) / 40**0.5
    assert ((parts.mean(0) - 0.3).abs() < 6 * error).all()  # 40 batches: Student's t, once in a million
    assert (6 * error[:2] < 0.05).all()


def test_the_perfect_denoiser_is_as_dense_as_data(size):
    target, random = MixtureTarget([0.3, 0.7], [[-1.0], [0.5]], 0.3), torch.Generator().manual_seed(0)
    n, times = size(500, 5000), grid(NOISE, 60, (-6.0, 5.0))
    law = noised(target, times[-1], NOISE)
    data = law.sample(n, 1)
    found = concentration(oracle(target, NOISE, "eps"), NOISE, times, data, generator=random)
    assert abs(found.difference) < 5 * found.error
    assert found.data == pytest.approx(float(law.log_density(data).mean()), abs=5e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_strong_score_is_denser_than_data_by_the_law(dtype):
    """p̂ = N(0, R V): E_p̂ ln p̂ - E_p ln p̂ = (1/R - 1)/2 nats a coordinate."""
    κ, v, ends, random = 0.15, 0.2, (-5.0, 5.0), torch.Generator().manual_seed(0)
    times = grid(NOISE, 60, ends)
    t = times[-1]
    data = (NOISE.scale(t) ** 2 * v + NOISE.std(t) ** 2).sqrt() * torch.randn(3000, 2, generator=random)
    found = concentration(biased(κ, v, NOISE), NOISE, times, data.to(dtype), generator=random)
    R = variance_ratio(ends, [κ], v)[-1]
    assert found.difference == pytest.approx(1 / R - 1, abs=5 * found.error)
    assert 10 * found.error < found.difference


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda net, x: TwoStage(net, wrap(net, prediction="x0"), 0.0, NOISE), "`high` must be one that predicts eps"),
        (lambda net, x: TwoStage(net, net, float("nan"), NOISE), r"`at` must be a number in \(-inf, inf\)"),
        (lambda net, x: strength(net, x[0], NOISE, torch.zeros(1)), r"`points` must be of shape \(any, any\)"),
        (lambda net, x: strength(net, x / 0, NOISE, torch.zeros(1)), "`points` must be finite"),
        (lambda net, x: strength(net, x, NOISE, torch.zeros(1), prediction="y"), "`prediction` must be one of"),
        (
            lambda net, x: concentration(net, NOISE, grid(NOISE, 4, (-3.0, 3.0)), x[:1]),
            "`data` must be two or more points",
        ),
    ],
)
def test_refusals(wrong, said):
    with pytest.raises(InputError, match=said):
        wrong(MLPDenoiser(2, NOISE, width=4, depth=1), torch.ones(4, 2))

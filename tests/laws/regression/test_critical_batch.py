"""Steps by batch size against quadrature, simulation and other code; each fails where a constant is off by 5 %."""

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss

from twopart._checks import InputError
from twopart.laws.regression import LeastSquaresSGD, batch_law, one_pass
from twopart.worlds.regression import LeastSquares


@pytest.mark.parametrize("momentum", [0.0, 0.6])
def test_two_steps_with_averages_against_quadrature(momentum):
    """d = 1, B = 2: squares are of degree 4 in each of four inputs and four noises, so that 3 nodes each are exact."""
    λ, w, σ, (γ1, γ2), τ = 0.8, 1.3, 0.7, (0.3, 0.5), 0.6
    nodes, weights = hermegauss(3)
    z = np.stack(np.meshgrid(*[nodes] * 8, indexing="ij"), -1).reshape(-1, 8)
    weight = np.prod(np.stack(np.meshgrid(*[weights / weights.sum()] * 8, indexing="ij"), -1).reshape(-1, 8), axis=1)
    δ, v, a, expected = np.full(len(z), w), 0.0, 0.0, []
    for t, γ in enumerate((γ1, γ2), start=1):
        x, ε = np.sqrt(λ) * z[:, 4 * t - 4 : 4 * t - 2], σ * z[:, 4 * t - 2 : 4 * t]
        v = momentum * v + ((x * δ[:, None] - ε) * x).mean(1)
        δ = δ - γ * v
        a = τ * a + (1 - τ) * δ
        expected.append([λ * weight @ δ**2 / 2, λ * weight @ a**2 / 2 / (1 - τ**t) ** 2])
    law = LeastSquaresSGD([λ], [w**2], σ, momentum=momentum, averages=(0.0, τ))
    assert law.excess([γ1, γ2], 2) == pytest.approx(np.array(expected), rel=1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_sixty_steps_against_runs(size, momentum):
    """d = 20, B = 3, τ = .9, T = 60; a false alarm once in a million, 5 % is seen."""
    runs, rate = size(2000, 40_000), 0.4 * (1 - momentum)
    world = LeastSquares.power(20, decay=1.5, source=2.0, noise=0.5)
    law = LeastSquaresSGD(world.spectrum, world.optimum**2, 0.5, momentum, (0.9,))
    random, δ, v, a = np.random.default_rng(2), np.tile(-world.optimum, (runs, 1)), 0.0, 0.0
    for _ in range(60):
        z = random.standard_normal((3, runs, 20), np.float32)
        x = z * np.sqrt(world.spectrum)
        miss = (x * δ).sum(-1) - 0.5 * random.standard_normal((3, runs))
        v = momentum * v + (miss[..., None] * x).mean(0)
        δ = δ - rate * v
        a = 0.9 * a + 0.1 * δ
    risk = np.square(a / (1 - 0.9**60)) @ world.spectrum / 2
    expected, error = law.excess(np.full(60, rate), 3)[-1, 0], risk.std() / np.sqrt(runs)
    assert error < size(0.01, 0.002) * expected
    assert abs(risk.mean() - expected) < 5 * error


def test_the_last_weights_are_one_pass_and_one_step_is_any_average():
    world = LeastSquares.power(30, source=2.0, noise=1.0)
    law, rates = (
        LeastSquaresSGD(world.spectrum, world.optimum**2, 1.0, averages=(0.0, 0.9, 0.999)),
        np.linspace(0.5, 0.1, 40),
    )
    found = law.excess(rates, 4)
    assert found[:, 0] == pytest.approx(
        one_pass(world.spectrum, world.optimum**2, rates=rates, noise=1.0, batch=4).excess[1:]
    )
    assert found[0] == pytest.approx(found[0, 0])
    assert (
        law.excess(rates, 1e12)[:, 0]
        == pytest.approx(  # no noise: gradient descent
            [
                0.5 * world.spectrum @ (world.optimum * np.prod(1 - np.outer(rates[:t], world.spectrum), axis=0)) ** 2
                for t in range(1, 41)
            ]
        )
    )


def test_arrivals_are_those_of_the_curve():
    world = LeastSquares.power(30, source=2.0, noise=1.0)
    law = LeastSquaresSGD(world.spectrum, world.optimum**2, 1.0)
    curve = law.excess(np.full(300, 0.5), 8)
    for k, steps in enumerate(law.steps_to(0.05, rate=0.5, batch=8, most=300)):
        down = np.flatnonzero(curve[:, k] <= 0.05)
        if not down.size:
            assert np.isnan(steps)
            continue
        before, after = curve[down[0] - 1, k], curve[down[0], k]
        assert steps == pytest.approx(down[0] + np.log(before / 0.05) / np.log(before / after))
    best = law.best_steps(0.05, batch=8, most=300)
    assert best.value == pytest.approx(np.nanmin(law.steps_to(0.05, rate=best.rate, batch=8, most=300)))
    assert best.value <= np.nanmin(law.steps_to(0.05, rate=0.5, batch=8, most=300))
    assert best.average in law.averages
    refined = law.best_steps(0.05, batch=8, most=300, rates=[0.5])
    assert best.value <= refined.value <= np.nanmin(law.steps_to(0.05, rate=0.5, batch=8, most=300))
    least = law.least_excess(50, batch=8)
    assert least.value == pytest.approx(law.excess(np.full(50, least.rate), 8).min())
    assert law.best_steps(1e-9, batch=8, most=20).value == np.inf


def test_critical_batches_are_those_of_other_code():
    """Levels of an independent program with a coarser grid of rates, which moves them by up to 8 %: σ = 1, a = 1.5."""
    for source, data, other in ((1.2, 512, 10.1), (2.0, 512, 20.5), (3.0, 512, 56.7), (3.0, 2048, 137.9)):
        world = LeastSquares.power(300, decay=1.5, source=source, noise=1.0)
        law = batch_law(LeastSquaresSGD(world.spectrum, world.optimum**2, 1.0), data)
        assert law.critical == pytest.approx(other, rel=0.1)
        low, high = law.around
        assert law.batch[low] <= law.critical <= law.batch[high] == 2 * law.batch[low]
        assert law.batch[0] * law.steps[0] == data
        assert law.batch[low] * law.steps[low] <= 1.2 * data <= law.batch[high] * law.steps[high]


def test_the_noise_scale_is_that_of_drawn_gradients(size):
    world, random = LeastSquares.power(10, source=2.0, noise=0.7), np.random.default_rng(3)
    m, n = np.linspace(0.5, 2, 10), size(20_000, 400_000)
    law, δ = LeastSquaresSGD(world.spectrum, m, 0.7), np.sqrt(m)
    x = random.standard_normal((n, 10)) * np.sqrt(world.spectrum)
    g = (x @ δ - 0.7 * random.standard_normal(n))[:, None] * x
    signs = (
        world.spectrum**2 @ m
    )  # |G|² of a fixed error with these squares, and tr Σ but for cross terms, which vanish
    assert law.noise_scale(m) == pytest.approx((np.square(g).sum(1).mean() - signs) / signs, rel=0.05)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: LeastSquaresSGD([-1.0], [1.0]), "`eigenvalues`"),
        (lambda: LeastSquaresSGD([0.0], [1.0]), "`eigenvalues`"),
        (lambda: LeastSquaresSGD([1.0], [1.0, 2.0]), "`square`"),
        (lambda: LeastSquaresSGD([1.0], [-1.0]), "`square`"),
        (lambda: LeastSquaresSGD([1.0], [np.nan]), "`square`"),
        (lambda: LeastSquaresSGD([1.0], [1.0], -1), "`noise`"),
        (lambda: LeastSquaresSGD([1.0], [1.0], momentum=1.0), "`momentum`"),
        (lambda: LeastSquaresSGD([1.0], [1.0], averages=(1.0,)), "`averages`"),
        (lambda: LeastSquaresSGD([1.0], [1.0]).excess([-0.1], 4), "`rates`"),
        (lambda: LeastSquaresSGD([1.0], [1.0]).excess([0.1], 0), "`batch`"),
        (lambda: LeastSquaresSGD([1.0], [1.0]).steps_to(0, rate=0.1, batch=1, most=9), "`target`"),
        (lambda: LeastSquaresSGD([1.0], [1.0]).steps_to(0.1, rate=0.1, batch=1, most=0), "`most`"),
        (lambda: LeastSquaresSGD([1.0], [1.0]).best_steps(np.nan, batch=1, most=9), "`target`"),
        (lambda: LeastSquaresSGD([1.0], [1.0]).least_excess(0, batch=1), "`steps`"),
        (lambda: LeastSquaresSGD([1.0], [1.0]).noise_scale([1.0, 1.0]), "`moments`"),
        (lambda: batch_law(LeastSquaresSGD([1.0], [1.0]), 4), "`data`"),
        (lambda: batch_law(LeastSquaresSGD([1.0], [1.0]), 64, reference=0), "`reference`"),
        (lambda: batch_law(LeastSquaresSGD([1.0], [1.0]), 64, overhead=4), "`overhead`"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(InputError, match=words):
        call()

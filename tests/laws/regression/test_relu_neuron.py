"""Laws of the ReLU neuron against enumeration of all outcomes, simulation in plain loops, quadrature, and the laws of SGD."""

from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.laws.regression import (
    bernoulli_risk,
    closed_risk,
    gaussian_risk,
    geometric,
    mean_error,
    mean_weights,
    sgd_floor,
)
from twopart.laws.regression.relu_neuron import _gaussian
from twopart.worlds.regression import ReluNeuron

SIGMAS = 5.0  # a false alarm in two million


def stepped(w, x, y, rate, gate):
    """One step of a run for each row of w, in words of its own."""
    u = np.einsum("rd,rd->r", w, x)
    error = np.where(u > 0, u, 0) - y
    if gate:
        error = np.where(u > 0, error, 0)
    return w - rate * error[:, None] * x


def simulated(world, start, rates, gate, runs):
    w = np.tile(np.asarray(start, float), (runs, 1))
    for t, rate in enumerate(rates):
        w = stepped(w, *world.sample(runs, stream=t), rate, gate)
    return w


def enumerated(λ, truth, start, rates, gate, noise=0.0):
    """All outcomes of Bernoulli inputs with noise ± `noise`: weights (outcomes, d) and probabilities (outcomes,)."""
    w, p = np.atleast_2d(np.asarray(start, float)), np.ones(1)
    signs = (1, -1)
    outcomes = [(i, s, e) for i, s, e in product(range(len(λ)), signs, (noise, -noise) if noise else (0.0,))]
    for rate in rates:
        parts, chances = [], []
        for i, s, e in outcomes:
            x = np.zeros(len(λ))
            x[i] = s
            y = max(s * truth[i], 0) + e
            parts.append(stepped(w, np.tile(x, (len(w), 1)), np.full(len(w), y), rate, gate))
            chances.append(p * λ[i] / (2 * (2 if noise else 1)))
        w, p = np.concatenate(parts), np.concatenate(chances)
    return w, p


AXES = np.array([0.5, 0.3, 0.2]), np.array([0.8, -0.8, 0.5]), np.array([0.4, 0.6, -0.3])


@pytest.mark.parametrize("noise", [0.0, 0.4])
def test_the_mean_of_glm_tron_by_enumeration(noise):
    λ, truth, start = AXES
    rates = [0.5, 0.5, 0.25]
    w, p = enumerated(λ, truth, start, rates, False, noise)
    law = mean_weights(λ, λ * truth / 2, rates, start)
    assert law.shape == (4, 3)
    assert p @ w == pytest.approx(law[-1], abs=1e-12)
    assert mean_weights(np.diag(λ), λ * truth / 2, rates, start) == pytest.approx(law)


def test_the_mean_is_that_of_least_squares_with_half_the_covariance():
    λ, truth, start = AXES
    rates = geometric(60, 0.9)
    left = mean_weights(λ, λ * truth / 2, rates, start)[-1] - truth
    assert left == pytest.approx((start - truth) * mean_error(λ / 2, rates))


@pytest.mark.parametrize("kind", ["flipped", "mirrored"])
def test_the_mean_holds_for_wrong_labels(kind):
    """Gaussian inputs; each weight's mean within five standard errors of the law."""
    world = ReluNeuron.power(3, decay=1.0, kind=kind, share=0.3, noise=0.2, seed=2)
    rates, start = geometric(40, 0.5), np.array([-1.0, 0.5, 2.0])
    w = simulated(world, start, rates, False, 20_000)
    law = mean_weights(world.spectrum, world.cross_moment, rates, start)[-1]
    assert np.abs((w.mean(0) - law) / (w.std(0) / np.sqrt(len(w)))).max() < SIGMAS


@pytest.mark.parametrize(("gate", "end"), [(False, 0.4), (True, 0.7)])
def test_where_mirrored_labels_lead(gate, end):
    """From between both ends GLM-tron goes to (1 - 2p) w*, whose loss is twice the least, and SGD to the best, (1 - p) w*."""
    world = ReluNeuron.power(4, 0.5, kind="mirrored", share=0.3, noise=0.1, seed=5)
    w = simulated(world, 0.55 * world.optimum, geometric(400, 0.4), gate, 300)
    error = SIGMAS * w.std(0) / np.sqrt(len(w)) + 0.02
    assert np.all(np.abs(w.mean(0) - end * world.optimum) < error)
    assert error.max() < 0.1
    assert world.excess(0.4 * world.optimum) == pytest.approx(0.3**2 / 2)


@pytest.mark.parametrize("gate", [False, True])
def test_one_gaussian_step_by_quadrature(gate):
    """In the plane all is homogeneous in x: a mean over angles times a moment of the length, E r² = 2 and E r⁴ = 8."""
    λ, truth, w, rate, σ = np.array([0.9, 0.4]), np.array([1.0, -1.0]), np.array([-0.4, -0.9]), 0.7, 0.5
    angle = (np.arange(200_000) + 0.5) * 2 * np.pi / 200_000
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1) * np.sqrt(λ)
    u, v = x @ w, x @ truth
    is_open = (u > 0) if gate else np.ones_like(u)
    error = is_open * (np.maximum(u, 0) - np.maximum(v, 0))
    pull, push = 2 * (x.T @ error) / len(x), 8 * (np.square(x).T @ error**2) / len(x)
    noise = 2 * σ**2 * (np.square(x).T @ is_open) / len(x)
    law = gaussian_risk(ReluNeuron(λ, truth, σ), w, [rate], gate=gate)
    assert law.mean == pytest.approx(w - rate * pull, rel=1e-4)
    assert law.square == pytest.approx(w**2 - 2 * rate * w * pull + rate**2 * (push + noise), rel=1e-4)


@pytest.mark.parametrize("gate", [False, True])
def test_one_gaussian_step_is_exact(gate, size):
    """First and second moments after one step from a known w; antithetic signs thin the noise."""
    λ, truth, w = np.array([0.5, 0.3, 0.2]), np.array([1.0, -1.0, 0.5]), np.array([-0.4, -0.9, 1.2])
    rate, σ, n = 0.7, 0.4, size(200_000, 20_000_000)
    law = gaussian_risk(ReluNeuron(λ, truth, σ), w, [rate], gate=gate)
    z = np.random.default_rng(1).standard_normal((n // 2, 4))
    z = np.concatenate([z, -z])
    x = z[:, :3] * np.sqrt(λ)
    after = stepped(np.tile(w, (n, 1)), x, np.maximum(x @ truth, 0) + σ * z[:, 3], rate, gate)
    for values, expected in ((after, law.mean), (after**2, law.square)):
        error = SIGMAS * values.std(0) / np.sqrt(n)
        assert np.all(np.abs(values.mean(0) - expected) < error)
        assert np.all(error < 0.3 * np.abs(expected - (w if values is after else w**2)).max())
    batch = gaussian_risk(ReluNeuron(λ, truth, σ), w, [rate], gate=gate, batch=5)
    spread = law.square - law.mean**2
    assert batch.square - batch.mean**2 == pytest.approx(spread / 5), "a batch divides what chance adds"
    assert batch.mean == pytest.approx(law.mean)


def test_limits_of_the_gaussian_expectations():
    for gate in (False, True):
        risk, drift, (f, *_), _ = _gaussian(2.0, 2.0, 2.0, gate)
        assert (risk, f, sum(drift)) == pytest.approx((0, 0, 0), abs=1e-12), "no drift at w*"
        risk, drift, *_ = _gaussian(2.0, 2.0, -2.0, gate)
        assert risk == pytest.approx(2.0)
        assert drift == pytest.approx((0.5, 0.0 if gate else -0.5), abs=1e-8)
    risk, _, (f, *_), _ = _gaussian(0.0, 2.0, 0.0, False)
    assert (risk, f) == pytest.approx((1.0, 1.0))


@pytest.mark.parametrize(("gate", "start"), [(False, 1.0), (True, 0.2)])
def test_the_gaussian_risk_over_a_pass(gate, start):
    """Within half of the largest squared spread, and in these worlds within 2 %, but for five standard errors."""
    world = ReluNeuron.power(30, noise=0.3, seed=4)
    w0, rates = start * np.random.default_rng(3).standard_normal(30), geometric(100, 0.4)
    law = gaussian_risk(world, w0, rates, gate=gate)
    assert law.risk[0] == pytest.approx(world.excess(w0))
    assert np.array_equal(gaussian_risk(world, w0, rates, gate=gate, at=[3, 100]).spread, law.spread[[3, 100]])
    risk = world.excess(simulated(world, w0, rates, gate, 1000))
    error = SIGMAS * risk.std() / np.sqrt(len(risk))
    assert error < 0.04 * law.risk[-1]
    assert abs(risk.mean() - law.risk[-1]) < min(0.02, 0.5 * law.spread.max() ** 2) * law.risk[-1] + error


def test_one_pass_at_d_100_to_two_per_cent():
    """Where weights average themselves: a constant off by 5 % would show."""
    world = ReluNeuron.power(100, decay=0.5, noise=0.3, seed=4)
    w0, rates = np.random.default_rng(3).standard_normal(100), np.full(100, 0.4)
    for gate in (False, True):
        law = gaussian_risk(world, w0, rates, gate=gate)
        risk = world.excess(simulated(world, w0, rates, gate, 400))
        error = SIGMAS * risk.std() / np.sqrt(len(risk))
        assert error < 0.03 * law.risk[-1]
        assert risk.mean() == pytest.approx(law.risk[-1], abs=error + 0.005 * law.risk[-1])


def test_noiseless_sgd_by_enumeration():
    λ, truth, start = AXES
    rates = [0.6, 0.5, 0.4]
    world = ReluNeuron(λ, truth, inputs="bernoulli", noise=0.0)
    law = closed_risk(world, start, rates, gate=True)[0]
    for steps in range(4):
        w, p = enumerated(λ, truth, start, rates[:steps], True)
        assert p @ world.excess(w) == pytest.approx(law[steps], abs=1e-12)
    assert closed_risk(world, start, np.full(5000, 0.5), gate=True)[0][-1] == pytest.approx(sgd_floor(world, start))
    assert sgd_floor(world, start) == pytest.approx((0.3 * 0.64 + 0.2 * 0.25) / 2)
    still = closed_risk(world, 0 * start, rates, gate=True)
    assert still[0] == pytest.approx(np.full(4, λ @ truth**2 / 2)), "0 never moves"
    assert np.all(still[1] == 0)


@pytest.mark.parametrize("gate", [False, True])
def test_right_signs_by_enumeration(gate):
    """Noise too small to cross 0: the recursion is exact, and SGD's variance half of GLM-tron's."""
    λ, truth, _ = AXES
    start, rates = 0.5 * truth, [0.5, 0.5, 0.25]
    world = ReluNeuron(λ, truth, 0.1, "bernoulli")
    bias, variance = closed_risk(world, start, rates, gate=gate)
    w, p = enumerated(λ, truth, start, rates, gate, 0.1)
    assert np.all(w * truth > 0)
    assert p @ world.excess(w) == pytest.approx(bias[-1] + variance[-1], abs=1e-12)
    other = closed_risk(world, start, rates, gate=not gate)
    assert bias == pytest.approx(other[0])
    assert variance == pytest.approx(other[1] * (0.5 if gate else 2.0))


def test_glm_tron_without_noise_by_enumeration():
    """From wrong signs too, where there is no closed form: the grid against all outcomes."""
    λ, truth, start = AXES
    rates = [0.61, 0.5, 0.4, 0.3]
    w, p = enumerated(λ, truth, start, rates, False)
    world = ReluNeuron(λ, truth, 0.0, "bernoulli")
    found = bernoulli_risk(world, start, rates, cells=800)
    assert found.risk[-1] == pytest.approx(p @ world.excess(w), rel=1e-4)
    assert found.mass.sum(1) + found.atom == pytest.approx(np.ones(3))
    assert found.atom == pytest.approx((1 - λ) ** 4)


@pytest.mark.parametrize("gate", [False, True])
def test_the_chain_with_noise_against_simulation(gate, size):
    world = ReluNeuron(AXES[0], AXES[1], noise=0.5, inputs="bernoulli", seed=3)
    start, rates = AXES[2], geometric(60, 0.5)
    found = bernoulli_risk(world, start, rates, gate=gate, at=[0, 20, 60], cells=300)
    w = simulated(world, start, rates, gate, size(10_000, 100_000))
    risk = world.excess(w)
    error = SIGMAS * risk.std() / np.sqrt(len(risk))
    assert error < 0.04 * found.risk[-1]
    assert found.risk[-1] == pytest.approx(risk.mean(), abs=error)
    assert found.risk[0] == pytest.approx(world.excess(start))
    middle = np.median(w[:, 0])
    below = found.mass[0][found.points[0] < middle].sum() + found.atom[0] * (start[0] < middle)
    assert below == pytest.approx(0.5, abs=0.02)


def test_the_chain_settles_as_its_grid_grows():
    """Second order, as 0 is an edge of the grid; and the error that it reports is that of half the cells."""
    world = ReluNeuron(*AXES[:2], 0.3, "bernoulli")
    runs = [bernoulli_risk(world, AXES[2], geometric(60, 0.5), gate=True, cells=n) for n in (150, 300, 600)]
    steps = [abs(a.risk[-1] - b.risk[-1]) for a, b in pairwise(runs)]
    assert steps[1] < steps[0] / 2 < 1e-3 * runs[-1].risk[-1]
    assert runs[2].error == pytest.approx(steps[1] / runs[2].risk[-1])
    assert runs[0].error < 0.01


def test_many_axes_share_a_chain():
    """d = 12 of two starts, beside truths that differ by so little that each has a chain of its own; marks change nothing."""
    λ, rates = np.full(12, 1 / 12), geometric(100, 0.8)
    truth, start = np.where(np.arange(12) % 2, 0.8, -0.8), np.where(np.arange(12) < 4, 0.4, -0.2)
    together, alone = (ReluNeuron(λ, truth + off * np.arange(12), 0.3, "bernoulli") for off in (0.0, 1e-9))
    whole = bernoulli_risk(together, start, rates, cells=100).risk[-1]
    assert whole == pytest.approx(bernoulli_risk(alone, start, rates, cells=100).risk[-1], rel=1e-2)  # grids differ
    stepwise = bernoulli_risk(together, start, rates, at=range(101), cells=100).risk
    assert stepwise[-1] == pytest.approx(whole, rel=1e-10)


ONE, AXIS = ReluNeuron([1.0], [1.0], 0.1), ReluNeuron([1.0], [1.0], 0.1, "bernoulli")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: gaussian_risk(ONE, [0.0], [0.1], gate=True), "`start` must be not 0 for SGD"),
        (lambda: gaussian_risk(ONE, [0.5, 1.0], [0.1]), "`start` must be of shape"),
        (lambda: gaussian_risk(ONE, [np.nan], [0.1]), "`start` must be finite"),
        (lambda: gaussian_risk(ONE, [0.5], [-0.1]), "`rates` must be >= 0"),
        (lambda: gaussian_risk(ONE, [0.5], [0.1], batch=0), "`batch` must be"),
        (lambda: gaussian_risk(AXIS, [0.5], [0.1]), "`world` must be well-specified, gaussian inputs"),
        (lambda: bernoulli_risk(replace(AXIS, kind="flipped"), [0.5], [0.1]), "`world` must be well-specified"),
        (lambda: bernoulli_risk(AXIS, [0.5], [2.0]), "`rates` must be below 2"),
        (lambda: bernoulli_risk(AXIS, [0.5], [0.1], at=[2]), "`at` must be rising steps"),
        (lambda: bernoulli_risk(AXIS, [0.5], [0.1], cells=10), "`cells` must be"),
        (lambda: bernoulli_risk(replace(AXIS, noise=0.0), [4.0], [1.2], gate=True), "`rates` must be at most 1"),
        (lambda: closed_risk(AXIS, [-0.5], [0.2], gate=True), "`start` must be of the signs"),
        (lambda: closed_risk(replace(AXIS, noise=0.0), [-0.5], [0.2]), "`start` must be of the signs"),
        (lambda: sgd_floor(ONE, [0.5]), "`world` must be well-specified, bernoulli inputs"),
        (lambda: mean_weights([[1.0]], [1.0, 1.0], [0.2], [0.0, 0.0]), "`second_moment` must be of shape"),
        (
            lambda: mean_weights([[1.0, 0.5], [0.0, 1.0]], [1.0, 1.0], [0.2], [0.0, 0.0]),
            "`second_moment` must be symmetric",
        ),
    ],
)
def test_bad_arguments_are_refused(call, said):
    with pytest.raises(InputError, match=said):
        call()

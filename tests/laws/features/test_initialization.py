"""The law of output scale: against its differential equations, plain gradient descent, the limits of both ends, prototypes."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from twopart._checks import InputError
from twopart.laws.features import benign_norm, early, growth_rates, output_scale_error, reply_error, xor_error

N, D, M, V, Q = 40, 2000.0, 10, 0.05, 0.7
OUTPUTS = ("per-patch", "shared", "fixed")


def flow(output, norm, flips=0.0, noise=1.0):
    """Of one neuron, |ℓ'| = 1/2: signal a, each remembered point's b, and the output weights, in slopes of the loss itself."""
    points, length = int(Q * N / 2), noise * np.sqrt(D)

    def slopes(_, state):
        v, (a, b) = state[:2], (state[2], state[3:])
        signal = norm * ((1 - flips) - flips) / 2 / 2  # half of the points have y μ with a > 0: mean of y ℓ' μ
        up = np.array([signal * a, length * b.sum() / (2 * N)])
        up = np.full(2, up.sum()) if output == "shared" else up * (output != "fixed")
        return np.concatenate([up, [v[0] * signal], np.full(points, v[1] * length / (2 * N))])

    return slopes, np.array([V, V] + [0.0] * (1 + points))


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize(("norm", "flips", "noise"), [(4.0, 0.0, 1.0), (9.0, 0.1, 0.5)])
def test_early_is_the_solution_of_its_equations(output, norm, flips, noise):
    slopes, start = flow(output, norm, flips, noise)
    times = np.array([0.0, 0.3, 1.0, 2.0])
    found = solve_ivp(slopes, (0, 2), start, t_eval=times, rtol=1e-10, atol=1e-12).y
    law = early(times, V, norm, N, D, noise, Q, flips, output=output)
    expected = (found[2], found[0], np.linalg.norm(found[3:], axis=0), found[1])
    for part, exact in zip(vars(law).values(), expected, strict=True):
        assert part == pytest.approx(exact, rel=1e-7, abs=1e-10)


@pytest.mark.parametrize("output", OUTPUTS)
def test_at_a_rate_it_is_gradient_descent(output):
    slopes, state = flow(output, 4.0)
    for _ in range(50):
        state = state + 0.02 * slopes(0, state)
    law = early(1.0, V, 4.0, N, D, 1.0, Q, output=output, rate=0.02)
    assert list(vars(law).values()) == pytest.approx([state[2], state[0], np.linalg.norm(state[3:]), state[1]])


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize(("initial", "norm"), [(1e-2, 7.0), (0.3, 2.0)])
def test_the_end_is_where_the_flow_of_equal_margins_comes(output, initial, norm):
    """Logistic loss, integrated until the margin is 5; k from what the neurons hold, by counting."""
    slopes, start = flow(output, norm)
    start, length = start * initial / V, np.sqrt(D)

    def margin(state):
        return M * (state[0] * state[2] * norm + Q * state[1] * state[3] * length)

    def descend(_, state):
        return slopes(0, state) * 2 / (1 + np.exp(margin(state)))

    def reached(_, state):
        return margin(state) - 5

    reached.terminal = True
    state = solve_ivp(descend, (0, 1e4), start, events=reached, rtol=1e-9, atol=1e-13).y[:, -1]
    law = output_scale_error(initial, norm, N, D, M, 1.0, Q, output=output)
    reply = state[1] * state[3] * length * np.sqrt(N / (2 * D))
    assert margin(state) == pytest.approx(5)
    assert law.k == pytest.approx(state[0] * state[2] * norm / reply, rel=1e-5)
    assert law.layers.output_memory == pytest.approx(state[1], rel=1e-5)
    assert law.error == reply_error(law.k, Q)


def test_a_large_output_layer_is_a_fixed_one_and_that_is_the_xor_law_of_twice_the_norm():
    norms = np.array([1.0, 2.0, 3.0, 6.0])
    fixed = output_scale_error(1.0, norms, N, D, M, active=Q, output="fixed")
    assert fixed.k == pytest.approx(norms**2 * np.sqrt(N / (2 * D)))
    assert fixed.k == pytest.approx(xor_error(N, D, 2 * norms, active=Q, late=False).margin)
    for output in ("per-patch", "shared"):
        assert output_scale_error(30.0, norms, N, D, M, active=Q, output=output).k == pytest.approx(fixed.k, rel=1e-2)
    shared = output_scale_error(1e-4, norms, N, D, M, active=Q, output="shared")
    assert shared.k == pytest.approx(fixed.k), "one weight a neuron: the signal rides on memory"


def test_small_output_layers_race():
    signal, memory = growth_rates(np.array([2.0, 20.0]), N, D, active=Q)
    assert signal / memory == pytest.approx(np.array([2.0, 20.0]) * np.sqrt(N / (2 * Q * D)))
    errors = [output_scale_error(v, [5.0, 12.0], N, D, M, active=Q).error for v in (1e-2, 1e-4, 1e-8)]
    assert errors[0][0] < errors[1][0] < errors[2][0] == pytest.approx(0.5, abs=1e-3)
    assert errors[0][1] < 1e-6 > errors[2][1]
    edges = benign_norm(0.25, [1e-12, 1e-3, 1.0, 30.0], N, D, M, active=Q)
    assert edges[0] == pytest.approx(np.sqrt(2 * Q * D / N), rel=0.07)
    assert edges[-1] == pytest.approx(benign_norm(0.25, 1.0, N, D, M, active=Q, output="fixed"), rel=5e-3)
    assert output_scale_error([1e-12, 1e-3, 1.0, 30.0], edges, N, D, M, active=Q).error == pytest.approx(0.25, abs=1e-6)


def test_a_mean_of_neurons_is_a_sum_at_a_slower_rate_and_a_longer_margin():
    of_sum = output_scale_error(0.1, 4.0, N, D, M, active=Q, margin=5.0)
    of_mean = output_scale_error(0.1, 4.0, N, D, M, active=Q, margin=0.5, scale=1 / M)
    assert (of_mean.error, of_mean.time) == pytest.approx((of_sum.error, M * of_sum.time))
    assert vars(of_mean.layers) == pytest.approx(vars(of_sum.layers))


@pytest.mark.parametrize(
    ("ask", "name"),
    [
        (lambda: early(-1.0, V, 4.0, N, D), "time"),
        (lambda: early(1.0, np.nan, 4.0, N, D), "output_initial"),
        (lambda: early(1.0, V, 4.0, N, D, output="both"), "output"),
        (lambda: early(1.0, V, 4.0, N, D, rate=1.0), "rate"),
        (lambda: early(1.0, V, 4.0, N, D, flips=0.5), "flips"),
        (lambda: growth_rates(-1.0, N, D), "norm"),
        (lambda: growth_rates(1.0, 0, D), "n"),
        (lambda: growth_rates(1.0, N, np.inf), "dimension"),
        (lambda: growth_rates(1.0, N, D, noise=0.0), "noise"),
        (lambda: growth_rates(1.0, N, D, scale=0.0), "scale"),
        (lambda: output_scale_error(V, 1.0, N, D, M, active=1.0), "active"),
        (lambda: output_scale_error(V, 1.0, N, D, 0), "neurons"),
        (lambda: output_scale_error(V, 1.0, N, D, M, margin=[5.0, np.nan]), "margin"),
        (lambda: benign_norm(0.5, V, N, D, M), "error"),
        (lambda: benign_norm(0.2, 0.0, N, D, M), "output_initial"),
    ],
)
def test_bad_arguments(ask, name):
    with pytest.raises(InputError, match=rf"`{name}` must be .*, got .*; "):
        ask()

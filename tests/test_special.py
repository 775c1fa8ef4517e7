"""Special functions against 60 digits, and sums over counts against plain sums."""

import mpmath
import numpy as np
import pytest

from twopart._special import (
    digamma_step,
    log_beta_binomial,
    log_gamma_cross,
    log_gamma_ratio,
    mean_log2_count,
    sum_nodes,
)

f = mpmath.loggamma


@pytest.mark.parametrize("x", [1e-6, 0.3, 1.0, 50.0, 1e4, 1e9, 1e12])
def test_cross_ratios_of_gamma_functions(x):
    with mpmath.workdps(60):
        for s in (-0.9 * min(x, 1), -1e-9 * x, 1e-9, 0.5, 1.0, 30.0, 1e5, 1e12):
            for m in (1e-6, 1.0, 5.0, 1e3, 1e7, 1e12):
                a, b, c = map(mpmath.mpf, (x, s, m))
                exact = float(f(a + b + c) + f(a) - f(a + b) - f(a + c))
                assert log_gamma_cross(x, s, m) == pytest.approx(exact, rel=1e-14), (x, s, m)


def test_no_step_gives_nothing():
    assert log_gamma_cross(3.0, 0.0, 5.0) == 0
    assert log_gamma_cross(3.0, 5.0, 0.0) == 0


@pytest.mark.parametrize("x", [1e-6, 0.3, 50.0, 1e9])
def test_ratios_of_gamma_functions(x):
    with mpmath.workdps(40):
        for s in (0.25, 1.0, 3.5):
            exact = float(f(mpmath.mpf(x) + s) - f(mpmath.mpf(x)))
            assert log_gamma_ratio(x, s) == pytest.approx(exact, rel=1e-12, abs=1e-12)


def test_steps_of_the_digamma_function():
    with mpmath.workdps(60):
        for x in (1e-9, 0.5, 1.0, 1e3, 1e12):
            for m in (1e-15, 1e-3, 1.0, 1e6, 1e12):
                exact = float(mpmath.psi(0, mpmath.mpf(x) + m) - mpmath.psi(0, mpmath.mpf(x)))
                assert digamma_step(x, m) == pytest.approx(exact, rel=1e-14)


@pytest.mark.parametrize("n", [1, 5, 1000, 10**6, 10**12])
def test_beta_binomial_in_high_precision(n):
    with mpmath.workdps(60):
        for j in (j for j in {0, 1, n // 3, n - 1, n} if j <= n):
            for a, b in ((1e-3, 1e-15), (0.5, 0.5), (1.0, 5.0), (3.0, 1e6), (0.2, 1e12)):
                u, v = mpmath.mpf(a), mpmath.mpf(b)
                ways = f(n + 1) - f(j + 1) - f(n - j + 1)
                exact = ways + f(j + u) + f(n - j + v) - f(n + u + v) - f(u) - f(v) + f(u + v)
                if exact > -700:
                    assert log_beta_binomial(j, n, a, b) == pytest.approx(float(exact), abs=1e-12, rel=1e-14)


@pytest.mark.parametrize("n", [0, 3, 511, 512, 5000, 100_001])
def test_sums_of_smooth_functions(n):
    nodes, weights = sum_nodes(n)
    j = np.arange(n + 1.0)
    for function in (lambda x: 1 / (x + 0.3), lambda x: np.log(x + 2) + 1 / (n - x + 1), lambda x: (x + 1) ** -1.7):
        assert np.dot(weights, function(nodes)) == pytest.approx(function(j).sum(), rel=1e-9)


@pytest.mark.parametrize("shift", [0.4, -0.3])
def test_mean_logarithm_of_a_count(shift):
    n, a, b = 3000, 0.7, 2.3
    j = np.arange(n + 1.0)[int(shift < 0) :]
    plain = np.dot(np.exp(log_beta_binomial(j, n, a, b)), np.log2(j + shift))
    assert mean_log2_count(n, a, b, shift) == pytest.approx(plain, rel=1e-9)

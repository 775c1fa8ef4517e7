"""One pass of SGD against quadrature and enumeration, which are exact, and against the full matrix of second moments."""

from itertools import product

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss

from twopart._checks import InputError
from twopart.laws.regression import mean_error, one_pass, transfer_risk
from twopart.laws.regression.sgd_moments import descend

Z, WEIGHT = hermegauss(6)  # exact up to degree 11; two steps of SGD have degree 8 in each of their normals
NORMAL = list(zip(Z, WEIGHT / WEIGHT.sum(), strict=True))
SIGNS = [(-1.0, 0.5), (1.0, 0.5)]


def one_step(states, λ, rate, noise, batch, law):
    """Every outcome of a step: (probability, error) -> the same after a batch, by enumeration of all its inputs and noises."""
    after = []
    for p, error in states:
        draws = list(product(law, repeat=batch * len(λ)))
        for inputs in draws:
            for noises in product(SIGNS, repeat=batch):
                x = np.sqrt(λ) * np.array([z for z, _ in inputs]).reshape(batch, -1)
                pull = x @ error - noise * np.array([e for e, _ in noises])
                weight = p * np.prod([w for _, w in inputs]) * np.prod([w for _, w in noises])
                after.append((weight, error - rate / batch * pull @ x))
    return after


@pytest.mark.parametrize(
    ("d", "batch", "rates"), [(1, 1, (0.7, 0.4)), (1, 2, (0.7,)), (2, 1, (0.5, 0.3)), (2, 2, (0.5,))]
)
@pytest.mark.parametrize("kind", ["gaussian", "rademacher"])
def test_every_outcome_by_quadrature(d, batch, rates, kind):
    λ, start, law, kurtosis = np.array([0.8, 0.3])[:d], np.array([1.0, -0.6])[:d], *{
        "gaussian": (NORMAL, 3.0), "rademacher": (SIGNS, 1.0)}[kind]  # fmt: skip
    states = [(1.0, start)]
    for rate in rates:
        states = one_step(states, λ, rate, 0.5, batch, law)
    expected = sum(p * error**2 for p, error in states)
    found = one_pass(λ, start**2, rates=rates, noise=0.5, batch=batch, kurtosis=kurtosis)
    assert found.moments[-1] == pytest.approx(expected, rel=1e-12)
    assert found.excess[-1] == pytest.approx(λ @ expected / 2, rel=1e-12)
    assert sum(p * error for p, error in states) == pytest.approx(mean_error(λ, rates) * start, rel=1e-12)


def test_diagonals_close_among_themselves():
    """Against the matrix E δδ^T of Gaussian inputs, E x x^T S x x^T = 2 A S A + tr(A S) A, which need not be diagonal."""
    random = np.random.default_rng(1)
    λ, start, noise, b = random.random(7), random.standard_normal(7), 0.4, 3
    rates, A, S = 0.3 * random.random(50), np.diag(λ), np.outer(start, start)
    for rate in rates:
        once = 2 * A @ S @ A + np.trace(A @ S) * A + noise**2 * A
        S = S - rate * (A @ S + S @ A) + rate**2 * (once / b + (1 - 1 / b) * A @ S @ A)
    assert one_pass(λ, start**2, rates=rates, noise=noise, batch=b).moments[-1] == pytest.approx(np.diag(S), rel=1e-12)


def test_moments_on_the_way():
    λ, m, rates = np.array([1.0, 0.2]), np.array([1.0, 4.0]), np.full(10, 0.1)
    whole = one_pass(λ, m, rates=rates, noise=1.0, at=(0, 4, 10))
    assert whole.moments[0].tolist() == m.tolist()
    half = one_pass(λ, m, rates=rates[:4], noise=1.0)
    assert whole.moments[1].tolist() == half.moments[-1].tolist()
    assert whole.excess[:5].tolist() == half.excess.tolist()
    rest = one_pass(λ, half.moments[-1], rates=rates[4:], noise=1.0)
    assert whole.moments[2].tolist() == rest.moments[-1].tolist()
    assert whole.excess == pytest.approx(np.r_[half.excess[:-1], rest.excess])
    assert one_pass(λ.astype(np.float32), m, rates=[]).excess == pytest.approx([0.9])


def test_whole_numbers_are_compiled_for_no_more_than_others():
    one_pass([1.0], [1.0], rates=[0.1], noise=1.0)
    known = set(descend.signatures)
    one_pass([1], [1], rates=[0.1], noise=1, kurtosis=1)
    transfer_risk(np.eye(2), [1, 1], [1, 1], 1, [0.1], kurtosis=1)
    assert set(descend.signatures) == known


def test_a_rate_too_large_grows_without_a_warning():
    assert one_pass([1.0], [1.0], rates=np.full(5000, 3.0)).excess[-1] == np.inf


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"eigenvalues": [-1.0]}, "`eigenvalues` must be >= 0, got -1.0; they are variances"),
        ({"eigenvalues": [np.nan]}, "`eigenvalues` must be finite"),
        ({"eigenvalues": [[1.0]]}, r"`eigenvalues` must be of shape \(any,\)"),
        ({"square": [1.0, 2.0]}, r"`square` must be of shape \(1,\), got \(2,\)"),
        ({"square": [-1.0]}, "`square` must be >= 0"),
        ({"square": ["a"]}, "`square` must be real numbers"),
        ({"rates": [-0.1]}, "`rates` must be >= 0"),
        ({"rates": [[0.1]]}, r"`rates` must be of shape \(1,\)"),
        ({"noise": -1.0}, "`noise` must be"),
        ({"batch": 0}, "`batch` must be"),
        ({"kurtosis": 0.9}, "`kurtosis` must be"),
        ({"at": (2,)}, r"`at` must be rising steps in 0\.\.1"),
        ({"at": (1, 0)}, "`at` must be rising steps"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        one_pass(**{"eigenvalues": [1.0], "square": [1.0], "rates": [0.1], **arguments})

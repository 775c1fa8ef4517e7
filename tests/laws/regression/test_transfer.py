"""The law of transfer against quadrature, simulation, enumeration and closed forms; it fails where a constant is off by 5 %."""

from itertools import product

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss

from twopart._checks import InputError
from twopart.laws.regression import Domains, geometric, one_pass, transfer_risk
from twopart.laws.regression.schedule import effective
from twopart.laws.regression.sgd_moments import Sampled
from twopart.worlds.regression import CovariateShift

RNG = np.random.default_rng(7)


def spd(d, seed):
    basis = np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))[0]
    return basis @ np.diag(np.arange(1, d + 1) ** -1.5) @ basis.T


def test_two_steps_against_quadrature_in_six_dimensions():
    """One source and one target step in two dimensions that do not commute: polynomials, so 7 nodes a dimension are exact."""
    G, H, error, noise, γ, η = spd(2, 1), 2 * spd(2, 2), np.array([1.0, -0.7]), 0.6, 0.5, 0.3
    nodes, weights = hermegauss(7)
    z = np.stack(np.meshgrid(*[nodes] * 6, indexing="ij"), -1).reshape(-1, 6)
    weight = np.prod(np.stack(np.meshgrid(*[weights / weights.sum()] * 6, indexing="ij"), -1).reshape(-1, 6), axis=1)
    x, v = z[:, :2] @ np.linalg.cholesky(G).T, z[:, 2:4] @ np.linalg.cholesky(H).T
    w1 = error - γ * x * (x @ error - noise * z[:, 4])[:, None]
    w2 = w1 - η * v * ((v * w1).sum(1) - noise * z[:, 5])[:, None]
    law = transfer_risk(G, H, error, noise, [γ], [η])
    assert law.pretrained == pytest.approx(weight @ np.einsum("ni,ij,nj->n", w1, H, w1), rel=1e-12)
    assert law.tuned == pytest.approx(weight @ np.einsum("ni,ij,nj->n", w2, H, w2), rel=1e-12)
    mean = weight @ w2
    assert law.bias == pytest.approx(mean @ H @ mean, rel=1e-12)
    assert law.variance == pytest.approx(law.tuned - law.bias)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_rotated_shift_against_runs(size, batch):
    """Twelve dimensions, 80 source and 40 target steps; false alarm one in a million, a constant off by 5 % is seen."""
    runs, (M, N) = size(5000, 40_000) // batch, (80, 40)
    world = CovariateShift.power(12, target_decay=1.5, source_decay=1.0).rotated(0.6)
    first, then = geometric(M, 0.4), geometric(N, 0.3)
    law = Domains.of_world(world).risk(first, then, batch)
    random, w = np.random.default_rng(3), np.zeros((runs, 12))
    for rates, domain, expected in ((first, "source", law.pretrained), (then, "target", law.tuned)):
        for rate in rates:
            x = world.coloured(random.standard_normal((batch, runs, 12)), domain)
            left = (x * (w - 1)).sum(-1) - random.standard_normal((batch, runs))
            w = w - rate * (left[..., None] * x).mean(0)
        risks = world.risk(w)
        standard_error = risks.std() / np.sqrt(runs)
        assert standard_error < 0.015 * expected
        assert abs(risks.mean() - expected) < 5 * standard_error


def test_other_kurtoses_against_enumeration():
    """Random signs in two bases that differ: every sign of two steps, noise of a random sign too."""
    U, V = (np.linalg.qr(np.random.default_rng(s).standard_normal((3, 3)))[0] for s in (4, 5))
    μ, λ, e, noise, γ, η = (
        np.array([1.0, 0.5, 0.2]),
        np.array([0.7, 0.3, 0.1]),
        np.array([1.0, 2.0, -1.0]),
        0.4,
        0.4,
        0.5,
    )
    pretrained = tuned = 0.0
    H = V @ np.diag(λ) @ V.T
    for s in product((-1.0, 1.0), repeat=8):
        x, v = U @ (np.sqrt(μ) * s[:3]), V @ (np.sqrt(λ) * s[3:6])
        w1 = e - γ * x * (x @ e - noise * s[6])
        w2 = w1 - η * v * (v @ w1 - noise * s[7])
        pretrained, tuned = pretrained + w1 @ H @ w1 / 256, tuned + w2 @ H @ w2 / 256
    law = transfer_risk(U @ np.diag(μ) @ U.T, H, e, noise, [γ], [η], kurtosis=1)
    assert (law.pretrained, law.tuned) == pytest.approx((pretrained, tuned), rel=1e-12)


@pytest.mark.parametrize("batch", [1, 2])
def test_rows_of_ones_own_against_every_way_to_draw_them(batch):
    """Four source and three target rows, two steps of each, noise of a random sign: all sequences, exactly."""
    x, v, e, noise, rates = (
        RNG.standard_normal((3, 2)),
        RNG.standard_normal((2, 2)),
        np.array([1.0, -2.0]),
        0.5,
        (0.2, 0.1),
    )
    H = v.T @ v / 2

    def after(errors, rows, rate):
        draws = product(product(range(len(rows)), (-1.0, 1.0)), repeat=batch)
        steps = [[(rows[i], noise * sign) for i, sign in draw] for draw in draws]
        return [
            w - rate * sum(row * (row @ w - noisy) for row, noisy in step) / batch for w in errors for step in steps
        ]

    first = after([e], x, rates[0])
    then = after(first, v, rates[1])
    law = Domains(Sampled.of(x), Sampled.of(v), e, noise).risk([rates[0]], [rates[1]], batch)
    assert law.pretrained == pytest.approx(np.mean([w @ H @ w for w in first]), rel=1e-12)
    assert law.tuned == pytest.approx(np.mean([w @ H @ w for w in then]), rel=1e-12)
    mean = np.mean(then, axis=0)
    assert law.bias == pytest.approx(mean @ H @ mean, rel=1e-12)


def test_limits_that_are_known():
    λ, e, rates = np.arange(1, 9) ** -1.5, np.linspace(1, -2, 8), geometric(50, 0.3)
    same = transfer_risk(λ, λ, e, 0.5, rates)
    assert same.pretrained == same.tuned == pytest.approx(2 * one_pass(λ, e**2, rates=rates, noise=0.5).excess[-1])
    assert transfer_risk(spd(8, 3), λ, e, 0.5, (), rates).tuned == pytest.approx(same.tuned)  # no source data
    descent = transfer_risk(spd(8, 3), np.diag(λ), e, 0.5, rates, rates, batch=10**12)
    left = e
    for A in (spd(8, 3), np.diag(λ)):
        for rate in rates:
            left = left - rate * A @ left
    assert descent.tuned == pytest.approx(left @ np.diag(λ) @ left, rel=1e-9)
    assert descent.variance < 1e-9 * descent.bias
    u, γ, μ = np.array([0.6, 0.8]), 0.3, 1.7
    rank_one = transfer_risk(μ * np.outer(u, u), np.outer(u, u), 2 * u, 0, [γ] * 3)
    assert rank_one.tuned == pytest.approx(4 * (1 - 2 * γ * μ + 3 * γ**2 * μ**2) ** 3, rel=1e-12)
    assert rank_one.bias == pytest.approx(4 * (1 - γ * μ) ** 6, rel=1e-12)


def test_matrices_that_commute_give_what_their_variances_give():
    basis = np.linalg.qr(RNG.standard_normal((9, 9)))[0]
    μ, λ, e = np.arange(1, 10) ** -2.0, np.sort(RNG.random(9)), RNG.standard_normal(9)
    G, H = basis @ np.diag(μ) @ basis.T, basis @ np.diag(λ) @ basis.T
    rates = geometric(40, 0.3), geometric(20, 0.2)
    diagonal = transfer_risk(μ, λ, basis.T @ e, 0.5, *rates)
    found = transfer_risk(G, H, e, 0.5, *rates)
    assert (found.pretrained, found.tuned, found.bias) == pytest.approx(
        (diagonal.pretrained, diagonal.tuned, diagonal.bias)
    )
    assert found.by_direction == pytest.approx(diagonal.by_direction)
    assert diagonal.by_direction.sum(1) == pytest.approx((λ @ (basis.T @ e) ** 2, diagonal.pretrained, diagonal.tuned))
    order = Domains.of(μ, λ, basis.T @ e, 0.5).variance_order(*rates)
    assert Domains.of(G, H, e, 0.5).variance_order(*rates) == pytest.approx(order)
    assert CovariateShift.power(8).rotated(0.1).covariance("source")[0, 1] != 0
    assert Domains.of_world(CovariateShift.power(8).rotated(0.1)).source.basis is not None


def test_the_floor_is_where_pretraining_ends():
    world = CovariateShift.power(10, source_decay=1.5, noise=0.0).depressed((0, 3), 0)
    for shift in (world, world.rotated(0.4)):
        domains = Domains.of_world(shift)
        long = domains.risk(np.full(4000, 0.2)).pretrained
        assert long == pytest.approx(domains.floor(), rel=1e-6)
    assert Domains.of_world(world).floor() == pytest.approx(np.asarray(world.target)[[0, 3]].sum())
    assert Domains.of_world(CovariateShift.power(10)).floor() == 0


def test_the_order_of_the_variance_against_the_paper_s_sums():
    domains = Domains.of_world(CovariateShift.power(30, source_decay=2.0))
    first, then = geometric(200, 0.4), geometric(40, 0.2)
    λ, μ, fine, pre = domains.target.variances, domains.source.variances, 0.0, 0.0
    N, M = 40 / np.log2(40), 200 / np.log2(200)
    for l, m in zip(λ, μ, strict=True):
        fine += 1 if l > 1 / (N * 0.2) else (N * 0.2 * l) ** 2
        pre += np.prod(1 - then * l) ** 2 * l * (1 / m if m > 1 / (M * 0.4) else M**2 * 0.16 * m)
    assert domains.variance_order(first, then) == pytest.approx(fine / N + pre / M)
    assert domains.variance_order(first, then[:0]) > 0


def test_the_schedule_halves_and_lasts():
    rates = geometric(100, 0.8)
    assert rates[:16] == pytest.approx(0.8)  # ceil(100 / log2 100) = 16
    assert rates[16:32] == pytest.approx(0.4)
    assert rates[-1] == 0.8 / 2**6
    assert [len(geometric(n, 0.5)) for n in range(4)] == [0, 1, 2, 3]
    assert geometric(2, 0.5).tolist() == [0.5, 0.5]
    assert effective(1024) == 102.4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source_covariance": [1.0, -1.0]}, "source_covariance"),
        ({"source_covariance": [[1.0, 0.5], [0.0, 1.0]]}, "symmetric"),
        ({"target_covariance": np.eye(3)}, r"`target_covariance` must be of shape \(2, 2\)"),
        ({"error": [1.0, np.nan]}, "`error` must be finite"),
        ({"noise": -1.0}, "noise"),
        ({"rates_source": [0.1, -0.1]}, "rates_source"),
        ({"rates_target": [[0.1]]}, "rates_target"),
        ({"batch": 0}, "batch"),
        ({"kurtosis": 0.5}, "kurtosis"),
    ],
)
def test_what_cannot_be_is_refused(change, message):
    good = {
        "source_covariance": np.eye(2),
        "target_covariance": [1.0, 0.5],
        "error": [1.0, 1.0],
        "noise": 0.5,
        "rates_source": [0.1],
        "rates_target": [0.1],
    }
    assert transfer_risk(**good).tuned > 0
    with pytest.raises(InputError, match=message):
        transfer_risk(**{**good, **change})


def test_a_rate_too_large_is_infinite_and_raises_nothing():
    assert not transfer_risk(spd(3, 1), np.ones(3), np.ones(3), 1.0, np.full(3000, 9.0)).tuned < 1e300

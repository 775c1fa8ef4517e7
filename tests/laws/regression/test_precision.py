"""The law of few bits against quadrature, one pass without noise, an exact law of another noise, and brute force."""

import re
from contextlib import redirect_stdout
from io import StringIO
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss

from twopart._checks import InputError
from twopart.fits.scaling import scaling_law
from twopart.laws.regression import (
    Noise,
    best_bits,
    effective_sizes,
    equivalent_features,
    geometric,
    one_pass,
    precision_risk,
)
from twopart.tools.plan import plan_training
from twopart.worlds.regression import LeastSquares, SecondMoments, Sketch

PAGE = Path(__file__).parents[3] / "docs/laws/precision-scaling.md"
WORLD = LeastSquares.power(60, decay=1.5, source=2.0, noise=0.1**0.5)
MOMENTS = Sketch(WORLD, 8).moments


def test_two_features_against_quadrature_in_seven_dimensions():
    """All noises at once, features that do not commute with their noise: polynomials of degree 4, so 3 nodes are exact."""
    H, c, power = np.array([[1.0, 0.3], [0.3, 0.5]]), np.array([0.7, -0.2]), 1.3
    D, label, parameter, activation, gradient, stored = np.diag([0.1, 0.4]), 0.2, 0.15, 0.1, 0.05, 0.02
    rates = geometric(3, 0.3)
    nodes, weights = hermegauss(3)
    z = np.stack(np.meshgrid(*[nodes] * 7, indexing="ij"), -1).reshape(-1, 7)
    weight = np.prod(np.stack(np.meshgrid(*[weights / weights.sum()] * 7, indexing="ij"), -1).reshape(-1, 7), axis=1)
    root = np.linalg.cholesky(np.block([[H + D, c[:, None]], [c, np.array([[power + label + activation + gradient]])]]))
    both = z[:, :3] @ root.T
    x, y = both[:, :2], both[:, 2]
    p, s = parameter**0.5 * z[:, 3:5], stored**0.5 * z[:, 5:]
    mean, second = np.zeros(2), np.zeros((2, 2))
    for γ in rates:  # v' = A v + b
        A = np.eye(2) - γ * x[:, :, None] * x[:, None]
        b = γ * (y - (x * p).sum(1))[:, None] * x + s
        Am, Ab = np.einsum("k,kij->ij", weight, A), weight @ b
        cross = np.einsum("k,kij,j,kl->il", weight, A, mean, b)
        second = np.einsum("k,kij,jl,kml->im", weight, A, second, A) + cross + cross.T + (b.T * weight) @ b
        mean = Am @ mean + Ab
    noise = Noise(0, 0, D, label, parameter, activation, gradient, stored)
    law = precision_risk(SecondMoments(H, c, power), noise, rate=0.3, steps=3)
    assert law.clean == pytest.approx(power - 2 * c @ mean + np.trace(H @ second), rel=1e-12)
    assert law.quantised == pytest.approx(power - 2 * c @ mean + np.trace((H + D) @ second), rel=1e-12)
    assert law.floor == pytest.approx(power - c @ np.linalg.solve(H + D, c))


def test_one_feature_with_batches_against_quadrature():
    """d = M = 1, B = 2, three steps, all noises: nodes of two samples, their answers, the weight's noise and what is stored."""
    h, c, power, eps, label, parameter, stored = 0.8, 0.6, 1.1, 0.3, 0.2, 0.15, 0.02
    nodes, weights = hermegauss(3)
    z = np.stack(np.meshgrid(*[nodes] * 6, indexing="ij"), -1).reshape(-1, 6)
    weight = np.prod(np.stack(np.meshgrid(*[weights / weights.sum()] * 6, indexing="ij"), -1).reshape(-1, 6), axis=1)
    μ = h + eps
    x = np.sqrt(μ) * z[:, :2]
    y = c / μ * x + np.sqrt(power - c**2 / μ + label) * z[:, 2:4]
    p, s = parameter**0.5 * z[:, 4], stored**0.5 * z[:, 5]
    mean = second = 0.0
    for γ in geometric(3, 0.5):
        A, b = 1 - γ * np.square(x).mean(1), γ * (x * (y - x * p[:, None])).mean(1) + s
        second = weight @ A**2 * second + 2 * weight @ (A * b) * mean + weight @ b**2
        mean = weight @ A * mean + weight @ b
    noise = Noise(additive=eps, label=label, parameter=parameter, stored=stored)
    law = precision_risk(SecondMoments(np.array([h]), np.array([c]), power), noise, rate=0.5, steps=3, batch=2)
    assert law.clean == pytest.approx(power - 2 * c * mean + h * second, rel=1e-12)
    assert law.quantised == pytest.approx(power - 2 * c * mean + μ * second, rel=1e-12)


def test_without_noise_it_is_one_pass():
    """At rates that are halved, or stay."""
    λ, U = np.linalg.eigh(MOMENTS.covariance)
    best = U.T @ MOMENTS.cross / λ
    left = MOMENTS.power - MOMENTS.cross @ U @ best
    for halved, schedule in ((True, geometric), (False, np.full)):
        law = precision_risk(MOMENTS, rate=0.4, steps=[0, 10, 100], batch=3, halved=halved)
        for steps, risk in zip((0, 10, 100), law.clean, strict=True):
            plain = one_pass(λ, best**2, rates=schedule(steps, 0.4), noise=left**0.5, batch=3)
            assert risk == pytest.approx(left + 2 * plain.excess[-1], rel=1e-12)
        assert law.clean == pytest.approx(law.quantised)
        assert law.floor == pytest.approx([left] * 3)


def test_points_are_each_their_own_problem():
    """Broadcasting against single calls, in every field; a diagonal given as a covariance is the additive noise."""
    noise = Noise(additive=np.array([[0.0], [0.1]]), scalar=0.2, label=np.array([0.0, 0.3, 0.1]), parameter=0.01)
    law = precision_risk(MOMENTS, noise, rate=[0.1, 0.2, 0.3], steps=[[7], [20]], batch=[1, 2, 3])
    assert law.clean.shape == law.floor.shape == (2, 3)
    for i, j in product(range(2), range(3)):
        one = Noise(
            covariance=(0.2 * MOMENTS.covariance + 0.1 * i * np.eye(8)), label=(0.0, 0.3, 0.1)[j], parameter=0.01
        )
        alone = precision_risk(MOMENTS, one, rate=(0.1, 0.2, 0.3)[j], steps=(7, 20)[i], batch=j + 1)
        assert [float(part[i, j]) for part in law] == pytest.approx([float(part) for part in alone], rel=1e-10)


def test_features_that_repeat_change_nothing():
    """A singular covariance: half of the features are copies of the others."""
    copies = np.vstack([np.eye(8)] * 2)
    twice = SecondMoments(copies @ MOMENTS.covariance @ copies.T, copies @ MOMENTS.cross, MOMENTS.power)
    assert precision_risk(twice, rate=0.1, steps=50).clean == pytest.approx(
        precision_risk(MOMENTS, rate=0.2, steps=50).clean, rel=1e-9
    )


def two_point(moments, eps, rates, batch):
    """Features x (1 ± √eps): the exact second moments, written in matrices. Risks on rounded and exact inputs."""
    H, c, V, v = moments.covariance, moments.cross, np.zeros_like(moments.covariance), np.zeros_like(moments.cross)
    best = np.linalg.solve(H, c)
    left, B = moments.power - c @ best, np.outer(best, best)
    for γ in rates:
        both = np.outer(best, v) + np.outer(v, best)
        second = (1 + eps) * B - (1 + 3 * eps) * both + (1 + 6 * eps + eps**2) * V
        whole = 2 * H @ second @ H + np.trace(H @ second) * H + (1 + eps) * left * H
        mean = H @ (B - (1 + eps) * both + (1 + eps) ** 2 * V) @ H
        drift = H @ (np.outer(best, v) - (1 + eps) * V)
        V = V + γ * (drift + drift.T) + γ**2 * (whole / batch + (1 - 1 / batch) * mean)
        v = v + γ * H @ (best - (1 + eps) * v)
    clean = moments.power - 2 * c @ v + np.trace(H @ V)
    return clean + eps * np.trace(H @ V), clean


@pytest.mark.parametrize(("eps", "off"), [(0.0, 1e-12), (0.08, 0.002), (0.3, 0.012)])
def test_proportional_noise_is_right_to_its_order(eps, off):
    """The stated accuracy of the Gaussian form, on rounded and on exact inputs; without noise the two laws are one."""
    law = precision_risk(MOMENTS, Noise(scalar=eps), rate=0.3, steps=200, batch=2)
    exact = two_point(MOMENTS, eps, geometric(200, 0.3), 2)
    assert (float(law.quantised), float(law.clean)) == pytest.approx(exact, rel=off)
    if eps:
        assert (float(law.quantised), float(law.clean)) != pytest.approx(exact, rel=off / 20)


def test_floors_of_a_diagonal_world_have_a_closed_form():
    moments = Sketch(WORLD, 60, "truncation").moments
    λ, signal = WORLD.spectrum, WORLD.spectrum * WORLD.optimum**2
    for eps in (0.001, 0.1):
        law = precision_risk(moments, Noise(additive=eps), rate=0.1, steps=0)
        assert law.floor - 0.1 == pytest.approx((signal * eps / (λ + eps)).sum())
        shrunk = (λ / (λ + eps)) @ signal, (λ / (λ + eps)) ** 2 @ signal
        assert law.scaled_floor - 0.1 == pytest.approx(1 - shrunk[0] ** 2 / shrunk[1])
        law = precision_risk(moments, Noise(scalar=eps), rate=0.1, steps=0)
        assert law.floor - 0.1 == pytest.approx(eps / (1 + eps))  # the signal is 1
        assert law.scaled_floor == pytest.approx(0.1)


def test_effective_sizes_are_those_of_a_full_precision_learner():
    sketch = Sketch(LeastSquares.power(400, decay=1.5, source=2.0, noise=0.1**0.5), 64)
    options = {"rate": 0.3, "batch": 2}
    noise = Noise(additive=np.array([0.0, 3e-5, 3e-4]))
    M, N = effective_sizes(sketch.moments, noise, steps=500, **options)
    assert (M[0], N[0]) == pytest.approx((64, 500))
    assert np.all(np.diff(M) < 0)
    assert np.all(np.diff(N) < 0)
    for features, approximation in zip(
        M, precision_risk(sketch.moments, noise, steps=1, **options).scaled_floor, strict=True
    ):
        around = [Sketch(sketch.world, m).moments for m in (int(features), min(int(features) + 1, 64))]
        floors = [float(precision_risk(m, rate=0, steps=0).floor) for m in around]
        assert floors[1] - 1e-9 <= approximation <= floors[0] + 1e-9
    law = precision_risk(sketch.moments, noise, steps=500, start=1.0, **options)
    variance = precision_risk(sketch.moments, steps=np.round(N).astype(int), start=1.0, **options)
    assert variance.quantised - variance.floor == pytest.approx(law.quantised - law.floor, rel=0.02)
    one_factor = effective_sizes(sketch.moments, Noise(scalar=0.1), steps=500, **options)
    assert one_factor.features == pytest.approx(64)
    assert one_factor.steps < 500
    assert effective_sizes(sketch.moments, Noise(label=1e6), steps=500, **options) == (64, 0)


def test_the_best_split_is_the_best_of_all():
    """Every split by a call of its own."""
    cost, widths, budget = {"data": 8, "gradient": 1}, (2, 4, 8), 4000
    found = best_bits(MOMENTS, budget, cost, rate=0.3, batch=2, widths=widths)
    risks = {}
    for data, gradient in product(widths, repeat=2):
        samples = budget // (8 * data + gradient)
        noise = Noise(
            additive=np.trace(MOMENTS.covariance) / 8 * (8 / 2**data) ** 2 / 6,
            gradient=MOMENTS.power * (8 / 2**gradient) ** 2 / 6,
        )
        law = precision_risk(MOMENTS, noise, rate=0.3, steps=samples // 2, batch=2)
        risks[data, gradient, samples // 2 * 2] = float(law.clean)
    assert (*found.bits.values(), found.samples) == min(risks, key=risks.get)
    assert found.risk == pytest.approx(min(risks.values()))
    assert best_bits(MOMENTS, 1e5, rate=0.3, widths=(3, 6)).samples <= 1e5 / 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: risk(Noise(additive=-1)), r"`additive` must be in \[0, inf\), got -1; no variance or size is less"),
        (lambda: risk(Noise(stored=np.array([0.1, np.nan]))), r"`stored` must be in \[0, inf\)"),
        (lambda: risk(Noise(label=np.ones(2), gradient=np.ones(3))), "`noise` must be of shapes that broadcast"),
        (lambda: risk(Noise(covariance=np.ones(7))), "`covariance` must be of shape"),
        (lambda: risk(Noise(covariance=-np.ones(8))), "`covariance` must be without negative"),
        (lambda: risk(rate=np.nan), "`rate` must be"),
        (lambda: risk(rate=-0.1), "`rate` must be"),
        (lambda: risk(steps=2.5), "`steps` must be whole numbers >= 0"),
        (lambda: risk(steps=-1), "`steps` must be"),
        (lambda: risk(batch=0), "`batch` must be >= 1, got 0"),
        (lambda: risk(batch=np.nan), "`batch` must be in"),
        (lambda: risk(start=np.nan), "`start` must be"),
        (lambda: best_bits(MOMENTS, 10, rate=0.1), "`budget` must be enough for a batch of 1"),
        (lambda: best_bits(MOMENTS, np.nan, rate=0.1), "`budget` must be"),
        (lambda: best_bits(MOMENTS, 1e4, {"bias": 1}, rate=0.1), "`cost` must be some of data"),
        (lambda: best_bits(MOMENTS, 1e4, {"data": 0}, rate=0.1), r"`cost` must be in \(0, inf\)"),
        (lambda: best_bits(MOMENTS, 1e4, rate=0.1, widths=(0, 1)), "`widths` must be"),
        (lambda: best_bits(MOMENTS, 1e4, rate=0.1, widths=()), r"`budget` must be .* at some of \(\) bits"),
        (lambda: best_bits(MOMENTS, 1e4, rate=0.1, batch=0), "`batch` must be"),
        (lambda: equivalent_features(MOMENTS, np.nan), "`error` must be"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def risk(noise=None, **options):
    return precision_risk(MOMENTS, noise or Noise(), **{"rate": 0.1, "steps": 5, **options})


def test_a_table_of_the_law_is_fitted_and_planned_with():
    """The empirical form of training in few bits, on the law: its exponents are b - 1 and (b - 1)/a or so."""
    world, rows, samples = (
        LeastSquares.power(400, decay=1.5, source=2.0, noise=0.1**0.5),
        [],
        np.array([500, 2000, 8000]),
    )
    for M in (8, 16, 32, 64):
        moments = Sketch(world, M).moments
        for bits in (2, 3, 4, 6, 8):
            step = 8 * (np.trace(moments.covariance) / M) ** 0.5 / 2**bits
            law = precision_risk(moments, Noise(additive=step**2 / 6), rate=0.3, steps=samples).clean
            rows += [(M, n, bits, loss) for n, loss in zip(samples, law, strict=True)]
    params, tokens, bits, loss = np.array(rows).T
    fit = scaling_law(params, tokens, loss, "precision", bits=bits, resamples=0)
    assert np.sqrt(np.mean(np.log(loss / fit.predict(params=params, tokens=tokens, bits=bits)) ** 2)) < 0.05
    assert fit.parameters["E"] == pytest.approx(0.1, abs=0.03)  # σ²
    assert fit.parameters["alpha"] == pytest.approx(1, abs=0.3)
    assert fit.parameters["beta"] == pytest.approx(2 / 3, abs=0.3)
    sizes = {bits: plan_training(fit, flops=1e6, bits=bits).best for bits in (2, 8)}
    assert sizes[2].params.value > sizes[8].params.value  # few bits: a larger model, less data
    assert sizes[2].loss.value > sizes[8].loss.value


@pytest.mark.parametrize("block", range(2))
def test_the_page_runs(block):
    """What the page says a reader can do."""
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[block]
    assert block or (PAGE.read_text().index(code) < 1500 and len(code.strip().splitlines()) <= 14)
    names: dict = {}
    with redirect_stdout(StringIO()):
        exec(code, names)
    if block == 0:
        assert names["risk"].mean() == pytest.approx(float(names["law"].clean), rel=0.03)
    else:
        assert names["network"][0].weight.shape == (16, 8)

"""The law of quantised transitions against matrices of all states, a brute-force posterior, and a simulation."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import solve_ivp, trapezoid
from scipy.linalg import expm

from twopart._checks import InputError
from twopart.laws.sampling import (
    diffused,
    early_stop_rate,
    errors,
    euler,
    evaluations,
    flips,
    generated,
    learned,
    ratios,
    schedule,
    start_rate,
    theorem,
    theorem_times,
    walsh_hadamard,
)
from twopart.laws.sampling.bit_diffusion import Segments, kl, tv

T, STOP = 1.3, 0.05


def law(bits, seed=0):
    return np.random.default_rng(seed).dirichlet(np.full(2**bits, 0.5))


def hamming(bits):
    apart = np.arange(2**bits)[:, None] ^ np.arange(2**bits)
    return sum((apart >> i) & 1 for i in range(bits))


def generator(bits):
    """Of the forward chain: rate 1 to each state one flip away."""
    one = (hamming(bits) == 1).astype(float)
    return one - np.diag(one.sum(0))


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_noise_against_the_matrix_exponential(bits):
    q = law(bits)
    for t in (0.0, 1e-3, 0.7):
        assert diffused(q, t) == pytest.approx(expm(t * generator(bits)) @ q, rel=1e-10)
        factors = np.exp(-2 * t * hamming(bits)[0])
        assert diffused(q, t) == pytest.approx(walsh_hadamard(walsh_hadamard(q) * factors) / 2**bits, abs=1e-13)


def test_small_masses_keep_their_digits():
    """A state ten flips from the only one with mass: p^10, far below what sums of signs can tell."""
    q = np.zeros(1024)
    q[0] = 1
    p = -math.expm1(-2e-3) / 2
    assert diffused(q, 1e-3)[-1] == pytest.approx(p**10, rel=1e-12)


def test_generated_against_the_reverse_master_equation():
    """As a system of 2^B equations with explicit matrices, from uniform."""
    bits, q = 4, law(4)
    forward = generator(bits)

    def slope(u, p):
        at = expm(u * forward) @ q
        rate = np.where(hamming(bits) == 1, at[:, None] / at, 0.0)  # from column to row
        return -(rate @ p - rate.sum(0) * p)

    done = solve_ivp(slope, (T, STOP), np.full(16, 1 / 16), rtol=1e-9, atol=1e-12)
    assert generated(q, T, STOP) == pytest.approx(done.y[:, -1], rel=1e-6)
    found = errors(q, T, STOP)
    assert found.total == pytest.approx(np.abs(done.y[:, -1] - q).sum() / 2, rel=1e-6)
    assert found.start <= math.sqrt(found.start_kl / 2)
    assert found.total <= found.early_stop + found.start
    assert found.start_kl <= math.exp(-4 * T) * kl(q, np.full(16, 1 / 16)), "the sharp contraction of the channel"


def test_ratios_against_every_clean_state():
    """Posterior of a flip by Bayes over all clean states, in the form h coth u + (1 - h) tanh u."""
    bits, q, u = 5, law(5), 0.4
    p = (1 - math.exp(-2 * u)) / 2
    likelihood = p ** hamming(bits) * (1 - p) ** (bits - hamming(bits))  # of noisy row, clean column
    posterior = likelihood * q
    posterior /= posterior.sum(1, keepdims=True)
    states = np.arange(32)
    for i in range(bits):
        flipped = ((states[:, None] ^ states) >> (bits - 1 - i)) & 1
        h = (posterior * flipped).sum(1)
        assert ratios(q, u)[:, i] == pytest.approx(h / math.tanh(u) + (1 - h) * math.tanh(u), rel=1e-12)


@pytest.mark.parametrize(
    ("eps", "count", "flipped", "stop"), [(0.2, 64.75, 20.25, 0.0262), (0.05, 94.10, 28.68, 0.00729)]
)
def test_numbers_of_six_bits(eps, count, flipped, stop):
    """Known values; E by a plain sum over the paper's recursion; and flips by integrating the rate of the reverse chain."""
    horizon, least = theorem_times(6, eps)
    segments = schedule(6, horizon, least)
    u, total = math.log(6 / eps), 0.0
    while u > eps / 6:
        total, u = total + 12 / min(1, u) * u / 3, 2 * u / 3
    assert evaluations(segments) == pytest.approx(total) == pytest.approx(count, abs=0.005)
    end = segments.times[1]
    assert end == pytest.approx(u) == pytest.approx(stop, rel=2e-3)
    assert least >= end > 2 / 3 * least
    assert flips(6, *segments.times) == pytest.approx(flipped, abs=0.005)
    q, times = law(6), np.geomspace(horizon, end, 400)
    rate = [diffused(q, t) @ ratios(q, t).sum(1) for t in times]
    assert rate == pytest.approx(np.full(400, 6.0)), "B flips a unit of time whatever the law"
    smooth = 12 * (horizon - 1) + 4 / math.log(1.5) * math.log(1 / end)
    assert evaluations(segments) == pytest.approx(smooth, rel=0.03), "2B (T - 1) + 1.644 B ln(1/δ)"


def test_rates_bound_every_score():
    """Ratios sum to B coth u at most: the paper's and the tight rates lie above it; fine tight grids come to its integral."""
    for rate in ("paper", "tight"):
        segments = schedule(10, 5.0, 0.001, rate=rate)
        assert (10 / np.tanh(segments.remaining[1:]) <= segments.rate * (1 + 1e-12)).all()
    short = schedule(10, 5.0, 0.001, ratio=0.5)
    assert (10 / np.tanh(short.remaining[1:]) > short.rate).any()
    q = np.zeros(1024)
    q[5] = 1.0
    far = 1023 ^ 5
    assert ratios(q, 0.02)[far].sum() == pytest.approx(10 / math.tanh(0.02))
    paper, tight = (evaluations(schedule(10, 5.0, 0.001, rate=rate)) for rate in ("paper", "tight"))
    assert (paper, tight) == (pytest.approx(200.2, abs=0.1), pytest.approx(134.1, abs=0.1))
    stop = schedule(10, 5.0, 0.001).times[1]
    fine = evaluations(schedule(10, 5.0, stop, ratio=(stop / 5) ** 1e-4, rate="tight"))
    assert (
        fine == pytest.approx(10 * math.log(math.sinh(5) / math.sinh(stop)), rel=1e-3) == pytest.approx(116.2, abs=0.1)
    )


def test_first_orders():
    q = law(6)
    assert errors(q, 3.0, 1e-6).early_stop == pytest.approx(1e-6 * early_stop_rate(q), rel=1e-3)
    assert errors(q, 6.0, 0.1).start_kl == pytest.approx(math.exp(-24) * start_rate(q), rel=1e-3)


def test_learned_law_of_exact_ratios_is_the_generated_one():
    """And of the ratios of another law that other chain's, from uniform; its score entropy by quadrature."""
    q, other = law(4), law(4, seed=1)
    found, wrong = (learned(lambda u, p=p: ratios(p, u), q, T, STOP) for p in (q, other))
    assert found.law == pytest.approx(generated(q, T, STOP), rel=1e-4)
    start = errors(q, T, STOP).start_kl
    assert found.bound == pytest.approx(start, rel=1e-6)
    assert wrong.law == pytest.approx(generated(other, T, STOP), rel=1e-4)
    assert 0.01 < wrong.kl <= wrong.bound
    times = np.geomspace(STOP, T, 200)
    pairs = [(diffused(q, u), ratios(q, u), ratios(other, u)) for u in times]
    lost = [at @ (s - r - r * np.log(s / r)).sum(1) for at, r, s in pairs]
    assert wrong.bound - start == pytest.approx(trapezoid(lost, times), rel=1e-3)


@pytest.mark.parametrize("at_once", [False, True])
def test_euler_against_matrices_and_in_the_limit(at_once):
    q, times = law(3), np.geomspace(T, STOP, 4)
    p, states = np.full(8, 1 / 8), np.arange(8)
    for before, after in pairwise(times):
        moved, r = np.zeros(8), ratios(q, before) * (before - after)
        for x in states:
            for y in states:
                different = ((x ^ y) >> np.arange(2, -1, -1)) & 1
                c = np.minimum(1, r[x]) if at_once else r[x] / max(1, r[x].sum())
                if at_once:
                    moved[y] += p[x] * np.prod(np.where(different, c, 1 - c))
                elif different.sum() <= 1:
                    moved[y] += p[x] * (c @ different if different.any() else 1 - c.sum())
        p = moved
    assert euler(q, times, at_once) == pytest.approx(p)
    gaps = [tv(euler(q, np.geomspace(T, STOP, n + 1), at_once), generated(q, T, STOP)) for n in (200, 400)]
    assert gaps[0] / gaps[1] == pytest.approx(2, rel=0.1), "an error of first order in the step"


def test_the_theorem_by_hand():
    """d = 2, σ = 1, H = 4, m0 = 2, ε = 0.1: L = √(2 ln 40), l = 0.1 / (8 (L √2 + 2 + 2))."""
    radius, bits = theorem(2, 0.1, hessian=4, sigma=1, second_moment=2)
    L = math.sqrt(2 * math.log(40))
    assert radius == pytest.approx(L)
    assert bits == math.ceil(math.log2(2 * L / (0.1 / (8 * (L * math.sqrt(2) + 4)))))
    assert theorem_times(2 * bits, 0.1) == (pytest.approx(math.log(20 * bits)), pytest.approx(0.05 / bits))


def test_small_divergences():
    p = np.full(4, 0.25)
    assert kl(p + np.array([1, -1, 0, 0]) * 1e-9, p) == pytest.approx(4e-18, rel=1e-6)
    assert kl(np.array([0.5, 0.5, 0, 0]), p) == pytest.approx(math.log(2))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: diffused([0.5, 0.3, 0.2], 1.0), r"`q` must be of shape \(2\^B,\).*got \(3,\)"),
        (lambda: diffused([0.5, np.nan], 1.0), r"`q` must be in \[0, inf\)"),
        (lambda: generated([0.5, 0.4], 1.0, 0.1), "`q` must be masses that sum to 1"),
        (lambda: generated([0.5, 0.5], 1.0, 2.0), r"`stop` must be a number in \(0, 1\)"),
        (lambda: ratios([0.5, 0.5], 0.0), "`u` must be"),
        (lambda: flips(0, 1.0, 0.1), "`bits` must be"),
        (lambda: walsh_hadamard(np.ones(3)), r"`q` must be of shape \(2\^B,\)"),
        (lambda: walsh_hadamard([1.0, np.nan]), "`q` must be finite"),
        (lambda: learned(lambda u: np.ones((2, 3)), [0.5, 0.5], 1.0, 0.1), r"`rates` must be of shape \(2, 1\)"),
        (lambda: learned(lambda u: np.zeros((2, 1)), [0.5, 0.5], 1.0, 0.1), r"`rates` must be in \(0, inf\)"),
        (lambda: learned(None, [0.5, 0.5], 1.0, 0.1), "`rates` must be a function"),
        (lambda: tv([0.5, 0.5], [1.0]), r"`q` must be of shape \(2,\)"),
        (lambda: tv([0.5, np.nan], [0.5, 0.5]), "`p` must be finite"),
        (lambda: kl([0.5, 0.5], [1.5, -0.5]), r"`q` must be in \[0, inf\)"),
        (lambda: kl([0.5, 0.5], [0.5, 0.2, 0.3]), r"`q` must be of shape \(2,\)"),
        (lambda: evaluations([1.0, 0.1]), "`segments` must be one of B bits"),
        (lambda: evaluations(Segments(2, np.array([0.1, 1.0]), np.ones(1))), "`remaining` must be falling"),
        (lambda: evaluations(Segments(2, np.array([1.0, 0.1]), np.ones(3))), "`segments.rate` must be of shape"),
        (lambda: evaluations(Segments(2, np.array([1.0, 0.1]), -np.ones(1))), "`segments.rate` must be > 0"),
        (lambda: schedule(0, 1.0, 0.1), "`bits` must be a whole number >= 1"),
        (lambda: schedule(3, 1.0, 0.1, ratio=1.0), "`ratio` must be"),
        (lambda: schedule(3, 1.0, 0.1, rate="loose"), "`rate` must be one of"),
        (lambda: euler([0.5, 0.5], [0.1, 0.2]), "`remaining` must be falling"),
        (lambda: theorem_times(3, 1.5), "`eps` must be"),
        (lambda: theorem(1, 0.1, hessian=-1, sigma=1, second_moment=1), "`hessian` must be"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(InputError, match=words):
        call()

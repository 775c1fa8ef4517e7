"""Estimators: against brute force over all orders, simulation, mpmath, and worlds whose truth is known."""

import math
from collections import Counter
from itertools import combinations

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twopart.fits import pitman_yor
from twopart.tools.measure import entropy, forward, shuffled
from twopart.tools.measure.burstiness import burstiness, squared_variation
from twopart.tools.measure.curves import heaps_slope, zipf_curve, zipf_slope
from twopart.tools.measure.tally import Spectrum, Tally
from twopart.tools.measure.units import Renumbered
from twopart.worlds import PitmanYor, chinese_restaurant

FALSE_ALARM = 4.9  # standard errors, once in a million
SMALL = st.lists(st.integers(1, 5), min_size=1, max_size=5)
COUNTS = st.lists(st.integers(1, 60), min_size=1, max_size=40)


def tokens_of(counts: list[int]) -> list[int]:
    return [k for k, count in enumerate(counts) for _ in range(count)]


def tally_of(tokens: np.ndarray, kinds: int) -> Tally:
    tally = Tally()
    tally.add(Renumbered(kinds).numbers(tokens))
    return tally


@settings(max_examples=30, deadline=None)
@given(SMALL.filter(lambda counts: sum(counts) <= 12))
def test_rarefaction_is_the_mean_over_all_samples(counts: list[int]) -> None:
    tokens, n = tokens_of(counts), sum(counts)
    spectrum = Spectrum.of(counts)
    for m in range(n + 1):
        samples = [{tokens[k] for k in places} for places in combinations(range(n), m)]
        sizes = np.array([len(sample) for sample in samples], float)
        found = shuffled.rarefied(spectrum, m)
        assert found.distinct[0] == pytest.approx(sizes.mean(), abs=1e-11)
        assert found.deviation[0] >= sizes.std() - 1e-9
        missing = np.mean([sum(c for k, c in enumerate(counts) if k not in sample) for sample in samples])
        if m < n:
            assert found.missing[0] == pytest.approx(missing / (n - m), abs=1e-11)


def test_rarefaction_keeps_its_digits_in_large_texts() -> None:
    """A type seen three times among 10^9, beside one that fills the rest."""
    spectrum, n = Spectrum.of([3, 10**9 - 3]), 10**9
    for m in (1, 10**3, 10**8, 10**9 - 5):
        with mpmath.workdps(40):
            unseen = mpmath.binomial(n - 3, m) / mpmath.binomial(n, m)
            other = mpmath.binomial(3, m) / mpmath.binomial(n, m) if m <= 3 else 0
            expected = float(2 - unseen - other)
        assert shuffled.rarefied(spectrum, m).distinct[0] == pytest.approx(expected, rel=1e-11)


def test_a_thinned_text_is_a_random_part() -> None:
    counts = [40, 20, 10, 5, 5, 2, 1, 1, 1, 1]
    spectrum, generator = Spectrum.of(counts), np.random.default_rng(1)
    parts = [shuffled.thinned(spectrum, 0.3, generator) for _ in range(5_000)]
    q = 0.7 ** np.array(counts)
    distinct = np.array([part.spectrum.distinct for part in parts])
    error = math.sqrt(np.sum(q * (1 - q)) / len(parts))
    assert abs(distinct.mean() - np.sum(1 - q)) < FALSE_ALARM * error
    tokens = np.array([part.spectrum.tokens for part in parts])
    assert abs(tokens.mean() - 0.3 * 86) < FALSE_ALARM * math.sqrt(86 * 0.21 / len(parts))
    rest = np.array([part.missing_mass * (86 - part.spectrum.tokens) for part in parts])
    assert abs(rest.mean() - counts @ q) < FALSE_ALARM * rest.std() / math.sqrt(len(parts))


def test_squared_gaps_average_to_one_over_all_orders() -> None:
    """Every placing of c tokens among n: the normalisation is exact."""
    n = 11
    for c in range(2, 8):
        squares = []
        for places in combinations(range(n), c):
            gaps = np.diff([*places, places[0] + n])
            squares.append(float(gaps @ gaps))
        variation = squared_variation(np.full(len(squares), c), np.array(squares), n)
        assert variation.mean() == pytest.approx(1, abs=1e-12)


def test_burstiness_of_regular_random_and_clustered_types() -> None:
    n, c, generator = 100_000, 50, np.random.default_rng(2)
    places = np.sort([generator.choice(n, c, replace=False, shuffle=False) for _ in range(400)], axis=1)
    gaps = np.diff(places, axis=1, append=places[:, :1] + n).astype(float)
    random = burstiness(np.full(400, c), (gaps**2).sum(1), n)
    error = random.std() / 20
    # the root is concave, so B lies a little below 0 on average: by at most its variance, 1/(2c) or so
    assert -1 / c - FALSE_ALARM * error < random.mean() < FALSE_ALARM * error
    regular = c * (n / c) ** 2
    assert burstiness(np.array([c]), np.array([regular]), n)[0] == pytest.approx(-1, abs=1e-12)
    together = (n - c + 1) ** 2 + c - 1.0
    assert burstiness(np.array([c]), np.array([together]), n)[0] == pytest.approx(1, abs=2e-3)
    assert squared_variation(np.array([5]), np.array([5.0]), 5).tolist() == [1.0]


def test_good_turing_is_right_on_average_and_its_error_honest() -> None:
    p = np.arange(1, 2001) ** -1.5
    p /= p.sum()
    generator, runs, n = np.random.default_rng(3), 2000, 1500
    counts = generator.multinomial(n, p, size=runs)
    found = [forward.good_turing(Spectrum.of(row)) for row in counts]
    z = np.array([(g - p[row == 0].sum()) / e for (g, e), row in zip(found, counts, strict=True)])
    assert abs(z.mean()) < 0.1 + FALSE_ALARM / math.sqrt(runs)  # a bias of E M_1/n over one more token, below 1/n
    assert 0.9 < z.std() < 1.1


def test_good_toulmin_is_unbiased_up_to_twice_as_many_tokens() -> None:
    p = np.arange(1, 3001) ** -1.2
    p /= p.sum()
    generator, n, runs = np.random.default_rng(4), 2000, 400
    for times in (0.5, 1.0):
        excess = []
        for _ in range(runs):
            first, more = generator.poisson(n * p), generator.poisson(times * n * p)
            new = np.sum((first == 0) & (more > 0))
            excess.append(forward.good_toulmin(Spectrum.of(first), times) - new)
        assert abs(np.mean(excess)) < FALSE_ALARM * np.std(excess) / math.sqrt(runs)


@settings(max_examples=40, deadline=None)
@given(COUNTS.filter(lambda counts: sum(counts) > 2), st.floats(1.01, 20))
def test_beyond_it_good_toulmin_is_the_mean_of_series_cut_at_random(counts: list[int], times: float) -> None:
    """The definition: the plain series, cut behind its L-th term, averaged over L ~ Binomial(k, 2/(2+t))."""
    n, q = sum(counts), 2 / (2 + times)
    k = max(1, math.floor(math.log(n * times**2 / (times - 1)) / math.log(9)))
    cut = [-sum((-times) ** j * counts.count(j) for j in range(1, length + 1)) for length in range(k + 1)]
    weights = [math.comb(k, length) * q**length * (1 - q) ** (k - length) for length in range(k + 1)]
    expected = math.fsum(w * c for w, c in zip(weights, cut, strict=True))
    assert forward.good_toulmin(Spectrum.of(counts), times) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("d", "theta"), [(0.5, 3.0), (0.0, 5.0), (0.8, -0.3)])
def test_the_law_forecasts_its_own_restaurants(d: float, theta: float) -> None:
    """New types in draws 301..1500 given the first 300, by simulation."""
    law, excess = PitmanYor(d, theta), []
    for seed in range(150):
        draws = law.measure(seed).draw(1500)
        known = len(np.unique(draws[:300]))
        expected = forward.pitman_yor_new(d, theta, 300, known, 1200)
        excess.append(len(np.unique(draws)) - known - expected)
    assert abs(np.mean(excess)) < FALSE_ALARM * np.std(excess) / math.sqrt(150)
    step = forward.pitman_yor_new(d, theta, 300, known, 1)
    assert step == pytest.approx(forward.pitman_yor_missing_mass(d, theta, 300, known), rel=1e-12)
    assert law.new_probability(300, known) == pytest.approx(step, rel=1e-12)


@settings(max_examples=15, deadline=None)
@given(COUNTS)
def test_entropies_against_their_formulas_in_high_precision(counts: list[int]) -> None:
    spectrum, n, k = Spectrum.of(counts), sum(counts), len(counts)
    with mpmath.workdps(30):
        plain = -mpmath.fsum(mpmath.mpf(c) / n * mpmath.log(mpmath.mpf(c) / n) for c in counts)
        assert entropy.plug_in(spectrum) == pytest.approx(float(plain / mpmath.ln2), abs=1e-12)
        miller = plain + mpmath.mpf(k - 1) / (2 * n)
        assert entropy.miller_madow(spectrum) == pytest.approx(float(miller / mpmath.ln2), abs=1e-12)
        g = mpmath.log(n) - mpmath.fsum(c * _grassberger(c) for c in counts) / n
        assert entropy.grassberger(spectrum) == pytest.approx(float(g / mpmath.ln2), abs=1e-12)
        coverage = 1 - mpmath.mpf(min(counts.count(1), n - 1)) / n
        shares = [coverage * c / n for c in counts]
        chao = mpmath.fsum(-s * mpmath.log(s) / (1 - (1 - s) ** n) for s in shares)
        assert entropy.chao_shen(spectrum) == pytest.approx(float(chao / mpmath.ln2), abs=1e-10)


def _grassberger(c: int) -> mpmath.mpf:
    """By the integral in the source, (-1)^c ∫_0^1 x^(c-1)/(1+x) dx, instead of digammas."""
    return mpmath.digamma(c) + (-1) ** c * mpmath.quad(lambda x: x ** (c - 1) / (1 + x), [0, 1])


@pytest.mark.slow
def test_the_laws_entropy_is_the_posterior_mean() -> None:
    """Against draws of the posterior measure, by stick breaking."""
    d, theta = 0.4, 2.0
    found = entropy.pitman_yor(Spectrum.of([3, 1]), d, theta)
    generator, draws = np.random.default_rng(5), []
    for _ in range(
        4000
    ):  # given counts, weights of seen types and the rest are Dirichlet, the rest a PY(d, θ + 2d) measure
        weights = generator.dirichlet([3 - d, 1 - d, theta + 2 * d])
        seen, rest = weights[:2], weights[2]
        sticks = _sticks(generator, d, theta + 2 * d)
        bits = -np.sum(seen * np.log2(seen)) - rest * np.log2(rest) - rest * np.sum(sticks * np.log2(sticks))
        draws.append(bits)
    assert abs(np.mean(draws) - found) < FALSE_ALARM * np.std(draws) / math.sqrt(len(draws)) + 0.002


def _sticks(generator: np.random.Generator, d: float, theta: float) -> np.ndarray:
    """The first 5000 weights of a PY(d, θ) measure by stick breaking: all but a few thousandths of the entropy."""
    j = np.arange(1, 5001)
    broken = generator.beta(1 - d, theta + j * d)
    weights = broken * np.cumprod(np.append(1, 1 - broken[:-1]))
    return np.asarray(weights[weights > 1e-300])


def test_slopes_of_exact_powers() -> None:
    tokens = np.geomspace(10, 1e5, 81)
    assert heaps_slope(tokens, 3 * tokens**0.6, 10) == pytest.approx(0.6)
    assert math.isnan(heaps_slope([10, 1000], [3, 40], 2))
    counts = (1e6 / np.arange(1, 2001)).round().astype(int)
    assert zipf_slope(Spectrum.of(counts), 10, 10) == pytest.approx(-1, abs=0.001)
    assert math.isnan(zipf_slope(Spectrum.of([1, 2]), 10, 10))


@settings(max_examples=40, deadline=None)
@given(COUNTS)
def test_zipfs_curve_reads_off_the_sorted_counts(counts: list[int]) -> None:
    ranks, found = zipf_curve(Spectrum.of(counts))
    ordered = sorted(counts, reverse=True)
    assert found.tolist() == [ordered[rank - 1] for rank in ranks]
    assert (ranks[0], ranks[-1]) == (1, len(counts))


def test_the_restaurant_is_exchangeable() -> None:
    """Its vocabulary in order of arrival lies on the random-order curve, and its discount comes back within its error."""
    draws = chinese_restaurant(60_000, 0.6, 5.0, seed=7)
    tally = tally_of(draws - draws.min(), int(np.ptp(draws)) + 1)
    spectrum = Spectrum.of(tally.counts)
    stones = [stone for stone in tally.milestones if stone.tokens >= 100]
    sizes = [stone.tokens for stone in stones]
    random = shuffled.rarefied(spectrum, sizes)
    z = (np.array([s.distinct for s in stones]) - random.distinct) / np.maximum(random.deviation, 1e-9)
    assert np.abs(z).max() < FALSE_ALARM + 0.5  # the largest of fifty
    fit = pitman_yor(spectrum.sizes, spectrum.types)
    assert abs(fit.discount - 0.6) < FALSE_ALARM * fit.discount_error
    frequent = tally.counts >= 10
    variation = squared_variation(tally.counts, tally.cyclic_squares(), tally.tokens)[frequent]
    assert abs(variation.mean() - 1) < FALSE_ALARM * variation.std() / math.sqrt(frequent.sum())
    assert Counter(tally.counts.tolist())[1] == spectrum.seen(1)

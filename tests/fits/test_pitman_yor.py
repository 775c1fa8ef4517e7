"""The Pitman-Yor fit against the partition probability itself, mpmath, a general optimiser, and laws it must recover."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import gammaln
from scipy.stats import binom, chi2

from tests.worlds.knowledge.partitions import FALSE_ALARM, LAWS, name, partition_probability, partitions
from twopart._checks import InputError
from twopart.fits import pitman_yor
from twopart.fits._eppf import Partition
from twopart.fits._tables import tabulate
from twopart.worlds import PitmanYor

SHAPES = [
    [1, 1, 1, 2],
    [1, 2],
    [7, 3, 1, 1, 1],
    [100, 40, 20, 9, 5, 5, 2, 2, 1, 1, 1, 1, 1],
    [3000, 1],
    [1] * 400 + [2] * 90 + [3] * 30 + [50, 70],
    [1, 1, 10**9],
]


def partition(counts):
    return Partition(*tabulate("counts", counts, None))


def drawn(law, n, seed):
    """Counts of the entities in n draws."""
    return np.unique(law.draw(n, seed=seed), return_counts=True)[1]


def exact(counts, d, theta, by=(0, 0)):
    """The log likelihood in 40 digits, differentiated `by` times in d and θ."""
    with mpmath.workdps(40):

        def likelihood(d, theta):
            new = mpmath.log(mpmath.fprod(theta + i * d for i in range(1, len(counts))))
            table = zip(*np.unique(counts, return_counts=True), strict=True)
            inner = sum(int(m) * (mpmath.loggamma(int(j) - d) - mpmath.loggamma(1 - d)) for j, m in table)
            return new - mpmath.loggamma(theta + sum(counts)) + mpmath.loggamma(theta + 1) + inner

        return float(mpmath.diff(likelihood, (d, theta), by) if any(by) else likelihood(d, theta))


@pytest.mark.parametrize("law", [law for law in LAWS if law.concentration or law.discount], ids=name)
def test_the_likelihood_is_the_partition_probability(law):
    for n in (3, 6):
        total = 0.0
        for labels in partitions(n):
            p = partition_probability(law, labels)
            counts = np.bincount(labels)
            if len(counts) > 1:
                log = partition(counts).log_likelihood(law.discount, law.concentration)
                assert np.exp(log) == pytest.approx(p, rel=1e-12)
            total += p
        assert total == pytest.approx(1)


@pytest.mark.parametrize("counts", SHAPES, ids=lambda c: f"{len(c)}-types")
@pytest.mark.parametrize(("d", "theta"), [(0.5, 1.0), (1e-9, 3.0), (0.0, 3.0), (0.95, -0.9), (0.3, 1e6)])
def test_derivatives_are_mpmaths(counts, d, theta):
    table = partition(counts)
    rounding = 4e-16 * table.tokens * np.log(table.tokens)  # of the Gamma functions, which cancel
    assert table.log_likelihood(d, theta) == pytest.approx(exact(counts, d, theta), rel=1e-11, abs=rounding)
    scale = 1e-9 * len(counts) * max(1, 1 / (theta + d))
    for i, by in enumerate([(1, 0), (0, 1)]):
        assert table.score(d, theta)[i] == pytest.approx(exact(counts, d, theta, by), rel=1e-8, abs=scale)
    for place, by in {(0, 0): (2, 0), (0, 1): (1, 1), (1, 0): (1, 1), (1, 1): (0, 2)}.items():
        assert table.hessian(d, theta)[place] == pytest.approx(exact(counts, d, theta, by), rel=1e-7, abs=scale)


def test_the_long_sum_keeps_its_digits():
    """10^5 types: the sum by quadrature against the sum term by term."""
    counts = [1] * 60_000 + [2] * 40_000
    i = np.arange(1, len(counts))
    for d, theta in [(0.5, 1.0), (1e-6, 40.0), (0.9, -0.89)]:
        terms = np.log(theta + i * d).sum() + 40_000 * np.log(1 - d)
        plain = terms - gammaln(theta + 140_000) + gammaln(theta + 1)
        assert partition(counts).log_likelihood(d, theta) == pytest.approx(plain, rel=1e-11)


def naive(counts):
    """The greatest log likelihood that a general optimiser finds from several starts, and where."""
    counts = np.asarray(counts, float)
    i = np.arange(1, len(counts))

    def negative(x):
        d, theta = x[0], np.exp(x[1]) - x[0]
        inner = (gammaln(counts - d) - gammaln(1 - d)).sum()
        return -(np.log(theta + i * d).sum() - gammaln(theta + counts.sum()) + gammaln(theta + 1) + inner)

    starts = [(d, b) for d in (0.02, 0.5, 0.9) for b in (-1.0, 1.0, 4.0)]
    found = [minimize(negative, x, method="L-BFGS-B", bounds=[(0, 1 - 1e-9), (-15, 30)]) for x in starts]
    best = min(found, key=lambda result: result.fun)
    return -best.fun, best.x[0], np.exp(best.x[1]) - best.x[0]


@pytest.mark.parametrize("counts", SHAPES[:-1], ids=lambda c: f"{len(c)}-types")
def test_no_optimiser_finds_more(counts):
    fit = pitman_yor(counts)
    height, d, _ = naive(counts)
    assert fit.log_likelihood >= height - 1e-9
    assert fit.log_likelihood == pytest.approx(height, abs=1e-5)
    assert fit.discount == pytest.approx(d, abs=0.01)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 300), min_size=2, max_size=40), st.floats(0, 0.99), st.floats(1e-3, 1e4))
def test_no_point_is_more_likely(counts, d, above):
    counts[0] += 1
    fit = pitman_yor(counts)
    table = partition(counts)
    assert table.log_likelihood(d, above - d) <= fit.log_likelihood + 1e-9
    assert 0 <= fit.discount < 1
    assert fit.concentration > -fit.discount
    g = table.score(fit.discount, fit.concentration)
    error = 1.0 if fit.at_bound else fit.discount_error
    assert abs(g[1] * fit.concentration_error) < 1e-3
    assert g[0] * error < 1e-3 if fit.at_bound else abs(g[0] * error) < 1e-3


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 50), min_size=2, max_size=30), st.randoms(use_true_random=False))
def test_order_and_bookkeeping_do_not_matter(counts, random):
    counts[0] += 1
    fit = pitman_yor(counts)
    shuffled = list(counts)
    random.shuffle(shuffled)
    assert repr(pitman_yor(shuffled)) == repr(fit)
    sizes, often = np.unique(counts, return_counts=True)
    assert repr(pitman_yor(sizes[::-1], often[::-1])) == repr(fit)
    assert repr(pitman_yor(np.r_[sizes, sizes, 99], np.r_[often - 1, np.ones_like(often), 0])) == repr(fit)
    assert (fit.tokens, fit.types, fit.singletons) == (sum(counts), len(counts), counts.count(1))


@pytest.mark.slow
@pytest.mark.parametrize("law", [PitmanYor(0.5, 1.0), PitmanYor(0.75, 20.0), PitmanYor(0.3, 300.0)], ids=name)
def test_recovery_within_the_standard_errors(law):
    """60 measures: the discount's z is standard normal up to its spread's own error, and intervals cover at their level."""
    z, covered = [], np.zeros(2, int)
    for seed in range(60):
        fit = pitman_yor(drawn(law, 50_000, 1000 + seed))
        z.append((fit.discount - law.discount) / fit.discount_error)
        for k, (interval, truth) in enumerate(
            [(fit.discount_interval(), law.discount), (fit.concentration_interval(), law.concentration)]
        ):
            covered[k] += interval[0] <= truth <= interval[1]
    assert chi2.ppf(FALSE_ALARM, 60) < np.square(z).sum() < chi2.isf(FALSE_ALARM, 60)
    assert abs(np.mean(z)) * np.sqrt(60) < 4.9
    assert np.all(covered >= binom.ppf(FALSE_ALARM, 60, 0.95))


def test_a_dirichlet_process_is_at_the_bound_about_half_the_time():
    """At d = 0 the score of d is about as often negative as positive; then d = 0 is the fit, and that is said."""
    fits = [pitman_yor(drawn(PitmanYor(0.0, 30.0), 20_000, seed)) for seed in range(60)]
    bound = [fit for fit in fits if fit.at_bound]
    assert 10 < len(bound) < 50
    for fit in bound:
        assert np.isnan(fit.discount_error)
        assert np.isnan(fit.correlation)
        assert fit.discount_interval()[0] == 0.0
        assert 0 < fit.discount_interval()[1] < 0.2
        i = np.arange(fit.tokens)  # Ewens: K = Σ θ/(θ+i) at the maximum
        assert (fit.concentration / (fit.concentration + i)).sum() == pytest.approx(fit.types)


def test_the_concentration_stays_unknown_while_the_discount_becomes_known():
    """From 10^4 to 10^6 tokens of one measure the error of d falls fourfold and more, that of θ by less than a half."""
    draws = PitmanYor(0.6, 2.0).draw(1_000_000, seed=2)
    few, many = (pitman_yor(np.unique(draws[:n], return_counts=True)[1]) for n in (10_000, 1_000_000))
    assert many.discount_error < few.discount_error / 4
    assert many.concentration_error > few.concentration_error / 2
    low, high = many.concentration_interval()
    wald = many.concentration_wald()
    assert wald[0] < -many.discount < low, "the Wald interval holds impossible concentrations"
    assert high - many.concentration > many.concentration - low, "the likelihood is skew"
    assert wald[1] < high


def highest(curve, low, high):
    """The greatest value of a smooth curve: a grid, and finer ones about the best point."""
    for _ in range(4):
        grid = np.linspace(low, high, 101)
        values = [curve(float(x)) for x in grid]
        best = int(np.argmax(values))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, 100)]
    return max(values)


@pytest.mark.parametrize("counts", [SHAPES[2], SHAPES[3], SHAPES[5]], ids=lambda c: f"{len(c)}-types")
def test_interval_ends_are_where_the_profile_has_fallen(counts):
    """Profiles by looking at many values of the other parameter, straight from the likelihood."""
    fit, table = pitman_yor(counts), partition(counts)
    drop = chi2.ppf(0.9, 1) / 2
    for d in fit.discount_interval(0.9):
        best = highest(lambda b, d=d: table.log_likelihood(d, np.exp(b) - d), -10, 15)
        if d > 0:
            assert best == pytest.approx(fit.log_likelihood - drop, abs=1e-6)
        else:
            assert best >= fit.log_likelihood - drop - 1e-6
    for theta in fit.concentration_interval(0.9):
        low = max(0.0, -theta)
        best = highest(
            lambda u, t=theta, low=low: table.log_likelihood(low + (1 - low) * u, t), 1e-6 * (low > 0), 1 - 1e-6
        )
        assert best == pytest.approx(fit.log_likelihood - drop, abs=1e-6)
        assert fit.profile(theta) == pytest.approx(-drop, abs=1e-6)
    assert fit.profile(fit.concentration) == pytest.approx(0, abs=1e-9)
    assert fit.profile([1.0, 2.0]).shape == (2,)


@pytest.mark.parametrize("counts", SHAPES[:-1], ids=lambda c: f"{len(c)}-types")
def test_the_profiles_rise_once_and_fall_once(counts):
    """What root finding takes for granted: for fixed d the score of θ changes its sign once."""
    table = partition(counts)
    for d in (0.0, 0.1, 0.5, 0.9, 0.99):
        scores = [table.concentration_score(d, b - d) for b in np.geomspace(1e-6, 1e9, 400)]
        signs = np.sign(scores)
        assert np.count_nonzero(np.diff(signs)) <= 1
        assert signs[0] > 0


@pytest.mark.parametrize(
    ("counts", "multiplicities", "message"),
    [
        ([5], None, "all tokens are of one type"),
        ([1], None, "all tokens are of one type"),
        ([1, 1, 1], None, "all 3 types were seen once"),
        ([1], [7], "all 7 types were seen once"),
        ([], None, "non-empty row"),
        ([[1, 2]], None, "non-empty row"),
        ([1, 0, 2], None, r"counts\[1\].* got 0; leave out what was never seen"),
        ([1, -3], None, r"counts\[1\].* got -3"),
        ([1, 2.5], None, r"counts\[1\].* got 2.5"),
        ([1.0, float("nan")], None, "got nan"),
        (["a", "b"], None, "of whole numbers"),
        ([1, 2], [1], "2 numbers, got 1; one for each of `counts`"),
        ([1, 2], [0, 0], "some number > 0"),
        ([1, 2], [1, -1], r"multiplicities\[1\]"),
    ],
)
def test_what_cannot_be_fitted_is_refused(counts, multiplicities, message):
    with pytest.raises(InputError, match=message):
        pitman_yor(counts, multiplicities)


def test_bad_levels_and_concentrations_are_refused():
    fit = pitman_yor([3, 2, 1])
    for bad in (0, 1, 95, float("nan")):
        with pytest.raises(InputError, match="level"):
            fit.concentration_interval(bad)
    with pytest.raises(InputError, match="> -1"):
        fit.profile([0.0, -1.0])


@given(st.lists(st.integers(1, 2**40), min_size=1, max_size=60))
def test_tables_are_numpys(numbers):
    ours, theirs = tabulate("numbers", numbers, None), np.unique(numbers, return_counts=True)
    assert np.array_equal(ours[0], theirs[0])
    assert np.array_equal(ours[1], theirs[1])

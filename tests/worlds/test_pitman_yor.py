"""Pitman-Yor: every exact quantity against sums, high precision or simulation; both samplers against the law of partitions."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from twopart.worlds import EqualFrequencies, PitmanYor, chinese_restaurant

LAWS = [PitmanYor(d, t) for d in (0.0, 0.25, 0.5, 0.8, 0.95) for t in (-0.2, 0.0, 1.0, 10.0) if t > -d]
NAMES = [f"d={law.discount:g},t={law.concentration:g}" for law in LAWS]
everywhere = pytest.mark.parametrize("law", LAWS, ids=NAMES)
SAMPLERS = {
    "tree": lambda law, n, seed: law.draw(n, seed=seed),
    "restaurant": lambda law, n, seed: chinese_restaurant(n, law.discount, law.concentration, seed=seed),
}


def chain(law, n):
    """P(K_n = k), k = 0..n, straight from the predictive rule."""
    weights = np.zeros(n + 2)
    weights[1] = 1.0
    k = np.arange(n + 2)
    for seen in range(1, n):
        up = weights * (law.concentration + law.discount * k) / (law.concentration + seen)
        weights = weights - up + np.roll(up, 1)
    return weights[: n + 1]


def sizes(draws):
    return np.unique(draws, return_counts=True)[1]


@everywhere
def test_distinct_entities_against_the_chain(law):
    for n in (1, 2, 7, 300):
        assert law.expected_distinct(n) == pytest.approx(np.dot(chain(law, n), np.arange(n + 1)), rel=1e-10)
    assert law.expected_distinct(0) == 0


@everywhere
def test_blocks_add_up(law):
    """Σ_j j M_j = n, Σ_j M_j = K_n, and the missing mass is the probability of a new entity."""
    n = 200
    j = np.arange(1, n + 1)
    blocks = law.expected_blocks(j, n)
    assert np.dot(blocks, j) == pytest.approx(n, rel=1e-11)
    assert blocks.sum() == pytest.approx(law.expected_distinct(n), rel=1e-10)
    new = law.expected_distinct(n + 1) - law.expected_distinct(n)
    assert law.expected_missing_mass(n) == pytest.approx(new, rel=1e-8)
    assert law.expected_blocks(n + 1, n) == 0


@everywhere
@pytest.mark.parametrize("thinning", [0.2, 1.0])
def test_missing_mass_in_high_precision(law, thinning):
    """E[(1 - τ p̃)^n] = 2F1(-n, 1-d; 1+θ; τ), a polynomial with signs in turn: 120 digits."""
    with mpmath.workdps(120):
        for n in (0, 1, 10, 80):
            d, theta = mpmath.mpf(law.discount), mpmath.mpf(law.concentration)
            exact = sum(
                mpmath.binomial(n, i) * (-mpmath.mpf(thinning)) ** i * mpmath.rf(1 - d, i) / mpmath.rf(1 + theta, i)
                for i in range(n + 1)
            )
            assert law.expected_missing_mass(n, thinning) == pytest.approx(float(exact), rel=1e-10)


@everywhere
def test_missing_mass_of_very_many_draws(law):
    """At n = 10^12 against the leading term, Γ(θ+1)/Γ(θ+d) (τn)^-(1-d), which is then right to 10 digits or so."""
    d, theta = law.discount, law.concentration
    limit = mpmath.gamma(theta + 1) / mpmath.gamma(theta + d)
    for thinning in (0.3, 1.0):
        expected = float(limit * mpmath.mpf(thinning * 1e12) ** (d - 1))
        assert law.expected_missing_mass(10**12, thinning) == pytest.approx(expected, rel=1e-6)


@everywhere
def test_masses_and_numbers_of_atoms_in_high_precision(law):
    d, theta = mpmath.mpf(law.discount), mpmath.mpf(law.concentration)
    with mpmath.workdps(20):
        norm = mpmath.beta(1 - d, theta + d)
        for x in (1e-9, 1e-3, 0.9):
            mass = mpmath.betainc(1 - d, theta + d, 0, x) / norm
            assert law.mass_below(x) == pytest.approx(float(mass), rel=1e-9)
            # ∫ p^-(1+d) (1-p)^(θ+d-1) dp with q = (1-p)^(θ+d), which takes the singularity at p = 1 away
            b = theta + d
            top = (1 - mpmath.mpf(x)) ** b
            places = [top * (1 - mpmath.mpf(2) ** -i) for i in range(40)] + [top]
            atoms = mpmath.quad(lambda q, b=b: (1 - q ** (1 / b)) ** (-1 - d) / b, sorted(places)) / norm
            assert law.atoms_above(x) == pytest.approx(float(atoms), rel=1e-7)


def test_ends_of_the_scale():
    law = PitmanYor(0.5, 1.0)
    assert law.mass_below(0.0) == 0
    assert law.mass_below(1.0) == 1
    assert law.atoms_above(1.0) == 0
    assert PitmanYor(0.0, 2.0).atoms_above(1.0) == 0
    assert law.atoms_above(1e-15) == pytest.approx(4 / np.pi * 1e-15**-0.5, rel=1e-6)  # x^-d / (d B(1-d, θ+d))


@everywhere
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_distinct_entities_have_the_right_distribution(law, sampler):
    """Chi-square of K_n over independent measures against the chain, at one false alarm in a million."""
    n, worlds = 25, 3000 if sampler == "restaurant" else 600
    observed = np.bincount([len(sizes(SAMPLERS[sampler](law, n, seed))) for seed in range(worlds)], minlength=n + 1)
    assert agrees(observed, chain(law, n) * worlds)


@everywhere
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_frequency_spectrum(law, sampler):
    """Mean number of entities seen j times, j = 1, 2, 3-5, 6-20, over independent measures."""
    n, worlds = 300, 200
    edges = [1, 2, 3, 6, 21]
    counts = np.array([np.histogram(sizes(SAMPLERS[sampler](law, n, 5000 + s)), edges)[0] for s in range(worlds)])
    expected = np.add.reduceat(law.expected_blocks(np.arange(1, 21), n), np.array(edges[:-1]) - 1)
    z = (counts.mean(0) - expected) / (counts.std(0, ddof=1) / np.sqrt(worlds))
    assert np.all(np.abs(z) < 5), z


@everywhere
def test_probabilities_of_drawn_atoms(law):
    """E[f(p)] over draws from independent measures is that of p̃ ~ Beta(1-d, θ+d): mean, and bits (the entropy)."""
    worlds = 700
    p = np.array([law.draw_with_probability(1, seed=seed)[1][0] for seed in range(worlds)])
    assert np.all((p > 0) & (p <= 1))
    mean = (1 - law.discount) / (1 + law.concentration)
    assert abs(p.mean() - mean) < 5 * p.std() / np.sqrt(worlds)
    bits = -np.log2(p)
    assert abs(bits.mean() - law.entropy()) < 5 * bits.std() / np.sqrt(worlds)


@pytest.mark.parametrize("law", [PitmanYor(0.5, 1.0), PitmanYor(0.8, 0.0), PitmanYor(0.95, 1.0), PitmanYor(0.0, 3.0)])
def test_atoms_occur_as_often_as_their_probability_says(law):
    """In one measure: the frequency in a second stream of every atom that the first stream met, by octave of probability."""
    n, measure = 400_000, law.measure(3)
    ids, p = measure.draw_with_probability(n)
    first = np.unique(ids, return_index=True)[1]
    ids, p = ids[first], p[first]
    again = measure.draw(n, stream=1)
    found = np.minimum(np.searchsorted(ids, again), len(ids) - 1)
    hits = np.bincount(found[ids[found] == again], minlength=len(ids))
    octave = np.floor(-np.log2(p)).astype(int)
    expected = np.bincount(octave, p * n)
    observed = np.bincount(octave, hits)
    some = expected > 20
    z = (observed - expected)[some] / np.sqrt(expected[some])
    assert some.sum() > 3
    assert np.all(np.abs(z) < 5), z


@pytest.mark.parametrize("law", [PitmanYor(0.5, 1.0), PitmanYor(0.8, 1.0), PitmanYor(0.95, 1.0)])
def test_one_id_has_one_probability(law):
    ids, p = law.draw_with_probability(200_000, seed=1)
    order = np.argsort(ids, kind="stable")
    same = np.diff(ids[order]) == 0
    assert same.sum() > 1000
    assert np.all(np.diff(p[order])[same] == 0)
    assert np.any(ids[order][1:][same] >= 2**62) or law.discount < 0.8


@given(st.integers(0, 10**6), st.integers(0, 5000), st.sampled_from([0.0, 0.5, 0.8, 0.95]))
@settings(deadline=None, max_examples=60)
def test_a_shard_equals_its_part_of_the_whole(start, n, discount):
    measure = PitmanYor(discount, 1.0).measure(7)
    whole, probability = measure.draw_with_probability(start % 3000 + n, start=start - start % 3000)
    part, mass = measure.draw_with_probability(n, start=start)
    assert np.array_equal(part, whole[len(whole) - n :])
    assert np.array_equal(mass, probability[len(whole) - n :])
    assert np.array_equal(part, measure.draw(n, start=start))


def test_streams_of_one_measure_are_independent():
    """Two streams agree at a position as often as two draws from one measure do: E Σ p² = (1-d)/(1+θ)."""
    law = PitmanYor(0.3, 1.0)
    agreements = [np.mean(law.measure(s).draw(50) == law.measure(s).draw(50, stream=1)) for s in range(800)]
    expected = (1 - law.discount) / (1 + law.concentration)
    assert abs(np.mean(agreements) - expected) < 5 * np.std(agreements) / np.sqrt(len(agreements))


def test_draws_far_out_are_addressable():
    measure = PitmanYor(0.6, 1.0).measure(0)
    assert np.array_equal(measure.draw(10, start=2**40)[5:], measure.draw(5, start=2**40 + 5))


def test_memory_stays_flat():
    """The tree keeps nothing of what it drew: a draw allocates its output and a few buffers."""
    import tracemalloc

    measure = PitmanYor(0.8, 1.0).measure(0)
    measure.draw(10)
    tracemalloc.start()
    out = measure.draw(2_000_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < out.nbytes + 2_000_000


@pytest.mark.parametrize("entities", [1, 2, 50])
def test_equal_frequencies(entities):
    law = EqualFrequencies(entities)
    draws, p = law.draw_with_probability(20_000, seed=2)
    assert np.all(p == 1 / entities)
    counts = np.bincount(draws, minlength=entities)
    assert agrees(counts, np.full(entities, 20_000 / entities))
    assert law.entropy() == pytest.approx(np.log2(entities))
    n = np.arange(5)
    assert law.expected_distinct(n) == pytest.approx([entities * (1 - (1 - 1 / entities) ** k) for k in n])
    assert law.expected_missing_mass(3, 0.5) == pytest.approx((1 - 0.5 / entities) ** 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"discount": 1.2}, r"`discount` must be a number in \[0, 1\), got 1.2; 0 gives a Dirichlet process"),
        ({"discount": float("nan")}, "`discount`"),
        ({"discount": True}, "`discount`"),
        ({"discount": 0.5, "concentration": -0.5}, r"`concentration` must be a number in \(-0.5"),
        ({"concentration": "x"}, "`concentration`"),
    ],
)
def test_bad_laws(arguments, message):
    with pytest.raises(ValueError, match=message):
        PitmanYor(**arguments)


@pytest.mark.parametrize(
    "call",
    [
        lambda law: law.expected_distinct(-1),
        lambda law: law.expected_distinct(0.5),
        lambda law: law.expected_missing_mass(3, 0.0),
        lambda law: law.expected_missing_mass(3, 1.5),
        lambda law: law.expected_blocks(0, 3),
        lambda law: law.mass_below(1.5),
        lambda law: law.atoms_above(0.0),
        lambda law: law.draw(-1),
        lambda law: law.draw(2, seed=-1),
        lambda law: law.draw(2, start=-1),
        lambda law: law.measure().draw(2, stream=-1),
        lambda law: chinese_restaurant(-1, 0.5, 1.0),
        lambda law: chinese_restaurant(1, 1.5, 1.0),
        lambda law: EqualFrequencies(0),
    ],
)
def test_bad_arguments(call):
    with pytest.raises(ValueError, match=r"`\w+` must be .*, got .*; "):
        call(PitmanYor())


def agrees(observed, expected):
    """Chi-square with bins of at least 10 expected, at a level where a false alarm is one in a million."""
    order = np.argsort(-expected)
    groups = np.cumsum(expected[order])
    few = expected[order] < 10
    tail = max(1, int(np.argmax(few))) if few.any() else len(expected)
    merged_observed = np.append(observed[order][:tail], observed[order][tail:].sum())
    merged_expected = np.append(expected[order][:tail], groups[-1] - groups[tail - 1])
    keep = merged_expected > 1e-9
    z = (merged_observed - merged_expected)[keep] ** 2 / merged_expected[keep]
    assert merged_observed[~keep].sum() == 0
    return z.sum() <= chi2.ppf(1 - 1e-6, max(1, keep.sum() - 1))

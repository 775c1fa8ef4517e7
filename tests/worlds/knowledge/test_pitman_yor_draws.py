"""Draws of the tree: the law of partitions, the probabilities told with them, and what makes them addressable.

"tree" is what the user gets; "blocks" leaves out the root's sticks, so that every draw goes through the levels below.
"""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from tests.worlds.knowledge.partitions import (
    LAWS,
    agrees,
    blocks_only,
    chain,
    draw_blocks,
    first_probabilities,
    name,
    partition_probability,
    partitions,
    samples,
    spectrum_z,
)
from twopart.worlds import PitmanYor
from twopart.worlds.knowledge import _tree

# concentrations of a block, θ/2: 0.25 (few sticks), 2, 30 and 500 (many: bins)
BLOCKS = [PitmanYor(d, t) for d in (0.0, 0.25, 0.5, 0.8, 0.95) for t in (0.5, 4.0, 60.0, 1000.0)]
CASES = [
    pytest.param("tree", law, id=f"tree:{name(law)}", marks=pytest.mark.slow if law.discount > 0.5 else ())
    for law in LAWS
]
CASES += [pytest.param("blocks", law, id=f"blocks:{name(law)}") for law in BLOCKS]
everywhere = pytest.mark.parametrize(("sampler", "law"), CASES)


@pytest.fixture
def worlds(sampler, size):
    """How many measures are drawn from: the tree fills a table for each, which takes time, blocks alone do not."""
    return size(600, 2000) if sampler == "tree" else 2000


@everywhere
def test_number_of_entities(sampler, law, worlds):
    drawn = samples(law, sampler, worlds)
    assert agrees(np.bincount(drawn.max(1) + 1, minlength=26), chain(law, 25) * len(drawn))


@everywhere
def test_partitions_of_four(sampler, law, worlds):
    """All fifteen, so exchangeability too."""
    drawn = samples(law, sampler, worlds)
    seen = [np.sum(np.all(drawn[:, :4] == np.array(p), axis=1)) for p in partitions(4)]
    assert agrees(seen, [partition_probability(law, p) * len(drawn) for p in partitions(4)])


@everywhere
def test_frequency_spectrum(sampler, law, worlds):
    z = spectrum_z(law, sampler, worlds)
    assert np.all(np.abs(z) < 5), z


@pytest.mark.parametrize("law", [PitmanYor(0.0, 1e6), PitmanYor(0.5, 1e6), PitmanYor(0.9, 1e9)], ids=name)
def test_large_concentrations(law):
    """How often 20,000 draws meet an entity again."""
    n, worlds = 20_000, 30
    again = np.array([n - len(np.unique(law.draw(n, seed=seed))) for seed in range(worlds)])
    expected = n - law.expected_distinct(n)
    assert abs(again.mean() - expected) < 5 * max(again.std(), np.sqrt(expected)) / np.sqrt(worlds)


@everywhere
def test_probability_of_a_draw(sampler, law, worlds):
    """Over independent measures it has the law of p̃ ~ Beta(1-d, θ+d), and so the expected bits are the entropy."""
    p = first_probabilities(law, sampler, worlds)
    assert np.all((p > 0) & (p <= 1))
    a, b = 1 - law.discount, law.concentration + law.discount
    law_of_p = beta(a, b)
    edges = np.unique(np.minimum(law_of_p.ppf(np.arange(1, 20) / 20), 0.999))  # what is nearer to 1 may be rounded to 1
    edges = np.concatenate([[0.0], edges, [1.0]])
    assert agrees(np.histogram(p, edges)[0], np.diff(law_of_p.cdf(edges)) * worlds)
    bits = -np.log2(p)
    assert abs(bits.mean() - law.entropy()) < 5 * bits.std() / np.sqrt(worlds)
    for x in np.minimum(law_of_p.ppf([0.6, 0.9]), 0.9):
        for value, expected in ((p < x, law.mass_below(x)), ((p > x) / p, law.atoms_above(x))):
            assert abs(value.mean() - expected) < 5 * value.std() / np.sqrt(worlds)


MEASURES = [
    *(PitmanYor(d, t).measure(3) for d, t in ((0.0, 3.0), (0.5, 1.0), (0.8, 0.0), (0.95, 1.0), (0.3, 1e4))),
    *(blocks_only(PitmanYor(d, t), 3) for d, t in ((0.0, 3.0), (0.5, 1.0), (0.8, 4.0), (0.5, 300.0))),
]
each_measure = pytest.mark.parametrize("measure", MEASURES, ids=lambda m: type(m).__name__)


def drawn(measure, n, stream=0, start=0):
    draw = measure.draw_with_probability if hasattr(measure, "draw") else lambda *a: draw_blocks(measure, *a)
    return draw(n, stream, start)


@each_measure
def test_atoms_occur_as_often_as_their_probability_says(measure):
    """In one measure: the frequency in a second stream of every atom that the first stream met, by octave of probability;
    and of all that it did not meet."""
    n = 300_000
    ids, p = drawn(measure, n)
    first = np.unique(ids, return_index=True)[1]
    ids, p = ids[first], p[first]
    again, _ = drawn(measure, n, 1)
    found = np.minimum(np.searchsorted(ids, again), len(ids) - 1)
    known = ids[found] == again
    octave = np.floor(-np.log2(p)).astype(int)
    expected = np.append(np.bincount(octave, p * n), (1 - p.sum()) * n)
    observed = np.append(np.bincount(octave, np.bincount(found[known], minlength=len(ids))), np.sum(~known))
    some = expected > 20
    z = (observed - expected)[some] / np.sqrt(expected[some])
    assert some.sum() > 3
    assert np.all(np.abs(z) < 5), z


@each_measure
def test_one_id_has_one_probability(measure):
    ids, p = drawn(measure, 200_000)
    order = np.argsort(ids, kind="stable")
    same = np.diff(ids[order]) == 0
    assert same.sum() > 1000
    assert np.all(np.diff(p[order])[same] == 0)


def test_the_two_ways_to_a_stick_agree():
    """`_find_sticks` takes nearly all draws together; `_find_far_stick` alone finds the same sticks, to the bit."""
    random, n = np.random.default_rng(0), 3000
    batch, key = _tree.empty_batch(), (np.uint64(1), np.uint64(2))
    batch.low[:n], batch.high[:n] = random.integers(0, 2**32, (2, n), np.uint64)
    batch.goal[:n] = random.exponential(4.0, n)
    goal, left, gap = batch.goal[:n], batch.left[:n], batch.gap[:n]
    sticks = batch.child_low[:n], batch.child_high[:n], left, gap
    _tree._find_sticks(n, key, batch)
    together = [column.copy() for column in sticks]
    for i in range(n):
        _tree._find_far_stick(i, key, batch)
    assert all(map(np.array_equal, together, sticks))
    assert np.all((left <= goal) & (goal <= left + gap))


def test_ids():
    measure = PitmanYor(0.8, 1.0).measure(0)
    ids = measure.draw(100_000)
    assert ids.dtype == np.int64
    deep = ids >= 2**62
    assert deep.any()
    assert np.all(ids[~deep] < measure.root_atoms)
    assert ids.min() >= 0


SHARDED = [PitmanYor(d, t).measure(7) for d, t in ((0.0, 1.0), (0.5, 1.0), (0.8, 1.0), (0.95, 1.0), (0.5, 1e5))]


@given(st.sampled_from(SHARDED), st.integers(0, 2**61), st.integers(0, 20_000), st.integers(0, 5000))
@settings(deadline=None, max_examples=60)
def test_a_shard_equals_its_part_of_the_whole(measure, start, skip, n):
    whole, probability = measure.draw_with_probability(skip + n, start=start)
    part, mass = measure.draw_with_probability(n, start=start + skip)
    assert np.array_equal(part, whole[skip:])
    assert np.array_equal(mass, probability[skip:])
    assert np.array_equal(part, measure.draw(n, start=start + skip))


def test_threads_do_not_disturb_each_other():
    measure = PitmanYor(0.8, 1.0).measure(2)
    with ThreadPoolExecutor(4) as pool:
        parts = pool.map(lambda start: measure.draw(30_000, start=start), range(0, 240_000, 30_000))
    assert np.array_equal(np.concatenate(list(parts)), measure.draw(240_000))


def test_streams_of_one_measure_are_independent():
    """Two streams agree at a position as often as two draws from one measure do: E Σ p² = (1-d)/(1+θ)."""
    law = PitmanYor(0.3, 1.0)
    measures = [law.measure(seed) for seed in range(600)]
    agreements = [np.mean(m.draw(50) == m.draw(50, stream=1)) for m in measures]
    expected = (1 - law.discount) / (1 + law.concentration)
    assert abs(np.mean(agreements) - expected) < 5 * np.std(agreements) / np.sqrt(len(agreements))


def test_measures_differ_by_seed():
    """Beyond the sticks' numbers, which all measures share, no entity is in two of them."""
    law = PitmanYor(0.9, 1.0)
    one, other = (set(ids[ids >= 2**62].tolist()) for ids in (law.draw(20_000, seed=0), law.draw(20_000, seed=1)))
    assert one
    assert not one & other


def test_memory_stays_flat():
    """The tree keeps nothing of what it drew: a draw allocates its output and a few buffers."""
    measure = PitmanYor(0.8, 1.0).measure(0)
    measure.draw(10)
    tracemalloc.start()
    out = measure.draw(3_000_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < out.nbytes + 2_000_000


@pytest.mark.parametrize(
    "law",
    [
        PitmanYor(0.0, 1e-5),
        PitmanYor(0.001, -0.0009),
        PitmanYor(0.9, -0.8999),
        PitmanYor(0.99, 1.0),
        PitmanYor(0.0, 1e12),
    ],
    ids=name,
)
def test_ends_of_the_scale(law):
    """Nothing under- or overflows: the head of (0.99, 1) is lighter than any float64, and is told as 2^-1022."""
    ids, p = law.draw_with_probability(3000, seed=1)
    assert np.all((p >= 2.0**-1022) & (p <= 1))
    assert p[np.unique(ids, return_index=True)[1]].sum() <= 1 + 1e-9


@pytest.mark.parametrize(
    "call",
    [
        lambda law: law.draw(-1),
        lambda law: law.draw(1.5),
        lambda law: law.draw(2, seed=-1),
        lambda law: law.draw(2, start=-1),
        lambda law: law.draw(2, start=2**62),
        lambda law: law.measure(-1),
        lambda law: law.measure().draw(2, stream=-1),
        lambda law: law.measure().draw_with_probability(-2),
    ],
)
def test_bad_arguments(call):
    with pytest.raises(ValueError, match=r"`\w+` must be .*, got .*; "):
        call(PitmanYor())


@pytest.mark.parametrize("threads", ["2", "3"])
def test_threads_share_draws_without_a_trace(threads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    measure, count = PitmanYor(0.8, 1.0).measure(3), 3 * 2**16 + 1
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    alone = measure.draw_with_probability(count, start=7)
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    for shared, one in zip(measure.draw_with_probability(count, start=7), alone, strict=True):
        np.testing.assert_array_equal(shared, one)

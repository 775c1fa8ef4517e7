"""The hallucination law against simulated questions, the joint law, and brute force; Good and Turing against draws."""

import numpy as np
import pytest

from tests.laws.knowledge.worlds import ATTRIBUTES, PI, every_world
from twopart._checks import InputError
from twopart.laws import good_turing, hallucination_law
from twopart.worlds import KnownEntities, PitmanYor, SyntaxKnowledge

WEIGHTS = np.array([0.5, 0.3, 0.15, 0.05])
SMALL = KnownEntities(WEIGHTS, PitmanYor(0.5, 1.0))
WORLD = SyntaxKnowledge(0.5, 1.0, ATTRIBUTES, PI)
QUESTIONS = np.outer(WEIGHTS, PI)  # probability of each


@pytest.mark.slow
@pytest.mark.parametrize("discount", [0.0, 0.6])
def test_simulated_answers_are_as_often_wrong_as_the_law_expects(discount):
    """Corpora of 300 sentences, a model of 150 bits' price, 200 fresh questions each, answered in both ways."""
    n, asked, worlds = 300, 200, 120
    law = hallucination_law(SyntaxKnowledge(discount, 1.0, ATTRIBUTES, PI), n, 150.0)
    rng, bases = np.random.default_rng(0), [a.value_probabilities() for a in ATTRIBUTES]
    wrong = np.zeros((worlds, 3))
    for seed in range(worlds):
        world = SyntaxKnowledge(discount, 1.0, ATTRIBUTES, PI, seed=seed)
        told, asking = world.sample(n), world.sample(asked, stream=1)
        q = asking.probability * np.array(PI)[asking.attribute]
        heard = np.isin(asking.entity * 3 + asking.attribute, told.entity * 3 + told.attribute)
        unknown = ~heard | (q < float(law.joint.price))
        guess = np.array([np.argmax(bases[a]) for a in asking.attribute])
        sample = np.array([rng.choice(len(bases[a]), p=bases[a]) for a in asking.attribute])
        wrong[seed] = [np.mean(unknown & (answer != asking.value)) for answer in (-1, sample, guess)]
    error = wrong.std(0, ddof=1) / np.sqrt(worlds)
    expected = np.array([law.unknown, law.wrong_sampled, law.wrong_best])
    assert np.all(np.abs(wrong.mean(0) - expected) < 5 * error)


@every_world
def test_what_was_never_told_bounds_what_is_unknown(world):
    n = np.array([1, 10, 1000])
    law = hallucination_law(world, n, 200.0)
    assert law.missing_mass == pytest.approx(world.entities.expected_missing_mass(n), rel=1e-9)
    assert np.all(law.unknown >= law.missing_mass)
    assert np.all(law.wrong_best <= law.wrong_sampled)
    assert np.all(law.wrong_sampled <= law.unknown)
    assert np.all(hallucination_law(world, n).unknown <= law.unknown + 1e-12)


@every_world
def test_frequency_bins_add_up_to_the_whole(world):
    edges = np.append(np.logspace(-12, -1e-9, 40), 1.0)
    for law in (
        hallucination_law(world, 300, 200.0),
        hallucination_law(world, bits=200.0),
        hallucination_law(world, 300),
    ):
        bins = law.by_frequency(edges)
        nothing = hallucination_law(world, 0)
        mass = np.diff([float(law_below(nothing, edge)) for edge in edges])
        total = np.sum(np.where(np.isnan(bins), 0.0, bins) * mass) + float(law_below(nothing, edges[0]))
        assert total == pytest.approx(float(law.unknown), rel=1e-6)


def law_below(law, edge):
    """Mass of the facts with a probability below the edge, attribute by attribute."""
    return sum(p * law.entities.mass_below(min(edge / p, 1.0)) for p in law.world.pi)


def test_bins_of_a_small_world_one_fact_at_a_time():
    law = hallucination_law(WORLD, 20, 31.0, SMALL, exposures=2.0)
    q = np.unique(QUESTIONS)
    edges = np.append(q * (1 - 1e-9), 1.0)
    bins, known = law.by_frequency(edges), law.known(q)
    plain = np.where(q >= float(law.joint.price), 1 - (1 - q) ** 10, 0.0)
    assert known == pytest.approx(plain)
    away = np.abs(q / float(law.joint.price) - 1) > 1e-6  # the fact at the price is stored in part
    assert bins[away] == pytest.approx(1 - plain[away], rel=1e-6)


def test_each_fact_counted_once():
    law = hallucination_law(WORLD, 20, 1e4, SMALL)
    least = np.array([0.02, 0.1])
    q = QUESTIONS.ravel()
    assert law.unknown_among(least) == pytest.approx([np.mean((1 - q[q >= x]) ** 20) for x in least], rel=1e-9)


def test_answering_only_what_is_sure():
    """Against the questions of a small world, sorted by confidence and answered one after another."""
    law = hallucination_law(WORLD, bits=35.0, entities=SMALL)
    guess = np.array([a.value_probabilities().max() for a in ATTRIBUTES])
    unknown = law.joint.unknown
    confidence = np.append(1.0, guess)
    mass = np.append(1 - unknown.sum(), unknown)
    order = np.argsort(-confidence)
    share, errors = np.cumsum(mass[order]), np.cumsum((mass * (1 - confidence))[order])
    assert law.risk(share) == pytest.approx(errors / share)
    assert float(law.risk(1.0)) == pytest.approx(float(law.wrong_best))
    assert np.all(law.risk(np.array([1e-6, float(mass[0])])) < 1e-12)
    curve = hallucination_law(WORLD, [10, 100], 35.0, SMALL).risk(np.linspace(0.01, 1, 50))
    assert curve.shape == (2, 50)
    assert np.all(np.diff(curve) >= -1e-12)


def test_equal_facts_fill_up():
    world = SyntaxKnowledge(attributes=ATTRIBUTES[:1], population=100)
    law = hallucination_law(world, bits=[100.0, 200.0, 1e4])
    syntax = law.joint.syntax_bits / 4
    assert law.unknown[:2] == pytest.approx(1 - (np.array([25, 50]) - syntax[:2]) / 100)
    assert law.unknown_among(0.01)[:2] == pytest.approx(law.unknown[:2])
    assert law.unknown[2] == pytest.approx(0, abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("discount", [0.3, 0.6])
def test_good_turing_intervals_hold_as_often_as_they_say(discount):
    """Missing masses of 300 measures, 2,000 draws each; five binomial errors, and half a per cent for finite N."""
    covered, trials, n = 0, 300, 2000
    for seed in range(trials):
        ids, p = PitmanYor(discount, 1.0).draw_with_probability(n, seed=1000 + seed)
        _, first, counts = np.unique(ids, return_index=True, return_counts=True)
        interval = good_turing(counts, level=0.9)
        covered += interval.low <= 1 - p[first].sum() <= interval.high
    assert abs(covered / trials - 0.9) < 5 * np.sqrt(0.09 / trials) + 0.005


def test_good_turing_from_counts_or_blocks():
    counts = np.array([1, 1, 1, 2, 2, 5, 0])
    a, b = good_turing(counts), good_turing(blocks=[3, 2, 0, 0, 1])
    assert a == b
    assert a.estimate == 3 / 12
    half = 1.959963984540054 * np.sqrt(3 + 4 - 9 / 12) / 12
    assert (a.low, a.high) == pytest.approx((max(0.25 - half, 0), 0.25 + half))
    assert good_turing([1]).high == 1.0


@pytest.mark.parametrize("counts", [[], [0], [-1, 2], [0.5], [[1, 2]]])
def test_counts_must_count(counts):
    with pytest.raises(InputError, match="counts"):
        good_turing(counts)


def test_bad_arguments_are_refused():
    with pytest.raises(InputError, match="`n`"):
        hallucination_law(WORLD)
    law = hallucination_law(WORLD, 10)
    for call in (law.risk, law.unknown_among):
        with pytest.raises(InputError, match="must be"):
            call(0.0)
    with pytest.raises(InputError, match="edges"):
        law.by_frequency([0.2, 0.1])
    with pytest.raises(InputError, match="level"):
        good_turing([1], level=1.0)

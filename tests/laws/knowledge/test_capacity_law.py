"""The capacity law against brute-force optimisation, sampled measures, and its own limits."""

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, linprog, minimize

from tests.laws.knowledge.worlds import ATTRIBUTES, PI, every_world
from twopart._checks import InputError
from twopart.laws import capacity_asymptote, capacity_at, capacity_law, capacity_needed, data_law
from twopart.laws.knowledge.syntax import template_redundancy
from twopart.worlds import Attribute, EqualFrequencies, KnownEntities, PitmanYor, SyntaxKnowledge

BITS = np.append(np.logspace(-1, 7, 60), 0.0)
WEIGHTS = np.array([0.4, 0.25, 0.15, 0.09, 0.06, 0.04, 0.01])


@pytest.mark.parametrize("bits", [3.0, 25.0, 70.0])
def test_a_brute_force_optimiser_finds_no_better_and_no_other(bits):
    """Explicit items: 7 entities x 3 attributes and two sets of templates, all bits free to go anywhere (SLSQP)."""
    world = SyntaxKnowledge(0.5, 1.0, ATTRIBUTES, PI)
    law = capacity_law(world, bits, KnownEntities(WEIGHTS, PitmanYor(0.5, 1.0)))
    free = np.array([4, 1])
    prior = np.array([float(template_redundancy(m, 0.5, 0)) for m in (5, 2)])
    slope = np.outer(WEIGHTS, PI).ravel()
    size = np.tile([a.entropy() for a in ATTRIBUTES], len(WEIGHTS))
    weight = np.array(PI[:2]) * prior

    def paid(held):
        return slope @ (size - held[:-2]) + np.sum(weight * 2 ** (-2 * held[-2:] / free))

    def rate(held):
        return np.append(-slope, -2 * np.log(2) / free * weight * 2 ** (-2 * held[-2:] / free))

    upper = np.append(size, [60.0, 60.0])
    budget = LinearConstraint(np.ones(len(upper)), -np.inf, bits)
    starts = (np.zeros(len(upper)), upper * bits / upper.sum())
    options = {"ftol": 1e-15, "maxiter": 2000}
    best = min(
        minimize(
            paid, start, jac=rate, method="SLSQP", bounds=[(0, u) for u in upper], constraints=budget, options=options
        ).fun
        for start in starts
    )
    assert float(law.total) == pytest.approx(best, abs=2e-7)
    assert float(law.fact_bits + law.syntax_bits) == pytest.approx(bits)


@pytest.mark.parametrize("bits", [0.0, 5.0, 40.0, 140.0, 1000.0])
def test_facts_alone_are_a_linear_programme(bits):
    """Without syntax: sampled weights, maximise what is saved, each fact at most whole."""
    silent = tuple(Attribute(a.name, a.values, 1, a.base) for a in ATTRIBUTES)
    world = SyntaxKnowledge(0.5, 1.0, silent, PI, seed=4)
    ids, p = world.measure.draw_with_probability(300)
    weights = p[np.unique(ids, return_index=True)[1]]
    weights = weights / weights.sum()
    law = capacity_law(world, bits, KnownEntities(weights, PitmanYor(0.5, 1.0)))
    slope = np.outer(weights, PI).ravel()
    size = np.tile([a.entropy() for a in silent], len(weights))
    best = linprog(-slope, np.ones((1, len(slope))), [bits], bounds=list(zip(np.zeros_like(size), size, strict=True)))
    assert float(law.value) == pytest.approx(slope @ size + best.fun, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("discount", "concentration"), [(0.0, 2.0), (0.3, 0.0), (0.5, 1.0), (0.8, -0.4)])
def test_sampled_measures_hold_and_pay_what_the_law_expects(discount, concentration):
    """At a price that 4,000 draws are all but sure to reach: facts held, bits spent, value paid; means over worlds."""
    price, worlds = 0.004, 150
    world = SyntaxKnowledge(discount, concentration, ATTRIBUTES, PI)
    law = capacity_at(world, price)
    entropy = np.array([a.entropy() for a in ATTRIBUTES])
    found = []
    for seed in range(worlds):
        ids, p = PitmanYor(discount, concentration).draw_with_probability(4000, seed=seed)
        q = np.outer(p[np.unique(ids, return_index=True)[1]], PI)
        held = q >= price
        found.append((held.sum(), (held * entropy).sum(), PI @ entropy - (held * q * entropy).sum()))
    error = np.std(found, axis=0, ddof=1) / np.sqrt(worlds)
    assert np.all(np.abs(np.mean(found, axis=0) - [law.facts, law.fact_bits, law.value]) < 5 * error)


@every_world
def test_the_curve_is_convex_and_its_slope_is_the_price(world):
    law = capacity_law(world, np.sort(BITS))
    spent = law.fact_bits + law.syntax_bits
    assert np.all(np.diff(law.total) <= 1e-12)
    steps = np.diff(spent) > 1e-6
    slope = -np.diff(law.total)[steps] / np.diff(spent)[steps]
    assert np.all(slope <= law.price[:-1][steps] * (1 + 1e-6) + 1e-13)
    assert np.all(slope >= law.price[1:][steps] * (1 - 1e-6) - 1e-13)


@every_world
def test_a_budget_is_spent_where_it_can_be(world):
    law = capacity_law(world, BITS)
    roomy = law.price == 0
    assert law.fact_bits[~roomy] + law.syntax_bits[~roomy] == pytest.approx(BITS[~roomy], rel=1e-10)
    assert np.all(law.fact_bits + law.syntax_bits <= BITS * (1 + 1e-10))


@every_world
def test_without_a_bit_nothing_is_known(world):
    law, ignorant = capacity_law(world, 0), data_law(world, 0)
    assert float(law.value) == pytest.approx(float(ignorant.value))
    assert float(law.syntax) == pytest.approx(float(ignorant.syntax))
    assert law.facts == law.fact_bits == law.syntax_bits == 0


@every_world
def test_three_ways_along_the_same_curve(world):
    law = capacity_law(world, np.array([2.0, 30.0, 150.0, 250.0]))
    spent = law.fact_bits + law.syntax_bits
    assert capacity_needed(world, law.total).bits == pytest.approx(spent, rel=1e-8)
    if world.population is None:  # elsewhere a price is one of few, and buys all or nothing
        there = capacity_at(world, law.price)
        assert there.bits == pytest.approx(spent, rel=1e-8)
        assert there.total == pytest.approx(law.total, rel=1e-8)
        assert there.threshold == pytest.approx(law.price[:, None] / world.pi)


def test_equally_frequent_facts_are_stored_one_by_one():
    """Nothing to choose: what fits is stored, whichever it is."""
    world = SyntaxKnowledge(attributes=(Attribute("a", values=16, templates=1),), population=100)
    law = capacity_law(world, [0.0, 100.0, 200.0, 400.0, 1000.0])
    assert law.value == pytest.approx([4.0, 3.0, 2.0, 0.0, 0.0])
    assert law.facts == pytest.approx([0.0, 25.0, 50.0, 100.0, 100.0])
    assert law.price[1:3] == pytest.approx(0.01)
    assert law.price[4] == 0


@pytest.mark.parametrize("discount", [0.3, 0.5, 0.8])
@pytest.mark.parametrize("concentration", [0.0, 1.0, 10.0])
def test_the_asymptote_is_reached(discount, concentration):
    world = SyntaxKnowledge(discount, concentration, ATTRIBUTES, PI)
    law, limit = capacity_law(world, 1e10), capacity_asymptote(world)
    assert limit.exponent == pytest.approx(1 / discount - 1)
    assert float(law.value) == pytest.approx(float(limit(1e10)), rel=1e-3)
    assert float(law.exponent) == pytest.approx(-limit.exponent, rel=1e-3)
    assert float(law.value_exponent) == pytest.approx(-limit.exponent, rel=1e-3)


@every_world
def test_the_local_exponent_is_the_slope_on_log_log_axes(world):
    if world.population is not None:
        return  # a straight line in bits, and flat beyond
    bits = np.array([199.9, 200.1, 29_990.0, 30_010.0])
    law = capacity_law(world, bits)
    slope = np.diff(np.log(law.total)) / np.diff(np.log(bits))
    middle = (law.exponent[1:] + law.exponent[:-1]) / 2
    assert slope[[0, 2]] == pytest.approx(middle[[0, 2]], rel=1e-5)


def test_the_unmet_entities_of_a_known_world_have_the_power_tail_of_the_rest():
    world = SyntaxKnowledge(0.5, 1.0)
    known = KnownEntities(np.array([0.5, 0.2]), PitmanYor(0.5, 1.0))
    law = capacity_law(world, 1e11, known)
    assert float(law.value) == pytest.approx(float(capacity_asymptote(world, known)(1e11)), rel=1e-3)


@pytest.mark.parametrize("entities", [PitmanYor(0.0, 2.0), EqualFrequencies(9)])
def test_no_power_tail_no_asymptote(entities):
    with pytest.raises(InputError, match="power tail"):
        capacity_asymptote(SyntaxKnowledge(), entities)


def test_syntax_at_high_rate_is_close_to_the_shannon_lower_bound():
    """Dirichlet(1/2) is Jeffreys' prior: in the Fisher metric uniform on an orthant of a sphere, of volume π^(m/2)/Γ(m/2)."""
    from scipy.special import gammaln

    m, free = 8, 7
    volume = m / 2 * np.log(np.pi) - gammaln(m / 2)
    bound = free / (2 * np.log(2)) * np.exp(2 * volume / free) / (2 * np.pi * np.e)
    assert bound == pytest.approx(0.656, abs=1e-3)
    assert float(template_redundancy(m, 0.5, 0)) / bound == pytest.approx(1.34, abs=0.01)


def test_shapes_follow_the_bits():
    world = SyntaxKnowledge(attributes=ATTRIBUTES, attribute_probabilities=PI)
    for shape in [(), (0,), (2, 3)]:
        law = capacity_law(world, np.full(shape, 50.0))
        assert law.total.shape == law.price.shape == law.redundancy.name.shape == shape
        assert law.threshold.shape == (*shape, 3)


@pytest.mark.parametrize(
    ("call", "argument"), [(capacity_law, -1), (capacity_law, np.nan), (capacity_at, 0), (capacity_needed, 0)]
)
def test_bad_arguments_are_refused(call, argument):
    with pytest.raises(InputError, match="must be"):
        call(SyntaxKnowledge(), argument)

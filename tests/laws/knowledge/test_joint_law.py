"""The joint law against sampled corpora, its two limits, and the best split of compute against a plain search."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from tests.laws.knowledge.worlds import ATTRIBUTES, PI, every_world
from twopart._checks import InputError
from twopart.codes import oracle_code
from twopart.laws import bits_at, capacity_law, data_law, exposures_at, joint_law, joint_limit, optimal_split
from twopart.laws.knowledge.joint import sentence_entropy
from twopart.laws.knowledge.untaught import thinned_redundancy, untaught
from twopart.worlds import Attribute, SyntaxKnowledge, known_entities

N = np.array([0, 1, 7, 100, 30_000])
BITS = np.array([0.0, 3.0, 40.0, 1e3, 1e5])
SILENT = tuple(Attribute(a.name, a.values, 1, a.base) for a in ATTRIBUTES)


@every_world
def test_many_bits_give_the_data_law(world):
    law, limit = joint_law(world, N, np.inf), data_law(world, N)
    assert law.value == pytest.approx(limit.value, rel=1e-10, abs=1e-300)
    assert law.syntax == pytest.approx(limit.syntax, rel=1e-10)


@every_world
def test_many_sentences_give_the_capacity_law(world):
    law, limit = joint_law(world, np.inf, BITS), capacity_law(world, BITS)
    for field in ("price", "threshold", "facts", "fact_bits", "syntax_bits", "syntax", "value"):
        assert np.array_equal(getattr(law, field), getattr(limit, field)), field


@every_world
def test_both_limits_bind(world):
    """More sentences or bits never hurt, and what is too rare or not told is at most what is too rare and what is not told."""
    law = joint_law(world, N[:, None], BITS)
    assert np.all(np.diff(law.total, axis=0) <= 1e-9)
    assert np.all(np.diff(law.total, axis=1) <= 1e-12)
    both = data_law(world, N).total[:, None] + capacity_law(world, BITS).total
    assert np.all(law.total <= both * (1 + 1e-9))


@pytest.mark.slow
@pytest.mark.parametrize("discount", [0.0, 0.7])
def test_sampled_corpora_hold_and_pay_what_the_law_expects(discount):
    """The facts that one corpus tells, stored if their probability is at least the law's price; means over worlds."""
    n, worlds = 400, 150
    law = joint_law(SyntaxKnowledge(discount, 1.0, SILENT, PI), n, 150.0)
    entropy = np.array([a.entropy() for a in SILENT])
    found = []
    for seed in range(worlds):
        corpus = SyntaxKnowledge(discount, 1.0, SILENT, PI, seed=seed).sample(n)
        first = np.unique(corpus.entity * 3 + corpus.attribute, return_index=True)[1]
        attribute, q = corpus.attribute[first], corpus.probability[first] * np.array(PI)[corpus.attribute[first]]
        held = q >= float(law.price) * (1 - 1e-9)
        bits = (held * entropy[attribute]).sum()
        found.append((held.sum(), bits, PI @ entropy - (held * q * entropy[attribute]).sum()))
    error = np.std(found, axis=0, ddof=1) / np.sqrt(worlds)
    z = (np.mean(found, axis=0) - [law.facts, law.fact_bits, law.value]) / error
    assert np.all(np.abs(z) < 5), z


def test_exposures_delay_facts_but_not_syntax():
    world = SyntaxKnowledge(0.5, 1.0, ATTRIBUTES, PI)
    late, early = joint_law(world, 3000, np.inf, exposures=10), joint_law(world, 300, np.inf)
    assert float(late.value) == pytest.approx(float(early.value), rel=1e-12)
    assert float(late.syntax) == float(joint_law(world, 3000, np.inf).syntax)


def test_a_known_world_is_used_as_it_is():
    world = SyntaxKnowledge(0.5, 1.0, SILENT, PI, seed=2)
    known = known_entities(world.sample(3000))
    law = joint_law(world, 500, np.inf, known)
    entropy = np.array([a.entropy() for a in SILENT])
    missed = [known.expected_missing_mass(500, thinning=p) for p in PI]
    assert float(law.value) == pytest.approx(np.sum(PI * entropy * missed), rel=1e-9)


@pytest.mark.slow
def test_untaught_between_whole_numbers_is_as_exact_as_at_them():
    world = SyntaxKnowledge(0.5, 1.0, ATTRIBUTES, PI, syntax_concentration=0.8)
    n = np.append(np.unique(np.round(np.logspace(0, 4, 27))), np.inf)
    exact = [thinned_redundancy(5, 0.8, int(size), 0.6) for size in n[:-1]] + [0.0]
    assert untaught(world, n)[:, 0] == pytest.approx(exact, rel=1e-6)
    assert np.all(untaught(world, n)[:, 2] == 0)


@pytest.mark.slow
def test_untaught_far_out_is_half_a_parameter_over_n():
    world = SyntaxKnowledge(0.5, 1.0, ATTRIBUTES[:1], syntax_concentration=2.0)
    assert untaught(world, np.array([1e11, 1e13]))[:, 0] == pytest.approx(
        4 / (2 * np.log(2) * np.array([1e11, 1e13])), rel=1e-3
    )


def test_the_entropy_of_a_sentence_is_what_the_oracle_pays():
    worlds = 100
    paid = [
        oracle_code(SyntaxKnowledge(0.5, 1.0, ATTRIBUTES, PI, seed=s).sample(200)).total.mean() for s in range(worlds)
    ]
    error = np.std(paid, ddof=1) / np.sqrt(worlds)
    assert abs(np.mean(paid) - sentence_entropy(SyntaxKnowledge(0.5, 1.0, ATTRIBUTES, PI))) < 5 * error
    law = joint_law(SyntaxKnowledge(), 100, 1e3)
    assert float(law.loss - law.total) == pytest.approx(law.oracle)


@pytest.mark.parametrize("discount", [0.4, 0.6])
def test_the_two_terms_are_the_limits(discount):
    world, b = SyntaxKnowledge(discount, 1.0, SILENT, PI), 2.0
    limit = joint_limit(world, b, exposures=4.0)
    assert (limit.alpha, limit.beta) == pytest.approx((1 - discount, 1 / discount - 1))
    data = joint_law(world, 1e12, np.inf, exposures=4.0)
    assert float(data.value) == pytest.approx(limit.A * 1e12**-limit.alpha, rel=1e-3)
    capacity = capacity_law(world, b * 1e10)
    assert float(capacity.value) == pytest.approx(limit.B * 1e10**-limit.beta, rel=1e-3)
    assert float(limit(1e12, 1e10)) == pytest.approx(limit.E + float(data.value + capacity.value), rel=1e-6)


@pytest.mark.slow
def test_the_best_split_against_a_search_one_by_one():
    world, cost, b = SyntaxKnowledge(0.5, 1.0, SILENT, PI), 36.0, 2.0
    flops = np.array([1e6, 1e9])
    split = optimal_split(world, flops, cost, b)
    assert split.n * split.params * cost == pytest.approx(flops)
    for budget, total in zip(flops, split.law.total, strict=True):

        def paid(log_n, budget=budget):
            return float(joint_law(world, np.exp(log_n), b * budget / cost / np.exp(log_n)).total)

        best = minimize_scalar(paid, bounds=(0, np.log(budget / cost)), method="bounded", options={"xatol": 1e-9})
        assert total == pytest.approx(best.fun, rel=1e-9)


@pytest.mark.slow
def test_the_exponents_of_the_best_split():
    """Locally the price's; far out those of the two terms, 1/(1+d), d/(1+d) and (1-d)/(1+d)."""
    world = SyntaxKnowledge(0.5, 1.0, SILENT, PI)
    flops = np.logspace(12, 16, 9)
    split, limit = optimal_split(world, flops, 36.0), joint_limit(world)
    slope = np.gradient(np.log(split.law.total), np.log(flops))
    assert split.exponent[1:-1] == pytest.approx(slope[1:-1], abs=1e-3)
    assert (limit.n_exponent, limit.params_exponent, limit.exponent) == pytest.approx((2 / 3, 1 / 3, -1 / 3))
    assert split.exponent[-1] == pytest.approx(limit.exponent, abs=1e-3)
    assert split.n_exponent[-1] == pytest.approx(limit.n_exponent, abs=2e-3)
    n, params = limit.optimum(flops, 36.0)
    data, capacity = limit.A * n**-limit.alpha, limit.B * params**-limit.beta
    assert limit.alpha * data == pytest.approx(limit.beta * capacity)


def test_shapes_broadcast():
    world = SyntaxKnowledge(attributes=ATTRIBUTES, attribute_probabilities=PI)
    law = joint_law(world, np.ones((4, 1)), np.ones(3))
    assert law.total.shape == law.redundancy.value.shape == (4, 3)
    assert law.threshold.shape == law.unknown.shape == (4, 3, 3)
    assert joint_law(world, 5, 5).total.shape == ()
    assert joint_law(world, np.zeros(0), 5).total.shape == (0,)


@pytest.mark.parametrize(("n", "bits", "exposures"), [(-1, 1, 1), (np.nan, 1, 1), (1, -1, 1), (1, 1, 0)])
def test_bad_arguments_are_refused(n, bits, exposures):
    with pytest.raises(InputError, match="must be"):
        joint_law(SyntaxKnowledge(), n, bits, exposures=exposures)


@pytest.mark.parametrize("flops", [[1.0], [1e9, 1e8], [[1e9]]])
def test_bad_budgets_are_refused(flops):
    with pytest.raises(InputError, match="flops"):
        optimal_split(SyntaxKnowledge(), flops, 36.0)


def test_exposures_and_bits_are_found_from_what_is_left_to_pay():
    world = SyntaxKnowledge(0.5, 1.0, SILENT, PI)
    roomy, tight = (float(joint_law(world, 30_000, bits, exposures=8.0).value) for bits in (np.inf, 100.0))
    assert exposures_at(roomy, world, 30_000) == pytest.approx(8, rel=0.02)
    assert bits_at(tight, world, 30_000, exposures=8.0) == pytest.approx(100, rel=0.02)
    assert np.isnan(exposures_at(99.0, world, 30_000)), "the law starts lower"
    assert np.isnan(bits_at(tight, world, 30_000, exposures=np.nan))

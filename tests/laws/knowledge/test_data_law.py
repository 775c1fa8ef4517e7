"""The data law against simulation, slow exact sums and its own limits."""

import numpy as np
import pytest

from twopart.codes import bayes_code, oracle_code
from twopart.laws import data_law, data_law_asymptote, knowledge_law
from twopart.laws.knowledge import entities
from twopart.laws.knowledge.syntax import template_redundancy
from twopart.roles import ROLES
from twopart.worlds import Attribute, EqualFrequencies, PitmanYor, SyntaxKnowledge

ATTRIBUTES = (
    Attribute("a", values=16, templates=5),
    Attribute("b", values=4, templates=2, base=(0.1, 0.2, 0.3, 0.4)),
)
STEPS = np.r_[0:400, 1480:1500]
PARTS = np.array([0, 1, 2, 5, 20, 100, 400])
"""Where steps begin that are summed: the first by itself, later ones together, which says more than single ones do."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("discount", "concentration", "population"),
    [(0.0, 2.0, None), (0.3, 0.0, None), (0.5, 1.0, None), (0.8, -0.4, None), (0.5, 1.0, 40)],
)
def test_simulated_redundancy_matches_the_expectation(discount, concentration, population, size):
    worlds = size(600, 3000)
    # 40 boxes are all but full after 400 throws: where no new entity is ever seen there is no standard error either
    steps, parts = (STEPS, PARTS) if population is None else (STEPS[:400], PARTS[:-1])
    bits = {role: np.zeros((worlds, len(parts))) for role in ROLES}
    for seed in range(worlds):
        world = SyntaxKnowledge(
            discount,
            concentration,
            ATTRIBUTES,
            (0.7, 0.3),
            syntax_concentration=0.8,
            population=population,
            seed=seed,
        )
        corpus = world.sample(steps[-1] + 1)
        redundancy = bayes_code(corpus) - oracle_code(corpus)
        for role in ROLES:
            bits[role][seed] = np.add.reduceat(getattr(redundancy, role)[steps], parts)
    law = data_law(world, steps)
    for role in ROLES:
        expected = np.add.reduceat(getattr(law, role), parts)
        error = bits[role].std(0, ddof=1) / np.sqrt(worlds)
        z = (bits[role].mean(0) - expected) / np.maximum(error, 1e-12)
        assert np.all(np.abs(z) < 5), (role, z)
        assert abs(factor_z(bits[role][:, error > 1e-12], expected[error > 1e-12])) < 5, role


def factor_z(samples, law):
    """How surely a law times a factor would fit better, all its parts weighed together: in standard errors of the factor."""
    weights = np.linalg.solve(np.cov(samples.T), law)
    return (samples.mean(0) - law) @ weights / np.sqrt(law @ weights / len(samples))


@pytest.mark.parametrize(
    ("discount", "concentration"),
    [(0.0, 2.0), (0.1, 0.5), (0.3, 0.0), (0.5, 1.0), (0.5, 20.0), (0.8, -0.4), (0.9, 1.0)],
)
def test_new_entities_cost_what_the_law_of_distinct_entities_says(discount, concentration):
    """The chain of K_n run on to n = 5000, five times farther than the library runs it before it turns to moments."""
    law, n, names = PitmanYor(discount, concentration), 5000, 2**30
    weights = np.zeros(n + 2)
    weights[1] = 1.0
    k = np.arange(n + 2)
    for seen in range(1, n):
        up = weights * (concentration + discount * k) / (concentration + seen)
        weights = weights - up + np.roll(up, 1)
    p = (concentration + discount * k) / (concentration + n)
    ways = (weights > 0) & (p > 0)
    expected = np.sum(weights[ways] * p[ways] * (np.log2(names - k[ways]) - np.log2(p[ways])))
    assert entities._new_bits(law, n, names) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("discount", "concentration"), [(0.3, 0.0), (0.5, 1.0), (0.8, -0.4)])
def test_known_entities_cost_what_a_sum_over_block_sizes_says(discount, concentration):
    """P(the next entity was seen j times) = E M_j (j-d)/(n+θ), from expected block sizes."""
    law, n = PitmanYor(discount, concentration), 3000
    j = np.arange(1, n + 1)
    p = (j - discount) / (n + concentration)
    expected = -np.sum(law.expected_blocks(j, n) * p * np.log2(p))
    assert entities._known_bits(law, n) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("templates", "alpha"), [(2, 0.5), (8, 0.5), (20, 1.0), (20, 0.05), (3, 30.0)])
@pytest.mark.parametrize("c", [0, 1, 7, 300, 2000])
def test_template_redundancy_against_the_plain_sum(templates, alpha, c):
    """In plain form: -m Σ_j BetaBin(j; c, α, (m-1)α) q_j log2 q_j, q_j = (j+α)/(c+mα), less the entropy."""
    from scipy.special import psi
    from scipy.stats import betabinom

    j = np.arange(c + 1)
    q = (j + alpha) / (c + templates * alpha)
    bits = -templates * np.sum(betabinom.pmf(j, c, alpha, (templates - 1) * alpha) * q * np.log2(q))
    entropy = (psi(templates * alpha + 1) - psi(alpha + 1)) / np.log(2)
    assert template_redundancy(templates, alpha, c) == pytest.approx(bits - entropy, abs=1e-9)


def test_thinned_syntax_against_the_full_binomial_sum():
    from scipy.stats import binom

    world = SyntaxKnowledge(attributes=ATTRIBUTES, attribute_probabilities=(0.7, 0.3), syntax_concentration=0.8)
    n = 30_000
    c = np.arange(n + 1)
    expected = 0.0
    for p, attribute in zip((0.7, 0.3), ATTRIBUTES, strict=True):
        weights = binom.pmf(c, n, p)
        near = weights > 1e-18
        expected += p * np.dot(weights[near], template_redundancy(attribute.templates, 0.8, c[near]))
    assert data_law(world, n).syntax == pytest.approx(expected, rel=1e-7)


def test_equally_frequent_entities_against_the_law_of_empty_boxes():
    """Number of empty boxes by inclusion-exclusion in whole numbers."""
    from fractions import Fraction
    from math import comb, log2

    boxes, n, names = 12, 20, 1000
    expected = 0.0
    for empty in range(1, boxes):
        ways = sum((-1) ** i * comb(boxes - empty, i) * (boxes - empty - i) ** n for i in range(boxes - empty + 1))
        weight = float(Fraction(comb(boxes, empty) * ways, boxes**n))
        expected += weight * empty / boxes * log2((names - boxes + empty) / empty)
    assert entities.entity_redundancy(EqualFrequencies(boxes), np.array([20.0]), names)[0] == pytest.approx(
        expected, rel=1e-12
    )


@pytest.mark.parametrize("discount", [0.3, 0.5, 0.8])
@pytest.mark.parametrize("concentration", [0.0, 1.0, 10.0])
def test_the_asymptote_is_reached(discount, concentration):
    world = SyntaxKnowledge(discount, concentration, ATTRIBUTES)
    n = np.array([10**7])
    law, limit = data_law(world, n), data_law_asymptote(world, n)
    assert limit.value == pytest.approx(law.value, rel=1e-4)
    assert limit.syntax == pytest.approx(law.syntax, rel=1e-3)
    assert limit.name == pytest.approx(law.name, rel=5e-3)


def test_asymptotic_slopes():
    world = SyntaxKnowledge(0.6, 1.0)
    n = np.array([10**9, 10**10])
    law = data_law(world, n)
    assert np.log10(law.value[1] / law.value[0]) == pytest.approx(-0.4, abs=1e-4)
    assert np.log10(law.syntax[1] / law.syntax[0]) == pytest.approx(-1, abs=1e-3)


def test_shapes_follow_n():
    world = SyntaxKnowledge()
    assert np.shape(data_law(world, 5).total) == ()
    assert data_law(world, np.arange(6).reshape(2, 3)).total.shape == (2, 3)
    assert data_law(world, np.arange(6).reshape(2, 3)).total[1, 2] == pytest.approx(float(data_law(world, 5).total))


@pytest.mark.parametrize("n", [-1, 0.5, np.nan, 2.0**53])
def test_n_must_count(n):
    with pytest.raises(ValueError, match="whole numbers"):
        data_law(SyntaxKnowledge(), n)


def test_the_law_of_one_world_is_the_mean_over_its_samples():
    """Weights read off one sample; mean value bits of the Bayes code over other samples of the same world."""
    uniform = (
        ATTRIBUTES[0],
        Attribute("c", values=4),
    )  # with equal bases, as the law takes a fact's bits at their mean h
    world = SyntaxKnowledge(0.6, 1.0, uniform, (0.7, 0.3), seed=5)
    steps = np.array([0, 10, 100, 1000, 2999])
    bits = np.array([bayes_code(world.sample(3000, stream=s)).value[steps] for s in range(1, 1500)])
    law = knowledge_law(world.sample(200_000), steps)
    error = bits.std(0, ddof=1) / np.sqrt(len(bits))
    assert np.all(np.abs(bits.mean(0) - law) < 5 * np.maximum(error, 1e-9))


def test_the_law_of_one_world_averages_to_the_law():
    steps = np.array([0, 30, 500, 20_000])
    laws = np.array(
        [
            knowledge_law(SyntaxKnowledge(0.5, 1.0, ATTRIBUTES, (0.7, 0.3), seed=s).sample(500), steps)
            for s in range(600)
        ]
    )
    error = laws.std(0, ddof=1) / np.sqrt(len(laws))
    expected = data_law(SyntaxKnowledge(0.5, 1.0, ATTRIBUTES, (0.7, 0.3)), steps).value
    assert np.all(np.abs(laws.mean(0) - expected) < 5 * np.maximum(error, 1e-9))
    control = SyntaxKnowledge(attributes=ATTRIBUTES, population=9)
    assert np.array_equal(knowledge_law(control.sample(5), steps), data_law(control, steps).value)

"""Oracle and Bayes codes against brute force: enumeration of all corpora of tiny worlds, integrals, and simulation."""

import itertools

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta

import twopart.codes as codes
from twopart.roles import ROLES
from twopart.worlds import Attribute, Corpus, SyntaxKnowledge

PAIR = (Attribute("a", values=2, templates=2), Attribute("b", values=2, templates=1, base=(0.3, 0.7)))


def corpus_of(world, sentences):
    """A corpus of (entity, attribute, template, value) tuples; its probabilities do not matter to the Bayes code."""
    columns = np.array(sentences).T
    return Corpus(world, *columns, np.full(len(sentences), 0.5))


def consistent(sentences):
    facts = {}
    return all(facts.setdefault((e, a), v) == v for e, a, _, v in sentences)


@pytest.mark.parametrize(("discount", "concentration"), [(0.0, 1.0), (0.5, 1.0), (0.8, -0.3)])
def test_bayes_probabilities_of_all_corpora_sum_to_one(discount, concentration):
    world = SyntaxKnowledge(
        discount, concentration, PAIR, attribute_probabilities=(0.6, 0.4), names=3, syntax_concentration=0.7
    )
    sentences = [(e, a, t, v) for e in range(3) for a in range(2) for t in range(PAIR[a].templates) for v in range(2)]
    total = 0.0
    for triple in itertools.product(sentences, repeat=3):
        if consistent(triple):
            total += 2.0 ** -codes.bayes_code(corpus_of(world, triple)).total.sum()
    assert total == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_bayes_code_does_not_depend_on_the_order_of_sentences(seed):
    corpus = SyntaxKnowledge(0.6, 2.0, PAIR, names=10**6, seed=seed).sample(300)
    shuffled = corpus[np.random.default_rng(seed).permutation(300)]
    first, second = codes.bayes_code(corpus), codes.bayes_code(shuffled)
    for role in ROLES:
        assert getattr(first, role).sum() == pytest.approx(getattr(second, role).sum(), rel=1e-12)


def test_syntax_bits_are_the_mixture_over_template_probabilities():
    world = SyntaxKnowledge(attributes=(Attribute("a", values=1, templates=2),), syntax_concentration=0.4)
    templates = [0, 1, 1, 0, 1, 1, 1]
    bits = codes.bayes_code(corpus_of(world, [(0, 0, t, 0) for t in templates])).syntax.sum()
    ones = sum(templates)
    zeros = len(templates) - ones
    # ψ = x^2.5 takes the singularity of the Beta(0.4, 0.4) density at zero away; by symmetry, both halves.
    half = sum(
        quad(
            lambda x, i=i, j=j: (x**2.5) ** i * (1 - x**2.5) ** j * beta.pdf(x**2.5, 0.4, 0.4) * 2.5 * x**1.5,
            0,
            0.5**0.4,
        )[0]
        for i, j in ((ones, zeros), (zeros, ones))
    )
    assert 2.0**-bits == pytest.approx(half, rel=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("discount", [0.25, 0.8])
def test_partitions_of_the_sampler_occur_as_the_bayes_code_says(discount, size):
    """A hundred triples of draws from each of many measures: aaa, aab, aba, abb, abc in the frequencies 2^-bits."""
    world, shares = SyntaxKnowledge(discount, 1.0, names=2**40), []
    for seed in range(size(900, 3000)):
        a, b, c = world.entities.draw(300, seed=seed).reshape(100, 3).T
        first, last, outer = a == b, b == c, a == c
        shares.append([(first & last).mean(), *(np.mean(one & ~(first & last)) for one in (first, outer, last))])
    shares = np.column_stack([shares, 1 - np.sum(shares, 1)])
    error = shares.std(0, ddof=1) / np.sqrt(len(shares))
    for k, pattern in enumerate(((0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (0, 1, 2))):
        bits = codes.bayes_code(corpus_of(world, [(e, 0, 0, 0) for e in pattern])).name.sum()
        named = sum(np.log2(world.names - k) for k in range(max(pattern) + 1))
        expected = 2.0 ** (named - bits)
        assert abs(shares[:, k].mean() - expected) < 5 * error[k], pattern


@pytest.mark.parametrize("population", [None, 50])
def test_oracle_bits_are_the_entropy_of_the_world(population):
    n = 200_000
    world = SyntaxKnowledge(0.4, 1.0, population=population, syntax_concentration=0.7)
    bits = codes.oracle_code(world.sample(n))
    entropy = sum(
        p * (-np.log2(p) - np.dot(psi, np.log2(psi)))
        for p, psi in zip(world.pi, world.template_probabilities, strict=True)
    )
    assert abs(bits.syntax.mean() - entropy) < 5 * bits.syntax.std() / np.sqrt(n)
    assert np.all(bits.value == 0)
    if population:
        assert bits.name == pytest.approx(np.log2(50))


def test_parts_cost_what_the_whole_costs():
    world = SyntaxKnowledge(0.7, 1.0, seed=3)
    corpus = world.sample(100_000)
    whole = codes.bayes_code(corpus)
    coder = codes.BayesCoder(world)
    parts = codes.CodeLengths.concatenate(
        [coder.encode(corpus[i:j]) for i, j in itertools.pairwise((0, 1, 40_000, 40_001, 100_000))]
    )
    for role in ROLES:
        assert np.array_equal(getattr(whole, role), getattr(parts, role))
    assert coder.distinct == len(np.unique(corpus.entity))
    assert coder.sentences == 100_000


def test_more_than_64_attributes():
    attributes = tuple(Attribute(f"a{i}", values=4, templates=1) for i in range(130))
    corpus = SyntaxKnowledge(attributes=attributes, population=3).sample(5000)
    facts = {(e, a) for e, a in zip(corpus.entity.tolist(), corpus.attribute.tolist(), strict=True)}
    assert codes.bayes_code(corpus).value.sum() == 2 * len(facts)


def test_an_empty_corpus_costs_nothing():
    assert len(codes.bayes_code(SyntaxKnowledge().sample(0))) == 0


def test_a_coder_refuses_the_corpus_of_another_world():
    with pytest.raises(ValueError, match="sample of the coder's world"):
        codes.BayesCoder(SyntaxKnowledge()).encode(SyntaxKnowledge(seed=1).sample(3))

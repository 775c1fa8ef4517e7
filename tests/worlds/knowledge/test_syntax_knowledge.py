"""The Syntax-Knowledge world: its draws against the distributions it states, its functions against their promises."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from twopart._philox import hash_uniform, philox_key
from twopart.worlds import Attribute, PitmanYor, SyntaxKnowledge
from twopart.worlds.knowledge._permutation import permute

SKEWED = (
    Attribute("a", values=5, templates=3, base=(0.5, 0.2, 0.1, 0.1, 0.1)),
    Attribute("b", values=1000, templates=1),
    Attribute("c", values=2, templates=7),
)
WORLD = SyntaxKnowledge(0.6, 3.0, SKEWED, attribute_probabilities=(0.5, 0.2, 0.3), seed=11)
ONE_IN_A_MILLION = 1 - 1e-6


def fits(observed, probabilities):
    """Chi-square at a level where a false alarm is one in a million."""
    expected = observed.sum() * probabilities
    assert expected.min() > 5
    return ((observed - expected) ** 2 / expected).sum() < chi2.ppf(ONE_IN_A_MILLION, len(expected) - 1)


def test_attributes_and_templates_have_their_probabilities():
    corpus = WORLD.sample(200_000)
    assert fits(np.bincount(corpus.attribute), WORLD.pi)
    for a, psi in enumerate(WORLD.template_probabilities):
        counts = np.bincount(corpus.template[corpus.attribute == a], minlength=len(psi))
        common = psi > 1e-3
        assert fits(
            np.append(counts[common], counts[~common].sum() + 10),
            np.append(psi[common], psi[~common].sum() + 10 / counts.sum()),
        )


def test_facts_follow_the_base_distribution_over_entities():
    entities = np.arange(100_000)
    for a, attribute in enumerate(SKEWED):
        assert fits(np.bincount(WORLD.value(entities, a), minlength=attribute.values), attribute.value_probabilities())


def test_facts_of_one_entity_are_independent():
    entities = np.arange(100_000)
    pair = WORLD.value(entities, 0) * 2 + WORLD.value(entities, 2)
    probabilities = np.outer(SKEWED[0].value_probabilities(), [0.5, 0.5]).ravel()
    assert fits(np.bincount(pair, minlength=10), probabilities)


def test_template_probabilities_follow_a_symmetric_dirichlet():
    """Over worlds, ψ_1 ~ Beta(α, (m-1)α): mean 1/m, variance (m-1)/(m²(mα+1))."""
    m, alpha = 4, 0.3
    attributes = (Attribute("a", templates=m),)
    psi = np.array(
        [
            SyntaxKnowledge(attributes=attributes, syntax_concentration=alpha, seed=s).template_probabilities[0]
            for s in range(4000)
        ]
    )
    variance = (m - 1) / (m * m * (m * alpha + 1))
    assert np.all(np.abs(psi.mean(0) - 1 / m) < 5 * np.sqrt(variance / len(psi)))
    squares = (psi - 1 / m) ** 2
    assert np.all(np.abs(squares.mean(0) - variance) < 5 * squares.std(0) / np.sqrt(len(psi)))


def test_every_sentence_tells_the_fact():
    corpus = WORLD.sample(1000)
    assert np.array_equal(corpus.value, WORLD.value(corpus.entity, corpus.attribute))


@given(st.integers(0, 3000), st.integers(0, 500), st.integers(0, 3))
@settings(deadline=None, max_examples=50)
def test_a_shard_equals_its_part_of_the_whole(start, length, stream):
    whole = WORLD.sample(start + length, stream=stream)
    assert WORLD.sample(length, stream=stream, start=start) == whole[start:]


def test_streams_and_seeds_differ_but_share_the_truth():
    first, second = WORLD.sample(2000), WORLD.sample(2000, stream=1)
    assert not np.array_equal(first.entity, second.entity)
    assert not np.array_equal(first.attribute, second.attribute)
    facts = {}
    for corpus in (first, second):
        for e, a, v in zip(corpus.entity.tolist(), corpus.attribute.tolist(), corpus.value.tolist(), strict=True):
            assert facts.setdefault((e, a), v) == v


def test_entities_are_those_of_the_worlds_law():
    """The distinct entities of many worlds have the expected number."""
    n, worlds = 500, 400
    distinct = [len(np.unique(SyntaxKnowledge(0.5, 1.0, seed=s).sample(n).entity)) for s in range(worlds)]
    expected = PitmanYor(0.5, 1.0).expected_distinct(n)
    assert abs(np.mean(distinct) - expected) < 5 * np.std(distinct) / np.sqrt(worlds)


@pytest.mark.parametrize("names", [2**16, 10**6 + 3, 2**48, 2**62])
def test_heavy_entities_have_distinct_names_spread_evenly(names):
    world = SyntaxKnowledge(names=names)
    name = world.name(np.arange(world.measure.root_atoms))
    assert len(np.unique(name)) == world.measure.root_atoms
    assert name.min() >= 0
    assert name.max() < names
    assert fits(np.bincount((name.astype(float) / names * 16).astype(int), minlength=16), np.full(16, 1 / 16))


def test_all_entities_of_a_large_corpus_have_distinct_names():
    entities = np.unique(SyntaxKnowledge(0.8, 1.0).sample(300_000).entity)
    assert len(np.unique(SyntaxKnowledge(0.8, 1.0).name(entities))) == len(entities) > 10_000


@pytest.mark.parametrize("size", [1, 2, 3, 17, 1000, 4096])
def test_permute_is_a_permutation(size):
    key = philox_key(3, "test")
    assert np.array_equal(np.sort(permute(np.arange(size), size, key)), np.arange(size))


def test_hashed_uniforms_are_uniform_and_uncorrelated():
    n, key = 200_000, philox_key(1, "test")
    table = np.histogram2d(hash_uniform(np.arange(n), 0, key), hash_uniform(np.arange(n), 1, key), 10, [[0, 1]] * 2)[0]
    assert fits(table.ravel(), np.full(100, 0.01))
    serial = np.histogram2d(
        hash_uniform(np.arange(n), 0, key),
        hash_uniform(np.arange(1, n + 1), 0, key),
        10,
        [[0, 1]] * 2,
    )[0]
    assert fits(serial.ravel(), np.full(100, 0.01))


@pytest.mark.parametrize("world", [WORLD, SyntaxKnowledge(), SyntaxKnowledge(population=7, seed=3)])
def test_config_round_trip(world):
    import json

    copy = SyntaxKnowledge.from_config(json.loads(json.dumps(world.config())))
    assert copy == world
    assert copy.sample(50) == world.sample(50)


BAD = {
    "discount": [1.0, -0.1, float("nan"), "x", None],
    "concentration": [-0.5, float("nan")],
    "attributes": [(), (Attribute("a"), Attribute("a"))],
    "attribute_probabilities": [(1.0,), (0.2, 0.2, 0.2, 0.2, 0.1), (0.5, 0.5, 0.0, 0.0, 0.0)],
    "syntax_concentration": [0.0, -1.0, float("nan")],
    "names": [0, -5, 1.5, 2**63],
    "population": [0, -1, 2.5],
    "seed": [-1, 1.5, 2**63],
}


@pytest.mark.parametrize(("field", "value"), [(f, v) for f, values in BAD.items() for v in values])
def test_bad_worlds_name_the_field(field, value):
    with pytest.raises(ValueError, match=rf"`{field}` must .*, got .*; "):
        SyntaxKnowledge(**{field: value})


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": ""},
        {"values": 0},
        {"templates": 0},
        {"templates": 2**15},
        {"values": 2, "base": (0.5, 0.6)},
        {"values": 2, "base": (1.0,)},
    ],
)
def test_bad_attributes(arguments):
    with pytest.raises(ValueError, match="must be"):
        Attribute(**{"name": "a", **arguments})


@pytest.mark.parametrize("arguments", [{"n": -1}, {"n": 2.5}, {"n": 1, "stream": -1}, {"n": 1, "start": -1}])
def test_bad_samples(arguments):
    with pytest.raises(ValueError, match="whole number"):
        WORLD.sample(**arguments)


def test_configs_that_describe_no_world():
    for config in ({}, {**WORLD.config(), "extra": 1}, {**WORLD.config(), "attributes": [{"nome": "x"}]}):
        with pytest.raises(ValueError, match="does not describe"):
            SyntaxKnowledge.from_config(config)


def test_a_corpus_knows_its_shape():
    corpus = WORLD.sample(10)
    assert len(corpus[2:5]) == 3
    assert corpus != WORLD.sample(10, stream=1)
    for a, b in itertools.pairwise(("entity", "value", "template")):
        assert len(getattr(corpus, a)) == len(getattr(corpus, b))
    with pytest.raises(ValueError, match="equally long"):
        type(corpus)(WORLD, corpus.entity, corpus.attribute[1:], corpus.template, corpus.value, corpus.probability)

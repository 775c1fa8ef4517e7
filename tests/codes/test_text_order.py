"""The oracle's bits in the order of a text, against the chain rule over all texts of small worlds."""

import re

import numpy as np
import pytest

from twopart.codes import oracle_code, oracle_code_of_text
from twopart.roles import ROLES
from twopart.worlds import Attribute, Corpus, SyntaxKnowledge, render

WORLDS = [
    SyntaxKnowledge(attributes=(Attribute("birth_city", 5, 24), Attribute("university", 5, 24)), population=3, seed=s)
    for s in range(3)
] + [SyntaxKnowledge(0.6, 1.0, population=2, attribute_probabilities=(0.1, 0.2, 0.3, 0.2, 0.2), seed=9)]


def words(text, name, value):
    """The text's words with their roles; name and value are one word each."""
    before, rest = text.split(name)
    between, after = rest.split(value)
    cut = re.compile(r"'s|\w+|[^\w\s]+").findall
    parts = [[("syntax", word) for word in cut(part)] for part in (before, between, after)]
    return [*parts[0], ("name", name), *parts[1], ("value", value), *parts[2], ("syntax", "END")]


@pytest.mark.parametrize("world", WORLDS)
def test_chain_rule_over_all_texts(world):
    """Enumerate every (entity, template) with its probability; a word costs -log2 P(it | the words before it)."""
    entities = range(world.population)
    told = [(e, a, t) for e in entities for a, x in enumerate(world.attributes) for t in range(x.templates)]
    entity, attribute, template = np.array(told).T
    share = np.full(len(told), 1 / world.population)
    corpus = Corpus(world, entity, attribute, template, world.value(entity, attribute), share)
    text = render(corpus, "english")
    weights = 2.0 ** -oracle_code(corpus).total
    sentences = []
    for one, (start, end, value_start, value_end) in zip(text.texts, text.spans.tolist(), strict=True):
        sentences.append(words(one, one[start:end], one[value_start:value_end]))
    mass = {}
    for sentence, weight in zip(sentences, weights, strict=True):
        for i in range(len(sentence) + 1):
            mass[tuple(sentence[:i])] = mass.get(tuple(sentence[:i]), 0.0) + weight
    bits = oracle_code_of_text(corpus)
    assert weights.sum() == pytest.approx(1)
    for i, sentence in enumerate(sentences):
        expected = dict.fromkeys(ROLES, 0.0)
        for k, (role, _) in enumerate(sentence):
            expected[role] += np.log2(mass[tuple(sentence[:k])] / mass[tuple(sentence[: k + 1])])
        for role in ROLES:
            assert getattr(bits, role)[i] == pytest.approx(expected[role], abs=1e-9)


@pytest.mark.parametrize("world", WORLDS)
def test_the_total_is_that_of_the_oracle_code(world):
    corpus = world.sample(2000)
    assert oracle_code_of_text(corpus).total == pytest.approx(oracle_code(corpus).total, rel=1e-12)
    for role in ROLES:
        assert getattr(oracle_code_of_text(corpus), role).min() >= -1e-12


def test_where_all_sentences_open_with_the_name_it_pays_for_no_template():
    world = SyntaxKnowledge(attributes=(Attribute("birth_city", 4, 2),))  # "... was born in", "... is a native of"
    corpus = world.sample(500)
    assert oracle_code_of_text(corpus).name == pytest.approx(oracle_code(corpus).name)
    assert np.all(oracle_code_of_text(corpus).value == 0)

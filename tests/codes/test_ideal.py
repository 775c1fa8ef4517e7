"""The ideal two-part code: what it codes comes back, and it takes the bits that its model's probabilities and the prior say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twopart._checks import InputError
from twopart.codes.ideal import IdealModel
from twopart.codes.ideal.code import fact_is_held, frequency_order
from twopart.codes.ideal.sticks import broken, nearest
from twopart.worlds import Attribute, Biographies, Excerpt, SyntaxKnowledge

SKEWED = SyntaxKnowledge(
    0.5,
    1.0,
    (
        Attribute("birth_city", 5, 3, base=(0.5, 0.2, 0.1, 0.1, 0.1)),
        Attribute("employer", 1, 1),
        Attribute("university", 70, 9),
    ),
    attribute_probabilities=(0.2, 0.3, 0.5),
    seed=3,
)
EXCERPT = Excerpt(SKEWED, 40)
WORLD = Excerpt(Biographies().world(0.6, 11), 300)


@settings(max_examples=40, deadline=None)
@given(facts=st.integers(0, 120), fineness=st.integers(0, 31), sentences=st.integers(0, 300))
def test_what_was_coded_is_restored(facts, fineness, sentences):
    corpus = EXCERPT.sample(sentences)
    sent = IdealModel.sent(EXCERPT, facts, fineness)
    received = IdealModel.received(EXCERPT, sent.code)
    assert np.array_equal(received.values, sent.values)
    assert all(np.array_equal(here, there) for here, there in zip(received.psi, sent.psi, strict=True))
    assert received.decode(sent.encode(corpus), corpus.entity) == corpus


def test_data_bits_are_what_the_model_says_of_each_sentence():
    """Against a loop over sentences with dictionaries."""
    corpus, model = EXCERPT.sample(2000), IdealModel.sent(EXCERPT, 30, 7)
    frequency = {(r, a): EXCERPT.weights[r] * SKEWED.pi[a] for r in range(40) for a in range(3)}
    known = sorted(frequency, key=lambda fact: -frequency[fact])[:30]
    rank = {entity: r for r, entity in enumerate(EXCERPT.entity)}
    bits = 0.0
    for entity, a, t, v in zip(corpus.entity, corpus.attribute, corpus.template, corpus.value, strict=True):
        bits -= np.log2(SKEWED.pi[a] * model.psi[a][t])
        if (rank[entity], a) not in known:
            bits -= np.log2(SKEWED.attributes[a].value_probabilities()[v])
    assert model.lengths(corpus).total.sum() == pytest.approx(bits)
    assert 8 * len(model.encode(corpus)) == pytest.approx(bits, abs=100)


def test_a_fact_takes_its_entropy_and_no_address():
    none = len(IdealModel.sent(WORLD, 0, 8).code)
    for facts in (10, 300, 1500):
        assert 8 * (len(IdealModel.sent(WORLD, facts, 8).code) - none) == pytest.approx(6 * facts, abs=33)


def test_facts_are_held_by_falling_frequency():
    order = frequency_order(EXCERPT)
    frequency = np.outer(EXCERPT.weights, SKEWED.pi).ravel()[order]
    assert np.all(np.diff(frequency) <= 0)
    corpus = EXCERPT.sample(500)
    for facts in (0, 17, 120):
        held = fact_is_held(IdealModel.sent(EXCERPT, facts, 0), corpus)
        q = corpus.probability * SKEWED.pi[corpus.attribute]
        bound = frequency[facts - 1] if facts else np.inf
        assert np.array_equal(held, q >= bound * (1 - 1e-12))


def test_one_cell_says_nothing_and_many_say_all():
    psi = np.random.default_rng(1).dirichlet(np.full(8, 0.5))
    assert broken(8, 0.5, 1.0, nearest(psi)) == pytest.approx(np.full(8, 1 / 8))
    assert broken(8, 0.5, 1e5, nearest(psi)) == pytest.approx(psi, rel=1e-3)


@pytest.mark.parametrize("fineness", [16.0, 64.0])
def test_precision_loses_what_is_derived(fineness):
    """Mean redundancy over Dirichlet draws: π²/(24 ln 2 f²) for each of the m - 1 breaks."""
    random, loss, bits = np.random.default_rng(2), [], []
    for _ in range(300):
        psi, spent = random.dirichlet(np.full(8, 2.0)), []
        choose = nearest(psi)

        def counted(mass, edges, choose=choose, spent=spent):
            cell = choose(mass, edges)
            spent.append(-np.log2(mass[cell]))
            return cell

        found = broken(8, 2.0, fineness, counted)
        assert found.sum() == pytest.approx(1)
        loss.append(float(psi @ np.log2(psi / found)))
        bits.append(sum(spent))
    predicted = 7 * np.pi**2 / (24 * np.log(2) * fineness**2)
    error = np.std(loss) / np.sqrt(len(loss))
    assert np.mean(loss) == pytest.approx(predicted, abs=4.9 * error + 0.05 * predicted)
    if fineness == 64.0:
        coarse = np.log2(64 / 16) * 7  # what a four times finer grid takes more
        again = []
        for seed in range(300):
            psi = np.random.default_rng((3, seed)).dirichlet(np.full(8, 2.0))
            again.append(_bits(psi, 64.0) - _bits(psi, 16.0))
        assert np.mean(again) == pytest.approx(coarse, abs=4.9 * np.std(again) / np.sqrt(len(again)) + 0.2)


def _bits(psi, fineness):
    spent, choose = [], nearest(psi)

    def counted(mass, edges):
        spent.append(-np.log2(mass[cell := choose(mass, edges)]))
        return cell

    broken(8, 2.0, fineness, counted)
    return sum(spent)


@pytest.mark.parametrize(("facts", "fineness"), [(-1, 0), (121, 0), (0, 32), (0.5, 2)])
def test_bad_models(facts, fineness):
    with pytest.raises(InputError, match=r"`\w+` must be .*, got .*; "):
        IdealModel.sent(EXCERPT, facts, fineness)

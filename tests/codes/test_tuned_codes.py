"""The Bayes code of fine-tuning against brute force: enumeration of all corpora of tiny shifted worlds, and special cases."""

import itertools

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.codes import BayesCoder, TunedCoder, bayes_code, oracle_code
from twopart.roles import ROLES
from twopart.worlds import Attribute, Corpus, EqualFrequencies, PitmanYor, Shift, SyntaxKnowledge, shifted_world

PAIR = (Attribute("a", values=3, templates=2, base=(0.2, 0.3, 0.5)), Attribute("b", values=2, templates=1))
TINY = SyntaxKnowledge(attributes=PAIR, attribute_probabilities=(0.6, 0.4), names=2, population=2, seed=3)
MANY = SyntaxKnowledge(0.6, 1.0, PAIR, names=2**30, seed=5)


def consistent(sentences):
    facts = {}
    return all(facts.setdefault((e, a), v) == v for e, a, _, v in sentences)


@pytest.mark.parametrize("told", [0, 1, 3])
@pytest.mark.parametrize(
    "shift",
    [
        Shift(changed=0.3),
        Shift(format=2, new_entities=EqualFrequencies(2), new_share=0.4, changed=0.2),
        Shift(format=1, new_entities=EqualFrequencies(2)),
    ],
    ids=["changed", "all", "new"],
)
def test_probabilities_of_all_fine_tuning_corpora_sum_to_one(shift, told):
    world = shifted_world(TINY, shift)
    entities = [*(range(2) if shift.fresh < 1 else ()), *(range(-2, 0) if shift.fresh else ())]
    kinds = [
        (e, a, t, v)
        for e in entities
        for a in range(2)
        for t in range(world.first_template * bool(shift.format), world.attributes[a].templates)
        for v in range(PAIR[a].values)
    ]
    if not shift.format:
        kinds = [kind for kind in kinds if kind[2] < PAIR[kind[1]].templates]
    pretraining = TINY.sample(told)
    total = 0.0
    for pair in itertools.product(kinds, repeat=2):
        if consistent(pair):
            corpus = Corpus(world, *np.array(pair).T, np.full(2, 0.5))
            total += 2.0 ** -bayes_code(corpus, after=pretraining).total.sum()
    assert total == pytest.approx(1, abs=1e-12)


def test_without_a_shift_it_is_the_bayes_code_gone_on():
    whole = bayes_code(MANY.sample(400))
    tuned = bayes_code(shifted_world(MANY, Shift(changed=0.0)).before.sample(250, start=150), after=MANY.sample(150))
    plain = bayes_code(MANY.sample(250, start=150), after=MANY.sample(150))
    for role in ROLES:
        np.testing.assert_allclose(getattr(tuned, role), getattr(whole, role)[150:], atol=1e-12)
        np.testing.assert_allclose(getattr(plain, role), getattr(whole, role)[150:], atol=1e-12)


def test_what_each_kind_of_fact_costs():
    world = shifted_world(MANY, Shift(changed=0.25, new_entities=PitmanYor(0.5, 1.0), new_share=0.5))
    corpus, before = world.sample(3000), world.before.sample(3000)
    value = bayes_code(corpus, after=before).value
    told, seen = set(zip(before.entity.tolist(), before.attribute.tolist(), strict=True)), set()
    was = MANY.value(corpus.entity, corpus.attribute)
    rows = zip(corpus.entity.tolist(), corpus.attribute.tolist(), corpus.value, was, value, strict=True)
    kinds = set()
    for e, a, v, o, bits in rows:
        base = PAIR[a].value_probabilities()
        if (e, a) in seen:
            kind, expected = "again", 0.0
        elif e < 0:
            kind, expected = "new", -np.log2(base[v])
        elif (e, a) in told:
            kind = "same" if v == o else "other"
            expected = -np.log2(0.75 if v == o else 0.25 * base[v] / (1 - base[o]))
        else:
            others = sum(base[x] * base[v] / (1 - base[x]) for x in range(len(base)) if x != v)
            kind, expected = "untold", -np.log2(0.75 * base[v] + 0.25 * others)
        assert bits == pytest.approx(expected, abs=1e-12)
        kinds.add(kind)
        seen.add((e, a))
    assert kinds == {"again", "new", "same", "other", "untold"}


def test_corpora_may_come_in_parts():
    world = shifted_world(MANY, Shift(format=3, changed=0.2, new_entities=EqualFrequencies(9), new_share=0.3))
    corpus, before = world.sample(600), world.before.sample(200)
    coder = TunedCoder(world)
    coder.read(before[:80])
    coder.read(before[80:])
    parts = [coder.encode(corpus[:250]), coder.encode(corpus[250:251]), coder.encode(corpus[251:])]
    whole = bayes_code(corpus, after=before)
    for role in ROLES:
        np.testing.assert_array_equal(np.concatenate([getattr(p, role) for p in parts]), getattr(whole, role))


def test_the_oracle_knows_the_shift():
    world = shifted_world(MANY, Shift(format=3, new_entities=EqualFrequencies(9), new_share=0.3, narrowed=4))
    corpus = world.sample(500)
    bits = oracle_code(corpus)
    psi = np.array([world.template_probabilities[a][t] for a, t in zip(corpus.attribute, corpus.template, strict=True)])
    np.testing.assert_allclose(bits.syntax, -np.log2(psi / 2))
    np.testing.assert_allclose(bits.name, -np.log2(corpus.probability))
    assert not bits.value.any()
    narrow = corpus.entity >= 0
    np.testing.assert_allclose(bayes_code(corpus).name[narrow], bits.name[narrow])


def test_wrong_worlds_are_refused():
    world = shifted_world(MANY, Shift(format=1))
    with pytest.raises(InputError, match="after"):
        bayes_code(world.sample(3), after=world.sample(3))
    with pytest.raises(InputError, match="corpus"):
        TunedCoder(world).encode(MANY.sample(3))
    with pytest.raises(InputError, match="corpus"):
        bayes_code(MANY.sample(3), after=TINY.sample(3))
    assert isinstance(BayesCoder(MANY).encode(MANY.sample(0)).total, np.ndarray)

"""The fine-tuning and forgetting laws: against simulation, a bit-by-bit optimiser, and the laws they must agree with."""

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.codes import bayes_code, oracle_code
from twopart.laws import bits_holding, capacity_law, data_law, finetuning_law, forgetting_law, format_examples
from twopart.laws.knowledge.finetuning import change_bits
from twopart.laws.knowledge.frequencies import frequencies
from twopart.laws.knowledge.syntax import template_redundancy
from twopart.roles import ROLES
from twopart.worlds import (
    Attribute,
    EqualFrequencies,
    Excerpt,
    KnownEntities,
    PitmanYor,
    Shift,
    SyntaxKnowledge,
    shifted_world,
)

SIGMAS = 4.9  # two-sided one in a million
KINDS = (Attribute("a", 4, 3, (0.1, 0.2, 0.3, 0.4)), Attribute("b", 64, 2))


def world_of(seed: int = 0, **fields: object) -> SyntaxKnowledge:
    return SyntaxKnowledge(**{"discount": 0.5, "attributes": KINDS, "names": 2**40, "seed": seed, **fields})


@pytest.mark.parametrize("law", [PitmanYor(0.0, 3.0), PitmanYor(0.3, -0.2), PitmanYor(0.8, 20.0), EqualFrequencies(9)])
def test_tables_of_frequencies_give_masses_and_missing_masses(law: PitmanYor | EqualFrequencies) -> None:
    p, many = frequencies(law, 1e-18)
    assert np.dot(p, many) == pytest.approx(1, abs=1e-12)
    for n, thinning in ((3, 0.9), (1000, 0.3), (10**5, 0.5)):
        missed = np.dot(many, p * (1 - thinning * p) ** n)
        assert missed == pytest.approx(law.expected_missing_mass(n, thinning=thinning), rel=1e-10)


SHIFTS = [
    Shift(format=5, new_entities=PitmanYor(0.6, 2.0), new_share=0.4, changed=0.3),
    Shift(new_entities=EqualFrequencies(20), changed=0.5),
    Shift(changed=0.5),
]


@pytest.mark.slow
@pytest.mark.parametrize("shift", SHIFTS, ids=["all", "new", "changed"])
def test_the_law_is_the_mean_redundancy_of_the_bayes_code(shift: Shift) -> None:
    """Summed over 80 sentences, the mean over worlds agrees in every role."""
    size, pretrained, worlds = 80, 60, 200
    sums = np.empty((worlds, 3))
    for seed in range(worlds):
        world = shifted_world(world_of(seed), Shift(**{**vars(shift), "seed": seed}))
        corpus, before = world.sample(size, stream=seed), world.before.sample(pretrained, stream=seed)
        redundancy = bayes_code(corpus, after=before) - oracle_code(corpus)
        sums[seed] = [getattr(redundancy, role).sum() for role in ROLES]
    law = finetuning_law(shifted_world(world_of(), shift), np.arange(size), pretrained=pretrained).redundancy
    error = sums.std(0, ddof=1) / np.sqrt(worlds)
    expected = np.array([getattr(law, role).sum() for role in ROLES])
    np.testing.assert_array_less(np.abs(sums.mean(0) - expected), SIGMAS * error + 1e-9)


def test_a_narrowed_stream_of_one_world() -> None:
    """30 known entities of which 8 are spoken of; expectations over samples of this one world and over which facts change."""
    world = world_of(3, attributes=(Attribute("a", 4, 3), Attribute("b", 64, 2)))
    excerpt, shift = Excerpt(world, 30), Shift(narrowed=8, changed=0.4, format=2)
    told = Excerpt(shifted_world(world, shift).before, 30)
    size, pretrained, runs = 60, 40, 300
    values = np.empty(runs)
    for run in range(runs):
        corpus = shifted_world(world, Shift(**{**vars(shift), "seed": run})).sample(size, stream=run)
        values[run] = bayes_code(corpus, after=told.sample(pretrained, stream=run)).value.sum()
    law = finetuning_law(shifted_world(world, shift), np.arange(size), pretrained=pretrained, entities=excerpt.entities)
    assert abs(values.mean() - law.value.sum()) < SIGMAS * values.std(ddof=1) / np.sqrt(runs)
    assert law.name.sum() == 0


def test_without_a_shift_the_data_law_goes_on() -> None:
    n = np.array([0, 5, 300])
    world = world_of()
    law, later = finetuning_law(shifted_world(world, Shift()), n, pretrained=200), data_law(world, n + 200)
    for role in ROLES:
        np.testing.assert_allclose(getattr(law.redundancy, role), getattr(later, role), rtol=1e-9)


def test_what_is_known_is_free_and_what_is_new_has_its_price() -> None:
    world = world_of()
    n = np.array([0, 10, 100_000])
    formatted = finetuning_law(shifted_world(world, Shift(format=8)), n)
    np.testing.assert_array_equal(formatted.name + formatted.value, 0)
    np.testing.assert_allclose(formatted.syntax[0], template_redundancy(8, 0.5, 0))
    assert formatted.syntax[2] * 100_000 == pytest.approx(2 * 7 / (2 * np.log(2)), rel=0.02)
    entirely = finetuning_law(shifted_world(world, Shift(format=2, new_entities=world.entities)), n)
    fresh = data_law(world, n)
    np.testing.assert_allclose(entirely.new, fresh.value, rtol=1e-10)
    np.testing.assert_allclose(entirely.name, fresh.name, rtol=1e-10)
    slow = finetuning_law(shifted_world(world, Shift(new_entities=world.entities)), n, exposures=10.0)
    np.testing.assert_allclose(slow.new, data_law(world, n / 10).value, rtol=1e-10)


def test_change_bits_are_an_entropy() -> None:
    base = np.array(KINDS[0].base)
    joint = [
        base[o] * (0.7 if v == o else 0.3 * base[v] / (1 - base[o])) for o in range(4) for v in range(4)
    ]  # of the value before and today
    today = np.array(joint).reshape(4, 4).sum(0)
    known, whole = change_bits(base, 0.3)
    assert known == pytest.approx(-np.dot(joint, np.log2(joint)) + np.dot(base, np.log2(base)))
    assert whole == pytest.approx(-np.dot(today, np.log2(today)))
    assert change_bits(np.full(64, 1 / 64), 0.25)[0] == pytest.approx(0.25 * np.log2(63) + 2 - 0.75 * np.log2(3))
    assert change_bits(np.ones(1), 0.5) == (0.0, 0.0)


# Forgetting


def bit_by_bit(items: list[tuple[float, float, float]], bits: float, quantum: float) -> np.ndarray:
    """Bits of each item (weight, most, k): a fact, k = 0, saves its weight for each of `most` bits; syntax of k parameters
    costs weight · 2^(-2R/k). Each quantum goes where it saves most."""
    held = np.zeros(len(items))
    weight, most, k = (np.array(column) for column in zip(*items, strict=True))
    for _ in range(int(bits / quantum)):
        free = np.maximum(k, 1)
        saves = np.where(k > 0, weight * 2 ** (-2 * held / free) * (1 - 2 ** (-2 * quantum / free)) / quantum, weight)
        held[np.argmax(np.where(held < most - 1e-9, saves, -1.0))] += quantum
    return held


@pytest.mark.parametrize("replay", [0.0, 0.02, 0.3, 1.0])
@pytest.mark.parametrize("narrowed", [None, 6])
def test_the_best_model_is_that_of_a_bit_by_bit_optimiser(replay: float, narrowed: int | None) -> None:
    attributes = (Attribute("a", 4, 3), Attribute("b", 16, 2))
    world = world_of(attributes=attributes, attribute_probabilities=(0.7, 0.3), discount=0.6)
    weights = 0.7 ** np.arange(20)
    weights /= weights.sum()
    shift = Shift(format=4, new_entities=EqualFrequencies(5), new_share=0.8, narrowed=narrowed)
    bits, quantum = 70.0, 0.01
    law = forgetting_law(shifted_world(world, shift), bits, replay, KnownEntities(weights, PitmanYor(0.6)))
    spoken = np.arange(20) < (narrowed or 20)
    now = np.where(spoken, weights, 0.0) / weights[spoken].sum()
    items, asked = [], []
    for p, a in zip(world.pi, attributes, strict=True):
        items += [
            (p * (replay * w + (1 - replay) * 0.2 * v), a.entropy(), 0.0) for w, v in zip(weights, now, strict=True)
        ]
        items += [(p * (1 - replay) * 0.8 / 5, a.entropy(), 0.0)] * 5
        asked += [(p * w, 0.0) for w in weights] + [(0.0, p / 5)] * 5
        for share, templates in ((replay, a.templates), (1 - replay, 4)):
            prior = float(template_redundancy(templates, 0.5, 0))
            items.append((share * p * prior, np.inf, templates - 1.0))
            asked.append((0.0, 0.0))
    held = bit_by_bit(items, bits, quantum)
    most = np.array([item[1] for item in items])
    old, new = np.where(np.isfinite(most), held / most, 0.0) @ np.array(asked)
    assert float(law.old_known) == pytest.approx(old, abs=2e-3)
    assert float(law.new_known) == pytest.approx(new if replay < 1 else 0.0, abs=2e-3)


def test_all_replay_is_the_model_before() -> None:
    world = world_of(discount=0.7)
    shifted = shifted_world(world, Shift(new_entities=EqualFrequencies(50), format=3))
    bits = np.array([10.0, 300.0, 5000.0])
    law, before = forgetting_law(shifted, bits, 1.0), capacity_law(world, bits)
    np.testing.assert_allclose(law.old_value, before.value, rtol=1e-7)
    np.testing.assert_allclose(law.old_facts, before.facts, rtol=1e-7)
    np.testing.assert_allclose(law.old_syntax, before.syntax, rtol=1e-7)
    np.testing.assert_allclose(law.loss, 0, atol=1e-12)
    np.testing.assert_allclose(law.new_known, 0, atol=1e-12)


def test_a_little_replay_leaves_old_facts_the_room_that_new_ones_do_not_need() -> None:
    """Without syntax, however little replay there is: the rarest old facts go, as many as there are new ones."""
    world = world_of(discount=0.6, attributes=(Attribute("a", 64, 1),))
    shifted = shifted_world(world, Shift(new_entities=EqualFrequencies(100)))
    room = 6 * 1000.0
    law = forgetting_law(shifted, room, np.array([1e-9, 1e-6, 1e-3]))
    np.testing.assert_allclose(law.new_known, 1)
    np.testing.assert_allclose(law.old_known, 1 - capacity_law(world, room - 600).value / 6, rtol=1e-9)
    np.testing.assert_allclose(law.displaced, 100, rtol=1e-6)
    nothing = forgetting_law(shifted, room, 0.0)
    assert float(nothing.old_known) == 0
    assert np.isinf(nothing.threshold)


def test_kept_says_which_old_facts_are_held() -> None:
    law = forgetting_law(
        shifted_world(world_of(), Shift(new_entities=EqualFrequencies(100))), np.array([500.0, 2000.0]), 0.1
    )
    edge = law.threshold
    np.testing.assert_array_equal(law.kept([edge[0] * 1.01, edge[0] * 0.99])[0], [True, False])
    assert law.kept(0.5).shape == (2,)


def test_a_model_is_worth_the_bits_that_hold_what_it_knows() -> None:
    world = shifted_world(world_of(), Shift(new_entities=EqualFrequencies(1)))
    law = forgetting_law(world, 700.0, 1.0)
    assert bits_holding(world, float(law.old_facts_before)) == pytest.approx(700, rel=0.02)


def test_a_format_is_bought_after_the_examples_at_which_the_law_has_its_price() -> None:
    world = shifted_world(world_of(), Shift(format=8))
    law = finetuning_law(world, [30, 300, 3000]).syntax
    assert format_examples(world, law) == pytest.approx([30, 300, 3000], rel=0.02)
    assert format_examples(world, 1e-9) == pytest.approx(10_000)
    with pytest.raises(InputError, match="new format"):
        format_examples(shifted_world(world_of(), Shift(new_entities=EqualFrequencies(1))), 0.1)


def test_bad_arguments_are_refused() -> None:
    shifted = shifted_world(world_of(), Shift(narrowed=5))
    with pytest.raises(InputError, match="entities"):
        finetuning_law(shifted, 3)
    with pytest.raises(InputError, match="entities"):
        forgetting_law(shifted, 100.0, 0.1)
    with pytest.raises(InputError, match="replay"):
        forgetting_law(shifted_world(world_of(), Shift()), 100.0, 1.5)
    with pytest.raises(InputError, match="`n`"):
        finetuning_law(shifted_world(world_of(), Shift()), -1)
    with pytest.raises(InputError, match="exposures"):
        finetuning_law(shifted_world(world_of(), Shift()), 1, exposures=0)

"""Lessons against counting."""

import numpy as np

from twopart.worlds import Biographies, EqualFrequencies, Excerpt, Shift, practised, shifted_world, told_so_often

ORIGIN = Biographies().world(0.5, seed=5)


def test_facts_are_told_exactly_so_often() -> None:
    world = shifted_world(ORIGIN, Shift(new_entities=EqualFrequencies(6)))
    corpus = told_so_often(world, ~np.arange(6), np.repeat([1, 3, 9], 2))
    facts, told = np.unique(np.stack([corpus.entity, corpus.attribute]), axis=1, return_counts=True)
    assert facts.shape[1] == 6 * 5
    assert told.tolist() == np.repeat([9, 9, 3, 3, 1, 1], 5).tolist()  # ids -6 .. -1
    assert np.array_equal(corpus.value, world.value(corpus.entity, corpus.attribute))


def test_their_templates_are_those_of_the_world() -> None:
    world = shifted_world(ORIGIN, Shift(new_entities=EqualFrequencies(1)))
    corpus = told_so_often(world, np.array([-1]), np.array([2000]))
    for attribute, psi in enumerate(world.template_probabilities):
        share = np.bincount(corpus.template[corpus.attribute == attribute], minlength=len(psi)) / 2000
        assert np.all(np.abs(share - psi) <= 5 * np.sqrt(psi * (1 - psi) / 2000))


def test_examples_of_a_format_speak_of_every_other_entity_in_new_templates() -> None:
    world = shifted_world(ORIGIN, Shift(format=8))
    excerpt = Excerpt(world.before, 60)
    corpus = practised(world, excerpt, 4000, 1)
    assert set(corpus.entity) <= set(excerpt.entity[::2])
    assert corpus.template.min() >= 8
    assert np.array_equal(corpus.value, ORIGIN.value(corpus.entity, corpus.attribute))
    p = excerpt.weights[0] / excerpt.weights[::2].sum()
    assert abs((corpus.entity == excerpt.entity[0]).mean() - p) < 5 * np.sqrt(p * (1 - p) / 4000)

"""The count of bits against brute force: what a memory of a small table of facts tells of it, over all tables and memories."""

from itertools import product
from math import comb, log2

import numpy as np
import pytest

from twopart.laws import bit_complexity


def information(facts, values, keep):
    """Bits that a memory tells of its table, where each fact is kept with this probability and else replaced at random."""
    row = np.full((values, values), (1 - keep) / values) + keep * np.eye(values)
    tables = list(product(range(values), repeat=facts))
    joint = np.array([[np.prod(row[t, m]) for m in tables] for t in map(list, tables)]) / len(tables)
    both = np.outer(joint.sum(1), joint.sum(0))
    return float((joint * np.log2(joint / both)).sum()), row


@pytest.mark.parametrize(("facts", "values", "keep"), [(3, 2, 0.5), (2, 4, 0.9), (3, 3, 0.05)])
def test_a_reader_that_knows_its_memory_pays_what_the_memory_does_not_hold(facts, values, keep):
    """A memory's reader is right to be as sure as it is: then the count is exactly the mutual information."""
    true, row = information(facts, values, keep)
    p = np.array([row[0, 0], row[0, 1]])
    nats = -p[0] * np.log(p[0]) - (values - 1) * p[1] * np.log(p[1])
    assert bit_complexity(facts, nats, log2(values)) == pytest.approx(true, rel=1e-9)
    rash = -p[0] * np.log(0.99) - (values - 1) * p[1] * np.log(0.01 / (values - 1))
    assert bit_complexity(facts, rash, log2(values)) < true, "one that is too sure holds less"


def test_names_of_a_perfect_model_are_those_of_a_set_but_for_lower_order():
    people, names = 50, 2**18
    exact = log2(comb(names, people))
    counted = bit_complexity(people, 0.0, 0.0, name_nats=np.log(people), name_bits=log2(names))
    assert counted < exact < counted + people * log2(np.e)


def test_a_person_of_the_paper_holds_47_bits():
    """Section 4, remark 4.4; 10,000 of them, all known, with names."""
    values = log2(2 * 12 * 28 * 200 * 200 * 300 * 100 * 263)
    assert bit_complexity(1, 0.0, values) == pytest.approx(47.6, abs=0.05)
    whole = bit_complexity(10_000, [0.0, 1.0], values, name_nats=np.log(10_000), name_bits=log2(400 * 400 * 1000))
    assert whole == pytest.approx(10_000 * (values + log2(16_000) - np.array([0, 1]) / np.log(2)))


@pytest.mark.parametrize("bad", [{"value_nats": -0.1}, {"value_bits": np.nan}, {"name_nats": np.inf}, {"people": 0.5}])
def test_what_cannot_be_is_refused(bad):
    with pytest.raises(ValueError, match=r"^`\w+` must be .+, got .+; .+$"):
        bit_complexity(**{"people": 2, "value_nats": 0.5, "value_bits": 3.0, **bad})

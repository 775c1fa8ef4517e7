"""The Chinese restaurant against the law of partitions, with nothing of the tree in it."""

import numpy as np
import pytest

from tests.worlds.knowledge.partitions import (
    agrees,
    chain,
    everywhere,
    partition_probability,
    partitions,
    samples,
    spectrum_z,
)
from twopart.worlds import PitmanYor, chinese_restaurant

WORLDS = 2000


@everywhere
def test_number_of_entities(law):
    drawn = samples(law, "restaurant", WORLDS)
    observed = np.bincount(drawn.max(1) + 1, minlength=26)
    assert agrees(observed, chain(law, 25) * len(drawn))


@everywhere
def test_partitions_of_four(law):
    drawn = samples(law, "restaurant", WORLDS)
    seen = [np.sum(np.all(drawn[:, :4] == np.array(p), axis=1)) for p in partitions(4)]
    assert agrees(seen, [partition_probability(law, p) * len(drawn) for p in partitions(4)])


@everywhere
def test_frequency_spectrum(law):
    z = spectrum_z(law, "restaurant", WORLDS)
    assert np.all(np.abs(z) < 5), z


def test_labels_come_in_the_order_of_appearance():
    drawn = chinese_restaurant(10_000, 0.7, 2.0, seed=4)
    first = np.unique(drawn, return_index=True)[1]
    assert np.all(np.diff(first) > 0)
    assert np.array_equal(np.unique(drawn), np.arange(drawn.max() + 1))
    assert np.array_equal(drawn, chinese_restaurant(10_000, 0.7, 2.0, seed=4))
    assert not np.array_equal(drawn, chinese_restaurant(10_000, 0.7, 2.0, seed=5))


def test_a_long_run():
    """K_n / E K_n over measures at n = 10^5."""
    law = PitmanYor(0.5, 10.0)
    ratio = [
        (chinese_restaurant(100_000, 0.5, 10.0, seed=s).max() + 1) / law.expected_distinct(100_000) for s in range(60)
    ]
    assert abs(np.mean(ratio) - 1) < 5 * np.std(ratio) / np.sqrt(60)


@pytest.mark.parametrize(
    "arguments", [(-1, 0.5, 1.0), (1.5, 0.5, 1.0), (1, 1.5, 1.0), (1, 0.5, -0.5), (1, 0.5, 1.0, -1)]
)
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match=r"`\w+` must be .*, got .*; "):
        chinese_restaurant(*arguments)


def test_no_draws():
    assert chinese_restaurant(0, 0.5, 1.0).shape == (0,)

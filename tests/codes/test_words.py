"""The Bayes code of words: against a loop, and against the law's own exponent."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twopart.codes import numbered, word_bits
from twopart.codes.words import times_before
from twopart.fits import slope
from twopart.worlds import PitmanYor


def test_the_bayes_code_is_that_of_a_loop():
    types, spelling = np.array([0, 1, 0, 2, 2, 0, 3]), np.array([8.0, 16.0, 24.0, 32.0])
    d, theta, counts, expected = 0.4, 1.5, {}, []
    for n, word in enumerate(types):
        share = (counts[word] - d if word in counts else theta + d * len(counts)) / (n + theta)
        expected.append(-np.log2(share) + (0 if word in counts else spelling[word]))
        counts[word] = counts.get(word, 0) + 1
    assert word_bits(types, spelling, PitmanYor(d, theta)) == pytest.approx(expected)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=50))
def test_times_before_count_what_came_before(values):
    assert times_before(np.array(values)).tolist() == [values[:k].count(value) for k, value in enumerate(values)]


def test_words_are_numbered_as_they_appear():
    types, spelling = numbered(b"to be or not to be".split())
    assert types.tolist() == [0, 1, 2, 3, 0, 1]
    assert spelling.tolist() == [24.0, 24.0, 24.0, 32.0]


def test_words_of_the_law_fall_as_the_law_says():
    """Of PY(d, small θ) the savings fall as n^-(1-d): spelling dominates, and its share is the exact missing mass."""
    law, n = PitmanYor(0.6, 0.5), 100_000
    ends = (n * 0.5 ** np.arange(6, -1, -1)).round().astype(int)
    savings = []
    for seed in range(8):
        types = np.unique(law.draw(n, seed=seed), return_inverse=True)[1]
        bits = word_bits(types, np.full(int(types.max()) + 1, 64.0), law)
        savings.append(-np.diff(np.diff(np.append(0, np.cumsum(bits))[ends]) / np.diff(ends)))
    assert slope(ends[:-2], np.mean(savings, 0)) == pytest.approx(-0.4, abs=0.05)

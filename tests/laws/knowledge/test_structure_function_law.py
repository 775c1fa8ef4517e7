"""The structure function's law: a least total by search, growth with data, and the Bayes code's simulated redundancy."""

import numpy as np
import pytest

from twopart.codes import bayes_code, oracle_code
from twopart.laws import StructureFunction
from twopart.worlds import Biographies, Excerpt

SMALL = Biographies(values=16, templates=5)


def test_the_bend_is_where_the_total_is_least():
    law = StructureFunction(Excerpt(SMALL.world(0.6, 3), 100), 2000)
    sizes = np.geomspace(10, 5000, 2000)
    totals = sizes + law.data(sizes)
    assert totals.min() == pytest.approx(law.total, rel=1e-3)
    assert np.all(totals >= law.total * (1 - 1e-9))
    assert float(law.bend.bits) == pytest.approx(sizes[np.argmin(totals)], rel=0.05)


def test_nothing_is_missing_in_the_end_and_all_at_first():
    law = StructureFunction(Excerpt(SMALL.world(0.6, 3), 100), 2000)
    for missing in law.missing(np.array([0.0, 100.0, 1e5])):
        assert missing[0] == 1
        assert np.all(np.diff(missing) < 0)
        assert missing[-1] < 1e-3


def test_the_code_in_two_parts_is_longer_than_the_bayes_code():
    excerpt = Excerpt(SMALL.world(0.6, 3), 100)
    laws = [StructureFunction(excerpt, n) for n in (100, 1000, 10_000)]
    assert all(law.total > law.bayes for law in laws)
    assert np.all(np.diff([law.bayes for law in laws]) > 0)


@pytest.mark.slow
def test_the_bayes_codes_expectation_is_the_mean_over_worlds():
    """Simulated: 60 worlds, each with its own facts, templates and sample; the redundancy less what is expected is zero."""
    gaps = []
    for seed in range(60):
        excerpt = Excerpt(SMALL.world(0.6, 1000 + seed), 100)
        sample = excerpt.sample(1500)
        bayes, oracle = bayes_code(sample), oracle_code(sample)
        spent = float((bayes.syntax + bayes.value).sum() - oracle.syntax.sum())
        gaps.append(spent - StructureFunction(excerpt, 1500).bayes)
    assert abs(np.mean(gaps)) < 4.9 * np.std(gaps) / np.sqrt(len(gaps)) + 1

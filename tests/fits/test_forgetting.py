"""What is forgotten and comes back, against plain loops and in orders that are known."""

import numpy as np
import pytest

from twopart.fits import forgetting_order, relearned, retained


def test_shares_against_plain_loops():
    random = np.random.default_rng(0)
    known, again = random.random((2, 4, 30)) < 0.5, random.random((2, 3, 30)) < 0.5
    for r in range(2):
        old = [j for j in range(30) if known[r, 0, j]]
        lost = [j for j in old if not known[r, -1, j]]
        assert retained(known)[r] == pytest.approx([sum(known[r, i, j] for j in old) / len(old) for i in range(4)])
        assert relearned(known, again)[r] == pytest.approx([sum(m[j] for j in lost) / len(lost) for m in again[r]])
    assert np.isnan(retained(np.zeros((2, 3)))).all()
    assert np.isnan(relearned(np.ones((2, 3)), np.ones((1, 3)))).all()


def test_the_order_of_forgetting():
    rank, moments = np.arange(1, 11), np.arange(8)[:, None]
    rarest_first = moments < 11 - rank
    assert forgetting_order(rarest_first, rank) == pytest.approx(1.0)
    assert forgetting_order(rarest_first[:, ::-1], rank) == pytest.approx(-1.0)
    assert np.isnan(forgetting_order(np.eye(8, 10) > 0, rank)), "one fact alone has no order"

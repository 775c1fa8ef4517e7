"""Correlations without noise: against nested loops, and tokens whose covariance is known."""

from itertools import permutations

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.laws import noise_floor
from twopart.tools.measure.correlations import correlations
from twopart.tools.measure.operator_norms import operator_norms


def looped(tokens, borders, blocks, lag):
    """The statistic of the blocks, a list of lists of documents, by four nested loops; and the plug-in."""
    V = int(tokens.max()) + 1
    pairs, shares = [], []
    for documents in blocks:
        counts, p = np.zeros((V, V)), np.zeros(V)
        for start, stop in (borders[d] for d in documents):
            for i in range(start, stop):
                p[tokens[i]] += 1
                if i + lag < stop:
                    counts[tokens[i], tokens[i + lag]] += 1
        pairs.append(counts / counts.sum())
        shares.append(p / p.sum())
    P, p = np.array(pairs), np.array(shares)

    def statistic(among):
        four = np.array(list(permutations(among, 4))).T
        a, b, c, d = four
        terms = np.einsum("nxy,nxy->n", P[a], P[b]) - 2 * np.einsum("nx,nxy,ny->n", p[b], P[a], p[c])
        return (terms + np.einsum("nx,nx->n", p[a], p[b]) * np.einsum("nx,nx->n", p[c], p[d])).mean()

    everyone = range(len(blocks))
    without = [statistic([b for b in everyone if b != k]) for k in everyone]
    return statistic(everyone), without, ((P.mean(0) - np.outer(p.mean(0), p.mean(0))) ** 2).sum()


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.int64])
def test_against_nested_loops(kind):
    tokens = np.random.default_rng(0).choice(5, 300, p=[0.4, 0.3, 0.1, 0.1, 0.1]).astype(kind)
    equal = [(50 * k, 50 * k + 50) for k in range(6)]
    starts = [0, 30, 75, 101, 160, 190, 242, 250]
    uneven = list(zip(starts, [*starts[1:], 300], strict=True))
    middle = [int((a + b) / 2 * 6 / 300) for a, b in uneven]
    grouped = [[d for d in range(8) if middle[d] == k] for k in sorted(set(middle))]
    for borders, blocks, given in ((equal, [[k] for k in range(6)], None), (uneven, grouped, starts)):
        found = correlations(tokens, [2, 5], blocks=6, documents=given)
        for at, lag in enumerate((2, 5)):
            value, without, plug_in = looped(tokens, borders, blocks, lag)
            assert found.squared[at] == pytest.approx(value, abs=1e-12)
            assert found.replicates[:, at] == pytest.approx(np.array(without), abs=1e-12)
            assert found.plug_in[at] == pytest.approx(plug_in, abs=1e-12)
            spread = np.sqrt(len(without) - 1) * np.std(without)
            assert found.error[at] == pytest.approx(spread)


def copied(random, p, phi, documents, length):
    fresh = random.choice(len(p), (documents, length), p=p)
    new = random.random(fresh.shape) >= phi
    new[:, 0] = True
    return np.take_along_axis(fresh, np.maximum.accumulate(np.where(new, np.arange(length), 0), 1), 1).ravel()


def test_copied_tokens_have_the_covariance_that_they_must(size):
    random, p, phi, draws = np.random.default_rng(1), np.array([0.4, 0.3, 0.2, 0.1]), 0.7, size(150, 1500)
    starts = np.arange(16) * 250
    found = [correlations(copied(random, p, phi, 16, 250), [1, 12], 16, starts) for _ in range(draws)]
    squared, plug_in = (np.array([getattr(one, name) for one in found]) for name in ("squared", "plug_in"))
    truth = phi ** (2 * np.array([1, 12])) * ((np.diag(p) - np.outer(p, p)) ** 2).sum()
    error = squared.std(0) / np.sqrt(draws)
    assert error[0] < 0.01 * truth[0], "5 % would be seen"
    assert np.abs(squared.mean(0) - truth) == pytest.approx(np.zeros(2), abs=5 * error.max())
    # noise at a lag where C is over: that of dependent tokens
    floor = noise_floor((1 - p @ p) * phi ** np.arange(40), 16 * 238)
    excess = plug_in[:, 1] - truth[1]
    assert abs(excess.mean() - floor) < 5 * excess.std() / np.sqrt(draws)
    assert floor == pytest.approx(found[0].floor[1] * (1 + phi**2) / (1 - phi**2), rel=0.03)


def test_the_error_is_that_of_the_statistic(size):
    random, p, draws = np.random.default_rng(2), np.full(4, 0.25), size(60, 600)
    found = [correlations(copied(random, p, 0.8, 20, 100), [1], 20, np.arange(20) * 100) for _ in range(draws)]
    spread = np.std([one.squared[0] for one in found])
    told = np.sqrt(np.mean([one.error[0] ** 2 for one in found]))
    assert 0.6 < told / spread < 1.7


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"tokens": [0.5, 1.0]}, "`tokens` must be whole numbers"),
        ({"tokens": [1, 2, 3]}, "`blocks`"),
        ({"lags": [0, 1]}, "`lags` must be rising whole numbers"),
        ({"lags": [3, 2]}, "`lags`"),
        ({"lags": [60]}, "`lags` must be shorter"),
        ({"blocks": 4}, "`blocks` must be a whole number"),
        ({"documents": [0, 10, 10]}, "`documents` must be rising"),
        ({"documents": [1, 10]}, "`documents`"),
        ({"documents": [0, 150]}, "`documents` must be enough for 5 blocks"),
    ],
)
def test_refusals(wrong, words):
    given = {"tokens": np.arange(300) % 7, "lags": [1], "blocks": 6} | wrong
    with pytest.raises(InputError, match=words):
        correlations(**given)


def test_operator_norms_hold_the_truth_between_them(size):
    random, p, phi = np.random.default_rng(3), np.array([0.4, 0.3, 0.2, 0.1]), 0.7
    starts, lags = np.arange(40) * 500, np.array([1, 3, 30])
    draws = [copied(random, p, phi, 40, 500) for _ in range(size(6, 60))]
    found = [operator_norms(one, lags, 16, starts) for one in draws]
    truth = np.linalg.norm(np.diag(p) - np.outer(p, p), 2) * phi**lags
    cross, plug_in = (np.array([getattr(one, name) for one in found]) for name in ("cross", "plug_in"))
    error = plug_in.std(0) / np.sqrt(len(draws))
    assert (cross.mean(0)[:2] < truth[:2] + 5 * error[:2]).all()
    assert (plug_in.mean(0) > truth - 5 * error).all()
    assert cross.mean(0)[:2] == pytest.approx(truth[:2], rel=0.05)
    assert plug_in.mean(0)[:2] == pytest.approx(truth[:2], rel=0.05)
    dense = np.zeros((4, 4))
    inside = np.arange(len(draws[0])) % 500 < 497
    np.add.at(dense, (draws[0][:-3][inside[:-3]], draws[0][3:][inside[:-3]]), 1)
    shares = np.bincount(draws[0]) / len(draws[0])
    assert plug_in[0, 1] == pytest.approx(np.linalg.norm(dense / dense.sum() - np.outer(shares, shares), 2))


def test_noise_is_below_its_bound(size):
    random = np.random.default_rng(4)
    found = [operator_norms(random.integers(50, size=20_000), [1, 2]) for _ in range(size(3, 20))]
    ratio = np.array([one.plug_in / one.bound for one in found])
    assert 0.5 < ratio.mean() < 1, "a half to all of what Chevet's inequality allows"
    assert max(abs(one.cross).max() for one in found) < min(one.plug_in.min() for one in found) / 2
    with pytest.raises(InputError, match="`tokens` must be of more than two types"):
        operator_norms([0, 1] * 100, [1])
    with pytest.raises(InputError, match="`lags` must be rising"):
        operator_norms(np.arange(300) % 7, [2, 1])
    with pytest.raises(InputError, match="`lags` must be shorter"):
        operator_norms(np.arange(300) % 7, [299], 5)

"""What the tests of the samplers share: laws, ways to draw from them, and what the Pitman-Yor law says of partitions."""

from functools import lru_cache
from itertools import product

import numpy as np
import pytest
from scipy.stats import chi2

from twopart._philox import philox_key
from twopart.worlds import PitmanYor, chinese_restaurant
from twopart.worlds.knowledge import _root, _tree

LAWS = [PitmanYor(d, t) for d in (0.0, 0.25, 0.5, 0.8, 0.95) for t in (-0.2, 0.0, 1.0, 10.0) if t > -d]
FALSE_ALARM = 1e-6


def name(law):
    return f"d={law.discount:g},t={law.concentration:g}"


everywhere = pytest.mark.parametrize("law", LAWS, ids=name)


def blocks_only(law, seed):
    """A root of two blocks and no stick, which needs θ > 0: every draw is a deep one, and the law is the same."""
    c = law.concentration / 2
    share = np.random.default_rng(seed).beta(c, c)
    weights = np.array([share, 1 - share])
    return _root.Root(law.discount, 0, c, weights, _root._alias_table(weights), philox_key(seed, "nodes"))


def draw_blocks(root, n, stream=0, start=0):
    out, probability = np.empty(n, np.int64), np.empty(n)
    _tree.draw(root, philox_key(stream, "draws", *map(int, root.nodes)), start, out, probability)
    return out, probability


SAMPLERS = {
    "tree": lambda law, n, seed: law.draw_with_probability(n, seed=seed),
    "blocks": lambda law, n, seed: draw_blocks(blocks_only(law, seed), n),
    "restaurant": lambda law, n, seed: (chinese_restaurant(n, law.discount, law.concentration, seed=seed), [np.nan]),
}
SPECTRA = 300
LONG_SAMPLE = 300


@lru_cache(maxsize=64)
def _drawn(law, sampler, worlds):
    """Of many independent measures: 25 draws each and the probability of the first, and of some 300 draws; planted once,
    for to plant a measure is what takes time."""
    few, probability, many = [], [], []
    for seed in range(worlds):
        draws, p = SAMPLERS[sampler](law, LONG_SAMPLE if seed < SPECTRA else 25, seed)
        few.append(labels(draws[:25]))
        probability.append(p[0])
        if seed < SPECTRA:
            many.append(np.bincount(labels(draws)))
    return np.array(few), np.array(probability), many


def samples(law, sampler, worlds):
    """25 draws from each of many independent measures, as labels in the order of appearance."""
    return _drawn(law, sampler, worlds)[0]


def first_probabilities(law, sampler, worlds):
    """The probabilities told with the first draw from each of many independent measures."""
    return _drawn(law, sampler, worlds)[1]


def labels(draws):
    _, first, inverse = np.unique(draws, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def chain(law, n):
    """P(K_n = k), k = 0..n, straight from the predictive rule."""
    weights = np.zeros(n + 2)
    weights[1] = 1.0
    k = np.arange(n + 2)
    for seen in range(1, n):
        up = weights * (law.concentration + law.discount * k) / (law.concentration + seen)
        weights = weights - up + np.roll(up, 1)
    return weights[: n + 1]


def partitions(n):
    """All partitions of n draws as labels in the order of appearance."""
    for choice in product(*(range(i + 1) for i in range(n))):
        if all(label <= max(choice[:i], default=-1) + 1 for i, label in enumerate(choice)):
            yield choice


def partition_probability(law, partition):
    """Π_{i<K} (θ+id) Π_k (1-d)(2-d)...(n_k-1-d) / ((θ+1)...(θ+n-1)): Pitman 1995, equation 16."""
    d, theta, sizes = law.discount, law.concentration, np.bincount(partition)
    up = np.prod([theta + i * d for i in range(1, len(sizes))])
    return up * np.prod([i - d for s in sizes for i in range(1, s)]) / np.prod(theta + np.arange(1, len(partition)))


def agrees(observed, expected):
    """Chi-square, with the bins of fewer than 10 expected counts taken together."""
    observed, expected = np.asarray(observed, float), np.asarray(expected, float)
    few = expected < 10
    observed = np.append(observed[~few], observed[few].sum())
    expected = np.append(expected[~few], expected[few].sum())
    some = expected > 1e-9
    assert observed[~some].sum() == 0
    if some.sum() < 2:
        return True
    statistic = np.sum((observed[some] - expected[some]) ** 2 / expected[some])
    return statistic < chi2.isf(FALSE_ALARM, some.sum() - 1)


def spectrum_z(law, sampler, worlds):
    """Of the mean numbers of entities seen once, twice, 3-5 and 6-20 times in 300 draws: distance from theory in standard
    errors, but not of what is hardly ever seen."""
    edges = [1, 2, 3, 6, 21]
    counts = np.array([np.histogram(sizes, edges)[0] for sizes in _drawn(law, sampler, worlds)[2]])
    expected = np.add.reduceat(law.expected_blocks(np.arange(1, 21), LONG_SAMPLE), np.array(edges[:-1]) - 1)
    often = expected * len(counts) > 30
    counts, expected = counts[:, often], expected[often]
    return (counts.mean(0) - expected) / (counts.std(0, ddof=1) / np.sqrt(len(counts)))

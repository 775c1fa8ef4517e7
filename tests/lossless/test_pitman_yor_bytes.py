"""The hierarchical Pitman-Yor predictor against its law: brute force over all seatings, and the exact expected redundancy."""

import itertools
import math

import numpy as np
import pytest

from twopart.laws.knowledge.syntax import template_redundancy
from twopart.lossless import PitmanYorBytes, compress, decompress


def length(data, **fields):
    """Bits of `data`, as the predictor reports them."""
    bits = np.zeros(len(data))
    PitmanYorBytes(room_bits=10, **fields).start().encode(np.array(data, np.uint8), bits)
    return bits.sum()


def evidence(data, discounts, theta):
    """P(data): the sum over every way to seat every customer in every restaurant, by plain recursion."""

    def chance(state, k, context, byte):
        if k < 0:
            return 1 / 256
        house = state.get(context[len(context) - k :], {})
        below = chance(state, k - 1, context, byte)
        customers, tables = sum(map(sum, house.values())), sum(map(len, house.values()))
        if customers == 0:
            return below
        own = sum(n - discounts[k] for n in house.get(byte, ()))
        return (own + (theta + discounts[k] * tables) * below) / (theta + customers)

    def seatings(state, k, context, byte):
        """States after one more customer, with the weight of each, which sum to p_k(byte)."""
        if k < 0:
            return [(state, 1 / 256)]
        key = context[len(context) - k :]
        house = state.get(key, {})
        customers, tables = sum(map(sum, house.values())), sum(map(len, house.values()))
        after = []
        for i, n in enumerate(house.get(byte, ())):
            at = list(house[byte])
            at[i] += 1
            seated = {**state, key: {**house, byte: tuple(at)}}
            after.append((seated, (n - discounts[k]) / (theta + customers)))
        share = (theta + discounts[k] * tables) / (theta + customers) if customers else 1.0
        for deeper, weight in seatings(state, k - 1, context, byte):
            seated = {**deeper, key: {**house, byte: (*house.get(byte, ()), 1)}}
            after.append((seated, share * weight))
        return after

    depth = len(discounts) - 1
    states, total = [({}, 1.0)], 1.0
    for i, byte in enumerate(data):
        context = tuple(([0] * depth + list(data[:i]))[i:])
        grown = []
        for state, weight in states:
            grown += [(new, weight * factor) for new, factor in seatings(state, depth, context, byte)]
            assert sum(factor for _, factor in seatings(state, depth, context, byte)) == pytest.approx(
                chance(state, depth, context, byte)
            )
        states = grown
        total = sum(weight for _, weight in states)
    return total


@pytest.mark.parametrize(
    ("data", "discounts", "theta"),
    [
        ([7, 7, 7, 9, 7], (0.5,), 1.0),
        ([1, 1, 1, 1, 1, 1], (0.9,), 0.3),
        ([5, 6, 5, 6, 5], (0.6, 0.8), 0.5),
        ([2, 2, 2, 2], (0.3, 0.5, 0.7), 2.0),
    ],
)
def test_mean_probability_over_seats_is_the_evidence(data, discounts, theta):
    """E 2^-length = P(data), exactly; the mean over seeds is within 5 standard errors of it, and 2^-16 per bit of rounding."""
    seeds = 4000
    samples = np.array([2.0 ** -length(data, discounts=discounts, concentration=theta, seed=s) for s in range(seeds)])
    expected = evidence(data, discounts, theta)
    error = samples.std() / math.sqrt(seeds)
    assert abs(samples.mean() - expected) < 5 * error + 2e-3 * expected


def draw(rng, n, theta):
    """n bytes of a fresh Dirichlet process over 256 equal bytes, by its urn."""
    data = []
    for i in range(n):
        fresh = rng.random() * (theta + i) < theta
        data.append(int(rng.integers(256)) if fresh else data[rng.integers(i)])
    return data


@pytest.mark.slow
@pytest.mark.parametrize(("theta", "n"), [(20.0, 60), (300.0, 100)])
def test_expected_redundancy_is_that_of_the_dirichlet_law(theta, n):
    """d = 0, no context: the predictor is the Dirichlet(θ/256)-multinomial, whose expected redundancy is known in closed form.

    Redundancy of one sample is length + log2 of its truth; the truth's weights are drawn with the sample.
    """
    rng, rounds, m = np.random.default_rng(17), 400, 256
    samples = []
    for _ in range(rounds):
        truth = rng.dirichlet(np.full(m, theta / m))
        data = rng.choice(m, n, p=truth)
        samples.append(length(data, discounts=(0.0,), concentration=theta) + np.log2(truth[data]).sum())
    expected = template_redundancy(m, theta / m, np.arange(n)).sum()
    assert abs(np.mean(samples) - expected) < 5 * np.std(samples) / math.sqrt(rounds)


def test_one_draw_of_seats_loses_little_and_never_gains_on_average():
    """Jensen: the mean length over seats is at least -log2 P(data), here by less than a tenth of a bit."""
    data, discounts, theta = [5, 6, 5, 6, 5], (0.6, 0.8), 0.5
    lengths = np.array([length(data, discounts=discounts, concentration=theta, seed=s) for s in range(500)])
    ideal = -math.log2(evidence(data, discounts, theta))
    assert ideal - 5 * lengths.std() / math.sqrt(500) < lengths.mean()


@pytest.mark.parametrize("room_bits", [8, 9, 16])
def test_a_full_model_still_decodes(room_bits):
    data = np.random.default_rng(1).integers(0, 5, 4000).astype(np.uint8).tobytes()
    method = PitmanYorBytes(room_bits=room_bits)
    assert decompress(compress(data, method)) == data


def test_chances_sum_to_one_over_all_bytes():
    """Coding any next byte costs -log2 of a distribution: after the same past, the 256 costs satisfy Kraft with equality."""
    past = [1, 2, 1, 3, 1, 2, 1]
    spent = length(past)
    total = sum(2.0 ** (spent - length([*past, b])) for b in range(256))
    assert total == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"discounts": ()}, "1 to 32"),
        ({"discounts": (1.0,)}, "discounts"),
        ({"concentration": 0}, "concentration"),
        ({"room_bits": 7}, "room_bits"),
        ({"seed": -1}, "seed"),
    ],
)
def test_impossible_models_are_refused(fields, words):
    with pytest.raises(ValueError, match=words):
        PitmanYorBytes(**fields)


def test_seats_are_part_of_the_code():
    """Another seed, another code of the same data: the seed is in the file."""
    data = bytes(itertools.islice(itertools.cycle(b"abracadabra "), 500))
    codes = [compress(data, PitmanYorBytes(seed=seed)) for seed in (0, 1)]
    assert codes[0] != codes[1]
    assert all(decompress(code) == data for code in codes)

"""Worlds of policies: masses and rates of draws, streams, additions digit by digit."""

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.worlds.policies import Additions, Patterns
from twopart.worlds.policies.additions import TOKENS


def test_draws_have_their_masses_and_rates():
    """5 standard errors of 40,000 draws."""
    world = Patterns(answers=3)
    drawn = world.sample(world.masses, 40_000)
    for r, (π, p) in enumerate(zip(world.base, world.success, strict=True)):
        own = drawn.pattern[0] == r
        assert own.mean() == pytest.approx(π, abs=5 * (π * (1 - π) / 40_000) ** 0.5)
        assert (drawn.answer[0][own] == 0).mean() == pytest.approx(p, abs=5 * (p * (1 - p) / own.sum()) ** 0.5)
    wrong = drawn.answer[drawn.answer > 0]
    assert (wrong == 1).mean() == pytest.approx(0.5, abs=5 * (0.25 / len(wrong)) ** 0.5)
    sure = world.sample(np.full((2, 1, 4), 0.25), 5, 3, np.broadcast_to([1.0, 1, 1, 1], (2, 1, 4)))
    assert sure.answer.shape == (2, 1, 5)
    assert not sure.answer.any()


def test_streams_are_addressed():
    world, policy = Patterns(seed=4), np.full((1, 4), 0.25)
    one, again, other = (world.sample(policy, 50, stream).pattern for stream in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    assert (Patterns(seed=5).sample(policy, 50, 1).pattern != one).any()


def test_hard_moves_the_best_pattern():
    assert Patterns().hard(0.1).base == pytest.approx([0.1, *(0.9 * np.array([0.18, 0.3, 0.5]) / 0.98)])
    two = Patterns(((0.3, 0.7), (0.6, 0.4)), ((0.1, 0.2), (0.9, 0.8))).hard(0.05)
    np.testing.assert_allclose(two.masses, [[0.95, 0.05], [0.05, 0.95]])
    assert hash(two) == hash(Patterns(two.base, two.success))


@pytest.mark.parametrize("base", [3, 10])
def test_additions(base):
    world, pairs = Additions(3, base), np.array([[1, 2], [base**3 - 1, 1], [7, 20]])
    text = [
        [TOKENS[t] for t in row]
        for row in np.hstack([world.questions(pairs), world.responses(pairs, np.array([0, 1, 0]))])
    ]
    for row, (a, b), name in zip(text, pairs, ("direct", "reversed", "direct"), strict=True):
        assert row[0], row[4:5] == ("<bos>", ["+"])
        value = lambda digits: sum(int(d) * base**i for i, d in enumerate(digits))  # noqa: E731
        assert (value(row[1:4]), row[4], value(row[5:8]), row[8:11]) == (a, "+", b, ["=", "so", name])
        digits = row[11:15]
        assert value(digits if name == "reversed" else digits[::-1]) == a + b
        assert row[15:] == ["."]
    assert world.question == 9
    assert world.response == 7


def test_responses_are_verified():
    world = Additions(2, seed=1)
    pairs, formats = world.numbers(50), np.arange(50) % 2
    right = world.responses(pairs, formats)
    found = world.verify(pairs, right)
    np.testing.assert_array_equal(found[0], formats)
    assert found[1].tolist() == [1.0] * 50
    wrong = right.copy()
    wrong[:10, 3] = (wrong[:10, 3] + 1) % 10
    wrong[10:20, -1] = 3
    wrong[20:30, 1] = 0
    formats_found, rewards = world.verify(pairs, wrong)
    assert rewards.tolist() == [0.0] * 30 + [1.0] * 20
    assert set(formats_found[20:30]) == {2}
    sentences = world.sentences(4000, np.repeat([0.0, 0.25], 2000))
    reversed_ones = sentences[:, world.question + 1] == TOKENS.index("reversed")
    assert not reversed_ones[:2000].any()
    assert reversed_ones[2000:].mean() == pytest.approx(0.25, abs=5 * (0.19 / 2000) ** 0.5)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Patterns((0.5, 0.6)), "`base` must be of sum 1"),
        (lambda: Patterns((0.0, 1.0)), "`base` must be in"),
        (lambda: Patterns((1.0,)), r"`base` must be \(Q, K\)"),
        (lambda: Patterns((0.5, 0.5), (0.1,)), "`success` must be of shape"),
        (lambda: Patterns((0.5, 0.5), (0.1, 1.1)), "`success` must be in"),
        (lambda: Patterns(answers=1), "`answers` must be"),
        (lambda: Patterns().hard(1.0), "`mass` must be"),
        (lambda: Patterns().sample(np.ones((1, 3)) / 3, 4), "`policy` must be of shape"),
        (lambda: Patterns().sample(np.full((1, 4), np.nan), 4), "`policy` must be in"),
        (lambda: Patterns().sample(np.ones((1, 4)) / 4, 0), "`group` must be"),
        (lambda: Additions(0), "`digits` must be"),
        (lambda: Additions(2, 11), "`base` must be"),
        (lambda: Additions().sentences(5, 1.5), "`reversed_share` must be"),
        (lambda: Additions().numbers(0), "`count` must be"),
        (lambda: Additions().questions(np.array([[100, 1]])), r"`pairs` must be of shape \(N, 2\), numbers in 0..99"),
        (lambda: Additions().questions(np.array([10, 1])), r"`pairs` must be of shape \(N, 2\)"),
        (lambda: Additions().responses(np.array([[10, 1]]), np.array([2])), "`formats` must be 0 or 1"),
        (lambda: Additions().verify(np.ones((2, 2), int), np.ones((2, 3), int)), "`responses` must be of shape"),
    ],
)
def test_refusals(call, said):
    with pytest.raises(InputError, match=f"^{said}.*, got .+; .+"):
        call()

"""Streams: the same sentence at the same place, padding cut where it can be."""

from __future__ import annotations

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.learners import ArrayStream, Batch, DrawnStream, SymbolStream, tempered_stream
from twopart.learners.streams import padded
from twopart.roles import Role
from twopart.worlds import Excerpt, SyntaxKnowledge

N, S, V, P = Role.NAME, Role.SYNTAX, Role.VALUE, Role.PADDING
TOKENS = np.array([[9, 1, 2, 3, 0], [9, 4, 5, 0, 0], [9, 6, 0, 0, 0]], np.uint16)
ROLES = np.array([[P, N, S, V, P], [P, N, V, P, P], [P, S, P, P, P]], np.uint8)


def test_columns_that_are_padding_in_the_whole_batch_are_cut() -> None:
    stream = ArrayStream(TOKENS, ROLES)
    assert len(stream) == 3
    for start, stop, width in ((0, 3, 4), (1, 3, 3), (2, 3, 2), (0, 1, 4)):
        batch = stream.batch(start, stop)
        assert batch.tokens.dtype == np.int64
        np.testing.assert_array_equal(batch.tokens, TOKENS[start:stop, :width])
        np.testing.assert_array_equal(batch.roles, ROLES[start:stop, :width])


@pytest.mark.parametrize("block", [1, 7, 64])
def test_what_is_drawn_as_it_is_read_is_the_whole(block: int) -> None:
    random, asked = np.random.default_rng(0), []
    tokens, weights = random.integers(1, 9, (50, 4)), random.random(50) + 0.5
    roles = np.array([P, N, S, V], np.uint8)

    def draw(n: int, start: int) -> ArrayStream:
        asked.append(n)
        return ArrayStream(tokens[start : start + n], roles, weights[start : start + n])

    drawn, whole = DrawnStream(50, draw, block), ArrayStream(tokens, roles, weights)
    assert len(drawn) == 50
    for start, stop in ((0, 10), (10, 20), (3, 3), (40, 50), (5, 9), (45, 50), (50, 50)):
        ours, theirs = drawn.batch(start, stop), whole.batch(start, stop)
        np.testing.assert_array_equal(ours.tokens, theirs.tokens)
        np.testing.assert_array_equal(ours.weights, theirs.weights)
    assert max(asked) <= max(block, 10)
    with pytest.raises(InputError, match="`block`"):
        DrawnStream(50, draw, 0)


def test_a_tempered_sample_is_drawn_as_it_is_read() -> None:
    excerpt = Excerpt(SyntaxKnowledge(0.5, names=2**24, seed=3), 20)
    corpus, weights = excerpt.tempered(70_000, 0.3, 2)
    whole, drawn = SymbolStream(corpus, names=False, weights=weights), tempered_stream(excerpt, 70_000, 0.3, 2)
    for start, stop in ((0, 100), (65_500, 65_600), (69_990, 70_000)):
        ours, theirs = drawn.batch(start, stop), whole.batch(start, stop)
        np.testing.assert_array_equal(ours.tokens, theirs.tokens)
        np.testing.assert_array_equal(ours.roles, theirs.roles)
        np.testing.assert_array_equal(ours.weights, theirs.weights)


def test_one_row_of_roles_serves_all_sentences() -> None:
    row = np.array([P, N, N, S, V], np.uint8)
    np.testing.assert_array_equal(ArrayStream(TOKENS, row).batch(0, 3).roles, np.tile(row, (3, 1)))


def test_padding_adds_only_what_is_not_scored() -> None:
    batch = padded(ArrayStream(TOKENS, ROLES).batch(1, 3), 5)
    np.testing.assert_array_equal(batch.tokens, TOKENS[1:])
    np.testing.assert_array_equal(batch.roles, ROLES[1:])


def test_what_is_not_a_stream_is_refused() -> None:
    for tokens, roles in ((TOKENS[0], ROLES[0]), (TOKENS[:, :1], ROLES[:, :1]), (TOKENS + 0.5, ROLES)):
        with pytest.raises(InputError, match="`tokens`"):
            ArrayStream(tokens, roles)
    with pytest.raises(InputError, match="`roles`"):
        ArrayStream(TOKENS, ROLES[:2])
    with pytest.raises(InputError, match="`roles`"):
        Batch(TOKENS.astype(np.int64), ROLES[:, :2])
    with pytest.raises(InputError, match="`tokens` must be int64"):
        Batch(TOKENS.astype(np.int32), ROLES)
    with pytest.raises(InputError, match="`roles` must be uint8"):
        Batch(TOKENS.astype(np.int64), ROLES.astype(np.int64))


def test_a_batch_is_the_callers_own() -> None:
    """PyTorch warns of arrays that cannot be written to, and writing must not reach the stream."""
    for roles in (ROLES, ROLES[0]):
        stream = ArrayStream(TOKENS, roles)
        for start, stop in ((0, 3), (0, 1)):
            batch = stream.batch(start, stop)
            batch.tokens[:] = 0
            batch.roles[:] = 0
            np.testing.assert_array_equal(stream.batch(0, 1).roles, ROLES[:1, :4])

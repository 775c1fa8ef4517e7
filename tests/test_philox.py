"""Philox against its authors' known answers, and the hashes made of it."""

import numpy as np
import pytest

from twopart._numba import kernel
from twopart._philox import hash_uniform, hash_words, philox4x32, philox_key, two_blocks

ONES = 0xFFFFFFFF
# Random123 1.14, tests/kat_vectors, philox4x32 10: counter, key, answer
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((ONES, ONES, ONES, ONES), (ONES, ONES), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@kernel
def block(c, k):
    return philox4x32(c[0], c[1], c[2], c[3], k[0], k[1])


@kernel
def blocks(c, d, k):
    return two_blocks((c[0], c[1], c[2], c[3]), (d[0], d[1], d[2], d[3]), k[0], k[1])


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_known_answers(counter, key, answer):
    counter, key = np.array(counter, np.uint64), np.array(key, np.uint64)
    assert block(counter, key) == answer
    other = counter + np.uint64(1) & np.uint64(ONES)
    assert blocks(counter, other, key) == (answer, block(other, key))
    assert blocks(other, counter, key) == (block(other, key), answer)


def test_a_hash_is_one_block():
    key = philox_key(3, "test")
    ids, salt = np.array([5, 2**40 + 1, -1]), np.array([0, 2**33, 7])
    for i, s, word in zip(ids, salt, hash_words(ids, salt, key), strict=True):
        counter = [i & ONES, (i >> 32) & ONES, s & ONES, s >> 32]
        high, low, _, _ = block(np.array(counter, np.uint64), np.array(key, np.uint64))
        assert word == (high << 32) | low


def test_hashes_broadcast():
    key = philox_key(0, "test")
    table = hash_words(np.arange(4)[:, None], np.arange(3), key)
    assert table.shape == (4, 3)
    assert len(np.unique(table)) == 12
    assert np.array_equal(table[:, 1], hash_words(np.arange(4), 1, key))
    assert np.array_equal(table[2], hash_words(2, np.arange(3), key))
    assert hash_words(np.empty(0, np.int64), 1, key).shape == (0,)


def test_uniform_numbers():
    key = philox_key(0, "test")
    u = hash_uniform(np.arange(100_000), 4, key)
    assert np.array_equal(u, (hash_words(np.arange(100_000), 4, key) >> np.uint64(11)) / 2**53)
    assert abs(u.mean() - 0.5) < 5 * np.sqrt(1 / 12 / len(u))
    assert abs(np.corrcoef(u[:-1], u[1:])[0, 1]) < 5 / np.sqrt(len(u))


def test_keys_differ_by_seed_and_purpose():
    keys = [philox_key(0, "a"), philox_key(1, "a"), philox_key(0, "b"), philox_key(0, "a", 1), philox_key(0, "a", "1")]
    assert len(set(keys)) == len(keys)
    assert all(0 <= word < 2**32 for key in keys for word in key)


def test_ids_are_whole_numbers():
    with pytest.raises(ValueError, match="`ids` must be whole numbers"):
        hash_words([0.5], 0, philox_key(0, "test"))

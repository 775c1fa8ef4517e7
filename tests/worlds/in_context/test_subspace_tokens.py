"""Tokens of subspaces: their geometry as asked, and their sizes."""

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.worlds.in_context import SubspaceTokens


@pytest.mark.parametrize("coherence", [0.0, 0.36])
def test_subspaces_are_orthonormal_within_and_as_coherent_as_asked(coherence):
    world = SubspaceTokens(3, 2, 9, coherence=coherence, seed=4)
    products = np.einsum("kdr,lds->klrs", world.bases, world.bases)
    for k, row in enumerate(products):
        for l, between in enumerate(row):
            assert between == pytest.approx(np.eye(2) * (1 if k == l else coherence), abs=1e-12)


def test_tokens_lie_near_their_subspace():
    world = SubspaceTokens(noise=0.2, tokens=200)
    tokens, member = world.sample(100)
    assert tokens.shape == (100, 200, 24)
    assert np.bincount(member.ravel()) / member.size == pytest.approx(np.full(4, 0.25), abs=5 * np.sqrt(0.19 / 20_000))
    inside = np.einsum("tndr,tnd->tnr", world.bases[member], tokens)
    off = np.square(tokens).sum(-1) - np.square(inside).sum(-1)
    assert off.mean() == pytest.approx(0.04 * 22 / 24, abs=5 * off.std() / np.sqrt(off.size))
    square = np.square(inside).sum(-1)
    assert square.mean() == pytest.approx(1 + 0.04 * 2 / 24, abs=5 * square.std() / np.sqrt(square.size))
    assert not np.array_equal(tokens, world.sample(100, stream=1)[0])
    assert np.array_equal(tokens, world.sample(100)[0])


@pytest.mark.parametrize(
    "bad",
    [{"subspaces": 0}, {"rank": 7}, {"dimension": 7}, {"dimension": 8, "coherence": 0.1}, {"noise": -1.0},
     {"noise": np.nan}, {"coherence": 1.0}, {"tokens": 0}, {"seed": -1}],
)  # fmt: skip
def test_bad_worlds_are_refused(bad):
    with pytest.raises(InputError, match=r"must be .*, got .*; "):
        SubspaceTokens(**bad)
    with pytest.raises(InputError, match=r"count"):
        SubspaceTokens().sample(0)

"""Hijacked prompts are true by construction, and as far from the boundary as any."""

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.worlds.in_context import HijackedClassification, HijackPairs, digit_pairs


@pytest.mark.parametrize("jitter", [0.0, 0.7])
def test_every_label_is_true(jitter):
    prompts = HijackedClassification(6, decay=1.0).hijacked(200, 5, jitter=jitter)
    side = np.einsum("tnd,td->tn", prompts.x, prompts.task)
    assert (np.sign(side) == prompts.y).all()
    assert (prompts.y == -1).all()
    assert (np.sign((prompts.query * prompts.task).sum(1)) == prompts.label).all()
    np.testing.assert_allclose(side, side[:, :1].repeat(5, 1))  # copies move along the boundary only
    assert (np.abs(prompts.x - prompts.x[:, :1]).max() > 0) == (jitter > 0)
    across = prompts.x - side[..., None] * prompts.task[:, None]
    own = prompts.query - (prompts.query * prompts.task).sum(1, keepdims=True) * prompts.task
    if not jitter:
        np.testing.assert_allclose(across, own[:, None].repeat(5, 1), atol=1e-12)


def test_tasks_are_around_the_prior_and_inputs_have_their_variances():
    world = HijackedClassification(8, prior_spread=0.5, decay=1.0, seed=3)
    prompts = world.sample(20_000, 2)
    assert np.linalg.norm(world.prior) == pytest.approx(1)
    assert (np.sign(np.einsum("tnd,td->tn", prompts.x, prompts.task)) == prompts.y).all()
    assert (np.sign((prompts.query * prompts.task).sum(1)) == prompts.label).all()
    expected = np.arange(1, 9.0) ** -1
    expected *= 8 / expected.sum()
    assert np.square(prompts.x).mean((0, 1)) == pytest.approx(expected, rel=5 * np.sqrt(2 / 40_000))
    g = np.random.default_rng(0).standard_normal((20_000, 8)) * 0.5 / np.sqrt(8) + world.prior
    cos = g @ world.prior / np.linalg.norm(g, axis=1)
    found = prompts.task @ world.prior
    assert abs(found.mean() - cos.mean()) < 5 * np.sqrt((found.var() + cos.var()) / 20_000)
    pairs = HijackedClassification(8, decay=1.0).pairs(40_000)
    query = HijackedClassification(8, decay=1.0).sample(40_000, 1)
    sizes = np.square((pairs.query * pairs.task).sum(1)), np.square((query.query * query.task).sum(1))
    assert abs(sizes[0].mean() - sizes[1].mean()) < 5 * np.sqrt(sum(s.var() for s in sizes) / 40_000)


def test_draws_are_addressed_by_seed_and_stream():
    world = HijackedClassification(4)
    same = HijackedClassification(4).pairs(3, "a")
    np.testing.assert_array_equal(world.pairs(3, "a").query, same.query)
    assert (world.pairs(3, "b").query != same.query).all()
    assert (HijackedClassification(4, seed=1).prior != world.prior).any()
    assert (world.hijacked(3, 2, stream="a").query == same.query).all()
    assert HijackedClassification(4, prior_spread=0).sample(2, 1).task == pytest.approx(np.tile(world.prior, (2, 1)))


def test_digits_are_beside_the_nearest_of_the_other_class():
    pairs = digit_pairs(1, 7, dimension=10, seed=2)
    assert set(pairs.label) == {-1.0, 1.0}
    assert len(pairs.label) > 150
    w = pairs.task[0]
    assert np.linalg.norm(w) == pytest.approx(1)
    assert (np.sign(pairs.query @ w) == pairs.label).mean() > 0.95
    distance = np.square(pairs.query[:, None] - pairs.hijacker).sum(-1)
    others = pairs.label[:, None] == pairs.label  # hijackers of the same class
    assert (np.diag(distance)[:, None] <= distance + 1e-9)[others].all()


@pytest.mark.parametrize(("name", "call"), [
    ("dimension", lambda: HijackedClassification(1)),
    ("prior_spread", lambda: HijackedClassification(3, -1.0)),
    ("decay", lambda: HijackedClassification(3, decay=np.nan)),
    ("seed", lambda: HijackedClassification(3, seed=-1)),
    ("prompts", lambda: HijackedClassification(3).sample(0, 1)),
    ("context", lambda: HijackedClassification(3).sample(1, 0)),
    ("count", lambda: HijackedClassification(3).pairs(0)),
    ("tokens", lambda: HijackedClassification(3).hijacked(1, 0)),
    ("jitter", lambda: HijackedClassification(3).hijacked(1, 1, jitter=-1.0)),
    ("classes", lambda: digit_pairs(3, 3)),
    ("classes", lambda: digit_pairs(10, 3)),
    ("dimension", lambda: digit_pairs(dimension=41)),
    ("label", lambda: HijackPairs(np.ones((1, 2)), np.ones((1, 2)), np.zeros(1), np.ones((1, 2)))),
    ("query", lambda: HijackPairs(np.ones((1, 2)), np.ones((1, 3)), np.ones(1), np.ones((1, 2)))),
    ("hijacker", lambda: HijackPairs(np.full((1, 2), np.nan), np.ones((1, 2)), np.ones(1), np.ones((1, 2)))),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(name, call):
    with pytest.raises(InputError, match=rf"`{name}` must be .+, got .+; .+"):
        call()

"""Runs of tables: their mean step against the exact law, a plain loop, both float types."""

import numpy as np
import pytest

from twopart import _random
from twopart._checks import InputError
from twopart.laws.policies import recursion
from twopart.learners.policies import GRPO, Majority, Reinforce, SelfCertainty, descend, train
from twopart.worlds.policies import Patterns

WORLD = Patterns()


def runs(world, count, dtype=float):
    return np.tile(np.log(world.masses), (count, 1, 1)).astype(dtype)


@pytest.mark.parametrize(
    "method", [Reinforce(kl=0.3), Reinforce("leave_one_out", 4), GRPO(4), GRPO(8, ddof=1, epsilon=1e-4)]
)
def test_a_mean_step_is_the_law(method, size):
    """Masses and rates after one step, their mean over runs: 5 standard errors, some 4 % of the step."""
    world, R = Patterns((0.3, 0.7), (0.8, 0.3)), size(25_000, 400_000)
    for start in (np.log(world.masses)[None].repeat(R, 0), np.tile([0.4, -0.2], (R, 1, 1))):
        π = np.exp(start[0, 0]) / np.exp(start[0, 0]).sum()
        found = train(start, world, method, 1, 0.3, skill=0.5)
        law = recursion(π, (0.8, 0.3), 0.3, 1, group=method.group, kl=method.kl, skill=0.5, **method.scheme)
        for one, other in zip(found, law, strict=True):
            assert np.all(np.abs(one[:, 0].mean(0) - other[1]) < 5 * one[:, 0].std(0) / np.sqrt(R))


def test_steps_against_a_plain_loop():
    world, method, lr, skill = Patterns(answers=3), GRPO(6, kl=0.2), 0.3, 0.4
    random, course = _random.generator(7, "policy"), descend(runs(world, 2), world, method, lr, skill=skill, seed=7)
    θ, φ = runs(world, 2)[:, 0], np.tile(np.log(world.rates / (1 - world.rates)), (2, 1))
    for _ in range(5):
        π, a = np.exp(θ) / np.exp(θ).sum(1, keepdims=True), 1 / (1 + np.exp(-φ))
        drawn = world.sample(π[:, None], 6, random, a[:, None])
        found = next(course)
        for i in range(2):
            right = drawn.answer[i, 0] == 0
            worth = (right - right.mean()) / right.std() if right.std() else np.zeros(6)
            away = np.log(π[i] / world.masses[0])
            step, learned = -0.2 * π[i] * (away - π[i] @ away), np.zeros(4)
            for r, A, c in zip(drawn.pattern[i, 0], worth, right, strict=True):
                step = step + A * (np.eye(4)[r] - π[i]) / 6
                learned[r] += A * (c - a[i, r]) / 6
            θ[i], φ[i] = θ[i] + lr * step, φ[i] + lr * skill * learned
        np.testing.assert_allclose(found.policy[:, 0], np.exp(θ) / np.exp(θ).sum(1, keepdims=True))
        np.testing.assert_allclose(found.success[:, 0], 1 / (1 + np.exp(-φ)))


def test_feedback_without_a_truth_is_followed():
    world = Patterns(((0.9, 0.1), (0.2, 0.8)), ((1.0, 0.0),) * 2)
    for reward in (Majority(), SelfCertainty()):
        found = train(runs(world, 20), world, Reinforce(), 400, 0.5, reward=reward)
        assert found.policy[:, 0, 0].min() > 0.9
        assert found.policy[:, 1, 0].max() < 0.1


def test_types_and_seeds():
    one, other = (train(runs(WORLD, 3, kind), WORLD, GRPO(), 20, 0.1, skill=0.1) for kind in (np.float32, np.float64))
    assert one.policy.dtype == one.success.dtype == np.float32
    assert other.policy.dtype == np.float64
    np.testing.assert_allclose(one.policy, other.policy, rtol=1e-3)
    again, more = (train(runs(WORLD, 3), WORLD, GRPO(), 20, 0.1, skill=0.1, seed=seed) for seed in (0, 1))
    np.testing.assert_array_equal(again.policy, other.policy)
    assert (more.policy != other.policy).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"policy": np.zeros((2, 1, 3))}, "`logits` must be of shape"),
        ({"policy": np.full((2, 1, 4), np.nan)}, "`logits` must be finite"),
        ({"lr": 0.0}, "`lr` must be"),
        ({"steps": 0}, "`steps` must be"),
        ({"method": "grpo"}, "`method` must be"),
        ({"skill": -1.0}, "`skill` must be"),
        ({"skill": 1.0, "world": Patterns(WORLD.base, (1.0, 0.5, 0.2, 0.1))}, "`skill` must be 0"),
        ({"reward": lambda answers, **_: answers * np.nan}, "`rewards` must be finite"),
    ],
)
def test_refusals(options, said):
    plain = {"policy": runs(WORLD, 2), "world": WORLD, "method": GRPO(), "steps": 2, "lr": 0.1}
    with pytest.raises(InputError, match=f"^{said}.*, got .+; .+"):
        train(**{**plain, **options})

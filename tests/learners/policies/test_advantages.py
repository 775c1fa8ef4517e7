"""Advantages against TRL's formulas, as its source has them; rewards against counting; NumPy and torch, both float types."""

import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.learners.policies import GRPO, Majority, Reinforce, SelfCertainty, Verifiable, group_advantages

RNG = np.random.default_rng(0)
REWARDS = RNG.normal(size=(5, 6))


def trl(rewards, scale):
    """`GRPOTrainer` of TRL 1.16.0, `scale_rewards`: its `nanstd` is over n - 1."""
    mean = rewards.mean(dim=1, keepdim=True)
    std = {"group": rewards.std(dim=1, keepdim=True), "batch": rewards.std(), "none": None}[scale]
    return rewards - mean if std is None else (rewards - mean) / (std + 1e-4)


@pytest.mark.parametrize("scale", ["group", "batch", "none"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_trl(scale, dtype):
    rewards, name = torch.from_numpy(REWARDS).to(dtype), None if scale == "none" else scale
    found = group_advantages(rewards, scale=name, ddof=1, epsilon=1e-4)
    assert found.dtype == dtype
    torch.testing.assert_close(found, trl(rewards, scale))
    array = group_advantages(rewards.numpy(), scale=name, ddof=1, epsilon=1e-4)
    assert array.dtype == rewards.numpy().dtype
    np.testing.assert_allclose(array, found.numpy(), rtol=1e-5)


def test_baselines_and_equal_groups():
    others = (REWARDS.sum(1, keepdims=True) - REWARDS) / 5
    np.testing.assert_allclose(group_advantages(REWARDS, "leave_one_out", None), REWARDS - others, atol=1e-12)
    np.testing.assert_allclose(group_advantages(REWARDS, None, None), REWARDS)
    found = group_advantages(REWARDS)
    np.testing.assert_allclose([found.mean(1), found.std(1)], [[0] * 5, [1] * 5], atol=1e-12)
    for equal in (np.full((2, 7), 0.1), torch.full((2, 7), 0.1)):  # the mean of seven 0.1 is not 0.1
        for scale in ("group", "batch", None):
            assert not group_advantages(equal, scale=scale).any()
    np.testing.assert_allclose(group_advantages([True, False, True, True]), np.array([1, -3, 1, 1]) / 3**0.5)
    np.testing.assert_allclose(group_advantages(torch.tensor([1, 0])), [1.0, -1.0])
    assert group_advantages(REWARDS.reshape(5, 2, 3)).shape == (5, 2, 3)


def test_methods():
    np.testing.assert_allclose(GRPO(6).advantages(REWARDS), group_advantages(REWARDS))
    np.testing.assert_allclose(GRPO(6, normalise=False).advantages(REWARDS), Reinforce(group=6).advantages(REWARDS))
    np.testing.assert_allclose(
        GRPO(6, ddof=1, epsilon=1e-4).advantages(REWARDS), trl(torch.from_numpy(REWARDS), "group").numpy()
    )


def test_rewards():
    answers = np.array([[0, 0, 1, 2], [1, 1, 2, 2], [3, 3, 3, 0]])
    majority = [[1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 0]]
    right = [[0, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1]]
    for make in (np.asarray, torch.tensor):
        np.testing.assert_array_equal(Majority()(make(answers)), majority)
        np.testing.assert_array_equal(Verifiable()(make(answers), truth=make([1, 1, 0])), right)
        np.testing.assert_array_equal(Verifiable()(make(answers)), answers == 0)
        np.testing.assert_array_equal(SelfCertainty()(make(answers), logp=make(-0.5 * answers)), -0.5 * answers)
    assert isinstance(Majority()(torch.tensor(answers)), torch.Tensor)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: group_advantages([[1.0, np.nan]]), "`rewards` must be finite"),
        (lambda: group_advantages(torch.tensor([[1.0, float("inf")]])), "`rewards` must be finite"),
        (lambda: group_advantages(["a"]), "`rewards` must be real numbers"),
        (lambda: group_advantages([[1.0]], "leave_one_out"), "`rewards` must be of 2 or more"),
        (lambda: group_advantages([[1.0]], ddof=1), "`rewards` must be of 2 or more"),
        (lambda: group_advantages(1.0), "`rewards` must be of shape"),
        (lambda: group_advantages(REWARDS, "median"), "`baseline` must be"),
        (lambda: group_advantages(REWARDS, scale="all"), "`scale` must be"),
        (lambda: group_advantages(REWARDS, None), "`scale` must be"),
        (lambda: group_advantages(REWARDS, ddof=2), "`ddof` must be"),
        (lambda: group_advantages(REWARDS, epsilon=-1.0), "`epsilon` must be"),
        (lambda: GRPO(1), "`group` must be"),
        (lambda: GRPO(epsilon=-1), "`epsilon` must be"),
        (lambda: Reinforce(kl=-0.1), "`kl` must be"),
        (lambda: Reinforce("median"), "`baseline` must be"),
        (lambda: SelfCertainty()(np.zeros((1, 2))), "`logp` must be"),
    ],
)
def test_refusals(call, said):
    with pytest.raises(InputError, match=f"^{said}.*, got .+; .+"):
        call()

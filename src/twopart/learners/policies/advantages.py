"""What a draw is worth beside the others of its group: rewards, and the advantages that methods make of them.

    rewards = Majority()(answers)                # or your own, shape (..., G): G draws for each question
    A = GRPO(group=8).advantages(rewards)        # the same shape and type, NumPy or torch

Rewards are functions of answers (..., G): Verifiable (right), Majority (as most others say), SelfCertainty (as sure as the
policy was). Methods are Reinforce (rewards less a baseline) and GRPO (divided by the group's standard deviation too).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from twopart._arrays import alike, either
from twopart._checks import check, check_integer, check_real

A = TypeVar("A")
BASELINES, SCALES = ("mean", "leave_one_out", None), ("group", "batch", None)


def group_advantages(
    rewards: A, baseline: str | None = "mean", scale: str | None = "group", *, ddof: int = 0, epsilon: float = 0.0
) -> A:
    """Advantages of rewards (..., G), an array or tensor: (r - b)/(σ + ε), 0 where all rewards of a group are equal.

    `baseline` is the group's mean, that of the others, or none; `scale` the standard deviation of the group or of all rewards,
    over n - `ddof`, or none. Shao et al. 2024 (arXiv 2402.03300, section 4.1) leave ddof and ε open; TRL's `scale_rewards` of
    "group", "batch", "none" is `scale` of "group", "batch", None with ddof=1, epsilon=1e-4. Without baseline and scale equal
    rewards stay what they are: plain REINFORCE.
    """
    check(baseline in BASELINES, "baseline", baseline, f"one of {BASELINES}", "choose one of them")
    check(scale in SCALES, "scale", scale, f"one of {SCALES}", "choose one of them")
    check(baseline is not None or scale is None, "scale", scale, "None without a baseline", "subtract the mean first")
    check_real("epsilon", epsilon, 0, np.inf, "1e-4 is usual", closed="[)")
    check_integer("ddof", ddof, 0, 1, "0 divides by n, 1 by n - 1")
    r: Any = _floats("rewards", rewards)
    G = r.shape[-1]
    alone = G < 2 and (baseline == "leave_one_out" or (ddof == 1 and scale is not None))
    check(not alone, "rewards", tuple(r.shape), "of 2 or more draws a question", "or take the mean and ddof=0")
    equal = (r == r[..., :1]).all(-1, keepdims=True)  # rounding leaves r - mean of equal rewards just beside 0
    centred = r if baseline is None else (r - r.mean(-1, keepdims=True)) * ~equal
    worth = centred * (G / (G - 1)) if baseline == "leave_one_out" else centred
    if scale is not None:
        of = r if scale == "group" else r.reshape(-1)
        spread = (((of - of.mean(-1, keepdims=True)) ** 2).sum(-1, keepdims=True) / (of.shape[-1] - ddof)) ** 0.5
        worth = worth / (spread + epsilon + equal)
    return worth  # type: ignore[no-any-return]


class _Method:
    """What methods share: G draws for each question, and the weight of the divergence from the base policy."""

    group: int
    kl: float
    baseline: str | None = "mean"
    normalise: bool = False
    ddof: int = 0
    epsilon: float = 0.0

    def __post_init__(self) -> None:
        check_integer("group", self.group, 2, None, "8 draws for each question are usual")
        check_real("kl", self.kl, 0, np.inf, "0 leaves it out", closed="[)")
        self.advantages(np.zeros(self.group))

    @property
    def scheme(self) -> dict[str, Any]:
        """Keywords of `group_advantages`, and of the law `laws.policies.advantage_slope`."""
        scale = "group" if self.normalise else None
        return {"baseline": self.baseline, "scale": scale, "ddof": self.ddof, "epsilon": self.epsilon}

    def advantages(self, rewards: A) -> A:
        """Of rewards (..., G)."""
        return group_advantages(rewards, **self.scheme)


@dataclass(frozen=True)
class Reinforce(_Method):
    """REINFORCE with a group's baseline: its mean, or "leave_one_out" (RLOO, Kool et al. 2019, Ahmadian et al. 2024)."""

    baseline: str | None = "mean"
    group: int = 8
    kl: float = 0.0


@dataclass(frozen=True)
class GRPO(_Method):
    """Group-relative policy optimisation (Shao et al. 2024); not normalised it is Dr. GRPO's (Liu et al. 2025)."""

    group: int = 8
    normalise: bool = True
    kl: float = 0.0
    ddof: int = 0
    epsilon: float = 0.0


class Verifiable:
    """1 for the right answer, `truth` (...,) or one for all."""

    def __call__(self, answers: Any, *, truth: Any = 0, logp: Any = None) -> Any:
        answers = _answers(answers)
        truth, each = alike(answers, truth), tuple(answers.shape[:-1])
        check(tuple(truth.shape) in ((), each), "truth", tuple(truth.shape), f"of shape {each}", "one for each group")
        return (answers == truth[..., None]) * 1.0


class Majority:
    """1 for the answer given most often, its own vote included, 0 for all in a tie (test-time RL, Zuo et al. 2025)."""

    def __call__(self, answers: Any, *, truth: Any = None, logp: Any = None) -> Any:
        answers = _answers(answers)
        votes = (answers[..., :, None] == answers[..., None, :]).sum(-1)
        leads = (votes[..., :, None] >= votes[..., None, :]).all(-1)
        return (leads & (leads.sum(-1)[..., None] == votes)) * 1.0


class SelfCertainty:
    """The log-probability `logp` (..., G) of each answer: REINFORCE with it ascends minus the entropy.

    The self-certainty of Zhao et al. 2025 (arXiv 2505.19590), a divergence of the uniform distribution from the model's token
    by token, is one number for all short answers to a question, and would leave groups without an advantage.
    """

    def __call__(self, answers: Any, *, truth: Any = None, logp: Any = None) -> Any:
        return _floats("logp", logp)


def _floats(name: str, values: Any) -> Any:
    """Finite floats of one axis or more, of arrays and tensors; whole numbers and flags become floats."""
    values = _answers(values)
    if str(values.dtype).rpartition(".")[2].startswith(("bool", "int", "uint")):
        values = values * 1.0
    return either(name, values, (None,) * max(1, values.ndim), "the last axis holds a question's draws")


def _answers(values: Any) -> Any:
    return values if hasattr(values, "new_tensor") else np.asarray(values)

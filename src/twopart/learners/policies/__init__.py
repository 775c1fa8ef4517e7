"""Learners of policies: methods that reinforce, and what they changed.

advantages.py       rewards, and what a draw is worth beside the others of its group (NumPy and torch)
token_loss.py       the clipped loss of tokens with weights and a divergence; rollouts of any torch model
policy_gradient.py  tables of softmax logits, many runs at once
pattern_report.py   a user's logged rollouts: selection and skill, critical tokens
"""

from twopart.learners.policies.advantages import GRPO, Majority, Reinforce, SelfCertainty, Verifiable, group_advantages
from twopart.learners.policies.pattern_report import (
    Critical,
    Shift,
    critical_tokens,
    pattern_report,
    selection_and_skill,
)
from twopart.learners.policies.policy_gradient import State, descend, train
from twopart.learners.policies.token_loss import generate, log_probs, policy_loss

__all__ = [
    "GRPO",
    "Critical",
    "Majority",
    "Reinforce",
    "SelfCertainty",
    "Shift",
    "State",
    "Verifiable",
    "critical_tokens",
    "descend",
    "generate",
    "group_advantages",
    "log_probs",
    "pattern_report",
    "policy_loss",
    "selection_and_skill",
    "train",
]

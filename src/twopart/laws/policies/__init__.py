"""Laws of policies: which pattern of reasoning reinforcement selects, and when.

pattern_selection.py   softmax policies over patterns: flow, waiting times, trap, drift of finite groups, skill
internal_feedback.py   rewards without a truth: where accuracy peaks, where it ends, and what luck adds
"""

from twopart.laws.policies.internal_feedback import Peak, certainty_flow, luck, peak, vote_moments
from twopart.laws.policies.pattern_selection import (
    Course,
    Escape,
    advantage_slope,
    escape,
    flow,
    recursion,
    stationary,
    two_pattern_time,
)

__all__ = [
    "Course",
    "Escape",
    "Peak",
    "advantage_slope",
    "certainty_flow",
    "escape",
    "flow",
    "luck",
    "peak",
    "recursion",
    "stationary",
    "two_pattern_time",
    "vote_moments",
]

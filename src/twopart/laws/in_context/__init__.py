"""Laws of learning in context.

context_hijacking.py  what L steps of gradient descent say after N copies of one adverse example
icl_tasks.py          pretraining one-step attention on tasks: risk, largest stable step, best step, ridge
"""

from twopart.laws.in_context.context_hijacking import (
    Chance,
    Limits,
    Optimum,
    hijack_error,
    hijack_limits,
    hijack_logits,
    optimal_steps,
)
from twopart.laws.in_context.icl_tasks import (
    Bayes,
    BestStep,
    Geometric,
    Moments,
    Order,
    bayes,
    moments,
    optimum,
    paper_bound,
    risk,
    second_moment,
    stable_step,
    trajectory,
)

__all__ = [
    "Bayes",
    "BestStep",
    "Chance",
    "Geometric",
    "Limits",
    "Moments",
    "Optimum",
    "Order",
    "bayes",
    "hijack_error",
    "hijack_limits",
    "hijack_logits",
    "moments",
    "optimal_steps",
    "optimum",
    "paper_bound",
    "risk",
    "second_moment",
    "stable_step",
    "trajectory",
]

"""Laws of learning in context: what attention can do with examples, exact at finite size.

icl_tasks.py   pretraining one-step attention on tasks: risk, largest stable step, optimum, ridge
"""

from twopart.laws.in_context.icl_tasks import (
    Bayes,
    Geometric,
    Moments,
    Optimum,
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
    "Geometric",
    "Moments",
    "Optimum",
    "Order",
    "bayes",
    "moments",
    "optimum",
    "paper_bound",
    "risk",
    "second_moment",
    "stable_step",
    "trajectory",
]

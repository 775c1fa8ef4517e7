"""Laws of learning in context.

context_hijacking.py  what L steps of gradient descent say after N copies of one adverse example
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

__all__ = [
    "Chance",
    "Limits",
    "Optimum",
    "hijack_error",
    "hijack_limits",
    "hijack_logits",
    "optimal_steps",
]

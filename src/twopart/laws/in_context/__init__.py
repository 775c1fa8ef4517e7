"""Laws of learning in context.

context_hijacking.py  what L steps of gradient descent say after N copies of one adverse example
hermite.py            what a nonlinearity does to a Gaussian: its Hermite coefficients and power
memorization.py       a ridge probe of attention's features: what it memorises and generalises, beside ridge on the tokens
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
from twopart.laws.in_context.hermite import Hermite, hermite
from twopart.laws.in_context.memorization import (
    ActivationReport,
    MemorizationLaw,
    activation_report,
    feature_power,
    memorization_law,
    ridge_law,
)

__all__ = [
    "ActivationReport",
    "Chance",
    "Hermite",
    "Limits",
    "MemorizationLaw",
    "Optimum",
    "activation_report",
    "feature_power",
    "hermite",
    "hijack_error",
    "hijack_limits",
    "hijack_logits",
    "memorization_law",
    "optimal_steps",
    "ridge_law",
]

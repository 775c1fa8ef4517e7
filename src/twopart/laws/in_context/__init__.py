"""Laws of learning in context: what attention makes of the examples before it.

hermite.py       what a nonlinearity does to a Gaussian: its Hermite coefficients and power
memorization.py  a ridge probe of attention's features: what it memorises and generalises, beside ridge on the tokens
"""

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
    "Hermite",
    "MemorizationLaw",
    "activation_report",
    "feature_power",
    "hermite",
    "memorization_law",
    "ridge_law",
]

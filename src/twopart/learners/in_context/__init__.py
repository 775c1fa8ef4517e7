"""Learners in context: small attention models, and readers of anybody's.

answers.py           any in-context classifier or regressor, a torch module or a function of arrays, asked in batches
kernel_attention.py  attention features of labelled tokens, and the ridge probe that says what they memorise
"""

from twopart.learners.in_context.answers import Model, answers
from twopart.learners.in_context.kernel_attention import (
    Entrywise,
    RowSoftmax,
    features,
    generalization_error,
    memorization_curve,
    memorization_error,
    probe_spectrum,
)

__all__ = [
    "Entrywise",
    "Model",
    "RowSoftmax",
    "answers",
    "features",
    "generalization_error",
    "memorization_curve",
    "memorization_error",
    "probe_spectrum",
]

"""Learners in context: small attention models, and readers of anybody's.

as_model.py              a module with inputs and outputs of its own as such a model
answers.py               any in-context classifier or regressor, a torch module or a function of arrays, asked in batches
gradient_transformer.py  linear attention whose layers are steps of gradient descent
hijacking.py             error by repetitions of an adverse example, and the layer in which the answer turned
training.py              any in-context module, on fresh prompts
kernel_attention.py      attention features of labelled tokens, and the ridge probe that says what they memorise
"""

from twopart.learners.in_context.answers import Model, answers
from twopart.learners.in_context.as_model import AsModel
from twopart.learners.in_context.gradient_transformer import GradientTransformer
from twopart.learners.in_context.hijacking import Curve, hijack_curve, layer_logits, safe_tokens
from twopart.learners.in_context.kernel_attention import (
    Entrywise,
    RowSoftmax,
    features,
    generalization_error,
    memorization_curve,
    memorization_error,
    probe_spectrum,
)
from twopart.learners.in_context.training import train_in_context

__all__ = [
    "AsModel",
    "Curve",
    "Entrywise",
    "GradientTransformer",
    "Model",
    "RowSoftmax",
    "answers",
    "features",
    "generalization_error",
    "hijack_curve",
    "layer_logits",
    "memorization_curve",
    "memorization_error",
    "probe_spectrum",
    "safe_tokens",
    "train_in_context",
]

"""Learners in context: small attention models, and readers of anybody's.

answers.py               any in-context classifier or regressor, a torch module or a function of arrays, asked in batches
gradient_transformer.py  linear attention whose layers are steps of gradient descent, and the training of in-context modules
hijacking.py             error by repetitions of an adverse example, and the layer in which the answer turned
"""

from twopart.learners.in_context.answers import Model, answers
from twopart.learners.in_context.gradient_transformer import GradientTransformer, train_in_context
from twopart.learners.in_context.hijacking import AsClassifier, Curve, hijack_curve, layer_logits, safe_tokens

__all__ = [
    "AsClassifier",
    "Curve",
    "GradientTransformer",
    "Model",
    "answers",
    "hijack_curve",
    "layer_logits",
    "safe_tokens",
    "train_in_context",
]

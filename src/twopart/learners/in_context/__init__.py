"""Learners in context: small attention models, and readers of anybody's.

as_model.py              a module with inputs and outputs of its own as such a model
answers.py               any in-context classifier or regressor, a torch module or a function of arrays, asked in batches
gradient_transformer.py  linear attention whose layers are steps of gradient descent
hijacking.py             error by repetitions of an adverse example, and the layer in which the answer turned
linear_attention.py      attention without softmax, one matrix or a full layer, and its pretraining on tasks
readout.py               risk of any regressor by length of context, and the step of gradient descent that it makes
sequence.py              a transformer, of Hugging Face or torch, as an in-context regressor
training.py              any in-context module, on fresh prompts
"""

from twopart.laws.in_context.icl_tasks import Geometric
from twopart.learners.in_context.answers import Model, answers
from twopart.learners.in_context.as_model import AsModel
from twopart.learners.in_context.gradient_transformer import GradientTransformer
from twopart.learners.in_context.hijacking import Curve, hijack_curve, layer_logits, safe_tokens
from twopart.learners.in_context.linear_attention import LinearAttention, OneStepAttention, descend, pretrain
from twopart.learners.in_context.readout import Risks, Step, fit_gamma, readout
from twopart.learners.in_context.sequence import SequenceRegressor
from twopart.learners.in_context.training import train_in_context

__all__ = [
    "AsModel",
    "Curve",
    "Geometric",
    "GradientTransformer",
    "LinearAttention",
    "Model",
    "OneStepAttention",
    "Risks",
    "SequenceRegressor",
    "Step",
    "answers",
    "descend",
    "fit_gamma",
    "hijack_curve",
    "layer_logits",
    "pretrain",
    "readout",
    "safe_tokens",
    "train_in_context",
]

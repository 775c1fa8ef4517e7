"""Learners in context: small attention models, and readers of anybody's.

answers.py   any in-context classifier or regressor, a torch module or a function of arrays, asked in batches
sequence.py  a transformer, of Hugging Face or torch, as an in-context regressor
linear_attention.py   attention without softmax, one matrix or a full layer, and its pretraining on tasks
readout.py   the risk of any in-context regressor by length of context, and the step of gradient descent that it makes
"""

from twopart.laws.in_context.icl_tasks import Geometric
from twopart.learners.in_context.answers import Model, answers
from twopart.learners.in_context.linear_attention import LinearAttention, OneStepAttention, descend, pretrain
from twopart.learners.in_context.readout import Risks, Step, fit_gamma, readout
from twopart.learners.in_context.sequence import SequenceRegressor

__all__ = [
    "Geometric",
    "LinearAttention",
    "Model",
    "OneStepAttention",
    "Risks",
    "SequenceRegressor",
    "Step",
    "answers",
    "descend",
    "fit_gamma",
    "pretrain",
    "readout",
]

"""Learners in context: small attention models, and readers of anybody's.

answers.py               any in-context classifier or regressor, a torch module or a function of arrays, asked in batches
attention_parts.py       where the heads of anybody's attention are, and the subspaces that they read
attention_only.py        attention only; accuracy by depth and heads of any module, and what its heads attend to
circuits.py              the same with weights that are written down
complexity.py            norms, margins and sharpness of any classifier
crate.py                 CRATE, a transformer derived from sparse rate reduction, and its variants
gradient_transformer.py  linear attention whose layers are steps of gradient descent
heads.py                 what the heads of any transformer are for: importance, pruning, probing
hooks.py                 any module asked, and what its parts give on the way
hijacking.py             error by repetitions of an adverse example, and the layer in which the answer turned
kernel_attention.py      attention features of labelled tokens, and the ridge probe that says what they memorise
linear_attention.py      attention without softmax, one matrix or a full layer, and its pretraining on tasks
multi_head.py            attention alone, with so many heads a layer, as a regressor
preprocess.py            gradient descent on features scaled by X'y/n; preprocessed_gradient.py the same for scikit-learn
rate_reduction.py        coding rates of any module's features by layer, and as a regulariser
readout.py               risk of any regressor by length of context, and the step of gradient descent that it makes
sequence.py              a transformer, of Hugging Face or torch, as an in-context regressor
training.py              any in-context module, or many of one shape at once, on fresh prompts
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from twopart.laws.in_context.icl_tasks import Geometric
from twopart.learners.in_context.answers import AsModel, Model, answers
from twopart.learners.in_context.attention_only import AttentionOnly, depth_profile, operations
from twopart.learners.in_context.attention_parts import find_heads, subspaces_of
from twopart.learners.in_context.circuits import (
    context_templates_three_layer,
    memorise,
    recall_one_layer,
    recall_two_layer,
    templates_two_layer,
)
from twopart.learners.in_context.complexity import complexity, path_norm
from twopart.learners.in_context.crate import Crate, CrateBlock, Ista, Mssa
from twopart.learners.in_context.gradient_transformer import GradientTransformer
from twopart.learners.in_context.heads import head_importance, heads_used, probe, prune
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
from twopart.learners.in_context.linear_attention import LinearAttention, OneStepAttention, descend, pretrain
from twopart.learners.in_context.multi_head import InContextRegressor
from twopart.learners.in_context.preprocess import preprocessed_flow, preprocessed_path
from twopart.learners.in_context.rate_reduction import (
    Rates,
    SRRRegulariser,
    coding_rate,
    rate_reduction,
    srr,
    subspace_rate,
    taylor,
    watch,
)
from twopart.learners.in_context.readout import Risks, Step, fit_gamma, readout
from twopart.learners.in_context.sequence import SequenceRegressor
from twopart.learners.in_context.training import train_in_context, train_together

if TYPE_CHECKING:
    from twopart.learners.in_context.preprocessed_gradient import PreprocessedGradient

__all__ = [
    "AsModel",
    "AttentionOnly",
    "Crate",
    "CrateBlock",
    "Curve",
    "Entrywise",
    "Geometric",
    "GradientTransformer",
    "InContextRegressor",
    "Ista",
    "LinearAttention",
    "Model",
    "Mssa",
    "OneStepAttention",
    "PreprocessedGradient",
    "Rates",
    "Risks",
    "RowSoftmax",
    "SRRRegulariser",
    "SequenceRegressor",
    "Step",
    "answers",
    "coding_rate",
    "complexity",
    "context_templates_three_layer",
    "depth_profile",
    "descend",
    "features",
    "find_heads",
    "fit_gamma",
    "generalization_error",
    "head_importance",
    "heads_used",
    "hijack_curve",
    "layer_logits",
    "memorise",
    "memorization_curve",
    "memorization_error",
    "operations",
    "path_norm",
    "preprocessed_flow",
    "preprocessed_path",
    "pretrain",
    "probe",
    "probe_spectrum",
    "prune",
    "rate_reduction",
    "readout",
    "recall_one_layer",
    "recall_two_layer",
    "safe_tokens",
    "srr",
    "subspace_rate",
    "subspaces_of",
    "taylor",
    "templates_two_layer",
    "train_in_context",
    "train_together",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name == "PreprocessedGradient":
        return import_module(f"{__name__}.preprocessed_gradient").PreprocessedGradient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Worlds of learning in context: examples of a task, and a question about one more.

hijacked.py  linear classification around a known prior, and contexts that repeat a neighbour of the query
images.py    images of several classes: digits, or CIFAR from a folder
prompts.py   prompts as arrays, the type that every world and reader of this room shares
regression.py   linear regression with a task of its own in each prompt
sparse.py    linear regression whose tasks have few entries, examples Gaussian or orthonormal
sequence_tasks.py  memory, recall, templates, and templates labelled in context
signal_tokens.py  tokens in two classes, Gaussian or real images: a signal with the label's sign in noise
subspace_tokens.py  tokens near a union of subspaces that are known
"""

from twopart.worlds._image_folders import Labelled
from twopart.worlds.in_context.hijacked import HijackedClassification, HijackPairs, digit_pairs
from twopart.worlds.in_context.images import Images
from twopart.worlds.in_context.prompts import Prompts
from twopart.worlds.in_context.regression import InContextRegression
from twopart.worlds.in_context.sequence_tasks import (
    ContextTemplates,
    Memorise,
    Recall,
    Sequences,
    Task,
    Templates,
    growth_strings,
    template_of,
)
from twopart.worlds.in_context.signal_tokens import DigitTokens, SignalTokens, Tokens
from twopart.worlds.in_context.sparse import SparseRegression
from twopart.worlds.in_context.subspace_tokens import SubspaceTokens

__all__ = [
    "ContextTemplates",
    "DigitTokens",
    "HijackPairs",
    "HijackedClassification",
    "Images",
    "InContextRegression",
    "Labelled",
    "Memorise",
    "Prompts",
    "Recall",
    "Sequences",
    "SignalTokens",
    "SparseRegression",
    "SubspaceTokens",
    "Task",
    "Templates",
    "Tokens",
    "digit_pairs",
    "growth_strings",
    "template_of",
]

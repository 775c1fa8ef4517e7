"""Learners: who learns, and what each sentence cost before it was learned. What several theories use stands here:

transformer.py   the model: a compact decoder in the style of Llama;  rotary.py  how it tells positions
streams.py       what it reads: token ids with roles, addressed by sentence
schedules.py     how its learning rate goes
settings.py      how it learns
losses.py        what a sentence costs it, by role
training.py      one pass over a stream: the prequential code length
ensemble.py      many modules of one architecture, trained at once
lora.py          fine-tuning by low-rank changes
checkpoints.py   so that a run can stop anywhere and go on
huggingface.py   models on disk, as Hugging Face reads and writes them
weights.py       a model as a table, handed from cell to cell
_*.py            a run's inside, and what makes it fast on a CPU: the faster library's products, compiled loops for the rest

A room per theory:
knowledge/       how a corpus is read, and how a model is asked for facts; its names are on this face too
diffusion/       decoders of token grids and their orders
features/        a two-layer network, attacks on classifiers and a certificate
diffusion/       samplers, denoisers, training and densities of diffusion models
in_context/      small attention models, and readers of anybody's
policies/        what reinforcement does: group advantages, token losses, reports of rollouts
regression/      SGD on least squares and its kin, many runs at once
sampling/        samplers: Langevin dynamics with smoothed steps, on a user's own module or score
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twopart._lazy import late
from twopart.learners.averaging import WeightAverage
from twopart.learners.devices import together
from twopart.learners.ensemble import Ensemble
from twopart.learners.huggingface import load_model, save_model
from twopart.learners.lora import LoRA
from twopart.learners.rotary import Rotary
from twopart.learners.schedules import Constant, Cosine, InverseRoot, Linear, Schedule, WarmupStableDecay
from twopart.learners.settings import TrainingConfig
from twopart.learners.streams import ArrayStream, Batch, DrawnStream, ReplayStream, TokenStream
from twopart.learners.training import Progress, Trained, evaluate, train
from twopart.learners.transformer import Transformer, TransformerConfig
from twopart.learners.weights import weights_table, with_weights

if TYPE_CHECKING:
    from twopart.learners import diffusion, features, in_context, knowledge, policies, regression, sampling
    from twopart.learners.knowledge import (
        AssociativeMemory,
        Encoded,
        MemoryConfig,
        Pairs,
        Recall,
        Strangers,
        SymbolStream,
        confidence_of_strangers,
        fact_ids,
        format_redundancy,
        in_rows,
        learn_pairs,
        recall,
        sentence_bits,
        shuffled_between,
        symbol_roles,
        teach,
        tempered_stream,
        token_bits,
    )

__all__ = [
    "ArrayStream",
    "AssociativeMemory",
    "Batch",
    "Constant",
    "Cosine",
    "DrawnStream",
    "Encoded",
    "Ensemble",
    "InverseRoot",
    "Linear",
    "LoRA",
    "MemoryConfig",
    "Pairs",
    "Progress",
    "Recall",
    "ReplayStream",
    "Rotary",
    "Schedule",
    "Strangers",
    "SymbolStream",
    "TokenStream",
    "Trained",
    "TrainingConfig",
    "Transformer",
    "TransformerConfig",
    "WarmupStableDecay",
    "WeightAverage",
    "confidence_of_strangers",
    "diffusion",
    "evaluate",
    "fact_ids",
    "features",
    "format_redundancy",
    "in_context",
    "in_rows",
    "knowledge",
    "learn_pairs",
    "load_model",
    "policies",
    "recall",
    "regression",
    "sampling",
    "save_model",
    "sentence_bits",
    "shuffled_between",
    "symbol_roles",
    "teach",
    "tempered_stream",
    "together",
    "token_bits",
    "train",
    "weights_table",
    "with_weights",
]

if not TYPE_CHECKING:
    ROOMS = ("diffusion", "features", "in_context", "knowledge", "policies", "regression", "sampling")
    __getattr__, __dir__ = late(__name__, __all__, rooms=ROOMS, core="knowledge")

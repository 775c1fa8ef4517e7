"""Learners: who learns a corpus, and what each sentence cost before it was learned.

transformer.py   the model: a compact decoder in the style of Llama
streams.py       what it reads: token ids with roles, addressed by sentence
reading.py       a corpus in symbols as such a stream
schedules.py     how its learning rate goes
settings.py      how it learns
losses.py        what a sentence costs it, by role
training.py      one pass over a stream: the prequential code length
lora.py          fine-tuning by low-rank changes
checkpoints.py   so that a run can stop anywhere and go on
huggingface.py   models on disk, as Hugging Face reads them
weights.py       a model as a table, handed from cell to cell
recall.py        what a model knows: it is asked for facts
formats.py       what the format of its sentences costs a model
costs.py         what a run will take
_*.py            a run's inside, and what makes it fast on a CPU: products through oneDNN, compiled loops for the rest
"""

from twopart.learners.costs import Estimate, estimate, peak_flops
from twopart.learners.formats import format_redundancy
from twopart.learners.huggingface import load_model, save_model
from twopart.learners.lora import LoRA
from twopart.learners.reading import SymbolStream, symbol_roles
from twopart.learners.recall import Recall, recall
from twopart.learners.schedules import Constant, Cosine, InverseRoot, Linear, Schedule, WarmupStableDecay
from twopart.learners.settings import TrainingConfig
from twopart.learners.streams import ArrayStream, Batch, ReplayStream, TokenStream
from twopart.learners.training import Progress, Trained, evaluate, train
from twopart.learners.transformer import Transformer, TransformerConfig
from twopart.learners.weights import weights_table, with_weights

__all__ = [
    "ArrayStream",
    "Batch",
    "Constant",
    "Cosine",
    "Estimate",
    "InverseRoot",
    "Linear",
    "LoRA",
    "Progress",
    "Recall",
    "ReplayStream",
    "Schedule",
    "SymbolStream",
    "TokenStream",
    "Trained",
    "TrainingConfig",
    "Transformer",
    "TransformerConfig",
    "WarmupStableDecay",
    "estimate",
    "evaluate",
    "format_redundancy",
    "load_model",
    "peak_flops",
    "recall",
    "save_model",
    "symbol_roles",
    "train",
    "weights_table",
    "with_weights",
]

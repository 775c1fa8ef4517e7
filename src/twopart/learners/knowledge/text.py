"""Real text as a learner reads it: rows of byte-pair tokens that never cross the border of a word.

    pairs = learn_pairs(text[:100_000], vocabulary=512)
    encoded = pairs.encode(documents)                       # token ids, and where each token ends in the text
    order = shuffled_between((500, 1000), seed)             # of rows: each stays in its stretch
    stream = ArrayStream(in_rows(encoded.tokens, 128, bos=pairs.vocabulary), roles)
    bits = token_bits(model, encoded.tokens)                # what each token costs a model that stays as it is

So each token lies in a word (`worlds.words_of`) or in none. Bytes are read as Latin-1, one letter each: any file can be read,
and positions are positions in the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from twopart import _random
from twopart.learners.transformer import Transformer
from twopart.worlds.knowledge.documents import LETTERS

Integers = NDArray[np.int64]

SPACES = " \t\n\r\f\v"
ROWS = 64  # asked at once


@dataclass(frozen=True, eq=False)
class Encoded:
    """A text in tokens."""

    tokens: Integers
    """Token ids (n,)."""
    ends: Integers
    """Where each token ends, in bytes from the start (n,)."""


@dataclass(frozen=True)
class Pairs:
    """Byte-pair tokens (Sennrich et al. 2016)."""

    tokenizer: Any

    @property
    def vocabulary(self) -> int:
        """Tokens, BOS not among them."""
        return int(self.tokenizer.get_vocab_size())

    def encode(self, documents: Sequence[bytes]) -> Encoded:
        """The documents one after the other; no token reaches across two."""
        texts = [document.decode("latin-1") for document in documents]
        encodings = self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        tokens = np.concatenate([np.array(one.ids, np.int64) for one in encodings])
        lengths = np.zeros(self.vocabulary, np.int64)
        for token, number in self.tokenizer.get_vocab().items():
            lengths[number] = len(token)
        return Encoded(tokens, np.cumsum(lengths[tokens]))


def learn_pairs(text: bytes, vocabulary: int) -> Pairs:
    """At most `vocabulary` tokens: all bytes, then the pair that is most frequent in `text`, again and again."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    runs = f"[{LETTERS}]+|[{SPACES}]+|[^{LETTERS}{SPACES}]+"
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(runs), "isolated")
    alphabet = [chr(byte) for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([text.decode("latin-1")], trainer)
    return Pairs(tokenizer)


def in_rows(tokens: Integers, context: int, bos: int) -> NDArray[np.uint16]:
    """Rows of `context` tokens, each behind BOS; what lacks in the last is filled with BOS. Ids lie below 65,536."""
    rows = -(-len(tokens) // context)
    padded = np.full(rows * context, bos, np.uint16)
    padded[: len(tokens)] = tokens
    return np.insert(padded.reshape(rows, context), 0, bos, axis=1)


def shuffled_between(moments: Sequence[int], seed: int) -> Integers:
    """Rows in an order that leaves each in its own stretch between two of the rising moments, or before the first."""
    random = _random.generator(seed, "rows")
    return np.concatenate([start + random.permutation(stop - start) for start, stop in pairwise((0, *moments))])


@torch.no_grad()
def token_bits(model: Transformer, tokens: Integers) -> NDArray[np.float64]:
    """What each token of a text costs the model, the last of whose vocabulary is BOS, in rows as long as its context."""
    rows = in_rows(tokens, model.config.context, bos=model.config.vocabulary - 1).astype(np.int64)
    device, parts = model.embedding.device, []
    for start in range(0, len(rows), ROWS):
        part = torch.from_numpy(rows[start : start + ROWS]).to(device)
        logits = model(part[:, :-1]).float()
        parts.append(functional.cross_entropy(logits.flatten(0, 1), part[:, 1:].flatten(), reduction="none").cpu())
    return np.asarray(torch.cat(parts)[: len(tokens)].double().numpy() / np.log(2))

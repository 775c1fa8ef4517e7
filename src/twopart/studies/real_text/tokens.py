"""Text as tokens, and its words: byte pairs that never cross the border of a word, so that each token is in a word or in none.

Bytes are read as Latin-1, one letter each: any file can be read, and positions are positions in the file. A word is a run of
ASCII letters, digits, underscores and bytes beyond ASCII; in ASCII text that is what `twopart measure` calls an identifier.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twopart.studies.real_text.corpus import Documents, Reading, divide

LETTERS, SPACES = "A-Za-z0-9_\x80-\xff", " \t\n\r\f\v"
WORD = re.compile(f"[{LETTERS}]+".encode("latin-1"))

Integers = NDArray[np.int64]


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

    def encode(self, documents: Documents) -> Encoded:
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


@lru_cache(maxsize=1)
def encode(reading: Reading, least: int, vocabulary: int) -> tuple[int, Encoded, Encoded]:
    """How many tokens there are, and the text to read and the one held out in them; made on the first `least` bytes."""
    corpus = divide(reading)
    pairs = learn_pairs(corpus.text[:least], vocabulary)
    return pairs.vocabulary, pairs.encode(corpus.training), pairs.encode(corpus.held_out)


def words(text: bytes) -> list[bytes]:
    """The words of a text, in order."""
    return WORD.findall(text)


def spans(documents: Documents) -> Integers:
    """Where each word of the documents, taken as one text, starts and ends, in bytes (W, 2); none reaches across two."""
    starts = np.cumsum([0, *map(len, documents)])
    found = [
        (start + match.start(), start + match.end())
        for start, document in zip(starts, documents, strict=False)
        for match in WORD.finditer(document)
    ]
    return np.array(found, np.int64).reshape(-1, 2)


def seen_before(asked: Iterable[bytes], text: bytes, sizes: Sequence[int]) -> Integers:
    """How often each word asked for stands in the first bytes of `text`, for each of the rising `sizes` (S, W)."""
    asked, counts, rows = list(asked), Counter[bytes](), []
    for start, stop in pairwise((0, *sizes)):
        counts.update(words(text[start:stop]))
        rows.append([counts[word] for word in asked])
    return np.array(rows, np.int64)

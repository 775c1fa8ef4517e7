"""The English text as ids of a byte-pair tokenizer, with a role for every token.

A byte-level tokenizer first cuts text before spaces and punctuation and then merges inside the cuts. So a sentence's tokens
are those of its pieces, each tokenized once when the rendering is made, and no token holds parts of two roles.

    tokenizer = train_tokenizer(render(corpus, "english").texts, vocabulary=1024)
    tokens, roles = encode_english(corpus, tokenizer)         # both (sentences, longest), PADDING behind the shorter ones
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart import _random
from twopart._checks import InputError, check_integer
from twopart._numba import kernel
from twopart.roles import Role
from twopart.worlds.knowledge.renderings._facts import Facts, facts_of
from twopart.worlds.knowledge.renderings._grammar import grammar_of
from twopart.worlds.knowledge.renderings._pieces import Pieces, roles_of
from twopart.worlds.knowledge.renderings.english import EnglishRendering
from twopart.worlds.knowledge.syntax_knowledge import Corpus, SyntaxKnowledge

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """A byte-level byte-pair tokenizer with `vocabulary` >= 256 ids, the same for the same texts. It has no special tokens.

    Fewer ids come out if the texts do not hold so many different pairs.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    check_integer("vocabulary", vocabulary, 256, 2**20, "256 leaves single bytes")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def encode_english(corpus: Corpus, tokenizer: Tokenizer) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Token ids and their roles, both of shape (sentences, tokens of the longest); padding has id 0 and `Role.PADDING`."""
    rendered = _pieces(corpus.world, tokenizer).render(facts_of(corpus, corpus.world))
    longest = int(np.diff(rendered.offsets).max(initial=0))
    tokens = np.zeros((len(corpus), longest), np.int32)
    roles = np.full(tokens.shape, Role.PADDING, np.uint8)
    _unpack(rendered.data, roles_of(rendered), rendered.offsets, tokens, roles)
    return tokens, roles


def token_roles(text: str, offsets: ArrayLike, span: ArrayLike) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Roles of one sentence's tokens from any tokenizer, and which tokens straddle two roles.

    `offsets` (tokens, 2) holds the tokens' starts and ends in `text`, `span` is the sentence's row of `EnglishText.spans`.
    A token has the role of the first character from its start on that is not a space, as a space goes with the word it
    opens; it straddles if it holds such characters of two roles. Tokens of no length, as special ones are, get PADDING.
    """
    roles = np.full(len(text) + 1, Role.SYNTAX, np.uint8)
    name_start, name_end, value_start, value_end = np.asarray(span, np.int64)
    roles[name_start:name_end], roles[value_start:value_end] = Role.NAME, Role.VALUE
    for place in reversed(range(len(text))):
        if text[place].isspace():
            roles[place] = roles[place + 1]
    starts, ends = np.asarray(offsets, np.int64).reshape(-1, 2).T
    straddles = [len(set(roles[start:end].tolist())) > 1 for start, end in zip(starts, ends, strict=True)]
    return np.where(starts == ends, np.uint8(Role.PADDING), roles[starts]), np.array(straddles, bool)


def _pieces(world: SyntaxKnowledge, tokenizer: Tokenizer) -> Pieces:
    def encode(strings: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in tokenizer.encode_batch(strings, add_special_tokens=False)]

    pieces = Pieces.of(grammar_of(world), encode, np.int32, gap=0)
    _check_cuts(world, pieces, encode)
    return pieces


def _check_cuts(world: SyntaxKnowledge, pieces: Pieces, encode: Callable[[list[str]], list[list[int]]]) -> None:
    """Raise `InputError` unless sentences of every template have the tokens of their pieces."""
    sizes = [attribute.templates for attribute in world.attributes]
    attribute = np.repeat(np.arange(len(sizes), dtype=np.int16), sizes)
    template = np.concatenate([np.arange(size, dtype=np.int16) for size in sizes])
    values = np.array([attribute.values for attribute in world.attributes])[attribute]
    random = _random.generator(0, "tokenizer probe")
    name, value = random.integers(world.names, size=len(values)), random.integers(values).astype(np.int32)
    facts = Facts(name, attribute, template, value)
    rendered = pieces.render(facts)
    for index, ids in enumerate(encode(EnglishRendering(world).render(facts).texts)):
        if ids != rendered.data[rendered.offsets[index] : rendered.offsets[index + 1]].tolist():
            raise InputError(
                "`tokenizer` must cut text before spaces and punctuation and add nothing to it, as byte-level ones do; "
                "use `train_tokenizer`, or tokenize the texts themselves and get the roles from `token_roles`"
            )


@kernel
def _unpack(
    data: NDArray[np.int32],
    data_roles: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    tokens: NDArray[np.int32],
    roles: NDArray[np.uint8],
) -> None:
    """Ragged rows into the padded ones."""
    for i in range(len(tokens)):
        for k in range(offsets[i], offsets[i + 1]):
            tokens[i, k - offsets[i]] = data[k]
            roles[i, k - offsets[i]] = data_roles[k]

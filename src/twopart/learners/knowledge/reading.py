"""A corpus as a learner reads it: sentences in symbols, BOS in front, each position with its role.

Names may be read without being scored: then the model learns p(sentence | name), and its capacity goes to templates and facts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twopart.learners.streams import ArrayStream, DrawnStream
from twopart.roles import Role
from twopart.worlds.knowledge import Corpus, Excerpt
from twopart.worlds.knowledge.renderings import SymbolRendering


class SymbolStream(ArrayStream):
    """The sentences of a corpus, in its order."""

    vocabulary: int
    """Token ids lie below this."""
    context: int
    """Tokens of a sentence: the longest input of a model that reads it."""

    def __init__(self, corpus: Corpus, *, names: bool = True, weights: NDArray[Any] | None = None) -> None:
        """`names`: whether name tokens are scored; `weights` (sentences,): what each sentence counts in the objective."""
        rendering = SymbolRendering(corpus.world)
        tokens = np.insert(rendering.encode(corpus).tokens, 0, rendering.bos, axis=1)
        super().__init__(tokens, symbol_roles(rendering, names=names), weights)
        self.vocabulary, self.context = rendering.vocabulary, rendering.length


def tempered_stream(excerpt: Excerpt, sentences: int, temper: float = 0.5, stream: int = 0) -> DrawnStream:
    """A tempered sample of an excerpt (`Excerpt.tempered`), drawn as it is read; names are not scored."""

    def draw(n: int, start: int) -> SymbolStream:
        corpus, weights = excerpt.tempered(n, temper, stream, start)
        return SymbolStream(corpus, names=False, weights=weights)

    return DrawnStream(sentences, draw)


def symbol_roles(rendering: SymbolRendering, *, names: bool = True) -> NDArray[np.uint8]:
    """The role of each position, BOS first, shape (length + 1,)."""
    roles = np.insert(rendering.roles, 0, Role.PADDING)
    return roles if names else np.where(roles == Role.NAME, np.uint8(Role.PADDING), roles)

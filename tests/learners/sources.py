"""Sentences with a known entropy, for the tests of training."""

from __future__ import annotations

import numpy as np

from twopart.learners import ArrayStream
from twopart.roles import CodeLengths, Role

BOS = 0
NAMES = np.array([0.4, 0.25, 0.15, 0.1, 0.05, 0.05])
"""The first token says who: ids 1..6."""
SYNTAX = np.array([0.7, 0.2, 0.1])
"""The second says how: ids 7..9, whoever it is."""
FACTS = np.array([12, 10, 11, 10, 13, 12])
"""The third is a fact about the first, ids 10..13; once known it costs nothing."""
VOCABULARY = 14


def toy(sentences: int, seed: int = 0) -> tuple[ArrayStream, CodeLengths]:
    """BOS, name, syntax, value; and the oracle code's bits."""
    random = np.random.default_rng(seed)
    who = random.choice(len(NAMES), sentences, p=NAMES)
    how = random.choice(len(SYNTAX), sentences, p=SYNTAX)
    tokens = np.stack([np.full(sentences, BOS), 1 + who, 7 + how, FACTS[who]], axis=1)
    roles = np.array([Role.PADDING, Role.NAME, Role.SYNTAX, Role.VALUE], np.uint8)
    oracle = CodeLengths(-np.log2(NAMES[who]), -np.log2(SYNTAX[how]), np.zeros(sentences))
    return ArrayStream(tokens, roles), oracle


def ragged(sentences: int, vocabulary: int = 20, seed: int = 0) -> ArrayStream:
    """Random tokens and roles, one to six scored positions per sentence, with unscored ones among them."""
    random = np.random.default_rng(seed)
    tokens = random.integers(0, vocabulary, (sentences, 7))
    roles = random.integers(0, 4, (sentences, 7)).astype(np.uint8)
    roles[:, 1] = random.integers(0, 3, sentences)
    ends = random.integers(2, 8, sentences)
    roles[np.arange(7) >= ends[:, None]] = Role.PADDING
    return ArrayStream(tokens, roles)

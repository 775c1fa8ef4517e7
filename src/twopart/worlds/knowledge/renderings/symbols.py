"""Sentences as a few token ids, 4 to 8 each, for fast sweeps. All sentences of a world are equally long:

    name digits, most significant first | attribute | template | value: one token, or two digits if values are many

Ids: 0 is BOS; then one id per attribute, one per template index, a block for values and a block for name digits. Templates of
different attributes share ids, and so do their values and the digits of a name: what stands before tells them apart. Formats
share nothing: a shifted world numbers the new one's templates after all old ones, and its `before` has ids for both already.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._checks import check
from twopart.roles import Role
from twopart.worlds.knowledge.renderings._facts import Facts, check_facts, facts_of
from twopart.worlds.knowledge.syntax_knowledge import Corpus, SyntaxKnowledge

LONGEST = 8  # tokens a sentence
NAME_BASE = 256  # wanted base of name digits; more when the sentence would be longer than LONGEST
VALUE_BASE = 4096  # more values than this are written as two digits


@dataclass(frozen=True, eq=False)
class SymbolText:
    """Rendered sentences."""

    tokens: NDArray[np.int32]
    """Token ids, shape (sentences, length)."""
    roles: NDArray[np.uint8]
    """`Role` of each position, shape (length,): the same in every sentence."""

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True)
class SymbolRendering:
    """The one-to-one map between the sentences of a world and rows of token ids."""

    world: SyntaxKnowledge
    """Any world can be rendered."""

    @property
    def bos(self) -> int:
        """The id that starts a sequence and stands in no sentence."""
        return 0

    @cached_property
    def value_tokens(self) -> int:
        """Tokens of a value: 1, or 2 when some attribute has more than 4,096 values."""
        return 1 if self._most_values <= VALUE_BASE else 2

    @cached_property
    def value_base(self) -> int:
        """How many ids the block of values has."""
        return _least_base(self._most_values, self.value_tokens)

    @cached_property
    def name_tokens(self) -> int:
        """Digits of a name: as few as base 256 allows, and no more than leave the sentence at 8 tokens."""
        wanted = next(digits for digits in range(1, 9) if NAME_BASE**digits >= self.world.names)
        return min(wanted, LONGEST - 2 - self.value_tokens)

    @cached_property
    def name_base(self) -> int:
        """How many ids the block of name digits has."""
        return _least_base(self.world.names, self.name_tokens)

    @property
    def length(self) -> int:
        """Tokens of every sentence."""
        return self.name_tokens + 2 + self.value_tokens

    @property
    def vocabulary(self) -> int:
        """Number of ids, BOS included."""
        return self._starts[-1]

    @property
    def roles(self) -> NDArray[np.uint8]:
        """`Role` of each position, shape (length,)."""
        roles = [Role.NAME] * self.name_tokens + [Role.SYNTAX] * 2 + [Role.VALUE] * self.value_tokens
        return np.array(roles, np.uint8)

    def encode(self, corpus: Corpus) -> SymbolText:
        """The corpus's sentences as token ids."""
        facts = facts_of(corpus, self.world)
        attributes, templates, values, digits = self._starts[:4]
        tokens = np.empty((len(corpus), self.length), np.int32)
        name, attribute, template, value = self._columns
        _write(tokens[:, name], facts.name, self.name_base, digits)
        _write(tokens[:, attribute], facts.attribute, 2**15, attributes)
        _write(tokens[:, template], facts.template, 2**15, templates)
        _write(tokens[:, value], facts.value, self.value_base, values)
        return SymbolText(tokens, self.roles)

    def parse(self, tokens: ArrayLike) -> Facts:
        """The facts that rows of tokens tell; raises `InputError` if a row is not a sentence of this world."""
        rows = np.asarray(tokens)
        bound = f"whole numbers of shape (sentences, {self.length})"
        fits = rows.ndim == 2 and rows.shape[1] == self.length and np.issubdtype(rows.dtype, np.integer)
        check(fits, "tokens", f"{rows.dtype} of shape {rows.shape}", bound, "leave out BOS and padding")
        attributes, templates, values, digits = self._starts[:4]
        name, attribute, template, value = self._columns
        facts = Facts(
            _read(rows[:, name], self.name_base, digits),
            _read(rows[:, attribute], 2**15, attributes).astype(np.int16),
            _read(rows[:, template], 2**15, templates).astype(np.int16),
            _read(rows[:, value], self.value_base, values).astype(np.int32),
        )
        check_facts(facts, self.world, "parse with the world that the tokens were rendered from")
        return facts

    @cached_property
    def _most_values(self) -> int:
        return max(attribute.values for attribute in self.world.attributes)

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        """First ids of the blocks attribute, template, value, name digit, and the end of the last."""
        templates = max(attribute.templates for attribute in self.world.attributes)
        blocks = len(self.world.attributes), templates, self.value_base, self.name_base
        return tuple(accumulate(blocks, initial=self.bos + 1))

    @property
    def _columns(self) -> tuple[slice, slice, slice, slice]:
        """Where name, attribute, template and value stand in a row."""
        k = self.name_tokens
        return np.s_[:k], np.s_[k : k + 1], np.s_[k + 1 : k + 2], np.s_[k + 2 :]


def _least_base(count: int, digits: int) -> int:
    """The least b with b^digits >= count."""
    base = max(1, int(count ** (1 / digits)) - 1)
    while base**digits < count:
        base += 1
    return base


def _write(columns: NDArray[np.int32], numbers: NDArray[np.integer], base: int, start: int) -> None:
    """Digits of `numbers`, most significant first, into `columns`, as ids of the block that begins at `start`."""
    rest = numbers
    for column in range(columns.shape[1] - 1, 0, -1):
        rest, digit = np.divmod(rest, base)
        columns[:, column] = digit + start
    columns[:, 0] = rest + np.int64(start)


def _read(columns: NDArray[np.integer], base: int, start: int) -> NDArray[np.int64]:
    """The numbers that `_write` wrote, or -1 where an id is outside the block."""
    digits = columns.astype(np.int64) - start
    weights = base ** np.arange(columns.shape[1] - 1, -1, -1)
    return np.where(((digits >= 0) & (digits < base)).all(axis=1), digits @ weights, -1)

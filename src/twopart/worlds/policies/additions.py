"""Additions in two formats, as tokens: a real task whose answers can be checked, with a decision that is known.

<bos> 7 4 + 8 0 = so direct   0 5 5 .       47 + 8; the sum's digits from the first to the last
<bos> 7 4 + 8 0 = so reversed 5 5 0 .       from the last to the first, the way carries go: the easier one for a decoder

Questions write numbers from their last digit on. A response opens with a shared prefix, decides for a format, and ends with a
filler.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart import _random
from twopart._arrays import Floats, numbers
from twopart._checks import check, check_integer

Ints = NDArray[np.int64]
FORMATS = ("direct", "reversed")
TOKENS = (*map(str, range(10)), "<bos>", "+", "=", "so", *FORMATS, ".")
BOS, PLUS, EQUALS, SO, DIRECT, REVERSED, END = range(10, 17)


@dataclass(frozen=True)
class Additions:
    """Sums of two whole numbers of so many digits."""

    digits: int = 2
    """Digits of each number, 1 to 9; the sum has one more."""
    base: int = 10
    """Of their notation, 2 to 10: the smaller it is the sooner a small model can add."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_integer("digits", self.digits, 1, 9, "2 has 10,000 questions")
        check_integer("base", self.base, 2, 10, "digits are 0 to base - 1")

    @property
    def question(self) -> int:
        """Tokens of a question."""
        return 2 * self.digits + 3

    @property
    def response(self) -> int:
        """Tokens of a response; that at position 1 is the decision."""
        return self.digits + 4

    def numbers(self, count: int, stream: int = 0) -> Ints:
        """Pairs to add, shape (count, 2)."""
        n = check_integer("count", count, 1, None, "pairs to add")
        return _random.generator(self.seed, "additions", stream).integers(self.base**self.digits, size=(n, 2))

    def questions(self, pairs: Ints) -> Ints:
        """Their tokens, shape (N, question)."""
        tokens, plus = np.full((self._checked(pairs), self.question), EQUALS), self.digits + 1
        tokens[:, 0], tokens[:, plus] = BOS, PLUS
        tokens[:, 1:plus], tokens[:, plus + 1 : -1] = (self._places(v, self.digits)[:, ::-1] for v in pairs.T)
        return tokens

    def responses(self, pairs: Ints, formats: Ints) -> Ints:
        """The right responses in formats (N,), 0 direct and 1 reversed, shape (N, response)."""
        n = self._checked(pairs)
        known = np.shape(formats) == (n,) and bool(np.isin(formats, (0, 1)).all())
        check(known, "formats", formats, f"0 or 1, of shape ({n},)", "one for each pair")
        digits = self._places(pairs.sum(1), self.digits + 1)
        tokens = np.full((n, self.response), END)
        tokens[:, 0], tokens[:, 1] = SO, DIRECT + formats
        tokens[:, 2:-1] = np.where(formats[:, None] == 1, digits[:, ::-1], digits)
        return tokens

    def sentences(self, count: int, reversed_share: ArrayLike, stream: int = 0) -> Ints:
        """Questions with right responses, reversed with this probability, one for all or (count,): to fine-tune a model on."""
        share = numbers("reversed_share", reversed_share, 0, 1, "[]", "0.2 leaves direct the usual one")
        pairs = self.numbers(count, stream)
        formats = (_random.generator(self.seed, "formats", stream).random(count) < share).astype(np.int64)
        return np.hstack([self.questions(pairs), self.responses(pairs, formats)])

    def verify(self, pairs: Ints, responses: Ints) -> tuple[Ints, Floats]:
        """The format of each response (N, response), 2 for none, and its reward: 1 where all of it is right in its format."""
        have, want = responses.shape, (len(pairs), self.response)
        check(have == want, "responses", have, f"of shape {want}", "one per pair, cut to length")
        formats = np.where(np.isin(responses[:, 1], (DIRECT, REVERSED)), responses[:, 1] - DIRECT, len(FORMATS))
        right = self.responses(pairs, formats % len(FORMATS))  # of another format none is right
        return formats, (responses == right).all(1).astype(float)

    def _checked(self, pairs: Ints) -> int:
        top = self.base**self.digits - 1
        fits = np.ndim(pairs) == 2 and np.shape(pairs)[1] == 2 and bool(((pairs >= 0) & (pairs <= top)).all())
        check(fits, "pairs", np.shape(pairs), f"of shape (N, 2), numbers in 0..{top}", "`numbers` draws some")
        return len(pairs)

    def _places(self, values: Ints, count: int) -> Ints:
        """Digits of whole numbers (N,), the first one first, shape (N, count)."""
        return values[:, None] // self.base ** np.arange(count)[::-1] % self.base

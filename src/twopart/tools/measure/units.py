"""What is counted in a text: each unit turns pieces of bytes into numbers of types, 0, 1, 2, ... by first appearance.

words        runs of letters and the marks on them, lower-cased
identifiers  runs of letters, digits and underscores, case kept: `\\w+` of Python's `re`
bytes        single bytes
tokens       of a tokenizer.json

Words and identifiers are told apart in the normal form NFC: it makes no difference how an accented letter was typed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from unicodedata import normalize

import numpy as np

from twopart._checks import InputError
from twopart._files import check_source
from twopart._numba import kernel
from twopart.tools.measure.tally import Integers
from twopart.tools.measure.vocabulary import IN_IDENTIFIER, JOINER, UNSPACED, WORD, Vocabulary, lowered


class Unit(Protocol):
    """One kind of token, and the types of it that were met so far."""

    @property
    def definition(self) -> str:
        """What counts as one token, in a sentence."""
        ...

    @property
    def reads_text(self) -> bool:
        """Whether it needs text: binary files are none of its."""
        ...

    def numbers(self, piece: bytes) -> Integers:
        """The types of the tokens of `piece`, in order. Pieces are cut so that no word runs across (`sources.cut`), and of
        valid UTF-8 where the unit needs text (`sources.readable`).
        """
        ...

    def name(self, number: int) -> str:
        """How the type of that number reads."""
        ...


def composed(piece: bytes) -> bytes:
    """The text in the normal form NFC (Unicode annex 15): letter and accent are one code point where there is one."""
    if piece.isascii():
        return piece
    text = piece.decode()
    found = normalize("NFC", text)
    return piece if found == text else found.encode()


def as_lower(piece: bytes) -> bytes:
    """The text in NFC, each letter as its own `str.lower` where that is one letter: no rule looks at neighbours."""
    return piece.lower() if piece.isascii() else lowered(composed(piece))


@dataclass
class Words:
    """Runs of letters of one class."""

    definition: str
    prepare: Callable[[bytes], bytes]
    vocabulary: Vocabulary
    reads_text: bool = True

    def numbers(self, piece: bytes) -> Integers:
        return self.vocabulary.numbers(self.prepare(piece))

    def name(self, number: int) -> str:
        return self.vocabulary.word(number)

    def unspaced(self, counts: Integers) -> dict[str, float]:
        """Share of the letters that are of scripts written without spaces, by script, if type k stands `counts[k]` times."""
        letters = self.vocabulary.scripts(counts)
        return {name: float(letters[k] / letters.sum()) for k, name in enumerate(UNSPACED, 1) if letters[k]}


@dataclass
class Renumbered:
    """Numbers of types by first appearance, for tokens that come as numbers below some bound."""

    bound: int
    _numbers: Integers = field(init=False)
    _tokens: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._numbers = np.full(self.bound, -1)

    def numbers(self, tokens: Any) -> Integers:
        out = np.empty(len(tokens), np.int64)
        new = _renumber(tokens, self._numbers, len(self._tokens), out)
        self._tokens += new.tolist()
        return out

    def token(self, number: int) -> int:
        return self._tokens[number]


@kernel
def _renumber(tokens: Any, numbers: Any, distinct: int, out: Any) -> Any:
    """Write `out`, complete the table `numbers`, and return the tokens that were new."""
    new = np.empty(min(len(tokens), len(numbers) - distinct), np.int64)
    before = distinct
    for i in range(len(tokens)):
        token = tokens[i]
        if numbers[token] < 0:
            numbers[token] = distinct
            new[distinct - before] = token
            distinct += 1
        out[i] = numbers[token]
    return new[: distinct - before]


class Bytes:
    """Single bytes."""

    definition = "single bytes"
    reads_text = False

    def __init__(self) -> None:
        self._table = Renumbered(256)

    def numbers(self, piece: bytes) -> Integers:
        return self._table.numbers(np.frombuffer(piece, np.uint8))

    def name(self, number: int) -> str:
        return repr(bytes((self._table.token(number),)))[1:]


class Tokens:
    """Tokens of a `tokenizer.json`, without the special ones that it would put around a text."""

    reads_text = True

    def __init__(self, path: str | Path) -> None:
        from tokenizers import Tokenizer

        check_source(path, "name a tokenizer.json")
        try:
            self._tokenizer: Any = Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises plain Exception
            raise InputError(f"{path} is no tokenizer that can be read ({error}); name a tokenizer.json") from None
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._table = Renumbered(1 + max(self._tokenizer.get_vocab(with_added_tokens=True).values(), default=0))
        self.definition = f"tokens of {Path(path).name}, which sees the text line by line, each with its line end"

    def numbers(self, piece: bytes) -> Integers:
        lines = piece.decode().splitlines(keepends=True)
        encodings = self._tokenizer.encode_batch_fast(lines, add_special_tokens=False)
        return self._table.numbers(np.array([token for one in encodings for token in one.ids], np.int64))

    def name(self, number: int) -> str:
        return str(self._tokenizer.id_to_token(self._table.token(number)))


UNITS: dict[str, Callable[[], Unit]] = {
    "words": lambda: Words(
        "runs of letters and of the marks and joiners on them, lower-cased; all else that is seen parts them",
        as_lower,
        Vocabulary(WORD, JOINER),
    ),
    "identifiers": lambda: Words(
        "runs of letters, digits and underscores (\\w+ of Python's re), case kept", composed, Vocabulary(IN_IDENTIFIER)
    ),
    "bytes": Bytes,
}

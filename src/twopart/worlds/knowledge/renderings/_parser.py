"""English sentences read back: from a text to the one fact that it tells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import numpy as np

from twopart._checks import InputError
from twopart.worlds.knowledge.renderings._facts import Facts
from twopart.worlds.knowledge.renderings._grammar import Grammar

SURNAME = re.compile(r"(?:O')?[A-Za-z]+")  # not the "'s" behind it

Reading = tuple[int, int, int, int]
"""Name, attribute, template, value."""
Ending = tuple[int, int, str]
"""Attribute and template, and what stands after the value."""


class Parser:
    """Reads head, name, middle, value and tail from left to right, and asks every template that could have begun so."""

    def __init__(self, grammar: Grammar) -> None:
        self._digits = [{word: digit for digit, word in enumerate(words)} for words in grammar.words]
        self._bits = grammar.bits
        self._values = [{value: index for index, value in enumerate(a.values)} for a in grammar.attributes]
        self._middles: dict[str, dict[str, list[Ending]]] = {}
        for attribute, phrases in enumerate(grammar.attributes):
            for template, (head, middle, tail) in enumerate(phrases.templates):
                same = self._middles.setdefault(head, {}).setdefault(middle, [])
                same.append((attribute, template, tail))

    def parse(self, texts: Iterable[str]) -> Facts:
        """The facts of the texts, in their order."""
        rows = np.array([self._parse_one(text) for text in texts], np.int64).reshape(-1, 4)
        name, attribute, template, value = rows.T
        return Facts(name.copy(), attribute.astype(np.int16), template.astype(np.int16), value.astype(np.int32))

    def _parse_one(self, text: str) -> Reading:
        readings = set(self._readings(text))
        if len(readings) != 1:
            raise InputError(
                f"{text!r} is not a sentence of this world; parse with the world that the text was rendered from"
            )
        return readings.pop()

    def _readings(self, text: str) -> Iterator[Reading]:
        for head, middles in self._middles.items():
            name = self._name(text[len(head) :]) if text.startswith(head) else None
            if name is not None:
                index, rest = name
                yield from ((index, *fact) for fact in self._facts(rest, middles))

    def _name(self, text: str) -> tuple[int, str] | None:
        """The index of the name that `text` opens with and what follows it, if it opens with one."""
        words = text.split(" ", len(self._digits) - 1)
        surname = SURNAME.match(words[-1])
        if len(words) < len(self._digits) or surname is None:
            return None
        rest, words[-1] = words[-1][surname.end() :], surname.group()
        digits = [known.get(word) for known, word in zip(self._digits, words, strict=True)]
        if None in digits:
            return None
        return sum(digit << (place * self._bits) for place, digit in enumerate(digits) if digit), rest

    def _facts(self, text: str, middles: dict[str, list[Ending]]) -> Iterator[tuple[int, int, int]]:
        """All (attribute, template, value) that `text`, what follows a name, can mean."""
        for length in range(len(text)):
            for attribute, template, tail in middles.get(text[:length], ()):
                value = self._values[attribute].get(text[length : len(text) - len(tail)])
                if value is not None and text.endswith(tail):
                    yield attribute, template, value

"""How often a fact is told in a corpus: sentences with its subject, and with its subject and answer.

Words are compared in small letters; a name of several words counts where they stand one behind the other. A sentence ends at
., ! or ? before white space, or at a line end.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twopart._checks import InputError
from twopart.tools.measure.sources import blocks, cut, in_utf8, list_sources
from twopart.tools.probe.facts import Facts

WORD, END = re.compile(r"[^\W_]+"), re.compile(r"(?<=[.!?])\s+|\n+")
Words = tuple[str, ...]


def counted(facts: Facts, texts: Sequence[str | Path]) -> Facts:
    """The facts, their frequency one more than the sentences in `texts` with subject and answer. Raises `InputError` if no
    sentence has a subject."""
    subjects, both = counts(facts, texts)
    if not subjects.any():
        raise InputError(f"no subject is named in {', '.join(map(str, texts))}; count in other texts")
    return replace(facts, frequency=np.asarray(both + 1, np.float64))


def counts(facts: Facts, texts: Sequence[str | Path]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sentences with each fact's subject, and with subject and answer (N,)."""
    names = [words(subject) for subject in facts.subject]
    places, wanted = _index(names), [words(form) for forms in facts.candidates for form in forms]
    owner = [c for c, forms in enumerate(facts.candidates) for _ in forms]
    answers = _index(wanted)
    with_subject, with_both = np.zeros(len(facts), np.int64), np.zeros(len(facts), np.int64)
    for sentence in _sentences(texts):
        spoken = words(sentence)
        if found := set(_found(spoken, names, places)):
            said = {owner[i] for i in _found(spoken, wanted, answers)}
            for i in found:
                with_subject[i] += 1
                with_both[i] += int(facts.answer[i]) in said
    return with_subject, with_both


def words(text: str) -> Words:
    return tuple(WORD.findall(text.lower()))


def _index(names: Sequence[Words]) -> dict[str, list[int]]:
    """Places of names by their first word."""
    index: dict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(names):
        if name:
            index[name[0]].append(place)
    return dict(index)


def _found(spoken: Words, names: Sequence[Words], index: dict[str, list[int]]) -> Iterator[int]:
    for at, word in enumerate(spoken):
        for place in index.get(word, ()):
            if spoken[at : at + len(names[place])] == names[place]:
                yield place


def _sentences(texts: Sequence[str | Path]) -> Iterator[str]:
    """Each once, also where a block of bytes ends inside it."""
    for source in list_sources(texts):
        rest = ""
        for piece in cut(in_utf8(blocks(source), None, lambda _: None)[1]):
            *whole, rest = END.split(rest + piece.decode(errors="replace"))
            yield from whole
        yield rest

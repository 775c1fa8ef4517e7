"""Invented subjects that look like those of a group: what a model makes of a name that it cannot know.

A character model of order 4, of order 3 and 2 where that only copies; known names and those below four letters are rejected.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

import numpy as np

from twopart import _random

ORDERS = (4, 3, 2)
TRIES = 40
LEAST = 4  # letters
START, END = "\2", "\3"


def invent(names: Sequence[str], count: int, random: np.random.Generator, known: Collection[str] = ()) -> list[str]:
    """At most `count` names like `names`, none of them known; fewer, or none, where no model does anything but copy."""
    taken = {name.casefold() for name in (*names, *known)}
    found: list[str] = []
    for order in ORDERS:
        follows: dict[str, list[str]] = defaultdict(list)
        for name in names:
            text = START * order + name + END
            for i in range(order, len(text)):
                follows[text[i - order : i]].append(text[i])
        for _ in range(TRIES * count):
            if len(found) == count:
                return found
            text = START * order
            while text[-1] != END and len(text) < 60:
                letters = follows[text[-order:]]
                text += letters[random.integers(len(letters))]
            name = text.strip(START + END)
            if len(name) >= LEAST and name.casefold() not in taken and text[-1] == END:
                found.append(name)
                taken.add(name.casefold())
    return found


def invent_for(subjects: Sequence[str], groups: Sequence[str], each: int, seed: int) -> tuple[tuple[str, ...], ...]:
    """`each` twins for every subject, like the subjects of its group; none for those of a group that can only be copied."""
    members: dict[str, list[int]] = defaultdict(list)
    for i, group in enumerate(groups):
        members[group].append(i)
    twins: list[tuple[str, ...]] = [()] * len(subjects)
    for group, rows in members.items():
        names = [subjects[i] for i in rows]
        made = invent(names, each * len(rows), _random.generator(seed, "twins", group), subjects)
        for k, i in enumerate(rows):
            twins[i] = tuple(made[k :: len(rows)])
    return tuple(twins)

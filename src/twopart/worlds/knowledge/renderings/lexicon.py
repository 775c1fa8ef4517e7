"""The words of the English rendering: a snapshot shipped with the package, so that a corpus never changes under its user.

lexicon.json   names, cities, employers, universities, occupations: generated from Faker by scripts/snapshot_lexicon.py
phrases.json   templates, questions, fields of study, hobbies: written by hand
dates          computed: the days of 80 years, in an order that spreads any first part of them over all years
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from twopart._checks import check, check_choice

WORD_BITS = 12  # a word of a name is one of 4,096
FIRST_DAY, DAYS, STRIDE = date(1930, 1, 1), 29_220, 18_059  # 1930-2009; the stride is prime to the number of days
MONTHS: tuple[str, ...] = ("January", "February", "March", "April", "May", "June", "July")
MONTHS += ("August", "September", "October", "November", "December")


@dataclass(frozen=True)
class Lexicon:
    """Word lists; their order is part of the rendering, as a world's indices count along them."""

    first: tuple[str, ...]
    """Given names, 4,096."""
    last: tuple[str, ...]
    """Surnames, 4,096."""
    templates: dict[str, tuple[str, ...]]
    """By attribute: sentences with one {name} and, after it, one {value}."""
    values: dict[str, tuple[str, ...]]
    """By attribute: what the sentences say of an entity, articles included."""
    questions: dict[str, tuple[str, ...]]
    """By attribute: questions with their answers, the templates of a shifted world's new format."""
    fingerprint: str
    """Hash of all but the questions, which corpora in files do not have: two lexicons with one fingerprint render every other
    corpus alike."""

    def templates_of(self, attribute: str, count: int) -> tuple[str, ...]:
        """The first `count` templates of `attribute`; raises `InputError` if there are not so many."""
        return self._take(self.templates, "templates", attribute, count)

    def questions_of(self, attribute: str, count: int) -> tuple[str, ...]:
        """The first `count` questions about `attribute`; raises `InputError` if there are not so many."""
        return self._take(self.questions, "questions", attribute, count)

    def values_of(self, attribute: str, count: int) -> tuple[str, ...]:
        """The first `count` values of `attribute`; raises `InputError` if there are not so many."""
        return self._take(self.values, "values", attribute, count)

    def _take(self, lists: dict[str, tuple[str, ...]], what: str, attribute: str, count: int) -> tuple[str, ...]:
        remedy = "rename the attribute or render as symbols"
        check_choice("attribute", attribute, tuple(self.templates), remedy)
        available = lists[attribute]
        remedy = f"ask for fewer {what} or render as symbols"
        check(count <= len(available), f"{what} of {attribute}", count, f"at most {len(available)} in English", remedy)
        return available[:count]


@cache
def lexicon() -> Lexicon:
    """The lexicon of this version of the package."""
    words, phrases = _load("lexicon.json"), _load("phrases.json")
    values = {
        "birth_city": words["city"],
        "birth_date": dates(),
        "university": words["university"],
        "field_of_study": phrases["values"]["field_of_study"],
        "employer": words["employer"],
        "occupation": words["occupation"],
        "residence": words["city"],
        "hobby": phrases["values"]["hobby"],
    }
    content = [words["first"], words["last"], phrases["templates"], values]
    digest = hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=8).hexdigest()
    return Lexicon(
        tuple(words["first"]),
        tuple(words["last"]),
        {attribute: tuple(phrases["templates"][attribute]) for attribute in values},
        {attribute: tuple(listed) for attribute, listed in values.items()},
        {attribute: tuple(phrases["questions"][attribute]) for attribute in values},
        digest,
    )


def dates() -> list[str]:
    """All days from 1930 to 2009 as "3 March 1967", each once."""
    days = (FIRST_DAY + timedelta(index * STRIDE % DAYS) for index in range(DAYS))
    return [f"{day.day} {MONTHS[day.month - 1]} {day.year}" for day in days]


def _load(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((files(__package__) / name).read_text("ascii"))
    return content

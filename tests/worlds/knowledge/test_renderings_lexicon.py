"""The lexicon: well-formed words, sentences that read well and tell one fact each, and never a silent change."""

import re
from collections import Counter
from datetime import datetime, timedelta

import pytest

from twopart.worlds.knowledge.renderings._grammar import cut
from twopart.worlds.knowledge.renderings.lexicon import lexicon

WORDS = lexicon()
LISTS = {"first": WORDS.first, "last": WORDS.last, **WORDS.values}
STATEMENTS = [(a, t) for a, listed in WORDS.templates.items() for t in listed]
QUESTIONS = [(a, t) for a, listed in WORDS.questions.items() for t in listed]
TEMPLATES = STATEMENTS + QUESTIONS


def test_the_lexicon_is_the_released_one() -> None:
    """A corpus must not change under its user: a new fingerprint is a break that CHANGELOG.md has to announce."""
    assert WORDS.fingerprint == "3c47e13e3a2e5ec6"


@pytest.mark.parametrize("name", LISTS)
def test_words_are_distinct_printable_and_trimmed(name: str) -> None:
    words = LISTS[name]
    assert [word for word, count in Counter(word.lower() for word in words).items() if count > 1] == []
    assert [word for word in words if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9' ,-]*[A-Za-z0-9])?", word)] == []


def test_sizes() -> None:
    assert len(WORDS.first) == len(WORDS.last) == 4096
    assert len(WORDS.templates) >= 5
    assert all(len(templates) >= 20 for templates in WORDS.templates.values())
    assert all(len(questions) >= 8 for questions in WORDS.questions.values())
    assert all(len(values) >= 200 for values in WORDS.values.values())
    assert WORDS.templates.keys() == WORDS.values.keys()


def test_dates_are_all_days_of_80_years_in_a_mixed_order() -> None:
    days = [datetime.strptime(day, "%d %B %Y") for day in WORDS.values["birth_date"]]
    first = datetime(1930, 1, 1)
    assert sorted(days) == [first + timedelta(i) for i in range((datetime(2010, 1, 1) - first).days)]
    assert len({day.year for day in days[:64]}) > 30


def test_articles_fit() -> None:
    """Every occupation has its article; "an" stands before a vowel as it is spoken."""
    for job in WORDS.values["occupation"]:
        article, word = job.split()[:2]
        assert article == ("an" if word[0] in "aeioE" or word == "IT" or word.startswith("un") else "a"), job
    assert all("  " not in value for values in WORDS.values.values() for value in values)


@pytest.mark.parametrize(("attribute", "template"), QUESTIONS)
def test_questions_ask_of_the_name_and_are_answered_with_the_value(attribute: str, template: str) -> None:
    head, middle, tail = cut(template)
    assert f"{head}{{name}}{middle}{{value}}{tail}" == template
    assert re.fullmatch(r"Q: [A-Z][A-Za-z ]* ", head)
    assert re.fullmatch(r"( [a-z ]+)?[.?] A: ([A-Z][a-z, ]* )?", middle)
    assert tail == "."


@pytest.mark.parametrize(("attribute", "template"), STATEMENTS)
def test_templates_are_sentences_with_the_name_before_the_value(attribute: str, template: str) -> None:
    head, middle, tail = cut(template)
    assert f"{head}{{name}}{middle}{{value}}{tail}" == template
    assert not re.search(r"[{}]|  ", head + "|" + middle + "|" + tail)
    assert re.fullmatch(r"([A-Z][A-Za-z',. ]* )?", head), "starts with a capital, and a space before the name"
    assert re.match(r"['.,? (]", middle), "no letter touches the name"
    assert re.search(r"[ (]$", middle), "no letter touches the value"
    assert re.fullmatch(r"([,)]? [a-z ,']+)?[a-z ,)]*\.", tail), "ends with a full stop"


def test_no_two_facts_are_told_in_the_same_words() -> None:
    """A text is head + name + rest. Each of the three can be cut off in one way only, and a rest tells one fact."""
    heads = {cut(template)[0] for _, template in TEMPLATES}
    given = set(WORDS.first)
    for head in heads:
        longer = [other[len(head) :] for other in heads if other.startswith(head) and other != head]
        assert [rest for rest in longer if rest.split()[0] in given] == [], "a name could be taken for a head"
    assert all(re.fullmatch(r"(O')?[A-Za-z]{3,}", word) for word in (*WORDS.first, *WORDS.last))
    seen: set[tuple[str, str]] = set()
    for attribute, template in TEMPLATES:
        head, middle, tail = cut(template)
        rests = {(head, middle + value + tail) for value in WORDS.values[attribute]}
        assert len(rests) == len(WORDS.values[attribute])
        assert seen.isdisjoint(rests), (attribute, template)
        seen |= rests

"""Tasks on sequences: oracles by brute force on strings, Bell's numbers, and splits that share nothing."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.worlds.in_context import ContextTemplates, Memorise, Recall, Templates, growth_strings, template_of

TASKS = (
    Memorise(50),
    Recall(4),
    Recall(3, 8, repeated_answers=True),
    Templates(3),
    Templates(4, tokens="finite"),
    Templates(3, [(0, 0, 1), (0, 1, 2)], [1, 0]),
    ContextTemplates(2, Templates(2, size=5), 4),
    ContextTemplates(3, Templates(3, tokens="finite"), 3),
)


def canonical(word):
    """The growth string of any sequence of things that can be compared."""
    seen = []
    for one in word:
        if one not in seen:
            seen.append(one)
    return tuple(seen.index(one) for one in word)


def words(tokens):
    return [tuple(map(tuple, row)) if row.ndim == 2 else tuple(row.tolist()) for row in tokens]


def answer(task, word):
    """What a person would answer."""
    if isinstance(task, Memorise):
        return dict(zip(words(task.table.tokens), task.table.target, strict=True))[word]
    if isinstance(task, Recall):
        return dict(zip(word[:-1:2], word[1::2], strict=True))[word[-1]] - task.vocabulary
    if isinstance(task, Templates):
        return task.labels[task.templates.index(canonical(word))]
    L, size = task.templates.length, task.templates.size
    told = {canonical(word[i : i + L]): word[i + L] for i in range(0, len(word) - L, L + 1)}
    label = told[canonical(word[-L:])]
    return label - size if isinstance(label, int) else int(np.argmax(label[size:]))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
def test_oracles_are_those_of_strings(task):
    for part in (task, *task.split()):
        asked = part.sample(40, "strings")
        assert [answer(task, word) for word in words(asked.tokens)] == asked.target.tolist()
        np.testing.assert_array_equal(part.oracle(asked), asked.target)
        assert asked.tokens.shape[1] == task.shape["length"]
        assert asked.target.max() < task.shape["classes"]
        if asked.tokens.ndim == 3:
            assert asked.tokens.shape[2] == task.shape["inputs"]
            assert asked.tokens.dtype == np.float32
        else:
            assert asked.tokens.max() < task.shape["vocabulary"]
    assert task.optimum == 1


def test_templates_are_bells_numbers_and_all_strings():
    row = [1]
    for length in range(1, 7):
        assert len(growth_strings(length)) == row[-1]
        row = [row[-1]] + [sum(row[: k + 1]) + row[-1] for k in range(length)]  # Bell's triangle
    every = {canonical(word) for word in product(range(4), repeat=4)}
    assert set(growth_strings(4)) == every
    assert list(growth_strings(4)) == sorted(every)
    np.testing.assert_array_equal(template_of(np.array([7, 3, 7, 5])), canonical((7, 3, 7, 5)))


def test_splits_share_no_token_and_no_combination():
    train, unseen = (part.sample(2000).tokens for part in Templates(3, tokens="finite", size=12).split())
    assert not set(train.ravel()) & set(unseen.ravel())
    assert set(train.ravel()) | set(unseen.ravel()) == set(range(12))
    train, unseen = (part.sample(4000) for part in Recall(3, 8).split())
    seen = {(q, a - 8) for row in train.tokens for q, a in zip(row[:-1:2], row[1::2], strict=True)}
    asked = set(zip(unseen.tokens[:, -1].tolist(), unseen.target.tolist(), strict=True))
    assert len(seen) == 56
    assert len(asked) == 8
    assert not seen & asked
    assert {q for q, _ in seen} == {a for _, a in seen} == set(range(8))


@pytest.mark.parametrize(
    "task", [Recall(4), Templates(3), ContextTemplates(2, Templates(2, size=3))], ids=lambda task: type(task).__name__
)
def test_draws_are_uniform_and_streams_differ(task):
    target = task.sample(8000, 1).target
    counts, C = np.bincount(target, minlength=task.shape["classes"]), task.shape["classes"]
    assert (np.abs(counts - 8000 / C) < 5 * np.sqrt(8000 / C * (1 - 1 / C))).all()
    again, other, seeded = task.sample(9, 1), task.sample(9, 2), replace(task, seed=1).sample(9, 1)
    np.testing.assert_array_equal(again.tokens, task.sample(9, 1).tokens)
    assert (again.tokens != other.tokens).any()
    assert (again.tokens != seeded.tokens).any()
    if isinstance(task, Recall):  # questions and answers are distinct, and each pair is asked for as often
        rows = task.sample(4000)
        which = (rows.tokens[:, :-1:2] == rows.tokens[:, -1:]).argmax(1)
        assert (np.abs(np.bincount(which) - 1000) < 5 * np.sqrt(750)).all()
        assert all(len(set(row[:-1])) == 8 for row in rows.tokens.tolist())


def test_some_prompts_to_train_on_are_easier():
    """Of a quarter labels are numbers of templates, of half the first template is asked for; by chance so are halves."""
    task, n = ContextTemplates(2, Templates(2, size=4), kept=0.25, first=0.5), 4000
    for part, kept, first in zip(task.split(), (0.625, 0.5), (0.75, 0.5), strict=True):
        x, target = part.sample(n)
        number = (x[:, -1] != x[:, -2]).any(1)  # (0, 0) is the first template
        assert abs((number == target).mean() - kept) < 5 * np.sqrt(kept * (1 - kept) / n)
        assert abs((~number).mean() - first) < 5 * np.sqrt(first * (1 - first) / n)
        np.testing.assert_array_equal(part.oracle(part.sample(n)), target)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Recall(9, 8), "`pairs` must be <= 8, got 9"),
        (lambda: Recall(2.5), "`pairs` must be a whole number"),
        (lambda: Recall(2, part="test"), "`part` must be one of"),
        (lambda: Memorise(17, 2, 4), "`sequences` must be a whole number in"),
        (lambda: Templates(11), "`length` must be a whole number in"),
        (lambda: Templates(3, [(0, 2, 1)]), "`templates` must be"),
        (lambda: Templates(3, labels=(1, 2)), "`labels` must be"),
        (lambda: Templates(3, tokens="text"), "`tokens` must be one of"),
        (lambda: Templates(3, tokens="finite", size=5), "`size` must be >= 6"),
        (lambda: ContextTemplates(3, Templates(2)), "`pairs` must be <= 2"),
        (lambda: ContextTemplates(2, Templates(3), kept=0.5), "`kept` must be a number in .0, 0.,.* a class for each"),
        (lambda: ContextTemplates(2, Templates(2), kept=0.5, first=0.6), "`first` must be a number in .0, 0.5."),
        (lambda: Recall(2).sample(0), "`count` must be a whole number"),
    ],
)
def test_bad_values_are_refused(make, said):
    with pytest.raises(InputError, match=said):
        make()

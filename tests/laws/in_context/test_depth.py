"""What attention can do by depth and heads: counts against search, and Cover's against linear programming."""

from itertools import combinations, product

import numpy as np
import pytest
from scipy.optimize import linprog

from twopart._checks import InputError
from twopart.laws.in_context import codes, recall_accuracy, recall_capacity, separable, template_bayes
from twopart.worlds.in_context import growth_strings


@pytest.mark.parametrize("heads", [1, 2, 3, 4])
def test_no_set_of_codes_holds_more_pairs(heads):
    """Over all families of sets of heads: the largest of which none contains another."""
    sets = np.arange(2**heads)
    families, alone = np.arange(2 ** len(sets)), np.ones(2 ** len(sets), bool)
    for i, j in combinations(sets, 2):
        if i & j in (i, j):
            alone &= ~((families >> i & 1) & (families >> j & 1)).astype(bool)
    sizes = sum(families >> i & 1 for i in sets)
    assert sizes[alone].max() == recall_capacity(heads)


@pytest.mark.parametrize(("heads", "pairs"), [(1, 3), (2, 2), (3, 5), (4, 6), (4, 8), (5, 12), (6, 20), (6, 3)])
def test_scores_of_codes_give_the_accuracy(heads, pairs):
    """A pair's score is the number of heads that cover both it and the match; the best of equals is guessed."""
    code = codes(heads, pairs).astype(int)
    scores = code @ code.T
    best = scores == scores.max(0)
    right = np.diag(best) / best.sum(0)
    assert code.shape == (pairs, heads)
    assert right.mean() == pytest.approx(recall_accuracy(heads, pairs))
    assert recall_accuracy(heads, pairs, layers=2) == 1
    assert recall_accuracy(1, pairs) == 1 / pairs


@pytest.mark.parametrize(("points", "width"), [(3, 2), (5, 2), (5, 3), (6, 3)])
def test_covers_count_is_that_of_linear_programs(points, width):
    x = np.random.default_rng(points).standard_normal((points, width))
    split = 0
    for signs in product((-1, 1), repeat=points):
        rows = -np.array(signs)[:, None] * x
        split += linprog(np.zeros(width), rows, -np.ones(points), bounds=(None, None)).status == 0
    assert split == pytest.approx(float(separable(points, width)) * 2**points)


def test_covers_count_at_its_ends():
    np.testing.assert_allclose(separable([1, 7, 14], 7), [1, 1, 0.5])
    assert separable(6000, 3000) == pytest.approx(0.5)
    with_intercept = float(separable(3, 2))  # two places on a line and an intercept: 6 of 8 labelings of three points
    assert with_intercept == pytest.approx(6 / 8)


def best_rule(templates, visible, labels):
    """Over all maps from what is seen to a label."""
    seen = [tuple(t[i] == t[j] for i, j in visible) for t in templates]
    kinds = sorted(set(seen))
    rules = (dict(zip(kinds, rule, strict=True)) for rule in product(sorted(set(labels)), repeat=len(kinds)))
    return max(sum(rule[s] == label for s, label in zip(seen, labels, strict=True)) for rule in rules) / len(templates)


def test_bayes_is_the_best_of_all_rules():
    three, rng = growth_strings(3), np.random.default_rng(0)
    for visible in ([], [(0, 1)], [(0, 2), (1, 2)], [(0, 1), (0, 2), (1, 2)]):
        assert template_bayes(three, visible) == pytest.approx(best_rule(three, visible, range(5)))
        for labels in rng.integers(3, size=(3, 5)).tolist():
            assert template_bayes(three, visible, labels) == pytest.approx(best_rule(three, visible, labels))
    last = [(0, 2), (1, 2)]
    assert template_bayes(three, last) == template_bayes(three, last, [0, 0, 1, 1, 1]) == 0.8
    assert template_bayes(growth_strings(4), [(i, 3) for i in range(3)]) == 8 / 15
    assert template_bayes(three, []) == 0.2, "chance"


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: recall_capacity(0), "`heads` must be"),
        (lambda: recall_accuracy(2, 0), "`pairs` must be"),
        (lambda: recall_accuracy(2, 2, layers=0), "`layers` must be"),
        (lambda: codes(2, 1.5), "`pairs` must be"),
        (lambda: separable([3, np.nan], 2), "`points` must be"),
        (lambda: separable(3, 0), "`width` must be"),
        (lambda: template_bayes([(0, 1)], [(0, 2)]), "`visible` must be pairs of places below 2"),
        (lambda: template_bayes([(0, 1)], [], [1, 2]), "`labels` must be"),
        (lambda: template_bayes([], []), "`labels` must be"),
    ],
)
def test_bad_values_are_refused(ask, said):
    with pytest.raises(InputError, match=said):
        ask()

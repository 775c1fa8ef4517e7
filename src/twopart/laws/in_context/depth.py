"""What attention can do by depth and heads: recall, templates and memory in one layer, and what the best guess is worth.

recall_accuracy(heads=4, pairs=7)                         # 6/7: one layer of four heads holds C(4, 2) = 6 pairs
codes(heads=4, pairs=6)                                   # which heads cover which pair, bool (6, 4)
separable(points=60, width=30)                            # 1/2: Cover's count, N = 2 D
template_bayes(growth_strings(3), {(0, 2), (1, 2)})                # .8: what one head sees of three tokens

Derivations: docs/laws/transformer-depth.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom

from twopart._arrays import Floats, numbers
from twopart._checks import check, check_integer


def recall_capacity(heads: int) -> int:
    """The pairs that one layer of so many heads recalls, C(H, ⌊H/2⌋): the largest antichain of sets of heads (Sperner)."""
    H = check_integer("heads", heads, 1, None, "attention has a head")
    return comb(H, H // 2)


def recall_accuracy(heads: int, pairs: int, layers: int = 1) -> float:
    """Of the construction, distinct answers: min(1, C(H, ⌊H/2⌋)/n) in one layer, where ties are guessed; 1 in two."""
    n, L = (check_integer(name, value, 1, None, "or more") for name, value in (("pairs", pairs), ("layers", layers)))
    return 1.0 if L > 1 else min(1.0, recall_capacity(heads) / n)


def codes(heads: int, pairs: int) -> NDArray[np.bool_]:
    """The heads that cover each pair, shape (n, H): sets of ⌊H/2⌋, one head's of 1; beyond C(H, ⌊H/2⌋) pairs they repeat."""
    n, most = check_integer("pairs", pairs, 1, None, "a prompt has one"), recall_capacity(heads)
    sets = list(combinations(range(heads), max(1, heads // 2)))
    return np.array([np.isin(range(heads), sets[i % most]) for i in range(n)])


def separable(points: ArrayLike, width: int) -> Floats:
    """P that random binary labels of N points in general position are split by a hyperplane through 0 in D dimensions.

    2^{1-N} Σ_{k<D} C(N-1, k), exact, of the shape of `points`, N >= 1; an intercept counts as a dimension. Source: Cover 1965.
    """
    N, D = numbers("points", points, 1, np.inf, "[)"), check_integer("width", width, 1, None, "a readout has one")
    return np.asarray(binom.cdf(D - 1, N - 1, 0.5))


def template_bayes(
    templates: Sequence[Sequence[int]], visible: Iterable[tuple[int, int]], labels: Sequence[int] | None = None
) -> float:
    """The best accuracy if the template is uniform and one sees only which of the pairs `visible` of places are equal.

    With a label of its own for each template (None): classes that one tells apart over templates. With nothing visible: chance.
    """
    pairs, given = list(visible), range(len(templates)) if labels is None else labels
    places = range(min(map(len, templates), default=0))
    inside = all(i in places and j in places for i, j in pairs)
    check(inside, "visible", pairs, f"pairs of places below {len(places)}", "count from 0")
    check(len(given) == len(templates) > 0, "labels", given, "one for each template", "see growth_strings")
    seen: dict[tuple[bool, ...], Counter[int]] = {}
    for template, label in zip(templates, given, strict=True):
        seen.setdefault(tuple(template[i] == template[j] for i, j in pairs), Counter())[label] += 1
    return sum(max(counts.values()) for counts in seen.values()) / len(templates)

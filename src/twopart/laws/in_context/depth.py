"""What attention can do by depth and heads: recall, templates and memory in one layer, and what the best guess is worth.

recall_accuracy(heads=4, pairs=7)                         # 6/7: one layer of four heads holds C(4, 2) = 6 pairs
codes(heads=4, pairs=6)                                   # which heads cover which pair, bool (6, 4)
separable(points=60, width=30)                            # 1/2: Cover's count, N = 2 D
bayes(growth_strings(3), {(0, 2), (1, 2)})                # .8: what one head sees of three tokens
bump_error(sharpness=20)                                  # how often two heads take unequal tokens for equal ones

Derivations: docs/laws/transformer-depth.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations, islice
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf, gammaln, logsumexp

from twopart._arrays import Floats, numbers
from twopart._checks import check, check_integer

OFFSET = 2.0  # b, how far the two sigmoids of a bump stand apart


def recall_capacity(heads: int) -> int:
    """The pairs that one layer of so many heads recalls without error, C(H, ⌊H/2⌋): the largest antichain of head sets (Sperner)."""
    H = check_integer("heads", heads, 1, None, "attention has a head")
    return comb(H, H // 2)


def recall_accuracy(heads: int, pairs: int, layers: int = 1) -> float:
    """Of the construction, on distinct answers: min(1, C(H, ⌊H/2⌋)/n) in one layer, where pairs that share a code are guessed; 1 in two."""
    check_integer("layers", layers, 1, None, "attention has a layer")
    capacity = recall_capacity(heads)
    return 1.0 if layers > 1 else min(1.0, capacity / check_integer("pairs", pairs, 1, None, "a prompt has one"))


def codes(heads: int, pairs: int) -> NDArray[np.bool_]:
    """The heads that cover each pair, shape (n, H): sets of ⌊H/2⌋, one head's of 1; from C(H, ⌊H/2⌋) pairs on they repeat."""
    capacity, n = recall_capacity(heads), check_integer("pairs", pairs, 1, None, "a prompt has one")
    sets = list(islice(combinations(range(heads), max(1, heads // 2)), n))
    return np.array([np.isin(range(heads), sets[i % capacity]) for i in range(n)])


def separable(points: ArrayLike, width: int) -> Floats:
    """P that random binary labels of N points in general position are split by a hyperplane through 0 in D dimensions.

    2^{1-N} Σ_{k<D} C(N-1, k), exact, of the shape of `points`; an intercept counts as a dimension. Source: Cover 1965.
    """
    N, D = numbers("points", points, 1, np.inf, "[)", "one is always split"), check_integer("width", width, 1, None, "a readout has one")
    k = np.arange(D)
    inside = k <= N[..., None] - 1
    logs = gammaln(N[..., None]) - gammaln(k + 1) - gammaln(np.where(inside, N[..., None] - k, 1))
    return np.asarray(np.exp(logsumexp(np.where(inside, logs, -np.inf), -1) - (N - 1) * np.log(2)))


def bayes(templates: Sequence[Sequence[int]], visible: Iterable[tuple[int, int]], labels: Sequence[int] | None = None) -> float:
    """The best accuracy of one who sees, of sequences whose template is uniform, only which of the pairs `visible` are equal.

    With a label for each template (None): number of classes distinguished over number of templates.
    """
    L = len(templates[0]) if len(templates) else 0
    check(L > 0 and all(len(t) == L for t in templates), "templates", templates, "growth strings of one length", "see growth_strings")
    pairs = sorted(set(visible))
    check(all(0 <= i < L and 0 <= j < L for i, j in pairs), "visible", pairs, f"pairs of places in 0..{L - 1}", "count from 0")
    given = range(len(templates)) if labels is None else labels
    check(len(given) == len(templates), "labels", given, "one for each template", "None gives each its own")
    seen: dict[tuple[bool, ...], Counter[int]] = {}
    for template, label in zip(templates, given, strict=True):
        seen.setdefault(tuple(template[i] == template[j] for i, j in pairs), Counter())[label] += 1
    return sum(max(counts.values()) for counts in seen.values()) / len(templates)


def bump_error(sharpness: ArrayLike) -> Floats:
    """P that two heads take distinct Gaussian tokens for equal: erf(arccosh(2 + cosh b) / 2s), b = 2, s > 0 the `sharpness`.

    The heads' weights are σ(sz ± b) of z = <u, x_1 - x_2> ~ N(0, 2), and their difference is above half its peak in |z| < δ/s.
    """
    s = numbers("sharpness", sharpness, 0, np.inf, "()", "20 errs in 7 of 100")
    return np.asarray(erf(np.arccosh(2 + np.cosh(OFFSET)) / (2 * s)))

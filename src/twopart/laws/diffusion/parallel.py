"""What parallel decoding loses: the summed conditional total correlation of its groups.

A perfect model that draws the tokens of group g independently, given all before, has the law q = Π_g Π_{i in g} p(x_i | past),
    KL(p || q) = Σ_g TC_g,    TC_g = Σ_{i in g} H(x_i | past) - H(x_g | past)    bits
which is also what its code is longer than H(p). Derived in docs/laws/parallel-generation.md. An order is any sequence of groups
of positions, each position once, and a cost gives TC_g of a group and its past:

    order_loss(order, table_cost(probabilities))      exact, any table of joint probabilities
    gaussian_order_loss(order, covariance)            exact, Gaussians
    sampled_order_loss(order, conditionals, tokens)   any law by its conditionals, averaged over samples, with standard errors
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence, Set
from functools import cache, lru_cache, reduce
from math import log, pi
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import block_diag

from twopart._arrays import Floats, finite
from twopart._checks import check, check_integer
from twopart.worlds.diffusion.grids import whole

Groups = Sequence[Sequence[int]]
Order = tuple[tuple[int, ...], ...]
"""Groups of positions, decoded one after the other; each position stands in one."""
Cost = Callable[[tuple[int, ...], tuple[int, ...]], float]
"""Bits lost by drawing the positions of a group independently given those of its past: (past, group) -> TC_g."""


def order_loss(order: Groups, cost: Cost) -> Floats:
    """TC_g of each group in turn, bits; their sum is what the order loses."""
    groups = checked(order)
    return np.array([cost(sum(groups[:g], ()), group) for g, group in enumerate(groups)])


def decoding_steps(tokens: int, parallel: int) -> int:
    """n + (N - n)/n: passes where the first n of N tokens come one by one, and then n at a time."""
    n = check_integer("parallel", parallel, 1, tokens, "1 is one token after the other")
    check(tokens % n == 0, "parallel", n, f"a divisor of tokens={tokens}", "regions are equal")
    return n + (tokens - n) // n


def table_cost(probabilities: ArrayLike) -> Cost:
    """Of a joint table, one axis a position, by entropies of subsets. Raises `InputError` if it is no law."""
    table = _law(probabilities)

    @cache
    def entropy(subset: frozenset[int]) -> float:
        p = _marginal(table, subset)
        return float(-(p * np.log2(p, where=p > 0, out=np.zeros_like(p))).sum())

    def cost(past: tuple[int, ...], group: tuple[int, ...]) -> float:
        if len(group) == 1:
            return 0.0
        known = frozenset(past)
        _among(past, group, table.ndim)
        alone = sum(entropy(known | {i}) for i in group)
        return alone - entropy(known.union(group)) - (len(group) - 1) * entropy(known)

    return cost


def decoded(probabilities: ArrayLike, order: Groups) -> Floats:
    """q: what a perfect model of the table generates, group by group; of the table's shape."""
    table, q, past = _law(probabilities), np.ones(()), set[int]()
    for group in checked(order, table.ndim):
        given = _marginal(table, past)
        for i in group:
            marginal = _marginal(table, past | {i})
            q = q * np.divide(marginal, given, where=given > 0, out=np.zeros_like(marginal))
        past.update(group)
    return np.asarray(q)


def gaussian_cost(covariance: ArrayLike, per: int = 1) -> Cost:
    """Of a Gaussian with `per` numbers a position, covariance (N per, N per), position by position.

    TC_g = ½ Σ_i log2 det C_ii - ½ log2 det C_gg, and C, the covariance given the past, is what the precision of past and group
    has in the group, inverted. That precision is kept: many groups of the same set, as `greedy` asks for, are cheap.
    """
    whole = _covariance("covariance", covariance, per)

    @lru_cache(maxsize=1)
    def precision(positions: tuple[int, ...]) -> Floats:
        at = _numbers(positions, per)
        return np.asarray(np.linalg.inv(whole[np.ix_(at, at)]))

    def cost(past: tuple[int, ...], group: tuple[int, ...]) -> float:
        if len(group) == 1:
            return 0.0
        positions = tuple(sorted((*past, *group)))
        _among(past, group, len(whole) // per)
        at = _numbers([bisect_left(positions, i) for i in group], per)
        return _correlation(np.asarray(np.linalg.inv(precision(positions)[np.ix_(at, at)])), per)

    return cost


def gaussian_order_loss(order: Groups, covariance: ArrayLike, per: int = 1) -> Floats:
    """TC_g of each group of such a Gaussian, bits. O(N³).

    Of its Cholesky factor C in the order, C_gg C_gg' is the group's covariance given the past.
    """
    numbers = [_numbers(group, per) for group in checked(order)]
    _, _, blocks = _factor(numbers, _covariance("covariance", covariance, per))
    return np.array([_correlation(C @ C.T, per) for C in blocks])


def gaussian_bits(covariance: ArrayLike, fitted: ArrayLike, order: Groups) -> float:
    """Code length of the true Gaussian, in bits, under the autoregressive Gaussian that an order makes of a fitted covariance.

    Each entry is regressed on all groups before its own. It is a differential entropy: compare orders by differences.
    """
    truth, model = _covariance("covariance", covariance), _covariance("fitted", fitted)
    check(len(model) == len(truth), "fitted", model.shape, f"of shape {truth.shape}", "fit all positions")
    at, L, blocks = _factor(order, model)
    own = block_diag(*blocks)
    residual = own @ np.linalg.inv(L)  # rows: an entry less its prediction from the past
    variance = np.square(own).sum(1)
    squared = np.einsum("ij,jk,ik->i", residual, truth[np.ix_(at, at)], residual, optimize=True)
    return float((np.log2(2 * pi * variance) + squared / (variance * log(2))).sum() / 2)


def unfitted(order: Groups, samples: int) -> float:
    """Bits that a Gaussian fitted to N samples saves by what an order leaves out of it: Σ |g| (|g| - 1) / (4 N ln 2)."""
    check_integer("samples", samples, 2, None, "it is the number of fields fitted to")
    return sum(len(group) * (len(group) - 1) for group in order) / (4 * samples * log(2))


def sampled_order_loss(
    order: Groups, conditionals: Callable[[Any, tuple[int, ...]], Floats], tokens: ArrayLike
) -> tuple[Floats, Floats]:
    """TC_g of each group, and its standard error, over samples (n, N) of a law whose conditionals are exact.

    `conditionals(tokens, known)` gives p(x_i = v | the tokens at the positions known), shape (n, N, V).
    """
    groups, past = checked(order), tuple[int, ...]()
    x = whole("tokens", tokens, (None, sum(map(len, groups))), 2**31)
    check(len(x) > 1, "tokens", x.shape, "two samples or more", "an error needs a spread")
    found = np.zeros((len(groups), len(x)))

    def bits(known: tuple[int, ...], at: tuple[int, ...]) -> Floats:
        p = conditionals(x, known)
        fits = p.ndim == 3 and p.shape[:2] == x.shape and x.max() < p.shape[2]
        check(fits, "conditionals", p.shape, f"({x.shape[0]}, {x.shape[1]}, V), V > {x.max()}", "a law for each token")
        return np.asarray(-np.log2(np.take_along_axis(p[:, at], x[:, at, None], 2)).sum((1, 2)))

    for g, (first, *others) in enumerate(groups):
        if others:  # the first of a group costs the same alone and within it
            found[g] = bits(past, tuple(others))
        past += (first,)
        for i in others:
            found[g] -= bits(past, (i,))
            past += (i,)
    return found.mean(1), found.std(1, ddof=1) / np.sqrt(len(x))


def checked(order: Groups, tokens: int | None = None) -> Order:
    """The order as tuples. Raises `InputError` unless each of the positions 0 to N - 1 stands in one of its groups."""
    given = [tuple(group) for group in order]
    whole = all(hasattr(i, "__index__") for group in given for i in group)
    groups = tuple(tuple(map(int, group)) for group in given) if whole else ()
    flat = sorted(sum(groups, ()))
    whole = min(map(len, groups), default=0) > 0 and flat == list(range(len(flat) if tokens is None else tokens))
    bound = f"groups of positions 0 to {('N' if tokens is None else tokens)} - 1, each once"
    check(whole, "order", given, bound, "par_order makes one")
    return groups


def _among(past: tuple[int, ...], group: tuple[int, ...], tokens: int) -> None:
    fits = set(past).union(group) <= set(range(tokens))
    check(fits, "order", (past, group), f"of positions 0 to {tokens - 1}", "it is longer than the law has tokens")


def _law(probabilities: ArrayLike) -> Floats:
    table = finite("probabilities", probabilities, (None,) * np.ndim(probabilities), "one axis a position")
    total = float(table.sum()) if (table >= 0).all() else -1.0
    check(abs(total - 1) < 1e-5, "probabilities", total, "none negative, of sum 1", "divide by their sum")
    return table


def _marginal(table: Floats, kept: Set[int]) -> Floats:
    """Summed over all other axes, which stay with length 1; one by one, as a sum over many short axes at once is slow."""
    for axis in set(range(table.ndim)) - kept:
        table = np.expand_dims(reduce(np.add, np.moveaxis(table, axis, 0)), axis)
    return table


def _covariance(name: str, matrix: ArrayLike, per: int = 1) -> Floats:
    C = finite(name, matrix, (len(np.atleast_1d(matrix)),) * 2, "a square matrix")
    divides = len(C) % check_integer("per", per, 1, len(C), "1 is a number a position") == 0
    check(divides, "per", per, f"a divisor of {len(C)}, the covariance's side", "it is position by position")
    try:
        np.linalg.cholesky(C)
        positive = bool(np.allclose(C, C.T))
    except np.linalg.LinAlgError:
        positive = False
    check(positive, name, C, "symmetric, positive definite", "add to its diagonal")
    return C


def _numbers(positions: Sequence[int], per: int) -> list[int]:
    return [i * per + number for i in positions for number in range(per)]


def _correlation(C: Floats, per: int) -> float:
    """½ Σ_i log2 det C_ii - ½ log2 det C over the blocks of `per` on the diagonal."""
    m = len(C) // per
    blocks = C.reshape(m, per, m, per)[range(m), :, range(m)]
    return float((np.linalg.slogdet(blocks)[1].sum() - np.linalg.slogdet(C)[1]) / (2 * log(2)))


def _factor(order: Groups, C: Floats) -> tuple[list[int], Floats, list[Floats]]:
    """Positions in the order, the Cholesky factor of a covariance in it, and that factor's blocks on the diagonal."""
    groups, start = checked(order, len(C)), 0
    at = list(sum(groups, ()))
    L, blocks = np.asarray(np.linalg.cholesky(C[np.ix_(at, at)])), list[Floats]()
    for group in groups:
        part = slice(start, start := start + len(group))
        blocks.append(L[part, part])
    return at, L, blocks

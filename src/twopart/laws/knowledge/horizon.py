"""The horizon: how far back a learner of so many tokens can use the past, and what its loss is then.

The theory (Cagnetta, Raventos, Ganguli, Wyart 2026, arXiv 2602.07488): a correlation of norm n^-beta shows above sampling
noise up to n* ~ P^(1/(2 beta)), beyond which the past is lost, so the loss is H_{n*}: alpha = gamma/(2 beta). Counterparts for
worlds of lags, derived in docs/laws/text-exponent.md, say when that is so (the lag is hidden) and when not (it is told).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from twopart._arguments import Floats
from twopart._arrays import finite, numbers
from twopart._checks import check_integer, check_real


def noise_floor(traces: ArrayLike, pairs: float) -> float:
    """What noise adds to the plug-in ||C(n)||_F^2 where C(n) = 0: (1/T) sum over all integers m of (tr C(m))^2.

    `traces` are tr C(0), tr C(1), ..., until they vanish; tr C(0) = 1 - sum p^2, which alone makes the floor of independent
    tokens. `pairs` is T >= 1.
    """
    trace = finite("traces", traces, (None,), "tr C(0) first")
    return float((2 * (trace**2).sum() - trace[0] ** 2) / check_real("pairs", pairs, 1, math.inf, "pairs counted"))


def hidden_horizon(weights: ArrayLike, values: int, tokens: ArrayLike) -> Floats:
    """n*(P) of hidden lags: how many lags l have q_l > z/sqrt(P), z = sqrt(2 ln(V^2 L)), for P of any shape.

    An entry (x, pi_l(x)) is seen P q_l/V times more than by chance, where noise is sqrt(P)/V, and L V^2 entries are looked at.
    """
    q, P = (
        finite("weights", weights, (None,), "q_1 first"),
        numbers("tokens", tokens, 0, math.inf, "()", "training tokens"),
    )
    check_integer("values", values, 2, None, "of the inputs")
    return np.asarray((q > noise_bar(values, len(q)) / np.sqrt(P)[..., None]).sum(-1), float)


def noise_bar(values: int, lags: int) -> float:
    """z: how many standard deviations the largest of L V^2 counts without any excess reaches."""
    return math.sqrt(2 * math.log(values**2 * lags))


def horizon_loss(tokens: ArrayLike, norms: ArrayLike, entropies: ArrayLike, scale: float) -> Floats:
    """H_n at the largest n with ||C(n)|| > scale/sqrt(P), for P of any shape: the theory without power laws.

    `norms` are ||C(1)||, ..., ||C(N)||, `entropies` H_0, ..., H_N in any unit. `scale` > 0 is of the learner and the norm: take
    it from one P, and check the others.
    """
    P = numbers("tokens", tokens, 0, math.inf, "()", "training tokens")
    norm = finite("norms", norms, (None,), "||C(1)|| first")
    H = finite("entropies", entropies, (len(norm) + 1,), "H_0 first, one more than norms")
    bar = check_real("scale", scale, 0, math.inf, "from the loss at one P", closed="()") / np.sqrt(P)
    return np.asarray(H[((norm > bar[..., None]) * np.arange(1, len(H))).max(-1)])


def tagged_excess(weights: ArrayLike, values: int, tokens: ArrayLike) -> Floats:
    """Bits per output above the entropy rate after P outputs whose lags are told: log2(V) sum_l q_l (1 - q_l/V)^P, exact.

    For a table that answers an entry not yet seen uniformly; alpha = gamma/beta, twice the theory's.
    """
    q, P = (
        finite("weights", weights, (None,), "q_1 first"),
        numbers("tokens", tokens, 0, math.inf, "[)", "training tokens"),
    )
    check_integer("values", values, 2, None, "of the inputs")
    return np.asarray(math.log2(values) * (q * np.exp(np.log1p(-q / values) * P[..., None])).sum(-1))

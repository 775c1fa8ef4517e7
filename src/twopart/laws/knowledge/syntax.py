"""What it costs to learn one categorical distribution: the parametric half of the data law."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import psi

from twopart._special import mean_log2_count

Floats = NDArray[np.float64]


def template_redundancy(templates: int, alpha: float, c: ArrayLike) -> Floats:
    """Expected redundancy, in bits, of the Dirichlet(α)-multinomial predictor after `c` uses; about (m-1)/(2 c ln 2).

    With ψ ~ Dirichlet(α, ..., α) over m templates, the next template's weight is size-biased, Beta(α+1, (m-1)α), so its
    count J is BetaBin(c, α+1, (m-1)α), and  r(c) = log2(c + mα) - E[log2(J + α)] - E[H(ψ)],
    E[H(ψ)] = (ψ0(mα+1) - ψ0(α+1)) / ln 2. Derived in docs/laws/data.md.
    """
    c = np.asarray(c)
    return np.array([_redundancy(templates, float(alpha), int(k)) for k in c.ravel()]).reshape(c.shape)


@lru_cache(maxsize=1 << 16)
def _redundancy(templates: int, alpha: float, c: int) -> float:
    if templates == 1:
        return 0.0
    mass = templates * alpha
    entropy = float((psi(mass + 1) - psi(alpha + 1)) / np.log(2))
    return float(np.log2(c + mass)) - mean_log2_count(c, alpha + 1, mass - alpha, alpha) - entropy

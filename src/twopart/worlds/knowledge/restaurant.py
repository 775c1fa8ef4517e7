"""The Pitman-Yor law one draw at a time: the Chinese restaurant, an independent check of the tree."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twopart import _random
from twopart._checks import check_integer
from twopart._numba import kernel
from twopart.worlds.knowledge.pitman_yor import PitmanYor


def chinese_restaurant(n: int, discount: float, concentration: float, seed: int = 0) -> NDArray[np.int64]:
    """Labels 0..K-1, in the order of first appearance, of n draws from one Pitman-Yor measure; shape (n,).

    Draw i+1 is new with probability (θ + dK)/(i + θ), else entity k with (n_k - d)/(i + θ) (Pitman 1995). As
    n_k - d = (n_k - 1) + (1 - d), an old one is that of a uniformly chosen earlier repeat, or any with 1 - d.
    """
    law = PitmanYor(discount, concentration)
    check_integer("n", n, 0, None, "it is the number of draws")
    uniform = _random.generator(seed, "restaurant").random(n)
    return np.asarray(_seat(uniform, law.discount, law.concentration))


@kernel
def _seat(uniform: Any, d: float, theta: float) -> Any:
    labels = np.empty(len(uniform), np.int64)
    repeats = np.empty(len(uniform), np.int64)  # the labels of draws that were not a first
    known, repeated = 0, 0
    for i in range(len(uniform)):
        u = uniform[i] * (i + theta)
        if i > 0 and u < repeated:
            label = repeats[int(u)]
            repeats[repeated] = label
            repeated += 1
        elif i > 0 and u < repeated + known * (1 - d):
            label = min(int((u - repeated) / (1 - d)), known - 1)
            repeats[repeated] = label
            repeated += 1
        else:
            label = known
            known += 1
        labels[i] = label
    return labels

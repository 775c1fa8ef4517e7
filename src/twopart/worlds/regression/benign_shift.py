"""Inputs on which interpolation is benign, and the same with noise added: few large variances and a long flat tail.

    world = benign_shift(dimension=300, head=10, tail=0.02, added=0.1)
    x, y = world.sample(60, "source")        # x ~ N(0, Σ), y = <x, w*> + noise
    z, t = world.sample(60, "target")        # x + δ, δ ~ N(0, Γ) independent of x: N(0, Σ + Γ), answers of what is seen

Source: Hao, Lin, Zou, Zhang 2024, arXiv 2403.17592, whose shifts are natural and unrelated to the individual x; Gaussian ones
are our choice. The spectrum is that of benign overfitting, Bartlett et al. 2020.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from twopart import _random
from twopart._checks import check_choice, check_integer, check_real
from twopart.worlds.regression.covariate_shift import CovariateShift


def benign_shift(
    dimension: int = 300,
    *,
    head: int = 10,
    tail: float = 0.02,
    added: float = 0.1,
    added_head: float = 0.0,
    truth: Literal["head", "all"] = "head",
    noise: float = 0.5,
    seed: int = 0,
) -> CovariateShift:
    """A world whose source has `head` variances of 1 and others of `tail`, and whose target has variances added to both.

    w* is a random unit vector, of the head or of all coordinates. Answers on the target are those of the shifted inputs; where
    `added_head` is 0 and w* lies in the head they are those of the clean ones too. Raises `InputError` for wrong ranges.
    """
    check_integer("dimension", dimension, 1, 2**24, "inputs are vectors of that many numbers")
    check_integer("head", head, 1, dimension, "the truth lies there")
    check_real("tail", tail, 0, 1, "the head's variances are 1")
    for name, value in (("added", added), ("added_head", added_head)):
        check_real(name, value, 0, np.inf, "it is a variance; 0 shifts nothing", closed="[)")
    first = np.arange(dimension) < head
    w = _random.generator(seed, "benign truth").standard_normal(dimension)
    w *= first if check_choice("truth", truth, ("head", "all")) == "head" else 1.0
    source, shift = np.where(first, 1.0, tail), np.where(first, added_head, added)
    return CovariateShift(source, source + shift, w / np.linalg.norm(w), noise, seed)

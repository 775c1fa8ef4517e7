"""Spectra: the eigenvalues h_j of circulant matrices, in the order of the Fourier modes e^{2πi jk/d}, j = 0..d-1.

They need NumPy alone, so that laws and studies can have them without torch.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from twopart import _random
from twopart._checks import check_choice, check_integer, check_real

Name = Literal["isotropic", "field", "reversed", "wishart"]
NAMES: tuple[Name, ...] = ("isotropic", "field", "reversed", "wishart")


def spectrum(
    name: Name, dimension: int, *, mass: float = 1.0, coupling: float = 4.0, seed: int = 0
) -> NDArray[np.float64]:
    """Positive eigenvalues h_j = h_{d-j}, shape (d,).

    isotropic  `mass` everywhere
    field      mass + 2 coupling (1 - cos 2πj/d), a discretised Gaussian field: stiff where neighbours differ
    reversed   the same numbers, least where the field's are largest
    wishart    eigenvalues of a sample covariance of 2d standard normals, in random order, times `mass`

    Raises `InputError` for an unknown name, dimension < 1, mass <= 0 or coupling < 0.
    """
    check_choice("name", name, NAMES)
    d = check_integer("dimension", dimension, 1, None, "it is the number of modes")
    check_real("mass", mass, 0, np.inf, "a density needs a positive precision", closed="()")
    check_real("coupling", coupling, 0, np.inf, "0 couples no neighbours", closed="[)")
    if name == "isotropic":
        return np.full(d, float(mass))
    distance = np.minimum(np.arange(d), d - np.arange(d))
    if name == "wishart":
        half = d // 2 + 1
        random = _random.generator(seed, "wishart")
        draws = random.standard_normal((2 * half, half))
        return np.asarray(mass * random.permutation(np.linalg.eigvalsh(draws.T @ draws / (2 * half)))[distance])
    stiff = mass + 2 * coupling * (1 - np.cos(2 * np.pi * np.arange(d // 2 + 1) / d))
    return np.asarray((stiff if name == "field" else stiff[::-1])[distance])

"""What latents are like for a diffusion model: how many modes, what a linear probe reads, how many dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike

from twopart import _random
from twopart._arrays import Floats, finite
from twopart._checks import check, check_integer, check_real
from twopart.worlds._libraries import library


class LatentReport(NamedTuple):
    """Of whitened latents; code lengths and accuracy are of what was held out.

    `nll` are nats a point by Gaussian mixtures of `components` K, (len(K),), to be compared between latents of one number of
    dimensions, and `bic` Bayes' criterion on the other points, least where the mixture has as many modes; `effective` is the
    first K whose code length is within 1 % of the best. `probe` is the accuracy of logistic regression, nan without labels;
    `intrinsic` the dimension by ratios of distances to two neighbours (Facco et al. 2017).
    """

    components: tuple[int, ...]
    nll: Floats
    bic: Floats
    effective: int
    probe: float
    intrinsic: float


def latent_report(
    z: ArrayLike | torch.Tensor, labels: ArrayLike | None = None, components: Sequence[int] = (1, 5, 10, 20), *,
    variance: float = 1.0, held_out: float = 0.25, seed: int = 0,
) -> LatentReport:  # fmt: skip
    """Of latents (n, ...), flattened, with classes `labels` (n,).

    Whitened by principal directions that explain `variance` of those that are not held out; directions without any are left
    out. Needs scikit-learn. Raises `InputError` for fewer than four points a component and what is not finite.
    """
    given = z.detach().cpu().numpy() if isinstance(z, torch.Tensor) else np.asarray(z)
    x = finite("z", given, (None,) * max(1, given.ndim), "latents (n, ...)").reshape(len(given), -1)
    out = round(check_real("held_out", held_out, 0, 1, "a quarter is usual", closed="()") * len(x))
    share = min(check_real("variance", variance, 0, 1, "1 keeps all", closed="(]"), 1 - 1e-10)
    most = (len(x) - out) // 4
    K = [check_integer("components", one, 1, most, "at most a quarter of the points") for one in components]
    check(min(out, len(K)) > 0 and bool(x.std() > 0), "z", x.shape, "points to hold out, not all one", "encode more")
    sets, order = ("decomposition", "mixture", "linear_model", "neighbors"), _random.generator(seed, "latents")
    pca, mixture, linear, near = (library(f"sklearn.{name}", "reports on latents") for name in sets)
    test, train = np.split(order.permutation(len(x)), [out])
    white = pca.PCA(share, whiten=True, svd_solver="full").fit(x[train]).transform(x)
    fits: list[Any] = [mixture.GaussianMixture(k, reg_covar=1e-4, random_state=seed, max_iter=500) for k in K]
    nll = np.array([-one.fit(white[train]).score(white[test]) for one in fits])
    probe = float("nan")
    if labels is not None:
        y = finite("labels", labels, (len(x),), "one for each point")
        probe = linear.LogisticRegression(max_iter=2000).fit(white[train], y[train]).score(white[test], y[test])
    far = near.NearestNeighbors(n_neighbors=2).fit(white).kneighbors()[0]
    far = far[far[:, 0] > 0]  # copies have no ratio
    best, bic = int(np.argmax(nll <= nll.min() + 0.01 * abs(nll.min()))), [one.bic(white[train]) for one in fits]
    return LatentReport(
        tuple(K), nll, np.array(bic), K[best], probe, len(far) / float(np.log(far[:, 1] / far[:, 0]).sum())
    )

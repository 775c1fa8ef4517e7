"""Whether samples keep a rule: the rate and size of their breaches, with intervals, by anybody's reader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri

from twopart._arrays import Floats, finite
from twopart._checks import check, check_real


class RuleReport(NamedTuple):
    """How samples keep b = g(a), with r = b - g(a); intervals are of 95 %.

    `rms` is the root mean square of r, `median` that of |r|, `within` the share with |r| <= times the tolerance (Wilson's
    interval), `r2` = 1 - mean r² / Var b, `coarse` the share of b on the same side of the mean of g(a) as g(a), `slope` that of
    b on g(a) by least squares: 1 where the rule is kept, 0 where there is none.
    """

    rms: float
    median: float
    within: float
    within_interval: tuple[float, float]
    r2: float
    coarse: float
    slope: float
    slope_interval: tuple[float, float]


def rule_report(
    samples: Any, read: Callable[[Any], Any], rule: Callable[[Floats], Any], tolerance: float, times: float = 2.0
) -> RuleReport:
    """`read(samples)` gives features (n, k), an array or a tensor, or a tuple that begins with them, as a scene's `read`.

    The last feature is b; `rule` is given the first, (n,), or all others, (n, k - 1). Raises `InputError` for features that
    are not finite, and fewer than three samples.
    """
    δ, c = (check_real(n, v, 0, np.inf, "> 0", closed="()") for n, v in (("tolerance", tolerance), ("times", times)))
    found = read(samples)
    features = found[0] if isinstance(found, tuple) else found
    features = features.numpy(force=True) if hasattr(features, "numpy") else features
    x = finite("features", features, (None, None), "what `read` gives, one row for each sample")
    check(len(x) > 2 and x.shape[1] > 1, "features", x.shape, "(n, k), n > 2 and k > 1", "the last of them is b")
    g = finite("rule", rule(x[:, 0] if x.shape[1] == 2 else x[:, :-1]), (len(x),), "one value for each sample")
    b, n, side = x[:, -1], len(x), g - g.mean()
    r, spread = b - g, float(side @ side) or np.nan
    z, within = float(ndtri(0.975)), float(np.mean(np.abs(r) <= c * δ))
    centre = (within + z * z / 2 / n) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (within * (1 - within) / n + (z / 2 / n) ** 2) ** 0.5
    slope = float(side @ b) / spread
    reach = float(z * np.linalg.norm(side * (b - b.mean() - slope * side)) / spread)
    r2, coarse = float(1 - np.mean(r * r) / (b.var() or np.nan)), float(np.mean((b > g.mean()) == (side > 0)))
    sizes = float(np.mean(r * r)) ** 0.5, float(np.median(np.abs(r)))
    ends = (centre - half, centre + half), (slope - reach, slope + reach)
    return RuleReport(*sizes, within, ends[0], r2, coarse, slope, ends[1])

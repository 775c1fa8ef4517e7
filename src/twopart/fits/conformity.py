"""Whether samples keep a rule: the rate and size of their breaches, with intervals, by anybody's reader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import binomtest, norm

from twopart._arrays import Floats, finite
from twopart._checks import check, check_real


class RuleReport(NamedTuple):
    """How samples keep b = g(a), with r = b - g(a); intervals are of 95 %.

    `read` samples, the share `readable` of all, with enough confidence. `rms` is the root mean square of r, `median`
    that of |r|, `within` the share with |r| <= times the tolerance (Wilson's interval), `r2` = 1 - mean r² / Var b, `coarse`
    the share of b on the same side of the mean of g(a) as g(a), `slope` that of b on g(a) by least squares: 1 where the rule
    is kept, 0 where there is none.
    """

    read: int
    readable: float
    rms: float
    median: float
    within: float
    within_interval: tuple[float, float]
    r2: float
    coarse: float
    slope: float
    slope_interval: tuple[float, float]


def rule_report(
    samples: Any, read: Callable[[Any], Any], rule: Callable[[Floats], Any], tolerance: float, *,
    times: float = 2.0, confidence: float = -np.inf,
) -> RuleReport:  # fmt: skip
    """`read(samples)` gives features (n, k), or with them confidences (n,), of which those below `confidence` are left out.

    The last feature is b; `rule` is given the first, (n,), or all others, (n, k - 1). Raises `InputError` for features that
    are not finite, and where fewer than three samples can be read.
    """
    δ, c = (check_real(n, v, 0, np.inf, "> 0", closed="()") for n, v in (("tolerance", tolerance), ("times", times)))
    parts = read(samples)
    features, sure = (_array(part) for part in (parts if isinstance(parts, tuple) else (parts, np.ones(len(parts)))))
    x = finite("features", features, (None, None), "what `read` gives, one row for each sample")
    x = x[finite("confidences", sure, (len(x),), "one for each sample") >= confidence]
    check(len(x) > 2 and x.shape[1] > 1, "features", x.shape, "(n, k), n > 2 and k > 1", "lower `confidence`")
    g = finite("rule", rule(x[:, 0] if x.shape[1] == 2 else x[:, :-1]), (len(x),), "one value for each sample")
    b, n, side = x[:, -1], len(x), g - g.mean()
    r, spread = b - g, float(side @ side) or np.nan
    inside = int((np.abs(r) <= c * δ).sum())
    low, high = map(float, binomtest(inside, n).proportion_ci(method="wilson"))
    slope = float(side @ b) / spread
    reach = float(norm.ppf(0.975) * np.linalg.norm(side * (b - b.mean() - slope * side)) / spread)
    r2, coarse = float(1 - np.mean(r * r) / (b.var() or np.nan)), float(np.mean((b > g.mean()) == (side > 0)))
    sizes = float(np.mean(r * r)) ** 0.5, float(np.median(np.abs(r)))
    ends = (slope - reach, slope + reach)
    return RuleReport(n, n / len(features), *sizes, inside / n, (low, high), r2, coarse, slope, ends)


def _array(values: Any) -> Any:
    return values.numpy(force=True) if hasattr(values, "numpy") else np.asarray(values)

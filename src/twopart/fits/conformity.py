"""Whether samples keep a rule: the rate and size of their breaches, with intervals, by anybody's reader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import binomtest, norm

from twopart._arrays import Floats, finite
from twopart._checks import check, check_real

Interval = tuple[float, float]


class RuleReport(NamedTuple):
    """How samples keep b = g(a); intervals are of 95 %."""

    count: int
    """Samples that were read with enough confidence."""
    readable: float
    """Their share of all."""
    rms: float
    """Root mean square of r = b - g(a)."""
    rms_interval: Interval
    median: float
    """Of |r|."""
    within: float
    """Share with |r| <= c times the tolerance."""
    within_interval: Interval
    """Wilson's."""
    r2: float
    """1 - mean r² / Var b."""
    coarse: float
    """Share of b on the same side of the mean of g(a) as g(a)."""
    slope: float
    """Of b on g(a) by least squares: 1 where the rule is kept, 0 where there is none."""
    slope_interval: Interval


def rule_report(
    samples: Any, read: Callable[[Any], Any], rule: Callable[[Floats], Any], tolerance: float, *,
    times: float = 2.0, confidence: float = 0.0,
) -> RuleReport:  # fmt: skip
    """`read(samples)` gives features (n, k), or with them confidences (n,), of which those below `confidence` are left out.

    The last feature is b; `rule` is given the first, (n,), or all others, (n, k - 1). Raises `InputError` for features that
    are not finite, and where fewer than three samples can be read.
    """
    δ = check_real("tolerance", tolerance, 0, np.inf, "the deviation that data have", closed="()")
    c = check_real("times", times, 0, np.inf, "2 holds 95 % of a normal residual", closed="()")
    found = read(samples)
    features, sure = found if isinstance(found, tuple) else (found, None)
    x = finite("features", _array(features), (None, None), "what `read` gives, one row for each sample")
    trust = np.ones(len(x)) if sure is None else finite("confidences", _array(sure), (len(x),), "one for each sample")
    kept = x[trust >= check_real("confidence", confidence, -np.inf, np.inf, "0 keeps what can be read at all")]
    check(len(kept) > 2 and x.shape[1] > 1, "features", kept.shape, "(n, k), n > 2 and k > 1", "lower `confidence`")
    g = finite("rule", rule(kept[:, 0] if x.shape[1] == 2 else kept[:, :-1]), (len(kept),), "one value for each sample")
    b, n, z = kept[:, -1], len(kept), float(norm.ppf(0.975))
    r = b - g
    square, apart = float(np.mean(r * r)), g - g.mean()
    error = z * float(np.std(r * r)) / np.sqrt(n)
    inside = int((np.abs(r) <= c * δ).sum())
    wilson = binomtest(inside, n).proportion_ci(method="wilson")
    spread = float(apart @ apart)
    slope = float(apart @ b) / spread if spread else float("nan")
    left = b - b.mean() - slope * apart
    reach = z * float(np.sqrt(np.square(left) @ np.square(apart))) / spread if spread else float("nan")
    return RuleReport(
        n, n / len(x), square**0.5, (max(square - error, 0.0) ** 0.5, (square + error) ** 0.5),
        float(np.median(np.abs(r))), inside / n, (wilson.low, wilson.high), 1 - square / max(float(b.var()), 1e-300),
        float(np.mean((b > g.mean()) == (g > g.mean()))), slope, (slope - reach, slope + reach),
    )  # fmt: skip


def _array(values: Any) -> Any:
    return values.numpy(force=True) if hasattr(values, "numpy") else values

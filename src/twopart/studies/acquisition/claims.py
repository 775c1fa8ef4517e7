"""The claims of the acquisition study. Every rule and margin stands here and was set before the runs that it judges."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from twopart.findings import Claim
from twopart.fits import Estimate, bootstrap, slope
from twopart.laws import data_law
from twopart.studies.acquisition.evidence import Evidence, Run
from twopart.studies.acquisition.thresholds import Floats, sharpness_after

LEVEL = 0.95
ORDER = 0.7
"""Somers' D above this counts as learning by frequency: of two facts the more frequent comes first in 85 of 100 cases."""
SLOPE_MARGIN = 0.2
"""What the threshold's exponent may be off by: at d = 0.5 that is 0.1 in redundancy's exponent, the data-law study's margin."""
RANK_MARGIN = 1.25
"""A threshold rank is predicted if it is met within this factor."""
AT_ONCE = sharpness_after(1.0)
"""From 10 % known to 90 % takes the Bayes code this factor in frequency, or in sentences if all facts are equally frequent."""

PAPER = "Pan, Wang, Li 2025, arXiv 2504.09597; docs/laws/data.md"
INTERVAL = f"{LEVEL:.0%} bootstrap interval over replicates"


def learned_in_order(evidence: Evidence) -> Claim:
    """Rank correlation of learning time and frequency."""
    estimate = _of_runs(evidence, lambda run: run.order)
    return Claim(
        f"{evidence.label}: facts are learned in the order of falling frequency.",
        predicted=float(np.mean([run.bayes_order for run in evidence.runs])),
        measured=estimate.value,
        interval=estimate.bounded,
        rule="Somers' D of falling frequency and learning time over all facts asked, those never learned tied at the end; "
        f"holds if the {INTERVAL} lies above {ORDER}, fails if below; the prediction is that of the Bayes code on the same "
        "sentences, which knows a fact once it was told",
        verdict=estimate.above(ORDER),
        source=PAPER,
        unit="Somers' D",
    )


def threshold_falls(evidence: Evidence) -> Claim:
    """Exponent of the threshold frequency."""
    estimate = bootstrap(lambda mean: _exponent(evidence, mean), evidence.thresholds, level=LEVEL)
    return Claim(
        f"{evidence.label}: a fact is known once it was told often enough: the threshold frequency falls as 1/n.",
        predicted=-1.0,
        measured=estimate.value,
        interval=estimate.bounded,
        rule="slope of ln(frequency at which half of the facts are known) on ln(sentences) over the last tenfold of the run; "
        f"holds if the {INTERVAL} lies within {SLOPE_MARGIN} of the prediction, fails if wholly outside",
        verdict=estimate.equivalent_to(-1.0, SLOPE_MARGIN),
        source="docs/laws/data.md, exposures",
        unit="log-log slope",
    )


def rank_predicted(evidence: Evidence) -> Claim:
    """Measured over predicted threshold rank at the end of the run."""
    logs = bootstrap(lambda mean: float(mean), evidence.rank_ratios, level=LEVEL)
    ratio = logs.exp()
    return Claim(
        f"{evidence.label}: T exposures, measured before, predict down to which rank each attribute is known at the end.",
        predicted=1.0,
        measured=ratio.value,
        interval=ratio.bounded,
        rule="measured over predicted rank of the entity at which half of the facts are known, geometric mean over attributes; "
        "T is how often a fact at the threshold is told, over the first half of the last tenfold, all attributes together; "
        f"holds if the {INTERVAL} lies within a factor of {RANK_MARGIN}, fails if wholly outside",
        verdict=logs.equivalent_to(0.0, float(np.log(RANK_MARGIN))),
        source="docs/laws/data.md, exposures",
        unit="ratio",
    )


def threshold_is_sharp(evidence: Evidence) -> Claim:
    """Ratio of the frequencies at which 90 % and 10 % are known."""
    estimate = _of_runs(evidence, lambda run: float(np.log(run.sharpness(-1)))).exp()
    predicted = evidence.expected_sharpness
    return Claim(
        f"{evidence.label}: the threshold between known and unknown facts is sharper than the Bayes code's.",
        predicted=predicted if np.isfinite(predicted) else None,
        measured=estimate.value,
        interval=estimate.bounded,
        rule="frequency at which 90 % of the facts are known over that at which 10 % are, at the end; "
        f"holds if the {INTERVAL} lies below {AT_ONCE:.1f}, the Bayes code's, fails if above; the prediction is that of "
        "a learner who knows a fact from its T-th exposure on, T as measured, exposures coming by chance",
        verdict=estimate.below(AT_ONCE),
        source=PAPER,
        unit="ratio of frequencies",
    )


def syntax_first(evidence: Evidence) -> Claim:
    """How much later knowledge is learned than syntax, both from their own start to a tenth."""
    curves = np.array([[run.seen[role].to_numpy() for role in ("syntax", "value")] for run in evidence.runs])
    x = _middles(evidence.runs[0])

    def delay(pair: Floats) -> float:
        syntax, value = (_first_below(x, curve, curve[0] / 10) for curve in pair)
        return float(np.log(value / syntax))

    estimate = bootstrap(delay, curves, level=LEVEL).exp()
    return Claim(
        f"{evidence.label}: syntax is learned before facts.",
        predicted=None,
        measured=estimate.value,
        interval=estimate.bounded,
        rule="sentences until value redundancy is a tenth of what it was at the start, over the same for syntax, the length of "
        f"the run where it is not reached; holds if the {INTERVAL} lies above 1, fails if below",
        verdict=estimate.above(1.0),
        source=PAPER,
        unit="ratio",
    )


def larger_know_rarer(narrow: Evidence, wide: Evidence) -> Claim:
    """Threshold frequency of the narrowest over that of the widest, at the end."""
    estimate = bootstrap(lambda mean: mean, narrow.thresholds[:, -1] - wide.thresholds[:, -1], level=LEVEL).exp()
    return Claim(
        f"A larger model knows rarer facts: {wide.label} against {narrow.label}.",
        predicted=None,
        measured=estimate.value,
        interval=estimate.bounded,
        rule="threshold frequency of the smaller over that of the larger at the end, in the same worlds; holds if the "
        f"{INTERVAL} lies above 1, fails if below",
        verdict=estimate.above(1.0),
        source=PAPER,
        unit="ratio of frequencies",
    )


def small_is_full(narrow: Evidence, wide: Evidence) -> Claim:
    """Difference of the thresholds' exponents."""
    difference = narrow.thresholds - wide.thresholds
    estimate = bootstrap(lambda mean: _exponent(wide, mean), difference, level=LEVEL)
    return Claim(
        f"A small model fills up: the threshold of {narrow.label} falls more slowly than that of {wide.label}.",
        predicted=None,
        measured=estimate.value,
        interval=estimate.bounded,
        rule="exponent of the smaller model's threshold frequency less that of the larger's, over the last tenfold, in the "
        f"same worlds; holds if the {INTERVAL} lies above 0, fails if below; 1 would be a threshold that stands still",
        verdict=estimate.above(0.0),
        source="docs/laws/capacity.md",
        unit="difference of log-log slopes",
    )


def control_at_once(control: Evidence) -> Claim:
    """Sentences until 90 % of the facts are known over sentences until 10 % are, with equal frequencies."""

    def spread(run: Run) -> float:
        early, late = run.sentences_until(0.1), run.sentences_until(0.9)
        return float(np.log(late / early)) if np.isfinite(late) else float("nan")

    estimate = _of_runs(control, spread).exp()
    half = np.mean([np.log(run.sentences_until(0.5)) for run in control.runs])
    told = float(np.exp(half) * control.runs[0].frequency[0])
    return Claim(
        f"{control.label}: with equal frequencies facts are learned all at once.",
        predicted=sharpness_after(told) if np.isfinite(told) else None,
        measured=estimate.value,
        interval=estimate.bounded,
        rule=f"sentences until 90 % of the facts are known over sentences until 10 % are; holds if the {INTERVAL} lies below "
        f"{AT_ONCE:.1f}, the Bayes code's, fails if above; the prediction is that of a learner who knows a fact from its "
        "T-th exposure on, T as measured when half are known",
        verdict=estimate.below(AT_ONCE),
        source="docs/laws/data.md, control",
        unit="ratio of sentences",
    )


def control_late(control: Evidence, natural: Evidence) -> Claim:
    """Sentences until half of the value bits are learned, control over natural."""
    pairs = zip(control.runs, natural.runs, strict=True)
    curves = np.array([[run.seen["value"].to_numpy() for run in pair] for pair in pairs])
    x, level = _middles(natural.runs[0]), natural.runs[0].bits_to_learn / 2

    def delay(pair: Floats) -> float:
        return float(np.log(_first_below(x, pair[0], level) / _first_below(x, pair[1], level)))

    estimate = bootstrap(delay, curves, level=LEVEL).exp()
    law = [data_law(group.runs[0].world, np.maximum(x.round(), 1)).value for group in (control, natural)]
    return Claim(
        f"{control.label}: with equal frequencies knowledge comes late.",
        predicted=float(np.exp(delay(np.array(law)))),
        measured=estimate.value,
        interval=estimate.bounded,
        rule="sentences until value redundancy is half of what the values are worth, the run's length where it is not reached, "
        f"with equal frequencies over those with Pitman-Yor's; holds if the {INTERVAL} lies above 1, fails if below; the "
        "prediction is that of the Bayes code",
        verdict=estimate.above(1.0),
        source="docs/laws/data.md, control",
        unit="ratio",
    )


def _of_runs(evidence: Evidence, statistic: Callable[[Run], float]) -> Estimate:
    """The mean over replicates of a number that each run has; unknown if one run has none."""
    return bootstrap(lambda mean: float(mean), [statistic(run) for run in evidence.runs], level=LEVEL)


def _exponent(evidence: Evidence, logs: Floats) -> float:
    """d ln q* / d ln n over the last tenfold; nan where the threshold is not known throughout."""
    upper = evidence.upper
    return slope(evidence.sentences[upper], np.exp(logs[upper]))


def _first_below(x: Floats, curve: Floats, level: float) -> float:
    """Where the curve first falls below the level, between two points as by interpolation in logs; the last x if nowhere."""
    below = np.flatnonzero(curve < level)
    if not below.size:
        return float(x[-1])
    if below[0] == 0:
        return float(x[0])
    ends = slice(below[0] - 1, below[0] + 1)
    return float(np.exp(np.interp(-level, -curve[ends], np.log(x[ends]))))


def _middles(run: Run) -> Floats:
    """Geometric middles of the bins of sentences seen."""
    return np.sqrt(run.seen["low"].to_numpy() * (run.seen["high"].to_numpy() - 1.0))

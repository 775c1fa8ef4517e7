"""The claims of the capacity-law study. Every rule and margin stands here and was set before the runs that it judges.

Intervals are bootstrap over the models of a ladder: they say how much a number hangs on which sizes were trained.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from twopart.findings import Claim
from twopart.fits import Estimate
from twopart.studies.capacity_law.evidence import Evidence, Floats, Model, slope

SLOPE_MARGIN = 0.1
"""Exponents within this of the predicted one count as agreeing, as in the data-law study."""
DEVIATION = 0.25
"""Largest root mean square of log2(measured / predicted redundancy): a factor of 1.19."""
PROPORTIONAL = 0.1
"""Largest difference of the slope of ln stored bits on ln parameters from the law's."""
SAME_RANK = 1.25
"""Largest factor between measured and predicted thresholds, geometric mean over models."""
SHARP = 2.0
"""Largest factor between the ranks at which a quarter and three quarters of the bits are held."""
SAME_B = 1.25
"""Largest factor between the bits per parameter of two worlds."""
CONVERGED = 1.1
"""Largest factor by which half of the training leaves more redundancy."""
MISSING = 0.02
"""Part of syntax or knowledge that may be missing where it counts as bought. Syntax falls exponentially with its bits and
knowledge as a power, but the exact law buys the few most frequent facts before any syntax: at d = 0.5 a tenth of the knowledge
is missing in smaller models than a tenth of the syntax."""
CEILING = 2.0
"""Bits of knowledge per parameter that language models of 10^6 to 10^9 parameters reach (Allen-Zhu and Li 2024)."""

DERIVED = "docs/laws/capacity.md"
PAPER = f"Pan, Wang, Li 2025, arXiv 2504.09597; {DERIVED}"
CAPACITY = "Allen-Zhu, Li 2024, arXiv 2404.05405, result 1"


def bits_per_parameter(evidence: Evidence) -> Claim:
    """The fitted number, against the most that larger models were found to hold."""
    b = evidence.bits_per_parameter
    return Claim(
        f"{evidence.label}: a parameter holds no more than the 2 bits that larger language models reach.",
        predicted=CEILING,
        measured=b.value,
        interval=b.bounded,
        rule=f"bits per parameter b by least squares on log2 redundancy, the only number fitted; {_interval(b)}; holds if it "
        f"lies below {CEILING:g}, fails if above",
        verdict=b.below(CEILING),
        source=CAPACITY,
        unit="bits per parameter",
    )


def follows_the_law(evidence: Evidence) -> Claim:
    """How far measured redundancies lie from the law's curve."""
    rms = evidence.estimate(evidence.rms)
    return Claim(
        f"{evidence.label}: redundancy against parameters is the capacity law's curve with one fitted number.",
        predicted=0.0,
        measured=rms.value,
        interval=rms.bounded,
        rule=f"root mean square over models of log2(measured / predicted redundancy); {_interval(rms)}; holds if it lies "
        f"below {DEVIATION:g}, fails if above",
        verdict=rms.below(DEVIATION),
        source=DERIVED,
        unit="octaves",
    )


def exponent(evidence: Evidence) -> Claim:
    """Measured slope against that of the exact law at the same sizes."""

    def difference(weights: Floats) -> float:
        measured, law = evidence.slopes(weights)
        return measured - law

    law = evidence.slopes(evidence.equal)[1]
    gap = evidence.estimate(difference)
    low, high = gap.interval
    measured = Estimate(law + gap.value, (law + low, law + high), gap.level)
    return Claim(
        f"{evidence.label}: redundancy falls with parameters as fast as the exact law does over these sizes.",
        predicted=law,
        measured=measured.value,
        interval=measured.bounded,
        rule="slope of ln redundancy on ln parameters, of the law at the same sizes with the fitted bits per parameter; "
        f"{_interval(gap)} of the difference; holds if it lies within {SLOPE_MARGIN}, fails if wholly outside",
        verdict=measured.equivalent_to(law, SLOPE_MARGIN),
        source=PAPER,
        unit="log-log slope",
    )


def proportional(evidence: Evidence) -> Claim:
    """Stored bits against parameters."""
    x, stored = np.log(evidence.parameters), np.log(np.maximum(evidence.stored, 1e-300))
    law = slope(x, np.log([float(law.fact_bits) for law in evidence.fitted]), evidence.equal)
    power = evidence.estimate(lambda weights: slope(x, stored, weights))
    return Claim(
        f"{evidence.label}: stored bits of facts grow with parameters as the law's: in proportion, but for syntax.",
        predicted=law,
        measured=power.value,
        interval=power.bounded,
        rule="slope of ln stored bits on ln parameters; stored bits are counted fact by fact, h + log2 p(correct value) and at "
        "least 0, less the same for a wrong value, as chance has it; predicted: that of the law's fact bits at the same sizes; "
        f"{_interval(power)}; holds if it lies within {PROPORTIONAL} of the prediction, fails if wholly outside",
        verdict=power.equivalent_to(law, PROPORTIONAL),
        source=CAPACITY,
        unit="log-log slope",
    )


def threshold(evidence: Evidence) -> Claim:
    """The rank at which half of the bits are held, against the law's."""
    logs = np.log(np.maximum(evidence.ranks, 0.5)) - np.log(np.maximum(evidence.law_ranks, 0.5))
    ratio = evidence.estimate(lambda weights: float(weights @ logs))
    margin = float(np.log(SAME_RANK))
    return Claim(
        f"{evidence.label}: facts are held down to the rank that the law names.",
        predicted=1.0,
        measured=ratio.exp().value,
        interval=ratio.exp().bounded,
        rule="rank at which half of the bits are held (isotonic regression of the share held, less chance, on rank) over the "
        f"law's at the fitted bits per parameter, geometric mean over models; {_interval(ratio)}; holds if it lies within a "
        f"factor of {SAME_RANK:g}, fails if wholly outside",
        verdict=ratio.equivalent_to(0.0, margin),
        source=DERIVED,
        unit="ratio",
    )


def sharp(evidence: Evidence) -> Claim:
    """How many ranks the fall from known to unknown takes."""
    ends = np.array([[model.rank_at(0.25), model.rank_at(0.75)] for model in evidence.models])
    logs = np.log(np.maximum(ends[:, 0], 0.5)) - np.log(np.maximum(ends[:, 1], 0.5))
    ratio = evidence.estimate(lambda weights: float(weights @ logs)).exp()
    return Claim(
        f"{evidence.label}: the threshold is sharp: frequent facts are held whole, the others not at all.",
        predicted=1.0,
        measured=ratio.value,
        interval=ratio.bounded,
        rule="rank at which a quarter of the bits is held over the rank at which three quarters are, geometric mean over "
        f"models; {_interval(ratio)}; holds if it lies below {SHARP:g}, fails if above",
        verdict=ratio.below(SHARP),
        source=PAPER,
        unit="ratio",
    )


def syntax_first(evidence: Evidence) -> Claim:
    """How much larger a model must be for knowledge than for syntax."""
    sizes = np.unique(evidence.parameters)
    laws = list(zip(evidence.models, evidence.fitted, strict=True))
    measured = _delay(sizes, evidence, [missing(m, m.syntax, m.value) for m in evidence.models])
    predicted = _delay(sizes, evidence, [missing(m, float(law.syntax), float(law.value)) for m, law in laws])
    return Claim(
        f"{evidence.label}: syntax is bought first: knowledge needs a larger model.",
        predicted=predicted,
        measured=measured,
        interval=None,
        rule=f"parameters at which {MISSING:.0%} of the knowledge is missing over the same for syntax, between sizes by "
        "interpolation in logarithms, the smallest or largest size where all models lie on one side; missing is redundancy "
        "over that of unknown facts and of uniform templates; holds if above 1, fails if below",
        verdict="holds" if measured > 1 else "fails" if measured < 1 else "inconclusive",
        source=PAPER,
        unit="ratio",
    )


def missing(model: Model, syntax: float, value: float) -> tuple[float, float]:
    """What part of the syntax and of the knowledge these redundancies leave unknown."""
    world = model.cell.world
    psi = world.template_probabilities
    templates = [np.log2(len(q)) + float(q @ np.log2(np.maximum(q, 1e-300))) for q in psi]
    facts = [attribute.entropy() for attribute in world.attributes]
    return syntax / float(world.pi @ templates), value / float(world.pi @ facts)


def _delay(sizes: Floats, evidence: Evidence, parts: list[tuple[float, float]]) -> float:
    """Size at which knowledge is known over that at which syntax is; replicates of a size are averaged."""
    means = np.array(
        [np.mean([p for p, x in zip(parts, evidence.parameters, strict=True) if x == s], 0) for s in sizes]
    )
    syntax, value = (_known(sizes, curve) for curve in means.T)
    return value / syntax


def _known(sizes: Floats, curve: Floats) -> float:
    """The size at which a falling curve passes `MISSING`."""
    falling = np.minimum.accumulate(np.log(np.maximum(curve, 1e-12)))
    return float(np.exp(np.interp(-np.log(MISSING), -falling, np.log(sizes))))


def one_number(groups: Sequence[Evidence]) -> Claim:
    """Bits per parameter in different worlds."""
    logs = [np.log(group.bits_per_parameter.value) for group in groups]
    most, least = groups[int(np.argmax(logs))], groups[int(np.argmin(logs))]
    (high_low, high_high), (low_low, low_high) = most.bits_per_parameter.interval, least.bits_per_parameter.interval
    ratio = Estimate(float(np.exp(max(logs) - min(logs))), (max(1.0, high_low / low_high), high_high / low_low), 0.95)
    return Claim(
        "Bits per parameter are the learner's own: the same in worlds of different discounts.",
        predicted=1.0,
        measured=ratio.value,
        interval=ratio.bounded,
        rule="largest over smallest fitted bits per parameter, the interval from the two ends of theirs; holds if it lies "
        f"below {SAME_B:g}, fails if above",
        verdict=ratio.below(SAME_B),
        source=DERIVED,
        unit="ratio",
    )


def converged(pairs: Sequence[tuple[Model, Model]]) -> Claim:
    """Models trained on half as many sentences, their schedule run to its end, beside those trained on all."""
    worst = max(half.total / whole.total for half, whole in pairs)
    sizes = ", ".join(f"{whole.parameters:,}" for _, whole in pairs)
    return Claim(
        "The models are trained to convergence: twice the training hardly lowers their redundancy.",
        predicted=1.0,
        measured=worst,
        interval=None,
        rule="redundancy after a whole run of half as many sentences over that after all, the largest of the models of "
        f"{sizes} parameters; holds if below {CONVERGED:g}",
        verdict="holds" if worst < CONVERGED else "fails",
        source="this study",
        unit="ratio",
    )


def _interval(estimate: Estimate) -> str:
    return f"{estimate.level:.0%} bootstrap interval over models"

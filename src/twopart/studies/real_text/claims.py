"""The claims of the real-text study. Every rule and margin stands here and was set before the runs that it judges.

The theory speaks of exchangeable text of one discount. Real text is neither, and each claim says how far that carries.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from twopart.findings import Claim, Verdict
from twopart.fits import Estimate, slope
from twopart.studies.real_text.evidence import LEVEL, Evidence, Floats, Range
from twopart.studies.real_text.exam import BETWEEN

CONTROL_MARGIN = 0.05
"""For the exponent of the control, where the theory must hold if the text has a law of its kind."""
DISCOUNT_MARGIN = 0.05
"""Discounts of a tenth and of the whole within this count as one."""
DATA_MARGIN = 0.1
"""For exponents of data, as in the other studies."""
CAPACITY_MARGIN = 0.2
"""For exponents of parameters, which are larger."""
NOVELTY_MARGIN = 0.05
"""For the exponent of what an unseen word costs."""

HERE = "docs/laws/real-text.md"
PAPER = f"Pan, Wang, Li 2025, arXiv 2504.09597; {HERE}"
DOCUMENTS = f"{LEVEL:.0%} bootstrap interval over held-out documents"
PROFILE = f"{LEVEL:.0%} interval of the profile likelihood"
NONE = Estimate(math.nan, (-math.inf, math.inf), LEVEL)
"""Of a fit that there is not."""


def all_claims(evidence: Evidence) -> Iterator[Claim]:
    """In the order of the argument: where the theory must hold, what the text is like, what learners do."""
    yield control(evidence)
    yield one_discount(evidence)
    yield unseen_words(evidence)
    yield data_exponent(evidence)
    yield rival(evidence)
    yield nearer(evidence)
    yield fitted_data_exponent(evidence)
    yield fitted_capacity_exponent(evidence)
    yield fitted_discount(evidence)
    yield without_training(evidence)
    yield familiar_is_cheap(evidence)
    yield novelty_is_incompressible(evidence)


def control(evidence: Evidence) -> Claim:
    expected, estimate = evidence.control_falls("drawn").value, evidence.control_falls("shuffled")
    return Claim(
        "Words shuffled: what the Bayes code of the text's Pitman-Yor law pays for a word falls as the law expects.",
        predicted=expected,
        measured=estimate.value,
        interval=estimate.bounded,
        rule="slope of the savings from each doubling of the words to the next; predicted: the same for as many words drawn "
        f"from the law; its limit is 1 - d = {evidence.data_exponent.whole:.3f}; {LEVEL:.0%} bootstrap interval over shuffles; "
        f"holds if it lies within {CONTROL_MARGIN} of that, fails if wholly outside",
        verdict=estimate.equivalent_to(expected, CONTROL_MARGIN),
        source=PAPER,
        unit="exponent",
    )


def one_discount(evidence: Evidence) -> Claim:
    d = evidence.discount
    error = float(np.hypot(*(evidence.law(part)["error"][0] for part in ("whole", "tenth"))))
    gap = d.tenth - d.whole
    estimate = Estimate(gap, (gap - 1.96 * error, gap + 1.96 * error), LEVEL)
    return Claim(
        "One Pitman-Yor law describes the text at every size: a random tenth has the discount of the whole.",
        predicted=0.0,
        measured=gap,
        interval=estimate.bounded,
        rule=f"discount of a random tenth, {d.tenth:.3f}, less that of the whole, {d.whole:.3f}, by maximum likelihood; holds "
        f"if the {LEVEL:.0%} interval of the likelihood lies within {DISCOUNT_MARGIN}, fails if wholly outside",
        verdict=estimate.equivalent_to(0.0, DISCOUNT_MARGIN),
        source=HERE,
        unit="discount",
    )


def unseen_words(evidence: Evidence) -> Claim:
    return _in_range(
        "In other documents, the share of words that were not read before falls as N^-(1-d).",
        evidence.unseen,
        evidence.data_exponent,
        DATA_MARGIN,
        f"slope of the share of unseen words on bytes read; {DOCUMENTS}",
    )


def data_exponent(evidence: Evidence) -> Claim:
    return _in_range(
        "The loss of the largest model falls with data as N^-(1-d).",
        _last_model(evidence),
        evidence.data_exponent,
        DATA_MARGIN,
        f"slope of the savings from each data size to the next; {DOCUMENTS}",
    )


def rival(evidence: Evidence) -> Claim:
    estimate, expected = _last_model(evidence), evidence.novelty("distinct")
    return Claim(
        "The loss of the largest model falls with data as new words do in the order of the text.",
        predicted=expected,
        measured=estimate.value,
        interval=estimate.bounded,
        rule="slope of the savings from each data size to the next; predicted: 1 less the slope of distinct words on words "
        f"over the same range, in the order in which they are read; {DOCUMENTS}; holds if it lies within {DATA_MARGIN} of "
        "that, fails if wholly outside",
        verdict=estimate.equivalent_to(expected, DATA_MARGIN),
        source=f"the rival: no law, only order; {HERE}",
        unit="exponent",
    )


def nearer(evidence: Evidence) -> Claim:
    """The two predictions against each other, wherever either leaves the measurement."""
    estimate, expected, law = _last_model(evidence), evidence.novelty("distinct"), evidence.data_exponent
    below, above = expected < law.low, expected > law.high
    end = law.low if below else law.high
    middle = (expected + end) / 2
    verdict: Verdict = "inconclusive"
    if below or above:
        verdict = estimate.below(middle) if below else estimate.above(middle)
    return Claim(
        "The order of the text foretells a learner's exponent better than its discount does.",
        predicted=expected,
        measured=estimate.value,
        interval=estimate.bounded,
        rule=f"as above; {DOCUMENTS}; holds if it lies on the rival's side of the middle, {middle:.3f}, between the rival and "
        f"the nearer end, {end:.3f}, of the discounts' range, fails if on the other; open where the rival lies within",
        verdict=verdict,
        source=HERE,
        unit="exponent",
    )


def fitted_data_exponent(evidence: Evidence) -> Claim:
    return _in_range(
        "A scaling law fitted to all runs has the data exponent 1 - d.",
        evidence.fitted("chinchilla", "beta") or NONE,
        evidence.data_exponent,
        DATA_MARGIN,
        f"beta of E + A N^-alpha + B D^-beta, N parameters and D tokens; {PROFILE}",
    )


def fitted_capacity_exponent(evidence: Evidence) -> Claim:
    return _in_range(
        "A scaling law fitted to all runs has the exponent of parameters 1/d - 1.",
        evidence.fitted("chinchilla", "alpha") or NONE,
        evidence.capacity_exponent,
        CAPACITY_MARGIN,
        f"alpha of E + A N^-alpha + B D^-beta, N parameters and D tokens; {PROFILE}",
    )


def fitted_discount(evidence: Evidence) -> Claim:
    return _in_range(
        "One discount sets both exponents, and it is the text's.",
        evidence.fitted("knowledge", "d") or NONE,
        evidence.discount,
        DATA_MARGIN,
        f"d of E + A N^-(1/d - 1) + B D^-(1 - d) fitted to all runs; {PROFILE}",
        unit="discount",
    )


def without_training(evidence: Evidence) -> Claim:
    both = np.stack([evidence.compressed, evidence.largest], 1)
    estimate = evidence.estimate(lambda mean: evidence.exponent(mean[0]) - evidence.exponent(mean[1]), both)
    return Claim(
        "A compressor, which needs no training, has the exponent of the largest model.",
        predicted=0.0,
        measured=estimate.value,
        interval=estimate.bounded,
        rule=f"the compressor's slope less the model's, both on the same documents after the same text; {DOCUMENTS} of the "
        f"difference; holds if it lies within {DATA_MARGIN}, fails if wholly outside",
        verdict=estimate.equivalent_to(0.0, DATA_MARGIN),
        source=HERE,
        unit="exponent",
    )


def familiar_is_cheap(evidence: Evidence) -> Claim:
    def least_step(mean: Floats) -> float:
        bits, length = mean[:, -1, :BETWEEN]
        cost = bits / length
        return float(np.min(cost[:-1] / cost[1:]))

    estimate = evidence.estimate(least_step, evidence.costs)
    return Claim(
        "The more often a word was read, the less a letter of it costs: unseen, 1 to 3 times, 4 to 10, more.",
        predicted=None,
        measured=estimate.value,
        interval=estimate.bounded,
        rule=f"least ratio of bits per byte of one group to those of the next, largest model, all text read; {DOCUMENTS}; "
        "holds if it lies above 1, fails if below",
        verdict=estimate.above(1.0),
        source=PAPER,
        unit="ratio",
    )


def novelty_is_incompressible(evidence: Evidence) -> Claim:
    def fall(mean: Floats) -> float:
        bits, length = mean[:, :, 0]
        return -slope(evidence.sizes, bits / length)

    estimate = evidence.estimate(fall, evidence.costs)
    return Claim(
        "A word that was never read costs the same however much was read: only its share falls.",
        predicted=0.0,
        measured=estimate.value,
        interval=estimate.bounded,
        rule=f"exponent at which bits per byte of unseen words fall with the bytes read, largest model; {DOCUMENTS}; holds if "
        f"it lies within {NOVELTY_MARGIN}, fails if wholly outside",
        verdict=estimate.equivalent_to(0.0, NOVELTY_MARGIN),
        source=PAPER,
        unit="exponent",
    )


def _last_model(evidence: Evidence) -> Estimate:
    return evidence.falls[evidence.name(evidence.models[-1])]


def _in_range(
    statement: str, estimate: Estimate, expected: Range, margin: float, what: str, unit: str = "exponent"
) -> Claim:
    """A number against what the discounts of the whole and of a tenth make of it."""
    low, high = expected.low - margin, expected.high + margin
    return Claim(
        statement,
        predicted=expected.whole,
        measured=estimate.value,
        interval=estimate.bounded,
        rule=f"{what}; predicted: {expected.whole:.3f} by the discount of the whole text, {expected.tenth:.3f} by that of a "
        f"random tenth; holds if it lies from {margin} below the lower to {margin} above the higher, fails if wholly outside",
        verdict="inconclusive" if math.isnan(estimate.value) else _within(estimate, low, high),
        source=PAPER,
        unit=unit,
    )


def _within(estimate: Estimate, low: float, high: float) -> Verdict:
    return estimate.equivalent_to((low + high) / 2, (high - low) / 2)

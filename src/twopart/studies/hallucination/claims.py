"""The claims of the hallucination study. Every rule and margin stands here and was set before the runs that it judges."""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.stats import power_divergence

from twopart.findings import Claim, Verdict
from twopart.fits import Estimate, bootstrap
from twopart.studies.hallucination.answers import Floats
from twopart.studies.hallucination.evidence import Evidence

LEVEL = 0.95
FALSE_ALARM = 1e-6
RATE_MARGIN = 1.25
"""A rate is predicted if it is met within this factor."""
CALIBRATED = 0.05
"""Confidence may differ from accuracy by this much and still be called calibrated."""
RISK_MARGIN = 0.02
"""A risk is predicted if it is met within this much."""
SHARE_MARGIN = 0.1
"""The same for the share of best guesses that are the most probable value."""
NEVER = 1e-12
"""A rate of 0, as far as logarithms go."""
LEAST = 200
"""Facts never told, below which nothing is said of how they are answered."""

PAPER = "Pan, Wang, Li 2025, arXiv 2504.09597; docs/laws/hallucination.md"
INTERVAL = f"{LEVEL:.0%} bootstrap interval over replicates"
WAYS = {"sampled": "answers drawn as the model gives them", "best": "best guesses"}


def not_below_missing_mass(evidence: Evidence, size: int) -> Claim:
    """The smaller of the two rates over the bound, at the end."""
    rate = np.minimum(evidence.wrong["sampled"], evidence.wrong["best"])[:, size, -1]
    estimate = _mean(np.log(np.maximum(rate, NEVER) / evidence.bound[:, -1])).exp()
    return Claim(
        f"{evidence.labels[size]}: hallucinates at least as often as the missing mass demands.",
        predicted=None,
        measured=estimate.value,
        interval=estimate.bounded,
        rule="share of wrong answers, drawn or best, whichever is less, over the Good-Turing missing mass of facts times the "
        f"probability that even the best guess about them is wrong; holds if the {INTERVAL} lies above 1, fails if below",
        verdict=estimate.above(1.0),
        source="Kalai and Vempala 2024, arXiv 2311.14648; docs/laws/hallucination.md",
        unit="ratio",
    )


def rate_predicted(evidence: Evidence, way: str) -> Claim:
    """The farthest of all sizes and moments from what is predicted."""
    with np.errstate(divide="ignore"):
        logs = np.log(evidence.wrong[way] / evidence.predicted[way])
    estimate = bootstrap(_farthest, logs, level=LEVEL)
    ratio = estimate.exp()
    return Claim(
        f"{WAYS[way].capitalize()} are wrong as often as predicted, at every size and both moments.",
        predicted=1.0,
        measured=ratio.value,
        interval=ratio.bounded,
        rule="the ratio of measured to predicted share of wrong answers that is farthest from 1, of all sizes and moments; T "
        "is fitted to the held-out redundancy of the widest, bits per parameter to that of the narrowest, both at the end; "
        f"holds if the {INTERVAL} lies within a factor of {RATE_MARGIN}, fails if wholly outside",
        verdict=estimate.equivalent_to(0.0, float(np.log(RATE_MARGIN))),
        source=PAPER,
        unit="ratio",
    )


def larger_hallucinate_less(evidence: Evidence) -> Claim:
    """Rate of the widest over that of the narrowest, at the end."""
    rate, law = (rates["sampled"][:, :, -1] for rates in (evidence.wrong, evidence.predicted))
    estimate = _mean(np.log(rate[:, -1] / rate[:, 0])).exp()
    predicted = float(np.exp(np.mean(np.log(law[:, -1] / law[:, 0]))))
    return Claim(
        f"A larger model hallucinates less: {evidence.labels[-1]} against {evidence.labels[0]}.",
        predicted=predicted if np.isfinite(predicted) else None,
        measured=estimate.value,
        interval=estimate.bounded,
        rule="share of wrong answers, drawn as the model gives them, of the widest over that of the narrowest at the end; "
        f"holds if the {INTERVAL} lies below 1, fails if above",
        verdict=estimate.below(1.0),
        source=PAPER,
        unit="ratio",
    )


def calibrated(evidence: Evidence, size: int) -> Claim:
    """Expected calibration error of the best guess, all questions."""
    estimate = _mean(evidence.each(lambda answers: answers.calibration_error)[:, size, -1])
    return Claim(
        f"{evidence.labels[size]}: is right as often as it is confident, over all questions.",
        predicted=0.0,
        measured=estimate.value,
        interval=estimate.bounded,
        rule="expected calibration error of the best guess at the end, 15 bins of equal width; "
        f"holds if the {INTERVAL} lies below {CALIBRATED}, fails if above",
        verdict=estimate.below(CALIBRATED),
        source="docs/laws/hallucination.md",
        unit="probability",
    )


def doubts_what_it_was_not_told(evidence: Evidence, size: int) -> Claim:
    """Mean confidence about facts never told, each counted once."""
    told = [world.answers(size, -1).never_told for world in evidence.worlds]
    estimate = _mean([_average(facts["confidence"]) for facts in told])
    predicted = float(np.mean([world.chance[1] for world in evidence.worlds]))
    verdict = estimate.equivalent_to(predicted, CALIBRATED)
    return Claim(
        f"{evidence.labels[size]}: doubts facts that it was never told as it should.",
        predicted=predicted,
        measured=estimate.value,
        interval=estimate.bounded,
        rule="mean confidence in the best guess about facts never told, each counted once, at the end; predicted is the "
        f"probability of the most probable value; holds if the {INTERVAL} lies within {CALIBRATED} of it, fails if wholly "
        f"outside; inconclusive with fewer than {LEAST} such facts",
        verdict=verdict if sum(map(len, told)) >= LEAST else "inconclusive",
        source="docs/laws/hallucination.md",
        unit="probability",
    )


def drawn_from_base(evidence: Evidence, size: int) -> Claim:
    """Drawn answers about facts never told against the base distribution: total variation, judged by a G-test."""
    counts, base = unseen_answers(evidence, size)
    total = int(counts.sum())
    distance = float(np.abs(counts / max(total, 1) - base).sum() / 2)
    chance = _g_test(counts, base * total) if total >= LEAST else float("nan")
    verdict: Verdict = "inconclusive" if total < LEAST else "fails" if chance < FALSE_ALARM else "holds"
    return Claim(
        f"{evidence.labels[size]}: answers about facts that it was never told are drawn from the base distribution.",
        predicted=0.0,
        measured=distance,
        interval=None,
        rule=f"total variation between one drawn answer for each of {total:,} facts never told, all replicates at the end, and "
        f"the base distribution; fails if chance gives such counts less than once in {1 / FALSE_ALARM:,.0f} (G-test, values "
        f"expected less than 5 times taken together), holds if not; inconclusive with fewer than {LEAST} facts; about "
        f"{_expected_distance(base, total):.2g} is expected from as many draws",
        verdict=verdict,
        source=PAPER,
        unit="probability",
    )


def guesses_the_mode(evidence: Evidence, size: int) -> Claim:
    """Share of best guesses about facts never told that are the attribute's most probable value."""
    told = [world.answers(size, -1).never_told for world in evidence.worlds]
    estimate = _mean([_average(facts["guessed"] == 0) for facts in told])
    verdict = estimate.equivalent_to(1.0, SHARE_MARGIN)
    return Claim(
        f"{evidence.labels[size]}: its best guess about a fact that it was never told is the most probable value.",
        predicted=1.0,
        measured=estimate.value,
        interval=estimate.bounded,
        rule="share of facts never told, each counted once, whose best guess at the end is the attribute's most probable; "
        f"holds if the {INTERVAL} lies within {SHARE_MARGIN} of 1, fails if wholly outside; inconclusive with fewer than "
        f"{LEAST} such facts",
        verdict=verdict if sum(map(len, told)) >= LEAST else "inconclusive",
        source=PAPER,
        unit="share",
    )


def doubt_avoids_error(evidence: Evidence, size: int) -> Claim:
    """Risk when only as many questions are answered as the law says can be known."""
    pairs = []
    for world in evidence.worlds:
        share = float(1 - world.laws[-1].unknown[size]) if world.predictable else float("nan")
        pairs.append(float(world.answers(size, -1).risk(share)) if share > 0 else float("nan"))
    estimate = _mean(pairs)
    return Claim(
        f"{evidence.labels[size]}: abstaining where it is least confident avoids hallucination.",
        predicted=0.0,
        measured=estimate.value,
        interval=estimate.bounded,
        rule="share of wrong best guesses at the end if only the share of questions is answered that the law says is known, "
        f"the surest first; holds if the {INTERVAL} lies within {RISK_MARGIN} of 0, fails if wholly outside",
        verdict=estimate.equivalent_to(0.0, RISK_MARGIN),
        source="docs/laws/hallucination.md",
        unit="share",
    )


def unseen_answers(evidence: Evidence, size: int) -> tuple[Floats, Floats]:
    """How often each place in the base distribution was drawn for facts never told, at the end; and the base distribution."""
    base = np.sort(evidence.worlds[0].world.attributes[0].value_probabilities())[::-1]
    drawn = [world.answers(size, -1).never_told["sampled"].to_numpy() for world in evidence.worlds]
    return np.bincount(np.concatenate(drawn), minlength=len(base)).astype(float), base


def _g_test(counts: Floats, expected: Floats) -> float:
    """Probability of counts at least so unlikely; places in falling order, those expected less than 5 times in one."""
    few = expected < 5
    if few.any():
        counts, expected = (np.r_[row[~few], row[few].sum()] for row in (counts, expected))
    return float(power_divergence(counts, expected, lambda_="log-likelihood").pvalue)


def _expected_distance(base: Floats, total: int) -> float:
    """Expected total variation of `total` draws from `base` to it: half of Σ E|N_v/N - base_v|, by the normal approximation."""
    return float(np.sqrt(base * (1 - base) / max(total, 1)).sum() / np.sqrt(2 * np.pi))


def _farthest(logs: Floats) -> float:
    """The number farthest from 0; nan if some is not known."""
    return float(logs.flat[np.abs(logs).argmax()]) if np.all(np.isfinite(logs)) else float("nan")


def _average(numbers: pl.Series) -> float:
    return float(numbers.to_numpy().mean()) if len(numbers) else float("nan")


def _mean(numbers: Floats | list[float]) -> Estimate:
    """The mean over replicates; unknown if one of them is."""
    return bootstrap(lambda mean: float(mean), numbers, level=LEVEL)

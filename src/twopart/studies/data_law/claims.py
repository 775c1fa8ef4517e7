"""The claims of the data-law study. Every rule and margin stands here and was set before the runs that it judges."""

from __future__ import annotations

import numpy as np
from scipy.stats import t as student

from twopart.findings import Claim
from twopart.fits import bootstrap, slope
from twopart.roles import ROLES
from twopart.studies.data_law.evidence import Evidence, Floats

LEVEL = 0.95
FALSE_ALARM = 1e-6
SLOPE_MARGIN = 0.1
"""Exponents within this of the predicted one count as agreeing: so discounts 0.2 apart are told apart."""
STEEPENING = -0.5
"""A curve whose log-log slope falls by more than this from one half-decade to the next is no power law."""

PAPER = "Pan, Wang, Li 2025, arXiv 2504.09597; docs/laws/data.md"
INTERVAL = f"{LEVEL:.0%} bootstrap interval over replicates"


def bayes_matches(evidence: Evidence) -> Claim:
    """The simulated Bayes code against the exact expectation, in all bins and roles at once."""
    z = np.abs(np.concatenate([_deviations(evidence, role) for role in ROLES]))
    limit = float(student.isf(FALSE_ALARM / 2 / len(z), evidence.bayes_worlds - 1))
    worst = float(z.max())
    return Claim(
        f"{evidence.label}: the simulated Bayes code has the redundancy that the data law expects, in every role.",
        predicted=0.0,
        measured=worst,
        interval=None,
        rule=f"holds if the largest of {len(z)} deviations in standard errors stays below {limit:.1f}, "
        f"which chance exceeds once in {1 / FALSE_ALARM:,.0f} (Student, Bonferroni)",
        verdict="holds" if worst < limit else "fails",
        source="docs/laws/data.md",
        unit="standard errors",
    )


def _deviations(evidence: Evidence, role: str) -> Floats:
    """Simulated less expected redundancy in standard errors, bin by bin.

    Late bins may hold no new fact or name at all, and then show no spread. New facts and names come independently and cost
    h and log2(names) bits each, so the error is at least that of a Poisson count of them.
    """
    assert evidence.bayes is not None
    world, expected = evidence.world, evidence.law[role]
    each = {"name": np.log2(world.names), "syntax": 0.0, "value": max(a.entropy() for a in world.attributes)}[role]
    poisson = np.sqrt(expected * each / (np.diff(evidence.bins.edges) * evidence.bayes_worlds))
    error = np.maximum(evidence.bayes[f"{role}_error"].to_numpy(), poisson)
    deviation = evidence.bayes[role].to_numpy() - expected
    return np.asarray(deviation[error > 0] / error[error > 0])


def knowledge_exponent(evidence: Evidence) -> Claim:
    """Slope of the transformer's value redundancy in the upper decade."""
    estimate = bootstrap(evidence.upper_slope, evidence.knowledge, level=LEVEL)
    predicted = -(1 - evidence.world.discount)
    return Claim(
        f"{evidence.label}: the transformer's knowledge redundancy falls with the sentences seen as a power, 1 - d.",
        predicted=predicted,
        measured=estimate.value,
        interval=estimate.bounded,
        rule="slope of ln bits, taken relative to the law of each run's own world, on ln sentences over the last tenfold of "
        f"the run; holds if the {INTERVAL} lies within {SLOPE_MARGIN} of the prediction, fails if wholly outside",
        verdict=estimate.equivalent_to(predicted, SLOPE_MARGIN),
        source=PAPER,
        unit="log-log slope",
    )


def exposures_per_fact(evidence: Evidence) -> Claim:
    """T, how many times more sentences the transformer needs than the Bayes code."""
    estimate = bootstrap(lambda mean: np.log(evidence.exposures(mean)), evidence.knowledge, level=LEVEL).exp()
    return Claim(
        f"{evidence.label}: the transformer learns as the Bayes code does from T times fewer sentences, T > 1.",
        predicted=None,
        measured=estimate.value,
        interval=estimate.bounded,
        rule="T is the geometric mean of the ratio, taken relative to the law of each run's own world, over the last tenfold "
        f"of the run; holds if the {INTERVAL} lies above 1, fails if below",
        verdict=estimate.above(1.0),
        source="docs/laws/data.md, exposures",
        unit="exposures per fact",
    )


def syntax_first(evidence: Evidence) -> Claim:
    """How much later knowledge is learned than syntax."""
    rows = [ROLES.index("syntax"), ROLES.index("value")]

    def delay(pair: Floats) -> float:
        return evidence.mostly_known(pair[1]) / evidence.mostly_known(pair[0])

    law = np.array([evidence.law["syntax"], evidence.law["value"]])
    estimate = bootstrap(lambda mean: np.log(delay(mean)), evidence.learner[:, rows], level=LEVEL).exp()
    return Claim(
        f"{evidence.label}: the transformer learns syntax before knowledge.",
        predicted=delay(law),
        measured=estimate.value,
        interval=estimate.bounded,
        rule="sentences until value redundancy is a tenth of what it was at the start, over the same for syntax, "
        f"the length of the run where it is not reached; holds if the {INTERVAL} lies above 1, fails if below; "
        "the prediction is that of the Bayes code",
        verdict=estimate.above(1.0),
        source=PAPER,
        unit="ratio",
    )


def no_power_law(evidence: Evidence) -> Claim:
    """The control: with equally frequent entities the curve bends down instead of going straight."""

    def steepening(curve: Floats) -> float:
        x, middle = evidence.bins.centres, evidence.sentences / np.sqrt(10)
        first, second = evidence.upper & (x < middle), evidence.upper & (x >= middle)
        return slope(x[second], curve[second]) - slope(x[first], curve[first])

    estimate = bootstrap(steepening, evidence.knowledge, level=LEVEL)
    return Claim(
        f"{evidence.label}: with equally frequent entities there is no power law; knowledge comes late and at once.",
        predicted=steepening(evidence.law["value"]),
        measured=estimate.value,
        interval=estimate.bounded,
        rule="slope in the second half of the last tenfold less slope in the first half; "
        f"holds if the {INTERVAL} lies below {STEEPENING}, fails if above",
        verdict=estimate.below(STEEPENING),
        source="docs/laws/data.md, control",
        unit="change of log-log slope",
    )

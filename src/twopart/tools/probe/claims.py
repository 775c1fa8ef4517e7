"""What a learner of the capacity law would show, held against a model: the rules were fixed before any run that is published.

The margins are those of a prototype's note (docs/tools/probe.md); all-or-nothing, one price and rarest-lost-first failed there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from twopart import _random
from twopart.evidence import Estimate, above, below, claim, exact, within, within_factor
from twopart.findings import Claim
from twopart.fits.known_share import threshold_curve
from twopart.tools.probe.analysis import DRAWS, STRATA, Floats, Integers, Rows, Studied, calibration, estimate
from twopart.tools.probe.compare import Compared

METHOD = "docs/tools/probe.md"
CAPACITY, ANSWERS, TUNING = "docs/laws/capacity.md", "docs/laws/hallucination.md", "docs/laws/finetuning.md"


def claims(studied: Sequence[Studied], compared: Sequence[Compared]) -> Iterator[Claim]:
    """In the order a reader should meet them: by template, then across templates, then between models."""
    for one in studied:
        if one.learned.curve is not None:
            yield control(one)
            yield corrected(one)
            yield ordered(one)
            yield foretold(one)
            yield two_numbers(one)
            yield missing_mass(one)
            yield one_price(one)
            yield all_or_nothing(one)
        if len(one.asking.twin_of):
            yield from unknown(one)
        yield calibrated(one)
        yield doubt(one)
    if len(studied) > 1:
        yield best_calibrated(studied)
    if len(studied) > 1 and all(one.learned.curve is not None for one in studied):
        yield one_threshold(studied)
    for pair in compared:
        yield rarest_first(pair)
        yield raised(pair)


@claim(within(0.1), "share right", METHOD, "accuracy less that of the twins, in the rarest fifth")
def control(t: Studied) -> Estimate:
    """{t}: the rarest facts are right as often as invented ones."""
    return t.estimate("control").against(0.0)


@claim(below(0.1), "share known", METHOD, "root mean square over fifths above the rarest, its sampling error taken off")
def corrected(t: Studied) -> Estimate:
    """{t}: hard to guess or not, as many facts are known at a frequency."""
    names = [name for s in range(1, STRATA) if math.isfinite(t.values.get(name := f"hard less others {s}", math.nan))]
    return beyond_noise([t.values[name] for name in names], [t.drawn[name] for name in names], len(t.asking.facts))


def beyond_noise(differences: Sequence[float], drawn: Sequence[Floats], subjects: int) -> Estimate:
    """Root mean square of differences, each with its resamples (R,), the mean squared standard error taken off; predicted 0."""
    if not differences:
        return estimate(math.nan, np.zeros(0), subjects).against(0.0)
    noise = np.array([np.nanvar(one) if np.isfinite(one).sum() > 1 else math.nan for one in drawn])
    square = float(np.mean(np.square(differences) - noise))
    squares = np.mean([one**2 - 2 * n for one, n in zip(drawn, noise, strict=True)], 0)  # noise upon noise
    found = estimate(square, squares, subjects)
    low, high = (math.sqrt(max(end, 0.0)) for end in found.ends)
    return replace(found, value=math.sqrt(max(square, 0.0)), interval=(low, high)).against(0.0)


@claim(above(0.0), "Somers' D", CAPACITY, "right on frequency, above the rarest fifth")
def ordered(t: Studied) -> Estimate:
    """{t}: the more frequent facts are known first."""
    return t.estimate("order")


@claim(below(0.05), "share right", METHOD, "mean absolute deviation over fifths of the half that was not looked at")
def foretold(t: Studied) -> Estimate:
    """{t}: threshold, width, guess rates and anchor of half of the subjects foretell how often the others are right."""
    return t.estimate("deviation").against(0.0)


@claim(above(3.0), "nats", METHOD, "log likelihood of the probit less that of the step, both with a lapse rate")
def two_numbers(t: Studied) -> Estimate:
    """{t}: what is known rises with frequency as a curve, not as a step."""
    return exact(t.forms["probit with lapses"].log_likelihood - t.forms["step with lapses"].log_likelihood)


@claim(
    within(0.25),
    "foretold over found",
    METHOD,
    "wrong answers weighted by frequency, of the other half of the subjects",
)
def missing_mass(t: Studied) -> Estimate:
    """{t}: half of the subjects foretell what share of all that is asked is answered wrongly by the others."""
    return t.estimate("missing").against(1.0)


@claim(within_factor(2), "ratio of thresholds", CAPACITY, "facts that can be guessed over hard ones, at one width")
def one_price(t: Studied) -> Estimate:
    """{t}: all facts have one price."""
    return t.estimate("others over hard").against(0.0).times(math.log(10)).exp()


@claim(
    below(0.1),
    "share of facts",
    CAPACITY,
    "those that store 0.2 to 0.8 of their bits, within half a decade of the threshold",
)
def all_or_nothing(t: Studied) -> Estimate:
    """{t}: a fact is held whole or not at all."""
    return t.estimate("partial").against(0.0)


def unknown(t: Studied) -> Iterator[Claim]:
    """What is not known is answered as about a stranger: wrong answers beside the wrong answers about the same facts' twins."""
    facts, asking = t.asking.facts, t.asking
    wrong = np.flatnonzero(asking.right < 1)
    twin = np.flatnonzero(
        (asking.twin_share.argmax(1) != facts.answer[asking.twin_of]) & (asking.right[asking.twin_of] < 1)
    )
    if not len(wrong) or not len(twin):
        return
    answers, of = np.r_[asking.guess[wrong], asking.twin_share[twin].argmax(1)], np.r_[wrong, asking.twin_of[twin]]
    if facts.near is not None:
        inside = np.array([answer in facts.near[i] for answer, i in zip(answers, of, strict=True)], float)
        yield neighbours(t, inside[: len(wrong)], inside[len(wrong) :])
    yield as_strangers(t, answers, len(wrong))


@claim(within(0.05), "share of wrong answers", ANSWERS, "those near the truth, less the same about twins")
def neighbours(t: Studied, wrong: Floats, twins: Floats) -> Estimate:
    """{t}: wrong answers lie near the truth as often as those about invented subjects."""
    random = _random.generator(0, "neighbours")
    drawn = [random.choice(wrong, len(wrong)).mean() - random.choice(twins, len(twins)).mean() for _ in range(DRAWS)]
    return estimate(float(wrong.mean() - twins.mean()), np.array(drawn), len(t.asking.facts)).against(0.0)


@claim(
    below(),
    "total variation",
    ANSWERS,
    "of wrong answers from those about twins; predicted: the 95 % point of permutations",
)
def as_strangers(t: Studied, answers: Integers, wrong: int) -> Estimate:
    """{t}: wrong answers are distributed as those about invented subjects."""
    random = _random.generator(0, "permutations")

    def distance(of: Integers) -> float:
        counts = (np.bincount(part, minlength=int(of.max()) + 1) / len(part) for part in (of[:wrong], of[wrong:]))
        return float(np.abs(np.subtract(*counts)).sum() / 2)

    return exact(distance(answers)).against(
        np.quantile([distance(random.permutation(answers)) for _ in range(DRAWS)], 0.95)
    )


@claim(
    below(), "calibration error", ANSWERS, "ten bins of equally many; predicted: the 95 % point of a calibrated model"
)
def calibrated(t: Studied) -> Estimate:
    """{t}: confidence is accuracy."""
    error, edge = calibration(t.asking, t.rows.index)
    return exact(error).against(edge)


@claim(
    below(),
    "calibration error",
    ANSWERS,
    "ten bins of equally many, of the half of the subjects by which the template was not chosen; predicted: the 95 % point of "
    "a calibrated model",
)
def best_calibrated(studied: Sequence[Studied]) -> Estimate:
    """{best}, of {count} templates best in log score on half of the subjects: confidence is accuracy on the other half."""
    first = np.flatnonzero(studied[0].first)
    best = max(studied, key=lambda t: t.asking.log_score[first].mean())
    error, edge = calibration(best.asking, np.flatnonzero(~best.first))
    return exact(error).against(edge, best=best, count=len(studied))


@claim(below(0.05), "risk", ANSWERS, "share of wrong answers if only as many are given as are known, the surest first")
def doubt(t: Studied) -> Estimate:
    """{t}: what is known is answered surest."""
    return t.estimate("risk").against(0.0)


@claim(
    within_factor(2), "ratio of thresholds", METHOD, "the highest over the lowest of {count} templates, at one width"
)
def one_threshold(studied: Sequence[Studied]) -> Estimate:
    """However it is asked, the threshold is the same."""
    width = float(np.mean([t.values["width"] for t in studied]))

    def place(rows: Rows) -> float:
        assert rows.x is not None
        return threshold_curve(rows.x, rows.right, rows.learned.rate(rows.index), width=width).threshold

    value = np.ptp([place(t.rows) for t in studied])
    drawn = np.ptp([[place(rows) for rows in t.resampled] for t in studied], 0)  # of the same subjects by each template
    found = estimate(float(value), drawn, len(studied[0].asking.facts)).against(0.0, count=len(studied))
    return found.times(math.log(10)).exp()


@claim(
    above(0.5),
    "Somers' D",
    TUNING,
    "lost on rarity, among facts that were right, weighted by the probability that they were known",
)
def rarest_first(pair: Compared) -> Estimate:
    """{pair}: the rarest facts are lost first."""
    return pair.order(-pair.x).against(1.0)


@claim(above(1.0), "ratio of thresholds", TUNING, "after over before, each with its own guess rates and anchor")
def raised(pair: Compared) -> Estimate:
    """{pair}: the threshold is higher."""
    before, after, N = pair.before, pair.after, len(pair.x)
    if "threshold" not in after.values:
        return estimate(math.nan, np.zeros(0), N)
    found = estimate(
        after.values["threshold"] - before.values["threshold"], after.drawn["threshold"] - before.drawn["threshold"], N
    )
    return found.times(math.log(10)).exp()

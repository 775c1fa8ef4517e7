"""Seven claims that an exchangeable text under one Pitman-Yor law would meet. Rules and margins are the same for every text.

Real text meets few of them. That is what they are for: they say how far the theory's exponents can be trusted on this text.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from twopart.findings import Claim, Verdict
from twopart.fits import Estimate
from twopart.tools.measure.measurement import Measurement
from twopart.tools.measure.records import Forward, Missing

DEVIATIONS = 4.9
"""Standard errors that chance exceeds once in a million, on either side."""
SLOPE_MARGIN = 0.02
"""Discounts and slopes within this of each other count as equal."""
FORWARD_MARGIN = 0.05
"""A vocabulary predicted within this share of the true one counts as predicted."""
LEVEL = 0.95
SOURCE = "docs/tools/measure.md"
NAMES = {"random": "a random part", "file": "the first part"}


def claims(measured: Measurement) -> Iterator[Claim]:
    """In the order a reader should meet them."""
    yield _exchangeable(measured)
    yield from (_missing(row) for row in measured.missing)
    yield from (_forward(row) for row in measured.forward if row.estimator == "Pitman-Yor")
    yield _one_discount(measured)
    yield _heaps_is_discount(measured)


def _exchangeable(measured: Measurement) -> Claim:
    """The vocabulary of the first part against that of random parts of its size."""
    tokens = measured.missing[-1].tokens
    row = next(row for row in measured.growth if row.tokens == tokens)
    reach = DEVIATIONS * row.deviation
    near = abs(row.file - row.random) <= reach
    return Claim(
        f"The order is exchangeable: the first {tokens:,} tokens hold as many types as random ones.",
        predicted=row.random,
        measured=row.file,
        interval=None,
        rule=f"holds if within {DEVIATIONS} standard deviations of random order, {reach:.3g} types, "
        "which chance exceeds once in a million",
        verdict="holds" if near else "fails",
        source=f"rarefaction (Hurlbert 1971); {SOURCE}",
        unit="types",
    )


def _missing(row: Missing) -> Claim:
    """Good and Turing's estimate from a part against the rest."""
    reach = DEVIATIONS * row.good_turing_error
    near = abs(row.held_out - row.good_turing) <= reach
    return Claim(
        f"The types seen once in {NAMES[row.order]} of {row.tokens:,} tokens tell the missing mass found in the rest.",
        predicted=row.good_turing,
        measured=row.held_out,
        interval=None,
        rule=f"Good-Turing estimate; holds if within {DEVIATIONS} of its standard errors, {reach:.2g}",
        verdict="holds" if near else "fails",
        source="Good 1953; error of Esty 1983",
        unit="share of tokens",
    )


def _forward(row: Forward) -> Claim:
    """The vocabulary of the whole by the law fitted to a part."""
    low, high = row.interval or (row.excess, row.excess)
    spread = f" ({low:+.1%} to {high:+.1%}, {LEVEL:.0%} interval over random parts)" if row.interval else ""
    return Claim(
        f"The Pitman-Yor law of {NAMES[row.order]} of {row.tokens:,} tokens predicts the vocabulary of the whole.",
        predicted=row.predicted,
        measured=row.actual,
        interval=None,
        rule=f"excess of the prediction: {row.excess:+.1%}{spread}; holds if all of it lies within {FORWARD_MARGIN:.0%}, "
        "fails if wholly outside",
        verdict=_equivalent(row.excess, (low, high), 0.0, FORWARD_MARGIN),
        source=f"Favaro et al. 2009; {SOURCE}",
        unit="types",
    )


def _one_discount(measured: Measurement) -> Claim:
    """The discount of a random part against that of the whole."""
    part = measured.part
    whole = measured.law
    interval = _around(whole.discount, whole.discount_error)
    return Claim(
        f"The discount does not depend on size: {part.tokens:,} random tokens have that of all {whole.tokens:,}.",
        predicted=part.discount,
        measured=whole.discount,
        interval=interval,
        rule=f"holds if the {LEVEL:.0%} interval of the whole lies within {SLOPE_MARGIN} of the part's d, "
        "fails if wholly outside",
        verdict=_equivalent(whole.discount, interval, part.discount, SLOPE_MARGIN),
        source=SOURCE,
        unit="discount",
    )


def _heaps_is_discount(measured: Measurement) -> Claim:
    """The slope of the vocabulary's growth in random order against the discount."""
    law, slope = measured.law, measured.heaps.random_doubling
    interval = _around(law.discount, law.discount_error)
    return Claim(
        "In random order the vocabulary grows as tokens to the power d over the last doubling.",
        predicted=slope,
        measured=law.discount,
        interval=interval,
        rule=f"measured is d, predicted the slope; holds if the {LEVEL:.0%} interval of d lies within {SLOPE_MARGIN} of it, "
        "fails if wholly outside",
        verdict=_equivalent(law.discount, interval, slope, SLOPE_MARGIN),
        source=SOURCE,
        unit="log-log slope",
    )


def _around(value: float, error: float) -> tuple[float, float] | None:
    """The 95 % interval; None at the bound d = 0, where there is no error."""
    return (value - 1.96 * error, value + 1.96 * error) if math.isfinite(error) else None


def _equivalent(value: float, interval: tuple[float, float] | None, target: float, margin: float) -> Verdict:
    if interval is None or not math.isfinite(target):
        return "inconclusive"
    return Estimate(value, interval, LEVEL).equivalent_to(target, margin)

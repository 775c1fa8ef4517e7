"""Seven claims that an exchangeable text under one Pitman-Yor law would meet. Rules and margins are the same for every text.

Real text meets few of them. That is what they are for: they say how far the theory's exponents can be trusted on this text.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from scipy.stats import norm

from twopart.evidence import Estimate, by_chance, chance, claim, within
from twopart.findings import Claim
from twopart.tools.measure.measurement import Measurement
from twopart.tools.measure.records import Forward, Missing

SOURCE = "docs/tools/measure.md"
NAMES = {"random": "a random part", "file": "the first part"}

once_in_a_million = by_chance(1e-6)
same_slope = within(0.02)


def claims(measured: Measurement) -> Iterator[Claim]:
    """In the order a reader should meet them."""
    yield exchangeable(measured)
    yield from (missing(row) for row in measured.missing)
    yield from (forward(row) for row in measured.forward if row.estimator == "Pitman-Yor")
    yield one_discount(measured)
    yield heaps_is_discount(measured)


@claim(
    once_in_a_million, "types", f"rarefaction (Hurlbert 1971); {SOURCE}", "{z:+.1f} standard deviations of random order"
)
def exchangeable(measured: Measurement) -> Estimate:
    """The order is exchangeable: the first {tokens:,} tokens hold as many types as random ones."""
    tokens = measured.missing[-1].tokens
    row = next(row for row in measured.growth if row.tokens == tokens)
    return _normal(row.file, row.random, row.deviation, tokens=tokens)


@claim(
    once_in_a_million, "share of tokens", "Good 1953; error of Esty 1983", "{z:+.1f} standard errors of the estimate"
)
def missing(row: Missing) -> Estimate:
    """The types seen once in {order} of {row.tokens:,} tokens tell the missing mass found in the rest."""
    return _normal(row.held_out, row.good_turing, row.good_turing_error, order=NAMES[row.order])


@claim(
    within(0.05),
    "relative excess",
    f"Favaro et al. 2009; {SOURCE}",
    "predicted over found types, less 1: {row.predicted:,.0f} over {row.actual:,}",
)
def forward(row: Forward) -> Estimate:
    """The Pitman-Yor law of {order} of {row.tokens:,} tokens predicts the vocabulary of the whole."""
    return Estimate(row.excess, row.interval, over="random parts").against(0.0, order=NAMES[row.order])


@claim(same_slope, "discount", SOURCE, "d of all tokens; predicted: d of the part")
def one_discount(measured: Measurement) -> Estimate:
    """The discount does not depend on size: {tokens:,} random tokens have that of all {measured.law.tokens:,}."""
    part, whole = measured.part, measured.law
    return _around(whole.discount, whole.discount_error).against(part.discount, tokens=part.tokens)


@claim(same_slope, "log-log slope", SOURCE, "measured is d, predicted the slope")
def heaps_is_discount(measured: Measurement) -> Estimate:
    """In random order the vocabulary grows as tokens to the power d over the last doubling."""
    law = measured.law
    return _around(law.discount, law.discount_error).against(measured.heaps.random_doubling)


def _normal(value: float, expected: float, error: float, **words: object) -> Estimate:
    """A number whose distance from what is expected is judged in standard errors, both sides of a normal distribution."""
    z = (value - expected) / error if error > 0 else 0.0 if value == expected else math.inf
    return chance(value, float(2 * norm.sf(abs(z)))).against(expected, z=z, **words)


def _around(value: float, error: float) -> Estimate:
    """With its 95 % interval, unbounded at d = 0, where there is no error."""
    reach = 1.96 * error if math.isfinite(error) else math.inf
    return Estimate(value, (value - reach, value + reach), over="", kind="interval of the likelihood")

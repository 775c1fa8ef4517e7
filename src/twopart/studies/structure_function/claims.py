"""The claims of the structure-function study. Every rule and margin stands here and was set before the runs that it judges.

Intervals are bootstrap over worlds. Sizes of codes of one given text have no error, and no interval.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from twopart.findings import Claim, Verdict
from twopart.fits import Estimate, bootstrap
from twopart.studies.structure_function.evidence import Family, Floats, Ideal

LUCK = 20.0
"""Bits by which a code may undercut the oracle: by t bits it does with a probability below 2^-t, here one in a million."""
DEVIATION = 0.25
"""Largest root mean square of log2(measured / predicted redundancy), as in the capacity-law study."""
AROUND = (1 / 16, 4.0)
"""Model sizes, in units of C*, at which the frontier is held against the law."""
SAME_BEND = 1.25
"""Largest factor between measured and predicted model sizes at the least total."""
SAME_TOTAL = 1.1
"""Largest factor between measured and predicted redundancies of whole codes."""
SLOPE_MARGIN = 0.1
"""Exponents within this of the predicted one count as agreeing, as in the other studies."""
MISSING = 0.02
"""Part of syntax or knowledge that may be missing where it counts as bought, as in the capacity-law study."""
INSIDE = 1.01
"""Factor by which the smallest and the largest model's totals must exceed the least, for a minimum between them."""

DERIVED = "docs/laws/structure-function.md"
LAW = f"Pan, Wang, Li 2025, arXiv 2504.09597; {DERIVED}"
STRUCTURE = f"Vereshchagin, Vitányi 2004, IEEE Trans. Inf. Theory 50(12); {DERIVED}"
PREQUENTIAL = f"Rissanen 1984, IEEE Trans. Inf. Theory 30(4); Dawid 1984; {DERIVED}"


def no_code_undercuts(ideals: Sequence[Ideal], others: Sequence[Family]) -> Claim:
    """The least total of any code against the oracle's; all other families code the first corpus."""
    totals = [ideal.redundancy for ideal in ideals]
    totals += [float(family.total.min()) - ideals[0].oracle for family in others]
    least = min(totals)
    count = sum(len(ideal.model) for ideal in ideals) + sum(len(family.model) for family in others)
    return Claim(
        "No code undercuts the entropy of the world.",
        predicted=None,
        measured=least,
        interval=None,
        rule=f"least total of {count:,} codes less the oracle's bits for the same sentences, names given; holds if it exceeds "
        f"-{LUCK:g}, as a code undercuts by t bits with a probability below 2^-t",
        verdict="holds" if least > -LUCK else "fails",
        source=f"Kraft's inequality; {STRUCTURE}",
        unit="bits",
    )


def follows_the_law(ideals: Sequence[Ideal]) -> Claim:
    """The ideal frontier against the capacity law."""
    rms = _mean(ideals, lambda ideal: ideal.deviation(*AROUND))
    return Claim(
        "The frontier of ideal codes is the capacity law's curve.",
        predicted=0.0,
        measured=rms.value,
        interval=rms.interval,
        rule="root mean square over the corners of the frontier, at model sizes from 1/16 to 4 of that at which theory has the "
        "least total, and where the law leaves 256 bits at least, of log2(measured / predicted redundancy of the "
        f"data), mean over worlds; {_interval(rms)}; holds if it lies below {DEVIATION:g}, fails if above",
        verdict=rms.below(DEVIATION),
        source=LAW,
        unit="octaves",
    )


def syntax_first(ideals: Sequence[Ideal]) -> Claim:
    """How much larger a model is that lacks little knowledge than one that lacks little syntax."""

    def delay(sizes: Floats, syntax: Floats, value: Floats) -> float:
        return float(np.log(_bought(sizes, value) / _bought(sizes, syntax)))

    measured = _mean(ideals, lambda ideal: delay(ideal.model[ideal.frontier], *ideal.missing())).exp()
    sizes = np.geomspace(10, 1e6, 401)
    predicted = float(np.exp(np.mean([delay(sizes, *ideal.lawful_missing(sizes)) for ideal in ideals])))
    return Claim(
        "Syntax is bought first: along the frontier knowledge needs a larger model.",
        predicted=predicted,
        measured=measured.value,
        interval=measured.interval,
        rule=f"model bits at which {MISSING:.0%} of the knowledge is missing over the same for syntax, corners of the "
        f"frontier, geometric mean over worlds; {_interval(measured)}; holds if it lies above 1, fails if below",
        verdict=measured.above(1.0),
        source=LAW,
        unit="ratio",
    )


def bends(ideals: Sequence[Ideal]) -> Claim:
    """Where the total is least."""
    ratio = _mean(ideals, lambda ideal: np.log(ideal.model[ideal.best] / float(ideal.bend.bits)))
    margin = float(np.log(SAME_BEND))
    return Claim(
        "The shortest code holds as much model as theory says: all that saves more data than it takes.",
        predicted=1.0,
        measured=ratio.exp().value,
        interval=ratio.exp().interval,
        rule="model bits of the ideal code of least total over those of the capacity law at the price 1/N, geometric mean over "
        f"worlds; {_interval(ratio)}; holds if it lies within a factor of {SAME_BEND:g}, fails if wholly outside",
        verdict=ratio.equivalent_to(0.0, margin),
        source=f"{LAW}; {STRUCTURE}",
        unit="ratio",
    )


def grows(ladders: Sequence[Sequence[Ideal]]) -> Claim:
    """Model bits of the least total against sentences; a ladder is one world's beginnings of a corpus."""
    n = np.log([ideal.n for ideal in ladders[0]])

    def exponent(of: Callable[[Ideal], float]) -> Floats:
        return np.array([np.polyfit(n, [np.log(of(ideal)) for ideal in ladder], 1)[0] for ladder in ladders])

    predicted = float(exponent(lambda ideal: float(ideal.bend.bits)).mean())
    power = bootstrap(float, exponent(lambda ideal: float(ideal.model[ideal.best])))
    return Claim(
        "With more data there is more structure: the best model grows as the capacity law says.",
        predicted=predicted,
        measured=power.value,
        interval=power.interval,
        rule=f"slope of ln model bits of the least total on ln sentences, {len(n)} lengths, mean over worlds; predicted: "
        f"of the law's model at the price 1/N; {_interval(power)}; holds if it lies within {SLOPE_MARGIN} of the "
        "prediction, fails if wholly outside",
        verdict=power.equivalent_to(predicted, SLOPE_MARGIN),
        source=LAW,
        unit="log-log slope",
    )


def costs(ideals: Sequence[Ideal]) -> Claim:
    """The least total itself."""
    ratio = _mean(ideals, lambda ideal: np.log(ideal.redundancy / ideal.lawful))
    return Claim(
        "The shortest two-part code is as long as theory says.",
        predicted=1.0,
        measured=ratio.exp().value,
        interval=ratio.exp().interval,
        rule="least total beyond the oracle's bits over the law's, C + N Red(C) at the price 1/N, geometric mean over worlds; "
        f"{_interval(ratio)}; holds if it lies within a factor of {SAME_TOTAL:g}, fails if wholly outside",
        verdict=ratio.equivalent_to(0.0, float(np.log(SAME_TOTAL))),
        source=LAW,
        unit="ratio",
    )


def one_part(ideals: Sequence[Ideal]) -> Claim:
    """The Bayes code, which sends no model, against the best two-part code."""
    ratio = _mean(ideals, lambda ideal: np.log(ideal.redundancy / ideal.bayes))
    predicted = float(np.mean([np.log(ideal.lawful / ideal.lawful_bayes) for ideal in ideals]))
    return Claim(
        "The Bayes code, which learns as it goes, is shorter than every two-part code, by as much as theory says.",
        predicted=float(np.exp(predicted)),
        measured=ratio.exp().value,
        interval=ratio.exp().interval,
        rule="least total of two-part codes beyond the oracle's bits over the redundancy of the Bayes code, names given, "
        f"geometric mean over worlds; {_interval(ratio)}; holds if it lies above 1 and within a factor of "
        f"{SAME_TOTAL:g} of the prediction, fails if wholly below 1 or wholly outside",
        verdict=_both(ratio.above(0.0), ratio.equivalent_to(predicted, float(np.log(SAME_TOTAL)))),
        source=PREQUENTIAL,
        unit="ratio",
    )


def nothing_is_shorter(ideal: Ideal, others: Sequence[Family]) -> Claim:
    """The other families' best codes of the first corpus."""
    best = {family.name: (float(family.total.min()) - ideal.oracle) / ideal.redundancy for family in others}
    name = min(best, key=lambda key: best[key])
    named = ", ".join(f"{key} {value:.3g}" for key, value in best.items())
    return Claim(
        "Who must find out what syntax and facts are has a longer code than the ideal one that knows what to store.",
        predicted=None,
        measured=best[name],
        interval=None,
        rule=f"least total beyond the oracle's bits over the ideal codes', the least of: {named}; holds if above 1",
        verdict="holds" if best[name] > 1 else "fails",
        source=DERIVED,
        unit="ratio",
    )


def has_a_knee(families: Sequence[Family]) -> Claim:
    """A minimum of the total inside, on real text."""
    model = np.concatenate([family.model for family in families])
    total = np.concatenate([family.total for family in families])
    measured = float(min(total[np.argmin(model)], total[np.argmax(model)]) / total.min())
    return Claim(
        "Real text: the frontier has a bend; the shortest two-part code has neither the smallest nor the largest model.",
        predicted=None,
        measured=measured,
        interval=None,
        rule="the shorter of the codes of smallest and largest model over the shortest of all; holds if it exceeds "
        f"{INSIDE:g}",
        verdict="holds" if measured > INSIDE else "fails",
        source=STRUCTURE,
        unit="ratio",
    )


def prequential_is_shorter(families: Sequence[Family], prequential: pl.DataFrame) -> Claim:
    """Codes without a model against the best two-part code of a text."""
    totals = dict(prequential.iter_rows())
    name = min(totals, key=lambda key: totals[key])
    best = min(families, key=lambda family: float(family.total.min()))
    ratio = float(best.total.min()) / totals[name]
    return Claim(
        "Real text: a prequential code, which sends no model, is shorter than every two-part code.",
        predicted=None,
        measured=ratio,
        interval=None,
        rule=f"bits of the shortest two-part file ({best.name}) over those of the shortest prequential one ({name}); holds if "
        "above 1",
        verdict="holds" if ratio > 1 else "fails",
        source=PREQUENTIAL,
        unit="ratio",
    )


def _bought(sizes: Floats, missing: Floats) -> float:
    """The size at which a falling share passes `MISSING`, in logarithms."""
    falling = np.minimum.accumulate(np.log(np.maximum(missing, 1e-12)))
    return float(np.exp(np.interp(-np.log(MISSING), -falling, np.log(sizes))))


def _mean(ideals: Sequence[Ideal], of: Callable[[Ideal], float]) -> Estimate:
    return bootstrap(float, [of(ideal) for ideal in ideals])


def _interval(estimate: Estimate) -> str:
    return f"{estimate.level:.0%} bootstrap interval over worlds"


def _both(first: Verdict, second: Verdict) -> Verdict:
    """Holds if both do, fails if one does."""
    return "holds" if first == second == "holds" else "fails" if "fails" in (first, second) else "inconclusive"

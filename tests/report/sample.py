"""Findings as a study would return them: three discounts, three roles, eight claims of all verdicts, tables short and long."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import polars as pl
from scipy.special import gammaln

from twopart.findings import Chart, Claim, Findings, Table
from twopart.report.charts import Axis, Kind, curves

DISCOUNTS = (0.3, 0.5, 0.8)
KINDS: dict[str, Kind] = {
    "exact law": "theory",
    "asymptote": "asymptote",
    "Bayes code, 32 worlds": "simulation",
    "transformer, 5 seeds": "learner",
}
CONFIG = {
    "study": "data-law",
    "preset": "small",
    "seed": 0,
    "world": {
        "discounts": [0.3, 0.5, 0.8],
        "concentration": 1.0,
        "names": 2**48,
        "attributes": ["birth_city", "employer"],
    },
    "learner": {"layers": 2, "width": 64, "learning_rate": 0.003},
}
ENVIRONMENT = {"python": "3.11.2", "versions": {"numpy": "2.4.6", "torch": "2.13.0"}, "device": "cpu", "threads": 1}


@cache
def findings() -> Findings:
    frame = redundancy()
    return Findings(
        title="The data law: redundancy falls as a power of the sentences seen",
        summary="Three worlds with discounts 0.3, 0.5 and 0.8 were learned by the Bayes code and by a transformer of 0.2 M "
        "parameters. The Bayes code follows the exact law; the transformer follows its exponent, about four exposures late.\n\n"
        "One claim of eight fails, and it is shown as failing.",
        claims=claims(),
        tables=(
            Table("slopes", "Slopes by discount", slopes(), "Slopes of log redundancy over the last two decades."),
            Table(
                "points",
                "Every point of the figure",
                many(),
                "One row per series, role, discount and number of sentences.",
            ),
        ),
        charts=(
            Chart(
                "redundancy",
                "Redundancy per sentence",
                by_role(frame),
                "Knowledge (name, value) falls as n^(d-1), syntax as 1/n.",
            ),
            Chart("roles", "Syntax first, then knowledge", by_colour(frame), "The same curves, roles together."),
            Chart("control", "One world by itself", single(frame), "Value bits at discount 0.5."),
        ),
    )


def redundancy() -> pl.DataFrame:
    """The curves of every discount, role and series, with bands that widen as the bits get few."""
    random = np.random.default_rng(7)
    fine, coarse = np.geomspace(10, 1e6, 61), np.geomspace(10, 1e6, 21)
    parts = []
    for discount in DISCOUNTS:
        for role in ("name", "syntax", "value"):
            for series, n in zip(KINDS, (fine, fine, coarse, fine), strict=True):
                parts.append(_curve(discount, role, series, n, random))
    return pl.concat(parts)


def _curve(d: float, role: str, series: str, n: np.ndarray, random: np.random.Generator) -> pl.DataFrame:
    late = {"transformer, 5 seeds": 4.0}.get(series, 1.0)
    bits = _law(d, role, n / late, asymptote=series == "asymptote")
    spread = np.zeros_like(n)
    if series not in ("exact law", "asymptote"):
        spread = 0.002 + 0.12 * bits
        bits = bits + 0.4 * spread * random.standard_normal(len(n))
    return pl.DataFrame(
        {
            "discount": np.full(len(n), d),
            "role": [role] * len(n),
            "series": [series] * len(n),
            "sentences": n.round(),
            "bits": bits,
            "low": bits - spread,
            "high": bits + spread,
        }
    )


def _law(d: float, role: str, n: np.ndarray, *, asymptote: bool) -> np.ndarray:
    """Shapes of the right kind with concentration 1; their constants do not matter here."""
    if role == "syntax":
        return 35 / (2 * n * math.log(2)) if asymptote else 35 / (2 * (n + 20) * math.log(2))
    scale = 6.0 if role == "value" else 40.0
    mass = n ** (d - 1) / math.gamma(1 + d)
    return scale * (mass if asymptote else np.exp(gammaln(1 + d + n) + gammaln(2) - gammaln(2 + n) - gammaln(1 + d)))


def by_role(frame: pl.DataFrame) -> dict[str, object]:
    return curves(frame, x=X, y=Y, kinds=KINDS, band=("low", "high"), columns="discount", rows="role")


def by_colour(frame: pl.DataFrame) -> dict[str, object]:
    return curves(frame, x=X, y=Y, kinds=KINDS, band=("low", "high"), columns="discount", colour="role")


def single(frame: pl.DataFrame) -> dict[str, object]:
    return curves(
        frame.filter(pl.col("discount") == 0.5, pl.col("role") == "value"), x=X, y=Y, kinds=KINDS, band=("low", "high")
    )


X = Axis("sentences", "sentences seen")
Y = Axis("bits", "redundancy per sentence", unit="bits")


def slopes() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "world": ["discount 0.3", "discount 0.5", "discount 0.8", "control", "English"],
            "predicted slope": [-0.7, -0.5, -0.2, None, -0.5],
            "measured slope": [-0.6871, -0.4873, -0.2514, float("nan"), -0.5102],
            "interval, low": [-0.74, -0.512, -0.271, -math.inf, -0.55],
            "interval, high": [-0.61, -0.463, -0.232, math.inf, -0.47],
            "sentences": [1_000_000, 1_000_000, 1_000_000, 250_000, 50_000],
            "power law": [True, True, True, False, None],
        }
    )


def many() -> pl.DataFrame:
    random = np.random.default_rng(3)
    n = np.arange(1, 5001)
    return pl.DataFrame(
        {"sentences": n * 200, "redundancy (bits)": 40 * n**-0.5, "standard error (bits)": 1e-5 * random.random(5000)}
    )


def claims() -> tuple[Claim, ...]:
    rule = (
        "holds if the 95 % bootstrap interval over seeds contains the prediction; inconclusive if it is wider than 0.2"
    )
    source = "Pan, Wang, Li (arXiv 2504.09597), theorem 3.2; docs/laws/data.md"
    slope = "At discount {} the transformer's knowledge redundancy falls with exponent {}"
    return (
        Claim(
            "The simulated Bayes code matches the exact expectation",
            0.0,
            0.7,
            (-1.9, 2.1),
            "holds if |z| < 5 at every point",
            "holds",
            "docs/laws/data.md, equation 4",
            "standard errors",
        ),
        Claim(slope.format(0.3, 0.7), -0.7, -0.6871, (-0.74, -0.61), rule, "holds", source),
        Claim(slope.format(0.5, 0.5), -0.5, -0.4873, (-0.512, -0.463), rule, "holds", source),
        Claim(slope.format(0.8, 0.2), -0.2, -0.2514, (-0.271, -0.232), rule, "fails", source),
        Claim(
            "A fact is known after a number of exposures that does not depend on the world",
            None,
            4.12,
            (3.4, 5.2),
            rule,
            "holds",
            source,
            "exposures",
        ),
        Claim(
            "Syntax is learned before knowledge",
            1.0,
            23.4,
            None,
            "holds if the ratio of the sentences needed is above 1",
            "holds",
            source,
        ),
        Claim(
            "With equally frequent entities there is no power law",
            None,
            math.nan,
            None,
            "too few points to judge",
            "inconclusive",
            source,
        ),
        Claim(
            "The missing mass after a million sentences agrees with the Good-Turing estimate",
            1.13e-5,
            1.21e-5,
            (0.9e-5, 1.6e-5),
            rule,
            "inconclusive",
            source,
            "of all draws",
            "about 8 seeds, here 5",
        ),
    )


def small() -> Findings:
    """One figure and one table, for tests that draw several times."""
    whole = findings()
    return Findings(whole.title, whole.summary, whole.claims, whole.tables[:1], whole.charts[2:])

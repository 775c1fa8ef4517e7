"""Evidence: from the rows that a study measured to the verdicts that it reports.

rows.py      Rows, Found: what the cells measured, by case and by replicate
estimate.py  Estimate: a number with its interval, from replicates
judges.py    rules: each writes its words and gives the verdict
claims.py    @claim: a judge, a unit and a source on a function whose doc string is the sentence
curves.py    curve, curves, around, log_ends, table: what was measured or predicted as rows of a table

    @claim(within_share(0.1), "excess risk", LAW, "mean over replicates of the excess risk at the end")
    def ends(t: Rows[Pass]) -> Estimate:
        \"\"\"{t}: one pass ends at the risk that the recursion gives.\"\"\"
        return statistic(lambda risk: risk[-1], t.array("risk")).against(t.case.law[-1])
"""

from twopart.evidence.claims import Guard, claim
from twopart.evidence.curves import around, curve, curves, log_ends, table
from twopart.evidence.estimate import (
    Estimate,
    chance,
    exact,
    jackknife,
    mean,
    median,
    paired,
    ratio,
    statistic,
    worst_of,
)
from twopart.evidence.judges import (
    Judge,
    above,
    below,
    by_chance,
    contains,
    equals,
    never_below,
    sign,
    within,
    within_factor,
    within_range,
    within_share,
)
from twopart.evidence.rows import Found, Rows, long

__all__ = [
    "Estimate",
    "Found",
    "Guard",
    "Judge",
    "Rows",
    "above",
    "around",
    "below",
    "by_chance",
    "chance",
    "claim",
    "contains",
    "curve",
    "curves",
    "equals",
    "exact",
    "jackknife",
    "log_ends",
    "long",
    "mean",
    "median",
    "never_below",
    "paired",
    "ratio",
    "sign",
    "statistic",
    "table",
    "within",
    "within_factor",
    "within_range",
    "within_share",
    "worst_of",
]

"""From rows to verdicts: arrays against plain loops, intervals against planted truths, judges against cases decided by hand."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import pytest
import torch
from scipy.stats import binom
from scipy.stats import t as student

from twopart import evidence
from twopart._checks import InputError
from twopart.evidence import (
    Estimate,
    Found,
    Guard,
    Rows,
    above,
    around,
    below,
    by_chance,
    chance,
    claim,
    contains,
    curve,
    curves,
    equals,
    exact,
    jackknife,
    long,
    mean,
    median,
    never_below,
    paired,
    ratio,
    sign,
    statistic,
    table,
    within,
    within_factor,
    within_range,
    within_share,
    worst_of,
)
from twopart.fits import slope


@dataclass(frozen=True)
class Case:
    width: int
    seed: int = 0

    def __str__(self):
        return f"width {self.width}"


@dataclass(frozen=True)
class Other:
    width: int


def frame(values, axis="seen"):
    return pl.DataFrame({"axis": axis, "x": range(len(values)), "y": values})


def test_replicates_of_a_case_come_together():
    found = Found.collect(
        None,
        [
            ("train", Case(2), 0, frame([1.0, 2.0])),
            ("train", Case(4), 0, frame([5.0, 6.0])),
            ("train", Case(2), 1, frame([3.0, 4.0])),
            ("ask", Case(2), 0, frame([9.0])),
            ("train", Other(2), 0, frame([0.0])),
        ],
    )
    assert [(rows.function, rows.case) for rows in found.parts] == [
        ("train", Case(2)),
        ("train", Case(4)),
        ("ask", Case(2)),
        ("train", Other(2)),
    ]
    first, second = found.of(Case, function="train")
    assert first.array("y").tolist() == [[1, 2], [3, 4]]
    assert first.array("x", "y").tolist() == [[[0, 1], [1, 2]], [[0, 1], [3, 4]]]
    assert second.array("y").tolist() == [[5, 6]]
    assert found.one(Case, function="ask", width=2).array("y").tolist() == [9]
    assert found.one(Other).case == Other(2)
    with pytest.raises(InputError, match=r"cases` must be one Case with \{'width': 2\}, got 2"):
        found.one(Case, width=2)


def test_rows_are_chosen_by_columns():
    rows = Rows(Case(1), pl.concat([frame([1.0, 2.0]), frame([3.0], "late")]).with_columns(replicate=0))
    assert rows.array("y", axis="late").tolist() == [3]
    assert rows.array("y", axis=["seen", "late"], x=0).tolist() == [[1, 3]]
    assert len(rows.where()) == 3


def test_a_cell_may_hold_all_replicates():
    both = pl.concat(frame([float(i), i + 1.0]).with_columns(replicate=i) for i in range(3))
    rows = Found.collect(None, [("f", Case(1), 0, both)]).one(Case)
    assert rows.array("y").tolist() == [[0, 1], [1, 2], [2, 3]]
    uneven = Rows(
        Case(1), pl.concat([frame([1.0]).with_columns(replicate=0), frame([1.0, 2.0]).with_columns(replicate=1)])
    )
    with pytest.raises(InputError, match=r"`rows` must be as many for each replicate, got \[1, 2\]"):
        uneven.array("y")


def test_intervals_cover_the_planted_exponent():
    """200 experiments of 8 replicates: a nominal 95 % interval must miss less than 20 % of the time (binomial z > 5)."""
    random, x, misses = np.random.default_rng(1), np.geomspace(10, 1000, 10), 0
    for _ in range(200):
        curves = x ** (-0.5 + 0.05 * random.standard_normal((8, 1)))
        low, high = statistic(lambda mean: slope(x, mean), curves, resamples=400).interval
        misses += not low <= -0.5 <= high
    assert 0 < misses < 40


def test_the_bootstrap_is_the_plain_one():
    """Of equal resamples the statistic is worked out once; a loop over all gives the same ends."""
    values = np.array([1.0, 2.0, 4.0])
    found = statistic(np.exp, values, resamples=500, seed=3)
    choice = np.sort(evidence.estimate._random.generator(3, "bootstrap").integers(3, size=(500, 3)))
    centre = np.exp(values.mean())
    drawn = centre + np.sqrt(3 / 2) * (np.array([np.exp(values[rows].mean()) for rows in choice]) - centre)
    assert found.value == centre
    assert found.interval == pytest.approx(np.quantile(drawn, [0.025, 0.975], method="inverted_cdf"))


@pytest.mark.parametrize("R", [3, 12])
def test_many_means_at_once_are_as_one_by_one(R):
    replicates = np.random.default_rng(4).normal(1, 0.5, (R, 2, 5))
    one = statistic(lambda mean: np.log(mean[0, 1]) if mean[0, 1] > 0.9 else np.nan, replicates)
    with np.errstate(invalid="ignore"):
        many = statistic(lambda m: np.where(m[:, 0, 1] > 0.9, np.log(m[:, 0, 1]), np.nan), replicates, vectorized=True)
    assert np.isfinite(one.value)
    assert one == many


def test_what_has_no_finite_value_is_unbounded():
    nothing = mean([1.0, np.inf])
    assert np.isnan(nothing.value)
    assert nothing.bounded is None
    some = statistic(lambda mean: np.log(mean) if mean > 0 else np.nan, [-3.0, 5.0, 5.0])
    assert some.interval == (-np.inf, np.inf)
    assert np.isfinite(some.value)
    with pytest.raises(InputError, match="at least 2, got 1"):
        mean([1.0])


def test_the_interval_of_a_mean_has_the_standard_errors_width():
    """For the mean itself the widened percentile interval is value ± 1.96 s/sqrt(R), s with R - 1 in the denominator."""
    data = np.random.default_rng(3).standard_normal(40)
    low, high = statistic(float, data, resamples=20_000).interval
    assert (high - low) / 2 == pytest.approx(1.96 * data.std(ddof=1) / np.sqrt(40), rel=0.03)


def test_a_jackknife_is_the_t_interval_of_a_mean_and_covers_curved_statistics():
    """Of a mean it is Student's interval; of exp of a mean it covers the truth in 95 of 100 cases, within chance."""
    random = np.random.default_rng(0)
    x = random.standard_normal(9)
    found, reach = jackknife(float, x), student.ppf(0.975, 8) * x.std(ddof=1) / 3
    assert (found.value, *found.ends) == pytest.approx((x.mean(), x.mean() - reach, x.mean() + reach))
    drawn = random.normal(1, 0.5, (600, 12))
    ends = np.array([jackknife(lambda mean: float(np.exp(mean)), one).ends for one in drawn])
    covered = int(((ends[:, 0] <= np.e) & (np.e <= ends[:, 1])).sum())
    assert binom.ppf(5e-7, 600, 0.94) <= covered <= binom.ppf(1 - 5e-7, 600, 0.97)
    none = jackknife(lambda mean: float(mean) if mean > x.mean() - 1e-9 else float("nan"), x)
    assert np.isnan(none.value)
    assert none.ends == (-np.inf, np.inf)


def test_ratios_and_differences():
    found = ratio([2.0, 8.0], 1.0)
    assert (found.value, found.predicted) == (pytest.approx(4), 1)
    assert found.times(3).value == pytest.approx(12)
    assert found.times(3).predicted == 3
    a, b = np.array([1.0, 5.0, 9.0]), np.array([0.0, 4.0, 8.0])
    assert paired(a, b).interval == (1, 1), "what replicates share cancels"
    assert mean(a).interval != (1, 1)
    assert mean([0.0, 0.0]).exp().value == 1
    assert mean([1.0, 1.0]).plus(2).interval == (3, 3)


def test_the_worst_of_many_deviations_is_judged_by_bonferroni():
    found = worst_of([[0.5, -3.0], [1.0, 0.0]], freedom=7)
    assert found.value == 3
    assert found.probability == pytest.approx(4 * 2 * student.sf(3, 7))
    assert worst_of([0.1, 0.1], 7).probability == 1
    random = np.random.default_rng(0)
    alarms = sum(worst_of(random.standard_t(7, 50), 7).probability < 0.05 for _ in range(400))
    assert 3 < alarms < 45  # 20 expected at most; binomial z > 5 beyond


WIDE, LEFT, RIGHT, AROUND = (-1.0, 1.0), (-2.0, -1.0), (1.5, 2.0), (0.9, 1.05)
CASES = [
    (above(0), RIGHT, None, "holds"),
    (above(0), LEFT, None, "fails"),
    (above(0), WIDE, None, "inconclusive"),
    (above(), RIGHT, 1.0, "holds"),
    (above(), RIGHT, None, "inconclusive"),
    (below(0), LEFT, None, "holds"),
    (below(0), RIGHT, None, "fails"),
    (sign(+1), RIGHT, None, "holds"),
    (sign(-1), RIGHT, None, "fails"),
    (within(0.2), AROUND, 1.0, "holds"),
    (within(0.2), RIGHT, 1.0, "fails"),
    (within(0.07), AROUND, 1.0, "inconclusive"),
    (within_share(0.1), AROUND, 1.0, "holds"),
    (within_share(0.1), LEFT, -1.5, "inconclusive"),
    (within_share(0.4), LEFT, -1.5, "holds"),
    (within_share(0.1), LEFT, 1.0, "fails"),
    (within_factor(1.2), AROUND, 1.0, "holds"),
    (within_factor(1.2), RIGHT, 1.0, "fails"),
    (within_range(0, 3), AROUND, None, "holds"),
    (within_range(3, 4), AROUND, None, "fails"),
    (contains(), WIDE, 0.5, "holds"),
    (contains(), WIDE, 1.5, "fails"),
    (never_below(), WIDE, 0.5, "holds"),
    (never_below(), LEFT, 0.5, "fails"),
    (never_below(slack=2), LEFT, 0.5, "holds"),
    (above(0) & below(3), RIGHT, None, "holds"),
    (above(0) & below(1), RIGHT, None, "fails"),
    (above(0) & below(1.7), RIGHT, None, "inconclusive"),
]


@pytest.mark.parametrize(("judge", "interval", "predicted", "verdict"), CASES)
def test_judges(judge, interval, predicted, verdict):
    found = Estimate(sum(interval) / 2, interval, predicted=predicted)
    assert judge.verdict(found) == verdict
    assert judge.rule(found).startswith("95% bootstrap interval over replicates; ")
    nothing = Estimate(np.nan, (-np.inf, np.inf), predicted=predicted)
    assert judge.verdict(nothing) == "inconclusive"


def test_judges_of_numbers_without_error():
    assert above(1).verdict(exact(2)) == "holds"
    assert above(1).verdict(exact(1)) == "inconclusive"
    assert equals().verdict(exact(1 + 1e-12).against(1)) == "holds"
    assert equals().verdict(exact(1 + 1e-6).against(1)) == "fails"
    assert equals(0).verdict(exact(3).against(3)) == "holds"
    assert equals().verdict(exact(3)) == "inconclusive"
    assert by_chance(1e-6).verdict(chance(9, 1e-7)) == "fails"
    assert by_chance(1e-6).verdict(chance(9, 1e-5)) == "holds"
    assert by_chance(1e-6).verdict(exact(9)) == "inconclusive"


FEW = Guard("there are fewer than 10 facts", lambda t, least=0: t.case.width < 10)


@claim(within_share(0.1), "bits of {t.case.width}", "docs/{where}.md", "mean of {count} numbers", FEW)
def ends(t: Rows[Case], least: int = 0) -> Estimate:
    """{t}: it ends where
    the law says, at {count} and {least}."""
    return mean(t.array("y")).against(2.0, count=len(t.array("y")), where="laws")


def rows_of(width, *values):
    return Rows(Case(width), pl.DataFrame({"y": values, "replicate": range(len(values))}))


def test_a_claim_is_its_function():
    found = ends(rows_of(16, 2.0, 2.1), least=3)
    assert found.statement == "width 16: it ends where the law says, at 2 and 3."
    assert (found.predicted, found.measured, found.verdict) == (2.0, 2.05, "holds")
    assert found.interval[0] < 2.05 < found.interval[1]
    assert (found.unit, found.source) == ("bits of 16", "docs/laws.md")
    assert found.rule == (
        "mean of 2 numbers; 95% bootstrap interval over replicates; holds if it lies within 10% of the prediction, "
        "fails if wholly outside; inconclusive if there are fewer than 10 facts"
    )
    assert ends(rows_of(16, 4.0, 4.1)).verdict == "fails"
    assert ends(rows_of(16, 2.0, 4.1)).verdict == "inconclusive"


def test_a_guard_leaves_a_claim_undecided_whatever_was_measured():
    assert ends(rows_of(4, 2.0, 2.1)).verdict == "inconclusive"
    assert ends(rows_of(4, 4.0, 4.1)).verdict == "inconclusive"


OPEN = np.array([1.0, 1.4, 1.9, 2.1, 0.8])  # about 1.44


def geometric(values):
    """A ratio, whose interval is that of its logarithm."""
    return ratio(np.exp(2 * values - 2.5), 1.0)  # about 1.5, from 0.6 on


@pytest.mark.parametrize(
    ("judge", "predicted", "of"),
    [
        (above(1), None, mean),
        (below(1.3), None, mean),
        (within(0.1), 1.6, mean),
        (within_range(1.2, 1.5), None, mean),
        (above(0.9), None, geometric),
        (within_factor(2), 1.0, geometric),
    ],
)
def test_so_many_replicates_decide_and_half_as_many_do_not(judge, predicted, of):
    """Replicates of the same mean and spread, as often as it says, are decided; half of them are not."""
    found = of(OPEN).against(predicted)
    assert judge.verdict(found) == "inconclusive"
    about, over = judge.needed(found).removeprefix("about ").split(" ", 1)
    assert over == "replicates, here 5"
    k = int(about.replace(",", "")) / 5
    more = [of(np.tile(OPEN, round(part * k))).against(predicted) for part in (1.3, 0.6)]
    assert judge.verdict(more[0]) in {"holds", "fails"}
    assert judge.verdict(more[1]) == "inconclusive"


def test_what_no_number_of_replicates_decides():
    few, many = Estimate(1.0, (0.5, 1.5), over="models"), Estimate(1.0, (0.98, 1.02), over="", count=3)
    assert above(1.25).needed(few) == "about 4.0 times as many models"
    assert above(0.8).needed(replace(few, count=9)) == "about 57 models, here 9"
    assert (above(0.5) & below(1.1)).needed(few) == "about 25.0 times as many models"
    assert above(1.001).needed(many) == "not by more data: it lies on its margin"
    assert within(0.2).needed(few) == "not by more models: nothing is predicted"
    for unknown in (np.nan, 1.0):
        open_ended = Estimate(unknown, (-np.inf, np.inf))
        assert "do not all show such a number" in above(0).needed(open_ended)
    assert contains().needed(few) == ""


def test_an_open_claim_says_what_would_decide_it():
    assert ends(rows_of(16, 2.0, 2.1)).to_decide == ""
    assert ends(rows_of(16, 2.0, 4.1)).to_decide.endswith("replicates, here 2")
    assert ends(rows_of(4, 2.0, 4.1)).to_decide == "not by more replicates: there are fewer than 10 facts"


def test_curves_are_rows():
    x = np.array([1.0, 2.0])
    law = curve({"n": x}, {"bits": x**2}, world="a", series="law")
    assert law.rows() == [("a", "law", 1, 1, None, None), ("a", "law", 2, 4, None, None)]
    runs = curve({"n": x}, {"bits": np.array([[1, 2], [3, 6]]), "count": x}, world="a", series="runs")
    assert runs.columns == ["world", "series", "n", "bits", "count", "low", "high"]
    assert runs.rows() == [("a", "runs", 1, 2, 1, 1, 3), ("a", "runs", 2, 4, 2, 2, 6)]
    banded = curve({"n": x}, {"bits": x}, (x - 1, x + 1), series="code")
    assert banded["low"].to_list() == [0, 1]
    assert pl.concat([law, curve({"n": x}, {"bits": x[None]}, world="b", series="runs")]).height == 4
    several = curves({"n": x}, "bits", {"law": x**2, "none": None, "runs": np.array([[1, 2], [3, 6]])}, world="a")
    assert several.equals(pl.concat([law.select(several.columns), runs.drop("count").select(several.columns)]))
    runs = np.array([[1.0, 2], [3, 6]])
    errors = curves({"n": x}, "bits", {"law": x**2, "runs": runs}, 2, world="a").filter(series="runs")
    assert (errors["low"].to_list(), errors["high"].to_list()) == tuple(map(list, around(runs, 2)))
    with pytest.raises(InputError, match=r"`bits` must be of shape \(2,\) or \(replicates, 2\), got \(3,\)"):
        curve({"n": x}, {"bits": [1, 2, 3]})


def test_a_cell_says_rows_as_they_are_read():
    whole = np.arange(6, dtype=np.float32).reshape(2, 3)
    frame = long("seen", {"x": torch.from_numpy(whole), "n": np.arange(3)}, kind="a", gone=None)
    rows = Rows(Case(1), pl.concat([frame, long("end", {"x": [7, 8]})], how="diagonal_relaxed"))
    assert rows.array("x", axis="seen").tolist() == whole.tolist()
    assert rows.array("n", axis="seen").tolist() == [[0, 1, 2], [0, 1, 2]]
    assert rows.array("x", axis="end").tolist() == [7, 8]
    assert frame.select("kind", "gone").unique().rows() == [("a", None)]
    assert (frame["x"].dtype, frame["n"].dtype) == (pl.Float64, pl.Int64)
    assert long("end", {"x": np.zeros((2, 3, 4))}).height == 24


def test_a_band_of_standard_errors():
    low, high = around([[1.0, 0.0], [2.0, 0.0], [6.0, 0.0]], 2)
    error = 2 * np.sqrt(7 / 3)  # the variance of 1, 2, 6 is 7
    assert low == pytest.approx([3 - error, 0])
    assert high == pytest.approx([3 + error, 0])


def test_a_table_is_captioned_by_its_function():
    def risks(by, columns):
        """Risk by
        samples.
        """
        for column in columns:
            yield pl.DataFrame({column: [by]})

    (found,) = table("risk", "Risk", risks, 2, ("x", "y"))
    assert (found.name, found.title, found.caption) == ("risk", "Risk", "Risk by samples.")
    assert found.frame.rows() == [(2, None), (None, 2)]
    assert list(table("risk", "Risk", risks, 2, ())) == []


def test_a_median_lies_between_order_statistics():
    """Exact for any distribution: of skewed samples the interval holds the true median in 95 % or a little more."""
    samples = np.random.default_rng(0).exponential(size=(4000, 31))
    found = [median(values) for values in samples]
    held = np.mean([e.interval[0] <= np.log(2) <= e.interval[1] for e in found])
    cover = binom.cdf(21, 31, 0.5) - binom.cdf(9, 31, 0.5)  # between the tenth from either end
    assert abs(held - cover) < 5 * np.sqrt(cover * (1 - cover) / 4000)
    assert 0.95 <= cover < 0.98
    assert found[0].value == np.median(samples[0])
    assert median([3.0, 1.0, 2.0]).interval == (1.0, 3.0)
    with pytest.raises(InputError, match=r"`values` must be of shape \(R,\), R >= 2, got \(1,\); "):
        median([1.0])

"""Covariate shift: judges on rows whose verdict is known, cells against slow twins, tables against plain numbers."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from twopart.evidence import Found, Rows
from twopart.lab import Cell
from twopart.laws.regression import exchange
from twopart.studies.regression import covariate_shift as study
from twopart.studies.regression.covariate_shift import PRESETS, Run, Runs, Shift, Worth
from twopart.studies.regression.covariate_shift_cells import simulate

FEW = Runs(groups=20, runs=5)
POOR, ALIGNED = Shift(12, weak=2, factor=0.01), Shift(20, 3.0)


def planted(case, power=0.0, more=1.0):
    """Rows as the law has them, groups 0.2 % apart; `power` bends the source's risk in N, `more` raises it."""
    near, rows = 1 + 0.002 * np.linspace(-1, 1, 20), []
    for best in case.plan:
        law = case.shift.domains.risk(*best.rates)
        by = more * case.alone**power if best.source else 1.0
        columns = {"source": best.source, "target": best.target if best.rate_target else 0, "worth": case.worth}
        columns |= {"law_pretrained": law.pretrained, "law_tuned": law.tuned, "variance": law.variance, "order": 1.0}
        risks = {"pretrained": near * by * law.pretrained, "tuned": near * by * law.tuned}
        rows.append(pl.DataFrame({"replicate": np.arange(20), "axis": "risk", **columns, **risks}))
    return Rows(case, pl.concat(rows), "simulate")


def ladder(shift, **wrong):
    return [planted(Run(shift, N, 0, (), FEW), **wrong) for N in (16, 32, 64)]


def test_runs_off_the_law_are_seen():
    case = Run(ALIGNED, 16, 4, (), FEW)
    for phase in ("pretraining", "fine-tuning"):
        assert study.law_is_the_run([planted(case)], phase).verdict == "holds"
        assert study.law_is_the_run([planted(case, more=1.05)], phase).verdict == "fails"
    count = study.law_is_the_run([planted(case)], "pretraining").rule
    assert "farthest from 1 of 3 " in count
    wild = planted(case)
    frame = wild.frame.with_columns(pretrained=pl.col("pretrained") * (1 + 0.1 * (-1) ** pl.col("replicate")))
    assert study.law_is_the_run([replace(wild, frame=frame)], "pretraining").verdict == "inconclusive"


def test_exponents_are_judged():
    right, wrong = ladder(Shift(30, 2.0)), ladder(Shift(30, 2.0), power=0.1)
    held = study.exponent(right)
    assert held.verdict == "holds"
    assert held.measured == pytest.approx(held.predicted, abs=0.03)
    assert study.exponent(wrong).verdict == "fails"
    assert study.exponent(wrong).measured > held.measured


def test_the_square_is_judged_by_the_worst_world():
    fine, worse = ladder(Shift(30, 2.0)), ladder(Shift(30, 2.0), power=0.5)
    assert study.square_suffices([fine, fine]).verdict == "holds"
    assert study.square_suffices([fine, worse]).verdict == "fails"


def test_savings_are_judged():
    plain, tuned = (Run(POOR, 64, n, (), FEW) for n in (0, 8))
    claim = study.a_little_helps(planted(plain), planted(tuned), "it helps")
    assert claim.verdict == "holds"
    assert claim.predicted == pytest.approx(exchange(POOR.world, 64) / exchange(POOR.world, 64, 8))
    assert study.a_little_helps(planted(plain), planted(tuned, more=1.3), "it helps").verdict == "fails"
    plain, tuned = (Run(ALIGNED, 64, n, (), FEW) for n in (0, 8))
    assert study.where_it_does_not(planted(plain), planted(tuned), "it does not", 1.0).verdict == "holds"
    assert study.where_it_does_not(planted(plain, more=1.3), planted(tuned), "it does not", 1.0).verdict == "fails"


def test_the_floor_is_judged():
    case = Run(Shift(12, 3.0, 3.0, weak=1, factor=0.0), 0, 16, (16, 512), FEW)
    for judged, phase, wrong in ((study.stays_at, "pretrained", 1.2), (study.passes, "tuned", 20)):
        assert judged(planted(case), phase, "it does").verdict == "holds"
        assert judged(planted(case, more=wrong), phase, "it does").verdict == "fails"


def test_the_shape_of_the_bound_is_judged():
    rows = [planted(Run(ALIGNED, 16, 4, (), FEW)), planted(Run(ALIGNED, 32, 4, (), FEW))]
    assert study.bounds_have_the_shape(rows).verdict == "holds"
    bent = [rows[0], replace(rows[1], frame=rows[1].frame.with_columns(order=0.01))]
    assert study.bounds_have_the_shape(bent).verdict == "fails"
    assert study.bounds_have_the_shape(rows).predicted is None


def test_where_the_risk_crosses():
    case, bend = Run(ALIGNED, 16, 0, (), FEW), [1, 1.01, 0.98, 1.02]
    risk = np.array([2.0, *(20.0 * np.array(case.sources) ** -0.5)])  # 2 at M = 100

    def measured(risk):
        long = {"replicate": np.repeat(range(20), 4), "axis": "risk", "tuned": np.tile(risk, 20), "worth": 1.0}
        return Rows(case, pl.DataFrame(long))

    line = np.polyfit(np.log(case.sources), np.log((risk * bend)[1:]), 1)
    expected = np.log(100), np.log(400), (np.log(2.0) - line[1]) / line[0]
    cases = [measured(risk), measured(risk * [1, 2, 2, 2]), measured(risk * bend)]
    for place, log in enumerate(expected):
        assert study.log_worth(cases, lambda logs, place=place: logs[place], resamples=2).value == pytest.approx(log)


def test_shifts_are_what_they_say():
    top = np.asarray(Shift(7, 3.0, octaves=True).world.source)
    plain = np.asarray(Shift(7, 3.0).world.source)
    assert top == pytest.approx(plain[[0, 2, 1, 6, 5, 4, 3]])
    weak = Shift(7, weak=2, factor=0.1).world
    shares = np.asarray(weak.source) / np.asarray(weak.target)
    assert shares[:2] / shares[2:4] == pytest.approx([0.1, 0.1])
    assert np.asarray(weak.source).sum() == pytest.approx(1)
    assert Shift(7, weak=1, factor=0.0).world.source[0] == 0


def test_a_cell_runs_as_plain_loops_do(tmp_path):
    """A cell's mean risk against runs one by one, within 5 standard errors of both, and its law against the law's function."""
    case = Run(Shift(6, weak=1, factor=0.1, angle=0.3), 0, 6, (20,), Runs(groups=10, runs=40))
    found = Rows(case, simulate(case, Cell(tmp_path, seed=3)))
    best, world = case.plan[0], case.shift.world
    random, ends = np.random.default_rng(4), []
    for _ in range(400):
        w = np.zeros(6)
        for domain, rates in zip(("source", "target"), best.rates, strict=True):
            for rate in rates:
                x = world.coloured(random.standard_normal(6), domain)
                w = w - rate * (x @ w - x.sum() - random.standard_normal()) * x
        ends.append(world.risk(w))
    cell, slow = study.risks(found).ravel(), np.array(ends)
    error = np.hypot(cell.std() / np.sqrt(len(cell)), slow.std() / np.sqrt(len(slow)))
    assert abs(cell.mean() - slow.mean()) < 5 * error
    assert study.risks(found, "law_tuned")[0, 0] == pytest.approx(best.risk)
    assert error < 0.1 * best.risk


def test_directions_sum_to_the_risk(tmp_path):
    case = Run(POOR, 16, 4, (), FEW)
    found = Rows(case, simulate(case, Cell(tmp_path)))
    for column in ("pretrained", "tuned", "law_pretrained", "law_tuned"):
        parts, whole = found.array(column, axis="direction"), study.risks(found, column)[:, 2]
        assert parts.shape == (20, 12)
        assert parts.sum(1) == pytest.approx(whole)


def test_a_law_cell_is_the_law(tmp_path):
    case = Worth(POOR, ((16, 0), (32, 4)))
    frame = study.solve(case, Cell(tmp_path))
    assert frame["samples"].to_list() == [exchange(POOR.world, N, n) for N, n in case.pairs]


def test_the_table_of_worths_holds_what_was_measured():
    config = replace(PRESETS["tiny"], dimension=20)
    rows = ladder(Shift(20, 3.0))
    frame = study.solve(Worth(Shift(20, 3.0), ((16, 0), (32, 0))), Cell(None))
    found = Found(
        config, (*rows, Rows(Worth(Shift(20, 3.0), ((16, 0), (32, 0))), frame.with_columns(replicate=0), "solve"))
    )
    table = pl.concat(study.exchanges(found, "alone"), how="diagonal")
    law = table.filter(series="law")["samples"].to_list()
    assert law == frame["samples"].to_list()
    assert table.filter(series="N²")["samples"].to_list() == [256, 1024]
    assert table.filter(series="N^(b/a)")["samples"].to_list() == pytest.approx([law[0], law[0] * 4])
    runs = table.filter(series="runs")
    assert runs["samples"].to_list() == pytest.approx([r.case.worth for r in rows], rel=0.05)
    assert (runs["low"] < runs["samples"]).all()
    assert (runs["samples"] < runs["high"]).all()

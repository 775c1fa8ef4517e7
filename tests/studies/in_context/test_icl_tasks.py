"""The study of pretraining tasks: judges on rows whose verdict is known, cells against the law."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from twopart.evidence import Rows
from twopart.lab import Cell
from twopart.laws.in_context import optimum, stable_step
from twopart.studies.in_context import icl_tasks as study
from twopart.studies.in_context.icl_tasks import Descent, Trained, lengths
from twopart.studies.in_context.icl_tasks_cells import descend, train
from twopart.worlds.in_context import InContextRegression

WORLD = InContextRegression.power(3)
STABLE = stable_step(WORLD, 6)


def planted(by=1.0, spread=0.02, runs=100, fraction=0.1, at=None, **case):
    """Rows as the law has them times `by` (only at one length, if it is named), runs evenly apart by `spread`."""
    case = Descent("world", case.pop("world", WORLD), 6, case.pop("tasks", 20), fraction * STABLE, None, 1, runs)
    M, near = lengths(6), 1 + spread * np.linspace(-1, 1, runs)
    law = np.array([case.law[n] * (by if at in (None, n) else 1) for n in M])
    risk, context = np.outer(near, law), np.broadcast_to(M, (runs, len(M)))
    frame = {"replicate": np.repeat(np.arange(runs), len(M)), "context": context.ravel(), "risk": risk.ravel()}
    return Rows(case, pl.DataFrame(frame), "descend")


def moved(values, **case):
    """The same with these risks at N."""
    rows = planted(runs=len(values), **case)
    risk = pl.when(pl.col("context") == 6).then(pl.col("replicate").replace_strict(dict(enumerate(values))))
    return replace(rows, frame=rows.frame.with_columns(risk=risk.otherwise(pl.col("risk"))))


def test_runs_off_the_law_are_seen():
    fine = planted()
    assert study.follows([fine, fine]).verdict == "holds"
    assert study.follows([fine, planted(1.015)]).verdict == "holds", "2 % are allowed to a skewed mean"
    assert study.follows([fine, planted(1.03)]).verdict == "fails"
    assert study.follows([fine, planted(spread=0.5, runs=20)]).verdict == "inconclusive"
    assert study.at_any_length(fine).verdict == "holds"
    assert study.at_any_length(planted(1.05, at=60)).verdict == "fails"


def test_dimensions_make_no_difference():
    wide = planted(world=InContextRegression.power(5))
    least = optimum(wide.case.world, 6).risk
    same = moved(np.full(100, least + planted().case.excess) + 0.001 * np.linspace(-1, 1, 100), world=wide.case.world)
    assert study.runs_are_dimension_free([planted(spread=0.001), same]).verdict == "holds"
    assert (
        study.runs_are_dimension_free([planted(spread=0.001), planted(1.2, world=wide.case.world)]).verdict == "fails"
    )
    assert study.dimension_free([planted(), planted()]).verdict == "holds"
    assert study.dimension_free([planted(), wide]).verdict == "fails"


def test_slopes_are_judged():
    ladder = [planted(tasks=T) for T in (10, 40, 160)]
    law = np.polyfit(np.log([10, 40, 160]), np.log([t.case.excess for t in ladder]), 1)[0]
    found = study.falls_as_the_law(ladder)
    assert found.verdict == "holds"
    assert found.predicted == pytest.approx(law)
    assert found.measured == pytest.approx(law)
    assert study.falls_as_the_law([*ladder[:2], planted(0.8, tasks=160)]).verdict == "fails"


def test_steps_that_are_too_large():
    law, null, spread = planted(fraction=1.3).case.law[6], WORLD.null, np.linspace(0.9, 1.1, 100)
    for middle, verdict in ((law / 200, "holds"), (law / 50, "fails")):
        assert study.rare_runs_carry_the_mean(moved(middle * spread, fraction=1.3)).verdict == verdict
    for middle, verdict in ((1.5 * null, "holds"), (3 * null, "fails")):
        assert study.typical_runs_are_bounded(moved(middle * spread, fraction=1.3)).verdict == verdict
    calm = planted(spread=0.3)
    for which in ("mean", "median"):
        assert study.is_calm(calm, which).verdict == "holds"
        assert study.is_calm(planted(1.3), which).verdict == "fails"
    skewed = moved(calm.case.law[6] * np.array([0.7] * 90 + [3.7] * 10))
    assert study.is_calm(skewed, "median").verdict == "fails"


def test_ridge_is_better_at_long_contexts():
    assert study.stays_above_ridge(planted()).verdict == "holds"
    assert study.stays_above_ridge(planted(1.1, at=60)).verdict == "fails"
    assert study.stays_above_ridge(planted(0.02, at=60)).verdict == "fails"


def test_what_adam_learns():
    def rows(distance, r2):
        near = np.array([-1.0, 0.0, 1.0]) / 1000
        columns = {"replicate": [0, 1, 2], "axis": "step", "distance": distance + near, "r2": r2 + near}
        return Rows(Trained("world", WORLD, 6, 10), pl.DataFrame(columns), "train")

    assert study.learns_the_step(rows(0.05, 0.99)).verdict == study.is_one_step(rows(0.05, 0.99)).verdict == "holds"
    assert study.learns_the_step(rows(0.2, 0.9)).verdict == study.is_one_step(rows(0.2, 0.9)).verdict == "fails"


def test_cells_run_what_they_say(tmp_path):
    """Runs at the law within 5 standard errors, other ones in another cell; a layer that is better than the answer 0."""
    case = Descent("world", WORLD, 6, 30, 0.4 * STABLE, None, 2, 200)
    one, other = (Rows(case, descend(case, Cell(tmp_path / str(k), seed=k))) for k in (1, 2))
    for M in lengths(6):
        risk = one.array("risk", context=M)
        assert abs(risk.mean() - case.law[M]) < 5 * risk.std() / np.sqrt(200)
    assert np.all(study.risks(one) != study.risks(other))
    assert study.excess([one])[:, 0] == pytest.approx(study.risks(one) - optimum(WORLD, 6).risk)
    trained = train(Trained("world", WORLD, 6, 40), Cell(tmp_path / "3", seed=3))
    assert trained.filter(axis="risk", context=60)["risk"][0] < WORLD.null
    assert trained.filter(axis="step")["r2"][0] > 0.5

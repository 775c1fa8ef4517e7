"""Multi-pass SGD: judges on rows whose verdict is known, cells against plain loops, settings that cannot be."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from twopart._checks import InputError
from twopart.evidence import Rows
from twopart.lab import Cell
from twopart.studies.regression import multi_pass_sgd as study
from twopart.studies.regression import multi_pass_sgd_cells as cells
from twopart.studies.regression.multi_pass_sgd import Descent, Digits, Edge, Network, Power, Race, Runs, Scales

RUNS = Runs(100, replicates=80, moments=4, edge_steps=100)
WORLD = Power(1.5, 24, 8, 0.3, 7)
CELL = Cell(Path(), seed=5)


def descent(batch=1, order="replacement", epochs=(1, 4)):
    return Descent(WORLD, batch, RUNS, order, epochs)


def planted(case, size=1.0, **factors):
    """A descent as the law has it, replicates 1 % apart; `factors` spoil columns. Fluctuations are `size` at each step."""
    at = np.array(case.recorded)
    law = pl.DataFrame({"step": at, "descent": 1.0, "fluctuation": size}).with_columns(axis=pl.lit("law"), replicate=0)
    spread, R = np.linspace(0.99, 1.01, RUNS.replicates)[:, None], RUNS.replicates
    run = {"risk": (1 + size) * spread, "gap": size * spread}
    columns = {
        name: np.broadcast_to(values * factors.get(name, 1.0), (R, len(at))).ravel() for name, values in run.items()
    }
    runs = pl.DataFrame({"replicate": np.repeat(np.arange(R), len(at)), "step": np.tile(at, R), **columns})
    groups = pl.DataFrame({"replicate": np.repeat(np.arange(40), len(at)), "step": np.tile(at, 40)}).with_columns(
        axis=pl.lit("group"), deviation=size / 2 * factors.get("deviation", 1.0)
    )
    return Rows(case, pl.concat([law, runs.with_columns(axis=pl.lit("run")), groups], how="diagonal_relaxed"))


def test_what_the_law_says_holds_and_what_it_denies_fails():
    replaced, without = descent(4), descent(4, "batch-without")
    good, off = planted(descent()), planted(descent(), risk=1.05)
    assert (study.decomposed(good).verdict, study.decomposed(off).verdict) == ("holds", "fails")
    assert study.decomposed(off).measured == pytest.approx(1.05)
    large = [
        planted(descent(), size=2.0, risk=risk) for risk in (1.0, 0.6, 0.3)
    ]  # (SGD - GD)/fluctuation: 1, 0.4, -0.05
    assert [study.never_better(t).verdict for t in large] == ["holds", "inconclusive", "fails"]
    assert study.told(large[0]) == descent().moments
    assert study.told(good) == []  # 80 runs do not tell
    assert study.mean_descends([good, good]).verdict == "holds"
    assert study.mean_descends([good, planted(descent(), deviation=1.5)]).verdict == "fails"
    assert study.mean_descends([good]).rule.startswith("squared distance of a group's mean from gradient descent")
    assert study.fluctuates(planted(without)).verdict == "holds"
    assert study.fluctuates(planted(without, gap=1.1)).verdict == "fails"
    right = planted(without, size=4 / 7)
    assert study.first_step([(right, planted(replaced))]).verdict == "holds"
    assert study.first_step([(right, planted(replaced)), (right, right)]).verdict == "fails"
    epochs = planted(descent(order="reshuffle"), risk=0.9)
    assert study.reshuffled(epochs, good, 4).measured == pytest.approx(0.9)
    assert [study.reshuffled(one, good, 4).verdict for one in (epochs, off)] == ["holds", "fails"]


def raced(sgd, gd=10, reached=True):
    """A goal of 1, which the law reaches at step `sgd`; runs fall in a straight line, to 1 at step 40."""
    steps, R = np.arange(20, 81, 4), RUNS.replicates
    risk = (1.4 - steps / 100)[None] * np.linspace(0.999, 1.001, R)[:, None]
    runs = {"replicate": np.repeat(np.arange(R), len(steps)), "step": np.tile(steps, R), "risk": risk.ravel()}
    goal = pl.DataFrame(
        {"axis": ["goal"], "replicate": [0], "risk": [1.0], "gd": [gd], "sgd": [sgd if reached else None]}
    )
    frame = pl.DataFrame(runs).with_columns(axis=pl.lit("run"))
    return Rows(Race(WORLD, 1, RUNS, 1.5), pl.concat([goal, frame] if reached else [goal], how="diagonal_relaxed"))


def test_races():
    slow = study.more_steps(raced(42))
    assert (slow.verdict, slow.predicted) == ("holds", 4.2)
    assert slow.measured == pytest.approx(4.0, rel=1e-9)
    assert study.fewer_gradients(raced(42)).measured == pytest.approx(0.5)
    assert study.fewer_gradients(raced(42)).verdict == "holds"
    assert study.more_steps(raced(42, gd=50)).verdict == "fails"
    assert study.fewer_gradients(raced(42, gd=4)).verdict == "fails"
    assert study.more_steps(raced(42, reached=False)).verdict == "inconclusive"


@pytest.mark.parametrize("rate", [-0.02, 0.03])
def test_slopes_at_the_edge(rate):
    steps, R = np.arange(10, 101, 10), RUNS.replicates
    gap = np.exp(rate * steps)[None] * np.linspace(0.9, 1.1, R)[:, None]
    runs = pl.DataFrame({"replicate": np.repeat(np.arange(R), 10), "step": np.tile(steps, R), "gap": gap.ravel()})
    law = pl.DataFrame({"step": steps, "fluctuation": np.exp(2 * rate * steps), "replicate": 0})
    parts = [runs.with_columns(axis=pl.lit("run")), law.with_columns(axis=pl.lit("law"))]
    t = Rows(Edge(WORLD, 1, RUNS, 1.2), pl.concat(parts, how="diagonal_relaxed"))
    down, up = study.stable(t), study.unstable(t)
    assert [down.verdict, up.verdict] == (["holds", "fails"] if rate < 0 else ["fails", "holds"])
    assert down.measured == pytest.approx(rate)
    assert down.predicted == pytest.approx(2 * rate)


def test_growth_and_networks():
    scales = [Rows(Scales(WORLD, b, RUNS), pl.DataFrame({"below": [below], "above": [above]}))
              for b, below, above in ((1, 0.99, 1.02), (4, 0.9, 1.1))]  # fmt: skip
    assert (study.settles(scales).measured, study.explodes(scales).measured) == (0.99, 1.02)
    assert (study.settles(scales).verdict, study.explodes(scales).verdict) == ("holds", "holds")
    wrong = [Rows(t.case, t.frame.rename({"below": "above", "above": "below"})) for t in scales]
    assert (study.settles(wrong).verdict, study.explodes(wrong).verdict) == ("fails", "fails")
    for size, verdict in ((1.0, "holds"), (0.9, "fails")):
        t = Rows(Network(Digits(10, 0, 0), 1, RUNS, 4), planted(descent(), risk=size).frame)
        assert study.lazy(t).verdict == verdict


def test_a_cell_is_a_plain_loop():
    """The step is a share of the largest one; risks, distances and groups as their definitions have them."""
    case = replace(descent(2, "reshuffle", ()), runs=RUNS)
    seen = cells.descend(case, CELL)
    x, y = case.setting.train
    w, rate = np.zeros(24), 0.3 * case.largest
    for _ in range(100):
        w -= rate * x.T @ (x @ w - y) / 8
    world = case.setting.world
    last = seen.filter(pl.col("step") == 100)
    law = last.filter(pl.col("axis") == "law")
    assert law["descent"].item() == pytest.approx(world.excess(w), rel=1e-9)
    runs, groups = (last.filter(pl.col("axis") == axis) for axis in ("run", "group"))
    assert runs.height == 80
    assert groups.height == 40
    again = cells.least_squares_sgd(
        x, y, learning_rate=rate, steps=100, batch=2, order="reshuffle", replicates=80, seed=5
    )
    assert runs["risk"].to_numpy() == pytest.approx(world.excess(again))
    assert runs["gap"].to_numpy() == pytest.approx(np.square(again - w) @ world.spectrum / 2)
    means = (again[::2] + again[1::2]) / 2
    assert groups["deviation"].to_numpy() == pytest.approx(np.square(means - w) @ world.spectrum / 2)


def test_the_goal_of_a_race():
    """A multiple of gradient descent's best, and the best rate of each, by going through all laws."""
    case = Race(WORLD, 2, RUNS, 1.3)
    goal = cells.race(case, CELL).filter(pl.col("axis") == "goal").row(0, named=True)
    x = case.setting.train.x
    edge = 2 * 8 / np.linalg.norm(x, 2) ** 2
    laws = {
        name: [
            cells.sgd_risk(*case.setting.train, *case.setting.test, learning_rate=share * top, steps=100, batch=b,
                           replacement=name == "sgd")
            for share in cells.SHARES
        ]
        for name, b, top in (("gd", 8, edge), ("sgd", 2, case.largest))
    }  # fmt: skip
    aim = 1.3 * min(law.risk.min() for law in laws["gd"])
    assert goal["risk"] == pytest.approx(aim)
    for name, found in laws.items():
        assert goal[name] == min(int(np.argmax(law.risk <= aim)) for law in found if law.risk.min() <= aim)


def test_digits_and_networks_run():
    digits = cells.descend(Descent(Digits(20, 30, 1), 1, RUNS, "replacement"), CELL)
    ratio = study.decomposed(Rows(Descent(Digits(20, 30, 1), 1, RUNS, "replacement"), digits)).measured
    assert ratio == pytest.approx(1, abs=0.2)
    network = cells.tune(Network(Digits(20, 0, 1), 1, Runs(50, replicates=80, moments=2), 8), CELL)
    assert network.filter(pl.col("axis") == "run").height == 2 * Network.replicates


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"batches": (2, 8)}, "`batches` must be a tuple with 1 in it"),
        ({"batches": (1, 64)}, "`batches` must be below 64, the points"),
        ({"raced": (64,)}, "`raced` must be below 64"),
        ({"epochs": (1, 100)}, r"`epochs` must be done in 2000 steps, got \(1, 100\); they need 6400"),
    ],
)
def test_settings_that_cannot_be(fields, message):
    with pytest.raises(InputError, match=message):
        replace(study.PRESETS["small"], **fields)

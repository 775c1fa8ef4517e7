"""Few bits: judges on rows whose verdict is known, cells against other words for the same, tables against plain numbers."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from twopart.evidence import Found, Rows, long
from twopart.lab import Cell
from twopart.laws.regression import Noise, equivalent_features, geometric, precision_risk
from twopart.studies.regression import precision_scaling as study
from twopart.studies.regression import precision_scaling_cells as torch_cells
from twopart.studies.regression.precision_scaling import FULL, PRESETS, Fit, Train, World

GROUPS, PAIRS = 10, 10
WORLD = World(50, 6, 1)
WORKS = [work.case for work in study.cells(PRESETS["tiny"], 0)]
DATA = next(case for case in WORKS if isinstance(case, Train))
BATCHES = [case for case in WORKS if isinstance(case, Train) and case.ways[1][0] == "label"]


def trained(case, more=1.0, power=0.0, one_factor=0.9):
    """Rows whose runs are the law's times `more`, groups 0.2 % apart; over full precision laws go as B^(power - 1)."""
    near, rows = 1 + 0.002 * np.linspace(-1, 1, GROUPS), []
    for target, kind, level in case.ways:
        law = 0.3 + 0.02 * level * case.batch ** (power - 1.0)
        found = {"clean": 0.1 + (law - 0.1) * near * (more if kind != "full" else 1)}
        other = 0.1 + (law - 0.1) / (0.9 if kind == "stochastic" else one_factor)
        rows.append(
            long("end", found, target=target, kind=kind, level=level, law=law, other=other, eps=0.1 * (1 + level))
        )
    return Rows(case, pl.concat(rows), "train")


def fitted(kind, M=64, worth=None, law=None, world=None, level=0.001, floor=1.0):
    near = 1 + 0.002 * np.linspace(-1, 1, PAIRS)
    law_floor = level ** (2 / 3)
    columns = {
        "floor": floor * law_floor * near,
        "law_floor": law_floor,
        "law_worth": law or M,
        "worth": (worth or M) * near,
    }
    return Rows(Fit(world or World(100, M, 1), kind, level, 1000), long("fit", columns), "fit")


def test_runs_off_the_law_are_seen():
    right, wrong = [trained(DATA)], [trained(DATA, more=1.05)]
    for judged, kinds in ((study.runs_are_the_law, ["dither", "full"]), (study.chance_is_the_law, ["stochastic"])):
        assert judged(right, kinds, "so").verdict == "holds"
        assert judged(right, kinds, "so").measured == pytest.approx(1, abs=1e-3)
        assert judged(wrong, kinds, "so").verdict == "fails"
        count = sum(way[1] in kinds for way in DATA.ways if way[0] == "data")
        assert f"of {count} cases" in judged(right, kinds, "so").rule


def test_stand_ins_are_told_from_the_law():
    way, none = ("stochastic", 4.0, "so"), ("float", 0.0, "so")
    assert study.sixth_is_too_much(trained(DATA), *way).verdict == "holds"
    assert study.sixth_is_too_much(trained(DATA), *way).measured == pytest.approx(0.9, abs=1e-3)
    assert study.sixth_is_too_much(trained(DATA, more=1.11), *way).verdict == "fails"
    assert study.not_one_factor(trained(DATA), *none).verdict == "holds"
    assert study.not_one_factor(trained(DATA, one_factor=1.1), *none).verdict == "fails"


@pytest.mark.parametrize("target", study.ALONE)
def test_what_is_rounded_alone(target):
    held = study.each_alone([trained(DATA)], target)
    assert (held.verdict, held.measured) == ("holds", pytest.approx(1, abs=0.05))
    assert (
        study.each_alone([trained(DATA, more=1.1)], target).verdict == "fails"
    )  # of the risk: 50 % of the excess and more
    lost = study.each_alone([trained(DATA, more=0.7)], target)  # below full precision: nothing to judge
    assert lost.verdict == "inconclusive"
    assert "above 5 standard errors; 1 others" in lost.rule


def test_floors_and_sizes():
    def floors(power):
        return [fitted("additive", level=ε, floor=ε**power) for ε in (0.001, 0.003, 0.01)]

    assert study.floor_exponent(floors(0.0)).verdict == "holds"
    assert study.floor_exponent(floors(0.03)).measured == pytest.approx(2 / 3 + 0.03)
    assert study.floor_exponent(floors(0.1)).verdict == "fails"
    for judged, kind, off in ((study.additive_stops, "additive", 1.15), (study.one_factor_keeps, "scalar", 0.95)):
        assert judged(fitted(kind), "so").verdict == "holds"
        assert judged(fitted(kind, worth=64 * off), "so").verdict == "fails"
    additive = fitted("additive", law=40)
    between = study.floats_are_between(fitted("float", worth=52, law=50), additive)
    assert (between.verdict, between.measured, between.predicted) == (
        "holds",
        pytest.approx(0.5),
        pytest.approx(10 / 24),
    )
    assert study.floats_are_between(fitted("float", worth=30), additive).verdict == "fails"
    assert study.floats_are_between(fitted("float", worth=70), additive).verdict == "fails"


def test_batches_are_judged():
    def judged(target, predicted, power, more=1.0):
        return study.by_batch([trained(case, power=power, more=more) for case in BATCHES], target, predicted, "so")

    assert judged("label", -1.0, 0.0).measured == pytest.approx(-1)
    assert judged("label", -1.0, 0.0).verdict == "holds"
    assert judged("label", -1.0, 0.2).verdict == "fails"
    assert judged("parameter", None, 0.7).verdict == "holds"
    assert judged("parameter", None, 0.7, 1.5).verdict == "fails"  # as much more at every batch: flatter


def test_the_training_cell_is_the_law_and_a_plain_loop(tmp_path):
    """Full precision by a loop over runs on the cell's own numbers; other ways by the law's mean, within 5 standard errors."""
    import torch

    ways = (FULL, ("data", "dither", 2.0), ("data", "float", 0.0), ("gradient", "dither", 4.0))
    case = Train(WORLD, 20, 2, ways, 20, 20)
    cell = Cell(tmp_path, seed=5)
    found = Rows(case, torch_cells.train(case, cell))
    random, H, w = torch.Generator().manual_seed(5), WORLD.moments.covariance, np.zeros((400, 6))
    root = torch.as_tensor(WORLD.moments.root.T, dtype=torch.float32)
    for rate in geometric(20, 0.3):
        both = (torch.randn(400, 2, 7, generator=random) @ root).numpy()
        x, y = both[..., :6], both[..., 6]
        w -= rate * np.einsum("rbm,rb->rm", x, np.einsum("rbm,rm->rb", x, w) - y) / 2
        torch.rand(2, 400, 2, 6, generator=random)  # what rounding draws, in the order of the ways
        torch.rand(400, 2, 6, generator=random)
        torch.rand(2, 400, 2, generator=random)
    plain = WORLD.moments.power - 2 * w @ WORLD.moments.cross + np.einsum("rm,mn,rn->r", w, H, w)
    clean, law = study.risks(found, "clean", "law")
    assert clean[:, 0] + 0.1 == pytest.approx(plain.reshape(20, 20).mean(1), rel=1e-4)
    assert np.all(np.abs(clean.mean(0) - law[0]) < 5 * clean.std(0) / np.sqrt(20))
    full = float(precision_risk(WORLD.moments, rate=0.3, steps=20, batch=2).clean)
    assert law[0, 0] == pytest.approx(full - 0.1)


def test_the_fitting_cell_is_least_squares(tmp_path):
    """Without rounding the residual and the fit of a plain solver on the cell's own numbers; with it, the law's floor."""
    import torch

    case = Fit(replace(WORLD, variance=0.0), "scalar", 0.0, 2000)
    cell = Cell(tmp_path, seed=5)
    found = Rows(case, torch_cells.fit(case, cell))
    root, random = torch.as_tensor(case.world.moments.root.T, dtype=torch.float32), torch.Generator().manual_seed(5)
    fits, squares = [], []
    for _ in range(2):
        both = (torch.randn(100, 7, generator=random) @ root).double().numpy()
        torch.rand(100, 1, generator=random)
        v, rest, *_ = np.linalg.lstsq(both[:, :6], both[:, 6], rcond=None)
        fits.append(v)
        squares.append(rest[0] / 94)
    moments = case.world.moments
    assert found.array("floor")[0] == pytest.approx(np.mean(squares), rel=1e-4)
    along, square = (fits[0] + fits[1]) @ moments.cross / 2, fits[0] @ moments.covariance @ fits[1]
    larger = replace(case.world, features=12).moments
    worth = float(equivalent_features(larger, moments.power - along**2 / square))
    assert found.array("worth")[0] == pytest.approx(worth, rel=1e-3)
    assert found.array("law_worth") == pytest.approx([6] * 10, abs=1e-6)
    rounded = Fit(case.world, "additive", 0.01, 20_000)
    floors = Rows(rounded, torch_cells.fit(rounded, cell)).array("floor", "law_floor")
    assert abs(floors[:, 0].mean() - floors[0, 1]) < 5 * floors[:, 0].std() / np.sqrt(10)
    assert floors[0, 1] == pytest.approx(float(precision_risk(moments, Noise(additive=0.01), rate=0, steps=0).floor))


def test_tables_hold_the_laws():
    ts = [trained(DATA), *map(trained, BATCHES)]
    found = Found(PRESETS["tiny"], tuple(ts))
    risk = pl.concat(study.risk_rows(found))
    row = risk.filter((pl.col("rounding") == "dithered") & (pl.col("series") == "law"))
    levels = [way[2] for way in DATA.ways if way[:2] == ("data", "dither")]
    assert row["excess"].to_list() == pytest.approx([0.02 * level / DATA.batch for level in levels])
    budget = pl.concat(study.budget_rows(found))
    best, widths = (budget.filter(pl.col("series") == name)["risk"] for name in ("best split", "one width"))
    assert best.min() <= widths.min()

"""Steepest descent: judges on rows whose verdict is known, a cell against its identity and a plain loop."""

import numpy as np
import polars as pl
import pytest
import torch

from twopart.evidence import Found, Rows
from twopart.lab import Cell
from twopart.laws.regression import margin, max_margin
from twopart.laws.regression.steepest_norms import direction
from twopart.studies.regression import steepest_descent as study
from twopart.studies.regression.steepest_descent import PRESETS, Descent, Steps
from twopart.studies.regression.steepest_descent_cells import descend, squares
from twopart.worlds.regression import SeparableClasses

WORLD = SeparableClasses()
SHORT = Steps(60, 0.3, 6)


def planted(margins, function="descend", square=1.0, **case):
    """Rows of a case whose margins at the end, over the largest, are as given, one for each run."""
    case = Descent(WORLD, case.pop("norm", "inf"), case.pop("batch", 1), SHORT, **case)
    values = np.asarray(margins, float) * study.largest(case)
    frame = pl.DataFrame({"replicate": np.arange(len(values)), "step": 60, "margin": values, "square": square})
    return Rows(case, frame, function)


def around(value, spread=0.01):
    return value + spread * np.linspace(-1, 1, 6)


def test_the_class_mean_is_judged():
    for square, verdict in ((1.0, "holds"), (1.44, "fails"), (0.5, "fails")):
        assert study.follows_the_class_mean(planted(around(0), square=square)).verdict == verdict
    lawful = -1.12212 / 0.970709
    assert study.has_its_margin(planted(around(lawful))).verdict == "holds"
    assert study.has_its_margin(planted(around(lawful))).predicted == pytest.approx(lawful, abs=1e-4)
    assert study.has_its_margin(planted(around(lawful + 0.2))).verdict == "fails"
    assert study.is_not_the_largest(planted(around(0.3))).verdict == "holds"
    assert study.is_not_the_largest(planted(around(0.6))).verdict == "fails"


def test_laws_are_judged_by_the_farthest():
    laws = [planted([0.4], "foretell", batch=b) for b in (2, 3)]
    near, far = planted(around(0.42), batch=2), planted(around(0.29), batch=3)
    for judged in (study.every_batch, study.momentum_law):
        assert judged([near, near], laws).verdict == "holds"
        assert judged([near, far], laws).verdict == "fails"
    assert study.full_batch(planted([0.4] * 6, batch=12), planted([0.405], batch=12)).verdict == "holds"
    assert study.full_batch(planted([0.4] * 6, batch=12), planted([0.42], batch=12)).verdict == "fails"


def test_orders_and_ratios_are_judged():
    rising = [planted(around(m), batch=b) for b, m in ((1, -0.5), (2, 0.1), (3, 0.4))]
    assert study.rises_with_the_batch([rising]).verdict == "holds"
    assert study.rises_with_the_batch([rising, [*rising[:2], planted(around(0.0), batch=3)]]).verdict == "fails"
    assert study.momentum_repairs(planted(around(0.8), momentum=0.97)).verdict == "holds"
    assert study.momentum_repairs(planted(around(0.7), momentum=0.97)).verdict == "fails"
    less, more = planted(around(0.8), momentum=0.99), planted(around(0.6), momentum=0.999)
    assert study.too_much_momentum(less, more).verdict == "holds"
    assert study.too_much_momentum(more, less).verdict == "fails"
    whole = planted([0.9] * 6, batch=12)
    assert study.variance_reduction(planted(around(0.86), anchor=12), whole).verdict == "holds"
    assert study.variance_reduction(planted(around(0.76), anchor=12), whole).verdict == "fails"


def test_single_samples_are_a_sum_of_draws(tmp_path):
    """A cell in the max norm, draw by draw, and its squares over 400 runs: 1 within 5 standard errors, some 4 %."""
    case = Descent(WORLD, "inf", 1, Steps(60, 0.3, 400))
    found = Rows(case, descend(case, Cell(tmp_path, seed=3)))
    (x, y), random = WORLD.data, torch.Generator().manual_seed(3)
    W = np.zeros((400, 3, 8))
    for rate in case.rates:
        i = torch.randint(12, (400, 1), generator=random)[:, 0].numpy()
        W += rate * (2 * np.eye(3)[y[i]] - 1)[:, :, None] * np.sign(x[i])[:, None, :]
    assert found.array("margin", step=60) == pytest.approx(margin(W, x, y))
    own = found.array("square", step=60)
    assert own == pytest.approx(squares(case, W, 60))
    assert own.mean() == pytest.approx(1, abs=5 * own.std() / 20)
    assert 5 * own.std() / 20 < 0.25


@pytest.mark.parametrize("norm", ["2", "spectral"])
def test_full_batches_against_a_plain_loop(norm, tmp_path):
    case = Descent(WORLD, norm, 12, Steps(50, 0.3, 2), momentum=0.5)
    found = descend(case, Cell(tmp_path, seed=3)).filter(pl.col("step") == 50)
    (x, y), W, M = WORLD.data, np.zeros((3, 8)), 0.0
    for rate in case.rates:
        p = np.exp(x @ W.T) / np.exp(x @ W.T).sum(1, keepdims=True)
        M = 0.5 * M + 0.5 * (p - np.eye(3)[y]).T @ x / 12
        W = W - rate * direction(M, norm)
    assert found["margin"].to_numpy() == pytest.approx([margin(W, x, y, norm)] * 2)
    assert found["square"].is_nan().all()


def test_what_there_is_and_what_is_asked():
    assert study.largest(Descent(WORLD, "2", 3, SHORT)) == pytest.approx(max_margin(*WORLD.data, "2").upper)
    assert PRESETS["small"].batches == (1, 2, 3, 6, 11, 12)
    config = PRESETS["tiny"]
    works = list(study.cells(config, 0))
    single = [w.case for w in works if w.case.run.repeats == config.single]
    assert {(case.norm, case.batch, case.momentum) for case in single} == {("inf", 1, 0.0)}
    found = Found(config, (planted([0.4], "foretell"), planted(around(0.5))))
    frame = pl.concat(study.last_rows(found, "batch"))
    assert frame["series"].to_list() == ["law", "runs"]
    assert frame["margin"].to_list() == pytest.approx([0.4, 0.5])

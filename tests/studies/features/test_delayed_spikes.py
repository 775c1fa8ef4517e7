"""Delayed spikes: judges on rows that are the law's own, or spoiled; a cell against a loop without autograd; tables."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from twopart.evidence import Found, Rows, long
from twopart.lab import Cell
from twopart.laws.features.spikes import onset, spike
from twopart.studies.features import delayed_spikes as study
from twopart.studies.features import delayed_spikes_cells as cells
from twopart.studies.features.delayed_spikes import Config, Descent

CONFIG = Config((1.0, 2.0, 3.6), 3.6, (1.17,), (0.01, 0.05), 0.05, 400, (10.0,), (1e-2,), 700, 6)
CASES = [work.case for work in study.cells(CONFIG, 0)]
SHALLOW, DEEP = 0.05, 0.01  # rates of α


def planted(case, **spoil):
    """The law, held at rounding as training is, with columns spoiled by functions of (rows, case)."""
    run = study.law(case, case.lag == DEEP or any(case.decays))
    values = {name: getattr(run, name).T.copy() for name in study.COLUMNS}
    for name, change in spoil.items():
        values[name] = change(values[name], case)
    if case.condition != 1:
        values["general"] = values["loss"]
    return Rows(case, long("course", values))


def verdicts(only=lambda case: True, **spoil):
    found = Found(CONFIG, tuple(planted(case, **(spoil if only(case) else {})) for case in CASES))
    return [claim.verdict for claim in study.claims(found)]


def test_what_the_law_says_holds():
    found = verdicts()
    assert set(found) == {"holds"}
    assert len(found) == len(study.ASKED) + 1 + 2 + 1


def whitened(case):
    return case.data == "gaussian" and case.condition == 1 and case.dtype == "float64" and not any(case.decays)


def late(values, case):
    """The same, two steps later."""
    return np.concatenate([values[:, :1], values[:, :1], values[:, :-2]], axis=1)


def grown(values, case):
    """An angle that rises in a step at the slowest rate, after it has fallen."""
    values[0, 12] = values[0, 11] + 0.1
    return values


def flat(values, case):
    """No angle rises."""
    return np.minimum.accumulate(values, axis=1)


def back(values, case):
    """A second spell of rises."""
    values[-1, -20:-10] += np.arange(10)
    return values


@pytest.mark.parametrize(
    ("only", "spoil", "failing"),
    [
        (whitened, {"loss": lambda v, case: v + 1e-5}, {0}),
        (whitened, {"log_tangent": grown}, {1}),
        (whitened, {"log_tangent": flat}, {2}),
        (whitened, {"kappa": lambda v, case: v * 1.05}, {3}),
        (lambda case: whitened(case) and case.lag == SHALLOW, {"log_tangent": late, "loss": late}, {0, 3, 5}),
        (lambda case: whitened(case) and case.lag == SHALLOW, {"loss": lambda v, case: v * 1.03}, {0, 6}),
        (whitened, {"kappa": lambda v, case: np.where(v == v[:, -1:], v + 1, v)}, {7}),
        (whitened, {"log_tangent": back}, {8}),
        (lambda case: whitened(case) and case.lag == DEEP, {"log_tangent": lambda v, case: np.roll(v, 12, 1)}, {9}),
        (lambda case: whitened(case) and case.lag == DEEP, {"loss": lambda v, case: v * 1.2}, {10}),
    ],
)
def test_what_it_denies_fails(only, spoil, failing):
    found = verdicts(only, **spoil)
    assert failing <= {i for i, verdict in enumerate(found) if verdict == "fails"}
    assert found[11:] == ["holds"] * 4, "others are not touched"


def test_other_inputs_and_returns_fail_when_they_are_off():
    general = planted(next(case for case in CASES if case.condition == 10))
    off = Rows(general.case, general.frame.with_columns(general=pl.col("general") + 1e-5))
    assert [study.general([rows]).verdict for rows in (general, off)] == ["holds", "fails"]
    (decaying,) = (case for case in CASES if any(case.decays) and not case.held)
    ((decay, gaps, lawful),) = study.returns(planted(decaying))
    assert decay == 0.01
    assert gaps == pytest.approx(97, abs=2)
    assert lawful == pytest.approx(93, abs=2)
    assert study.equal(decay, "", 0.05).verdict == "fails"
    assert study.foretold(decay, "", float(abs(gaps.mean() * 1.05 / lawful.mean() - 1))).verdict == "fails"
    free = Found(CONFIG, tuple(planted(replace(case, held=False) if case.held else case) for case in CASES))
    parts = tuple(Rows(case, rows.frame) for case, rows in zip(CASES, free.parts, strict=True))
    assert list(study.claims(Found(CONFIG, parts)))[-1].verdict == "fails", "without the clamp angles rise"


@pytest.mark.parametrize("condition", [1.0, 20.0])
def test_a_cell_against_a_plain_loop(tmp_path, condition):
    """Gradients by hand; two runs, with decay and the rate held where inputs are whitened."""
    case = Descent(12, 3, 5, (2.0, 4.0), (0.9,), 0.1, 30, condition=condition)
    case = replace(case, decays=(0.02,), held=True) if condition == 1 else case
    rows = Rows(case, cells.descend(case, Cell(tmp_path, seed=0)))
    x, y, star, curvature = cells.data(case)
    Σ = x.T @ x / 12
    across = cells._random.generator(5, "start").normal(size=3)
    across -= star * (across @ Σ @ star) / 4
    for run, ratio in enumerate(case.ratios):
        w, a = np.cos(0.9) * star / 2 + np.sin(0.9) * across / np.sqrt(across @ Σ @ across), 0.05
        for step in range(31):
            s = np.sqrt(w @ Σ @ w)
            f = a * x @ w / s
            loss = np.square(f - y).mean() / 2 - np.square(x @ star - y).mean() / 2
            assert rows.array("loss", axis="course")[run, step] == pytest.approx(loss, abs=1e-10)
            assert rows.array("norm", axis="course")[run, step] == pytest.approx(s, rel=1e-9)
            rate = ratio / 4 / curvature
            rate = min(rate, 1.9 * s**2 / (2 * a * curvature)) if case.held else rate
            assert rows.array("kappa", axis="course")[run, step] == pytest.approx(
                rate * a * 2 * curvature / s**2, rel=1e-9
            )
            dz = (f - y) / 12
            dw = a / s * (x.T @ dz - Σ @ w * (w @ (x.T @ dz)) / s**2)
            w, a = w * (1 - rate * sum(case.decays)) - rate * dw, a - 0.1 * ((x @ w) @ dz / s)
    if condition == 20:
        assert rows.array("general", axis="course") == pytest.approx(rows.array("loss", axis="course"), abs=1e-9)


def test_tables_against_plain_numbers():
    found = Found(CONFIG, tuple(planted(case) for case in CASES))
    steps = pl.concat(study.steps(found)).filter(pl.col("series") == "float64")
    law = [study.law(t.case, True) for t in found.of(Descent, dtype="float64", ratios=CONFIG.ratios)]
    assert steps["law"].to_list() == [int(spike(one).step[2]) for one in law]
    mapped = pl.concat(study.mapped(found))
    assert mapped.filter(pl.col("ratio") <= 2).is_empty()
    assert (mapped["from"] < mapped["ratio"]).all()
    shown = pl.concat(study.courses(found)).filter(pl.col("series") == study.LAW, pl.col("lag") == "rate of α 0.05")
    lawful = study.law(next(c for c in CASES if c.lag == SHALLOW and c.ratios == CONFIG.ratios))
    time = shown["time"].to_numpy() / 0.05
    assert time[-1] > 1.2 * int(spike(lawful).step[2])
    at = int(onset(lawful).step[2])
    assert shown["kappa"][int(np.abs(time - at).argmin())] == pytest.approx(float(lawful.kappa[at, 2]))


def test_real_data_are_whitened_and_logistic_labels_are_signs():
    for name in study.REAL:
        case = next(c for c in CASES if c.data == name and c.condition == 1)
        x, y, best, curvature = cells.data(case)
        assert x.T @ x / len(x) == pytest.approx(np.eye(x.shape[1]), abs=1e-9)
        assert np.linalg.norm(best) == pytest.approx(2.0)
        assert curvature == pytest.approx(1.0)
        assert x.T @ (x @ best - y) == pytest.approx(np.zeros(x.shape[1]), abs=1e-6)
    x, y, best, _ = cells.data(next(c for c in CASES if c.loss == "logistic"))
    assert set(y) == {-1.0, 1.0}
    assert np.abs((y / (1 + np.exp(y * (x @ best)))) @ x / len(x)).max() < 1e-5, "the slope is 0 at the best"

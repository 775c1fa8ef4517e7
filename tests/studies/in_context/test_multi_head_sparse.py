"""Many heads: judges on rows whose verdict is known, cells against plain readings, tables against the rows."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from twopart.evidence import Found, Rows, long
from twopart.lab import Cell
from twopart.laws.in_context.sparse_regression import ESTIMATORS
from twopart.studies.in_context import multi_head_sparse as study
from twopart.studies.in_context import multi_head_sparse_cells as cells
from twopart.studies.in_context.multi_head_sparse import PRESETS, Net, Prompted
from twopart.worlds.in_context import SparseRegression

NOISE = np.tile([-1.0, 1.0], study.GROUPS // 2)  # of replicates, in errors of 1 %
ORTHONORMAL = Prompted(SparseRegression(4, 1, design="orthonormal"), 8, 60)
GAUSSIAN = Prompted(SparseRegression(8, 2), 16, 60, 6)
LAW = {name: best.risk for name, best in ORTHONORMAL.best.items()}


def estimated(case=ORTHONORMAL, **times):
    """Risks of the law, times these."""
    law = {name: best.risk for name, best in case.best.items()}
    return Rows(case, long("best", {n: law[n] * times.get(n, 1) * (1 + 0.01 * NOISE) for n in ESTIMATORS}), "estimate")


def descended(off=1.0, late=1.0, gradient=1.0, ridge=1.0, case=GAUSSIAN):
    """Paths of the law, the preprocessed times `off` from the first step on and `late` at the last; a flat ridge."""
    k = case.steps
    ours = case.path["preprocessed"] * np.array([1, *[off] * (k - 1), late])
    risks = {"preprocessed": ours, "gradient": np.full(k + 1, gradient), "ridge": np.full(3, ridge)}
    parts = (long(n, {"risk": r * (1 + 1e-4 * NOISE)[:, None]}) for n, r in risks.items())
    return Rows(case, pl.concat(parts), "descend")


def trained(heads=(4, 4, 4), risk=0.01, first=0.5, later=0.1, used=(4, 1, 1), probed=None):
    """Three transformers, alike but for a little."""
    case, bounds = Net("linear", heads, ORTHONORMAL, 1), ORTHONORMAL.after["preprocessed"]
    steps = [*np.sqrt(bounds[:-2] * bounds[2:])]
    parts = []
    for by in (0.9999, 1.0, 1.0001):
        net = pl.DataFrame({"axis": "net", "risk": [risk * by], "first": first * by, "later": later})
        layer = pl.DataFrame({"axis": "layer", "used": [float(u) * by for u in used], "risk": probed or steps})
        of = np.repeat([1, 2, 3], heads)
        rises = pl.DataFrame(
            {"axis": "head", "increase": np.where(of == 1, 1.0, np.arange(len(of)) == len(of) - 1), "layer": of}
        )
        parts.append(pl.concat([net, rises, layer], how="diagonal_relaxed").with_columns(replicate=pl.lit(len(parts))))
    return Rows(case, pl.concat(parts), "train")


def test_risks_are_held_against_the_law_in_standard_errors():
    one = 0.01 * np.sqrt(study.GROUPS / (study.GROUPS - 1)) / np.sqrt(study.GROUPS)
    assert study.exact_risks(estimated(lasso=1 + 2.9 * one)).verdict == "holds"
    assert study.exact_risks(estimated(lasso=1 - 3.1 * one)).verdict == "fails"
    assert study.exact_risks(estimated(lasso=1 + 2.0 * one)).measured == pytest.approx(2.0, rel=0.02)


def test_ratios_are_held_against_the_law():
    assert study.beats(estimated(flow=1.04), "lasso").verdict == "holds"
    assert study.beats(estimated(flow=1.06), "lasso").verdict == "fails"
    assert study.beats(estimated(flow=1.04), "lasso").predicted == pytest.approx(LAW["flow"] / LAW["lasso"])
    assert study.beats_too(descended(gradient=0.9), "gradient").verdict == "holds"
    assert study.beats_too(descended(ridge=0.01), "ridge").verdict == "fails"
    normal = replace(ORTHONORMAL, world=replace(ORTHONORMAL.world, coefficients="normal"))
    sign = np.sign(normal.best["flow"].risk / normal.best["lasso"].risk - 1)
    assert study.normal_lasso(estimated(normal)).verdict == "holds"
    assert study.normal_lasso(estimated(normal, flow=1 - 0.9 * sign)).verdict == "fails"


def test_paths_are_held_against_the_mean_field():
    assert study.early(descended(1.029), 0, 3).verdict == "holds"
    assert study.early(descended(0.969), 0, 3).verdict == "fails"
    assert study.early(descended(late=2.0), 0, 3).verdict == "holds", "the end is judged apart"
    assert study.late(descended(late=1.079), 6, 6).verdict == "holds"
    assert study.late(descended(late=0.919), 6, 6).verdict == "fails"


def test_heads_are_judged():
    assert study.first_uses_more(trained()).verdict == "holds"
    assert study.first_uses_more(trained(used=(3, 2, 1.5))).verdict == "fails"
    assert study.first_needs_more(trained()).verdict == "holds"
    assert study.first_needs_more(trained(later=0.3)).verdict == "fails"
    assert study.between_steps(trained()).verdict == "holds"
    assert study.between_steps(trained(probed=[0.9, 0.9, 0.9])).verdict == "fails"
    worst = ORTHONORMAL.after["preprocessed"][1] * 1.01
    assert study.between_steps(trained(probed=[0.5, worst, 0.01])).measured > 1
    untrained = trained(risk=1.1 * LAW["ridge"])
    for judged in (study.first_uses_more, study.first_needs_more, study.between_steps):
        assert judged(untrained).verdict == "inconclusive"


def test_the_slope_on_heads_is_held_against_coordinates():
    def risks(share):
        by = LAW["flow"] * share + LAW["ridge"] * (1 - share)
        return [trained((h, 1, 1), LAW["ridge"] + h / 4 * (by - LAW["ridge"])) for h in (1, 2, 4)]

    assert study.linear_in_heads(risks(1.0)).verdict == "holds"
    assert study.linear_in_heads(risks(1.0)).predicted == pytest.approx((LAW["flow"] - LAW["ridge"]) / 4)
    assert study.linear_in_heads(risks(0.9)).verdict == "fails"


def test_steps_of_the_best_size():
    """No step leaves the task whole; one plain step of the best size is ridge; more preprocessed ones are no worse."""
    assert ORTHONORMAL.after["preprocessed"][0] == pytest.approx(1)
    assert ORTHONORMAL.after["gradient"][1] == pytest.approx(LAW["ridge"], rel=1e-3)
    one, two = ORTHONORMAL.after["preprocessed"][1:3]
    z = ORTHONORMAL.world.sample(2000, 8)
    z, w = (z.y[:, None] @ z.x)[:, 0] / 8, z.task
    risk = np.square(z - z * (1 - 0.8 * z**2) ** 2 - w).sum(1)
    assert two < one
    assert risk.mean() > two - 5 * risk.std() / np.sqrt(2000)


def test_cells_measure_what_laws_foretell(tmp_path):
    case = replace(ORTHONORMAL, prompts=1200)
    assert study.exact_risks(Rows(case, study.estimate(case, Cell(tmp_path)))).measured < 5
    case = replace(GAUSSIAN, world=SparseRegression(8, 8), prompts=60)
    found = Rows(case, study.descend(case, Cell(tmp_path)))
    ours, plain, penalised = (found.array("risk", axis=name) for name in ("preprocessed", "gradient", "ridge"))
    assert ours.shape == plain.shape == (study.GROUPS, 7)
    assert plain[:, 0] == pytest.approx(1)
    prompts = case.world.sample(2, 16, 0)
    ridge = [
        np.linalg.solve(x.T @ x / 16 + 10 * np.eye(8), x.T @ y / 16) for x, y in zip(prompts.x, prompts.y, strict=True)
    ]
    expected = np.square(np.array(ridge) - prompts.task).sum(1).mean()
    assert penalised[0, -1] == pytest.approx(expected)


def test_a_transformer_is_taken_apart(tmp_path, monkeypatch):
    kept = []
    monkeypatch.setattr(cells, "train_in_context", lambda model, draw, **_: kept.append((model, draw(0))))
    case = Net("linear", (2, 1, 1), replace(ORTHONORMAL, prompts=50), 1)
    found = Rows(case, cells.train(case, Cell(tmp_path)).with_columns(replicate=0))
    ((model, first),) = kept
    assert len(first) == cells.BATCH
    asked = replace(case.prompts.world, seed=Cell(tmp_path).seed).sample(50, 8, 1)
    said = cells.answers(model, asked)
    risk = np.square(said - (asked.query * asked.task).sum(1)).mean()
    assert found.array("risk", axis="net")[0] == pytest.approx(risk)
    assert found.array("later", axis="net")[0] == pytest.approx(0), "one head is all that there is"
    assert found.array("increase", axis="head", layer=1).shape == (1, 2)
    assert found.array("used", axis="layer")[0, 1] in (1.0, pytest.approx(np.nan, nan_ok=True))


def test_tables_hold_what_was_measured():
    cases = [ORTHONORMAL, ORTHONORMAL, replace(ORTHONORMAL, world=replace(ORTHONORMAL.world, coefficients="normal"))]
    parts = (*(estimated(c) for c in cases), descended(), trained(), trained((1, 1, 1)))
    found = Found(replace(PRESETS["tiny"], dimensions=(4, 5), few=8, context=8), parts)
    heads = pl.concat(study.head_rows(found)).filter(network="linear, heads 4-4-4")
    assert heads.filter(layer="layer 1")["share"].to_list() == [0.25] * 4
    assert heads.filter(layer="layer 3")["share"].to_list() == [1, 0, 0, 0]
    assert heads.filter(layer="layer 2")["share"].to_list() == [0] * 4
    paths = pl.concat(study.path_rows(found)).filter(estimator="preprocessed")
    for series in ("law", "prompts"):
        assert paths.filter(series=series)["risk"].to_numpy() == pytest.approx(GAUSSIAN.path["preprocessed"][1:])
    bounds = ORTHONORMAL.after["preprocessed"]
    probes = pl.concat(study.probe_rows(found)).filter(series="trained")
    assert probes["risk"][:3].to_list() == pytest.approx(np.sqrt(bounds[:-2] * bounds[2:]))
    best = pl.concat(study.best_rows(found), how="diagonal_relaxed").filter(examples=8, entries="equal entries")
    for name in ESTIMATORS:
        assert best.filter(estimator=name)["risk"].to_numpy() == pytest.approx(LAW[name])

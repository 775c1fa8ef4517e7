"""Over-parameterisation under shift: judges on rows whose verdict is known, a cell against a slow twin, tables against rows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from twopart.evidence import Found, Rows
from twopart.lab import Cell
from twopart.laws.regression import width_law
from twopart.learners.regression import feature_weights
from twopart.studies.regression import ood_overparameterization as study
from twopart.studies.regression.ood_overparameterization import MEMBERS, PRESETS, Benign, Digits

CASES = [work.case for work in study.cells(PRESETS["tiny"], 0)]
CLOSE = next(case for case in CASES if isinstance(case, Benign) and case.members)
IMAGES = next(case for case in CASES if isinstance(case, Digits))


def planted(case, *, variance=1.0, bias=1.0, tilt=0.0, share=1.0, doubt=1.0, leaves=1.0, wide=1.0):
    """Rows as the law has them, replicates 1 % apart, but for factors on what is measured; `share` is on an ensemble's cost."""
    rows, n = [], case.points
    for r, domain in np.ndindex(8, 2):
        near, out = 1 + 0.01 * (r - 3.5) / 3.5, domain == 1
        for m, K in [*((m, 1) for m in case.widths), *((m, MEMBERS) for m in case.members)]:
            cost = (3.0 if out else 1.0) / (K * (m - n - 1)) * n
            limit = 4.0 if out else 1.0
            told = cost * variance * (m / n) ** tilt * (share if K > 1 else 1) * (wide if m == 16 * n else 1)
            seen = limit * (leaves if out else 1) + told * (doubt if out else 1)
            columns = {"replicate": r, "domain": ("source", "target")[domain], "width": m, "members": K}
            columns |= {"variance": near * seen, "law_variance": limit + cost, "limit_variance": near * limit}
            columns |= {"bias": near * bias * (1 + cost), "law_bias": 1 + cost, "limit_bias": near * bias}
            rows.append({**columns, "doubt": 3.0 if out else 1.0})
    return Rows(case, pl.DataFrame(rows), "fit")


@pytest.mark.parametrize(
    ("claim", "case", "wrong"),
    [
        (study.benign_on_the_source_only, CLOSE, {"leaves": 0.2}),
        (lambda t: study.variance_far(t, "target"), CLOSE, {"leaves": 1.06}),
        (lambda t: study.variance_near(t, "source"), CLOSE, {"variance": 1.2}),
        (lambda t: study.bias_law(t, "source"), CLOSE, {"bias": 1.2}),
        (lambda t: study.exponent(t, "target"), CLOSE, {"tilt": -0.2}),
        (study.ensembles_help, CLOSE, {"share": 1.5}),
        (study.width_helps_more, CLOSE, {"wide": 3.0}),
        (study.what_width_leaves, CLOSE, {"leaves": 1.1}),
        (study.shift_acts_on_doubt, CLOSE, {"doubt": 2.0}),
        (study.variance_on_digits, IMAGES, {"variance": 1.5}),
    ],
)
def test_what_the_law_says_holds_and_what_it_denies_fails(claim, case, wrong):
    assert claim(planted(case)).verdict == "holds"
    assert claim(planted(case, **wrong)).verdict == "fails"


def test_a_cell_is_a_plain_loop():
    """Weights, maps, ensembles and laws one by one; risks of the digits by averages over their test set."""
    case = replace(IMAGES, replicates=1, widths=(30, 40))
    rows = Rows(case, study.fit(case, Cell(Path(), seed=9)))
    (x, y), (z, t) = case.train(0), case.test(0, "target")
    weights = feature_weights(40, 64, seed=9)
    for i, m in enumerate(case.widths):
        φ, φ_test = (np.maximum(part @ weights[:m].T, 0) for part in (x, z))
        maps = φ_test @ np.linalg.pinv(φ)
        assert study.look(rows, "variance", "target")[0, i] == pytest.approx(np.square(maps).sum(1).mean(), rel=1e-6)
        assert study.look(rows, "bias", "target")[0, i] == pytest.approx(np.square(maps @ y - t).mean(), rel=1e-6)
    law = width_law(x, z, y)
    assert study.look(rows, "law_variance", "target")[0] == pytest.approx(law.variance([30, 40]))
    expected = np.square(law.answers - t).mean() + law.cost([30, 40])
    assert study.look(rows, "law_bias", "target")[0] == pytest.approx(expected)


def test_an_ensemble_is_the_mean_of_its_models():
    """By test points: variances of the mean answer of four models, in the benign world."""
    case = replace(CLOSE, dimension=30, points=5, widths=(40,), members=(10,), replicates=1, unlabelled=100)
    rows = Rows(case, study.fit(case, Cell(Path(), seed=2)))
    x, (z, _) = case.train(0)[0], replace(case, unlabelled=20_000).test(5, "target")
    weights = feature_weights(40, 30, seed=2).reshape(4, 10, 30)
    maps = np.mean([np.maximum(z @ w.T, 0) @ np.linalg.pinv(np.maximum(x @ w.T, 0)) for w in weights], axis=0)
    samples = case.noise**2 * np.square(maps).sum(1)
    found = study.look(rows, "variance", "target", members=4)[0, 0]
    assert abs(samples.mean() - found) < 5 * samples.std() / np.sqrt(len(samples)) < 0.04 * found


def test_tables_show_what_was_measured():
    rows = planted(CLOSE)
    small = replace(CLOSE, added=0.1, widths=(8 * CLOSE.points,), members=())
    parts = (planted(small), rows, planted(IMAGES))
    tables = {table.name: table.frame for table in study.tables(Found(PRESETS["tiny"], parts))}
    n, widths = CLOSE.points, np.array(CLOSE.widths)
    beyond = tables["narrow"].filter(series="law", inputs="on shifted inputs")["cost"].to_numpy()
    assert beyond == pytest.approx(np.full(len(widths), 3.0 * n), rel=0.02)
    shown = tables["risk"].filter(series="fits", inputs="on shifted inputs", part="variance")
    assert shown["risk"].to_numpy() == pytest.approx(4 + 3 * n / (widths - n - 1))
    assert (shown["low"] < shown["risk"]).all()
    many = tables["ensembles"].filter(series="law", models="4 models")
    assert many["features"].to_list() == [4 * m for m in CLOSE.members]
    assert tables["shifts"].filter(series="ratio of S")["ratio"].to_list() == [3.0, 3.0]
    assert tables["digits"]["shift"].unique(maintain_order=True).to_list() == ["none", "noise 0.5"]

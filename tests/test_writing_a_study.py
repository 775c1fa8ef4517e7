"""docs/writing-a-study.md: the study on it is a file that runs, its law is exact, its claims tell right from wrong."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest

import twopart as tp
from twopart import evidence, report, settings
from twopart._checks import InputError
from twopart.cli import main
from twopart.studies import _study

PAGE = (Path(__file__).parents[1] / "docs/writing-a-study.md").read_text()
SOURCE = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL).group(1)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "one_pass_sgd.py"
    path.write_text(SOURCE)
    return path


@pytest.fixture(scope="module")
def study(file: Path) -> ModuleType:
    return _study.load(str(file))


def test_the_study_runs_from_its_file_and_its_claims_hold(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(
        ["run", str(file), "--preset", "tiny", "--device", "cpu", "--workers", "1", "--out", str(tmp_path / "run")]
    )
    assert code in (0, 1), capsys.readouterr().err
    found = report.read_findings(tmp_path / "run")
    assert [claim.verdict for claim in found.claims] == ["holds"] * 4
    assert all(claim.unit and claim.rule and "{" not in claim.statement + claim.rule for claim in found.claims)
    assert (tmp_path / "run/index.html").exists()
    picture = (tmp_path / "run/figures/risk.svg").read_text()
    assert all(word in picture for word in ("a = 1.2", "a = 2", "law", "SGD"))


def test_it_has_the_face_of_a_study(file: Path, study: ModuleType) -> None:
    assert _study.place(str(file)).name == study.STUDY
    assert tp.studies.question(str(file)).endswith("?")
    assert tuple(study.PRESETS) == _study.PRESET_NAMES
    assert all(list(study.cells(config, 0)) for config in study.PRESETS.values())
    assert "docs/writing-a-study.md, the law" in study.LAW
    assert "\n## The law\n" in PAGE
    assert tp.studies.config(str(file), "tiny", step=0.1).descent.step == 0.1, "as flat as the rest"


def test_every_bound_refuses(study: ModuleType) -> None:
    tried = [
        (record, field, bad)
        for record in settings.records(study.Config())
        for field, bad, _ in settings.bad_values(record)
    ]
    assert {field for _, field, _ in tried} == {"decays", "dimension", "samples", "step", "seeds"}
    for record, field, bad in tried:
        with pytest.raises(InputError, match=f"`{field}` must be"):
            type(record)(**{field: bad})


def test_the_law_against_descent_in_rotated_weights(study: ModuleType) -> None:
    """Plain SGD on 0.5 (w.x - y)^2, with inputs whose covariance is no diagonal."""
    h, step, samples, R = np.array([0.6, 0.3, 0.1]), 0.4, 12, 40_000
    random = np.random.default_rng(1)
    rotation = np.linalg.qr(random.normal(size=(3, 3)))[0]
    covariance, truth = rotation * h @ rotation.T, random.normal(size=3)
    w = np.tile(truth + rotation @ np.ones(3), (R, 1))  # wrong by 1 along each eigenvector
    law = study.one_pass_risk(h, samples, step)
    for n in range(samples):
        x = random.multivariate_normal(np.zeros(3), covariance, size=R)
        y = x @ truth + random.normal(size=R)
        w -= step * (np.einsum("ri,ri->r", w, x) - y)[:, None] * x
        risk = np.einsum("ri,ij,rj->r", w - truth, covariance, w - truth)
        assert abs(risk.mean() - law[n + 1]) < 4.5 * risk.std() / np.sqrt(R), n


def test_the_law_by_hand(study: ModuleType) -> None:
    """One direction, one step: E (1 - s x^2)^2 + s^2 E x^2, with E x^4 = 3 h^2; and the risk where it settles."""
    h, s = 0.7, 0.2
    assert study.one_pass_risk(np.array([h]), 1, s) == pytest.approx(
        [h, h * (1 - 2 * s * h + 3 * s**2 * h**2 + s**2 * h)]
    )
    settled = study.one_pass_risk(np.array([0.8, 0.2]), 500, 0.5)[-1]
    assert settled == pytest.approx((settled + 1) * sum(0.5 * h / (2 - h) for h in (0.8, 0.2)))


def test_planted_rows_get_the_verdicts_that_are_known(study: ModuleType) -> None:
    case = next(iter(study.cells(study.PRESETS["tiny"], 0))).case
    at_last = np.where(np.arange(len(case.law)) < len(case.law) - 5, 1.5, 1.0)
    for factor, verdicts in ((1.0, ["holds", "holds"]), (1.5, ["fails", "fails"]), (at_last, ["holds", "fails"])):
        spread = [1 + 0.01 * (r - 3.5) / 3.5 for r in range(8)]
        rows = [
            pl.DataFrame({"replicate": r, "samples": case.marks, "risk": case.law * factor * one})
            for r, one in enumerate(spread)
        ]
        assert [claim.verdict for claim in study.claims(_found(study, case, pl.concat(rows)))] == verdicts


def _found(study: ModuleType, case: object, rows: pl.DataFrame) -> evidence.Found:
    return evidence.Found.collect(study.PRESETS["tiny"], [("descend", case, 0, rows)])


def test_the_table_is_the_plain_mean(study: ModuleType) -> None:
    case = next(iter(study.cells(study.PRESETS["tiny"], 0))).case
    rows = pl.DataFrame(
        {"replicate": r, "samples": n, "risk": float(r + i)} for r in range(5) for i, n in enumerate(case.marks)
    )
    frame = next(iter(study.tables(_found(study, case, rows)))).frame.filter(pl.col("series") == "SGD")
    assert frame["risk"].to_list() == [2.0 + i for i in range(len(case.marks))]
    assert frame["low"].to_list() == pytest.approx([0.4 + i for i in range(len(case.marks))])


def test_the_vocabulary_exists() -> None:
    block = PAGE.split("## The vocabulary\n")[1].split("\n**")[0]
    named = set(re.findall(r"(?<![.\w])([A-Za-z_]+)(?=\()", block)) | {"HeatMap", "Drawn", "Rows", "Found"}
    homes = (settings, evidence, report, tp.studies)
    assert len(named) > 30
    assert [name for name in sorted(named) if not any(hasattr(home, name) for home in homes)] == []
    methods = {
        "Found.of": evidence.Found,
        "Found.one": evidence.Found,
        "Rows.array": evidence.Rows,
        "Rows.where": evidence.Rows,
    }
    assert all(hasattr(home, name.split(".")[1]) and name in block for name, home in methods.items())
    assert all(hasattr(evidence.Estimate, name) for name in ("against", "exp", "times"))

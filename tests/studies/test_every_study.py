"""What every study must do, from its tiny preset: one test for all, so that a study's own tests are its oracles.

The circle stands for a study in a file of the user's own; killing, locking and full disks are tested on it alone.
"""

import json
import re
import shutil
from dataclasses import FrozenInstanceError, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.studies import CIRCLE
from twopart._checks import InputError
from twopart.cli import main
from twopart.cli.run import Options
from twopart.evidence import Found
from twopart.findings import Findings
from twopart.lab import Lab, Work
from twopart.lab.cell import Job
from twopart.lab.rehearsal import try_out
from twopart.lab.source import home
from twopart.report._figures import picture
from twopart.settings import bad_values, records
from twopart.studies import _study

STUDIES = [*_study.names(), CIRCLE]
ROOT = Path(__file__).parents[2]


def study_by_study(test):
    """Each study's tests on one worker, which trains and judges once for all of them."""
    marked = [pytest.param(name, marks=pytest.mark.xdist_group(name), id=_study.place(name).name) for name in STUDIES]
    return pytest.mark.parametrize("name", marked)(test)


@dataclass(frozen=True)
class Ran:
    """A run of the tiny preset in this process."""

    study: Any
    folder: Path
    works: list[Work]
    found: Found
    findings: Findings
    progress: dict[str, list[float]]
    """By cell, the parts done that it reported."""

    def again(self) -> tuple[Found, dict[str, list[float]]]:
        return run(self.study, self.folder, self.works)


def run(study: Any, folder: Path, works: list[Work]) -> tuple[Found, dict[str, list[float]]]:
    reports: dict[str, list[float]] = {}
    where = CIRCLE if study.STUDY == "circle" else study.STUDY
    with pytest.MonkeyPatch.context() as patch:
        seen = staticmethod(lambda job, _, done, total, note: reports.setdefault(job.hash, []).append(done / total))
        patch.setattr("twopart.lab.pool.Here._report", seen)
        with Lab(
            folder,
            study=study.STUDY,
            module=_study.place(where).module,
            seed=3,
            workers=0,
            device="cpu",
            progress="none",
        ) as lab:
            found = Found.collect(study.PRESETS["tiny"], lab.run(works))
    return found, reports


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory):
    @cache
    def of(name: str) -> Ran:
        study = _study.load(name)
        folder, works = tmp_path_factory.mktemp("ran"), list(study.cells(study.PRESETS["tiny"], 3))
        found, reports = run(study, folder, works)
        return Ran(study, folder, works, found, _study.judge(study, found), reports)

    return of


@study_by_study
def test_its_face(name: str) -> None:
    study = _study.load(name)
    assert _study.place(name).name == study.STUDY
    assert tuple(study.PRESETS) == _study.PRESET_NAMES
    assert {type(config) for config in study.PRESETS.values()} == {study.Config}
    with pytest.raises(FrozenInstanceError):
        setattr(study.PRESETS["tiny"], fields(study.Config)[0].name, 1)
    names = [field.name for record in records(study.PRESETS["tiny"]) for field in fields(record)]
    assert len(set(names)) == len(names), "on the command line all records are flat"
    assert not set(names) & {field.name for field in fields(Options)}, "options of a run"
    assert not set(names) & {"name", "progress", "config"}, "arguments of tp.studies.run"
    question = _study.question(name)
    assert 10 < len(question) < 120
    assert question.endswith("?")


@study_by_study
def test_bad_values_are_refused_and_help_shows_the_bounds(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    tiny = _study.load(name).PRESETS["tiny"]
    assert main(["run", name, "--preset", "tiny", "--help"]) == 0
    said = " ".join(re.sub(r"[│╭╮╰╯─]", " ", capsys.readouterr().out).split())
    refused = 0
    for record in records(tiny):
        for field, bad, bound in bad_values(record):
            with pytest.raises(InputError, match=r"^`\w+` must be .+, got .+; .+$"):
                replace(record, **{field: bad})
            words = " ".join(bound.words.format(one="", many="").strip(" ,").split())
            assert f"--{field.replace('_', '-')}" in said
            assert words in said
            refused += 1
    assert refused >= 3


@study_by_study
def test_every_preset_lists_its_work(name: str) -> None:
    study, where = _study.load(name), _study.place(name)
    for preset, config in study.PRESETS.items():
        works = list(study.cells(config, 0))
        assert works, preset
        jobs = [Job(study.STUDY, where.module, work, 0, 0, Path()) for work in works]
        assert len({job.hash for job in jobs}) == len(jobs), "no work is listed twice"
        assert len({job.label for job in jobs}) == len(jobs), "people can tell the works apart"
        assert all(home(where.module, work.function) for work in works)
        other = list(study.cells(config, 1))
        assert [str(work.case) for work in other] == [str(work.case) for work in works], (
            "labels do not hang on the seed"
        )


@study_by_study
def test_cells_report_all_that_they_do(name: str, ran: Any) -> None:
    """From somewhere before the end up to the end, and never back."""
    for reports in ran(name).progress.values():
        assert reports == sorted(reports)
        assert reports[0] >= 0
        assert reports[-1] == 1


@study_by_study
def test_half_a_run_is_taken_up_again(name: str, ran: Any, size: Any) -> None:
    """The same bytes, hence the same findings; that judging draws the same resamples is seen in `make long`."""
    whole = ran(name)
    cells = sorted((whole.folder / "cells").iterdir())
    assert len(cells) >= 2
    before = {cell: (cell / "metrics.parquet").read_bytes() for cell in cells}
    for cell in cells[::2]:
        shutil.rmtree(cell)
    found, again = whole.again()
    assert {cell: (cell / "metrics.parquet").read_bytes() for cell in cells} == before
    assert set(again) == {cell.name for cell in cells[::2]}, "finished cells are not run again"
    assert [(rows.case, rows.function) for rows in found.parts] == [(r.case, r.function) for r in whole.found.parts]
    assert all(rows.frame.equals(r.frame) for rows, r in zip(found.parts, whole.found.parts, strict=True))
    if not size(name == CIRCLE, True):
        return
    findings = _study.judge(whole.study, found)
    assert repr(findings.claims) == repr(whole.findings.claims)
    assert findings.charts == whole.findings.charts
    for one, other in zip(findings.tables, whole.findings.tables, strict=True):
        assert one.frame.equals(other.frame)


@study_by_study
def test_claims_can_be_checked(name: str, ran: Any) -> None:
    claims = ran(name).findings.claims
    assert len({claim.statement for claim in claims}) == len(claims) > 0
    for claim in claims:
        text = f"{claim.statement} {claim.rule} {claim.source} {claim.unit}"
        assert not re.search(r"[{}]|object at 0x", text), "no brace is left"
        assert re.search(r"(holds|fails) if ", claim.rule)
        assert claim.statement.endswith(".")
        assert claim.unit or name == CIRCLE
        assert claim.source
        for page, heading in re.findall(r"(docs/[\w/-]+\.md)(?:, ([^;]+))?", claim.source):
            assert (ROOT / page).is_file() or name == CIRCLE, page
            if heading:
                titles = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(), flags=re.M)
                assert any(heading.lower() in title.lower() for title in titles), (page, heading)
    assert {claim.verdict for claim in claims} != {"inconclusive"}


@study_by_study
def test_what_a_reader_sees(name: str, ran: Any) -> None:
    study, findings = ran(name).study, ran(name).findings
    assert len(findings.summary) > 10
    assert all(table.caption and table.frame.height for table in findings.tables)
    assert [chart.name for chart in findings.charts] == [figure.name for figure in study.FIGURES], "none is left out"
    named, drawn = set(), set()
    for figure in study.FIGURES:
        assert figure.title
        assert figure.caption or name == CIRCLE
        (chart,) = (chart for chart in findings.charts if chart.name == figure.name)
        drawn |= set(re.findall(r'"series": "([^"]*)"', json.dumps(chart.spec, ensure_ascii=False)))
        kinds = getattr(figure, "kinds", {})
        named |= set(kinds) - {...} if isinstance(kinds, dict) else set()
    assert named <= drawn, "every series is drawn"
    assert len(picture(findings.charts[0])) > 500


@study_by_study
def test_it_can_be_rehearsed(name: str, ran: Any) -> None:
    """The dearest work of each function, in this process; what a cell builds on need not be there."""
    found, dearest = ran(name), {}
    for work in sorted(found.works, key=lambda work: work.cost):
        dearest[work.function] = work
    with_fellows = [work for work in dearest.values() if work.after] or [next(iter(dearest.values()))]
    for work in with_fellows:
        cost = try_out(Job(found.study.STUDY, _study.place(name).module, work, 0, 3, Path()), "cpu")
        assert 0 <= cost.seconds < 600
        assert cost.memory > 1e7

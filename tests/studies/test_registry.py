"""Every study has the face that the command line and Python count on; a study that is none is named with the nearest."""

import subprocess
import sys
from dataclasses import FrozenInstanceError, fields, is_dataclass
from importlib import import_module
from pathlib import Path

import pytest

import twopart as tp
from tests.studies import circle, register_circle
from twopart._checks import InputError
from twopart.cli.run import Options
from twopart.findings import Findings
from twopart.studies import _study

STUDIES = [*_study.REGISTRY, "circle"]


@pytest.fixture(autouse=True)
def circle_is_a_study(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_study, "REGISTRY", dict(_study.REGISTRY))
    register_circle()


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_has_three_presets_of_one_config(name: str) -> None:
    module = import_module(_study.REGISTRY[name].module)
    assert tuple(module.PRESETS) == ("tiny", "small", "full")
    assert {type(config) for config in module.PRESETS.values()} == {module.Config}
    assert is_dataclass(module.Config)
    field = fields(module.Config)[0].name
    with pytest.raises(FrozenInstanceError):
        setattr(module.PRESETS["tiny"], field, 1)


@pytest.mark.parametrize("name", STUDIES)
def test_a_studys_fields_do_not_hide_the_options_of_a_run(name: str) -> None:
    own = {field.name for field in fields(tp.studies.config(name))}
    assert not own & {field.name for field in fields(Options)}
    assert not own & {"name", "progress", "config"}, "arguments of tp.studies.run"


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_says_in_a_line_what_it_asks(name: str) -> None:
    summary = tp.studies.summary(name)
    assert 10 < len(summary) < 120
    assert "\n" not in summary


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("preset", _study.PRESET_NAMES)
def test_every_preset_has_a_plan(name: str, preset: str) -> None:
    rows = tp.studies.plan(name, tp.studies.config(name, preset))
    assert rows
    assert all(row.cells > 0 and row.seconds >= 0 and row.memory > 0 for row in rows)


def test_listing_the_studies_imports_none() -> None:
    code = (
        "import sys; from twopart.cli import main; main(['studies']); main(['--help']); print('torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "False"
    assert all(name in said for name in _study.REGISTRY if name != "circle")


def test_the_front_page_is_light_and_complete() -> None:
    code = """
import sys, twopart
assert not {"torch", "numpy", "polars", "scipy", "numba"} & set(sys.modules), "import twopart loads nothing heavy"
print(twopart.__version__, *dir(twopart))
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert said[0] == tp.__version__
    assert {"worlds", "codes", "laws", "learners", "fits", "studies", "lab", "report"} < set(said)
    with pytest.raises(AttributeError, match="has no attribute 'world'"):
        _ = tp.world


def test_overrides_change_fields_of_the_preset() -> None:
    assert tp.studies.config("circle", "tiny", cells=2) == circle.Config(cells=2)
    assert tp.studies.config("circle", "full").points == 4000


def test_what_is_none_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"no study 'circel'; did you mean 'circle'\?"):
        tp.studies.config("circel")
    with pytest.raises(InputError, match=r"no field 'cell'; did you mean 'cells'\?"):
        tp.studies.config("circle", cell=2)
    with pytest.raises(InputError, match=r"`preset` must be one of 'tiny', 'small', 'full', got 'huge'"):
        tp.studies.config("circle", "huge")
    with pytest.raises(InputError, match="`cells` must be"):
        tp.studies.config("circle", cells=0)


def test_running_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    findings = tp.studies.run("circle", preset="tiny", progress="none", device="cpu", cells=2)
    assert isinstance(findings, Findings)
    assert findings.claims[0].verdict == "holds"
    assert findings.table("hits").height == 12
    assert (tmp_path / "runs/circle/index.html").exists()
    with pytest.raises(InputError, match="holds this run already"):
        tp.studies.run("circle", preset="tiny", progress="none", device="cpu", cells=2)
    again = tp.studies.run("circle", preset="tiny", progress="none", device="cpu", cells=2, resume=True)
    assert again.claims == findings.claims

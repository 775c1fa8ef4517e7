"""Studies are found by their files: what is listed, what is imported for it, and what is said of a name that is none."""

import subprocess
import sys
from pathlib import Path

import pytest

import twopart as tp
from tests.studies import CIRCLE
from twopart._checks import InputError
from twopart.cli import main
from twopart.findings import Findings
from twopart.studies import _study


def test_listing_the_studies_imports_none_and_nothing_heavy() -> None:
    code = "import sys; from twopart.cli import main; main(['studies']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *said, loaded = done.stdout.splitlines()
    assert not {"torch", "numpy", "polars", "scipy", "numba", "altair"} & set(loaded.split())
    assert not {place.module for place in _study.places().values()} & set(loaded.split())
    assert [line.split()[0] for line in said if line.startswith("  ")] == list(tp.studies.names())
    assert "knowledge: language models as compressors" in said
    assert "features: what gradient descent picks up" in said


def test_a_file_in_a_room_is_a_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its name is the file's, its question the first line; neither what begins with `_` nor a study's cells is one."""
    room = tmp_path / "policies"
    room.mkdir()
    for name in ("two_words", "two_words_cells", "_shared", "__init__"):
        (room / f"{name}.py").write_text(f'"""Is {name} asked?"""\n')
    monkeypatch.setattr(_study, "__file__", str(tmp_path / "_study.py"))
    _study.places.cache_clear()
    try:
        assert main(["studies"]) == 0
        assert "policies: what reinforcement selects\n  two-words " in capsys.readouterr().out
        assert tp.studies.names() == ("two-words",)
        assert tp.studies.question("two-words") == "Is two_words asked?"
    finally:
        _study.places.cache_clear()


def test_the_front_page_is_light_and_complete() -> None:
    code = """
import sys, twopart
assert not {"torch", "numpy", "polars", "scipy", "numba"} & set(sys.modules), "import twopart loads nothing heavy"
print(twopart.__version__, *dir(twopart))
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert said[0] == tp.__version__
    assert {"worlds", "codes", "evidence", "laws", "learners", "lossless", "fits", "studies", "lab", "report"} < set(
        said
    )
    with pytest.raises(AttributeError, match="has no attribute 'world'"):
        _ = tp.world


def test_overrides_change_fields_of_the_preset_and_of_the_records_in_it() -> None:
    assert tp.studies.config(CIRCLE, "tiny", cells=2).cells == 2
    assert tp.studies.config(CIRCLE, "full").points == 4000
    config = tp.studies.config("data-law", "tiny", width=32, heads=2, sentences=2000)
    assert (config.shape.width, config.shape.heads, config.sentences) == (32, 2, 2000)
    assert config.training == tp.studies.config("data-law", "tiny").training


def test_what_is_none_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"no study 'data-lav'; did you mean 'data-law'\?"):
        tp.studies.config("data-lav")
    with pytest.raises(InputError, match=r"no field 'cell'; did you mean 'cells'\?"):
        tp.studies.config(CIRCLE, cell=2)
    with pytest.raises(InputError, match=r"no field 'widht'; did you mean 'width'\?"):
        tp.studies.config("data-law", widht=2)
    with pytest.raises(InputError, match=r"`preset` must be one of 'tiny', 'small', 'full', got 'huge'"):
        tp.studies.config(CIRCLE, "huge")
    with pytest.raises(InputError, match="`cells` must be"):
        tp.studies.config(CIRCLE, cells=0)
    with pytest.raises(InputError, match=r"there is no file nowhere\.py"):
        tp.studies.config("nowhere.py")


def test_a_file_that_another_module_hides_is_told(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text('"""What?"""\n')
    with pytest.raises(InputError, match=r"cannot be imported: json is .*; give the file another name"):
        tp.studies.question(str(tmp_path / "json.py"))


def test_running_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    findings = tp.studies.run(CIRCLE, preset="tiny", progress="none", device="cpu", cells=2)
    assert isinstance(findings, Findings)
    assert findings.claims[0].verdict == "holds"
    assert findings.table("hits").height == 12
    assert (tmp_path / "runs/circle/index.html").exists()
    with pytest.raises(InputError, match="holds this run already"):
        tp.studies.run(CIRCLE, preset="tiny", progress="none", device="cpu", cells=2)
    again = tp.studies.run(CIRCLE, preset="tiny", progress="none", device="cpu", cells=2, resume=True)
    assert again.claims == findings.claims


def test_spaced_numbers_are_whole_rising_and_each_there_once():
    assert tp.studies.spaced(1, 1000, 4) == [1, 10, 100, 1000]
    assert tp.studies.spaced(1, 3, 40) == [1, 2, 3]

"""The run folder: whose it is, who is in it, and that a refusal leaves it as it was."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from twopart._checks import InputError
from twopart._threads import available_cores
from twopart.lab import Lab
from twopart.lab.environment import environment, git_state
from twopart.lab.folder import AlreadyRunError, claim, differences, lock_folder, record_environment

CONFIG = {"study": "circle", "seed": 0, "config": {"points": 1000, "world": {"discount": 0.5}}}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def claimed(folder: Path, config: dict[str, object] = CONFIG, *, resume: bool = False) -> None:
    os.close(claim(folder, config, resume=resume))


def test_a_new_folder_is_made_and_holds_the_config(tmp_path: Path) -> None:
    claimed(tmp_path / "deep" / "run")
    assert json.loads((tmp_path / "deep" / "run" / "config.json").read_text()) == CONFIG


def test_resuming_where_nothing_is_starts_a_run(tmp_path: Path) -> None:
    claimed(tmp_path, resume=True)
    claimed(tmp_path, resume=True)


def test_a_run_is_not_run_over_by_accident(tmp_path: Path) -> None:
    claimed(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(
        AlreadyRunError, match=r"holds this run already; resume it with --resume \(resume=True in Python\)"
    ):
        claim(tmp_path, CONFIG, resume=False)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("resume", [False, True])
def test_a_run_of_another_config_is_left_alone(tmp_path: Path, resume: bool) -> None:
    claimed(tmp_path)
    before = contents(tmp_path)
    other = {**CONFIG, "seed": 1, "config": {"points": 1000, "world": {"discount": 0.7}}}
    with pytest.raises(
        InputError, match=r"seed is 0 there and 1 here; config.world.discount is 0.5 there and 0.7 here; choose"
    ):
        claim(tmp_path, other, resume=resume)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["thesis.tex", ".git", "config.yaml", "cells"])
def test_a_foreign_folder_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    for resume in (False, True):
        with pytest.raises(InputError, match=f"not a run folder: it holds '{name}'"):
            claim(tmp_path, CONFIG, resume=resume)
    assert contents(tmp_path) == {name: b"mine"}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"vite": 1}', "3"])
def test_another_programs_config_is_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError, match="was not written by twopart"):
        claim(tmp_path, CONFIG, resume=True)
    assert (tmp_path / "config.json").read_text() == text


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    with pytest.raises(InputError, match="is a file, not a folder"):
        claim(tmp_path / "run", CONFIG, resume=False)


def test_what_a_kill_left_half_written_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / ".config.json.abc.part").write_text("{")  # a kill before the config was whole
    claimed(tmp_path)
    (tmp_path / "cells" / "x").mkdir(parents=True)
    (tmp_path / "cells" / "x" / ".metrics.parquet.abc.part").write_text("half")
    claimed(tmp_path, resume=True)
    assert not list(tmp_path.rglob("*.part"))


def test_one_process_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twopart.lab.folder._PATIENCE", 0.1)
    with Lab(tmp_path, study="circle", module="circle", config=CONFIG, device="cpu", progress="none"):
        with pytest.raises(InputError, match="another process is running in"):
            Lab(tmp_path, study="circle", module="circle", config=CONFIG, resume=True, device="cpu")
        with pytest.raises(InputError, match="another process is running in"):
            Lab(tmp_path, study="circle", module="circle", device="cpu")
    claimed(tmp_path, resume=True)


def test_the_lock_of_a_killed_process_is_free_again(tmp_path: Path) -> None:
    code = "import sys; from twopart.lab.folder import *; lock_folder(Path(sys.argv[1])); print('locked', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code, tmp_path], stdin=-1, stdout=-1) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        other.kill()
    os.close(lock_folder(tmp_path))


def test_differences_are_named_by_path() -> None:
    assert differences({"a": 1, "b": {"c": [1]}}, {"a": 1, "b": {"c": [2]}, "d": None}) == [
        "b.c is [1] there and [2] here",
        "d is absent there and null here",
    ]


def test_the_environment_repeats_and_names_no_place(tmp_path: Path) -> None:
    here = environment(seed=3, device="cpu")
    assert here == environment(seed=3, device="cpu")
    assert here["packages"].keys() >= {"numpy", "torch", "numba", "polars", "altair"}
    assert here["seed"] == 3
    assert str(Path.cwd()) not in json.dumps(here)
    assert str(Path.home()) not in json.dumps(here)


def test_another_environment_is_kept_beside_the_first(tmp_path: Path) -> None:
    assert record_environment(tmp_path, {"numpy": "1"}) == {"numpy": "1"}
    assert record_environment(tmp_path, {"numpy": "1"}) == {"numpy": "1"}
    both = {"numpy": "2", "earlier": [{"numpy": "1"}]}
    assert record_environment(tmp_path, {"numpy": "2"}) == both
    assert json.loads((tmp_path / "environment.json").read_text()) == both


def test_who_resumes_under_another_environment_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Lab(tmp_path, study="circle", module="circle", config=CONFIG, device="cpu") as lab:
        first = lab.environment
    assert capsys.readouterr().err == ""
    (tmp_path / "environment.json").write_text(json.dumps({**first, "python": "3.9.0"}))
    with Lab(tmp_path, study="circle", module="circle", config=CONFIG, device="cpu", resume=True) as lab:
        assert lab.environment["earlier"] == [{**first, "python": "3.9.0"}]
    assert f'python is "3.9.0" there and "{first["python"]}" here\n' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("quota", "limit"), [("100000 100000", 1), ("50000 100000", 1), ("max 100000", None), ("", None)]
)
def test_cores_are_those_that_a_container_grants(tmp_path: Path, quota: str, limit: int | None) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    assert available_cores(tmp_path / "cpu.max") == (limit or len(os.sched_getaffinity(0)))
    assert available_cores(tmp_path / "none") == len(os.sched_getaffinity(0))


def test_git_state_is_that_of_a_checkout_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "x")

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    git("init", "--quiet")
    assert git_state(package) is None, "a package that the checkout does not track is installed, not checked out"
    git("add", ".")
    git("commit", "--quiet", "-m", "x")
    commit = git("rev-parse", "HEAD").strip()
    assert git_state(package) == {"commit": commit, "changed": False}
    (package / "new.py").write_text("")
    assert git_state(package) == {"commit": commit, "changed": True}

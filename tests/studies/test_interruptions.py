"""Real processes, killed and interrupted at several moments: what they leave, and that a resumed run ends the same."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.processes import children_of, is_running
from tests.studies import CIRCLE

COMMAND = [sys.executable, "-m", "twopart"]
RUN = ["run", CIRCLE, "--cells", "4", "--rounds", "5", "--pause", "0.06", "--seed", "7"]
ROOT = Path(__file__).parents[2]
# The checkout may change while the tests run, and its state is on the page: hide it from git.
ENVIRONMENT = {**os.environ, "GIT_DIR": "/nonexistent"}

pytestmark = pytest.mark.slow


def start(arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(arguments: list[str]) -> tuple[int, str, str]:
    with start(arguments) as process:
        out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def results(folder: Path) -> dict[str, bytes]:
    """Every file of the run folder but its lock."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def wait_for(process: subprocess.Popen[str], moment: Callable[[], bool]) -> None:
    """Until `moment` or the process's end; the former must come within a minute."""
    deadline = time.monotonic() + 60
    while not moment() and process.poll() is None:
        assert time.monotonic() < deadline, "the moment never came"
        time.sleep(0.005)


def count(folder: Path, pattern: str) -> Callable[[int], Callable[[], bool]]:
    """count(folder, pattern)(n)() is whether at least n files match."""
    return lambda number: lambda: len(list(folder.glob(pattern))) >= number


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    code, out, _ = finish([*RUN, "--out", str(folder)])
    assert code == 0
    assert out.splitlines()[-1] == f"report: {folder}/index.html"
    files = results(folder)
    assert {
        "config.json",
        "environment.json",
        "claims.json",
        "index.html",
        "figures/hits.svg",
        "figures/hits.png",
    } < set(files)
    return files


MOMENTS = {
    "the folder is new": ("config.json", 1),
    "a cell has checkpoints": ("cells/*/working/state.json", 1),
    "a cell is finished": ("cells/*/metrics.parquet", 1),
    "three cells are finished": ("cells/*/metrics.parquet", 3),
    "the report is being written": ("tables/*.parquet", 1),
    "the claims are written": ("claims.json", 1),
}


def test_killed_at_any_moment_a_run_resumes_to_the_same_bytes(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    """One run, killed again and again, a little further each time."""
    folder = tmp_path / "run"
    killed = 0
    for pattern, number in MOMENTS.values():
        with start([*RUN, "--out", str(folder), "--resume"]) as process:
            wait_for(process, count(folder, pattern)(number))
            workers = children_of(process.pid)
            process.kill()
            killed += process.wait() == -signal.SIGKILL
            deadline = time.monotonic() + 2
            while any(map(is_running, workers)):
                assert time.monotonic() < deadline, "workers must die with the run"
                time.sleep(0.01)
    assert killed >= 4, "else this test has not tested much"
    assert finish([*RUN, "--out", str(folder), "--resume"])[0] == 0
    assert results(folder) == undisturbed


@pytest.mark.parametrize("workers", [1, 3])
def test_the_number_of_workers_changes_nothing(tmp_path: Path, undisturbed: dict[str, bytes], workers: int) -> None:
    folder = tmp_path / "run"
    assert finish([*RUN, "--out", str(folder), "--workers", str(workers)])[0] == 0
    assert results(folder) == undisturbed


def test_ctrl_c_keeps_what_is_finished_and_prints_the_command_that_continues(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    folder = tmp_path / "a run"  # the space must survive being pasted
    with start([*RUN, "--out", str(folder)]) as process:
        wait_for(process, count(folder, "cells/*/metrics.parquet")(1))
        workers = children_of(process.pid)
        os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to all processes of the group
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in err
    assert workers
    assert not any(map(is_running, workers))
    said, command = err.splitlines()[-2:]
    assert said == "interrupted; what was finished is kept. To continue:"
    program, *arguments = shlex.split(command)
    assert [program, *arguments[:2]] == COMMAND
    arguments = arguments[2:]
    assert arguments == [*RUN, "--out", str(folder), "--resume"]
    finished = set(folder.glob("cells/*/metrics.parquet"))
    times = {path: path.stat().st_mtime_ns for path in finished}
    assert finish(arguments)[0] == 0
    assert results(folder) == undisturbed
    assert {path: path.stat().st_mtime_ns for path in finished} == times, "finished cells are not run again"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system takes root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_run_on_a_full_disk_ends_with_a_line_and_resumes_when_there_is_room(
    small_disk: Path, undisturbed: dict[str, bytes]
) -> None:
    folder, filler = small_disk / "run", small_disk / "filler"
    filler.write_bytes(bytes(2_900_000))  # leaves room for the cells, not for the page
    code, out, err = finish([*RUN, "--out", str(folder)])
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith("twopart: ")
    assert err.splitlines()[-1].endswith("the disk is full; free some space or choose another disk")
    assert "Traceback" not in err
    assert len(list(folder.glob("cells/*/metrics.parquet"))) == 4
    assert not (folder / "index.html").exists()
    filler.unlink()
    assert finish([*RUN, "--out", str(folder), "--resume"])[0] == 0
    assert results(folder) == undisturbed


def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with start([*RUN, "--out", str(folder), "--pause", "30"]) as process:
        wait_for(process, count(folder, "cells/*/working")(1))
        code, out, err = finish([*RUN, "--out", str(folder), "--pause", "30", "--resume"])
        process.kill()
    assert (code, out) == (2, "")
    assert err == f"twopart: another process is running in {folder}; wait for it, or choose another folder\n"

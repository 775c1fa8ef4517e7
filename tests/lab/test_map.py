"""Lab.run: every cell once, results in order, whatever the workers do."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.lab import cells
from tests.lab.cells import Asked, Counted, Square, Trouble, Twice
from tests.processes import children_of, is_running
from twopart._checks import InputError
from twopart.lab import Cell, CellError, Lab, Work, source
from twopart.lab.cell import Job
from twopart.lab.folder import lock_folder
from twopart.lab.pool import Worker
from twopart.lab.rehearsal import rehearse


def open_lab(folder: Path, **settings: Any) -> Lab:
    """A lab for the functions of cells.py."""
    return Lab(
        folder,
        study="sums",
        module="tests.lab.cells",
        **{"workers": 1, "progress": "none", "device": "cpu", **settings},
    )


def run(lab: Lab, function: str, *cases: Any, **work: Any) -> list[pl.DataFrame]:
    return [frame for _, _, _, frame in lab.run([Work(function, case, **work) for case in cases])]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with open_lab(tmp_path_factory.mktemp("lab"), workers=2) as lab:
        yield lab


def test_results_come_in_the_order_of_the_configs(lab: Lab) -> None:
    frames = [frame for *_, frame in lab.run([Work("square", Square(i), cost=i) for i in (3, 1, 2)])]
    assert [frame["square"].item() for frame in frames] == [9, 1, 4]


def test_no_configs_give_no_frames(lab: Lab) -> None:
    assert list(lab.run([])) == []


def test_a_finished_cell_is_read_back_and_a_double_runs_once(lab: Lab, tmp_path: Path) -> None:
    log = tmp_path / "log"
    configs = [Square(i, str(log)) for i in (5, 6, 5)]
    first = run(lab, "square", *configs)
    again = run(lab, "square", *configs)
    assert sorted(log.read_text().split()) == ["5", "6"]
    assert [f["square"].item() for f in first] == [25, 36]
    assert all(a.equals(b) for a, b in zip(first, again, strict=True))


def test_costly_cells_start_first(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with open_lab(tmp_path / "run") as lab:
        list(lab.run([Work("square", Square(i, str(log)), cost=i) for i in (1, 3, 2, 4)]))
    assert log.read_text().split() == ["4", "3", "2", "1"]


def test_a_cells_seed_depends_on_its_config_and_the_root_seed_only(lab: Lab, tmp_path: Path) -> None:
    seeds = [frame["seed"].item() for frame in run(lab, "square", *[Square(i) for i in range(4)])]
    with open_lab(tmp_path / "same") as other:
        assert [f["seed"].item() for f in run(other, "square", Square(3), Square(0))] == [seeds[3], seeds[0]]
    with open_lab(tmp_path / "other", seed=1) as other:
        assert run(other, "square", Square(3))[0]["seed"].item() not in seeds
    assert len(set(seeds)) == 4
    assert all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.parametrize("variable", ["OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS"])
def test_workers_compute_on_one_thread(lab: Lab, variable: str) -> None:
    assert run(lab, "environment_variable", Asked(variable))[0]["value"].item() == "1"


def test_a_cell_whose_worker_died_continues_from_its_checkpoint(tmp_path: Path) -> None:
    config = Counted(upto=10, die_at=4)
    with open_lab(tmp_path) as lab:
        with pytest.raises(CellError, match="exited with code 1"):
            run(lab, "count_with_checkpoint", config)
        assert run(lab, "count_with_checkpoint", config)[0]["steps_done_here"].item() == 6
    assert not list(tmp_path.rglob("working")), "checkpoints of a finished cell are removed"


@pytest.mark.parametrize(
    ("kind", "error", "said"),
    [
        (
            "bug",
            CellError,
            r"(?s)trouble bug failed: ZeroDivisionError.*\"kind\":\"bug\".*in trouble.*divided by nought",
        ),
        ("input", InputError, r"`width` must be even, got 3; double it \(trouble input\)"),
        ("disk", OSError, "No space left on device: 'big.bin'"),
        ("exit", CellError, r"(?s)exited with code 3; it had printed:\nlast words.*\"kind\":\"exit\""),
        ("killed", CellError, r"killed by SIGKILL; often the memory was not enough"),
        ("no frame", CellError, "must return a polars DataFrame, got dict"),
    ],
)
def test_a_failure_names_the_cell_and_keeps_what_was_finished(
    tmp_path: Path, kind: str, error: type[Exception], said: str
) -> None:
    with open_lab(tmp_path) as lab:
        configs = [Trouble("none"), Trouble(kind), Trouble("print")]
        with pytest.raises(error, match=said):
            run(lab, "trouble", *configs)
        assert len(list(tmp_path.glob("cells/*/metrics.parquet"))) == 1
        assert run(lab, "trouble", configs[2])[0]["kind"].item() == "print"


def test_an_error_of_the_disk_keeps_its_number(lab: Lab) -> None:
    with pytest.raises(OSError, match="No space") as caught:
        run(lab, "trouble", Trouble("disk"))
    assert (caught.value.errno, caught.value.filename) == (28, "big.bin")
    assert "in trouble" in caught.value.__notes__[0]


def test_a_damaged_result_is_named_with_the_remedy(tmp_path: Path) -> None:
    with open_lab(tmp_path) as lab:
        run(lab, "square", Square(1))
        metrics = next(tmp_path.glob("cells/*/metrics.parquet"))
        metrics.write_bytes(metrics.read_bytes()[:100])
        with pytest.raises(InputError, match=r"cannot read .*metrics.parquet.*remove that file"):
            run(lab, "square", Square(1))
        metrics.unlink()
        assert run(lab, "square", Square(1))[0]["square"].item() == 1


@pytest.mark.parametrize("record", [None, "", "[]", "{}", "\x00"])
def test_a_result_without_its_record_is_named_with_the_remedy(tmp_path: Path, record: str | None) -> None:
    with open_lab(tmp_path) as lab:
        run(lab, "square", Square(1))
        (file,) = tmp_path.glob("cells/*/cell.json")
        file.unlink() if record is None else file.write_text(record)
        with pytest.raises(InputError, match=r"cannot tell which code made .*no whole cell.json; remove that folder"):
            run(lab, "square", Square(1))


def test_what_a_worker_prints_reaches_stderr(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with open_lab(tmp_path, progress="plain") as lab:
        run(lab, "trouble", Trouble("print"))
    said = capfd.readouterr()
    assert "trouble print: hello from the cell" in said.err
    assert "sums: 1/1 cells, 100%" in said.err
    assert said.out == ""


def ends_within(seconds: float, pid: int) -> bool:
    deadline = time.monotonic() + seconds
    while is_running(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_a_busy_worker_ends_when_the_lab_hangs_up(tmp_path: Path) -> None:
    """The watch that works where the kernel cannot be asked to kill a worker with its parent."""
    lock = lock_folder(tmp_path)
    worker = Worker("cpu", lock)
    worker.begin(Job("sums", "tests.lab.cells", Work("trouble", Trouble("sleep")), 0, 0, tmp_path / "cells"))
    while not (tmp_path / "cells").exists():
        time.sleep(0.01)
    worker.connection.close()
    assert ends_within(5, worker.pid)
    worker.close()
    os.close(lock)


def test_a_worker_that_died_idle_is_replaced(tmp_path: Path) -> None:
    with open_lab(tmp_path) as lab:
        before = set(children_of(os.getpid()))
        run(lab, "square", Square(1))
        (worker,) = set(children_of(os.getpid())) - before
        os.kill(worker, 9)
        os.waitid(os.P_PID, worker, os.WEXITED | os.WNOWAIT)  # until it is gone, all its threads too
        assert run(lab, "square", Square(2))[0]["square"].item() == 4


def test_leaving_the_lab_ends_its_workers(tmp_path: Path) -> None:
    before = set(children_of(os.getpid()))
    with open_lab(tmp_path, workers=2) as lab:
        run(lab, "square", *[Square(i) for i in range(2)])
        workers = set(children_of(os.getpid())) - before
        assert workers
    assert not any(map(is_running, workers))
    lab.close()  # once more does no harm


def test_a_function_that_is_not_there_is_told(lab: Lab) -> None:
    with pytest.raises(InputError, match=r"tests.lab.cells has no function 'cube' in its file"):
        run(lab, "cube", Square(1))


def test_cases_must_be_dataclasses_of_plain_values(lab: Lab) -> None:
    with pytest.raises(InputError, match="`case` must be a frozen dataclass"):
        run(lab, "trouble", {"kind": "none"})
    with pytest.raises(TypeError, match="may hold numbers, strings"):
        run(lab, "square", Square(number={1, 2}))
    with pytest.raises(InputError, match="finite numbers"):
        run(lab, "square", Square(number=float("nan")))


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"workers": -1}, "`workers` must be a whole number in"),
        ({"seed": -1}, "`seed` must be"),
        ({"device": "gpu"}, "`device` must be one of"),
        ({"device": "cuda:99"}, "`device` must be"),
        ({"progress": "loud"}, "`progress` must be one of"),
    ],
)
def test_settings_are_checked_before_the_folder_is_touched(
    tmp_path: Path, setting: dict[str, object], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        open_lab(tmp_path / "run", **setting)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_cell_builds_on_the_result_of_another(tmp_path: Path, workers: int) -> None:
    """What it comes after runs first, once for each replicate, though it is not listed and costs less."""
    log = tmp_path / "log"
    first = Work("square", Square(5, str(log)), replicates=2)
    works = [Work("twice", Twice(first.case, other), replicates=2, after=(first,), cost=9) for other in (0, 1)]
    with open_lab(tmp_path / "run", workers=workers) as lab:
        found = [(function, replicate, frame["square"].item()) for function, _, replicate, frame in lab.run(works)]
        assert found == [("square", 0, 25), ("square", 1, 25), *[("twice", 0, 50), ("twice", 1, 50)] * 2]
        with pytest.raises(InputError, match=r"asks for square 6; name that work in its `after`"):
            run(lab, "twice", Twice(Square(6)), after=(first,))
    assert log.read_text().split() == ["5", "5"]


def test_replicates_differ_in_their_seed_only(lab: Lab) -> None:
    seeds = [frame["seed"].item() for _, _, _, frame in lab.run([Work("square", Square(9), replicates=3)])]
    assert len(set(seeds)) == 3
    assert run(lab, "square", Square(9))[0]["seed"].item() == seeds[0]


def test_without_workers_cells_run_here(tmp_path: Path) -> None:
    with open_lab(tmp_path, workers=0) as lab:
        assert run(lab, "environment_variable", Asked("PYTEST_CURRENT_TEST"))[0]["value"].item()
        with pytest.raises(ZeroDivisionError):
            run(lab, "trouble", Trouble("bug"))


def test_a_cell_outside_a_run_has_no_fellows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="square has no result here"):
        cells.twice(Twice(Square(2)), Cell(tmp_path))


def test_a_resumed_run_says_when_the_code_has_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Comments, layout and doc strings are no change; what the function names in its file is one."""
    text = "import polars as pl\n{more}\ndef count(case, cell):\n    return pl.DataFrame({{'n': [NUMBER]}})\n"
    monkeypatch.syspath_prepend(tmp_path)
    said = {}
    for more in ("NUMBER = 1", "# a word\nNUMBER = 1\nOTHER = 2", "NUMBER = 2"):
        (tmp_path / "counting.py").write_text(text.format(more=more))
        source._definitions.cache_clear()
        source.digest.cache_clear()
        with Lab(
            tmp_path / "run", study="counting", module="counting", workers=0, progress="plain", device="cpu"
        ) as lab:
            assert run(lab, "count", Square(1))[0]["n"].item() == 1
        said[more] = capsys.readouterr().err
    first, commented, changed = said.values()
    assert "has changed" not in first + commented
    assert changed.startswith("the code of 1 finished cell of `count` has changed since; to compute them anew, remove")


def test_a_rehearsal_foretells_time_and_memory() -> None:
    """A cell of 8 seconds that holds 100 MB, one that is over at once, and one that has no result to build on."""
    works = [
        Work("wait", cells.Wait(160, 0.05, 100)),
        Work("wait", cells.Wait(2, 0.05, 0)),
        Work("twice", Twice(Square(1))),
    ]
    (long, costs), (short, least), (_, built) = rehearse(works, study="sums", module="tests.lab.cells", workers=3)
    assert (long, short) == tuple(works[:2])
    assert 5.6 <= costs.seconds <= 10.4
    assert least.seconds < 2
    assert built.seconds < 2
    assert 80e6 < costs.memory - least.memory < 130e6


def test_a_rehearsal_tries_some_of_many_works(tmp_path: Path) -> None:
    log = tmp_path / "log"
    works = [Work("square", Square(i, str(log))) for i in range(20)]
    assert [work for work, _ in rehearse(works, study="sums", module="tests.lab.cells", workers=4)] == works
    assert sorted(set(map(int, log.read_text().split()))) == [0, 3, 5, 8, 11, 14, 16, 19]


def test_a_rehearsal_goes_by_what_works_say_they_cost(tmp_path: Path) -> None:
    """Two that cost little, ten that cost as much as each other, one that costs more, in any order."""
    log, costs = tmp_path / "log", [5.0, 9.0, *[5.0] * 9, 1.0, 2.0]
    works = [Work("square", Square(i, str(log)), cost=cost) for i, cost in enumerate(costs)]
    found = list(rehearse(works, study="sums", module="tests.lab.cells", workers=3))
    assert [work for work, _ in found] == works
    assert sorted(set(map(int, log.read_text().split()))) == [0, 1, 10, 11, 12]


def test_a_cell_that_fails_in_a_rehearsal_is_told() -> None:
    with pytest.raises(CellError, match="ZeroDivisionError"):
        list(rehearse([Work("trouble", Trouble("bug"))], study="sums", module="tests.lab.cells"))

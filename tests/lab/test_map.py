"""Lab.map: every cell once, results in order, whatever the workers do."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from tests.lab import cells
from tests.lab.cells import Asked, Counted, Square, Trouble
from tests.processes import children_of, is_running
from twopart._checks import InputError
from twopart.lab import Cell, CellError, Lab
from twopart.lab.cell import Job
from twopart.lab.folder import lock_folder
from twopart.lab.pool import Worker


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("lab"), workers=2, progress="none", device="cpu") as lab:
        yield lab


def test_results_come_in_the_order_of_the_configs(lab: Lab) -> None:
    frames = lab.map(cells.square, [Square(i) for i in (3, 1, 2)], cost=lambda config: config.number)
    assert [frame["square"].item() for frame in frames] == [9, 1, 4]


def test_no_configs_give_no_frames(lab: Lab) -> None:
    assert lab.map(cells.square, []) == []


def test_a_finished_cell_is_read_back_and_a_double_runs_once(lab: Lab, tmp_path: Path) -> None:
    log = tmp_path / "log"
    configs = [Square(i, str(log)) for i in (5, 6, 5)]
    first = lab.map(cells.square, configs)
    again = lab.map(cells.square, configs)
    assert sorted(log.read_text().split()) == ["5", "6"]
    assert [f["square"].item() for f in first] == [25, 36, 25]
    assert all(a.equals(b) for a, b in zip(first, again, strict=True))


def test_costly_cells_start_first(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Lab(tmp_path / "run", workers=1, progress="none", device="cpu") as lab:
        lab.map(cells.square, [Square(i, str(log)) for i in (1, 3, 2, 4)], cost=lambda config: config.number)
    assert log.read_text().split() == ["4", "3", "2", "1"]


def test_a_cells_seed_depends_on_its_config_and_the_root_seed_only(lab: Lab, tmp_path: Path) -> None:
    seeds = [frame["seed"].item() for frame in lab.map(cells.square, [Square(i) for i in range(4)])]
    with Lab(tmp_path / "same", workers=1, progress="none", device="cpu") as other:
        assert [f["seed"].item() for f in other.map(cells.square, [Square(3), Square(0)])] == [seeds[3], seeds[0]]
    with Lab(tmp_path / "other", seed=1, workers=1, progress="none", device="cpu") as other:
        assert other.map(cells.square, [Square(3)])[0]["seed"].item() not in seeds
    assert len(set(seeds)) == 4
    assert all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.parametrize("variable", ["OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS"])
def test_workers_compute_on_one_thread(lab: Lab, variable: str) -> None:
    assert lab.map(cells.environment_variable, [Asked(variable)])[0]["value"].item() == "1"


def test_a_cell_whose_worker_died_continues_from_its_checkpoint(tmp_path: Path) -> None:
    config = Counted(upto=10, die_at=4)
    with Lab(tmp_path, workers=1, progress="none", device="cpu") as lab:
        with pytest.raises(CellError, match="exited with code 1"):
            lab.map(cells.count_with_checkpoint, [config])
        assert lab.map(cells.count_with_checkpoint, [config])[0]["steps_done_here"].item() == 6
    assert not list(tmp_path.rglob("working")), "checkpoints of a finished cell are removed"


@pytest.mark.parametrize(
    ("kind", "error", "said"),
    [
        (
            "bug",
            CellError,
            r"(?s)sum kind=bug failed: ZeroDivisionError.*\"kind\":\"bug\".*in trouble.*divided by nought",
        ),
        ("input", InputError, r"`width` must be even, got 3; double it \(sum kind=input\)"),
        ("disk", OSError, "No space left on device: 'big.bin'"),
        ("exit", CellError, r"(?s)exited with code 3; it had printed:\nlast words.*\"kind\":\"exit\""),
        ("killed", CellError, r"killed by SIGKILL; often the memory was not enough"),
        ("no frame", CellError, "must return a polars DataFrame, got dict"),
    ],
)
def test_a_failure_names_the_cell_and_keeps_what_was_finished(
    tmp_path: Path, kind: str, error: type[Exception], said: str
) -> None:
    with Lab(tmp_path, workers=1, progress="none", device="cpu") as lab:
        configs = [Trouble("none"), Trouble(kind), Trouble("print")]
        with pytest.raises(error, match=said):
            lab.map(cells.trouble, configs, label="sum")
        assert len(list(tmp_path.glob("cells/*/metrics.parquet"))) == 1
        assert lab.map(cells.trouble, [configs[2]], label="sum")[0]["kind"].item() == "print"


def test_an_error_of_the_disk_keeps_its_number(lab: Lab) -> None:
    with pytest.raises(OSError, match="No space") as caught:
        lab.map(cells.trouble, [Trouble("disk")])
    assert (caught.value.errno, caught.value.filename) == (28, "big.bin")
    assert "in trouble" in caught.value.__notes__[0]


def test_a_damaged_result_is_named_with_the_remedy(tmp_path: Path) -> None:
    with Lab(tmp_path, workers=1, progress="none", device="cpu") as lab:
        lab.map(cells.square, [Square(1)])
        metrics = next(tmp_path.glob("cells/*/metrics.parquet"))
        metrics.write_bytes(metrics.read_bytes()[:100])
        with pytest.raises(InputError, match=r"cannot read .*metrics.parquet.*remove that file"):
            lab.map(cells.square, [Square(1)])
        metrics.unlink()
        assert lab.map(cells.square, [Square(1)])[0]["square"].item() == 1


def test_what_a_worker_prints_reaches_stderr(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with Lab(tmp_path, workers=1, progress="plain", device="cpu") as lab:
        lab.map(cells.trouble, [Trouble("print")], label="sum")
    said = capfd.readouterr()
    assert "sum: hello from the cell" in said.err
    assert "sum: 1/1 cells, 100%" in said.err
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
    worker.begin(Job("tests.lab.cells:trouble", Trouble("sleep"), 0, tmp_path / "cells", "sleep"))
    while not (tmp_path / "cells").exists():
        time.sleep(0.01)
    worker.connection.close()
    assert ends_within(5, worker.pid)
    worker.close()
    os.close(lock)


def test_a_worker_that_died_idle_is_replaced(tmp_path: Path) -> None:
    with Lab(tmp_path, workers=1, progress="none", device="cpu") as lab:
        before = set(children_of(os.getpid()))
        lab.map(cells.square, [Square(1)])
        (worker,) = set(children_of(os.getpid())) - before
        os.kill(worker, 9)
        os.waitid(os.P_PID, worker, os.WEXITED | os.WNOWAIT)  # until it is gone, all its threads too
        assert lab.map(cells.square, [Square(2)])[0]["square"].item() == 4


def test_leaving_the_lab_ends_its_workers(tmp_path: Path) -> None:
    before = set(children_of(os.getpid()))
    with Lab(tmp_path, workers=2, progress="none", device="cpu") as lab:
        lab.map(cells.square, [Square(i) for i in range(2)])
        workers = set(children_of(os.getpid())) - before
        assert workers
    assert not any(map(is_running, workers))
    lab.close()  # once more does no harm


@dataclass(frozen=True)
class Labelled:
    label: str


def fail(config: Labelled, cell: Cell) -> pl.DataFrame:
    raise RuntimeError("no")


def test_a_config_may_name_its_cell(lab: Lab) -> None:
    with pytest.raises(CellError, match=r"train d = 0\.5, replicate 2 failed"):
        lab.map(fail, [Labelled("d = 0.5, replicate 2")], label="train")


def test_functions_that_a_worker_cannot_import_are_refused(lab: Lab) -> None:
    def local(config: Square, cell: Cell) -> pl.DataFrame:
        return pl.DataFrame()

    for function in (local, lambda config, cell: pl.DataFrame()):
        with pytest.raises(TypeError, match="module's own"):
            lab.map(function, [Square(1)])


def test_configs_must_be_dataclasses_of_plain_values(lab: Lab) -> None:
    with pytest.raises(TypeError, match="must be a dataclass"):
        lab.map(cells.trouble, [{"kind": "none"}])
    with pytest.raises(TypeError, match="may hold numbers, strings"):
        lab.map(cells.square, [Square(number={1, 2})])
    with pytest.raises(InputError, match="finite numbers"):
        lab.map(cells.square, [Square(number=float("nan"))])


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"workers": 0}, "`workers` must be a whole number in"),
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
        Lab(tmp_path / "run", **setting)
    assert not (tmp_path / "run").exists()


def test_a_cell_builds_on_the_result_of_another(tmp_path: Path) -> None:
    log = tmp_path / "log"
    one, other = Square(5, str(log)), Square(6, str(log))
    with Lab(tmp_path / "run", workers=2, progress="none", device="cpu") as lab:
        lab.map(cells.square, [one])
        assert lab.map(cells.twice, [cells.Twice(one)])[0]["square"].item() == 50
        with pytest.raises(InputError, match=r"metrics.parquet is missing; map square over its config first"):
            lab.map(cells.twice, [cells.Twice(other)])
    assert log.read_text().split() == ["5"]


def test_a_cell_outside_a_run_has_no_fellows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="square has no result here"):
        cells.twice(cells.Twice(Square(2)), Cell(tmp_path))

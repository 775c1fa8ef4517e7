"""Cells on a real Ray cluster of two nodes: the bytes of a run with processes, whoever dies; failures that name their node."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.cells import Asked, Counted, Needs, Square, Trouble, Twice
from tests.processes import children_of
from tests.studies import CIRCLE
from twopart import studies
from twopart._checks import InputError
from twopart.cli import main
from twopart.lab import CellError, Lab, Work
from twopart.worlds import Sharded, SyntaxKnowledge

ROOT = Path(__file__).parents[2]
NODE = {"num_cpus": 1, "object_store_memory": 80_000_000}
PAUSE = 0.4  # seconds between a cell's checkpoints, where it must be met at work

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]  # of Ray's own pipes


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of a CPU each. This process is connected, so that tests share the nodes' processes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        patch.setenv("RAY_DEDUP_LOGS_SKIP_REGEX", r"[\s\S]")
        patch.setenv(
            "GIT_DIR", "/nonexistent"
        )  # the checkout may change while the tests run, and its state is on the page
        import ray
        from ray.cluster_utils import Cluster

        folder = tempfile.mkdtemp(prefix="tp")  # sockets have short names
        patch.setenv("RAY_TMPDIR", folder)  # its address goes to /tmp/ray else, which need not be
        nodes = Cluster(True, head_node_args={**NODE, "include_dashboard": False})
        try:
            nodes.second = nodes.add_node(**NODE)
            ray.init(address=nodes.address, logging_level="ERROR", log_to_driver=False)
            yield nodes
        finally:
            ray.shutdown()
            nodes.shutdown()
            shutil.rmtree(folder, ignore_errors=True)


def lab(folder: Path, **options: Any) -> Lab:
    """A lab for the functions of cells.py."""
    settings = {"executor": "ray", "progress": "plain", "device": "cpu", **options}
    return Lab(folder, study="sums", module="tests.lab.cells", **settings)


def results(folder: Path) -> dict[str, bytes]:
    """Every file of the run folder but its lock."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def undisturbed(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The run with worker processes."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    studies.run(CIRCLE, "tiny", folder, workers=1, device="cpu", progress="none", pause=PAUSE)
    return results(folder)


def test_without_the_executor_ray_is_not_loaded() -> None:
    """Its import takes half a second."""
    code = "import sys, twopart.cli.run, twopart.lab, twopart.studies; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_run_on_a_cluster_has_the_bytes_of_one_with_processes(
    cluster: Any, undisturbed: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    studies.run(CIRCLE, "tiny", tmp_path / "run", executor="ray", device="cpu", progress="plain", pause=PAUSE)
    assert results(tmp_path / "run") == undisturbed
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith("circle: 4/4 cells, 100%")
    assert err.splitlines()[0].startswith("circle: 0/4 cells, 0%")
    assert "node" not in err, "the nodes are alike"


def test_cells_build_on_results_ask_for_room_and_compute_on_one_thread(
    cluster: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    square = Work("square", Square(3))
    works = [
        Work("twice", Twice(Square(3)), after=(square,)),
        Work("assigned", Needs(), cpus=0.5, memory=50e6),
        Work("environment_variable", Asked("POLARS_MAX_THREADS")),
        Work("trouble", Trouble("print")),
    ]
    with lab(tmp_path) as opened:
        first = [frame for *_, frame in opened.run([square, *works])]
        again = [frame for *_, frame in opened.run([square, *works])]
    assert all(a.equals(b) for a, b in zip(first, again, strict=True))
    assert first[1]["square"].item() == 2 * first[0]["square"].item() == 18
    assert first[2].row(0) == (0.5, 50e6)
    assert first[3]["value"].item() == "1"
    assert "trouble print: hello from the cell" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "raises", "message"),
    [
        ("bug", CellError, r"trouble bug failed on node \S+ \(\S+, \w{8}\): ZeroDivisionError: divided by nought"),
        ("input", InputError, r"got 3; double it \(trouble input on node \S+ \(\S+, \w{8}\)\)"),
        ("disk", OSError, r"No space left on device: 'big.bin on node \S+ \(\S+, \w{8}\)'"),
        ("exit", CellError, r"trouble exit failed on node \S+ \(\S+, \w{8}\): its process died 2 times"),
    ],
)
def test_a_failure_names_the_cell_and_its_node_and_keeps_what_was_finished(
    cluster: Any, tmp_path: Path, kind: str, raises: type[Exception], message: str
) -> None:
    works = [Work("square", Square(2), cost=2), Work("trouble", Trouble(kind))]
    with lab(tmp_path, workers=1) as opened, pytest.raises(raises, match=message):
        list(opened.run(works))
    assert len(list(tmp_path.glob("cells/*/metrics.parquet"))) == 1
    assert not list(tmp_path.glob("cells/*/working"))
    with lab(tmp_path) as opened:
        assert next(iter(opened.run(works[:1])))[3]["square"].item() == 4


def test_a_cell_whose_process_died_goes_on_from_the_shared_checkpoint(cluster: Any, tmp_path: Path) -> None:
    works = [Work("count_with_checkpoint", Counted(5, 3))]
    with lab(tmp_path / "run", shared=tmp_path / "shared") as opened:
        assert next(iter(opened.run(works)))[3]["steps_done_here"].item() == 2
    assert [path.name for path in (tmp_path / "shared").iterdir()] == [".lock"]


@pytest.mark.parametrize(
    ("options", "work", "message"),
    [
        ({"device": "cuda"}, {}, "`device` must be cpu, as the cluster has no GPU, got 'cuda'"),
        ({"device": "cuda:1"}, {}, "Ray chooses the GPU"),
        ({"executor": "processes", "address": "auto"}, {}, "`address` must be left out with processes"),
        ({"executor": "dask"}, {}, "`executor` must be one of 'processes', 'ray'"),
        ({"workers": 0}, {}, "`workers` must be >= 1 with ray"),
        (
            {},
            {"gpus": 2},
            "square 1 asks for CPU 1, GPU 2, and no node has that: there is CPU 1, memory .*; ask for less",
        ),
        ({}, {"cpus": 0}, r"`cpus` must be a number in \(0, inf\)"),
        ({}, {"memory": -1.0}, r"`memory` must be a number in \[0, inf\)"),
    ],
)
def test_what_the_cluster_cannot_do_is_refused(
    cluster: Any, tmp_path: Path, options: dict[str, Any], work: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message), lab(tmp_path / "run", **options) as opened:
        list(opened.run([Work("square", Square(1), **work)]))


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:1", r"no Ray cluster at 127\.0\.0\.1:1 \(.*refused\); start one with `ray start --head`, or leave"),
        ("ray://127.0.0.1:1", '`address` must be "auto" or host:port'),
        ("here", '`address` must be "auto" or host:port'),
    ],
)
def test_an_address_where_nobody_is_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str, message: str
) -> None:
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(InputError, match=message):
        lab(tmp_path / "run", address=address)
    assert not (tmp_path / "run").exists()


def test_without_ray_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("twopart.lab.cluster.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"without Ray, got 'ray'; `pip install 'twopart\[cluster\]'`"):
        lab(tmp_path / "run")


def test_memory_is_asked_for_as_a_rehearsal_took_it(cluster: Any, tmp_path: Path) -> None:
    with lab(tmp_path, rehearsal=True) as opened:
        asked = opened._rehearsed(
            list(opened._jobs([Work("square", Square(1)), Work("square", Square(2), memory=1e6)]))
        )
    assert 2e7 < asked[0].work.memory < 1e9
    assert asked[1].work.memory == 1e6


def test_shards_of_a_corpus_are_made_on_the_cluster(
    cluster: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["sample", "--sentences", "1e3", "--shards", "3", "--out", str(tmp_path / "corpus"), "--executor", "ray"]
    assert main(command) == 0
    assert "1000 sentences in 3 shards" in capsys.readouterr().out
    corpus = Sharded(SyntaxKnowledge(0.5), 1000, 3)
    corpus.claim(tmp_path / "here")
    corpus.write(tmp_path / "here", 1)
    name = corpus.name(1)
    assert (tmp_path / "corpus" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


def test_a_node_that_dies_costs_its_unfinished_cells_only(
    cluster: Any, undisturbed: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, shared = tmp_path / "run", tmp_path / "shared"

    def kill() -> None:
        wait_for(lambda: len(list(shared.glob("*/state.json"))) == 2)  # a cell on each node
        raylet = cluster.second.all_processes["raylet"][0].process.pid
        for pid in [raylet, *children_of(raylet)]:  # all at once, as when a machine loses its power
            os.kill(pid, signal.SIGKILL)
        cluster.remove_node(cluster.second, allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    options = {"device": "cpu", "progress": "plain", "pause": PAUSE, "shared": shared}
    studies.run(CIRCLE, "tiny", folder, executor="ray", **options)
    killer.join()
    assert results(folder) == undisturbed
    out, err = capsys.readouterr()
    assert re.search(r"^throw \d: its process on node .* died; it runs again", err, re.MULTILINE)
    assert out == ""


def wait_for(moment: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not moment():
        assert time.monotonic() < deadline, "the moment never came"
        time.sleep(0.01)


def test_ctrl_c_keeps_what_is_finished_and_processes_finish_the_run(
    cluster: Any, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    run = ["run", CIRCLE, "--preset", "tiny", "--pause", str(PAUSE), "--device", "cpu", "--out", str(folder)]
    with subprocess.Popen(
        [sys.executable, "-m", "twopart", *run, "--executor", "ray", "--address", cluster.address],
        cwd=ROOT,
        env={**os.environ, "GIT_DIR": "/nonexistent"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        wait_for(lambda: process.poll() is not None or len(list(folder.glob("cells/*/metrics.parquet"))) >= 1)
        os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to all processes of the group
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, ""), err
    assert "Traceback" not in err
    assert err.splitlines()[-2] == "interrupted; what was finished is kept. To continue:"
    assert err.splitlines()[-1].endswith("--resume")
    assert len(list(folder.glob("cells/*"))) == len(list(folder.glob("cells/*/metrics.parquet"))) < 4
    studies.run(CIRCLE, "tiny", folder, workers=1, device="cpu", progress="none", pause=PAUSE, resume=True)
    assert results(folder) == undisturbed

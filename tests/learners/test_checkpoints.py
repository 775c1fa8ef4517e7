"""Interrupted runs end with the bytes of undisturbed ones; damaged and foreign checkpoints are refused and left alone."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from tests.learners.sources import ragged
from twopart._checks import InputError
from twopart.learners import (
    Batch,
    Cosine,
    TokenStream,
    Trained,
    TrainingConfig,
    TransformerConfig,
    WarmupStableDecay,
    train,
)
from twopart.learners.checkpoints import NAME

SENTENCES = 1000
CONFIG = TrainingConfig(batch=32, learning_rate=5e-3, schedule=Cosine(5), weight_decay=0.1, checkpoint_every=100)
SHAPE = TransformerConfig(20, 6, layers=2, width=16, heads=2)
STREAM = ragged(SENTENCES)


class RunEndedError(Exception):
    """Stands for the end of the process."""


class Interrupting:
    """A stream that ends the run once it is asked for sentence `at`."""

    def __init__(self, stream: TokenStream, at: int) -> None:
        self._stream, self._at = stream, at

    def __len__(self) -> int:
        return len(self._stream)

    def batch(self, start: int, stop: int) -> Batch:
        if start <= self._at < stop and start > 0:
            raise RunEndedError
        return self._stream.batch(start, stop)


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """A disk with room for files of `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("undisturbed")
    run(folder)
    return (folder / NAME).read_bytes()


def run(folder: Path, config: TrainingConfig = CONFIG, stream: TokenStream = STREAM) -> Trained:
    return train(config, SHAPE, stream, seed=3, folder=folder)


def test_a_folder_changes_no_number(tmp_path: Path) -> None:
    with_folder, without = run(tmp_path), train(CONFIG, SHAPE, STREAM, seed=3)
    assert with_folder.lengths.total.tobytes() == without.lengths.total.tobytes()


@pytest.mark.parametrize("at", [40, 130, 224, 500, 990])
def test_an_interrupted_run_ends_with_the_same_bytes(at: int, undisturbed: bytes, tmp_path: Path) -> None:
    with pytest.raises(RunEndedError):
        run(tmp_path, stream=Interrupting(STREAM, at))
    assert (tmp_path / NAME).exists() == (at >= 130)
    run(tmp_path)
    assert (tmp_path / NAME).read_bytes() == undisturbed


def test_a_run_interrupted_again_and_again_ends_with_the_same_bytes(undisturbed: bytes, tmp_path: Path) -> None:
    for at in (300, 310, 400, 700):
        with pytest.raises(RunEndedError):
            run(tmp_path, stream=Interrupting(STREAM, at))
    run(tmp_path)
    assert (tmp_path / NAME).read_bytes() == undisturbed


def test_resuming_really_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with pytest.raises(RunEndedError):
        run(tmp_path, stream=Interrupting(STREAM, 500))
    asked: list[int] = []

    class Listening(Interrupting):
        def batch(self, start: int, stop: int) -> Batch:
            asked.append(start)
            return self._stream.batch(start, stop)

    run(tmp_path, stream=Listening(STREAM, -1))
    assert asked[0] == 0  # the first batch, by which the stream is known
    assert asked[1:] == list(range(416, 1000, 32))


def test_a_finished_run_is_read_back(tmp_path: Path) -> None:
    first = run(tmp_path)
    again = run(tmp_path, stream=Interrupting(STREAM, 32))
    assert again.lengths.total.tobytes() == first.lengths.total.tobytes()
    assert all(torch.equal(a, b) for a, b in zip(first.model.parameters(), again.model.parameters(), strict=True))


def test_where_checkpoints_fall_changes_nothing(undisturbed: bytes, tmp_path: Path) -> None:
    run(tmp_path, replace(CONFIG, checkpoint_every=0))
    assert (tmp_path / NAME).read_bytes() == undisturbed


@pytest.mark.slow
def test_a_killed_process_ends_with_the_same_bytes(
    undisturbed: bytes, tmp_path: Path, size: Callable[[Any, Any], Any]
) -> None:
    """Processes killed at whatever they are doing, checkpoints being written after every update."""
    script = (
        "from pathlib import Path; import sys, torch; torch.set_num_threads(1)\n"
        "from dataclasses import replace; from tests.learners.test_checkpoints import CONFIG, run\n"
        "print('started', flush=True); run(Path(sys.argv[1]), replace(CONFIG, checkpoint_every=1))"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    kills = 0
    for delay in size((0.05, 0.15), (0.02, 0.05, 0.1, 0.15, 0.2)):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
        kills += process.returncode == -signal.SIGKILL
    assert kills > 0
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert (tmp_path / NAME).read_bytes() == undisturbed
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_a_full_disk_leaves_the_last_checkpoint(undisturbed: bytes, tmp_path: Path) -> None:
    with pytest.raises(RunEndedError):
        run(tmp_path, stream=Interrupting(STREAM, 300))
    before = (tmp_path / NAME).read_bytes()
    with files_no_larger_than(len(before) + 100), pytest.raises(OSError, match="File too large"):
        run(tmp_path)
    assert (tmp_path / NAME).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    run(tmp_path)
    assert (tmp_path / NAME).read_bytes() == undisturbed


@pytest.mark.parametrize("keep", [0, 4, 200, 5000, -1])
def test_a_truncated_checkpoint_is_refused_and_kept(keep: int, undisturbed: bytes, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(undisturbed[:keep])
    with pytest.raises(InputError, match=rf"{NAME} is damaged .* delete it to train from the start"):
        run(tmp_path)
    assert (tmp_path / NAME).read_bytes() == undisturbed[:keep]


def test_a_changed_byte_is_noticed(undisturbed: bytes, tmp_path: Path) -> None:
    for position in (-1, -5000):
        damaged = bytearray(undisturbed)
        damaged[position] ^= 1
        (tmp_path / NAME).write_bytes(damaged)
        with pytest.raises(InputError, match="digest does not match"):
            run(tmp_path)


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(InputError, match="not a safetensors file"):
        run(tmp_path)
    save_file({"weight": torch.zeros(3)}, tmp_path / NAME)
    with pytest.raises(InputError, match="is not a checkpoint of this version"):
        run(tmp_path)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"learning_rate": 1e-3}, "learning_rate: 0.005 there, 0.001 here"),
        ({"schedule": WarmupStableDecay(5)}, "schedule"),
        ({"batch": 64}, "batch: 32 there, 64 here"),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused(
    changes: dict, named: str, undisturbed: bytes, tmp_path: Path
) -> None:
    (tmp_path / NAME).write_bytes(undisturbed)
    with pytest.raises(InputError, match=rf"belongs to another run .*{named}"):
        run(tmp_path, replace(CONFIG, **changes))
    assert (tmp_path / NAME).read_bytes() == undisturbed


def test_a_checkpoint_of_another_run_is_refused(undisturbed: bytes, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(undisturbed)
    with pytest.raises(InputError, match="seed: 3 there, 4 here"):
        train(CONFIG, SHAPE, STREAM, seed=4, folder=tmp_path)
    with pytest.raises(InputError, match="width: 16 there, 32 here"):
        train(CONFIG, replace(SHAPE, width=32), STREAM, seed=3, folder=tmp_path)
    with pytest.raises(InputError, match="first batch"):
        run(tmp_path, stream=ragged(SENTENCES, seed=1))
    with pytest.raises(InputError, match="sentences: 1000 there, 999 here"):
        run(tmp_path, stream=ragged(999))


def test_nothing_but_tensors_and_text_is_stored(undisturbed: bytes, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(undisturbed)
    with safe_open(tmp_path / NAME, framework="pt") as file:
        header = json.loads(file.metadata()["twopart-training-1"])
        names = set(file.keys())
    assert header["run"]["seed"] == "3"
    assert header["done"] == SENTENCES
    assert {name.split(".")[0] for name in names} == {"weight", "exp_avg", "exp_avg_sq", "lengths"}

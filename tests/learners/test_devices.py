"""Two processes, started by torchrun, train as one does: the same code lengths in float tolerance, checkpoints for either."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.learners.sources import ragged
from tests.learners.test_checkpoints import Interrupting, RunEndedError
from twopart.learners import LoRA, TokenStream, Trained, TrainingConfig, TransformerConfig, WarmupStableDecay, train
from twopart.learners.checkpoints import NAME
from twopart.learners.devices import from_first, share

SENTENCES = 801
RAGGED = ragged(SENTENCES)
SHAPE = TransformerConfig(20, 6, layers=2, width=16, heads=2)
BATCHES = (32, 25, 800)
"""Even shares, uneven ones, and a last batch of one sentence: the second process has none."""
TOLERANCE = 2e-3  # bits of one sentence: sums are in another order, and updates carry that on

pytestmark = pytest.mark.slow


def config(batch: int) -> TrainingConfig:
    return TrainingConfig(
        batch, 5e-3, WarmupStableDecay(3, 0.3), weight_decay=0.1, device="cpu", compile="off", checkpoint_every=100
    )


def learn(batch: int, *, folder: Path | None = None, adapted: bool = False, stream: TokenStream = RAGGED) -> Trained:
    return train(config(batch), SHAPE, stream, seed=3, folder=folder, adapters=LoRA(rank=2) if adapted else None)


def total(trained: Trained) -> NDArray[np.float64]:
    """Bits of each sentence, and at the end the weights: (N + weights)."""
    weights = [weight.detach().numpy().ravel() for weight in trained.model.parameters()]
    return np.concatenate([trained.lengths.total, *weights])


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, NDArray[np.float64]]]:
    """What two processes have found, and the folder in which they did."""
    folder = tmp_path_factory.mktemp("two")
    with pytest.raises(RunEndedError):
        learn(32, folder=folder / "from one", stream=Interrupting(RAGGED, 500))
    train(config(32), SHAPE, RAGGED, seed=4, folder=folder / "foreign")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, "-m", "tests.learners.on_two_processes", str(folder)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with np.load(folder / "found.npz") as found:
        return folder, dict(found)


Found = tuple[Path, dict[str, Any]]


@pytest.mark.parametrize("batch", BATCHES)
def test_two_processes_pay_and_learn_what_one_does(two: Found, batch: int) -> None:
    np.testing.assert_allclose(two[1][f"batch {batch}"], total(learn(batch)), rtol=0, atol=TOLERANCE)


def test_adapters_are_learned_alike(two: Found) -> None:
    np.testing.assert_allclose(two[1]["adapted"], total(learn(32, adapted=True)), rtol=0, atol=TOLERANCE)


def test_a_checkpoint_of_one_process_is_gone_on_from_by_two(two: Found) -> None:
    np.testing.assert_allclose(two[1]["resumed from one"], total(learn(32)), rtol=0, atol=TOLERANCE)


def test_a_checkpoint_of_two_processes_is_gone_on_from_by_one(two: Found) -> None:
    asked: list[int] = []

    class Listening(Interrupting):
        def batch(self, start: int, stop: int) -> Any:
            asked.append(start)
            return self._stream.batch(start, stop)

    assert (two[0] / "from two" / NAME).exists()
    resumed = learn(32, folder=two[0] / "from two", stream=Listening(RAGGED, -1))
    assert asked[1] == 416, "after the last checkpoint before sentence 500"
    np.testing.assert_allclose(total(resumed), total(learn(32)), rtol=0, atol=TOLERANCE)


def test_alone_a_process_takes_the_whole_batch_and_tells_itself() -> None:
    assert share(32, 64) == slice(32, 64)
    assert from_first(lambda: 3) == 3

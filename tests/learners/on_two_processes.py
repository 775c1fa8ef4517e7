"""What torchrun runs for the tests: trainings of `test_devices.py`, shared by all processes; the first keeps what comes out.

usage: torchrun --nproc-per-node 2 -m tests.learners.on_two_processes FOLDER
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
from torch import distributed

from tests.learners.test_checkpoints import RunEndedError
from tests.learners.test_devices import BATCHES, RAGGED, learn, total
from twopart._checks import InputError
from twopart.learners import Batch, together


class Ending:
    """The stream, which ends the run in both processes when they come to sentence 480."""

    def __len__(self) -> int:
        return len(RAGGED)

    def batch(self, start: int, stop: int) -> Batch:
        if start >= 480:
            raise RunEndedError
        return RAGGED.batch(start, stop)


def main(folder: Path) -> None:
    with together():
        found = {f"batch {batch}": total(learn(batch)) for batch in BATCHES}
        found["adapted"] = total(learn(32, adapted=True))
        found["resumed from one"] = total(learn(32, folder=folder / "from one"))
        with suppress(RunEndedError):
            learn(32, folder=folder / "from two", stream=Ending())
        try:
            learn(32, folder=folder / "foreign")
        except InputError as error:
            refused = str(error)
        first = distributed.get_rank() == 0
        assert "belongs to another run" in refused, "in every process"
        if first:
            np.savez(folder / "found.npz", **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    os._exit(0)  # torch's Gloo aborts some one in thirty processes while they end, when all is done

"""Tasks of kernels in threads."""

import os
import threading

import pytest

from twopart._threads import at_once, available_cores, cores


def test_tasks_run_at_once_and_their_errors_come_back() -> None:
    together = threading.Barrier(2, timeout=60)
    at_once([together.wait, together.wait])  # neither would return alone
    with pytest.raises(ZeroDivisionError):
        at_once([lambda: None, lambda: 1 // 0])


@pytest.mark.parametrize(("told", "found"), [("1", 1), ("3,2", 3), ("", None), ("0", None), ("many", None)])
def test_the_number_of_threads_is_that_of_openmp(told: str, found: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    assert cores() == (found or available_cores())
    assert available_cores() <= (os.cpu_count() or 1)

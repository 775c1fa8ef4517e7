"""How large the tests are, which come first, and what the dearest of them took."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Each worker has one core: torch on more threads would wait for cores that another worker has.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

# No test may fail because the machine is busy.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="the tests at the sizes that results are published with")


@pytest.fixture(scope="session")
def size(pytestconfig: pytest.Config) -> Callable[[Any, Any], Any]:
    """`size(usual, long)`: how much to simulate, in `make test` and in `make long`."""
    chosen = 1 if pytestconfig.getoption("--long") else 0
    return lambda usual, long: (usual, long)[chosen]


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A worker takes a whole file, or a whole study, at a time: those with a slow test first, so that workers end together."""
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    slow = {_group(item) for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: _group(item) not in slow)


@pytest.hookimpl(tryfirst=True)  # before the fixtures of a module are made
def pytest_runtest_setup() -> None:
    """No test hangs on which others ran before: torch's own stream begins anew with each."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


def _group(item: pytest.Item) -> str:
    marker = item.get_closest_marker("xdist_group")
    return str(marker.args[0]) if marker else ""


# What tests take, in seconds of CPU: a worker adds to each report what passed since the last, and who prints adds them up.

_last = 0.0
_by_test: Counter[str] = Counter()
_by_file: Counter[str] = Counter()
_by_worker: Counter[str] = Counter()
_ended: dict[str, float] = {}


def _spent() -> float:
    """CPU seconds of this process, all its threads, and those of its children that have ended."""
    return sum(os.times()[:4])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logstart() -> None:
    global _last
    _last = _spent()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    global _last
    report: Any = yield
    now = _spent()
    report.user_properties.append(("cpu", now - _last))
    _last = now
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    cpu = dict(report.user_properties).get("cpu", 0.0)
    worker = getattr(report, "worker_id", "here")
    _by_test[report.nodeid] += cpu
    _by_file[report.nodeid.partition("::")[0]] += cpu
    _by_worker[worker] += cpu
    _ended[worker] = max(_ended.get(worker, 0.0), report.stop)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    asked = terminalreporter.config.getoption("durations")  # 0: all
    shown = 12 if asked is None else asked or None
    total = sum(_by_file.values())
    if total < 10:
        return
    terminalreporter.section(f"CPU seconds: {total:.0f} in {len(_by_file)} files, the dearest first")
    for what in (_by_file, _by_test):
        for name, cpu in what.most_common(shown):
            terminalreporter.line(f"{cpu:7.1f}  {name}")
        terminalreporter.line("")
    first = min(_ended.values())
    for worker, end in sorted(_ended.items()):
        terminalreporter.line(f"{_by_worker[worker]:7.1f}  {worker}, ended {end - first:.0f} s after the first")

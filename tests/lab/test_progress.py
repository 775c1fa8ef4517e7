"""The display: what the numbers say, and that each style says it."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from tests.lab.cells import Square
from twopart.lab.cell import Job
from twopart.lab.progress import Bars, Lines, Tally, duration
from twopart.lab.work import Work

SMALL, LARGE = (Job("s", "m", Work("cell", Square(i), cost=float(i)), 0, 0, Path("cells")) for i in (1, 3))


def test_the_whole_moves_by_cost() -> None:
    tally = Tally([SMALL, LARGE], stored=2)
    assert str(tally).startswith("2/4 cells, 0%")
    tally.move(SMALL, 0.0)
    tally.move(LARGE, 0.5)
    assert tally.part == pytest.approx(1.5 / 4)
    tally.finish(SMALL)
    assert tally.part == pytest.approx(2.5 / 4)
    assert str(tally).startswith("3/4 cells, 1 running, 62%")
    tally.finish(LARGE)
    assert str(tally).startswith("4/4 cells, 100%")


def test_time_left_is_told_once_there_is_something_to_go_by(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    tally = Tally([SMALL, LARGE], stored=0)
    tally.move(LARGE, 1 / 3)
    now = 160.0
    assert str(tally) == "0/2 cells, 1 running, 25%, 1 min 0 s, about 3 min 0 s left"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_durations_read_well(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_lines_are_few(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with Lines("train", Tally([SMALL], stored=0)) as display:
        display.started(SMALL)
        for second in range(25):
            now = float(second)
            display.moved(SMALL, second / 25, "")
            display.tick()
        display.finished(SMALL)
    said = capsys.readouterr().err.splitlines()
    assert [line.split(", ")[-2:] for line in said] == [
        ["0%", "0 s"],
        ["10 s", "about 15 s left"],
        ["20 s", "about 5 s left"],
        ["100%", "24 s"],
    ]


def test_bars_show_the_whole_and_the_running_cells() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    with Bars("train", Tally([SMALL, LARGE], stored=0), console) as display:
        display.started(LARGE)
        display.moved(LARGE, 0.5, "loss 1.25")
        display.tick()
        display.say("a [bold] warning")
        display.started(SMALL)
        display.finished(LARGE)
    shown = screen.getvalue()
    assert "cell 3" in shown
    assert "a [bold] warning" in shown
    last = shown.rsplit("train", 1)[1]
    assert "1/2 cells, 1 running, 75%" in last
    assert "cell 1" in last
    assert "cell 3" not in last

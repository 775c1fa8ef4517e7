"""The command line: `main` finds the command, runs it, and turns what went wrong into an exit code and one line.

    run.py       twopart run STUDY...     with run_table.py, what it prints
    studies.py   twopart studies
    sample.py    twopart sample
    compress.py, decompress.py   twopart compress FILE, twopart decompress FILE
    measure.py   twopart measure TEXT...   with measure_table.py, what it prints
    fit.py, plan.py  twopart fit RUNS, twopart plan LAW   with page.py, where their reports go, and plan_page.py
    probe.py     twopart probe MODEL
    report.py    twopart report FOLDER
    parsing.py   arguments from dataclasses;  faults.py  which errors are the user's to mend

Exit codes: 0 done; 1 the run finished and a claim fails; 2 bad input; 70 a fault of twopart (with a traceback);
130 interrupted; 141 the reader of the output has gone away, as `head` does; 143, 129 told to end (SIGTERM, SIGHUP).
"""

from __future__ import annotations

import codecs
import difflib
import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version

from twopart._checks import InputError
from twopart.cli.faults import one_line

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("run studies: predict, measure, judge, write a report", "twopart run data-law --preset tiny"),
    "studies": ("list the studies and what each asks", "twopart studies"),
    "sample": ("write a corpus with a known truth", "twopart sample --sentences 100000 --discount 0.5 --show 3"),
    "compress": ("code a file, and say where its bits go", "twopart compress book.txt --method fast"),
    "decompress": ("restore a coded file, exactly", "twopart decompress book.txt.tpz --out restored.txt"),
    "measure": ("measure real text, and what the theory predicts for it", "twopart measure books/ --out runs/books"),
    "fit": ("fit a scaling law to a table of training runs", "twopart fit runs.csv --out runs/fit"),
    "plan": ("what to train, or what a model will know", "twopart plan runs/fit/law.json --flops 1e24"),
    "probe": ("which facts a language model knows", "twopart probe models/mine --facts cities --out runs/probe"),
    "report": ("write the page of a finished run again", "twopart report runs/data-law"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    _print_any_name()
    try:
        with _ending():
            code = _dispatch(list(sys.argv[1:] if arguments is None else arguments))
        print(end="", flush=True)
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        _drop_output()
        return 128 + signal.SIGPIPE
    except SystemExit as stop:  # --help of a command
        return int(stop.code or 0)
    except KeyboardInterrupt:
        print("twopart: interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        line = one_line(error)
        if line is None:
            traceback.print_exc()
            return 70
        _drop_output()
        print(f"twopart: {line}", file=sys.stderr)
        return 2
    return code


def _print_any_name() -> None:
    """Let names that are no UTF-8 pass as the bytes that they are, and write escapes for what a terminal has no letter for."""

    def escape(error: UnicodeError) -> tuple[str | bytes, int]:
        if not isinstance(error, UnicodeEncodeError):
            return codecs.backslashreplace_errors(error)
        letter = error.object[error.start]
        if "\udc80" <= letter <= "\udcff":
            return bytes([ord(letter) - 0xDC00]), error.start + 1
        return ascii(letter)[1:-1], error.start + 1

    codecs.register_error("twopart names", escape)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="twopart names")


@contextmanager
def _ending() -> Iterator[None]:
    """Let the signals that end a program be exits, so that what is half-written is removed; whoever ignores one still does."""

    def leave(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    default = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) is signal.SIG_DFL]
    mine = default if threading.current_thread() is threading.main_thread() else []
    for one in mine:
        signal.signal(one, leave)
    try:
        yield
    finally:
        for one in mine:
            signal.signal(one, signal.SIG_DFL)


def _drop_output() -> None:
    """Forget what standard output does not take, so that Python does not try again at its end."""
    try:
        print(end="", flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview())
        return 0
    command, *rest = arguments
    if command == "--version":
        print(f"twopart {version('twopart')}")
        return 0
    if command not in COMMANDS:
        close = difflib.get_close_matches(command, COMMANDS, n=1)
        remedy = f"did you mean `{close[0]}`?" if close else f"there is {', '.join(COMMANDS)}; see `twopart --help`"
        raise InputError(f"there is no command {command!r}; {remedy}")
    return int(import_module(f"twopart.cli.{command}").main(rest))


def _overview() -> str:
    width = max(map(len, COMMANDS))
    commands = "\n".join(
        f"  {name:{width}}  {what}\n  {'':{width}}    {example}" for name, (what, example) in COMMANDS.items()
    )
    return f"""twopart: a laboratory for the laws of learning

A study predicts with a theory, measures with a learner that it trains here, and judges its claims.

usage: twopart COMMAND [options]

commands, each with an example:
{commands}

twopart COMMAND --help   explains a command
twopart --version        prints the version

exit codes: 0 done; 1 the run finished and a claim fails; 2 bad input; 130 interrupted"""

"""Tables with one thing changed, thousands of them: an answer or one line, never a traceback, never a silent factor."""

import csv
import io

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.cli.faults import one_line
from twopart.tools.fit import read_runs

SIZES = (70e6, 146.4e6, 306.1e6, 640.2e6, 1339e6, 2800e6)
DATA = (2e9, 5.024e9, 12.62e9, 31.7e9, 200e9)
RUNS = [(n, d, round(1.8 + 300 / n**0.33 + 1500 / d**0.36, 4)) for d in DATA for n in SIZES]


def _text(header, separator, cells, end="\n"):
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=separator, lineterminator=end)
    writer.writerow(header)
    writer.writerows(map(cells, RUNS))
    return stream.getvalue()


def _german(number, places):
    return f"{number:,.{places}f}".translate(str.maketrans(",.", ".,"))


BASES = {
    "plain": _text(["params", "tokens", "loss"], ",", lambda run: run),
    "compute": _text(["params", "tokens", "flops", "loss"], ",", lambda run: (*run[:2], f"{6 * run[0] * run[1]:.4g}", run[2])),
    "units": _text(["Params (M)", "Tokens [B]", "loss (nats)"], ";", lambda run: (run[0] / 1e6, run[1] / 1e9, run[2])),
    "cells": _text(["N", "D", "L"], "\t", lambda run: (f"{run[0] / 1e6:g}M", f"{run[1] / 1e9:g} B tokens", run[2]), "\r\n"),
    "german": _text(["params", "tokens", "loss"], ";", lambda run: [*map(_german, run, (0, 0, 4))], "\r\n"),
    "grouped": _text(["params", "tokens", "loss"], ",", lambda run: (f"{run[0]:,.0f}", f"{run[1]:,.0f}", run[2])),
    "bar": _text(["", "params", "tokens", "val_loss", ""], "|", lambda run: ("", *run, "")),
}  # fmt: skip
INSERTED = [
    *",;\t|.'\"#-+_ \n\r\0()[]{}%$€=eEMBKTx×^0123456789/\\",
    "\u00a0",
    "\u202f",
    "\ufeff",
    "é",
    "∞",
    "log10 ",
    "(M)",
    "10^6",
    "M",
    "bits",
]
INSERTED += [
    "1e9",
    "#N/A",
    "<NA>",
    "NaN",
    "inf",
    "-1",
    "sep=;\n",
    "# x\n",
    "Title\n",
    '""',
    "{",
    "[",
    " million",
    ",,",
    ";;",
    "GPU-hours",
]


ROLES = ("params: ", "tokens: ", "flops: ", "flops is", "loss: ")


def mutated(text, random):
    """One thing changed, and the lines that it touches, from 1; None for all."""
    lines = text.splitlines(keepends=True)
    row = int(random.integers(len(lines)))
    place = int(random.integers(len(text)))
    at = text.count("\n", 0, place) + 1
    what = INSERTED[random.integers(len(INSERTED))]
    match random.integers(9):
        case 0:
            return text[:place] + what + text[place:], {at}
        case 1:
            length = int(random.integers(1, 6))
            return text[:place] + text[place + length :], {at, at + 1}
        case 2:
            return text[:place] + what + text[place + 1 :], {at, at + 1}
        case 3:
            return "".join([*lines[:row], *lines[row + 1 :]]), None
        case 4:
            return "".join([*lines[: row + 1], lines[int(random.integers(len(lines)))], *lines[row + 1 :]]), None
        case 5:
            return text[:place], {at}
        case 6:
            old = text[place]  # every such mark: another separator, another decimal
            what = " " if any(map(str.isalnum, what)) else what
            return text.replace(old, what) if old.isascii() and not old.isalnum() else text.replace(
                old, old + what, 1
            ), None
        case 7:
            return "".join(line.rstrip("\r\n") + what.strip("\n") + "\n" for line in lines), None
        case _:
            return what + text, None


def test_there_is_an_answer_or_one_line(tmp_path, size):
    random = np.random.default_rng(15)
    path = tmp_path / "runs.csv"
    answers, usual = 0, {}
    for name, text in BASES.items():
        path.write_text(text, newline="")
        usual[name] = read_runs(path).notes
    for case in range(size(300, 2000)):
        name = list(BASES)[case % len(BASES)]
        text, touched = mutated(BASES[name], random)
        path.write_bytes(
            text.encode(["utf-8", "utf-16", "cp1252"][int(random.choice(3, p=[0.9, 0.05, 0.05]))], "replace")
        )
        try:
            table = read_runs(path)
        except InputError as error:
            line = one_line(error)
            assert str(path) in line, (name, text)
            assert len(line) < 600, (name, text)
            continue
        answers += 1
        assert all(np.all(np.isfinite(values) & (values > 0)) for values in table.columns.values()), (name, text)
        assert _told(table, usual[name]) or not _off(table, touched), (name, text, table.notes, _off(table, touched))
    assert answers > case / 10, "the reader is no wall"


def _told(table, usual):
    """Whether anything is said about the numbers that is not said of the table itself."""
    return any(note.startswith(ROLES) and "guessed" not in note for note in set(table.notes) - set(usual))


def _off(table, touched):
    """Rows that differ from every run by more than a per cent, where nothing touched them."""
    truth = np.log(np.array(RUNS))
    read = np.log(np.stack([table.columns[name] for name in ("params", "tokens", "loss")], 1))
    nearest = np.abs(read[:, None] - truth[None]).max(2).min(1)
    far = [name for name, distance in zip(table.names, nearest, strict=True) if distance > 0.02]
    lines = {int(name.split()[-1]) if name.startswith("line ") else 0 for name in far}
    if touched is None:
        return lines if len(lines) > 2 else set()
    return {line for line in lines if not {line - 1, line, line + 1} & touched} if lines else set()


@pytest.mark.parametrize("name", BASES)
def test_the_tables_themselves_are_read(tmp_path, name):
    path = tmp_path / "runs.csv"
    path.write_text(BASES[name], newline="")
    table = read_runs(path)
    assert len(table) == len(RUNS)
    assert not _off(table, set())

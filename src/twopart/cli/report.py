"""`twopart report FOLDER`: the page of a finished run, written again from what is in its folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from twopart._checks import InputError
from twopart._files import check_folder
from twopart.cli.parsing import parse
from twopart.lab.folder import lock_folder, read_json


@dataclass(frozen=True)
class Options:
    """Write the page and the pictures of a finished run again, from its claims, tables and figures.

    Example: twopart report runs/data-law
    """

    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FOLDER")]
    """The run folder."""


def main(arguments: Sequence[str]) -> int:
    folder = parse(Options, arguments, "twopart report", Options.__doc__ or "").folder
    check_folder(folder, "name one that `twopart run` wrote")
    if not (folder / "config.json").is_file():
        raise InputError(
            f"{folder} is not a run folder: there is no config.json in it; name one that `twopart run` wrote"
        )
    from twopart.report import read_findings, write_report

    lock = lock_folder(folder)
    try:
        config, environment = read_json(folder / "config.json"), read_json(folder / "environment.json")
        page = write_report(read_findings(folder), folder, config=config, environment=environment)
    finally:
        os.close(lock)
    print(f"report: {page}")
    return 0

"""Arguments from dataclasses: each field an option, its doc string the help. Errors come out as `InputError`, on one line.

tyro prints an error as a box of several lines and exits; here the box is caught and its first message taken out.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from contextlib import redirect_stderr
from typing import Annotated, TypeVar

import tyro
from tyro.constructors import PrimitiveConstructorSpec

from twopart._checks import InputError

T = TypeVar("T")

Workers = Annotated[
    int | None,
    tyro.conf.DisallowNone,
    tyro.conf.arg(metavar="N", help_behavior_hint="(default: one for each core)"),
]
Address = Annotated[
    str | None,
    tyro.conf.DisallowNone,
    tyro.conf.arg(metavar="HOST:PORT", help_behavior_hint="(default: Ray on this machine alone)"),
]


def _whole(words: list[str]) -> int:
    """10000000000 and 1e10 alike."""
    try:
        return int(words[0])
    except ValueError:
        value = float(words[0])
    if not value.is_integer():
        raise ValueError(f"{words[0]} is not a whole number")
    return int(value)


whole_number: PrimitiveConstructorSpec[int] = PrimitiveConstructorSpec(
    nargs=1,
    metavar="INT",
    instance_from_str=_whole,
    is_instance=lambda value: isinstance(value, int),
    str_from_instance=lambda value: [str(value)],
)
"""Marks a field whose number may be written with an exponent."""


def parse(kind: type[T], arguments: Sequence[str], command: str, description: str, default: T | None = None) -> T:
    """A `kind` filled from `arguments`; `--help` prints and leaves through `SystemExit(0)`."""
    markers = (tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff)
    box = io.StringIO()
    try:
        with redirect_stderr(box):
            if default is None:
                return tyro.cli(kind, prog=command, description=description, args=arguments, config=markers)
            return tyro.cli(
                kind, prog=command, description=description, args=arguments, config=markers, default=default
            )
    except SystemExit as stop:
        if not stop.code:
            raise
        raise _check_at_birth(stop) or InputError(f"{_message(box.getvalue())}; see `{command} --help`") from None


def _check_at_birth(error: BaseException | None) -> InputError | None:
    """The `InputError` behind tyro's exit, if a dataclass refused its values."""
    while error is not None and not isinstance(error, InputError):
        error = error.__context__
    return error


def _message(box: str) -> str:
    """The message in tyro's box, drawn with lines or in ASCII, and the first of the options that it suggests."""
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip("│| ") for line in box.splitlines()[1:-1]]
    sections = [" ".join(part.split()) for part in re.split(r"(?:─|-){8,}", "\n".join(lines)) if part.strip()]
    message = re.sub(r"^Error parsing ", "", sections[0]).rstrip(".")
    suggested = re.search(r"--[\w-]+", sections[1]) if len(sections) > 1 and "meant" in sections[1] else None
    return f"{message}; did you mean {suggested[0]}?" if suggested else message

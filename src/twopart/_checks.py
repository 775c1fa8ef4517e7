"""Checks of arguments at birth: every message says what is wrong, the value, the bound and the remedy."""

from __future__ import annotations

import math
import numbers
from typing import Any


class InputError(ValueError):
    """The caller's input is at fault, not the program: the command line prints it on one line and exits with 2."""


def check(ok: bool, name: str, value: object, bound: str, remedy: str) -> None:
    """Raise `InputError` "`name` must be <bound>, got <value>; <remedy>" unless `ok`."""
    if not ok:
        lines = [line.strip() for line in repr(value).splitlines()]  # an array has several, an error is one
        shown = lines[0] if len(lines) == 1 else f"{' '.join(lines)[:120]} ..."
        raise InputError(f"`{name}` must be {bound}, got {shown}; {remedy}")


def check_real(name: str, value: Any, low: float, high: float, remedy: str, *, closed: str = "[]") -> float:
    """`value` as a float inside the interval from `low` to `high`; `closed` draws its ends, as in "[)"."""
    bound = f"a number in {closed[0]}{low:g}, {high:g}{closed[1]}"
    real = isinstance(value, numbers.Real) and not isinstance(value, bool) and not math.isnan(value)
    above = real and (value >= low if closed[0] == "[" else value > low)
    below = real and (value <= high if closed[1] == "]" else value < high)
    check(bool(above and below), name, value, bound, remedy)
    return float(value)


def check_integer(name: str, value: Any, low: int, high: int | None, remedy: str) -> int:
    """`value` as an int in [low, high]; `high=None` leaves the upper end open. NumPy integers count, bools do not."""
    bound = f"a whole number >= {low}" if high is None else f"a whole number in [{low}, {high}]"
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    check(bool(whole and value >= low and (high is None or value <= high)), name, value, bound, remedy)
    return int(value)


def check_sizes(**sizes: Any) -> None:
    """Each is a whole number of at least one."""
    for name, value in sizes.items():
        check_integer(name, value, 1, None, "it is a size")


def check_function(name: str, value: Any, of: str) -> None:
    """Something that can be called with what it is a function of."""
    check(callable(value), name, value, f"a function of {of}", "give a function, a method or a module")


def check_choice(name: str, value: Any, choices: tuple[str, ...], remedy: str = "choose one of them") -> str:
    """`value` if it is one of `choices`."""
    check(value in choices, name, value, "one of " + ", ".join(map(repr, choices)), remedy)
    return str(value)

"""Settings: frozen records whose fields carry their default, their bound and their meaning, and are checked at birth.

    @settings
    class Config:
        samples: Annotated[int, at_least(100), "Samples, each read once."] = 10_000
        step: Annotated[float, between(0, 0.5, "(]"), "Step size."] = 0.05

    Config(samples=5)   # InputError: `samples` must be a whole number >= 100, got 5; the default is 10000

A bound is one fact with four uses: the check, the words of its error, the line that `--help` prints, and the values that a
test tries in vain (`bad_values`). What one field's bound cannot say stands in `__post_init__`, which runs after all bounds.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass, replace
from inspect import get_annotations
from itertools import pairwise
from operator import attrgetter
from typing import Annotated, Any, TypeVar, dataclass_transform, get_args, get_origin, get_type_hints

from typing_extensions import Doc

from twopart._checks import InputError, check

T = TypeVar("T")


@dataclass(frozen=True)
class Bound:
    """What the value of a field must be."""

    words: str
    """As in "must be <words>"; {one} and {many} stand for the kind of value: a whole number, whole numbers."""
    accepts: Callable[[Any, Any], bool]
    """Whether a value may stand in a record, (value, record) -> bool; the record is there for bounds that name other fields."""
    refused: Callable[[Any, Any], tuple[Any, ...]]
    """Values just outside, for tests: (value, record) -> values, made from a value and a record that are in order."""
    remedy: str = ""

    def because(self, remedy: str) -> Bound:
        """The same with a remedy of its own; without one the error names the default."""
        return replace(self, remedy=remedy)


def at_least(low: float) -> Bound:
    """A number >= low."""
    return Bound(f"{{one}} >= {_digits(low)}", lambda v, _: v >= low, lambda v, _: (low - 1,))


def between(low: float, high: float, closed: str = "[]") -> Bound:
    """A number from low to high; `closed` draws the ends, as in "[)"."""
    opens, closes = closed[0] == "(", closed[1] == ")"

    def accepts(v: Any, _: Any) -> bool:
        return bool((v > low if opens else v >= low) and (v < high if closes else v <= high))

    ends = (low if opens else low - 1, high if closes else high + 1)
    return Bound(f"{{one}} in {closed[0]}{_digits(low)}, {_digits(high)}{closed[1]}", accepts, lambda v, _: ends)


def multiple_of(number: int) -> Bound:
    """A whole number that `number` divides."""
    return Bound(f"{{one}} divisible by {number}", lambda v, _: v % number == 0, lambda v, _: (v + 1,))


def one_of(*choices: Any) -> Bound:
    """One of these values."""
    words = "one of " + ", ".join(map(repr, choices))
    return Bound(words, lambda v, _: v in choices, lambda v, _: ("none-of-them",) if isinstance(v, str) else (-1,))


def distinct(count: int) -> Bound:
    """A tuple of at least `count` values, no two alike."""
    return _several(count, "distinct", lambda v: len(set(v)) == len(v))


def rising(count: int) -> Bound:
    """A tuple of at least `count` values, each above the one before."""
    return _several(count, "rising", lambda v: all(a < b for a, b in pairwise(v)))


def every(bound: Bound) -> Bound:
    """A tuple whose values all keep to `bound`."""
    return Bound(
        "{many}, each " + bound.words.replace("{one} ", ""),
        lambda v, record: all(bound.accepts(part, record) for part in v),
        lambda v, record: tuple((bad, *v[1:]) for bad in bound.refused(v[0], record)) if v else (),
        bound.remedy,
    )


def among(field: str) -> Bound:
    """One of the values of another field, a tuple."""
    return Bound(
        f"one of `{field}`",
        lambda v, record: v in getattr(record, field),
        lambda v, record: (max(getattr(record, field)) + 1,),
        f"add it to `{field}`",
    )


def no_less_than(field: str, times: float = 1) -> Bound:
    """A number at least as large as another field's, or so many times as large; "training.batch" is a field of a record."""
    other, name = attrgetter(field), field.rpartition(".")[2]
    words = f"{{one}} >= {times:g} times `{name}`" if times != 1 else f"{{one}} >= `{name}`"

    def refused(value: Any, record: Any) -> tuple[Any, ...]:
        return (type(value)(times * other(record) - 1),)

    return Bound(words, lambda v, record: v >= times * other(record), refused)


def both(*bounds: Bound) -> Bound:
    """Everything that these say."""
    first, *rest = bounds
    return Bound(
        " and ".join([first.words, *(bound.words.replace("{one}", "").strip() for bound in rest)]),
        lambda v, record: all(bound.accepts(v, record) for bound in bounds),
        lambda v, record: tuple(bad for bound in bounds for bad in bound.refused(v, record)),
        first.remedy,
    )


def zero_or(bound: Bound) -> Bound:
    """0, which leaves something out, or what `bound` says."""
    return Bound(
        "0 or " + bound.words,
        lambda v, record: v == 0 or bound.accepts(v, record),
        lambda v, record: tuple(bad for bad in (-1, *bound.refused(v, record)) if bad != 0),
        bound.remedy or "0 leaves it out",
    )


@dataclass_transform(frozen_default=True)
def settings(cls: type[T]) -> type[T]:
    """Make `cls` a frozen dataclass that checks the bounds of its fields, and then runs its own `__post_init__` if it has one.

    A field is `name: Annotated[kind, bound, ..., "meaning"] = default`. Whole numbers do for floats, lists for tuples.
    """
    hints = get_type_hints(cls, include_extras=True)
    meanings = {name: _meaning(hint) for name, hint in hints.items() if get_origin(hint) is Annotated}
    own = get_annotations(cls)
    told = {n: Annotated[h, Doc(meanings[n])] if n in meanings else h for n, h in hints.items()}
    cls.__annotations__ = {n: h for n, h in told.items() if n in own}
    after = cls.__dict__.get("__post_init__", getattr(cls, "_more_checks", None))

    def at_birth(self: Any) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, _kept(getattr(self, field.name), field))
        for field in fields(self):
            _check(self, field)
        if after is not None:
            after(self)

    cls._more_checks = after  # type: ignore[attr-defined]  # for records that inherit from this one
    cls.__post_init__ = at_birth  # type: ignore[attr-defined]  # before `dataclass` looks for it: later it would never run
    return dataclass(frozen=True)(cls)


def records(config: Any) -> Iterator[Any]:
    """`config` and the records in its fields, outermost first."""
    yield config
    for field in fields(config):
        if is_dataclass(inner := getattr(config, field.name)):
            yield from records(inner)


def bad_values(record: Any) -> Iterator[tuple[str, Any, Bound]]:
    """For each field of a valid record and each of its bounds the values just outside: (field, value, the bound)."""
    for field, bound in ((f, bound) for f in fields(record) for bound in _bounds(f.type)):
        refused = bound.refused(getattr(record, field.name), record)
        yield from ((field.name, bad, bound) for bad in refused if _is_kind(_plain(field.type), bad))


def _several(count: int, how: str, fine: Callable[[Any], bool]) -> Bound:
    words = f"at least {count} {how} {{many}}"
    return Bound(words, lambda v, _: len(v) >= count and fine(v), lambda v, _: (v[: count - 1], (*v, v[0])))


def _check(record: Any, field: Field[Any]) -> None:
    value = getattr(record, field.name)
    for bound in _bounds(field.type):
        if not bound.accepts(value, record):
            _refuse(field, value, bound.words, bound.remedy)


def _refuse(field: Field[Any], value: Any, words: str, remedy: str) -> None:
    shown = " ".join(map(str, field.default)) if isinstance(field.default, tuple) else field.default
    default = "choose another value" if field.default is MISSING else f"the default is {shown}"
    check(False, field.name, value, words.format(**_nouns(field.type)), remedy or default)


def _digits(number: float) -> str:
    """Whole numbers with all their digits."""
    return str(int(number)) if math.isfinite(number) and number == int(number) else f"{number:g}"


def _kept(value: Any, field: Field[Any]) -> Any:
    """`value` as the field keeps it; refused if it is of another kind."""
    kind = _plain(field.type)
    if isinstance(value, list):
        value = tuple(value)
    if not _is_kind(kind, value):
        _refuse(field, value, "{many}" if get_origin(kind) is tuple else "{one}", "")
    if kind in (int, float):
        return kind(value)
    if get_origin(kind) is tuple and get_args(kind)[0] in (int, float):
        return tuple(map(get_args(kind)[0], value))
    return value


def _is_kind(kind: Any, value: Any) -> bool:
    """Whether `value` may stand in a field of this kind; kinds other than numbers, words and tuples of them are not judged."""
    if kind in (int, float):
        number = numbers.Integral if kind is int else numbers.Real
        return isinstance(value, number) and not isinstance(value, bool) and math.isfinite(value)
    if kind in (str, bool):
        return isinstance(value, kind)
    if get_origin(kind) is tuple and get_args(kind)[-1] is ...:
        return isinstance(value, tuple) and all(_is_kind(get_args(kind)[0], part) for part in value)
    return True


def _plain(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _bounds(hint: Any) -> list[Bound]:
    return [part for part in get_args(hint)[1:] if isinstance(part, Bound)] if get_origin(hint) is Annotated else []


def _nouns(hint: Any) -> dict[str, str]:
    """The kind of value in words."""
    kind = _plain(hint)
    if get_origin(kind) is tuple:
        kind = get_args(kind)[0]
    many = {int: "whole numbers", float: "numbers", str: "words"}.get(kind, "values")
    return dict.fromkeys(("one", "many"), "True or False") if kind is bool else {"one": f"a {many[:-1]}", "many": many}


def _meaning(hint: Any) -> str:
    """What `--help` says of the field: its meaning and its bounds, whose kind of number it shows anyway."""
    text = [part for part in get_args(hint)[1:] if isinstance(part, str)]
    if not text:
        raise InputError(f"a field's meaning must be a sentence in its annotation, got {hint}; say what the field is")
    bounds = [" ".join(bound.words.format(one="", many="").strip(" ,").split()) for bound in _bounds(hint)]
    return "; ".join([text[0].rstrip("."), *bounds]) + "."

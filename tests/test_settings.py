"""Settings: each bound against plain loops over values, its words, its line in --help, and the traps of dataclasses."""

from dataclasses import FrozenInstanceError, dataclass, replace
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twopart._checks import InputError
from twopart.cli.parsing import parse
from twopart.settings import (
    among,
    at_least,
    bad_values,
    between,
    both,
    distinct,
    every,
    multiple_of,
    no_less_than,
    one_of,
    records,
    rising,
    settings,
    zero_or,
)


@settings
class Inner:
    """How it is trained."""

    batch: Annotated[int, at_least(1), "Sentences per update."] = 64
    warmup: Annotated[int, at_least(0).because("0 starts at the peak"), "Updates of warm-up."] = 5
    hold: Annotated[int, no_less_than("warmup"), "Updates until the rate falls."] = 5


@settings
class Config:
    """Everything that a config may have."""

    shares: Annotated[tuple[float, ...], distinct(1), every(between(0, 1, "()")), "Shares."] = (0.2, 0.5)
    main: Annotated[float, among("shares"), "The share that is looked at closely."] = 0.2
    left_out: Annotated[int, zero_or(at_least(1000)), "Sentences."] = 0
    widths: Annotated[tuple[int, ...], rising(2), every(both(at_least(2), multiple_of(2))), "Widths."] = (2, 4)
    kind: Annotated[str, one_of("a", "b"), "A kind."] = "a"
    long: Annotated[int, no_less_than("left_out", times=3), no_less_than("inner.batch", 2), "Long enough."] = 300
    step: Annotated[float, between(0, 2, "(]"), "A step."] = 2
    inner: Inner = Inner()

    def __post_init__(self) -> None:
        if self.long == 213:
            raise InputError("`long` must be lucky, got 213; take 212")


ACCEPTED = {
    at_least(3): lambda v: v >= 3,
    between(0, 5): lambda v: 0 <= v <= 5,
    between(0, 5, "()"): lambda v: 0 < v < 5,
    between(0, 5, "(]"): lambda v: 0 < v <= 5,
    between(0, 5, "[)"): lambda v: 0 <= v < 5,
    multiple_of(3): lambda v: v in range(-30, 31, 3),
    one_of(1, 2): lambda v: v in (1, 2),
    zero_or(at_least(4)): lambda v: v in (0, *range(4, 31)),
    both(at_least(2), multiple_of(2)): lambda v: v in range(2, 31, 2),
}


@pytest.mark.parametrize("bound", ACCEPTED, ids=lambda bound: bound.words)
def test_a_bound_accepts_what_it_says(bound):
    for value in range(-30, 31):
        assert bool(bound.accepts(value, None)) == ACCEPTED[bound](value)


@given(st.lists(st.integers(-3, 3), max_size=5).map(tuple))
def test_bounds_of_tuples(values):
    assert rising(2).accepts(values, None) == (len(values) >= 2 and list(values) == sorted(set(values)))
    assert distinct(2).accepts(values, None) == (len(values) >= 2 and len(set(values)) == len(values))
    assert every(at_least(0)).accepts(values, None) == (min(values, default=0) >= 0)


def test_every_bound_refuses_its_bad_values_in_words():
    """As the product test does for each study; here what must be refused is known beforehand."""
    refused = {}
    for record in records(Config()):
        for name, bad, _ in bad_values(record):
            with pytest.raises(InputError, match=rf"^`{name}` must be .+, got .+; .+") as caught:
                replace(record, **{name: bad})
            refused.setdefault(name, []).append((bad, str(caught.value)))
    assert {name: [bad for bad, _ in found] for name, found in refused.items()} == {
        "shares": [(), (0.2, 0.5, 0.2), (0, 0.5), (1, 0.5)],
        "main": [1.5],
        "left_out": [-1, 999],
        "widths": [(2,), (2, 4, 2), (1, 4), (3, 4)],
        "kind": ["none-of-them"],
        "long": [-1, 127],
        "step": [0, 3],
        "batch": [0],
        "warmup": [-1],
        "hold": [4],
    }
    assert refused["warmup"][0][1] == "`warmup` must be a whole number >= 0, got -1; 0 starts at the peak"
    assert refused["shares"][2][1] == "`shares` must be numbers, each in (0, 1), got (0.0, 0.5); the default is 0.2 0.5"
    assert refused["hold"][0][1] == "`hold` must be a whole number >= `warmup`, got 4; the default is 5"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"left_out": 0.5}, "`left_out` must be a whole number, got 0.5"),
        ({"left_out": True}, "`left_out` must be a whole number, got True"),
        ({"shares": 0.5}, "`shares` must be numbers, got 0.5"),
        ({"shares": (0.5, float("nan"))}, "`shares` must be numbers, got"),
        ({"kind": 3}, "`kind` must be a word, got 3"),
        ({"step": float("inf")}, "`step` must be a number, got inf"),
        ({"long": 213}, "`long` must be lucky"),
    ],
)
def test_values_of_another_kind_are_refused(change, words):
    with pytest.raises(InputError) as caught:
        replace(Config(), **change)
    assert str(caught.value).startswith(words)


def test_values_are_kept_as_the_field_says():
    config = Config(shares=[1e-3, 0.5], main=0.5, step=1)
    assert (config.shares, config.step, type(config.step)) == ((1e-3, 0.5), 1.0, float)
    assert hash(config) == hash(replace(config))
    with pytest.raises(FrozenInstanceError):
        config.step = 0.5


def test_bounds_of_an_inherited_record_hold():
    @settings
    class Longer(Inner):
        """One field more."""

        decay: Annotated[float, between(0, 1), "Decay."] = 0.5

    for change in ({"batch": 0}, {"hold": 1}, {"decay": 2}):
        with pytest.raises(InputError):
            Longer(**change)


def test_more_checks_are_inherited_too():
    @settings
    class Even(Config):
        """No field more."""

    with pytest.raises(InputError, match="`long` must be lucky"):
        Even(long=213)


def test_a_plain_dataclass_would_not_check():
    """The trap: bounds that are hung on after `@dataclass` has written `__init__` are silent. `settings` is not."""

    class Record:
        batch: Annotated[int, at_least(1), "Sentences."] = 64

    assert dataclass(type("Silent", (Record,), dict(Record.__dict__)))(batch=0).batch == 0
    with pytest.raises(InputError):
        settings(Record)(batch=0)


def test_a_field_without_a_meaning_is_refused():
    with pytest.raises(InputError, match="meaning must be a sentence"):

        @settings
        class Mute:
            batch: Annotated[int, at_least(1)] = 64


def test_help_shows_meaning_bound_and_default_of_every_record(capsys):
    with pytest.raises(SystemExit):
        parse(Config, ["--help"], "test", "About.")
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for line in (
        "Shares; at least 1 distinct; each in (0, 1). (default: 0.2 0.5)",
        "Sentences; 0 or >= 1000. (default: 0)",
        "Sentences per update; >= 1. (default: 64)",
        "Updates until the rate falls; >= `warmup`. (default: 5)",
    ):
        assert line in said
    assert parse(Config, ["--batch", "3", "--step", "1"], "test", "About.") == Config(step=1, inner=Inner(batch=3))
    with pytest.raises(InputError, match="`batch` must be a whole number >= 1, got 0"):
        parse(Config, ["--batch", "0"], "test", "About.")

"""Which column is what, and in what unit. People name them N, `Model Size (M)`, `config.n_params`, `tokens_in_billions`.

A name is looked at without case, spaces, punctuation and unit, and without what Weights & Biases and MLflow put before it. A
guess is always said aloud; one that could go two ways is not made.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields

import polars as pl

from twopart._checks import InputError
from twopart.tools.fit.sheet import Sheet
from twopart.tools.fit.units import TIMES, Unit, UnitError, log_base, loss_unit, unit, without_loss_unit

KNOWN = {
    "params": """params parameters n_params n_parameters num_params num_parameters parameter_count param_count model_size
        model_params model_parameters non_embedding_params non_embedding_parameters total_params total_parameters
        number_of_params number_of_parameters no_of_params no_of_parameters parametres paramètres parameter size n""",
    "tokens": """tokens training_tokens train_tokens n_tokens num_tokens tokens_seen total_tokens token_count tokens_trained
        num_training_tokens number_of_tokens no_of_tokens consumed_tokens data_size dataset_size training_data
        dataset data d""",
    "flops": """flops flop training_flops training_flop train_flops train_flop total_flops compute training_compute
        compute_flops num_flops c""",
    "loss": """loss test_loss validation_loss val_loss eval_loss held_out_loss final_loss final_val_loss final_test_loss
        test_cross_entropy val_cross_entropy cross_entropy xent ce nll ce_loss nll_loss lm_loss l train_loss
        training_loss final_train_loss""",
    "unique_tokens": "unique_tokens n_unique_tokens distinct_tokens unique_data",
    "bits": "bits precision weight_bits training_bits bit_width",
    "name": "name run run_name model model_name experiment label mlflow_run_name run_id id",
}
"""Names of columns by what they hold, the likelier first."""
SWEEPS = {
    "batch": """batch_size batch global_batch_size total_batch_size train_batch_size effective_batch_size batchsize bs
        global_batch gbs bsz b""",
    "steps": """steps_to_target steps_to_loss steps_to_reach step steps global_step training_steps train_steps num_steps n_steps
        number_of_steps updates optimizer_steps iterations iteration iters iter t""",
    "sweep": "sweep target target_loss loss_target model model_name",
}
"""The same for tables of batch sizes; batches.py reads them."""
PREFIXES = re.compile(
    r"^(?:.*[./])?(config|summary|params|parameters|metrics|tags|hparams|args)[./](?=[a-z_])", re.IGNORECASE
)


def plain(column: str) -> str:
    """A name without case and punctuation."""
    return re.sub(r"[\W_]", "", column.lower())


RANKS = {
    role: {plain(name): rank for rank, name in enumerate(names.split())} for role, names in (KNOWN | SWEEPS).items()
}
_BARE = ("val", "validation", "test", "eval", "heldout", "final", "")
"""With a unit of loss these make a name: val_bpb, test perplexity, bits per byte."""
RANKS["loss"] |= {core: len(RANKS["loss"]) + i for i, core in enumerate(_BARE)}
NONE = Unit("")

_BRACKET = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]")
_WORD = re.compile(
    r"log_?(?:10|2|e)(?![a-z\d])|10\s*(?:\^|\*\*)\s*\d+|10[⁰¹²³⁴⁵⁶⁷⁸⁹]+|\d+\.?\d*[eE]\+?\d+|[^\W\d_]+|\d[\d,]*"
)


@dataclass(frozen=True)
class Mapping:
    """The column that holds each input, by its exact name; None guesses it, where there is one to guess.

    A unit may follow the name in brackets, `params (M)` for a column `params`.
    """

    params: str | None = None
    """Column of model sizes, in parameters."""
    tokens: str | None = None
    """Column of training tokens."""
    flops: str | None = None
    """Column of training compute, in floating-point operations."""
    loss: str | None = None
    """Column of test losses, per token."""
    unique_tokens: str | None = None
    """Column of distinct training tokens, for the form `repeated`."""
    bits: str | None = None
    """Column of the precision of training in bits, for the form `precision`."""
    name: str | None = None
    """Column of what the runs are called."""
    batch: str | None = None
    """Column of batch sizes, for a critical batch size."""
    steps: str | None = None
    """Column of steps: to the target, or along training curves."""
    sweep: str | None = None
    """Column of what the sweeps over batch sizes are called."""

    def found_in(self, sheet: Sheet, roles: Iterable[str] = tuple(KNOWN)) -> dict[str, Found]:
        """The columns that were named, and those of the roles that can be guessed."""
        given = {f.name: column for f in fields(self) if (column := getattr(self, f.name)) is not None}
        found = {role: _named(sheet, role, column) for role, column in given.items()}
        taken = {
            one.place for role, one in found.items() if role not in ("name", "sweep")
        }  # a run may be called by one of its numbers
        free = [i for i, column in enumerate(sheet.header) if column and i not in taken]
        for role in roles:
            if role not in found and (guess := _guess(sheet, role, free)) is not None:
                found[role] = guess
        return found


@dataclass(frozen=True)
class Found:
    """A column and how it was come by."""

    place: int
    """In the header."""
    column: str
    guessed: bool
    unit: Unit = NONE
    """That its name tells."""
    fault: str | None = None
    """What is wrong with that unit."""
    others: tuple[str, ...] = ()
    """Less likely columns for the same, passed over."""
    rivals: tuple[int, ...] = ()
    """As likely ones."""


@dataclass(frozen=True)
class Heading:
    """A column's name, taken apart for one role."""

    core: str
    """Letters and digits without prefix and unit."""
    unit: Unit
    fault: str | None = None
    """Why its unit is not understood."""


def _named(sheet: Sheet, role: str, column: str) -> Found:
    """The column that was named, with the unit that its name or the naming tells."""
    if column in sheet.header:
        place = sheet.header.index(column)
        if sheet.header.count(column) > 1:
            raise sheet.fault(f"two columns are called {column!r}, and {option(role)} names it; rename one")
        read = heading(column, role, named=True)
        return Found(place, column, False, read.unit, read.fault)
    bare, bracket = _last_bracket(column)
    if bracket is not None and bare in sheet.header:
        found = _named(sheet, role, bare)
        try:
            said = Unit(bracket) if role in ("loss", "name", "sweep") else unit(bracket, role)
        except UnitError as error:
            raise sheet.fault(f"the unit of {option(role)} {column!r} is not understood: {error}") from error
        return Found(found.place, bare, False, said)
    close = difflib.get_close_matches(column, sheet.header, n=1)
    remedy = f"did you mean {close[0]!r}?" if close else f"there is {listed(sheet)}"
    raise sheet.fault(f"there is no column {column!r} for {option(role)}; {remedy}")


def _last_bracket(column: str) -> tuple[str, str | None]:
    last = re.fullmatch(r"(.*?)\s*[(\[{]([^()\[\]{}]*)[)\]}]\s*", column)
    return (last[1], last[2]) if last else (column, None)


def _guess(sheet: Sheet, role: str, places: list[int]) -> Found | None:
    """The likeliest of the columns, and those that are as likely."""
    read = [(heading(sheet.header[i], role), i) for i in places]
    ranked = sorted((RANKS[role][one.core], i) for one, i in read if one.core in RANKS[role] and not _of_a_split(one))
    if not ranked:
        return None
    best = [i for rank, i in ranked if rank == ranked[0][0]]
    one = next(one for one, i in read if i == best[0])
    others = tuple(sheet.header[i] for rank, i in ranked if rank > ranked[0][0])
    return Found(best[0], sheet.header[best[0]], True, one.unit, one.fault, others, tuple(best[1:]))


def _of_a_split(one: Heading) -> bool:
    """Whether only a unit could make this name that of a loss, and there is none: `val`, where `val_bpb` is one."""
    return one.core in _BARE and not one.unit.text


def heading(name: str, role: str, named: bool = False) -> Heading:
    """A column's name as core and unit; of a column that was `named`, the core may be anything."""
    bare = PREFIXES.sub("", name.strip())
    brackets, outside = _BRACKET.findall(bare), _BRACKET.sub(" ", bare)
    try:
        if role in ("name", "sweep") or (not brackets and role != "loss" and plain(bare) in RANKS[role]):
            return Heading(plain(bare), NONE)
        if role == "loss":
            told = loss_unit(bare) or ""
            return Heading(plain(_BRACKET.sub(" ", without_loss_unit(bare))) if told else plain(outside), Unit(told))
        words = _WORD.findall(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", outside))
        if len(words) == 1 and brackets and log_base(words[0].lower().replace("_", "")):  # log10(N)
            return Heading(plain(brackets[0]), unit(words[0], role))
        core, told_outside = _split(words, role, named)
        told_inside = [unit(text, role) for text in brackets if text.strip()]
    except UnitError as error:
        rest = re.sub(r"^\s*log[\s_(]+", "", bare, flags=re.IGNORECASE)
        remedy = "; --unit says what it is" if role == "loss" else f"; say it with {option(role)} '{name} (UNIT)'"
        remedy = "" if error.wrong else remedy
        return Heading(plain(_BRACKET.sub(" ", rest)), NONE, f"{error}{remedy}")
    units = [one for one in (*told_inside, told_outside) if not one.plain]
    fault = "it names two units; leave one out" if len({(one.factor, one.base) for one in units}) > 1 else None
    return Heading(core, (units or told_inside or [NONE])[0], fault)


def _split(words: list[str], role: str, named: bool) -> tuple[str, Unit]:
    """The core of a name and the unit among its words: tokens_b, params in millions, log10 params, EFLOPs, PF-days."""
    whole = "".join(words).lower()
    if whole in RANKS[role]:
        return whole, NONE
    loose = None
    for count in range(1, len(words) + 1):
        for rest, phrase in ((words[:-count], words[-count:]), (words[count:], words[:count])):
            core, said = "".join(rest).lower(), _maybe(" ".join(phrase), role)
            if phrase == ["log"] and core in RANKS[role]:
                log_base("log")
            if said is None or said.plain:
                continue
            if not core and said.counted:
                return next(iter(RANKS[role])), said
            if len("".join(phrase)) == 1 and (len(core) < 2 or phrase[0] is not words[-1] or core not in RANKS[role]):
                continue  # a letter is a unit only behind a name that is known
            if core in RANKS[role]:
                return core, said
            loose = loose or (core, said)
    if named and loose is None and role == "flops":
        unit(" ".join(words), role) if TIMES & {word.lower() for word in words} else None
    return loose if named and loose else (whole, NONE)


def _maybe(phrase: str, role: str) -> Unit | None:
    try:
        return unit(phrase, role)
    except UnitError:
        return None


def option(role: str) -> str:
    """The command's option for a role."""
    return f"--{role.replace('_', '-')}"


def listed(sheet: Sheet, most: int = 12) -> str:
    """The sheet's columns, for an error."""
    names = [repr(name) for name in sheet.header if name]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def missing(sheet: Sheet, roles: list[str]) -> InputError:
    """What to say where columns are needed that nobody named and nothing suggests."""
    options = " ".join(f"{option(role)} COLUMN" for role in roles)
    below = [str(column[0]) for column in sheet.columns if column.dtype == pl.String]
    if len(below) == len(sheet.header) and {
        heading(name, role).core in RANKS[role] for name in below for role in roles
    } > {False}:
        line = f"{sheet.unit} {sheet.lines[0]}"
        return sheet.fault(
            f"no column looks like {' or '.join(roles)}; the header seems to be on {line}: take out what is above"
        )
    return sheet.fault(f"no column looks like {' or '.join(roles)}; name it with {options}; there is {listed(sheet)}")

"""Which column is what. People name them N, `Model Size`, `config.n_params`, `params.tokens`; loss is `val_loss` and more.

A name is looked at without case, spaces and punctuation, and without what Weights & Biases and MLflow put before it. A guess
is always said aloud; one that could go two ways is not made.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields

from twopart._checks import InputError
from twopart.tools.fit.sheet import Sheet

KNOWN = {
    "params": """params parameters n_params n_parameters num_params num_parameters parameter_count param_count model_size
        model_params model_parameters non_embedding_params non_embedding_parameters total_params total_parameters size n""",
    "tokens": """tokens training_tokens train_tokens n_tokens num_tokens tokens_seen total_tokens token_count tokens_trained
        num_training_tokens consumed_tokens data_size dataset_size training_data d""",
    "flops": """flops flop training_flops training_flop train_flops train_flop total_flops compute training_compute
        compute_flops num_flops c""",
    "loss": """loss test_loss validation_loss val_loss eval_loss held_out_loss final_loss final_val_loss final_test_loss
        test_cross_entropy val_cross_entropy cross_entropy l train_loss training_loss final_train_loss""",
    "unique_tokens": "unique_tokens n_unique_tokens distinct_tokens unique_data",
    "bits": "bits precision weight_bits training_bits bit_width",
    "name": "name run run_name model model_name experiment label mlflow_run_name run_id id",
}
"""Names of columns by what they hold, the likelier first."""
PREFIXES = re.compile(r"^(config|summary|params|parameters|metrics|tags|hparams|args)[./]", re.IGNORECASE)
SCALES = {
    "k": 1e3,
    "thousands": 1e3,
    "m": 1e6,
    "millions": 1e6,
    "b": 1e9,
    "billions": 1e9,
    "t": 1e12,
    "trillions": 1e12,
}


@dataclass(frozen=True)
class Mapping:
    """The column that holds each input, by its exact name; None guesses it, where there is one to guess."""

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

    def found_in(self, sheet: Sheet) -> dict[str, Found]:
        """The columns that were named, and those that can be guessed."""
        given = {f.name: column for f in fields(self) if (column := getattr(self, f.name)) is not None}
        found = {role: Found(_named(sheet, role, column), False) for role, column in given.items()}
        taken = {
            column for role, column in given.items() if role != "name"
        }  # a run may be called by one of its numbers
        free = [column for column in sheet.header if column and column not in taken]
        for role in KNOWN:
            if role not in found and (guess := _guess(sheet, role, free)) is not None:
                found[role] = guess
        return found


@dataclass(frozen=True)
class Found:
    """A column and how it was come by."""

    column: str
    guessed: bool
    others: tuple[str, ...] = ()
    """Less likely columns for the same, passed over."""

    @property
    def scale(self) -> float:
        """10^9 for `params (B)`: a unit in brackets after the name."""
        unit = re.search(r"[(\\[]\s*(?:in\s+)?([a-z]+)[^)\]]*[)\]]\s*$", self.column, re.IGNORECASE)
        return SCALES.get(unit[1].lower(), 1.0) if unit else 1.0


def _named(sheet: Sheet, role: str, column: str) -> str:
    if column in sheet.header:
        return column
    close = difflib.get_close_matches(column, sheet.header, n=1)
    remedy = f"did you mean {close[0]!r}?" if close else f"there is {listed(sheet)}"
    raise sheet.fault(f"there is no column {column!r} for {option(role)}; {remedy}")


def _guess(sheet: Sheet, role: str, columns: list[str]) -> Found | None:
    """The likeliest of the columns; an error if two are as likely."""
    ranks = {_plain(name): rank for rank, name in enumerate(KNOWN[role].split())}
    ranked = sorted((ranks[key], i) for i, column in enumerate(columns) if (key := _plain(column)) in ranks)
    if not ranked:
        return None
    best = [columns[i] for rank, i in ranked if rank == ranked[0][0]]
    if len(best) > 1:
        raise sheet.fault(f"{best[0]!r} and {best[1]!r} may both be the {role}; say which with {option(role)}")
    return Found(best[0], True, tuple(columns[i] for _, i in ranked[1:]))


def _plain(column: str) -> str:
    """A name without prefix, bracketed unit, case and punctuation."""
    bare = re.sub(r"[(\\[][^)\]]*[)\]]\s*$", "", PREFIXES.sub("", column.strip()))
    return re.sub(r"[^a-z0-9]", "", bare.lower())


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
    return sheet.fault(f"no column looks like {' or '.join(roles)}; name it with {options}; there is {listed(sheet)}")


def words(found: dict[str, Found]) -> Iterator[str]:
    """What was guessed, in words."""
    for role, one in found.items():
        if one.guessed:
            passed = f", passing over {', '.join(map(repr, one.others))}" if one.others else ""
            yield f"{role}: column {one.column!r}, guessed{passed} ({option(role)} COLUMN says otherwise)"
        if one.scale != 1 and role != "name":
            yield f"{role}: times {one.scale:.0e}, as the name of the column says"

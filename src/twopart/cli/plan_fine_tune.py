"""`twopart plan fine-tune`: how much of the old data to replay while new facts are taught."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import tyro

from twopart.cli.page import check_folder
from twopart.cli.parsing import parse
from twopart.cli.plan_page import MARKER, Number, show


@dataclass(frozen=True)
class Options:
    """How much of the old data to replay while a model is taught new facts, and which old ones it loses.

    Examples:
      twopart plan fine-tune --discount 0.46 --facts-bits 6 --params 1e9 --new-facts 1e5 --exposures 100
      twopart plan fine-tune --discount 0.5 --facts-bits 6 --params 1e5 --new-facts 5e3 --exposures 20 --out runs/plan
    """

    discount: float
    """Discount of the old facts' Pitman-Yor frequencies, in [0, 1); `twopart measure` finds that of a text."""
    facts_bits: float
    """Bits of a fact, old or new, > 0: log2 of the number of values it may have."""
    params: float
    """Size of the model, in parameters."""
    new_facts: float
    """Number of new facts, equally often stated."""
    exposures: float
    """How often each new fact is stated in fine-tuning."""
    concentration: Number = None
    """Concentration of the old facts' frequencies, > -discount (default: 1)."""
    bits_per_param: Number = None
    """Bits of knowledge that a parameter holds (default: 2)."""
    statements: Number = None
    """Statements that the model was trained on before; without it, only the room limits what it knew."""
    needed: Number = None
    """How often a fact must be stated to be learned (default: 1)."""
    tolerance: Number = None
    """Share of old questions that may be lost beyond what new facts cost anyhow (default: 0.01)."""
    out: Annotated[
        Path | None, tyro.conf.DisallowNone, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="(default: none)")
    ] = None
    """Write a page into this folder, which must be new or that of an earlier plan."""


def main(arguments: Sequence[str]) -> int:
    options = parse(Options, arguments, "twopart plan fine-tune", Options.__doc__ or "")
    if options.out is not None:
        check_folder(options.out, MARKER)
    from twopart.tools.plan import plan_fine_tune
    from twopart.tools.plan.fine_tune_findings import findings, sentences, tables

    given = {name: value for name, value in asdict(options).items() if value is not None and name != "out"}
    plan = plan_fine_tune(**given)
    show(sentences(plan), tables(plan), lambda: findings(plan), options.out, {"plan": "fine-tune", **given})
    return 0

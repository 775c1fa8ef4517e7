"""Work: a function of a study, by name, and the record that it is given; so often, each replicate a cell of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass, is_dataclass
from typing import Any

from twopart._checks import check, check_integer, check_real


@dataclass(frozen=True)
class Work:
    """What a study wants done. Its cells are named by study, function, version, case, replicate and seed, nothing else."""

    function: str
    """The name of a function `(case, cell) -> pl.DataFrame` in the study's module, or in `<study>_cells` beside it."""
    case: Any
    """A frozen dataclass; its `str` names the work to people."""
    replicates: int = 1
    """Cells of this work, alike but for `cell.replicate` and `cell.seed`."""
    after: tuple[Work, ...] = ()
    """Work whose results these cells ask for (`cell.result`): theirs of the same replicate are finished before they start."""
    cost: float = 1.0
    """How long a cell takes, in any unit that the works share: the longest start first, so that workers end together."""
    cpus: float = 1.0
    """CPUs of a cluster that a cell takes; it computes on one thread unless it says otherwise itself."""
    memory: float = 0.0
    """Bytes that it asks a cluster for; 0 asks for none in particular."""
    gpus: float = 0.0
    """GPUs that it asks a cluster for; 0 is one where cells run on GPUs. 0.25 lets four cells share one."""
    version: int = 1
    """Raise it when results that are stored no longer count."""

    def __post_init__(self) -> None:
        check(
            self.function.isidentifier(), "function", self.function, "a function's name", "functions are found by name"
        )
        fine = is_dataclass(self.case) and not isinstance(self.case, type)
        check(fine, "case", self.case, "a frozen dataclass", "its fields name the cell")
        check_integer("replicates", self.replicates, 1, None, "1 runs it once")
        check_real("cpus", self.cpus, 0, math.inf, "1 is usual", closed="()")
        for name in ("memory", "gpus"):
            check_real(name, getattr(self, name), 0, math.inf, "0 asks for none in particular", closed="[)")
        check_integer("version", self.version, 1, None, "1 is the first")

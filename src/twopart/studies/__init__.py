"""Studies: where a theory's prediction and a measurement meet. One file per study, in the room of its theory.

    run("data-law", preset="tiny")           run a study in runs/data-law and write its report there
    names(), question(name)                  what there is
    config(name, preset, **overrides)        what a run would be given
    Work(function, case), world_seed(...), spaced(...), check_real_data(...)     what a study's file is written with

_study.py says what a study's file holds and how it is found. Listing the studies loads nothing heavy, so `Work` comes late.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twopart.studies._study import check_real_data, config, names, question, run, spaced, world_seed

if TYPE_CHECKING:
    from twopart.lab.work import Work

__all__ = ["Work", "check_real_data", "config", "names", "question", "run", "spaced", "world_seed"]


def __getattr__(name: str) -> Any:
    if name == "Work":
        from twopart.lab.work import Work

        return Work
    raise AttributeError(f"module 'twopart.studies' has no attribute {name!r}")

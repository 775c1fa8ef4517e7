"""Studies: where a theory's prediction and a measurement meet. One file per study, in the room of its theory.

    run("data-law", preset="tiny")           run a study in runs/data-law and write its report there
    names(), question(name)                  what there is
    config(name, preset, **overrides)        what a run would be given

_study.py says what a study's file holds and how it is found; only the command line imports this folder.
"""

from twopart.lab.work import Work
from twopart.studies._study import config, names, question, run, world_seed

__all__ = ["Work", "config", "names", "question", "run", "world_seed"]

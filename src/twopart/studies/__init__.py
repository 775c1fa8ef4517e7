"""Studies: where a theory's prediction and a measurement meet. One file per study, each a function config -> Findings.

    run("data-law", preset="tiny")           run a study in runs/data-law and write its report there
    names(), summary(name)                   what there is
    config(name, preset, **overrides)        what a run would be given
    plan(name, config)                       what it would do, with estimates

_study.py says what a study's file holds and keeps the registry; nothing but the command line imports this folder.
"""

from twopart.studies._study import Planned, config, names, plan, run, summary

__all__ = ["Planned", "config", "names", "plan", "run", "summary"]

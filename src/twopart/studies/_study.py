"""What a study is, and how one is run: check the config, take the run folder, run, write the report.

A study is a module with
    Config     a frozen dataclass, a doc string under each field, checked at birth
    PRESETS    {"tiny": Config(...), "small": ..., "full": ...}: seconds, minutes, hours
    run        (config, lab) -> Findings
    plan       config -> the cells it would run, with estimates
and one line in REGISTRY. The registry holds addresses, so that listing the studies imports none of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from twopart._checks import InputError, check_choice
from twopart.findings import Findings
from twopart.lab import Lab
from twopart.lab.cell import plain
from twopart.lab.progress import Style

PRESET_NAMES: tuple[str, ...] = ("tiny", "small", "full")


@dataclass(frozen=True)
class Entry:
    """A study in the registry."""

    module: str
    """Where it is: the full name of its module."""
    summary: str
    """What it asks, in one line."""


REGISTRY: dict[str, Entry] = {
    "data-law": Entry(
        "twopart.studies.data_law",
        "How does a learner's redundancy fall with data: as theory says, first syntax, then knowledge?",
    ),
    "capacity-law": Entry(
        "twopart.studies.capacity_law",
        "How does redundancy fall with parameters, and which facts does a model of each size hold?",
    ),
    "joint-law": Entry(
        "twopart.studies.joint_law",
        "What do so many parameters and so many sentences buy together, and how is compute best split?",
    ),
    "acquisition": Entry(
        "twopart.studies.acquisition",
        "Which fact is known when: syntax first, then facts by falling frequency, down to a sharp threshold?",
    ),
    "hallucination": Entry(
        "twopart.studies.hallucination",
        "How often is a model of each size wrong, about what, and does it know that it does not know?",
    ),
    "structure-function": Entry(
        "twopart.studies.structure_function",
        "How many bits of data does each bit of model save, and where does structure end and noise begin?",
    ),
    "fine-tuning": Entry(
        "twopart.studies.fine_tuning",
        "What do a new format and new facts cost, what do they destroy, and what do replay and LoRA save?",
    ),
    "feature-averaging": Entry(
        "twopart.studies.feature_averaging",
        "Does gradient descent average the features of a class, and what does that cost in robustness?",
    ),
    "real-text": Entry(
        "twopart.studies.real_text",
        "Does a learner's loss on real text fall as the text's own discount says, and if not, as what?",
    ),
}


@dataclass(frozen=True)
class Planned:
    """Cells of one kind that a config would run, with the estimates that a dry run prints."""

    what: str
    """The kind of cell, in words."""
    cells: int
    """How many of them."""
    seconds: float
    """Estimated time of one cell on one core, in seconds."""
    memory: float
    """Estimated peak memory of one cell, in bytes."""
    flops: float = 0.0
    """Arithmetic of one cell, in floating-point operations; 0 where that is not what takes the time."""


class Study(Protocol):
    """The face of a study's module."""

    PRESETS: Mapping[str, Any]

    def run(self, config: Any, lab: Lab) -> Findings: ...

    def plan(self, config: Any) -> Sequence[Planned]: ...


def names() -> tuple[str, ...]:
    """The names of all studies."""
    return tuple(REGISTRY)


def summary(name: str) -> str:
    """What the study asks, in one line."""
    return _entry(name).summary


def config(name: str, preset: str = "small", **overrides: Any) -> Any:
    """The config of a study: a preset, with the fields in `overrides` changed."""
    presets = _load(name).PRESETS
    check_choice("preset", preset, tuple(presets))
    chosen = presets[preset]
    known = [field.name for field in fields(chosen)]
    for override in overrides:
        if override not in known:
            raise InputError(f"study {name!r} has no field {override!r}; {_nearest(override, known)}")
    return replace(chosen, **overrides)


def plan(name: str, config: Any) -> list[Planned]:
    """What a run of this config would do."""
    return list(_load(name).plan(config))


def run(
    name: str,
    preset: str = "small",
    out: str | Path | None = None,
    seed: int = 0,
    resume: bool = False,
    *,
    workers: int | None = None,
    device: str = "auto",
    progress: Style = "auto",
    **overrides: Any,
) -> Findings:
    """Run a study in the folder `out` (default: runs/<name>) and write its report there.

    `overrides` change fields of the preset's config. `resume` continues a run of the same config in that folder; cells that
    were finished are not run again. The other arguments are those of `Lab`.
    """
    return run_config(
        name,
        config(name, preset, **overrides),
        default_folder(name) if out is None else Path(out),
        seed=seed,
        resume=resume,
        workers=workers,
        device=device,
        progress=progress,
    )


def run_config(
    name: str,
    config: Any,
    out: Path,
    *,
    seed: int,
    resume: bool,
    workers: int | None = None,
    device: str = "auto",
    progress: Style = "auto",
) -> Findings:
    """`run` for a config that is already made."""
    from twopart.report import write_report

    study = _load(name)
    identity = {"study": name, "seed": seed, "config": plain(config)}
    with Lab(out, config=identity, resume=resume, seed=seed, device=device, workers=workers, progress=progress) as lab:
        findings = study.run(config, lab)
        write_report(findings, out, config=identity, environment=lab.environment)
    return findings


def default_folder(name: str) -> Path:
    """Where a study runs when nobody says where."""
    return Path("runs") / name


def _load(name: str) -> Study:
    return cast(Study, import_module(_entry(name).module))


def _entry(name: str) -> Entry:
    if name not in REGISTRY:
        raise InputError(f"there is no study {name!r}; {_nearest(name, list(REGISTRY))}")
    return REGISTRY[name]


def _nearest(word: str, known: list[str]) -> str:
    """A remedy: the known word that looks most like `word`, or all of them."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there is {', '.join(known)}"

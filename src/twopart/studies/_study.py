"""What a study is, how it is found, and how one is run.

A study is a file in a room of this folder, `<theory>/<study>.py`, or anywhere else if it is named with its path. It defines
    STUDY, TITLE        its name (the file's, with hyphens) and the heading of its page
    Config, PRESETS     a `@settings` class; {"tiny": Config(...), "small": ..., "full": ...}: seconds, minutes, hours
    cells               (config, seed) -> the works to do, in a fixed order
    <functions>         (case, cell) -> pl.DataFrame, named by the works, here or in `<study>_cells.py` beside it
    claims, tables      found -> what is judged, and what a reader sees
    FIGURES, summary    figures of the tables, the main one first; found -> a paragraph
and the first line of its doc string is its question. Files are found by their names: listing the studies imports none of them.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from twopart._checks import InputError, check, check_choice
from twopart._files import kind
from twopart.settings import records

if TYPE_CHECKING:
    from twopart.evidence import Found
    from twopart.findings import Claim, Findings, Table
    from twopart.lab import Work
    from twopart.lab.executor import Kind
    from twopart.lab.progress import Style
    from twopart.report.figures import Declared

PRESET_NAMES: tuple[str, ...] = ("tiny", "small", "full")
THEORIES: dict[str, str] = {
    "knowledge": "language models as compressors",
    "features": "what gradient descent picks up",
    "regression": "SGD on least squares and its kin",
    "in_context": "what attention can do",
    "sampling": "samplers and their laws",
    "diffusion": "what diffusion models learn",
    "policies": "what reinforcement selects",
}
"""The rooms, in the order in which they are shown, with what each is about."""


class Study(Protocol):
    """The face of a study's module."""

    STUDY: str
    TITLE: str
    PRESETS: Mapping[str, Any]
    FIGURES: tuple[Declared, ...]

    def cells(self, config: Any, seed: int) -> Iterable[Work]: ...

    def claims(self, found: Found) -> Iterable[Claim]: ...

    def tables(self, found: Found) -> Iterable[Table]: ...

    def summary(self, found: Found) -> str: ...


class Place(NamedTuple):
    """Where a study stands."""

    name: str
    theory: str
    file: Path
    module: str

    @property
    def question(self) -> str:
        """What it asks: the first line of the file's doc string."""
        with self.file.open(encoding="utf-8") as lines:
            return lines.readline().strip().strip('"')


@lru_cache(maxsize=1)
def places() -> dict[str, Place]:
    """All studies by name, theory by theory, each theory's in the order of their names."""
    here = Path(__file__).parent
    rooms = [here / theory for theory in THEORIES]
    files = [file for room in rooms for file in sorted(room.glob("*.py")) if not file.stem.startswith("_")]
    found = [_place(file, f"{__package__}.{file.parent.name}.{file.stem}") for file in files if not _holds_cells(file)]
    return {place.name: place for place in found}


def names() -> tuple[str, ...]:
    """The names of all studies."""
    return tuple(places())


def question(name: str) -> str:
    """What the study asks, in one line."""
    return place(name).question


def config(name: str, preset: str = "small", **overrides: Any) -> Any:
    """The config of a study: a preset, with the fields in `overrides` changed; those of a record inside by their own names."""
    presets = load(name).PRESETS
    check_choice("preset", preset, tuple(presets))
    known = _field_names(presets[preset])
    for override in overrides:
        if override not in known:
            raise InputError(f"study {name!r} has no field {override!r}; {_nearest(override, known)}")
    return _replaced(presets[preset], overrides)


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
    executor: Kind = "processes",
    address: str | None = None,
    shared: str | Path | None = None,
    rehearsal: bool = False,
    **overrides: Any,
) -> Findings:
    """Run a study in the folder `out` (default: runs/<name>) and write its report there.

    `name` is that of a study, or the path of a study's file. `overrides` change fields of the preset's config. `resume`
    continues a run of the same config in that folder; cells that were finished are not run again. The other arguments are
    those of `Lab`.
    """
    chosen = config(name, preset, **overrides)
    options: dict[str, Any] = {
        "workers": workers,
        "device": device,
        "progress": progress,
        "executor": executor,
        "address": address,
    }
    options |= {"shared": shared, "rehearsal": rehearsal}
    out = default_folder(name) if out is None else Path(out)
    return run_config(name, chosen, out, seed=seed, resume=resume, **options)


def run_config(name: str, config: Any, out: Path, *, seed: int, **options: Any) -> Findings:
    """`run` for a config that is already made; the options are those of `Lab`."""
    from twopart.evidence import Found
    from twopart.lab import Lab
    from twopart.lab.cell import plain
    from twopart.report import write_report

    study, where = load(name), place(name)
    works = list(study.cells(config, seed))
    identity = {"study": study.STUDY, "seed": seed, "config": plain(config)}
    with Lab(out, study=study.STUDY, module=where.module, config=identity, seed=seed, **options) as lab:
        findings = judge(study, Found.collect(config, lab.run(works)))
        write_report(findings, out, config=identity, environment=lab.environment)
    return findings


def judge(study: Study, found: Found) -> Findings:
    """What a study finds in what was measured."""
    from twopart.findings import Findings

    tables = tuple(study.tables(found))
    frames = {table.name: table.frame for table in tables}
    drawn = [chart for figure in study.FIGURES if (chart := figure.draw(frames)) is not None]
    return Findings(study.TITLE, study.summary(found), tuple(study.claims(found)), tables, tuple(drawn))


def world_seed(seed: int, study: str, *purpose: str | int) -> int:
    """The seed of the world for this purpose in a run with this seed: 32 bits, so that seeds counted up from it do not meet."""
    from twopart import _random

    return int(_random.keys(seed, 1, "world", study, *purpose)[0] >> 32)


def check_real_data(name: str, value: object) -> None:
    """Refuse a setting that asks for scikit-learn's data where that is not installed; nothing is asked for by what is false."""
    has = not value or find_spec("sklearn") is not None
    check(has, name, value, "off without scikit-learn", "or `pip install 'twopart[images]'`")


def spaced(low: float, high: float, count: int) -> list[int]:
    """At most `count` whole numbers from low to high, each once, their logarithms evenly spread."""
    import numpy as np

    return sorted({int(number) for number in np.geomspace(low, high, count).round()})


def default_folder(name: str) -> Path:
    """Where a study runs when nobody says where."""
    return Path("runs") / place(name).name


def load(name: str) -> Study:
    """The module of a study."""
    return cast(Study, import_module(place(name).module))


def place(name: str) -> Place:
    """Where the study of that name, or in that file, stands."""
    if name.endswith(".py"):
        return _place_of_file(Path(name))
    if name not in places():
        raise InputError(f"there is no study {name!r}; {_nearest(name, list(names()))}")
    return places()[name]


def _place_of_file(file: Path) -> Place:
    """A study in a file of the user's own: its folder ends the path of modules, and so hides nothing that is installed."""
    if (there := kind(file)) != "a file":
        wrong = f"{file} is {there}" if there else f"there is no file {file}"
        raise InputError(f"{wrong}; name a study, or the path of a study's file")
    if (folder := str(file.resolve().parent)) not in sys.path:
        sys.path.append(folder)
    found = Path(str(import_module(file.stem).__file__)).resolve()
    if found != file.resolve():
        raise InputError(f"{file} cannot be imported: {file.stem} is {found}; give the file another name")
    return _place(file, file.stem)


def _place(file: Path, module: str) -> Place:
    return Place(file.stem.replace("_", "-"), file.parent.name, file, module)


def _holds_cells(file: Path) -> bool:
    """Whether the file holds the torch cells of the study beside it."""
    return file.stem.endswith("_cells") and file.with_name(f"{file.stem.removesuffix('_cells')}.py").exists()


def _field_names(record: Any) -> list[str]:
    """The fields of a config and of the records inside it, which the command line shows as flat as the rest."""
    return [field.name for part in records(record) for field in fields(part)]


def _replaced(record: Any, values: Mapping[str, Any]) -> Any:
    """The record with fields changed, wherever in it they stand."""
    own = {field.name: values[field.name] for field in fields(record) if field.name in values}
    inner = {f.name: getattr(record, f.name) for f in fields(record) if f.name not in own}
    changed = {name: _replaced(part, values) for name, part in inner.items() if is_dataclass(part)}
    return replace(record, **own, **changed)


def _nearest(word: str, known: list[str]) -> str:
    """A remedy: the known word that looks most like `word`, or all of them."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there is {', '.join(known)}"

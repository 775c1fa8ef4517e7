"""`twopart run`: its arguments are those of a run, and with a single study the fields of the study's config as well."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields, make_dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from twopart._checks import InputError, check_integer
from twopart._threads import available_cores
from twopart.cli.parsing import Address, Workers, parse
from twopart.cli.run_table import print_claims, print_costs, print_works
from twopart.lab import CellError
from twopart.lab.environment import resolve_device
from twopart.lab.folder import AlreadyRunError
from twopart.lab.rehearsal import rehearse
from twopart.studies import _study


@dataclass(frozen=True)
class Options:
    """What every study can be told."""

    studies: tyro.conf.Positional[tuple[str, ...]] = ()
    """Names of studies, or paths of files that hold one, before any option of a study; `twopart studies` lists them."""
    preset: Literal["tiny", "small", "full"] = "small"
    """How much to run: tiny takes seconds, small minutes, full hours."""
    out: Annotated[
        Path | None, tyro.conf.DisallowNone, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="(default: runs/STUDY)")
    ] = None
    """Run folder. Several studies go to FOLDER/STUDY each."""
    seed: int = 0
    """Root of all random streams, a whole number >= 0."""
    workers: Workers = None
    """Worker processes, >= 1."""
    device: Annotated[str, tyro.conf.arg(metavar="DEVICE")] = "auto"
    """Where to train: auto (a GPU if there is one), cpu, cuda or cuda:N."""
    executor: Literal["processes", "ray"] = "processes"
    """What computes: worker processes of this machine, or a Ray cluster (`pip install 'twopart[cluster]'`)."""
    address: Address = None
    """The Ray cluster, with --executor ray; auto finds the one that this machine is part of."""
    shared: Annotated[
        Path | None,
        tyro.conf.DisallowNone,
        tyro.conf.arg(metavar="FOLDER", help_behavior_hint="(default: in the run folder, or on the node)"),
    ] = None
    """A folder that all machines share, for checkpoints: a cell whose node has died goes on elsewhere."""
    rehearse: bool = False
    """Try each kind of cell first, and ask the cluster for the memory that it takes."""
    dry_run: bool = False
    """List the cells, try each kind for about two seconds, and print what time and memory all would take; keep nothing."""
    resume: bool = False
    """Continue the run in that folder: what was finished is kept."""

    def __post_init__(self) -> None:
        check_integer("--seed", self.seed, 0, 2**63 - 1, "any other whole number names another run")
        if self.workers is not None:
            check_integer("--workers", self.workers, 1, None, "1 runs one cell after the other")


def main(arguments: Sequence[str]) -> int:
    options, chosen = _parse(arguments)
    if options.dry_run:
        for name, config in chosen:
            _rehearse(name, config, options)
        return 0
    try:
        failed = [_run(name, config, options, len(chosen) > 1) for name, config in chosen]
    except KeyboardInterrupt:
        print(f"\ninterrupted; what was finished is kept. To continue:\n{_resume(arguments)}", file=sys.stderr)
        return 130
    except AlreadyRunError as error:
        remedy = f"continue it with `{_resume(arguments)}`, or choose another folder with --out"
        raise InputError(f"{error.folder} holds this run already; {remedy}") from None
    except CellError as error:
        print(f"twopart: {error}\nWhat was finished is kept. To continue:\n{_resume(arguments)}", file=sys.stderr)
        return 70
    return int(any(failed))


def _rehearse(name: str, config: Any, options: Options) -> None:
    """Say what would be run, then try each kind of cell for a moment and say what it takes."""
    works = list(_study.load(name).cells(config, options.seed))
    where, workers = _study.place(name), options.workers or available_cores()
    print_works(where.name, works)
    device = resolve_device(options.device)
    costs = rehearse(works, study=where.name, module=where.module, device=device, workers=workers)
    print_costs(costs, workers)


def _run(name: str, config: Any, options: Options, several: bool) -> bool:
    """Run one study, print its claims; whether a claim fails."""
    out = options.out or _study.default_folder(name)
    if several and options.out:
        out /= _study.place(name).name
    findings = _study.run_config(
        name,
        config,
        out,
        seed=options.seed,
        resume=options.resume,
        workers=options.workers,
        device=options.device,
        executor=options.executor,
        address=options.address,
        shared=options.shared,
        rehearsal=options.rehearse,
    )
    print_claims(findings)
    print(f"report: {out / 'index.html'}")
    return bool(findings.failed)


def _parse(arguments: Sequence[str]) -> tuple[Options, list[tuple[str, Any]]]:
    """The options, and each study with its config."""
    named = list(dict.fromkeys(_named(arguments)))
    asks_help = "-h" in arguments or "--help" in arguments
    if not named and not asks_help:
        raise InputError(f"name a study to run: {', '.join(_study.names())}; see `twopart run --help`")
    for name in named:
        _study.question(name)  # refuses a name that is none
    if len(named) != 1:
        listed = "\n".join(f"  {name}: {_study.question(name)}" for name in _study.names())
        about = f"Run studies and write a report for each.\n\nStudies:\n{listed}\n\n{_examples('data-law')}"
        options = parse(Options, arguments, "twopart run", about)
        return options, [(name, _study.config(name, options.preset)) for name in named]
    return _parse_one(named[0], arguments)


def _parse_one(name: str, arguments: Sequence[str]) -> tuple[Options, list[tuple[str, Any]]]:
    config = _study.config(name, _preset(arguments))
    both: Any = make_dataclass("Run", [("run", Options), ("study", type(config))], frozen=True)
    about = f"{_study.question(name)}\n\nThe defaults of the study options are those of the chosen preset.\n\n{_examples(name)}"
    parsed: Any = parse(both, arguments, f"twopart run {name}", about, default=both(Options(), config))
    return parsed.run, [(name, parsed.study)]


def _examples(name: str) -> str:
    return f"""Examples:
  twopart run {name} --preset tiny
  twopart run {name} --preset full --dry-run
  twopart run {name} --out runs/other --seed 1 --workers 4
  twopart run {name} --out runs/other --seed 1 --workers 4 --resume"""


_FLAGS = frozenset({"--dry-run", "--resume", "--rehearse", "--help", "-h"})
_VALUED = frozenset("--" + field.name.replace("_", "-") for field in fields(Options)) - _FLAGS


def _named(arguments: Sequence[str]) -> list[str]:
    """The studies named before the first option that is not a run's own: the options of a study depend on which it is."""
    named: list[str] = []
    rest = iter(arguments)
    for word in rest:
        option, equals, _ = word.replace("_", "-").partition("=")
        if not word.startswith("-"):
            named.append(word)
        elif option in _VALUED:
            if not equals:
                next(rest, None)
        elif option not in _FLAGS:
            break
    return named


def _preset(arguments: Sequence[str]) -> str:
    """The value of --preset; the parser judges it afterwards, so a bad one gives the defaults' preset here."""
    words = [*arguments, ""]
    given = [following for word, following in pairwise(words) if word == "--preset"]
    given += [word.partition("=")[2] for word in arguments if word.startswith("--preset=")]
    return given[-1] if given and given[-1] in _study.PRESET_NAMES else "small"


def _resume(arguments: Sequence[str]) -> str:
    """The command that continues the run, to be pasted into the same shell."""
    program = [sys.argv[0]]
    if Path(sys.argv[0]).name == "__main__.py":
        program = [sys.executable, "-m", "twopart"]
    elif shutil.which("twopart") == sys.argv[0]:
        program = ["twopart"]
    flag = [] if "--resume" in arguments else ["--resume"]
    return shlex.join([*program, "run", *arguments, *flag])

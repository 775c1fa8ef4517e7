"""Rehearsal: what `--dry-run` foretells for a cell, against the same cell run to its end. Ten minutes or so.

Of each kind of cell of each study's `small` the middle one in their order, rehearsed before and after it runs: a machine that
others use drifts, and both feel the mean of it. The worker has run a cell of that kind of `tiny` before.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterable, Iterator
from itertools import groupby

from benchmarks._table import Row, seconds
from twopart.lab import Lab, Work
from twopart.lab.rehearsal import rehearse
from twopart.studies._study import load, place, places


def run() -> Iterator[Row]:
    for name in places():
        study = load(name)
        works = study.cells(study.PRESETS["small"], 0)
        for function, alike in groupby(works, key=lambda work: work.function):
            kind = list(alike)
            yield _row(name, function, kind[len(kind) // 2], study.cells(study.PRESETS["tiny"], 0))


def _row(study: str, function: str, work: Work, tiny: Iterable[Work]) -> Row:
    module = place(study).module

    def foretold() -> float:
        return next(cost.seconds for _, cost in rehearse([work], study=study, module=module))

    one = Work(work.function, work.case, after=work.after, version=work.version)
    with (
        tempfile.TemporaryDirectory() as folder,
        Lab(folder, study=study, module=module, workers=1, progress="none") as lab,
    ):
        list(lab.run([*work.after, *[other for other in tiny if other.function == function][:1]]))
        before = foretold()
        taken = seconds(lambda: list(lab.run([one])))
        expected = statistics.mean((before, foretold()))
    return Row(f"{study}: {function}", f"{expected:.1f} s", f"{taken:.1f} s taken", expected / taken, "0.7 to 1.3")

"""The whole probe: facts are asked of one model or two, and studied."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twopart._checks import InputError, check_integer
from twopart.findings import Shown
from twopart.tools.probe.analysis import RESAMPLES, Studied, study
from twopart.tools.probe.answers import Asker
from twopart.tools.probe.asking import Asking, Progress, ask, averaged
from twopart.tools.probe.compare import Compared
from twopart.tools.probe.facts import Facts


@dataclass(frozen=True, eq=False)
class Probed(Shown, told_by="twopart.tools.probe.findings"):
    """What a model knows, by template, and what another one has lost of it."""

    name: str
    """Of the facts."""
    studied: tuple[Studied, ...]
    compared: tuple[Compared, ...]
    mean: Studied | None = None
    """The mean of the templates' probabilities, where there are several: shown beside them, not judged."""

    @property
    def model(self) -> str:
        return self.studied[0].asking.model

    @property
    def rows(self) -> tuple[Studied, ...]:
        """The templates, then their mean."""
        return self.studied if self.mean is None else (*self.studied, self.mean)

    def as_dict(self) -> dict[str, Any]:
        """Every number with its interval, in JSON's terms: what is not finite is None."""
        return {
            "facts": self.name,
            "model": self.model,
            "templates": [_plain(t) for t in self.studied],
            "mean of templates": None if self.mean is None else _plain(self.mean),
            "against": [{**_plain(p.after), "lost by frequency": p.strata.to_dicts()} for p in self.compared],
        }


def probe(
    asker: Asker,
    facts: Facts,
    *,
    against: Sequence[Asker] = (),
    name: str = "facts",
    seed: int = 0,
    resamples: int = RESAMPLES,
    folder: str | Path | None = None,
    progress: Progress | None = None,
) -> Probed:
    """Ask for the facts, and study the answers; `against` are models that are asked the same, and compared with the first.

    With a `folder`, answers are kept there as they come, and are not asked for again. `seed` invents twins, halves the
    subjects and draws the `resamples` (>= 2). Raises `InputError` for fewer than ten facts.
    """
    check_integer("resamples", resamples, 2, None, "200 is customary")
    if len(facts) < 10:
        raise InputError(f"there are {len(facts)} facts; ten are the least of which anything can be said")
    place = None if folder is None else Path(folder)

    def studied(askings: Sequence[Asking]) -> list[Studied]:
        return [study(asking, seed=seed, resamples=resamples) for asking in askings]

    asked, *others = (ask(one, facts, seed=seed, folder=place, progress=progress) for one in (asker, *against))
    first, mean = studied(asked), studied([averaged(asked)] if len(asked) > 1 else [])
    pairs = [Compared(*pair) for other in others for pair in zip(first, studied(other), strict=True)]
    return Probed(name, tuple(first), tuple(pairs), *mean)


def _plain(t: Studied) -> dict[str, Any]:
    numbers = {
        n: {"value": _finite(v), "interval": [_finite(e) for e in t.estimate(n).ends]} for n, v in t.values.items()
    }
    strata = [{k: _finite(v) for k, v in row.items()} for row in t.strata.to_dicts()]
    about = {
        "template": t.asking.template,
        "model": t.asking.model,
        "anchored": not t.learned.why,
        "not anchored because": t.learned.why,
    }
    return {**about, "numbers": numbers, "strata": strata}


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value

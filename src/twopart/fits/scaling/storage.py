"""A law as a file: law.json, whose schema law.schema.json lies beside this module for other tools to read.

Parameters are stored by name in the formula's own units, the covariance in coordinates (logarithms of what is
positive), and enough draws that intervals of plans survive: every k-th of the fit's, up to `DRAWS`. Numbers of draws
keep 9 digits.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from twopart._checks import InputError, check
from twopart._files import check_source
from twopart.fits.scaling.curve import Curve
from twopart.fits.scaling.forms import FORMS

C = TypeVar("C", bound=Curve)

FORMAT = "twopart scaling law 1"
DRAWS = 500


def schema() -> dict[str, Any]:
    """The JSON schema of law.json."""
    found: dict[str, Any] = json.loads(files("twopart.fits.scaling").joinpath("law.schema.json").read_text())
    return found


def to_json(law: Curve) -> dict[str, Any]:
    kept = law.draws[:: max(1, -(-len(law.draws) // DRAWS))]
    covariance = np.cov(law.draws.T) if len(law.draws) > 1 else np.zeros((len(law.theta), len(law.theta)))
    return {
        "format": FORMAT,
        "form": law.form.name,
        "formula": law.form.formula,
        "source": law.form.source,
        "inputs": list(law.form.inputs),
        "unit": law.unit,
        "parameters": law.parameters,
        "intervals": {name: list(law.interval(name)) for name in law.form.parameters} if len(law.draws) else {},
        "level": 0.95,
        "covariance": getattr(law, "covariance", covariance).tolist(),
        "coordinates": [f"ln {name}" if name in law.form.positive else name for name in law.form.parameters],
        "draws": [[float(f"{value:.9g}") for value in row] for row in law.form.natural(kept)],
        "ranges": {name: list(ends) for name, ends in law.ranges.items()},
        "scatter": [float(f"{value:.9g}") for value in np.quantile(law.scatter, np.linspace(0, 1, 101))],
        "runs": len(law.scatter),
        "notes": list(getattr(law, "notes", ())),
    }


def from_json(kind: type[C], data: Any) -> C:
    """The curve in `data`, as a `kind`."""
    try:
        check(data["format"] == FORMAT, "format", data["format"], repr(FORMAT), "write the law anew")
        form = FORMS[data["form"]]
        point = np.array([float(data["parameters"][name]) for name in form.parameters])
        draws = np.array(data["draws"], float).reshape(-1, len(form.parameters))
        ranges = {name: (float(low), float(high)) for name, (low, high) in data["ranges"].items()}
        scatter = np.array(data["scatter"], float)
        theta, coordinates = form.coordinates(point), form.coordinates(draws)
        check(bool(np.all(np.isfinite(theta))), "parameters", data["parameters"], "finite", "write the law anew")
        return kind(form, theta, coordinates, str(data["unit"]), ranges, scatter)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"`law` must be after twopart/fits/scaling/law.schema.json, got {error!r}; fit it anew"
        ) from error


def read(kind: type[C], path: str | Path) -> C:
    """The curve in a file, as a `kind`."""
    check_source(path, "name a law.json")
    try:
        data = json.loads(Path(path).read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(
            f"`path` must be a law.json, got {str(path)!r} ({error}); `ScalingFit.write` makes one"
        ) from error
    return from_json(kind, data)

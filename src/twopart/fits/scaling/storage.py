"""A law as a file: law.json, whose schema law.schema.json lies beside this module for other tools to read.

What a law is made of, its point and enough draws that intervals of plans survive (every k-th of the fit's, up to `DRAWS`), is
stored in coordinates: logarithms of what is positive, so that an amplitude of e^1000 or a floor of 0 can be written, null
for ln 0, and to the last digit. What can be read off it, parameters and intervals, is beside it in the formula's own units,
null where no floating-point number is as large. A law that was read is written as it was. Files of format 1, or written by
hand, may have `parameters` alone; their draws are in the formula's units.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from twopart._checks import InputError, check, check_choice
from twopart._files import check_source
from twopart.fits.scaling.curve import Curve
from twopart.fits.scaling.forms import FORMS, Form
from twopart.fits.scaling.runs import UNITS

C = TypeVar("C", bound=Curve)
Floats = NDArray[np.float64]

FORMATS = ("twopart scaling law 1", "twopart scaling law 2")
DRAWS = 500
QUANTILES = 101
SAID = ("level", "intervals", "covariance", "runs", "notes")
"""What a file says that its law, without the runs, could not."""


def schema() -> dict[str, Any]:
    """The JSON schema of law.json."""
    found: dict[str, Any] = json.loads(files("twopart.fits.scaling").joinpath("law.schema.json").read_text())
    return found


def to_json(law: Curve) -> dict[str, Any]:
    """A law as plain data: finite numbers and null."""
    kept = law.draws[:: max(1, -(-len(law.draws) // DRAWS))]
    scatter = np.sort(law.scatter)
    if len(scatter) > QUANTILES:
        scatter = np.quantile(scatter, np.linspace(0, 1, QUANTILES))
    data = {
        "format": FORMATS[-1],
        "form": law.form.name,
        "formula": law.form.formula,
        "source": law.form.source,
        "inputs": list(law.form.inputs),
        "unit": law.unit,
        "parameters": law.parameters,
        "intervals": {name: list(law.interval(name)) for name in law.form.parameters} if len(law.draws) else {},
        "level": 0.95,
        "coordinates": [f"ln {name}" if name in law.form.positive else name for name in law.form.parameters],
        "point": law.theta.tolist(),
        "covariance": _covariance(law).tolist(),
        "draws": kept.tolist(),
        "ranges": {name: list(ends) for name, ends in law.ranges.items()},
        "scatter": scatter.tolist(),
        "runs": len(law.scatter),
        "notes": list(getattr(law, "notes", ())),
    }
    finite: dict[str, Any] = _finite({**data, **law.said})
    return finite


def _covariance(law: Curve) -> Floats:
    """A fit's own; else that of the draws, which has no number for a logarithm of 0."""
    if hasattr(law, "covariance"):
        return np.asarray(law.covariance)
    if len(law.draws) < 2:
        return np.zeros((len(law.theta), len(law.theta)))
    with np.errstate(invalid="ignore"):
        return np.asarray(np.cov(law.draws.T))


def _finite(value: Any) -> Any:
    """Null for what JSON has no number for."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def from_json(kind: type[C], data: Any) -> C:
    """The curve in `data`, as a `kind`."""
    try:
        check(data["format"] in FORMATS, "format", data["format"], repr(FORMATS[-1]), "write the law anew")
        form = FORMS[data["form"]]
        theta, draws = _point(form, data), _draws(form, data)
        ranges = {name: (float(low), float(high)) for name, (low, high) in data.get("ranges", {}).items()}
        sound = all(0 < low <= high < np.inf for low, high in ranges.values())
        check(sound, "ranges", ranges, "from a least value > 0 to a greatest", "write the law anew")
        unit = check_choice("unit", data.get("unit", "nats"), tuple(UNITS))
        scatter = np.array(data.get("scatter", [0.0]), float)
        said = {name: data[name] for name in SAID if name in data}
        return kind(form, theta, draws, unit, ranges, scatter, said)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"`law` must be after twopart/fits/scaling/law.schema.json, got {error!r}; fit it anew"
        ) from error


def _point(form: Form, data: Any) -> Floats:
    """θ; only the floor may be 0, as a law without another term splits nothing."""
    if "point" in data:
        theta = np.array([-np.inf if one is None else float(one) for one in data["point"]])
    else:
        theta = form.coordinates(np.array([float(data["parameters"][name]) for name in form.parameters]))
    sound = theta.shape == (len(form.parameters),) and (np.isfinite(theta) | ((theta == -np.inf) & form.is_floor))
    remedy = "only a floor may be 0; write the law anew"
    check(bool(np.all(sound)), "parameters", data.get("parameters"), "finite, and > 0 where the form needs it", remedy)
    return theta


def _draws(form: Form, data: Any) -> Floats:
    rows = [[-np.inf if one is None else float(one) for one in row] for row in data.get("draws", [])]
    draws = np.array(rows, float).reshape(-1, len(form.parameters))
    if data["format"] == FORMATS[0]:
        draws = form.coordinates(draws)
    sound = bool(np.all(np.isfinite(draws) | ((draws == -np.inf) & form.logarithmic)))
    check(sound, "draws", "one that is not", "parameters of the form", "write the law anew")
    return draws


def read(kind: type[C], path: str | Path) -> C:
    """The curve in a file, as a `kind`."""
    if Path(path).exists():  # what is missing is told below
        check_source(path, "name a law.json")
    try:
        data = json.loads(Path(path).read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(
            f"`path` must be a law.json, got {str(path)!r} ({error}); `ScalingFit.write` makes one"
        ) from error
    return from_json(kind, data)

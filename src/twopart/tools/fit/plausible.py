"""Whether sizes, tokens, compute and losses can be what they are taken for: told with the unit that they are likely in.

A file that says its compute in operations contradicts sizes in unnamed units: C is about 6 N D. Where another unit would set
that right the table is refused; all else is told.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twopart._checks import InputError
from twopart.tools.fit.columns import Found, option

Floats = NDArray[np.float64]

FLOPS = 6.0  # per parameter and token
APART = 3.005  # C may differ so much from 6 N D: attention, embeddings, recomputation, the forward pass alone
FAR = 300.0  # beyond this it is a unit, not a way to count
USUAL = {"params": (1e6, 1e13), "tokens": (1e8, 1e15), "flops": (1e17, 1e27)}
"""Where the medians of tables lie."""
POSSIBLE = {"params": (1e4, 1e14), "tokens": (1e5, 1e17), "flops": (1e9, 1e32)}
"""Medians beyond are those of no table."""
COUNTS = {"": 1.0, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
COMPUTE = {"": 1.0, "GFLOP": 1e9, "TFLOP": 1e12, "PFLOP": 1e15, "EFLOP": 1e18, "ZFLOP": 1e21, "PFLOP-days": 8.64e19}
SCALES = {"params": COUNTS, "tokens": COUNTS, "flops": COMPUTE}


def doubts(path: Path, columns: dict[str, Floats], found: dict[str, Found], explicit: frozenset[str]) -> list[str]:
    """What to say about the units; an error where the table contradicts itself and another unit would set it right."""
    said = [words for role in USUAL if role in columns for words in _size(role, columns[role], found.get(role))]
    if set(found) >= {"params", "tokens", "flops"} <= set(columns):
        said = _compute(path, columns, found, explicit) + said
    return said


def _size(role: str, values: Floats, found: Found | None) -> list[str]:
    middle = float(np.median(values))
    if POSSIBLE[role][0] <= middle <= POSSIBLE[role][1]:
        return []
    least, most = float(values.min()), float(values.max())
    what = f"{role}: {least:.3g} to {most:.3g} {'is compute' if role == 'flops' else 'are sizes'} that no model has"
    if found is None:
        return [f"{what}: they follow from the other two, whose units may be missing"]
    if middle > POSSIBLE[role][1]:
        return [f"{what}; see to the unit of {found.column!r}"]
    if found.unit.base is None and least >= 4 and most <= 16 and most < 1.6 * least:
        return [f"{what}: if they are logarithms, say {_naming(role, found, 'log10')}"]
    scales = sorted(SCALES[role].items(), key=lambda one: one[1])
    likely = next((name for name, scale in scales if middle * scale >= USUAL[role][0]), scales[-1][0])
    return [f"{what}: if they are in {likely}, say {_naming(role, found, likely)}"]


def _naming(role: str, found: Found, unit: str) -> str:
    return f"{option(role)} '{found.column} ({unit})'"


def _compute(path: Path, columns: dict[str, Floats], found: dict[str, Found], explicit: frozenset[str]) -> list[str]:
    ratios = columns["flops"] / (FLOPS * columns["params"] * columns["tokens"])
    middle = float(np.median(ratios))
    if 1 / APART <= middle <= APART:
        far = int(np.sum((ratios > APART) | (ratios < 1 / APART)))
        return [f"flops: {far} of {len(ratios)} runs are beyond a factor of {APART:g} from 6 N D"] if far else []
    what = f"flops is {middle:.3g} times 6 N D in the median run"
    if not 1 / FAR <= middle <= FAR and (likely := _likely(columns, middle, explicit)):
        remedy = " ".join(_naming(role, found[role], unit) for role, unit in likely.items())
        words = " and ".join(f"{role} in {unit}" for role, unit in likely.items())
        raise InputError(f"{path}: {what}, so a unit is missing: {words} would agree; say so with {remedy}")
    return [f"{what}: they are counted in other ways, or a unit is missing"]


def _likely(columns: dict[str, Floats], ratio: float, explicit: frozenset[str]) -> dict[str, str] | None:
    """The units that make 6 N D of C, with the most usual sizes; those that the table says are not changed."""
    choices = [{"": 1.0} if role in explicit else scales for role, scales in SCALES.items()]
    best: tuple[float, dict[str, str]] | None = None
    for names in product(*choices):
        n, d, c = (scales[name] for scales, name in zip(choices, names, strict=True))
        if not 1 / APART <= ratio * c / (n * d) <= APART or not any(names):
            continue
        odd = sum(_oddness(role, float(np.median(columns[role])) * s) for role, s in (("params", n), ("tokens", d)))
        odd += 0.1 * sum(map(bool, names))
        if best is None or odd < best[0]:
            best = odd, {role: name for role, name in zip(SCALES, names, strict=True) if name}
    return best[1] if best else None


def _oddness(role: str, middle: float) -> float:
    """Decades between a median and the usual ones."""
    low, high = USUAL[role]
    return float(max(np.log10(low / middle), np.log10(middle / high), 0.0))

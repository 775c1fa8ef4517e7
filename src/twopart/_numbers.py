"""Numbers as a reader wants them: four significant digits, thousands apart, a real minus, powers of ten as 1.2×10⁻⁵."""

from __future__ import annotations

import math
from collections.abc import Sequence

DIGITS = 4
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MISSING = "–"


def show(value: float | None) -> str:
    """One number by itself."""
    if value is None:
        return MISSING
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e7):
        return _minus(f"{value:,.0f}" if isinstance(value, float) else f"{value:,}")
    return _special(value) or _scientific(value) or _fixed(value, _needed([value], _decimals(value)))


def show_column(values: Sequence[float | None]) -> list[str]:
    """Numbers below each other: with the same decimals where they span less than a factor of a thousand."""
    sizes = [abs(v) for v in values if v is not None and math.isfinite(v) and v != 0]
    plain = bool(sizes) and max(sizes) < 1e7 and min(sizes) >= 1e-4 and max(sizes) / min(sizes) < 1000
    if not plain:
        return [show(value) for value in values]
    decimals = _needed(values, _decimals(max(sizes)))
    return [MISSING if v is None else _special(v) or _fixed(v, decimals) for v in values]


def _needed(values: Sequence[float | None], most: int) -> int:
    """The fewest decimals, up to `most`, that show every value as well as `most` do."""
    finite = [v for v in values if v is not None and math.isfinite(v)]
    exact = [round(v, most) for v in finite]
    return next(d for d in range(most + 1) if all(round(v, d) == e for v, e in zip(finite, exact, strict=True)))


def _special(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "" if math.isfinite(value) else _minus("∞" if value > 0 else "-∞")


def _scientific(value: float) -> str:
    """Empty where plain digits read better."""
    if 1e-4 <= abs(value) < 1e7:
        return ""
    mantissa, exponent = f"{value:.{DIGITS - 1}e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{_minus(mantissa)}×10{str(int(exponent)).translate(SUPERSCRIPT)}"


def _fixed(value: float, decimals: int) -> str:
    return _minus(f"{value:,.{decimals}f}")


def _decimals(value: float) -> int:
    """Decimals that show `DIGITS` significant digits."""
    return max(0, DIGITS - 1 - math.floor(math.log10(abs(value))))


def _minus(text: str) -> str:
    return text.replace("-", "−")

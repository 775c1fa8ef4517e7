"""Numbers as they are shown: read back, they agree with what was measured to the digits shown."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twopart._numbers import show, show_column

PLAIN = str.maketrans("−⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "--0123456789")


def read(text: str) -> float:
    """An independent reading of what a person sees."""
    mantissa, _, power = text.translate(PLAIN).replace(",", "").replace("∞", "inf").partition("×10")
    return float(mantissa) * 10.0 ** int(power or 0)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.5, "0.5"),
        (-0.48731, "−0.4873"),
        (1234567, "1,234,567"),
        (1234567.0, "1,234,567"),
        (23.4, "23.4"),
        (1234.567, "1,235"),
        (1.13e-5, "1.13×10⁻⁵"),
        (-6.02214e23, "−6.022×10²³"),
        (2**48, "281,474,976,710,656"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (math.nan, "NaN"),
        (None, "–"),
    ],
)
def test_how_numbers_look(value: float | None, text: str) -> None:
    assert show(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300))
def test_a_number_shown_is_right_to_four_digits(value: float) -> None:
    assert read(show(value)) == pytest.approx(value, rel=5.1e-4, abs=1e-320)


@given(st.lists(st.floats(width=32) | st.integers(-(10**12), 10**12) | st.none(), max_size=20))
def test_a_column_shown_is_right_to_four_digits_of_its_largest(values: list[float | None]) -> None:
    known = [abs(v) for v in values if v is not None and math.isfinite(v) and v]
    for value, text in zip(values, show_column(values), strict=True):
        if value is None or math.isnan(value):
            assert text == ("–" if value is None else "NaN")
        else:
            near = max(known) if known and max(known) < 1000 * min(known) else abs(value)
            assert read(text) == pytest.approx(value, rel=5.1e-4, abs=5.1e-4 * near if known else 0)


def test_columns_line_up_and_carry_no_needless_zeros() -> None:
    assert show_column([0.3, 0.5, 0.8]) == ["0.3", "0.5", "0.8"]
    assert show_column([-0.74, -0.512, math.nan, None]) == ["−0.740", "−0.512", "NaN", "–"]
    assert show_column([1, 20, 300]) == ["1", "20", "300"]
    assert show_column([1e-7, 1.0, 1e9]) == ["1×10⁻⁷", "1", "1×10⁹"]

"""Errors of arguments."""

import numpy as np
import pytest

from twopart._checks import InputError, check


def test_an_array_is_shown_in_one_short_line():
    with pytest.raises(InputError) as caught:
        check(False, "x", np.arange(1000.0).reshape(10, 100), "finite", "drop those rows")
    said = str(caught.value)
    assert said.startswith("`x` must be finite, got array([[  0.,   1.,")
    assert said.endswith("...; drop those rows")
    assert "\n" not in said
    assert len(said) < 200


def test_a_short_array_is_shown_whole():
    with pytest.raises(InputError, match=r"got array\(\[1., 2.\]\); sort"):
        check(False, "x", np.array([1.0, 2.0]), "falling", "sort it")

"""Colours are told apart by people who see colours otherwise, and text stands out from its ground. Computed here, from the
published definitions: WCAG 2.2 for contrast; Machado, Oliveira, Fernandes (IEEE TVCG 15, 2009), full severity, for vision;
CIELAB under D65 for distances, in which 2.3 is just noticeable."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from twopart.report import theme

VISION = {
    "usual": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
APART = 5 * 2.3  # five times the just noticeable difference


def linear(colour: str) -> NDArray[np.float64]:
    s = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    dark, bright = sorted(float(linear(colour) @ TO_XYZ[1]) for colour in (one, other))
    return (bright + 0.05) / (dark + 0.05)


def lab(colour: str, vision: str) -> NDArray[np.float64]:
    xyz = TO_XYZ @ (VISION[vision] @ linear(colour)).clip(0, 1) / [0.95047, 1.0, 1.08883]
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def nearest(colours: list[str], vision: str) -> float:
    return min(float(np.linalg.norm(lab(a, vision) - lab(b, vision))) for a, b in combinations(colours, 2))


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("side", [0, 1], ids=["light", "dark"])
def test_the_palette_is_told_apart(side: int, vision: str) -> None:
    lines = [colour[side] for colour in (*theme.PALETTE.values(), theme.COLOURS["ink"])]
    assert nearest(lines, vision) > APART


def test_the_measure_sees_what_people_confuse() -> None:
    confused = ["#d62728", "#8c6d00"]  # a red and an olive of the same lightness
    assert nearest(confused, "usual") > 40
    assert nearest(confused, "deuteranopia") < APART


@pytest.mark.parametrize("side", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["ink", "soft", "link", "holds", "fails", "inconclusive"])
def test_text_stands_out(name: str, side: int) -> None:
    for ground in ("paper", "panel"):
        assert contrast(theme.COLOURS[name][side], theme.COLOURS[ground][side]) >= 4.5


def test_contrast_of_known_pairs() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # WebAIM's contrast checker


def test_every_light_colour_has_one_variable() -> None:
    """Otherwise a specification's colour could not be translated."""
    lights = [colour.light for colour in theme.COLOURS.values()]
    assert len(set(lights)) == len(lights)
    assert theme.css_variables().count("--ink:#1b1f24") == 2  # for light screens, and for paper

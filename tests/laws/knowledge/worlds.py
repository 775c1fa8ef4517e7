"""Worlds that every law is tried on: discounts, concentrations, unlike attributes, equal frequencies."""

import pytest

from twopart.worlds import Attribute, SyntaxKnowledge

ATTRIBUTES = (
    Attribute("a", values=16, templates=5),
    Attribute("b", values=4, templates=2, base=(0.1, 0.2, 0.3, 0.4)),
    Attribute("c", values=100, templates=1),
)
PI = (0.6, 0.3, 0.1)
LAWS = [(0.0, 2.0), (0.3, 0.0), (0.5, 1.0), (0.5, 300.0), (0.8, -0.4), (0.9, 1.0)]

WORLDS = {f"d={d} θ={theta}": SyntaxKnowledge(d, theta, ATTRIBUTES, PI) for d, theta in LAWS} | {
    "equal": SyntaxKnowledge(attributes=ATTRIBUTES, attribute_probabilities=PI, population=50),
    "biography": SyntaxKnowledge(),
}

every_world = pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS.keys())

"""The capacity law against brute-force optimisation, sampled measures, and its own limits."""

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, minimize

from twopart.laws import capacity_law
from twopart.laws.syntax import template_redundancy
from twopart.worlds import Attribute, KnownEntities, PitmanYor, SyntaxKnowledge

ATTRIBUTES = (
    Attribute("a", values=16, templates=5),
    Attribute("b", values=4, templates=2, base=(0.1, 0.2, 0.3, 0.4)),
    Attribute("c", values=100, templates=1),
)
PI = (0.6, 0.3, 0.1)


def worlds():
    for discount, concentration in [(0.0, 2.0), (0.3, 0.0), (0.5, 1.0), (0.5, 300.0), (0.8, -0.4), (0.9, 1.0)]:
        yield pytest.param(SyntaxKnowledge(discount, concentration, ATTRIBUTES, PI), id=f"{discount},{concentration}")
    yield pytest.param(SyntaxKnowledge(attributes=ATTRIBUTES, attribute_probabilities=PI, population=50), id="equal")
    yield pytest.param(SyntaxKnowledge(), id="biography")


every_world = pytest.mark.parametrize("world", list(worlds()))


@pytest.mark.parametrize("bits", [0.0, 3.0, 11.0, 25.0, 47.0, 70.0])
def test_a_brute_force_optimiser_finds_no_better_and_no_other(bits):
    """Explicit items: 7 entities x 3 attributes and two sets of templates, all bits free to go anywhere (SLSQP)."""
    weights = np.array([0.4, 0.25, 0.15, 0.09, 0.06, 0.04, 0.01])
    world = SyntaxKnowledge(0.5, 1.0, ATTRIBUTES, PI)
    law = capacity_law(world, bits, KnownEntities(weights, PitmanYor(0.5, 1.0)))
    entropy = np.array([a.entropy() for a in ATTRIBUTES])
    free = np.array([4, 1])
    prior = np.array([float(template_redundancy(m, 0.5, 0)) for m in (5, 2)])
    slope = np.outer(weights, PI).ravel()
    size = np.tile(entropy, len(weights))

    def paid(held):
        syntax = PI[:2] * prior * 2 ** (-2 * held[-2:] / free)
        return slope @ (size - held[:-2]) + syntax.sum()

    upper = np.append(size, [60.0, 60.0])
    best = min(
        minimize(
            paid,
            start,
            method="SLSQP",
            bounds=[(0, u) for u in upper],
            constraints=LinearConstraint(np.ones(len(upper)), -np.inf, bits),
            options={"ftol": 1e-13, "maxiter": 2000},
        ).fun
        for start in (np.zeros(len(upper)), upper * bits / upper.sum())
    )
    assert float(law.total) == pytest.approx(best, abs=2e-7)

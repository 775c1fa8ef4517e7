"""Every entity from a probability on, against draws of the same measure and the law of all measures."""

from __future__ import annotations

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.worlds import PitmanYor, RandomMeasure

SIGMAS = 5.0  # two-sided one in a million is 4.9
LAWS = [PitmanYor(0.0, 30.0), PitmanYor(0.3, 1.0), PitmanYor(0.6, 200.0), PitmanYor(0.8, 1.0), PitmanYor(0.5, 2e4)]
each_law = pytest.mark.parametrize("law", LAWS, ids=str)


@each_law
def test_they_are_those_that_draws_meet(law: PitmanYor) -> None:
    """To the bit; the last law's blocks have thousands of sticks, most of them far from the node's beginning."""
    measure = law.measure(4)
    ids, p = measure.draw_with_probability(100_000)
    least = float(np.quantile(p, 0.2))
    found, probabilities = measure.atoms(least)
    assert len(np.unique(found)) == len(found)
    assert probabilities.min() >= least
    assert np.all(np.diff(probabilities) <= 0)
    known = dict(zip(found.tolist(), probabilities.tolist(), strict=True))
    for entity, probability in zip(ids.tolist(), p.tolist(), strict=True):
        assert known.get(entity) == (probability if probability >= least else None)


@each_law
def test_how_many_there_are_and_their_mass(law: PitmanYor) -> None:
    least = 1e-4
    found = [law.measure(seed).atoms(least)[1] for seed in range(100)]
    for values, expected in (
        ([len(p) for p in found], law.atoms_above(least)),
        ([p.sum() for p in found], 1 - law.mass_below(least)),
    ):
        assert abs(np.mean(values) - expected) < SIGMAS * np.std(values) / 10 + 1e-9


def test_bad_input() -> None:
    measure: RandomMeasure = PitmanYor().measure()
    for least in (0.0, 1.5, float("nan")):
        with pytest.raises(InputError, match="least"):
            measure.atoms(least)

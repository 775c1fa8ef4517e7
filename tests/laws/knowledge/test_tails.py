"""Sums over facts above a frequency, against mpmath and against plain sums."""

import mpmath as mp
import numpy as np
import pytest

from twopart.laws.knowledge.tails import Tail
from twopart.worlds import EqualFrequencies, KnownEntities, PitmanYor


def by_mpmath(law, share, n, price):
    """(seen, unknown): 1-p = t^(1/b) takes the power at p = 1 away; elsewhere in ln p, octave by octave."""
    with mp.workdps(20):
        a, b = 1 - mp.mpf(law.discount), mp.mpf(law.concentration) + mp.mpf(law.discount)
        x, share = mp.mpf(price) / share, mp.mpf(share)
        edges = [mp.log(x)]
        while edges[-1] < mp.log(0.5):
            edges.append(min(edges[-1] + 1.5, mp.log(mp.mpf(0.5))))

        def above(f):
            top = min(1 - x, mp.mpf(0.5))
            near_one = mp.quad(lambda t: f(1 - t ** (1 / b)) * (1 - t ** (1 / b)) ** (a - 1) / b, [0, top**b])
            rest = mp.quad(lambda u: f(mp.e**u) * mp.e ** (a * u) * (1 - mp.e**u) ** (b - 1), edges) if x < 0.5 else 0
            return (near_one + rest) / mp.beta(a, b)

        seen = above(lambda p: (1 - (1 - share * p) ** n) / p)
        missed = above(lambda p: (1 - share * p) ** n)
        return float(seen), float(share * (mp.betainc(a, b, 0, x, regularized=True) + missed))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("discount", "concentration"), [(0, 2), (0.3, 0), (0.5, 300), (0.8, -0.4), (0.9, 1), (0.1, -0.09)]
)
@pytest.mark.parametrize(("n", "price"), [(3, 3e-9), (2000, 1e-5), (40, 0.2)])
def test_integrals_against_mpmath(discount, concentration, n, price):
    law, share = PitmanYor(discount, concentration), 0.3
    seen, unknown = Tail(law, share, np.array([5.0, n]), 1e-9)(np.array([1]), np.array([price]))
    assert (seen[0], unknown[0]) == pytest.approx(by_mpmath(law, share, n, price), rel=1e-9)


@pytest.mark.parametrize("law", [PitmanYor(0.0, 2.0), PitmanYor(0.5, 1.0), PitmanYor(0.8, -0.4), PitmanYor(0.5, 1e4)])
def test_endless_sentences_leave_what_is_too_rare(law):
    price = np.array([1e-12, 1e-7, 1e-3, 0.15, 0.29, 0.4])
    seen, unknown = Tail(law, 0.3, np.array([np.inf]), 1e-12)(np.zeros(6, int), price)
    x = np.minimum(price / 0.3, 1)
    assert seen == pytest.approx(law.atoms_above(x), rel=1e-10, abs=1e-12)
    assert unknown == pytest.approx(0.3 * law.mass_below(x), rel=1e-12)


@pytest.mark.parametrize("law", [PitmanYor(0.0, 2.0), PitmanYor(0.5, 1.0), PitmanYor(0.8, -0.4), EqualFrequencies(30)])
@pytest.mark.parametrize("n", [0, 1, 50, 10**7])
def test_free_storage_leaves_what_is_not_told(law, n):
    free = 1e-100  # of what is told, little is rarer: (nλ)^(1-d)
    seen, unknown = Tail(law, 1.0, np.array([float(n)]), free)(np.array([0]), np.array([free]))
    assert unknown[0] == pytest.approx(law.expected_missing_mass(n), rel=1e-9)
    assert seen[0] == pytest.approx(law.expected_distinct(n), rel=1e-9)


def test_atoms_and_the_rest_add_up():
    """Known weights, counted one by one, and a rest whose law is a smaller Pitman-Yor measure."""
    law, weights = PitmanYor(0.5, 1.0), np.array([0.3, 0.2, 0.1])
    known, n, share = KnownEntities(weights, law), 25.0, 0.7
    for price in (0.001, 0.14, 0.15):
        seen, unknown = Tail(known, share, np.array([n]), 1e-6)(np.array([0]), np.array([price]))
        q = share * weights
        rest = Tail(PitmanYor(0.5, 2.5), share * 0.4, np.array([n]), 1e-6)(np.array([0]), np.array([price]))
        stored = q >= price
        assert seen[0] == pytest.approx(np.sum(1 - (1 - q[stored]) ** n) + rest[0][0])
        assert unknown[0] == pytest.approx(q[~stored].sum() + np.sum(q[stored] * (1 - q[stored]) ** n) + rest[1][0])

"""Every exact quantity of Pitman-Yor against sums over the predictive rule and, at the ends of its range, high precision."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worlds.knowledge.partitions import chain, everywhere, name
from twopart.worlds import PitmanYor

f = mpmath.loggamma
EXTREMES = [PitmanYor(d, t) for d in (0.0, 1e-9, 0.5, 0.999) for t in (-d * (1 - 1e-6), 1e-6, 1.0, 1e6, 1e12) if t > -d]
at_the_ends = pytest.mark.parametrize("law", EXTREMES, ids=name)


def exactly(law):
    return mpmath.mpf(law.discount), mpmath.mpf(law.concentration)


# Against the predictive rule


@everywhere
def test_distinct_entities_against_the_chain(law):
    for n in (1, 2, 7, 300):
        assert law.expected_distinct(n) == pytest.approx(np.dot(chain(law, n), np.arange(n + 1)), rel=1e-12)
    assert law.expected_distinct(0) == 0


@everywhere
def test_missing_mass_is_the_probability_of_a_new_entity(law):
    for n in (1, 2, 7, 300):
        new = np.dot(chain(law, n), law.new_probability(n, np.arange(n + 1)))
        assert law.expected_missing_mass(n) == pytest.approx(new, rel=1e-11)


@everywhere
def test_blocks_add_up(law):
    """Σ_j j M_j = n, and Σ_j M_j = K_n."""
    n = 200
    j = np.arange(1, n + 1)
    blocks = law.expected_blocks(j, n)
    assert np.dot(blocks, j) == pytest.approx(n, rel=1e-12)
    assert blocks.sum() == pytest.approx(law.expected_distinct(n), rel=1e-12)
    assert law.expected_blocks(n + 1, n) == 0
    assert law.expected_blocks(1, 0) == 0


@given(st.lists(st.integers(1, 50), max_size=20), st.floats(0, 0.99), st.floats(0.001, 1e3))
@settings(deadline=None, max_examples=50)
def test_predictive_probabilities_add_up(sizes, discount, concentration):
    law, n = PitmanYor(discount, concentration), sum(sizes)
    known = law.predictive(np.array(sizes), n, len(sizes)).sum() if sizes else 0
    assert known + law.new_probability(n, len(sizes)) == pytest.approx(1)


def test_the_first_draw_is_new():
    assert PitmanYor(0.5, 0.0).new_probability(0, 0) == 1
    assert PitmanYor(0.5, -0.2).new_probability(0, 0) == 1


# In high precision


@at_the_ends
def test_closed_forms_at_the_ends(law):
    with mpmath.workdps(60):
        d, t = exactly(law)
        assert law.entropy() == pytest.approx(
            float((mpmath.psi(0, 1 + t) - mpmath.psi(0, 1 - d)) / mpmath.log(2)), rel=1e-13
        )
        for n in (1, 2, 1000, 10**12):
            start = mpmath.exp(f(t + 1) - f(t + d))
            if d == 0:
                distinct = t * (mpmath.psi(0, t + n) - mpmath.psi(0, t))
            else:
                distinct = start * mpmath.exp(f(t + n + d) - f(t + n)) / d - t / d
            missing = start * mpmath.exp(f(t + n + d) - f(t + n + 1))
            assert law.expected_distinct(n) == pytest.approx(float(distinct), rel=1e-12)
            assert law.expected_missing_mass(n) == pytest.approx(float(missing), rel=1e-12)


@at_the_ends
def test_blocks_at_the_ends(law):
    with mpmath.workdps(60):
        d, t = exactly(law)
        for n in (1, 10, 10**6, 10**12):
            for j in sorted({1, 3, 1000, n // 2, n} & set(range(1, n + 1) if n < 1e4 else (1, 3, 1000, n // 2, n))):
                ways = f(n + 1) - f(j + 1) - f(n - j + 1)
                exact = ways + f(j - d) - f(1 - d) + f(t + d + n - j) - f(t + d) - f(t + n) + f(t + 1)
                if exact > -600:
                    assert law.expected_blocks(j, n) == pytest.approx(float(mpmath.exp(exact)), rel=1e-11)


@everywhere
@pytest.mark.parametrize("thinning", [0.001, 0.2, 0.999])
def test_thinned_missing_mass_of_few_draws(law, thinning):
    """E[(1 - τ p̃)^n] = 2F1(-n, 1-d; 1+θ; τ), a polynomial with signs in turn: 120 digits."""
    with mpmath.workdps(120):
        d, t = exactly(law)
        terms = [mpmath.binomial(80, i) * (-mpmath.mpf(thinning)) ** i for i in range(81)]
        moments = [mpmath.rf(1 - d, i) / mpmath.rf(1 + t, i) for i in range(81)]
        for n in (0, 1, 10, 80):
            ways = [mpmath.binomial(n, i) / mpmath.binomial(80, i) for i in range(n + 1)]
            exact = mpmath.fsum(w * a * m for w, a, m in zip(ways, terms, moments, strict=False))
            assert law.expected_missing_mass(n, thinning) == pytest.approx(float(exact), rel=1e-11)


@pytest.mark.parametrize("n", [1e3, 1e7, 1e12])
@pytest.mark.parametrize("law", [PitmanYor(d, t) for d in (0.0, 0.5, 0.999) for t in (1e-3, 1.0, 1e6)], ids=name)
def test_thinned_missing_mass_of_many_draws(law, n):
    """By adaptive quadrature of another integral: over s = p^(1-d), without the singularity at 0."""
    with mpmath.workdps(30):
        (d, t), tau = exactly(law), mpmath.mpf("0.3")
        a, b = 1 - d, t + d
        scale = 1 / (n * tau + b + 1)
        ends = [0, *(mpmath.mpf(2) ** i * scale for i in range(-12, 7) if 2**i * scale < 0.5), 0.5]
        low = mpmath.quad(
            lambda s: (1 - s ** (1 / a)) ** (b - 1) * (1 - tau * s ** (1 / a)) ** n / a, [e**a for e in ends]
        )
        high = mpmath.quad(
            lambda s: (1 - s ** (1 / b)) ** (a - 1) * (1 - tau * (1 - s ** (1 / b))) ** n / b, [0, 0.5**b]
        )
        exact = (low + high) / mpmath.beta(a, b)
        assert law.expected_missing_mass(n, 0.3) == pytest.approx(float(exact), rel=1e-10)


def test_thinning_that_hardly_thins():
    """The quadrature goes over into the closed form."""
    n = np.array([0, 1, 10, 10**4, 10**9])
    for law in (PitmanYor(0.0, 1.0), PitmanYor(0.5, -0.49), PitmanYor(0.9, 100.0)):
        nearly = law.expected_missing_mass(n, 1 - 1e-15)
        assert nearly == pytest.approx(law.expected_missing_mass(n), rel=1e-10)


SHARES = [1e-15, 1e-6, 0.01, 0.5, 1 - 1e-9]
WIDE = [PitmanYor(d, t) for d in (0.0, 1e-6, 0.5, 0.95) for t in (-d * 0.999, 0.3, 1.0, 1e3) if t > -d]


@pytest.mark.parametrize("law", WIDE, ids=name)
@pytest.mark.parametrize("x", SHARES)
def test_mass_below(law, x):
    with mpmath.workdps(40):
        d, t = exactly(law)
        exact = mpmath.betainc(1 - d, t + d, 0, x, regularized=True)
        assert law.mass_below(x) == pytest.approx(float(exact), rel=1e-11)


@pytest.mark.parametrize("law", WIDE, ids=name)
@pytest.mark.parametrize("x", SHARES)
def test_atoms_above(law, x):
    """∫_x^1 p^(-d-1) (1-p)^(b-1) dp, b = θ+d, as the hypergeometric function (1-x)^b/b 2F1(b, 1+d; b+1; 1-x)."""
    with mpmath.workdps(50):
        d, t = exactly(law)
        b, rest = t + d, 1 - mpmath.mpf(x)
        exact = rest**b / b * mpmath.hyp2f1(b, 1 + d, b + 1, rest) / mpmath.beta(1 - d, b)
        if exact > 1e-300:
            assert law.atoms_above(x) == pytest.approx(float(exact), rel=1e-11)


def test_atoms_above_of_a_large_concentration():
    """PY(0, θ) has θ ∫_x^1 (1-p)^(θ-1)/p dp atoms above x, and with u = θp this is θ E1(θx) (1 + O(1/θ))."""
    x = np.array([1e-15, 1e-12, 1e-10])
    exact = [float(1e12 * mpmath.expint(1, 1e12 * v)) for v in x]
    assert PitmanYor(0.0, 1e12).atoms_above(x) == pytest.approx(exact, rel=1e-8)


def test_one_end_of_the_masses_is_the_other():
    """-x d(atoms above x)/dx = d(mass below x)/dx."""
    for law in (PitmanYor(0.0, 2.0), PitmanYor(0.5, 1.0), PitmanYor(0.8, -0.5)):
        x = np.array([1e-9, 1e-4, 0.1, 0.7])
        step = 1e-5 * x
        atoms = law.atoms_above(x - step) - law.atoms_above(x + step)
        mass = law.mass_below(x + step) - law.mass_below(x - step)
        assert x * atoms == pytest.approx(mass, rel=1e-4)


def test_ends_of_the_shares():
    for law in (PitmanYor(0.0, 2.0), PitmanYor(0.5, 1.0)):
        assert law.mass_below(0.0) == 0
        assert law.mass_below(1.0) == 1
        assert law.atoms_above(1.0) == 0


# Arguments


@pytest.mark.parametrize(
    "quantity",
    [
        lambda law, v: law.expected_distinct(v),
        lambda law, v: law.expected_missing_mass(v),
        lambda law, v: law.expected_missing_mass(v, 0.3),
        lambda law, v: law.expected_blocks(1, v),
        lambda law, v: law.mass_below(v / 100),
        lambda law, v: law.atoms_above(v / 100),
    ],
)
def test_numbers_give_numbers_and_arrays_arrays(quantity):
    law, values = PitmanYor(0.5, 1.0), np.array([[1, 5, 9], [20, 30, 99]])
    array = quantity(law, values)
    assert array.shape == (2, 3)
    assert array.dtype == np.float64
    assert type(quantity(law, 5)) is float
    assert array.ravel().tolist() == [quantity(law, int(v)) for v in values.ravel()]
    assert quantity(law, np.array([], int)).shape == (0,)


def test_sizes_and_draws_broadcast():
    blocks = PitmanYor(0.5, 1.0).expected_blocks(np.array([1, 2, 5])[:, None], np.array([3, 10]))
    assert blocks.shape == (3, 2)
    assert blocks[2, 0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"discount": 1.2}, r"`discount` must be a number in \[0, 1\), got 1.2; 0 gives a Dirichlet process"),
        ({"discount": -0.1}, "`discount`"),
        ({"discount": float("nan")}, "`discount`"),
        ({"discount": True}, "`discount`"),
        ({"discount": 0.5, "concentration": -0.5}, r"`concentration` must be a number in \(-0.5"),
        ({"discount": 0.0, "concentration": 0.0}, "`concentration`"),
        ({"concentration": 1e13}, "`concentration`"),
        ({"concentration": "x"}, "`concentration`"),
    ],
)
def test_bad_laws(arguments, message):
    with pytest.raises(ValueError, match=message):
        PitmanYor(**arguments)


@pytest.mark.parametrize(
    "call",
    [
        lambda law: law.expected_distinct(-1),
        lambda law: law.expected_distinct(0.5),
        lambda law: law.expected_distinct(float("nan")),
        lambda law: law.expected_distinct("many"),
        lambda law: law.expected_missing_mass([1, -1]),
        lambda law: law.expected_missing_mass(3, 0.0),
        lambda law: law.expected_missing_mass(3, 1.5),
        lambda law: law.expected_blocks(0, 3),
        lambda law: law.expected_blocks(1, -3),
        lambda law: law.mass_below(1.5),
        lambda law: law.mass_below(-0.5),
        lambda law: law.atoms_above(0.0),
        lambda law: law.atoms_above(float("nan")),
    ],
)
def test_bad_arguments(call):
    with pytest.raises(ValueError, match=r"`\w+` must be .*, got .*; "):
        call(PitmanYor())

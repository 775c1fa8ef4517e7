"""Hill's estimator on Pareto's law, neighbours by brute force, and samples that are too dense."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from twopart._checks import InputError
from twopart.fits import hill, neighbours, tail_index_difference


@pytest.mark.parametrize("index", [0.8, 2.0])
def test_hill_of_a_pareto_law(index):
    """γ = 1/α with the standard error γ/√k, as any tail of the law is the law again."""
    values, k = np.random.default_rng(0).pareto(index, 100_000) + 1, 40_000
    assert hill(values, k) == pytest.approx(1 / index, abs=5 / (index * k**0.5))


def test_hill_by_hand():
    assert hill([1, 8, 2, 4], 2) == pytest.approx((np.log(8 / 2) + np.log(4 / 2)) / 2)


@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_neighbours_by_brute_force(d, dtype):
    x = np.random.default_rng(d).normal(size=(200, d)).astype(dtype)
    assert (neighbours(x, 0.5) == (cdist(x.astype(float), x.astype(float)) <= 0.5).sum(1) - 1).all()
    assert neighbours([[0.0], [0.0], [3.0]], 1.0).tolist() == [1, 1, 0]


def samples(share, n=2000, seed=0):
    """Of N(0, 1), a share of them drawn together a hundredfold."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 2))
    x[: round(share * n)] = 1 + (x[: round(share * n)] - 1) / 100
    return x


def test_the_difference_is_that_of_two_estimates():
    found = tail_index_difference(samples(0.03), samples(0, seed=1))
    reference = samples(0, seed=1)
    assert found.radius == pytest.approx(np.median(np.sort(cdist(reference, reference), 1)[:, 10]))
    γ = [hill(np.maximum(neighbours(x, found.radius), 1), 100) for x in (samples(0.03), reference)]
    assert found.difference.value == pytest.approx(γ[0] - γ[1])
    assert 9 <= found.median[1] <= 10
    scaled = tail_index_difference(7 * samples(0.03), 7 * reference)
    assert scaled.difference.value == pytest.approx(found.difference.value)


def test_dense_samples_are_seen_and_equal_laws_are_not():
    """At a radius where points have few neighbours, and those that were drawn together have sixty."""

    def difference(x, seed, batches=1):
        return tail_index_difference(x, samples(0, seed=seed), radius=0.1, batches=batches).difference

    values = [difference(samples(0, seed=i), 100 + i).value for i in range(30)]
    assert abs(np.mean(values)) < 5 * np.std(values, ddof=1) / 30**0.5
    assert difference(samples(0.03), 1).value > 5 * np.std(values)
    assert difference(samples(0.03), 1, batches=4).interval[0] > 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: hill([1.0, 0.0], 1), "`counts` must be > 0"),
        (lambda: hill([1.0, 2.0], 2), r"`top` must be a whole number in \[1, 1\]"),
        (lambda: neighbours([[0.0]], 0.0), r"`radius` must be a number in \(0, inf\)"),
        (lambda: neighbours([[np.nan]], 1.0), "`points` must be finite"),
        (lambda: tail_index_difference(samples(0), samples(0)[:9]), "`reference` must be as many points"),
        (lambda: tail_index_difference(samples(0), samples(0)[:, :1]), r"`reference` must be of shape \(any, 2\)"),
        (lambda: tail_index_difference(samples(0), samples(0), top=1.0), r"`top` must be a number in \(0, 1\)"),
        (
            lambda: tail_index_difference(samples(0), samples(0), batches=101),
            r"`batches` must be a whole number in \[1, 100\]",
        ),
        (
            lambda: tail_index_difference(samples(0), np.zeros((2000, 2))),
            "`reference` must be points of which most are apart",
        ),
    ],
)
def test_refusals(wrong, said):
    with pytest.raises(InputError, match=said):
        wrong()

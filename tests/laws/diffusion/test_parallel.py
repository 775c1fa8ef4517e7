"""What parallel decoding loses: by explicit laws, conditional covariances, the note's numbers, and fitted samples."""

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.laws.diffusion import (
    decoded,
    decoding_steps,
    gaussian_bits,
    gaussian_cost,
    gaussian_order_loss,
    order_loss,
    sampled_order_loss,
    table_cost,
    unfitted,
)
from twopart.learners.diffusion import adjacent, greedy, par_order, random_groups, raster
from twopart.worlds.diffusion import GaussianGrid, IsingGrid

PAR, NONE, NEAR = par_order(4, 2), par_order(4, 2, sequential_start=False), adjacent(4, 4)


@pytest.fixture(scope="module")
def table() -> np.ndarray:
    return IsingGrid(4, 0.44).probabilities


def explicit(p: np.ndarray, order) -> np.ndarray:
    """q by conditionals looked up state by state, from marginals made by a loop over states."""
    q, past = np.ones(p.shape), []
    for group in order:
        for i in group:
            marginals = []
            for kept in ([*past, i], past):
                m: dict[tuple[int, ...], float] = {}
                for x in np.ndindex(*p.shape):
                    key = tuple(x[k] for k in kept)
                    m[key] = m.get(key, 0.0) + p[x]
                marginals.append((kept, m))
            (a, top), (b, bottom) = marginals
            for x in np.ndindex(*p.shape):
                q[x] *= top[tuple(x[k] for k in a)] / bottom[tuple(x[k] for k in b)]
        past += group
    return q


def test_the_decoded_law_and_its_divergence_by_brute_force() -> None:
    """A random table of three values at six positions, an order with groups of every size."""
    p = np.random.default_rng(0).dirichlet(np.full(3**6, 0.3)).reshape((3,) * 6)
    order = ((4,), (0, 3), (1, 2, 5))
    q = explicit(p, order)
    assert decoded(p, order) == pytest.approx(q, rel=1e-10)
    assert q.sum() == pytest.approx(1)
    assert order_loss(order, table_cost(p)).sum() == pytest.approx((p * np.log2(p / q)).sum(), abs=1e-12)


@pytest.mark.parametrize(
    ("order", "bits"), [(PAR, 0.030468289), (NONE, 0.3244), (NEAR, 0.811494), ((tuple(range(16)),), 4.373)]
)
def test_the_sum_is_the_divergence_on_all_states(table: np.ndarray, order, bits: float) -> None:
    """Known: 0.030468289 and 0.811494 for an explicit q over 65,536 states."""
    q, found = decoded(table, order), order_loss(order, table_cost(table)).sum()
    assert found == pytest.approx((table * np.log2(table / q)).sum(), abs=1e-12)
    assert found == pytest.approx(bits, abs=5e-4 if bits > 0.05 and bits != 0.811494 else 1e-6)


def test_no_start_at_strong_coupling() -> None:
    """There the start decides all: a random order without it may lose less than PAR's."""
    cost = table_cost(IsingGrid(4, 0.8).probabilities)
    assert [round(order_loss(order, cost).sum(), 4) for order in (PAR, NONE)] == [0.0123, 2.1806]
    assert min(order_loss(random_groups(4, 4, s, False), cost).sum() for s in range(40)) < 2.1806


def test_gaussian_loss_against_conditional_covariances() -> None:
    C, order = GaussianGrid(4, 2.0).covariance, random_groups(4, 3, 1)
    past, expected = [], []
    for group in order:
        g, known = list(group), np.ix_(past, past)
        given = C[np.ix_(g, g)]
        if past:
            given = given - C[np.ix_(g, past)] @ np.linalg.inv(C[known]) @ C[np.ix_(past, g)]
        expected.append((np.log2(np.diag(given)).sum() - np.linalg.slogdet(given)[1] / np.log(2)) / 2)
        past += g
    assert gaussian_order_loss(order, C) == pytest.approx(expected, abs=1e-12)
    assert order_loss(order, gaussian_cost(C)) == pytest.approx(expected, abs=1e-10)
    doubled = np.kron(C, np.diag([1.0, 4.0]))  # two numbers a position, each with the same field's law
    assert gaussian_order_loss(order, doubled, per=2) == pytest.approx(2 * np.array(expected), abs=1e-10)
    assert order_loss(order, gaussian_cost(doubled, per=2)) == pytest.approx(2 * np.array(expected), abs=1e-9)


def test_fields_of_the_prototype() -> None:
    C = GaussianGrid(24, 8.0).covariance
    found = [gaussian_order_loss(order, C).sum() for order in (par_order(24, 2), par_order(24, 4), adjacent(24, 4))]
    assert np.round(found, 3).tolist() == [0.008, 0.046, 41.686]


def test_a_fitted_gaussian_pays_less_than_is_lost_by_what_it_need_not_fit(size) -> None:
    """All 25 at once, over the raster order of the same fit: the mean over fits within 5 standard errors, and those within 5 %.

    Covariances of n samples by Bartlett's factors of a Wishart matrix.
    """
    n, fits, random = 8000, size(120, 2000), np.random.default_rng(0)
    C, order = GaussianGrid(5, 2.0).covariance, (tuple(range(25)),)
    L, found = np.linalg.cholesky(C), []
    for _ in range(fits):
        A = np.tril(random.standard_normal(C.shape), -1) + np.diag(np.sqrt(random.chisquare(n - np.arange(25))))
        fitted = L @ A @ A.T @ L.T / n
        found.append(gaussian_bits(C, fitted, order) - gaussian_bits(C, fitted, raster(5)))
    saved, error = gaussian_order_loss(order, C).sum() - np.mean(found), np.std(found) / np.sqrt(fits)
    assert abs(saved - unfitted(order, n)) < 5 * error + 0.005 * unfitted(order, n)
    assert 5 * error < 0.045 * unfitted(order, n), "five per cent would be seen"
    exact = gaussian_bits(C, C, order) - gaussian_bits(C, C, raster(5))
    assert exact == pytest.approx(gaussian_order_loss(order, C).sum())


def test_sampled_losses_are_exact_where_the_sample_is_the_law() -> None:
    """Each state as often as its weight says; conditionals by counting."""
    counts = np.random.default_rng(0).integers(1, 9, size=(2,) * 4)
    x, order = np.repeat(np.argwhere(counts), counts.ravel(), axis=0), ((2,), (0, 3, 1))

    def conditionals(tokens: np.ndarray, known: tuple[int, ...]) -> np.ndarray:
        alike = [(x[:, known] == row[list(known)]).all(1) for row in tokens]
        ones = np.array([x[same].mean(0) for same in alike])
        return np.stack([1 - ones, ones], 2)

    exact = order_loss(order, table_cost(counts / counts.sum()))
    assert sampled_order_loss(order, conditionals, x)[0] == pytest.approx(exact, abs=1e-12)
    assert exact[1] > 0.1


def test_sampled_losses_against_the_table(table: np.ndarray) -> None:
    """Groups that lose nothing are found to lose nothing, others within 5 standard errors."""
    world = IsingGrid(4, 0.44)
    found, errors = sampled_order_loss(NEAR, world.conditionals, world.sample(400))
    exact = order_loss(NEAR, table_cost(table))
    assert np.all(np.abs(found - exact) <= 5 * errors + 1e-9)
    assert abs(found.sum() - exact.sum()) < 5 * 1.6 / np.sqrt(400)


def test_greedy_loses_less_than_par_in_as_many_steps(table: np.ndarray) -> None:
    order = greedy(4, 4, table_cost(table))
    assert len(order) == len(PAR) == decoding_steps(16, 4) == 7
    assert order_loss(order, table_cost(table)).sum() < 0.3 * 0.0305


def test_steps_of_the_paper() -> None:
    assert (decoding_steps(576, 4), decoding_steps(576, 16), decoding_steps(9, 1)) == (147, 51, 9)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: decoding_steps(10, 4), "parallel"),
        (lambda: decoding_steps(10, 0), "parallel"),
        (lambda: table_cost(np.full((2, 2), 0.5)), "probabilities"),
        (lambda: table_cost(np.array([1.5, -0.5])), "probabilities"),
        (lambda: decoded(np.array([np.nan, 1.0]), ((0,),)), "probabilities"),
        (lambda: decoded(np.full((2, 2), 0.25), ((0,),)), "order"),
        (lambda: order_loss(((0, 0), (1,)), lambda past, group: 0.0), "order"),
        (lambda: order_loss(((), (0,)), lambda past, group: 0.0), "order"),
        (lambda: gaussian_order_loss(((0, 1),), np.array([[1, 2], [2, 1.0]])), "covariance"),
        (lambda: gaussian_order_loss(((0, 1),), np.ones((2, 3))), "covariance"),
        (lambda: gaussian_cost(np.array([[1, 0.5], [0.4, 1]])), "covariance"),
        (lambda: gaussian_cost(np.eye(3), per=2), "per"),
        (lambda: gaussian_bits(np.eye(2), np.eye(3), ((0, 1),)), "fitted"),
        (lambda: unfitted(((0, 1),), 1), "samples"),
        (lambda: order_loss(((0,), (1, 2)), table_cost(np.full((2, 2), 0.25))), "order"),
        (lambda: order_loss(((0,), (1, 2)), gaussian_cost(np.eye(2))), "order"),
        (lambda: sampled_order_loss(((0, 1),), lambda x, known: x, np.zeros((3, 3))), "tokens"),
        (lambda: sampled_order_loss(((0, 1),), lambda x, known: x, np.full((3, 2), 0.5)), "tokens"),
        (lambda: sampled_order_loss(((0, 1),), lambda x, known: x, np.zeros((1, 2))), "tokens"),
        (lambda: sampled_order_loss(((0, 1),), lambda x, known: x, np.zeros((3, 2))), "conditionals"),
    ],
)
def test_refusals(make, name: str) -> None:
    with pytest.raises(InputError, match=rf"^`{name}` must be .+, got .+; .+$"):
        make()

"""Orders by hand and by their laws; plans for grids whose law is known, and for digits."""

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.laws.diffusion import order_loss, table_cost
from twopart.learners.diffusion import (
    Dependence,
    adjacent,
    cosine_groups,
    greedy,
    par_order,
    plan_order,
    random_groups,
    raster,
)
from twopart.worlds.diffusion import IsingGrid, TokenGrid


def test_par_by_hand() -> None:
    """The note's table: regions of 2 x 2 on a grid of 4 x 4."""
    start, rest = ((0,), (2,), (8,), (10,)), ((1, 3, 9, 11), (4, 6, 12, 14), (5, 7, 13, 15))
    assert par_order(4, 2) == start + rest
    assert par_order(4, 2, sequential_start=False) == ((0, 2, 8, 10), *rest)
    assert par_order(4, 1) == raster(4) == tuple((i,) for i in range(16))


def test_the_published_index_array() -> None:
    """As the released code permutes (M, R, M, R) to (i, j, a, b), by loops over local places and regions."""
    M, R, side = 3, 2, 6
    places = [[(a * R + i) * side + b * R + j for a in range(M) for b in range(M)] for i in range(R) for j in range(R)]
    assert [list(group) for group in par_order(side, M)[M * M :]] == places[1:]


def test_others_are_partitions_of_their_sizes() -> None:
    assert adjacent(4, 4)[4:] == ((4, 5, 6, 7), (8, 9, 10, 11), (12, 13, 14, 15))
    assert adjacent(3, 4, sequential_start=False) == ((0, 1, 2, 3), (4, 5, 6, 7), (8,))
    assert random_groups(4, 4, 1) == random_groups(4, 4, 1) != random_groups(4, 4, 2)
    cosine = cosine_groups(16, 8)
    left = 256 - np.cumsum([len(group) for group in cosine])
    assert left.tolist() == [int(256 * np.cos(np.pi * t / 16)) for t in range(1, 8)] + [0]
    for order in (random_groups(5, 4), cosine_groups(3, 9), cosine):
        flat = sum(order, ())
        assert sorted(flat) == list(range(len(flat)))
        assert min(map(len, order)) > 0


def test_greedy_is_what_its_cost_says() -> None:
    """On a line of cost: the last group must be that whose members are all of one parity."""

    def cost(past: tuple[int, ...], group: tuple[int, ...]) -> float:
        return float(len({i % 2 for i in group}) - 1)

    order = greedy(4, 4, cost)
    assert len(order) == 7
    assert all(len({i % 2 for i in group}) == 1 for group in order)
    assert sorted(greedy(2, 1, cost)) == list(raster(2))
    assert len(greedy(2, 3, cost, sequential_start=False)) == 2


def test_dependence_is_near_the_law_of_ising_grids() -> None:
    """At J = 0.2 binary scores are nearly Gaussian (within 3 % on 65,536 states); here from 6,000 samples."""
    world = IsingGrid(4, 0.2)
    tokens, cost = world.sample(6000).reshape(-1, 4, 4), table_cost(world.probabilities)
    dependence = Dependence.of(tokens)
    assert (dependence.covariance.shape, dependence.samples) == ((16, 16), 6000)
    for order in (adjacent(4, 4), adjacent(4, 4, sequential_start=False)):
        assert dependence.loss(order) == pytest.approx(order_loss(order, cost).sum(), abs=0.04)
    renamed = np.array([7, 30])[tokens]  # tokens are names, not sizes
    assert Dependence.of(renamed).loss(adjacent(4, 4)) == pytest.approx(dependence.loss(adjacent(4, 4)), rel=1e-6)


def test_scores_of_potts_grids_add_up() -> None:
    """Three values have two scores, each with half of the loss; within 5 standard errors, √(2 loss / n) each, in nats."""
    world, order = IsingGrid(3, 0.15, values=3), adjacent(3, 3, sequential_start=False)
    law, n = order_loss(order, table_cost(world.probabilities)).sum(), 20_000
    dependence = Dependence.of(world.sample(n).reshape(-1, 3, 3))
    error = np.sqrt(2 * law / np.log(2) / n)
    assert dependence.per == 2
    assert dependence.loss(order) == pytest.approx(law, abs=5 * error)
    assert Dependence.of(world.sample(n).reshape(-1, 3, 3), 1).loss(order) < law - 5 * error


def test_a_chance_covariance_loses_nothing() -> None:
    """Independent tokens of many values: what chance adds is taken off, within 5 standard errors over 12 draws."""
    found = [
        Dependence.of(np.random.default_rng(s).integers(5, size=(700, 4, 4))).loss(adjacent(4, 4)) for s in range(12)
    ]
    assert abs(np.mean(found)) < 5 * np.std(found) / np.sqrt(12)
    assert np.std(found) < 0.2


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_a_plan_keeps_to_its_tolerance(dtype: type) -> None:
    world = IsingGrid(4, 0.44)
    tokens, cost = world.sample(3000).reshape(-1, 4, 4).astype(dtype), table_cost(world.probabilities)
    plan = plan_order(tokens, tolerance=0.05)
    assert plan.name == "greedy-4"
    assert len(plan.order) == 7
    assert plan.bits <= 0.05
    assert order_loss(plan.order, cost).sum() < 0.03
    assert {name: order for name, order, _ in plan.candidates}["PAR-4"] == par_order(4, 2)
    assert plan_order(tokens, tolerance=0.0, largest=4).bits <= 0.0


def test_a_plan_for_many_values_uses_few_scores() -> None:
    """Codes of 300 values, of which 150 each stand for one spin: sparse leading scores find the two."""
    spins = IsingGrid(4, 0.44, seed=3).sample(4000).reshape(-1, 4, 4)
    codes = spins * 150 + np.random.default_rng(0).integers(150, size=spins.shape)
    assert Dependence.of(codes, 1).loss(adjacent(4, 4)) == pytest.approx(
        Dependence.of(spins, 1).loss(adjacent(4, 4)), rel=0.25
    )


def test_neighbours_in_digits_depend_on_each_other() -> None:
    dependence = Dependence.of(TokenGrid.digits().tokens, 2)
    assert dependence.loss(adjacent(8, 4)) > 1 > dependence.loss(par_order(8, 2))


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: par_order(6, 4), "regions"),
        (lambda: par_order(0, 1), "side"),
        (lambda: raster(0), "side"),
        (lambda: adjacent(4, 17), "n"),
        (lambda: random_groups(4, 0), "n"),
        (lambda: random_groups(4, 2, seed=-1), "seed"),
        (lambda: cosine_groups(4, 17), "steps"),
        (lambda: greedy(4, 0, lambda past, group: 0.0), "n"),
        (lambda: plan_order(np.zeros((99, 4, 4)), tolerance=np.nan), "tolerance"),
        (lambda: plan_order(np.zeros((99, 4, 3))), "tokens"),
        (lambda: plan_order(np.zeros((10, 4, 4))), "tokens"),
        (lambda: plan_order(np.full((99, 4, 4), np.nan)), "tokens"),
        (lambda: plan_order(np.zeros((99, 4, 4)), coordinates=0), "coordinates"),
        (lambda: Dependence.of(np.zeros((99, 4, 4))), "tokens"),
        (lambda: plan_order(np.full((99, 4, 4), 0.5)), "tokens"),
    ],
)
def test_refusals(make, name: str) -> None:
    with pytest.raises(InputError, match=rf"^`{name}` must be .+, got .+; .+$"):
        make()

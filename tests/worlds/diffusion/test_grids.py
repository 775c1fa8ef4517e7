"""Grids of tokens: the transfer matrix against enumeration, samples against the law, fields against their precision."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import chi2

from twopart._checks import InputError
from twopart.worlds.diffusion import GaussianGrid, IsingGrid, TokenGrid, neighbours

POTTS = IsingGrid(2, 0.3, field=0.2, values=3, seed=1)


def brute(world: IsingGrid) -> dict[tuple[int, ...], float]:
    """By a loop over states and over pairs of sites a step apart."""
    G, weights = world.side, {}
    for x in product(range(world.values), repeat=G * G):
        energy = sum(2 * world.field * (value == 1) for value in x)
        for i, j in product(range(G * G), repeat=2):
            apart = abs(i // G - j // G) + abs(i % G - j % G)
            energy += 2 * world.coupling * (i < j and apart == 1 and x[i] == x[j])
        weights[x] = np.exp(energy)
    total = sum(weights.values())
    return {x: w / total for x, w in weights.items()}


@pytest.mark.parametrize("world", [POTTS, IsingGrid(3, 0.44)], ids=["Potts", "Ising"])
def test_the_table_is_the_law(world: IsingGrid) -> None:
    law = brute(world)
    assert world.probabilities.ravel() == pytest.approx(list(law.values()), rel=1e-12)
    entropy = -sum(p * np.log2(p) for p in law.values())
    assert world.entropy == pytest.approx(entropy, abs=1e-10)


def test_published_entropies_of_the_prototype() -> None:
    assert [round(IsingGrid(4, J).entropy, 3) for J in (0.2, 0.44, 0.8)] == [15.259, 11.627, 3.734]


def test_clamped_conditionals_are_those_of_the_table() -> None:
    """At side 4, against sums over 65,536 states."""
    world, known = IsingGrid(4, 0.5, field=-0.1), {0: 1, 6: 0, 9: 1, 15: 1}
    p = world.probabilities
    given = p[tuple(known.get(i, slice(None)) for i in range(16))]
    found, free = world.conditional(known), [i for i in range(16) if i not in known]
    for axis, i in enumerate(free):
        expected = given.sum(tuple(a for a in range(len(free)) if a != axis)) / given.sum()
        assert found[i] == pytest.approx(expected, abs=1e-12)
    assert [found[i, value] for i, value in known.items()] == pytest.approx([1] * 4, abs=1e-12)


def test_samples_follow_the_law_and_streams_differ() -> None:
    n, p = 20_000, POTTS.probabilities.ravel()
    counts = np.bincount(np.ravel_multi_index(POTTS.sample(n).T, (3,) * 4), minlength=81)
    assert chi2.sf(np.square(counts - n * p) @ (1 / (n * p)), 80) > 1e-6
    large = IsingGrid(6, 0.44)
    x = large.sample(n)
    one, other = neighbours(6).T
    agree = (x[:, one] == x[:, other]).mean()
    step = 1e-5  # twice the mean number of equal pairs is the derivative of ln Z by the coupling
    lnz = [IsingGrid(6, J)._filter()[1].item() for J in (0.44 - step, 0.44 + step)]
    assert agree == pytest.approx((lnz[1] - lnz[0]) / (4 * step * len(one)), abs=5 * 0.09 / np.sqrt(n))
    assert not np.array_equal(x[:50], large.sample(50, stream=1))
    assert np.array_equal(x[:50], IsingGrid(6, 0.44).sample(n)[:50])


def test_fields_have_the_precision_and_unit_variance() -> None:
    world = GaussianGrid(5, 1.5)
    N, shift = 25, np.arange(25).reshape(5, 5)
    laplacian = -4 * np.eye(N)
    for axis, step in product((0, 1), (-1, 1)):
        laplacian[shift.ravel(), np.roll(shift, step, axis).ravel()] += 1
    C = np.linalg.inv(np.eye(N) / 1.5**2 - laplacian)
    assert world.covariance == pytest.approx(C / C[0, 0], abs=1e-12)
    x = world.sample(20_000)
    assert x.T @ x / len(x) == pytest.approx(world.covariance, abs=6 * np.sqrt(2 / 20_000))


def test_token_grids_are_read_and_refused(tmp_path) -> None:
    np.save(tmp_path / "codes.npy", np.arange(8).reshape(2, 2, 2))
    grid = TokenGrid.load(tmp_path / "codes.npy")
    assert (grid.side, grid.values) == (2, 8)
    digits = TokenGrid.digits()
    assert (digits.tokens.shape, digits.values) == ((1797, 8, 8), 4)
    for path in ("nowhere.npy", "text.npy"):
        (tmp_path / "text.npy").write_text("no array")
        with pytest.raises(InputError, match="`path` must be a file of numpy"):
            TokenGrid.load(tmp_path / path)
    for bad in (np.zeros((3, 2, 4)), np.full((3, 2, 2), 0.5), np.full((3, 2, 2), -1), np.full((1, 2, 2), np.nan)):
        with pytest.raises(InputError, match="`tokens` must be"):
            TokenGrid(bad)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: IsingGrid(0, 0.4), "side"),
        (lambda: IsingGrid(15, 0.4), "side"),
        (lambda: IsingGrid(8, 0.4, values=4), "values"),
        (lambda: IsingGrid(3, np.nan), "coupling"),
        (lambda: IsingGrid(3, 0.4, field=99), "field"),
        (lambda: IsingGrid(3, 0.4, seed=-1), "seed"),
        (lambda: IsingGrid(5, 0.4).probabilities, "side"),
        (lambda: IsingGrid(3, 0.4).sample(0), "n"),
        (lambda: IsingGrid(3, 0.4).sample(1, stream=-1), "stream"),
        (lambda: IsingGrid(3, 0.4).conditionals(np.full((2, 9), 2), ()), "tokens"),
        (lambda: IsingGrid(3, 0.4).conditionals(np.zeros((2, 8)), ()), "tokens"),
        (lambda: IsingGrid(3, 0.4).conditional({9: 0}), "known"),
        (lambda: GaussianGrid(1, 2.0), "side"),
        (lambda: GaussianGrid(4, 0.0), "length"),
        (lambda: GaussianGrid(4, 1.0).sample(-1), "n"),
        (lambda: neighbours(0), "side"),
        (lambda: TokenGrid.digits(1), "levels"),
    ],
)
def test_refusals(make, name: str) -> None:
    with pytest.raises(InputError, match=rf"^`{name}` must be .+, got .+; .+$"):
        make()

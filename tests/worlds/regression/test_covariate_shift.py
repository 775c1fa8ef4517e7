"""Two domains: samples against the covariances they are said to have, builders against plain arithmetic."""

import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.worlds.regression import CovariateShift

WORLD = CovariateShift.power(6, source_decay=2.0, noise=0.5, seed=4)


@pytest.mark.parametrize("domain", ["source", "target"])
@pytest.mark.parametrize("angle", [0.0, 0.7])
def test_samples_have_the_covariance_and_the_truth(domain, angle, size):
    """Second moments of n Gaussian pairs have variance (A_ii A_jj + A_ij²)/n; false alarm one in a million for 36 of them."""
    n, world = size(20_000, 200_000), WORLD.rotated(angle)
    x, y = world.sample(n, domain)
    A = world.covariance(domain)
    error = np.sqrt((np.outer(np.diag(A), np.diag(A)) + A**2) / n)
    assert np.all(np.abs(x.T @ x / n - A) < 6 * error)
    left = y - x.sum(1)
    assert left.std() == pytest.approx(0.5, rel=5 / np.sqrt(2 * n))
    assert abs(left.mean()) < 5 * 0.5 / np.sqrt(n)


def test_samples_are_addressed():
    first = WORLD.sample(5, "source")
    assert np.array_equal(WORLD.sample(5, "source").x, first.x)
    others = (
        WORLD.sample(5, "source", stream=1),
        WORLD.sample(5, "target"),
        CovariateShift.power(6, seed=5).sample(5, "source"),
    )
    assert len({float(x[0, 0]) for x, _ in (first, *others)}) == 4
    assert WORLD.sample(3, "source", dtype=np.float32).y.dtype == np.float32


def test_tensors_are_coloured_like_arrays():
    z = np.random.default_rng(0).standard_normal((2, 3, 6))
    for world in (WORLD, WORLD.rotated(0.3)):
        assert world.coloured(torch.from_numpy(z), "source").numpy() == pytest.approx(world.coloured(z, "source"))
        assert world.coloured(torch.from_numpy(z).float(), "target").dtype == torch.float32


def test_builders():
    i = np.arange(1, 7)
    assert WORLD.target == pytest.approx(i**-1.5 / (i**-1.5).sum())
    assert WORLD.source == pytest.approx(i**-2.0 / (i**-2.0).sum())
    assert WORLD.permuted([5, 0, 1, 2, 3, 4]).source == pytest.approx(WORLD.source[[5, 0, 1, 2, 3, 4]])
    weak = WORLD.depressed(2, 0.1).source
    assert weak.sum() == pytest.approx(1)
    assert weak / weak[2] == pytest.approx(WORLD.source * [0.1, 0.1, 1, 1, 1, 1] / WORLD.source[2])
    assert WORLD.depressed(np.int64(2), 0.1).source == pytest.approx(weak)
    assert WORLD.blind((1, 4)).source == pytest.approx(WORLD.depressed((1, 4), 0).source)
    assert WORLD.blind((1, 4)).source[[1, 4]].tolist() == [0, 0]
    a, (c, s) = WORLD.rotated(0.4).source, (np.cos(0.4), np.sin(0.4))
    turn = np.kron(np.eye(3), [[c, -s], [s, c]])
    assert a == pytest.approx(turn @ np.diag(WORLD.source) @ turn.T)
    order = [1, 0, 2, 3, 4, 5]
    assert WORLD.rotated(0.4).permuted(order).source == pytest.approx(a[np.ix_(order, order)])
    assert np.trace(WORLD.rotated(0.4).depressed((0,), 0).source) == pytest.approx(1)
    assert CovariateShift.power(6, source_decay=None).source == pytest.approx(WORLD.target)
    assert CovariateShift.power(5).rotated(np.pi / 2).source[4, 4] == CovariateShift.power(5).source[4], (
        "one is left over"
    )


def test_risk_is_the_quadratic_form():
    w = np.random.default_rng(1).standard_normal((2, 3, 6))
    H = np.diag(WORLD.target)
    expected = np.einsum("abi,ij,abj->ab", w - 1, H, w - 1)
    assert WORLD.risk(w) == pytest.approx(expected)
    assert CovariateShift(H, H, np.ones(6)).risk(w) == pytest.approx(expected)
    assert WORLD.risk(np.ones(6)) == 0.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CovariateShift([1.0, -0.1], [1.0, 1.0], [1.0, 1.0]), "`source`"),
        (lambda: CovariateShift([1.0], [1.0, 1.0], [1.0, 1.0]), "`source` must be of shape"),
        (
            lambda: CovariateShift([[1, 2], [2, 1]], [1.0, 1.0], [1.0, 1.0]),
            "`source` must be without negative variances",
        ),
        (lambda: CovariateShift([1.0], [1.0], [np.nan]), "`truth` must be finite"),
        (lambda: CovariateShift([1.0], [1.0], [1.0], noise=-1), "`noise`"),
        (lambda: CovariateShift([1.0], [1.0], [1.0], seed=-1), "`seed`"),
        (lambda: CovariateShift.power(0), "`dimension`"),
        (lambda: CovariateShift.power(3, target_decay=-1), "`target_decay`"),
        (lambda: WORLD.permuted([0, 1]), "`order` must be a permutation"),
        (lambda: WORLD.rotated(np.nan), "`angle`"),
        (lambda: WORLD.depressed(0), "`directions`"),
        (lambda: WORLD.depressed(1.5), "`directions`"),
        (lambda: WORLD.depressed(1, -1), "`factor`"),
        (lambda: WORLD.depressed((6,)), "`directions`"),
        (lambda: WORLD.depressed(range(6), 0), "`directions` must be some, not all"),
        (lambda: WORLD.sample(0, "source"), "`n`"),
        (lambda: WORLD.sample(1, "both"), "`domain`"),
        (lambda: WORLD.risk(np.ones(5)), "`weights`"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()

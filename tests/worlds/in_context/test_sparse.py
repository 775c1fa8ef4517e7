"""Sparse regression: what its prompts are, and that laws and samples mean the same prior."""

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.worlds.in_context import SparseRegression


@pytest.mark.parametrize("design", ["gaussian", "orthonormal"])
def test_prompts_are_sparse_and_linear(design):
    world = SparseRegression(6, 2, 0.0, design, seed=1)
    prompts = world.sample(200, 9, stream=3)
    assert ((prompts.task != 0).sum(1) == 2).all()
    assert np.square(prompts.task).sum(1) == pytest.approx(1)
    assert np.einsum("tnd,td->tn", prompts.x, prompts.task) == pytest.approx(prompts.y)
    assert (prompts.query * prompts.task).sum(1) == pytest.approx(prompts.label)
    gram = np.swapaxes(prompts.x, 1, 2) @ prompts.x / 9
    assert (np.abs(gram - np.eye(6)).max() < 1e-12) == (design == "orthonormal")
    again = world.sample(200, 9, stream=3)
    assert (again.x == prompts.x).all()
    assert not np.allclose(world.sample(200, 9, stream=4).x, prompts.x)


def test_noise_signs_support_and_directions_are_as_told():
    prompts = SparseRegression(4, 1, 0.7, "orthonormal").sample(4000, 5)
    noise = np.einsum("tnd,td->tn", prompts.x, prompts.task) - prompts.y
    assert noise.std() == pytest.approx(0.7, abs=5 * 0.7 / np.sqrt(2 * noise.size))
    assert (prompts.task != 0).mean(0) == pytest.approx(0.25, abs=5 * np.sqrt(0.1875 / 4000))
    assert prompts.task.sum(1).mean() == pytest.approx(0, abs=5 / np.sqrt(4000))
    assert prompts.x[:, 0, 0].mean() == pytest.approx(0, abs=5 / np.sqrt(4000)), "Haar: no direction is preferred"


@pytest.mark.parametrize("coefficients", ["equal", "normal"])
@pytest.mark.parametrize("nonzero", [2, 5])
def test_the_prior_is_that_of_the_samples(coefficients, nonzero):
    world = SparseRegression(5, nonzero, coefficients=coefficients)
    values, counts = world.prior
    assert counts.sum() == pytest.approx(5)
    assert counts @ values**2 == pytest.approx(1)
    fourth = 1 / nonzero if coefficients == "equal" else 3 / nonzero
    assert counts @ values**4 == pytest.approx(fourth)
    drawn = (world.sample(5000, 1).task ** 4).sum(1)
    assert drawn.mean() == pytest.approx(fourth, abs=5 * drawn.std() / np.sqrt(5000) + 1e-12)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: SparseRegression(0), "`dimension` must be"),
        (lambda: SparseRegression(4, 5), "`nonzero` must be"),
        (lambda: SparseRegression(noise=np.nan), "`noise` must be"),
        (lambda: SparseRegression(design="haar"), "`design` must be"),
        (lambda: SparseRegression(coefficients="flat"), "`coefficients` must be"),
        (lambda: SparseRegression(design="orthonormal").sample(2, 15), "`context` must be"),
        (lambda: SparseRegression().sample(0, 15), "`prompts` must be"),
    ],
)
def test_bad_arguments_are_refused(call, said):
    with pytest.raises(InputError, match=said):
        call()

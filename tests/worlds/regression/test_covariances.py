"""Variances and the matrix that stands for them give the same."""

import numpy as np
import pytest

from twopart.worlds.regression import covariances

VARIANCES, VECTORS = np.array([2.0, 0.5, 0.0]), np.arange(6.0).reshape(2, 3)


def test_variances_and_their_matrix_are_one():
    A, by = np.diag(VARIANCES), np.array([1.0, 3.0, 0.5])
    assert np.array_equal(covariances.matrix(VARIANCES), A)
    assert covariances.trace(VARIANCES) == covariances.trace(A) == 2.5
    assert np.array_equal(covariances.times(VECTORS, VARIANCES), covariances.times(VECTORS, A))
    assert np.array_equal(np.diag(covariances.scaled(VARIANCES, by)), covariances.scaled(A, by))
    assert covariances.root(VARIANCES) ** 2 == pytest.approx(VARIANCES)


def test_a_root_and_directions_give_the_matrix_back():
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    A = basis @ np.diag(VARIANCES) @ basis.T
    R, (found, directions) = covariances.root(A), covariances.eigen(A)
    square, again = R @ R.T, directions @ np.diag(found) @ directions.T
    assert square == pytest.approx(A)
    assert found.min() >= 0, "rounding makes no variance negative"
    assert again == pytest.approx(A)

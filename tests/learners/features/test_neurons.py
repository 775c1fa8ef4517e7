"""Coefficients along features against plain loops."""

import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.learners.features import TwoLayer, coefficients

OWN = torch.tensor([[True, False, True, False], [False, True, False, True]])


def test_coefficients_against_plain_loops():
    generator = torch.Generator().manual_seed(0)
    w, features = torch.randn(3, 2, 5, 7, generator=generator), torch.randn(3, 4, 7, generator=generator)
    w[0] = torch.where(OWN, 1.0, -0.1)[:, None] @ torch.linalg.pinv(features[0]).mT  # one network averages
    found = coefficients(TwoLayer(w, torch.zeros(3, 2, 5)), features, OWN)
    means, ratio, share = found.means(), found.ratio(), found.share()
    for b in range(3):
        own = np.array(
            [[[w[b, c, r] @ features[b, j] for j in np.flatnonzero(OWN[c])] for r in range(5)] for c in (0, 1)]
        )
        other = [w[b, c, r] @ features[b, j] for c in (0, 1) for r in range(5) for j in np.flatnonzero(~OWN[c])]
        expected = {"own": own.mean(), "other": np.mean(other), "low": own.min(2).mean(), "high": own.max(2).mean()}
        assert {name: float(mean[b]) for name, mean in means.items()} == pytest.approx(expected, rel=1e-4, abs=1e-5)
        assert float(share[b]) == pytest.approx(-np.mean(other) / own.mean(), rel=1e-3)
        assert np.isnan(float(ratio[b])) == bool((own.min(2) <= 0).any())
    assert (float(ratio[0]), float(share[0])) == pytest.approx((1.0, 0.1), abs=1e-4)


def test_bad_input():
    network = TwoLayer(torch.ones(1, 2, 1, 3), torch.zeros(1, 2, 1))
    with pytest.raises(InputError, match="`features` must be"):
        coefficients(network, torch.ones(1, 3, 3), OWN)
    with pytest.raises(InputError, match="`own` must be"):
        coefficients(
            network, torch.ones(1, 4, 3), torch.tensor([[True, False, True, True], [False, True, False, True]])
        )

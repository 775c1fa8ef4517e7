"""The law of linear masked codes: regression on masked samples, singular and patched covariances, the switch, the plan."""

import numpy as np
import pytest
from sklearn.decomposition import PCA, FactorAnalysis

from twopart._checks import InputError
from twopart.laws.diffusion import masked_code, suggest_mask, switch_ratio
from twopart.worlds.diffusion import ClusterPixels

RANDOM = np.random.default_rng(0)
ROOT = RANDOM.standard_normal((6, 6)) / 6**0.5
S = ROOT @ ROOT.T
PATCHES = np.array([0, 0, 1, 1, 2, 2])


@pytest.mark.parametrize("patches", [None, PATCHES])
def test_the_code_is_that_of_regression(patches, size):
    """On masked samples: the map, G_r as the covariance of its answers, and the three errors, within 5 standard errors."""
    n, r, k = size(100_000, 10**6), 0.4, 2
    x, own = RANDOM.standard_normal((n, 6)) @ ROOT.T, np.arange(6) if patches is None else patches
    seen = x * (RANDOM.random((n, own.max() + 1)) > r)[:, own]
    C = np.linalg.lstsq(seen, x, rcond=None)[0].T
    code = masked_code(S, k, r, patches)
    G = C @ seen.T @ seen @ C.T / n
    assert np.linalg.eigvalsh(G)[::-1] == pytest.approx(code.values, abs=5 * 2 * code.values[0] / n**0.5)

    def near(errors, law):
        assert errors.mean() == pytest.approx(law, abs=5 * errors.std() / n**0.5)
        assert abs(errors.mean() - 1.05 * law) > 5 * errors.std() / n**0.5

    z = x @ code.encoder.T
    near(np.square(x - seen @ code.encoder.T @ code.basis.T).sum(1), code.masked)
    near(np.square(x - z @ code.basis.T).sum(1), code.clean)
    near(np.square(x - z @ np.linalg.lstsq(z, x, rcond=None)[0]).sum(1), code.tuned)
    assert code.tuned < code.clean


def test_without_masking_it_is_pca_and_no_other_code_beats_it():
    values = np.linalg.eigvalsh(S)
    code = masked_code(S, 2)
    assert code.masked == pytest.approx(values[:-2].sum())
    assert code.clean == pytest.approx(code.tuned)
    best = masked_code(S, 2, 0.6)
    for _ in range(20):  # what any other span would leave of the masked problem
        V = np.linalg.qr(best.basis + 0.1 * RANDOM.standard_normal((6, 2)))[0]
        G = 0.4 * S @ np.linalg.inv(0.4 * S + 0.6 * np.diag(np.diag(S))) @ S
        assert np.trace(S) - np.trace(V.T @ G @ V) > best.masked


def test_pca_and_factor_analysis_are_its_ends(size):
    """scikit-learn's, on the world: the loudest lone pixel without masking, what pixels share with much of it."""
    w = ClusterPixels()
    x = w.sample(size(4000, 40_000), seed=1)[0]
    ends = (PCA(1).fit(x).components_[0], 0.0), (FactorAnalysis(1).fit(x).components_[0], 0.9)
    for direction, ratio in ends:
        assert masked_code(np.cov(x.T), 1, ratio).share(direction) > 0.98


def test_pixels_that_never_change_are_left_out():
    wide = np.zeros((8, 8))
    wide[:6, :6] = S
    one, other = masked_code(S, 2, 0.5), masked_code(wide, 2, 0.5)
    assert other[3:] == pytest.approx(one[3:])


def test_the_switch_is_where_the_code_turns():
    w = ClusterPixels()
    law = switch_ratio(w.signal, w.spread, w.noise, np.array(w.nuisances))
    assert law == pytest.approx([0.392, 0.311, 0.210], abs=5e-4)
    for k, at in enumerate(law, 1):
        shares = [masked_code(w.covariance, k, at + step).share(w.direction) for step in (-1e-3, 1e-3)]
        assert shares == pytest.approx([0, 1], abs=1e-6)
    assert switch_ratio(1.2, 30, 0.1, 1.0) == 0
    assert np.isnan(switch_ratio(1.2, 30, 0.1, 12.2))
    assert masked_code(ClusterPixels(nuisances=(12.2,)).covariance, 1, 0.999).share(w.direction) < 1e-6
    assert isinstance(switch_ratio(1.2, 30, 0.1, 2.0), float)


def test_tuning_costs_the_span_alone_only_if_it_is_pca_s():
    w = ClusterPixels()
    code, other = masked_code(w.covariance, 3, 0.5), masked_code(S, 2, 0.5)
    spans = (w.covariance, code.basis), (S, other.basis)
    outside = [np.trace(A) - np.trace(V.T @ A @ V) for A, V in spans]
    assert code.tuned == pytest.approx(outside[0])
    assert other.tuned > 1.001 * outside[1]


def test_a_plan_says_what_is_kept(size):
    """On images whose covariance is that of the world, as drawn."""
    w = ClusterPixels(16, 9, 2, 1.2, 0.1, (2.0, 1.8))
    x = w.sample(size(4000, 40_000))[0].reshape(-1, 1, 4, 4)
    plan, exact = suggest_mask(x, 1, ratios=(0, 0.8)), masked_code(np.cov(x.reshape(len(x), -1).T), 1, 0.8)
    assert plan.kept.shape == (2, 16)
    assert plan.kept.sum(1) == pytest.approx([1, 1])
    assert plan.kept[0, 0] == pytest.approx(1)
    assert plan.kept[1, 0] < 0.01
    assert plan.price == pytest.approx([1, exact.tuned / masked_code(np.cov(x.reshape(len(x), -1).T), 1).clean])
    colours = np.repeat(x, 2, 1) + 0.1 * RANDOM.standard_normal((len(x), 2, 4, 4))
    whole = suggest_mask(colours, 2, patch=4, ratios=(0.0, 0.5))
    assert whole.kept[0] == pytest.approx(whole.kept[1], abs=1e-6), "all hidden or nothing: PCA"


@pytest.mark.parametrize(
    ("function", "wrong"),
    [
        (masked_code, ([[1.0, 2.0], [2.0, 1.0]], 1)),
        (masked_code, ([[1.0, np.nan], [0.0, 1.0]], 1)),
        (masked_code, (S, 7)),
        (masked_code, (S, 1, 1.0)),
        (masked_code, (S, 1, 0.5, [0, 1])),
        (masked_code(S, 1).share, ([1.0, 2.0],)),
        (masked_code(S, 1).share, (np.zeros(6),)),
        (suggest_mask, (np.ones((1, 1, 4, 4)), 1)),
        (switch_ratio, (0.0, 30, 0.1, 2.0)),
        (switch_ratio, (1.2, 1, 0.1, 2.0)),
        (suggest_mask, (np.ones((3, 4)), 1)),
        (suggest_mask, (np.ones((3, 1, 4, 4)), 1)),
        (suggest_mask, (np.full((3, 1, 4, 4), np.nan), 1)),
    ],
)
def test_refusals(function, wrong):
    with pytest.raises(InputError, match=r"must be .*, got .*; "):
        function(*wrong)

"""Quantised mixtures: masses against many samples, scores against the transform, samples against masses."""

import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.laws.sampling import diffused, ratios
from twopart.worlds.quantized import QuantizedTarget, code_words, digits
from twopart.worlds.targets import GaussianTarget, MixtureTarget

MIXTURE = MixtureTarget([0.6, 0.4], [[-1.0, 0.5], [1.5, -0.5]], scales=[[0.5, 0.7], [0.3, 0.4]])


def word_of(bits):
    return (bits.long() << torch.arange(bits.shape[1] - 1, -1, -1)).sum(1).numpy()


@pytest.mark.parametrize("code", ["binary", "gray"])
def test_masses_against_samples(code, size):
    """The cells by hand from points; 64 cells at 5 standard errors."""
    n = size(100_000, 10**6)
    world = QuantizedTarget(MIXTURE, 3, 2.0, code)
    x = MIXTURE.sample(n, seed=1).numpy()
    inside = x[(np.abs(x) < 2).all(1)]
    assert len(inside) / n == pytest.approx(world.inside, abs=2.5 / np.sqrt(n))
    cells = np.floor((inside + 2) / 0.5).astype(int)
    words = cells if code == "binary" else cells ^ (cells >> 1)
    share = np.bincount(words @ [8, 1], minlength=64) / len(inside)
    error = np.sqrt(world.mass * (1 - world.mass) / len(inside)) + 1e-6
    assert (np.abs(share - world.mass) < 5 * error).all()
    assert world.mass.sum() == pytest.approx(1)


@pytest.mark.parametrize("joint", [True, False])
def test_ratios_against_the_transform(joint, monkeypatch):
    """As one table of all bits, and as a mixture of products of tables: what large dimensions use."""
    if not joint:
        monkeypatch.setattr("twopart.worlds.quantized.JOINT", 0)
    world = QuantizedTarget(MIXTURE, 4, 4.0)
    states = torch.from_numpy(digits(np.arange(256), 8))
    for u in (1e-4, 0.3, 3.0):
        found = world.ratios(states, torch.full((256,), u, dtype=torch.float64)).numpy()
        assert found == pytest.approx(ratios(world.mass, u), rel=1e-10)
    mixed = torch.linspace(0.01, 2, 256, dtype=torch.float64)
    own = world.ratios(states, mixed)
    assert own[7].numpy() == pytest.approx(ratios(world.mass, float(mixed[7]))[7], rel=1e-10)


def test_samples_have_the_masses():
    """Pearson's statistic over 64 states at 5 standard deviations."""
    world, n = QuantizedTarget(MIXTURE, 3, 3.0, "random", seed=4), 20_000
    bits = world.sample(n, seed=2)
    assert bits.dtype == torch.uint8
    expected = n * world.mass
    chi2 = ((np.bincount(word_of(bits), minlength=64) - expected) ** 2 / expected)[expected > 1].sum()
    assert chi2 < 63 + 5 * np.sqrt(2 * 63)
    assert not torch.equal(bits, world.sample(n, seed=2, stream=1))
    assert torch.equal(bits, world.sample(n, seed=2))


def test_noise_commutes_with_products_in_sixteen_dimensions():
    """An axis of a product: the ratios of its bits are its own."""
    signs = (-1.0) ** np.arange(16)
    world = QuantizedTarget(MixtureTarget([1.0], [signs], scales=0.5), 3, 4.0)
    alone = QuantizedTarget(MixtureTarget([1.0], [[1.0]], scales=0.5), 3, 4.0)
    bits = world.sample(20)
    found = world.ratios(bits, torch.full((20,), 0.2, dtype=torch.float64))
    assert found[:, :3].numpy() == pytest.approx(ratios(alone.mass, 0.2)[word_of(bits[:, :3])], rel=1e-10)
    with pytest.raises(InputError, match=r"`bits` must be 20 in all at most, got 48"):
        _ = world.mass


def test_codes():
    for b in (1, 4, 7):
        gray = code_words(b, "gray")
        assert sorted(gray) == list(range(2**b)) == sorted(code_words(b, "random", 3))
        assert {bin(n).count("1") for n in gray[1:] ^ gray[:-1]} == {1}
    assert digits(np.array([5]), 4).tolist() == [[0, 1, 0, 1]]


def test_far_cells_keep_their_digits():
    world = QuantizedTarget(MixtureTarget([1.0], [[0.0]], scales=0.5), 6, 8.0)
    assert world.mass == pytest.approx(world.mass[::-1], rel=1e-10)
    assert 0 < world.mass[-1] < 1e-50
    assert diffused(world.mass, 1e-3).min() > 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: QuantizedTarget(GaussianTarget([[2.0, 1.0], [1.0, 2.0]]), 3, 2.0), "`target` must be a mixture with"),
        (lambda: QuantizedTarget(MIXTURE, 3, -1.0), "`radius` must be"),
        (
            lambda: QuantizedTarget(MixtureTarget([1.0], [[50.0]], scales=0.1), 3, 1.0),
            "`radius` must be that of a cube",
        ),
        (lambda: QuantizedTarget(MIXTURE, 0, 1.0), "`bits` must be"),
        (
            lambda: QuantizedTarget(MIXTURE, 2, 2.0).ratios(torch.ones(3, 5), torch.ones(3)),
            r"`bits` must be a tensor of shape \(n, 4\)",
        ),
        (lambda: QuantizedTarget(MIXTURE, 2, 2.0).ratios(torch.ones(3, 4), torch.zeros(3)), r"`remaining` must be in"),
        (
            lambda: QuantizedTarget(MIXTURE, 2, 2.0).ratios(torch.full((3, 4), 2), torch.ones(3)),
            "`bits` must be 0 or 1",
        ),
        (lambda: QuantizedTarget(MIXTURE, 2, 2.0).ratios(torch.ones(3, 4), None), "`remaining` must be a torch tensor"),
        (lambda: QuantizedTarget(None, 2, 2.0), "`target` must be a mixture with"),
        (lambda: code_words(3, "morse"), "`code` must be one of"),
        (lambda: code_words(3, seed=-1), "`seed` must be"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(InputError, match=words):
        call()

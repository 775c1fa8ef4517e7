"""Is overfitting benign: a linear model whose parts are known, a patch network beside its own readings, the page's examples."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from twopart._checks import InputError
from twopart.laws.features import reply_spread
from twopart.learners.features import (
    PatchNetConfig,
    diagnose_overfitting,
    exchange_patches,
    fresh_error,
    initialise_patches,
    stack,
    train_patches,
)
from twopart.learners.features.patch_reading import fresh_sides
from twopart.worlds.features import SignalNoise, Xor

PAGE = Path(__file__).parents[3] / "docs" / "laws" / "xor-benign-overfitting.md"
D = 40


class Linear(nn.Module):
    """f = s + <w, noise>: the signal s is the sum of patch 0."""

    def __init__(self, weight, dtype=torch.float64):
        super().__init__()
        self.w = nn.Parameter(torch.as_tensor(weight, dtype=dtype))

    def forward(self, x):
        return x[:, 0].sum(1) + x[:, 1] @ self.w


def linear(n=400, seed=0):
    """Signals ±1, half of the points ±2; noise N(0, 1)."""
    random = np.random.default_rng(seed)
    y = np.where(np.arange(n) % 2, 1, -1)
    x = random.standard_normal((n, 2, D))
    x[:, 0] = (y * np.where(np.arange(n) % 4 < 2, 1.0, 2.0))[:, None] / D
    return x, y


def test_of_a_linear_model_all_parts_are_known(size):
    (x, y), (fresh, clean) = linear(60), linear(size(1000, 8000), seed=1)
    w = (x[:, 1] * y[:, None]).mean(0) * 2  # remembers its training noise
    renew = lambda x, g: torch.stack([x[:, 0], torch.randn(x[:, 0].shape, generator=g, dtype=x.dtype)], 1)  # noqa: E731
    for how in (None, renew):
        found = diagnose_overfitting(Linear(w), x, y, fresh, clean, renew=how, repeats=32)
        length, n = np.linalg.norm(w), len(clean)
        assert found.signals == pytest.approx(np.tile([1.0, 1.0, 2.0, 2.0], n // 4), abs=6 * length / np.sqrt(32))
        assert found.reply == pytest.approx(length, rel=5 / np.sqrt(2 * n))
        chance = length / np.sqrt(32 * 60)
        assert found.own == pytest.approx((y * (x[:, 1] @ w)).mean(), abs=5 * chance)
        assert found.train_error == (y * (x[:, 0].sum(1) + x[:, 1] @ w) <= 0).mean()
        right = fresh[:, 0].sum(1) + fresh[:, 1] @ w
        assert found.test_error == (clean * right <= 0).mean()
        assert found.fresh_error == pytest.approx(found.test_error, abs=5 * np.sqrt(0.25 / n))
        assert found.margin == pytest.approx(found.signal / found.reply)
        assert found.signal_error < 0.05


def test_labels_outputs_and_float_types_do_not_matter():
    (x, y), (fresh, clean) = linear(40), linear(80, seed=1)
    w = (x[:, 1] * y[:, None]).mean(0)
    plain = diagnose_overfitting(Linear(w), x, y, fresh, clean)
    two = lambda part: torch.stack([-Linear(w)(part) / 2, Linear(w)(part) / 2], 1).detach()  # noqa: E731
    for found in (
        diagnose_overfitting(two, x, (y + 1) // 2, fresh, (clean + 1) // 2, chunk=7),
        diagnose_overfitting(lambda part: Linear(w)(part)[:, None], torch.tensor(x), torch.tensor(y), fresh, clean),
        diagnose_overfitting(Linear(w, torch.float32), x.astype(np.float32), y, fresh.astype(np.float32), clean),
        diagnose_overfitting(
            lambda part: Linear(w)(part.flip(1)), x[:, ::-1].copy(), y, fresh[:, ::-1].copy(), clean, signal=1
        ),
    ):
        assert (found.own, found.reply, found.signal) == pytest.approx((plain.own, plain.reply, plain.signal), rel=1e-5)
    other = diagnose_overfitting(Linear(w), x, y, fresh, clean, seed=1)
    assert 0 < abs(other.reply - plain.reply) < 0.1 * plain.reply


@pytest.fixture(scope="module")
def trained():
    world = SignalNoise(Xor(4.0), dimension=1000, flips=0.1)
    sample, test = world.sample(40), world.sample(2000, stream=1)
    x, y = stack([sample], dtype=torch.float32)
    start = initialise_patches(PatchNetConfig(32), 1000, [0])
    return world, sample, test, train_patches(start, x, y, steps=400, rate=0.2 * 40 * 32 / 1000, method="gram")


def test_a_patch_network_is_seen_as_its_own_weights_have_it(trained):
    """The reply is the spread of F_+ - F_- over fresh noise; the error is foretold from its size and the signal alone."""
    world, sample, test, network = trained
    model = lambda x: network(x[None])[0]  # noqa: E731
    found = diagnose_overfitting(model, sample.x, sample.label, test.x, test.clean, repeats=8)
    sides = torch.cat([sides for _, sides in fresh_sides(network, world, 40_000)], 1)
    spread = float((sides[..., 0] - sides[..., 1]).reshape(4, -1).std(1).mean())
    assert found.reply == pytest.approx(spread, rel=5 * np.sqrt(1 / 2000))
    assert found.train_error == 0
    error = float(fresh_error(network, world, 40_000)[0])
    assert found.predicted() == pytest.approx(error, abs=0.02)
    assert found.fresh_error == pytest.approx(error, abs=5 * np.sqrt(error / 2000))
    assert found.own > 2 * found.signal
    assert reply_spread(0.75) > reply_spread(0.5)


def test_patches_are_exchanged_but_for_the_signal():
    pool, x = torch.arange(24.0).view(4, 3, 2), -torch.ones(5, 3, 2)
    drawn = exchange_patches(pool, 1)(x, torch.Generator().manual_seed(0))
    assert (drawn[:, 1] == -1).all()
    assert all(any(torch.equal(row[[0, 2]], one[[0, 2]]) for one in pool) for row in drawn)
    assert (x == -1).all()


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"x_train": np.full((40, 2, D), np.nan)}, "x_train"),
        ({"x_test": np.zeros(5)}, "x_test"),
        ({"x_test": np.zeros((80, D))}, "x_test"),
        ({"y_train": np.ones(39)}, "y_train"),
        ({"y_train": np.arange(40)}, "y_train"),
        ({"y_test": np.ones((80, 1))}, "y_test"),
        ({"signal": 2}, "x_test"),
        ({"repeats": 1}, "repeats"),
        ({"chunk": 0}, "chunk"),
        ({"model": lambda x: x}, "model"),
        ({"model": lambda x: x.sum((1, 2)) * np.nan}, "model"),
        ({"model": nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(2 * D, 1)).double()}, "model"),
    ],
)
def test_bad_questions(changes, name):
    (x, y), (fresh, clean) = linear(40), linear(80, seed=1)
    arguments = {"model": Linear(np.zeros(D)), "x_train": x, "y_train": y, "x_test": fresh, "y_test": clean} | changes
    with pytest.raises(InputError, match=rf"`{name}` must be .*, got .*; "):
        diagnose_overfitting(**arguments)


def test_the_examples_of_the_page_run(capsys):
    blocks, names = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.S), {}
    torch.manual_seed(0)
    for block in blocks:
        exec(block, names)
    assert len(blocks) >= 2
    report = names["report"]
    assert report.train_error == 0
    assert report.own > report.signal
    assert report.predicted() == pytest.approx(report.fresh_error, abs=0.03)
    assert capsys.readouterr().out

"""Mixup of batches against torchvision's published formula, all pairs, and plain arithmetic.

torchvision is no extra of the tests: its wheels for this torch need CUDA and do not load beside a CPU build. Its MixUp:
x.roll(1, 0) (1 - lam) + x lam, with one-hot labels alike and one lam from Beta(alpha, alpha) a batch.
"""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from twopart.learners.features import (
    Beta,
    Mixup,
    feature_account,
    mixup,
    soft_cross_entropy,
    stop_when,
    unmixed_accuracy,
)

CHANCE = 1e-6
PAGE = Path(__file__).parents[3] / "docs/laws/mixup.md"


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(n=6, dtype=torch.float64, seed=0):
    x = torch.randn(n, 3, 4, generator=seeded(seed), dtype=dtype)
    return x, nn.functional.one_hot(torch.arange(n) % 3, 3).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_given_the_weight_it_is_torchvisions_formula(dtype):
    x, one_hot = batch(dtype=dtype)
    kept = x.clone()
    mixed, labels = mixup(x, one_hot.argmax(1), 0.4, classes=3, generator=seeded())
    lam = float(labels[1, 1])  # of the point itself; that before it is of class 0
    assert 0 < lam < 1
    off = {torch.float16: 5e-3, torch.float32: 1e-6, torch.float64: 1e-12}[dtype]
    assert (mixed - (x.roll(1, 0) * (1 - lam) + x * lam)).abs().max() < off
    assert (labels - (one_hot.roll(1, 0) * (1 - lam) + one_hot * lam)).abs().max() < off
    assert mixed.dtype == labels.dtype == dtype
    assert torch.equal(x, kept), "nothing is written in place"


def weights(count, seed=1, **options):
    """lam and mu of that many batches."""
    x, y, random = torch.tensor([[0.0], [1.0]]).double(), torch.eye(2).double(), seeded(seed)
    drawn = [mixup(x, y, generator=random, **options) for _ in range(count)]
    return np.array([[float(a[1, 0]), float(b[1, 1])] for a, b in drawn]).T


@pytest.mark.parametrize("alpha", [0.05, 0.2, 1.0, 4.0])
def test_quantiles_are_those_of_the_beta_distribution(alpha):
    u = np.linspace(0.01, 0.99, 15)
    found = np.array([Beta(alpha).quantile(p) for p in u])
    assert found == pytest.approx(stats.beta(alpha, alpha).ppf(u), rel=1e-6)
    assert np.abs(found - stats.beta(1.05 * alpha, 1.05 * alpha).ppf(u)).max() > 1e-3


def test_weights_are_torchvisions_in_distribution(size):
    lam, mu = weights(size(400, 10_000), alpha=4.0)
    assert np.array_equal(lam, mu)
    assert stats.kstest(lam, stats.beta(4.0, 4.0).cdf).pvalue > CHANCE
    assert stats.kstest(lam, stats.beta(1.0, 1.0).cdf).pvalue < CHANCE, "the test would see another parameter"


def test_labels_have_a_weight_of_their_own_that_rises_with_that_of_features(size):
    lam, mu = weights(size(400, 10_000), alpha=1.0, beta_labels=0.3)
    assert stats.kstest(lam, stats.uniform.cdf).pvalue > CHANCE
    assert stats.kstest(mu, stats.beta(0.3, 0.3).cdf).pvalue > CHANCE
    assert stats.spearmanr(lam, mu).statistic == pytest.approx(1)
    assert ((lam > 0.5) == (mu > 0.5)).all()
    assert np.abs(weights(20, alpha=1.0, beta_labels=1e9)[1] - 0.5).max() < 1e-3
    assert np.abs(weights(20, alpha=1.0, beta_labels=1e-3)[1] - 0.5).min() > 0.49


@pytest.mark.parametrize(
    ("weight", "label", "expected"), [(0.6, None, 0.6), (0.6, 0.9, 0.9), (0.3, 0.9, 0.1), (1, 1, 1)]
)
def test_weights_may_be_given(weight, label, expected):
    x, y = batch()
    mixed = Mixup(weight, label, "roll").batch(x, y)
    assert mixed.weights == pytest.approx((weight, expected))
    assert torch.allclose(mixed.x, weight * x + (1 - weight) * x.roll(1, 0))
    assert torch.allclose(mixed.y, expected * y + (1 - expected) * y.roll(1, 0))


def test_drawn_labels_are_on_the_side_of_a_given_weight():
    x, y = batch()
    drawn = [Mixup(0.6, Beta(0.5)).batch(x, y, seeded(seed)).weights[1] for seed in range(40)]
    assert min(drawn) >= 0.5
    assert len(set(drawn)) == 40
    sides = [Mixup(Beta(), 0.8).batch(x, y, seeded(seed)).weights for seed in range(40)]
    assert {(lam > 0.5, round(mu, 9)) for lam, mu in sides} == {(True, 0.8), (False, 0.2)}


def test_all_pairs_against_a_double_loop():
    x, y = batch()
    mixed = Mixup(0.7, 0.9, "all").batch(x, y)
    for row, (i, j) in enumerate((i, j) for i in range(6) for j in range(6)):
        assert mixed.pairs[row].tolist() == [i, j]
        assert torch.allclose(mixed.x[row], 0.7 * x[i] + 0.3 * x[j])
        assert torch.allclose(mixed.y[row], 0.9 * y[i] + 0.1 * y[j])


def test_permutations_have_the_gradient_of_all_pairs_on_average(size):
    """Pairs of a point with itself included, one in n of a permutation's."""
    x, y = batch()
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).double()
    each = Mixup(0.6, None, "all").batch(x, y)
    losses = soft_cross_entropy(model(each.x), each.y, reduction="none")
    grads = torch.stack([torch.autograd.grad(one, model[1].weight, retain_graph=True)[0].flatten() for one in losses])
    whole = torch.autograd.grad(Mixup(0.6, None, "all").loss(model, x, y), model[1].weight)[0].flatten()
    assert torch.allclose(grads.mean(0), whole)
    random, mix = seeded(5), Mixup(0.6)
    pairs = torch.stack([mix.batch(x, y, random).pairs for _ in range(size(800, 10_000))])
    drawn = grads.view(6, 6, -1)[pairs[..., 0], pairs[..., 1]].mean(1)
    deviation = (drawn.mean(0) - whole) / (drawn.std(0) / len(drawn) ** 0.5)
    assert float(deviation.abs().max()) < 5.5, "36 numbers at once"
    counts = torch.bincount((6 * pairs[..., 0] + pairs[..., 1]).flatten(), minlength=36)
    assert stats.chisquare(counts.numpy()).pvalue > CHANCE
    without = grads.view(6, 6, -1)[~torch.eye(6, dtype=torch.bool)].mean(0)
    assert float(((drawn.mean(0) - without) / (drawn.std(0) / len(drawn) ** 0.5)).abs().max()) > 5.5


def test_partners_of_another_class_or_group():
    x, y = batch(30)
    classes, random = y.argmax(1), seeded(2)
    index = torch.stack([Mixup(0.6, None, "different-class").batch(x, y, random).pairs for _ in range(60)])
    assert (classes[index[..., 0]] != classes[index[..., 1]]).all()
    assert stats.chisquare(torch.bincount(index[:, 0, 1], minlength=30)[classes != 0].numpy()).pvalue > CHANCE
    groups = torch.tensor([0] * 20 + [1] * 8 + [2] * 2)
    mix = Mixup(0.6, None, "common-rare")
    index = torch.stack([mix.batch(x, y, random, groups=groups).pairs for _ in range(60)])
    of, by = groups[index[..., 0]], groups[index[..., 1]]
    assert (of != by).all()
    for group in range(3):  # the other two meet it equally often, whatever their sizes
        met = by[of == group].bincount(minlength=3)
        assert stats.binomtest(int(met[(group + 1) % 3]), int(met.sum())).pvalue > CHANCE
    for same in (["common"] * 20 + ["rare"] * 10, groups.clamp(max=1).double().requires_grad_(), groups.numpy() > 0):
        assert torch.equal(
            mix.batch(x, y, seeded(3), groups=same).pairs,
            mix.batch(x, y, seeded(3), groups=groups.clamp(max=1)).pairs,
        )
    signs = Mixup(0.6, None, "different-class").batch(x, torch.tensor([1.0, -1.0]).repeat(15), random)
    assert (signs.pairs.sum(1) % 2 == 1).all()
    assert signs.y.abs().numpy() == pytest.approx(np.full(30, 0.2), abs=1e-6)


def test_after_the_stop_points_are_as_they_are():
    x, y = batch()
    mix = Mixup(0.6, stop=0.25, pairs="all")
    assert len(mix.batch(x, y, progress=0.2).x) == 36
    left = mix.batch(x, y, progress=0.25)
    assert left.x is x
    assert left.y is y
    assert left.weights == (1, 1)
    assert (left.pairs == torch.arange(6)[:, None]).all()
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).double()
    expected = nn.functional.cross_entropy(model(x), y.argmax(1))
    assert float(mix.loss(model, x, y, progress=0.5).detach()) == pytest.approx(float(expected.detach())), (
        "the same loss, mixed or not"
    )
    assert len(Mixup(0.6, pairs="all").batch(x, y, progress=1.0).x) == 36, "a stop of 1 is none"


def test_a_seed_gives_a_batch_and_no_generator_the_global_one():
    x, y = batch()
    one, two, other = (mixup(x, y, pairs="permutation", generator=seeded(seed))[0] for seed in (3, 3, 4))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    torch.manual_seed(3)
    assert torch.equal(mixup(x, y, pairs="permutation")[0], one)


def test_soft_cross_entropy_is_a_sum_over_classes():
    f, y = torch.randn(5, 3, generator=seeded()).double(), torch.full((5, 3), 1 / 3).double()
    expected = -(y * f.log_softmax(1)).sum(1)
    assert torch.allclose(soft_cross_entropy(f, y, "none"), expected)
    assert torch.allclose(soft_cross_entropy(f.float(), y), expected.mean().float())


def test_accuracy_on_points_as_they_are_leaves_the_model_alone():
    x, y = batch(40)
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(12), nn.Dropout(0.5), nn.Linear(12, 3)).double()
    model[2].eval()
    before = {name: part.clone() for name, part in model.state_dict().items()}
    found = unmixed_accuracy(model, x, y)
    assert [part.training for part in model] == [True, True, False, True]
    assert all(torch.equal(part, before[name]) for name, part in model.state_dict().items())
    model.eval()
    assert found == pytest.approx(float((model(x).argmax(1) == y.argmax(1)).double().mean()))


def test_what_a_model_makes_of_features():
    linear = nn.Linear(4, 3).double()
    directions, points = torch.randn(2, 4, generator=seeded()).double(), torch.randn(7, 4, generator=seeded(1)).double()
    expected = directions @ linear.weight.T
    assert torch.allclose(feature_account(linear, directions), expected)
    assert torch.allclose(feature_account(linear, directions, points), expected)
    squared = nn.Sequential(linear, nn.Hardtanh(-1e9, 0.0), nn.Linear(3, 1)).double()  # min(z, 0), not linear
    by_hand = [np.mean([float((squared(p + d) - squared(p)).detach()) for p in points]) for d in directions]
    assert feature_account(squared, directions, points)[:, 0].tolist() == pytest.approx(by_hand)


@pytest.mark.parametrize(
    ("history", "patience", "expected"),
    [([1, 2, 3, 3, 4], 1, 2), ([1, 2, 3, 3, 4], 2, 4), ([1, 2, 3], 1, 2), ([5.0], 1, 0), ([3, 2, 9], 1, 0)],
)
def test_when_the_account_stops_to_rise(history, patience, expected):
    assert stop_when(history, patience) == expected


X, Y = batch()
LINEAR = nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).double()


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: mixup(X, Y, 0.0), "alpha"),
        (lambda: mixup(X, Y, float("nan")), "alpha"),
        (lambda: mixup(X, Y, 1.0, beta_labels=-1.0), "beta_labels"),
        (lambda: mixup(X, Y.argmax(1)), "classes"),
        (lambda: mixup(X, Y.argmax(1), classes=2), "y"),
        (lambda: mixup(X, Y[:5]), "y"),
        (lambda: mixup(X, Y, pairs="some"), "pairs"),
        (lambda: mixup(X * torch.nan, Y), "x"),
        (lambda: mixup(X.int(), Y), "x"),
        (lambda: mixup(X.numpy(), Y), "x"),
        (lambda: mixup(X, Y.numpy()), "y"),
        (lambda: Mixup().batch(X, Y.argmax(1)), "y"),
        (lambda: Mixup().batch(X, Y * torch.inf), "y"),
        (lambda: Mixup().batch(X, Y, progress=1.2), "progress"),
        (lambda: Mixup(pairs="common-rare").batch(X, Y), "groups"),
        (lambda: Mixup(pairs="common-rare").batch(X, Y, groups=[1, 2]), "groups"),
        (lambda: Mixup(pairs="common-rare").batch(X, Y, groups=[1] * 6), "groups"),
        (lambda: Mixup(pairs="different-class").batch(X, Y, groups=[1] * 6), "groups"),
        (lambda: Mixup(pairs="different-class").batch(X, torch.ones(6)), "y"),
        (lambda: Mixup(1.2), "weight"),
        (lambda: Mixup(None), "weight"),
        (lambda: Mixup(0.6, 0.4), "label_weight"),
        (lambda: Mixup(stop=-0.1), "stop"),
        (lambda: Mixup().batch(X, Y, groups=[1] * 6), "groups"),
        (lambda: Mixup(pairs="common-rare").batch(X, Y, groups=[0, 1, 2, 3, 4, np.nan]), "groups"),
        (lambda: Mixup(pairs="common-rare").batch(X, Y, groups=[None] * 6), "groups"),
        (lambda: mixup(X.numpy(), Y.argmax(1), classes=3), "x"),
        (lambda: mixup(None, Y.argmax(1), classes=3), "x"),
        (lambda: mixup(X, Y.argmax(1)[0], classes=3), "y"),
        (lambda: Beta().quantile(1.5), "u"),
        (lambda: unmixed_accuracy(LINEAR, X[:0], Y[:0]), "x"),
        (lambda: unmixed_accuracy(LINEAR, X.numpy(), Y), "x"),
        (lambda: unmixed_accuracy(lambda x: (x,), X, Y), "model"),
        (lambda: feature_account(torch.sum, X), "model"),
        (lambda: soft_cross_entropy(X, Y), "outputs"),
        (lambda: soft_cross_entropy(Y * torch.nan, Y), "outputs"),
        (lambda: soft_cross_entropy(Y, Y, "some"), "reduction"),
        (lambda: unmixed_accuracy(LINEAR, X * torch.nan, Y), "model"),
        (lambda: soft_cross_entropy(Y[:, :2], Y), "labels"),
        (lambda: unmixed_accuracy(LINEAR, X, Y[:, :2]), "y"),
        (lambda: feature_account(LINEAR, X * torch.nan), "directions"),
        (lambda: feature_account(LINEAR, X, X[:, :2]), "points"),
        (lambda: stop_when([1.0, np.nan]), "history"),
        (lambda: stop_when([[1.0]]), "history"),
        (lambda: stop_when([1.0], 0), "patience"),
    ],
)
def test_refusals(call, name):
    with pytest.raises(ValueError, match=rf"^`{name}` must be .*, got .*; ") as error:
        call()
    assert not re.search(r"; $", str(error.value))


def test_the_examples_of_the_page_run(capsys):
    """Real digits, a rare style among them: Mixup reads it more often."""
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.S):
        exec(block, names)
    (_, plain), (whole, mixed), (added, stop) = (line.split() for line in capsys.readouterr().out.splitlines())
    assert float(mixed) > float(plain) + 0.1
    assert float(whole) > 0.94
    assert float(added) > 1
    assert stop == "2"

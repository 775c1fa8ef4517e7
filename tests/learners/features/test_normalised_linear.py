"""A batch-normalised linear model against torch's own layer, its law, and plain numbers; and how uniform margins are told."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from twopart.laws.features import batch_norm as law
from twopart.learners.features import margins, train_normalised, uniformity


def sample(n=6, P=2, d=30, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, P, d, generator=generator, dtype=torch.float64).to(dtype)
    return x, torch.tensor([1.0, -1.0] * (n // 2), dtype=dtype)


@pytest.mark.parametrize("P", [1, 3])
def test_training_is_the_law_in_d_numbers(P):
    x, y = sample(P=P)
    gram = law.signed_gram(x, y)
    start = gram.sum(1) * 1.3 / np.sqrt(np.square(gram.sum(1)).mean())
    path = law.margin_path(gram, 100, 0.2, start, patches=P, looks=8)
    seen = {}
    model = train_normalised(
        x if P > 1 else x[:, 0], y, 100, 0.2, initial=1.3, on_step=lambda t, m: seen.update({t: m})
    )
    for at, step in enumerate(path.step):
        assert seen[int(step)].margins(x, y).numpy() == pytest.approx(path.margins[at], abs=1e-12)
    assert (model.gamma, model.scale) == pytest.approx((path.gamma[-1], path.scale[-1]), rel=1e-12)
    assert model(x).numpy() == pytest.approx(y.numpy() * path.gamma[-1] * path.margins[-1].sum(-1), abs=1e-12)


@pytest.mark.parametrize(
    ("loss", "P", "dtype"),
    [("logistic", 3, torch.float64), ("logistic", 1, torch.float32), ("square", 1, torch.float64)],
)
def test_torchs_layers_are_the_same_but_for_centring_and_epsilon(loss, P, dtype):
    """A filter on patches; points beside their negatives have mean 0, and the layer's bias would stay 0."""
    x, y = sample(P=P, dtype=dtype)
    x, y = torch.cat([x, -x]), torch.cat([y, -y])
    w = torch.randn(30, generator=torch.Generator().manual_seed(1)).to(dtype) * 0.3
    model = train_normalised(x, y, 30, 0.2, rate_gamma=0.1, loss=loss, initial=w, gamma=0.8)
    peer = nn.Sequential(nn.Conv1d(1, 1, 30, stride=30, bias=False), nn.BatchNorm1d(1, eps=1e-12)).to(dtype)
    peer[0].weight.data, peer[1].weight.data = w[None, None].clone(), torch.tensor([0.8], dtype=dtype)
    row = x.flatten(1)[:, None]
    for _ in range(30):
        peer.zero_grad()
        f = peer(row).sum((1, 2))
        (nn.functional.softplus(-y * f) if loss == "logistic" else (y - f) ** 2 / 2).mean().backward()
        peer[0].weight.data -= 0.2 * peer[0].weight.grad
        peer[1].weight.data -= 0.1 * peer[1].weight.grad
    tolerance = 1e-4 if dtype == torch.float32 else 1e-10
    assert model.weight.numpy() == pytest.approx(peer[0].weight.detach().numpy()[0, 0], abs=tolerance)
    assert model.gamma == pytest.approx(float(peer[1].weight.detach()), rel=tolerance)
    assert model.weight.dtype == dtype
    assert (peer(row).sum((1, 2)) - model(x)).abs().max() < 10 * tolerance
    assert margins(peer.eval(), row, y)[:, 0].numpy() == pytest.approx(model.margins(x, y).numpy(), abs=10 * tolerance)


def test_stopping_and_a_fixed_gamma():
    x, y = sample()
    model = train_normalised(x, y, 50, 0.2, rate_gamma=0.0, gamma=-2.0, on_step=lambda step, _: step == 3)
    assert model.gamma == -2.0
    assert model.margins(x, y).square().mean() == pytest.approx(1)
    assert torch.equal(train_normalised(x, y, 0, 0.2, initial=x[0, 0]).weight, x[0, 0])


def test_margins_of_a_module_are_those_of_its_channels_patch_by_patch():
    x, y = sample(n=8, P=3, d=5)
    model = train_normalised(x, y, 20, 0.2)
    net = nn.Sequential(
        nn.Conv1d(1, 2, 5, stride=5, bias=False), nn.BatchNorm1d(2, eps=1e-14), nn.Flatten(), nn.Linear(6, 1)
    ).double()
    net[0].weight.data[:] = model.weight * torch.tensor([1.0, -7.0]).double()[:, None, None]
    before = {name: part.clone() for name, part in net.state_dict().items()}
    found = margins(net, x.flatten(1)[:, None], y, centred=False)
    assert found.shape == (8, 2, 3)
    assert found[:, 0].numpy() == pytest.approx(model.margins(x, y).numpy(), abs=1e-9)
    assert torch.allclose(found[:, 1], found[:, 0]), "neither size nor sign of a channel matters"
    assert all(torch.equal(part, before[name]) for name, part in net.state_dict().items())
    assert net.training
    centred = margins(net, x.flatten(1)[:, None], y, "1")
    h = (x @ model.weight - (x @ model.weight).mean()) * y[:, None]
    assert centred[:, 0].numpy() == pytest.approx((h / h.square().mean().sqrt() * h.mean().sign()).numpy(), abs=1e-2)
    report = uniformity(net, x.flatten(1)[:, None], y, centred=False)
    assert report.layers["1"].tolist() == pytest.approx([float(law.spread(model.margins(x, y), 2))] * 2, rel=1e-6)

    class Apart(nn.Module):
        """Patches are the layer's points."""

        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(1, eps=1e-12)

        def forward(self, x):
            return self.norm((x @ model.weight).reshape(-1, 1)).reshape(len(x), -1).sum(1)

    assert margins(Apart().double(), x, y, centred=False)[:, 0].numpy() == pytest.approx(found[:, 0].numpy())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_report_of_logits_and_channels(dtype):
    """Two channels: the label itself, and noise; three classes, and two with one or two logits."""
    y = torch.tensor([0, 1, 2] * 4)
    noise = torch.randn(12, generator=torch.Generator().manual_seed(0))
    x = torch.stack([(y > 0).float(), noise], 1).to(dtype)
    net = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(), nn.Linear(2, 3)).to(dtype)
    report = uniformity(net, x, y)
    logits = net.eval()[2]((x - x.mean(0)) / (x.var(0, correction=0) + 1e-5).sqrt()).detach()
    expected = [float(f[k] - max(f[j] for j in range(3) if j != k)) for f, k in zip(logits, y, strict=True)]
    assert report.margins.tolist() == pytest.approx(expected, abs=1e-5)
    assert report.layers["0"][0] == pytest.approx(2 * (1 - (4 / 12 * 2**0.5 + 8 / 12 * 0.5**0.5) ** 2), rel=1e-3)
    two = torch.where(y > 0, 1, -1)
    assert report.uniform(0.25) == {"0": [0]}
    assert uniformity(net[:1], x[:, :2], two).layers["0"][0] == pytest.approx(float(report.layers["0"][0]))
    single = uniformity(nn.Sequential(nn.Linear(2, 1)).to(dtype), x, two)
    assert single.layers == {}
    m = single.margins
    assert single.spread == pytest.approx(float(((m[:, None] - m) ** 2).mean() / (m**2).mean()))
    same = uniformity(lambda_module(lambda x: 3.0 * torch.where(x[:, 0] > 0, 1.0, -1.0)), x, two)
    assert (same.spread, same.margins.tolist()) == (0.0, [3.0] * 12)


def test_a_channel_that_is_constant_or_tiny_is_not_uniform_for_that():
    """ε leaves tiny inputs tiny, and a constant one 0: their differences are small, their margins not alike."""
    x, y = sample(n=20, P=1, d=4)
    net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2)).double()
    net[0].weight.data[1], net[0].weight.data[2] = 0, 1e-6 * net[0].weight.data[0]
    report = uniformity(net, x[:, 0], y)
    channels = report.layers["1"]
    assert channels.isnan().tolist() == [False, True, False]
    assert float(channels[2]) == pytest.approx(float(channels[0]), rel=1e-3)
    assert report.uniform(0.01) == {"1": []}
    balanced = margins(nn.BatchNorm1d(1).double(), torch.tensor([[1.0], [1.0], [-1.0], [-1.0]]).double(), y[:4])
    assert balanced[:, 0, 0].abs().numpy() == pytest.approx(np.ones(4), rel=1e-4), "a mean of 0 has a sign, too"


def test_labels_are_of_any_type():
    x, y = sample(n=8, P=1, d=4)
    net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)).double()
    found = margins(net, x[:, 0], y)
    for labels in (y > 0, (y > 0).to(torch.uint8), (y > 0).long(), y.half()):
        assert torch.equal(margins(net, x[:, 0], labels), found)


def lambda_module(function):
    module = nn.Module()
    module.forward = function
    return module


def test_the_examples_of_the_page(capsys):
    space = {}
    for code in re.findall(r"```python\n(.+?)```", PAGE.read_text(), flags=re.S):
        exec(code, space)
    plain, normalised = (float(line) for line in capsys.readouterr().out.split("\n")[:2])
    assert plain > 0.2
    assert normalised < 0.01
    assert space["z"].min() > 0.8
    path, end = space["path"], law.spread(space["path"].margins[-1], 2)
    assert path.gamma[-1] == pytest.approx(law.late_gamma(20_000, 0.05), abs=0.002)
    assert float(law.spread(space["late"])) == pytest.approx(end, rel=0.03)


PAGE = Path(__file__).parents[3] / "docs" / "laws" / "batch-norm-bias.md"
X, Y = sample()
NET = nn.Sequential(nn.Flatten(), nn.Linear(60, 3), nn.BatchNorm1d(3)).double()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: train_normalised(X[0, 0], Y, 1, 0.1), "`x`"),
        (lambda: train_normalised(X * torch.nan, Y, 1, 0.1), "`x` must be finite"),
        (lambda: train_normalised(X.numpy(), Y, 1, 0.1), "`x` must be a torch tensor"),
        (lambda: train_normalised(X, Y[1:], 1, 0.1), "`y`"),
        (lambda: train_normalised(X, Y / 2, 1, 0.1), "`y` must be labels -1 or 1"),
        (lambda: train_normalised(X, Y, 1, 0.1, loss="hinge"), "`loss`"),
        (lambda: train_normalised(X, Y, -1, 0.1), "`steps`"),
        (lambda: train_normalised(X, Y, 1, 0.0), "`rate`"),
        (lambda: train_normalised(X, Y, 1, 0.1, rate_gamma=-1), "`rate_gamma`"),
        (lambda: train_normalised(X, Y, 1, 0.1, gamma=torch.inf), "`gamma`"),
        (lambda: train_normalised(X, Y, 1, 0.1, initial=0.0), "`initial`"),
        (lambda: train_normalised(X, Y, 1, 0.1, initial=X[0, 0] * 0), "`initial`"),
        (lambda: train_normalised(X, Y, 1, 0.1, initial=Y), "`initial`"),
        (lambda: train_normalised(X, Y, 5, 1e308), "`rate` must be small enough"),
        (lambda: train_normalised(X, Y, 1, 0.1).margins(X, Y[1:]), "`y`"),
        (lambda: train_normalised(X, Y, 1, 0.1)(X[0, 0]), "`x`"),
        (lambda: train_normalised(X, Y, 1, 0.1)(X[..., 1:]), r"`x` must be of shape \(any, any, 30\)"),
        (lambda: train_normalised(X, Y, 1, 0.1).margins(X[:, 0] * torch.inf, Y), "`x` must be finite"),
        (lambda: margins(nn.Linear(30, 1).double(), X[:, 0], Y), "`module` must be one with a layer"),
        (lambda: margins(NET, X, Y, "0"), "`layer`"),
        (lambda: margins(NET, X, Y[1:]), "`y`"),
        (lambda: margins(NET, X, Y * 0.3), "`y` must be a tensor of 6 whole numbers"),
        (lambda: margins(NET, X, Y * 0), "`y` must be of two classes"),
        (lambda: margins(NET, X, Y / 0), "`y`"),
        (lambda: margins(NET, X, Y + 0j), "`y`"),
        (lambda: margins(NET, X, Y.numpy()), "`y` must be a tensor"),
        (lambda: margins(NET, X[:1], Y[:1]), "`y` must be of two classes"),
        (lambda: margins(NET, X[:0], Y[:0]), "`x`"),
        (lambda: margins(NET, X.tolist(), Y), "`x` must be a torch tensor"),
        (lambda: margins(abs, X, Y), "`module` must be a torch module"),
        (lambda: uniformity(lambda_module(lambda x: (x,)), X, Y), "`model` must be of tensors"),
        (lambda: uniformity(lambda_module(torch.sum), X, Y), "`model` must be of one or K logits"),
        (lambda: margins(NET, X * torch.nan, Y), "`x`"),
        (lambda: uniformity(NET, X, Y), "`y` must be in 0..2"),
        (lambda: uniformity(nn.Linear(30, 1).double(), X[:, 0], torch.arange(6)), "`y` must be two for one logit"),
        (lambda: uniformity(nn.Identity(), X, Y), "`model`"),
        (lambda: uniformity(NET, X, Y.clamp(min=0)).uniform(0), "`below`"),
    ],
)  # fmt: skip
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()

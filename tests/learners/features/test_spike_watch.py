"""The watch against whole Hessians, the law of delayed spikes, batch normalisation, and networks on digits."""

import math
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from twopart.laws.features import Step
from twopart.laws.features import spikes as law
from twopart.learners.features import PatchNetConfig, SpikeWatch, effective_rate, initialise_patches, train_patches
from twopart.worlds.features import Whitened

TYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
X, Y, STAR = (torch.from_numpy(part) for part in Whitened(20, 4, 2.0, noise=0.3).sample())


class Linear(nn.Module):
    """α <x, w>/√mean <x, w>², from an angle of 1.17."""

    def __init__(self, dtype=torch.float64):
        super().__init__()
        across = torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=torch.float64)
        across = across - STAR * (across @ STAR) / 4
        w = math.cos(1.17) * STAR / 2 + math.sin(1.17) * across / across.norm()
        self.w, self.alpha = nn.Parameter(w.to(dtype)), nn.Parameter(torch.tensor(0.05, dtype=dtype))

    def forward(self, x):
        z = x @ self.w
        return self.alpha * z / z.square().mean().sqrt()


def watched(steps, decay=0.0, dtype=torch.float64, clamp=False, every=1):
    """The linear model under a watch: forecasts, losses and angles before each step."""
    net, x, y = Linear(dtype), X.to(dtype), Y.to(dtype)
    groups = [{"params": [net.w], "lr": 0.9, "weight_decay": decay}, {"params": [net.alpha]}]
    optimizer = torch.optim.SGD(groups, lr=0.05)
    watch, found = SpikeWatch(net, optimizer, every=every), []

    def loss():
        return (net(x) - y).square().mean() / 2

    for _ in range(steps):
        value = loss()
        optimizer.zero_grad()
        value.backward()
        w = net.w.detach().double()
        cos = float(w @ STAR / 2 / w.norm())
        found.append((watch(loss), float(value.detach()) - 0.045, math.acos(min(1.0, cos))))
        if clamp:
            with watch.clamped() as factor:
                assert factor == pytest.approx(min(1.0, 1.9 / watch.history[-1]))
                assert optimizer.param_groups[0]["lr"] == pytest.approx(0.9 * factor)
                optimizer.step()
            assert [group["lr"] for group in optimizer.param_groups] == [0.9, 0.05]
        else:
            optimizer.step()
    return found


def test_kappa_is_the_laws_and_forecasts_come_true():
    found, lawful = watched(70, every=2), law.path(math.cos(1.17), math.sin(1.17), 0.05, 2.0, 0.9, 0.05, 70)
    angles = np.arctan(np.exp(lawful.log_tangent))
    small = [t for t in range(8, 60, 2) if angles[t] < 0.01]
    kappa = [found[t][0].kappa for t in small]
    assert kappa == pytest.approx(lawful.kappa[small], rel=2e-3)
    onset, spike = int(law.onset(lawful).step), int(law.spike(lawful).step)
    assert (onset, spike) == (24, 68)
    assert abs(16 + found[16][0].onset - onset) <= 1
    for step in (16, 24, 40):
        assert abs(step + found[step][0].spike - spike) <= 6
    assert found[30][0].onset == 0
    assert found[69][0].spike == math.inf, "κ is below 2 again"
    assert np.argmax([loss for _, loss, _ in found[30:]]) + 30 == 68


def test_a_look_every_fifth_step_forecasts_the_same():
    found = watched(19, every=5)
    assert len({forecast.kappa for forecast, _, _ in found}) == 4
    for step in (16, 18):
        assert abs(step + found[step][0].onset - 24) <= 2
        assert abs(step + found[step][0].spike - 68) <= 8


@TYPES
def test_the_clamp_prevents_spikes_that_decay_brings(dtype):
    def rises(found):
        angles = [angle for _, _, angle in found]
        return sum(b > a > 1e-3 for a, b in pairwise(angles))

    held = watched(60, 1e-2, dtype, clamp=True)
    assert rises(held) == 0
    assert held[-1][1] < 0.01
    assert dtype == torch.float32 or rises(watched(60, 1e-2)) > 0


@TYPES
def test_what_has_no_scale_is_found_in_any_architecture(dtype):
    torch.manual_seed(0)
    x, y = torch.randn(12, 6, dtype=dtype), torch.randn(12, 2, dtype=dtype)
    net = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 4, bias=False), nn.RMSNorm(4),
                        nn.Linear(4, 2)).to(dtype)  # fmt: skip
    (net(x) - y).square().mean().backward()
    rates = effective_rate(net, 0.3)
    assert set(rates) == {"0.weight", "3.weight"}
    assert rates["0.weight"] == pytest.approx((0.3 / net[0].weight.detach().double().square().sum(1)).numpy(), rel=1e-5)
    assert rates["3.weight"].tolist() == pytest.approx([0.3 / float(net[3].weight.detach().square().sum())], rel=1e-5)
    optimizer = torch.optim.SGD([{"params": net[:3].parameters(), "lr": 0.1}, {"params": net[3:].parameters()}], lr=0.2)
    by = effective_rate(net, optimizer)
    assert by["0.weight"].tolist() == pytest.approx((rates["0.weight"] / 3).tolist(), rel=1e-5)
    assert by["3.weight"].tolist() == pytest.approx((rates["3.weight"] / 1.5).tolist(), rel=1e-5)
    plain = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 2)).to(dtype)
    (plain(x) - y).square().mean().backward()
    with pytest.raises(ValueError, match="`module` must be with normalisation layers"):
        effective_rate(plain)


class Stream(nn.Module):
    """x -> norm(E x + W tanh(norm(E x))): E and W have one scale between them."""

    def __init__(self):
        super().__init__()
        self.embed, self.out, self.read = (nn.Linear(4, 4, bias=False) for _ in range(3))
        self.norm = nn.LayerNorm(4, eps=1e-12)
        self.double()

    def forward(self, x):
        h = self.embed(x)
        return self.read(self.norm(h + self.out(self.norm(h).tanh())))


def stream():
    torch.manual_seed(0)
    net, x, y = Stream(), torch.randn(9, 4, dtype=torch.float64), torch.randn(9, 4, dtype=torch.float64)
    return net, lambda: (net(x) - y).square().mean()


def test_what_writes_to_a_stream_has_one_scale():
    net, loss = stream()
    loss().backward()
    squares = sum(float(w.detach().square().sum()) for w in (net.embed.weight, net.out.weight))
    found = effective_rate(net, 0.5, groups={"stream": ["embed.*", "out.*"]})
    assert {name: rate.tolist() for name, rate in found.items()} == {"stream": pytest.approx([0.5 / squares])}
    for wrong in (["embed.*"], ["read.weight"], ["nothing"]):
        with pytest.raises(ValueError, match="`groups` must be weights without scale together"):
            effective_rate(net, groups={"stream": wrong})


@pytest.mark.parametrize("kind", ["SGD", "momentum", "AdamW"])
def test_kappa_is_the_largest_eigenvalue_across_what_has_no_scale(kind):
    net, loss = stream()
    rates = {"SGD": torch.optim.SGD(net.parameters(), 0.3), "momentum": torch.optim.SGD(net.parameters(), 0.3, 0.8),
             "AdamW": torch.optim.AdamW(net.parameters(), 0.01, (0.7, 0.95))}  # fmt: skip
    optimizer, names = rates[kind], [name for name, _ in net.named_parameters()]
    for _ in range(3):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    watch = SpikeWatch(net, optimizer, groups={"stream": ["embed.*", "out.*"]})
    for _ in range(3):
        kappa = watch(loss).kappa  # each look goes on from the last
    parts = list(net.parameters())
    slopes = torch.autograd.grad(loss(), parts, create_graph=True)
    flat = torch.cat([slope.flatten() for slope in slopes])
    whole = torch.stack(
        [torch.cat([g.flatten() for g in torch.autograd.grad(one, parts, retain_graph=True)]) for one in flat]
    )
    root, edge = torch.full((len(flat),), 0.3).double().sqrt(), {"SGD": 1, "momentum": 1.8, "AdamW": 1.7}[kind]
    if kind == "AdamW":
        seen = torch.cat([optimizer.state[p]["exp_avg_sq"].flatten() for p in parts]) / (1 - 0.95**3)
        root = (0.01 * 0.3 / (seen.sqrt() + 1e-8)).sqrt()
    w = torch.cat(
        [p.detach().flatten() * ("norm" not in n and "read" not in n) for n, p in zip(names, parts, strict=True)]
    )
    unit = (w / root) / (w / root).norm()
    across = torch.eye(len(w)).double() - torch.outer(unit, unit)
    matrix = across @ (root[:, None] * whole * root) @ across
    assert kappa == pytest.approx(float(torch.linalg.eigvalsh(matrix)[-1]) / edge, rel=0.01)


def test_a_look_changes_nothing():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 6, bias=False), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.Linear(6, 1))
    x, optimizer = torch.randn(16, 4), torch.optim.Adam(net.parameters())
    net(x).square().mean().backward()
    before = [
        t.clone() for t in (*net.state_dict().values(), *(p.grad for p in net.parameters()), torch.get_rng_state())
    ]
    watch = SpikeWatch(net, optimizer)
    assert math.isfinite(watch(lambda: net(x).square().mean()).kappa)
    after = [*net.state_dict().values(), *(p.grad for p in net.parameters()), torch.get_rng_state()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_batch_normalisation_is_the_law_where_inputs_are_centred():
    """torch's Linear and BatchNorm1d without ε, on centred inputs: the same course as the three numbers."""
    random = np.random.default_rng(0)
    x = np.linalg.qr(np.c_[np.ones(24), random.normal(size=(24, 4))])[0][:, 1:] * math.sqrt(24)
    star = np.array([1.2, -0.8, 1.0, 0.5])
    c, w = np.linalg.norm(star), star + np.array([2.0, 3.0, 0.0, 1.0])
    net = nn.Sequential(nn.Linear(4, 1, bias=False), nn.BatchNorm1d(1, eps=1e-30)).double()
    net[0].weight.data[:], net[1].weight.data[:] = torch.from_numpy(w), 0.1
    optimizer = torch.optim.SGD([{"params": [net[0].weight], "lr": 16.0}, {"params": [net[1].weight], "lr": 0.1}])
    inputs, targets, losses = torch.from_numpy(x), torch.from_numpy(x @ star), []
    for _ in range(80):
        loss = (net(inputs)[:, 0] - targets).square().mean() / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    p = w @ star / c
    lawful = law.path(p, np.linalg.norm(w - p * star / c), 0.1, c, 16.0, 0.1, 79)
    assert lawful.rises().any()
    assert losses == pytest.approx(lawful.loss, abs=1e-8)


def test_the_rooms_normalised_network_is_the_law():
    """`train_patches` with normalised neurons, one patch and one filter, targets ±1, both layers at one rate."""
    x = X[None, :, None]
    y = torch.where(X[:, 0] > 0, 1.0, -1.0).double()
    best = np.linalg.lstsq(X.numpy(), y.numpy(), rcond=None)[0]
    config = PatchNetConfig(1, "identity", "shared", "sum", 1.0, 0.1, normalise=True, sides=1)
    start, c, losses = initialise_patches(config, 4, [1], patches=1, dtype=torch.float64), np.linalg.norm(best), []
    w = start.weights[0, 0, 0].numpy()
    w *= np.sign(w @ best)
    train_patches(start, x, y[None], steps=60, rate=0.6, step=Step("identity", "square", True),
                  on_step=lambda m: losses.append(float((m.outputs - y).square().mean()) / 2))  # fmt: skip
    p = w @ best / c
    lawful = law.path(p, np.linalg.norm(w - p * best / c), 0.1, c, 0.6, 0.6, 60)
    floor = np.square(X.numpy() @ best - y.numpy()).mean() / 2
    assert np.array(losses) - floor == pytest.approx(lawful.loss, abs=1e-9)


def test_a_network_with_batch_normalisation_on_digits():
    """Weight decay lifts κ to 2; a forecast made well before names the steps."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    x, y = torch.from_numpy(digits.images[:100] / 8 - 1).float(), torch.from_numpy(digits.target[:100])
    y = nn.functional.one_hot(y).float()
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 32, bias=False), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.SGD(
        [{"params": net[1].parameters(), "weight_decay": 0.1}, {"params": net[2:].parameters()}], 0.1
    )
    watch, seen = SpikeWatch(net, optimizer, every=4), []

    def loss():
        return (net(x) - y).square().sum(1).mean() / 2

    for _ in range(64):
        value = loss()
        optimizer.zero_grad()
        value.backward()
        seen.append(watch(loss))
        rates = effective_rate(net, optimizer)
        optimizer.step()
    kappa = np.array([forecast.kappa for forecast in seen])
    assert kappa[32:60].max() < 2 < kappa[63]
    for step in (32, 40, 48):
        assert kappa[step] < 1.7
        assert abs(step + seen[step].onset - 60) <= 10
    assert {name: rate.shape for name, rate in rates.items()} == {"1.weight": (32,)}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: effective_rate(None), "`module` must be a torch module"),
        (lambda: effective_rate(nn.Linear(2, 2)), "`module` must be one that has them, .*backward"),
        (lambda: effective_rate(trained(), -1.0), "`rate`"),
        (lambda: effective_rate(trained(), math.nan), "`rate`"),
        (lambda: effective_rate(trained(), tolerance=0.0), "`tolerance`"),
        (lambda: effective_rate(trained(math.nan)), "`module` must be of finite gradients"),
        (lambda: SpikeWatch(None, None), "`module`"),
        (lambda: SpikeWatch(trained(), None), "`optimizer` must be SGD"),
        (
            lambda: watch_of(lambda p: torch.optim.SGD(p, 0.1, 0.9, nesterov=True)),
            "`optimizer` must be SGD .not Nesterov",
        ),
        (lambda: watch_of(torch.optim.RMSprop), "`optimizer`"),
        (lambda: watch_of(every=0), "`every`"),
        (lambda: watch_of(clamp=2.0), "`clamp`"),
        (lambda: watch_of(floor=0.0), "`floor`"),
        (lambda: watch_of()(lambda: torch.tensor(1.0)), "`loss` must be a finite number"),
        (lambda: watch_of()(lambda: torch.ones(2, requires_grad=True)), "`loss`"),
        (
            lambda: watch_of(lambda p: torch.optim.SGD(list(p)[:1], 0.1))(lambda: trained.loss()),
            "`optimizer` must be over all",
        ),
        (lambda: watch_of().clamped().__enter__(), "`watch` must be called before"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def trained(scale=1.0):
    """A module after a backward pass."""
    torch.manual_seed(0)
    net, x = nn.Sequential(nn.Linear(3, 4, bias=False), nn.LayerNorm(4), nn.Linear(4, 1)), torch.randn(8, 3)
    trained.loss = lambda: net(x).square().mean()
    (scale * trained.loss()).backward()
    return net


def watch_of(optimizer=lambda p: torch.optim.SGD(p, 0.1), **words):
    net = trained()
    return SpikeWatch(net, optimizer(net.parameters()), **words)


def test_the_page_opens_with_what_it_says(capsys):
    """docs/laws/delayed-spikes.md: a transformer with RMSNorm under the watch, and the law's own lines."""
    page = (Path(__file__).parents[3] / "docs/laws/delayed-spikes.md").read_text()
    blocks, names = re.findall(r"```python\n(.*?)```", page, flags=re.S), {}
    assert len(blocks) == 3
    for block in blocks:
        exec(block, names)
    losses, forecasts = np.array(names["losses"]), names["forecasts"]
    peak = 60 + int(losses[60:].argmax())
    assert losses[peak] > 1.15 * losses[60:peak].min()
    assert abs(40 + forecasts[40].spike - peak) <= 15
    assert forecasts[40].kappa < 2 < forecasts[60].kappa
    assert len(capsys.readouterr().out.splitlines()) == 3

"""Penalties on gradients: every method against a loop over examples, and what they refuse."""

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, softplus

from twopart._checks import InputError
from twopart.learners.features import gradient_noise, per_example_penalty

N, WEIGHT = 6, 0.3
LOSS = partial(cross_entropy, reduction="none")


def logistic(out, y):
    return softplus(-(2 * y - 1) * out.flatten(1).sum(1))


def mean_of_patches():
    """A linear layer that meets several patches of an example."""
    return nn.Sequential(nn.Unflatten(1, (4, 16)), nn.Linear(16, 5), nn.Tanh(), nn.Flatten(), nn.Linear(20, 3))


def convolution():
    image, layer = nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 3, 3, stride=2, padding=1, dilation=1)
    return nn.Sequential(image, layer, nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(48, 3))


def normed():
    return nn.Sequential(nn.Linear(64, 5), nn.LayerNorm(5), nn.GELU(), nn.Linear(5, 3, bias=False))


def grouped():
    frozen = nn.BatchNorm2d(4).eval()
    last = nn.Tanh(), nn.Flatten(), nn.RMSNorm(144), nn.Linear(144, 3)
    layers = nn.Conv2d(1, 4, 3), frozen, nn.GroupNorm(2, 4), nn.InstanceNorm2d(4), *last
    return nn.Sequential(nn.Unflatten(1, (1, 8, 8)), *layers)


class Twice(nn.Module):
    """One layer called twice, whose gradients add up before they are squared."""

    def __init__(self):
        super().__init__()
        self.first, self.again = nn.Linear(64, 3), nn.Linear(3, 3)

    def forward(self, x):
        return self.again(self.again(self.first(x)).tanh())


MODULES = {"patches": mean_of_patches, "convolution": convolution, "normed": normed, "grouped": grouped, "twice": Twice}


def problem(make, dtype=torch.float64):
    torch.manual_seed(0)
    model = make().to(dtype)
    return model, torch.randn(N, 64, dtype=dtype), torch.arange(N) % 3


def gradients(value, model):
    return torch.autograd.grad(value, list(model.parameters()), create_graph=True)


def looped(model, x, y, over="examples"):
    """In the plainest words."""
    each = [gradients(LOSS(model(x[i : i + 1]), y[i : i + 1]).sum(), model) for i in range(N)]
    if over == "mean":
        each = [[sum(parts) / N for parts in zip(*each, strict=True)]]
    return WEIGHT / 2 * sum(sum(g.square().sum() for g in of) for of in each) / len(each)


def same(a, b, off=1e-10):
    return all(torch.allclose(p.double(), q.double(), rtol=off, atol=off) for p, q in zip(a, b, strict=True))


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize(("method", "chunk"), [("auto", None), ("auto", 4), ("vmap", 4)])
def test_penalty_and_its_gradient_are_those_of_a_loop(name, method, chunk):
    model, x, y = problem(MODULES[name])
    penalty = per_example_penalty(model, LOSS, x, y, WEIGHT, method=method, chunk=chunk)
    expected = looped(model, x, y)
    assert same([penalty, *torch.autograd.grad(2 * penalty, list(model.parameters()))],
                [expected, *(2 * g for g in gradients(expected, model))])  # fmt: skip
    whole = per_example_penalty(model, LOSS, x, y, WEIGHT, method=method, chunk=chunk, plus_loss=True)
    plain = LOSS(model(x), y).mean() + expected
    whole.backward()
    assert same([whole, *(p.grad for p in model.parameters())], [plain, *gradients(plain, model)])
    with torch.no_grad():
        assert same([per_example_penalty(model, LOSS, x, y, WEIGHT, method=method, chunk=chunk)], [expected])


def test_the_mean_gradient_is_another_thing():
    model, x, y = problem(mean_of_patches)
    mean = per_example_penalty(model, LOSS, x, y, WEIGHT, over="mean")
    expected = looped(model, x, y, "mean")
    assert same([mean, *torch.autograd.grad(mean, list(model.parameters()))], [expected, *gradients(expected, model)])
    mean = mean.detach()
    noise, split = gradient_noise(model, LOSS, x, y), gradient_noise(model, LOSS, x, y, chunk=4, method="vmap")
    assert noise.mean_square * WEIGHT / 2 == pytest.approx(float(looped(model, x, y).detach()))
    assert noise.square_of_mean * WEIGHT / 2 == pytest.approx(float(mean))
    assert noise.variance == noise.mean_square - noise.square_of_mean
    assert noise.variance > 0.1 * noise.mean_square
    assert (split.mean_square, split.variance) == pytest.approx((noise.mean_square, noise.variance))


def test_probes_are_unbiased(size):
    model, x, y = problem(mean_of_patches)
    exact = float(per_example_penalty(model, LOSS, x, y, WEIGHT).detach())
    random = torch.Generator().manual_seed(1)
    draw = partial(per_example_penalty, model, LOSS, x, y, WEIGHT, method="hutchinson", generator=random)
    with torch.no_grad():
        found = torch.stack([draw(probes=10) for _ in range(size(40, 400))])
    assert abs(found.mean() - exact) < 5 * found.std() / len(found) ** 0.5
    model.zero_grad()
    draw(probes=2).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_float32_chosen_parameters_and_frozen_ones():
    model, x, y = problem(mean_of_patches, torch.float32)
    double, x64, _ = problem(mean_of_patches)
    double.load_state_dict(model.state_dict())
    single = per_example_penalty(model, LOSS, x, y, WEIGHT)
    assert single.dtype == torch.float32
    assert float(single.detach()) == pytest.approx(float(looped(double, x.double(), y).detach()), rel=1e-5)
    last = {"4.weight": double.get_parameter("4.weight")}
    for method in ("closed", "vmap"):
        part = per_example_penalty(double, LOSS, x64, y, WEIGHT, parameters=last, method=method)
        losses = [LOSS(double(x64[i : i + 1]), y[i : i + 1]).sum() for i in range(N)]
        one = [torch.autograd.grad(loss, last["4.weight"])[0] for loss in losses]
        assert float(part.detach()) == pytest.approx(WEIGHT / 2 * float(sum(g.square().sum() for g in one)) / N)
        part.backward()
        assert double[1].weight.grad.abs().sum() > 0, "the square of the last layer's slopes depends on the first"
        double.zero_grad()
    double[1].requires_grad_(False)
    frozen = per_example_penalty(double, LOSS, x64, y, WEIGHT)
    frozen.backward()
    assert double[1].weight.grad is None


def test_what_is_refused():
    model, x, y = problem(mean_of_patches)
    penalty = partial(per_example_penalty, model, LOSS, x, y)
    with pytest.raises(InputError, match="reduction='none'"):
        per_example_penalty(model, cross_entropy, x, y, 1.0)
    for bad in (-1.0, float("nan")):
        with pytest.raises(InputError, match="`weight`"):
            penalty(bad)
    for options, word in (
        ({"method": "magic"}, "`method`"), ({"over": "all"}, "`over`"), ({"chunk": 0}, "`chunk`"),
        ({"over": "mean", "chunk": 2}, "`chunk`"), ({"probes": 0}, "`probes`"), ({"parameters": {}}, "`parameters`"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=word):
            penalty(1.0, **options)
    with pytest.raises(InputError, match="method='vmap'"):
        per_example_penalty(problem(normed)[0], LOSS, x, y, 1.0, method="closed")
    with pytest.raises(InputError, match="one target an example"):
        per_example_penalty(model, LOSS, x, y[:-1], 1.0)
    with pytest.raises(InputError, match="`x`"):
        per_example_penalty(model, LOSS, x * torch.nan, y, 1.0)
    mixing = nn.Sequential(nn.Linear(64, 3), nn.BatchNorm1d(3)).double()
    with pytest.raises(InputError, match="GroupNorm"):
        per_example_penalty(mixing, LOSS, x, y, 1.0)
    per_example_penalty(mixing.eval(), LOSS, x, y, 1.0).backward()
    twice = torch.autograd.grad(penalty(1.0), list(model.parameters()), create_graph=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        twice[0].sum().backward()


def test_digits_of_the_page_are_learned_with_the_penalty_and_not_without(capsys):
    page = (Path(__file__).parents[3] / "docs/laws/per-example-gradient.md").read_text()
    torch.manual_seed(0)
    exec(page.split("```python\n")[1].split("```")[0], {})
    (_, plain, *_), (_, penalised, square, mean) = (
        map(float, row.split()) for row in capsys.readouterr().out.splitlines()
    )
    assert plain > 0.35
    assert penalised < 0.2
    assert 0 < mean < square


def test_no_more_than_a_chunk_is_held():
    model, x, y = problem(normed)
    seen = []

    def loss(out, y):
        seen.append(len(y))
        return LOSS(out, y)

    penalty = per_example_penalty(model, loss, x, y, WEIGHT, over="examples", method="hutchinson", chunk=4)
    assert seen == [4, 2]
    held = {type(f).__name__ for f, _ in penalty.grad_fn.next_functions if f is not None}
    assert held == {"AccumulateGrad"}, "no graph but the parameters themselves"

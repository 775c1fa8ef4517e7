"""Modules trained together against each of them trained alone, in an ordinary loop of torch."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from twopart._checks import InputError
from twopart.learners import Ensemble

R, STEPS, BATCH = 3, 9, 8


class Stranger(nn.Module):
    """A buffer that training moves, a weight that two parts share, one that is frozen, and a function as a part."""

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.second = nn.Linear(5, 5, bias=False), nn.BatchNorm1d(5), nn.Linear(5, 5)
        self.second.weight, self.read = self.first.weight, nn.Linear(5, 3)
        self.read.bias.requires_grad_(False)

    def forward(self, x):
        return self.read(torch.tanh(self.second(self.norm(self.first(x)))))


def made(count=R, seed=0, kind=Stranger):
    torch.manual_seed(seed)
    return [kind() for _ in range(count)]


def drawn(dtype, seed=1):
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(STEPS, R, BATCH, 5, generator=random, dtype=torch.float64).to(dtype)
    return x, torch.randint(3, (STEPS, R, BATCH), generator=random)


def loss(model, x, y):
    return cross_entropy(model(x), y)


OPTIMISERS = {
    "sgd": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, 0.03),
    "decayed": lambda p: torch.optim.AdamW(p, 0.03, weight_decay=0.1, amsgrad=True),
}


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_each_is_what_it_would_be_alone(name, dtype):
    models, x, y = [m.to(dtype) for m in made()], *drawn(dtype)
    alone, told = copy.deepcopy(models), []
    ensemble = Ensemble(models)
    optimiser = OPTIMISERS[name](ensemble.parameters())
    falls = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    batches = zip(x, y, strict=True)
    ensemble.fit(batches, loss, optimiser, schedule=falls, on_step=lambda i, losses: told.append((i, losses)))
    losses = torch.stack([each for _, each in told])
    assert [i for i, _ in told] == list(range(1, STEPS + 1))
    assert ensemble.members() == models
    close = {"rtol": 1e-3, "atol": 1e-4} if dtype == torch.float32 else {"rtol": 1e-9, "atol": 1e-11}
    for r, (model, own) in enumerate(zip(models, alone, strict=True)):
        optimiser = OPTIMISERS[name]([p for p in own.parameters() if p.requires_grad])
        falls = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
        for i in range(STEPS):
            optimiser.zero_grad()
            one = loss(own, x[i, r], y[i, r])
            torch.testing.assert_close(losses[i, r], one.detach(), **close)
            one.backward()
            optimiser.step()
            falls.step()
        for key, value in own.state_dict().items():
            torch.testing.assert_close(model.state_dict()[key], value, **close)
        assert model.first.weight is model.second.weight
    assert not torch.allclose(models[0].read.weight, models[1].read.weight, atol=1e-2)


def test_modules_are_asked_in_either_mode_on_own_or_shared_inputs():
    models, (x, _) = made(), drawn(torch.float32)
    ensemble = Ensemble(models)
    ensemble.train(False)
    own, shared = ensemble(x[0]), ensemble(x[0, 0], shared=True)
    for r, model in enumerate(models):
        assert not model.training
        torch.testing.assert_close(own[r], model(x[0, r]))
        torch.testing.assert_close(shared[r], model(x[0, 0]))
    norms = ensemble.each(lambda model, x: model.read.weight.norm() + x.sum(), x[0])
    torch.testing.assert_close(norms, torch.stack([m.read.weight.norm() + x[0, r].sum() for r, m in enumerate(models)]))


def test_hooks_see_each_members_weights_and_draws_are_each_ones_own():
    models = [nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())

    def seen(model, x):
        kept = []
        handle = model[0].register_forward_hook(lambda part, given, out: kept.append(part.weight.sum() + 0 * out.sum()))
        out = model(x)
        handle.remove()
        return out, kept[0]

    out, sums = Ensemble(models).each(seen, torch.ones(64, 4), shared=True)
    torch.testing.assert_close(sums, torch.stack([m[0].weight.sum() for m in models]))
    assert ((out[0] == 0) != (out[1] == 0)).any()


@pytest.mark.parametrize(
    "modules", [[], [nn.Linear(2, 3), nn.Linear(3, 2)], [nn.Linear(2, 2), nn.Linear(2, 2).requires_grad_(False)]]
)
def test_modules_of_several_kinds_are_refused(modules):
    with pytest.raises(InputError, match="`modules` must be of one architecture"):
        Ensemble(modules)

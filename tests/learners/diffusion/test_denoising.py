"""Training comes to the perfect denoiser, and many networks at once are each what it would be alone."""

import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.learners.diffusion import MLPDenoiser, error_by_noise, train_denoisers
from twopart.worlds.noise import OU
from twopart.worlds.noised import oracle
from twopart.worlds.targets import GaussianTarget, MixtureTarget

DATA = MixtureTarget([0.5, 0.5], [[-1.0, 0.0], [1.0, 0.0]], scales=0.2).sample(200)


def networks(count, **options):
    torch.manual_seed(0)
    return [MLPDenoiser(2, OU(), width=16, depth=2, **options) for _ in range(count)]


def weights(model):
    return torch.cat([part.detach().flatten() for part in model.parameters()])


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_each_of_many_is_what_it_would_be_alone(ema):
    """Plain torch, one network: the same draws, Adam along a cosine, weights averaged."""
    trained = train_denoisers(networks(3), DATA, OU(), steps=8, batch=16, ema=ema, seed=5, rate=0.01)
    alone = train_denoisers(networks(1), DATA, OU(), steps=8, batch=16, ema=ema, seed=5, rate=0.01)
    assert torch.allclose(weights(trained.denoisers[0]), weights(alone.denoisers[0]), atol=1e-6)
    from twopart.learners.diffusion.denoising import _Draws

    (model,), clock = networks(1), OU()
    draw, adam, mean = (
        _Draws(DATA, 1, 16, 5, weights(model)),
        torch.optim.Adam(model.parameters(), lr=0.01),
        weights(model),
    )
    for i in range(8):
        x0, eps, u = (part[0] for part in draw(i))
        t = clock.time((16 * u - 8).double()).float()
        loss = (model(clock.scale(t)[:, None] * x0 + clock.std(t)[:, None] * eps, t) - eps).square().mean()
        adam.param_groups[0]["lr"] = 0.01 * (0.01 + 0.99 * (1 + np.cos(np.pi * i / 8)) / 2)
        adam.zero_grad()
        loss.backward()
        adam.step()
        mean = ema * mean + (1 - ema) * weights(model)
    assert torch.allclose(weights(alone.denoisers[0]), mean, atol=2e-5)
    assert not torch.allclose(weights(trained.denoisers[1]), weights(trained.denoisers[2]), atol=1e-3)


def test_training_comes_to_the_perfect_denoiser():
    clock, target = OU(), GaussianTarget([4.0, 0.5], [0.5, 0.0])
    truth, places = oracle(target, clock, "eps"), torch.tensor([-3.0, 0.0, 3.0])
    model = networks(1, skip="edm")
    before = error_by_noise(model[0], truth, target, clock, places)
    trained = train_denoisers(model, target, clock, steps=400, rate=0.01, log_snr=(-5.0, 5.0), seed=1)
    after = error_by_noise(trained.denoisers[0], truth, target, clock, places)
    assert (after < 0.01).all(), after
    assert (after < before / 10)[1:].all(), (before, after)  # at much noise the skip alone is near it
    assert error_by_noise(truth, truth, target, clock, places).tolist() == [0.0, 0.0, 0.0]
    middle = (trained.log_snr[1:] + trained.log_snr[:-1]) / 2
    a2 = 1 / (1 + np.exp(-middle))  # of OU: the loss that is left is s²/(a² v + s²) less than one
    perfect = np.mean([1 - (1 - a2) / (a2 * v + 1 - a2) for v in (0.25, 2.0)], axis=0)
    assert np.abs(trained.loss[0] / perfect - 1).max() < 0.35


def test_weights_of_the_loss():
    seen = {}
    for name, weight in {"eps": "eps", "edm": "edm", "own": lambda log_snr: 1 + (-log_snr).exp() / 0.25}.items():
        losses = []
        train_denoisers(
            networks(1), DATA, OU(), steps=1, weight=weight, data_std=0.5, on_step=lambda i, x, to=losses: to.append(x)
        )
        seen[name] = float(losses[0])
    assert seen["edm"] == pytest.approx(seen["own"])
    assert seen["edm"] > 10 * seen["eps"]


class Narrow(torch.nn.Linear):
    """Of one number where two are asked for, which would broadcast."""

    def __init__(self):
        super().__init__(2, 1)

    def forward(self, x, t):
        return super().forward(x)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"denoisers": []}, r"`denoisers` must be a list of one or more modules, got \[\]"),
        ({"denoisers": networks(1)[0]}, "`denoisers` must be a list of one or more modules, got MLPDenoiser"),
        ({"denoisers": [torch.nn.Identity()]}, "`denoisers` must be modules with parameters"),
        ({"denoisers": [Narrow()]}, r"`predict` must be one that .* \(1, 4, 2\), got \(1, 4, 1\)"),
        ({"data": DATA.numpy()}, "`data` must be a torch tensor"),
        ({"data": [DATA, DATA[:, :1]], "denoisers": networks(2)}, r"`data` must be of shape \(any, 2\)"),
        ({"steps": 0}, "`steps` must be a whole number >= 1"),
        ({"rate": 0.0}, r"`rate` must be a number in \(0, 1\]"),
        ({"ema": 1.0}, r"`ema` must be a number in \[0, 1\)"),
        ({"log_snr": (3.0, -3.0)}, "`log_snr` must be two levels, rising"),
        ({"weight": "x0"}, "`weight` must be one of 'eps', 'edm'"),
        ({"data": [DATA, DATA]}, "`data` must be one set, or 1 of them, got 2"),
        ({"data": DATA * np.nan}, "`data` must be finite"),
        ({"weight": lambda log: log * np.nan}, "`rate` must be small enough to train"),
    ],
)
def test_refusals(change, said):
    with pytest.raises(InputError, match="`log_snr` must be finite"):
        error_by_noise(lambda x, t: x, None, DATA, OU(), torch.tensor([np.nan]))
    given = {"denoisers": networks(1), "data": DATA, "steps": 2, "batch": 4} | change
    with pytest.raises(InputError, match=said):
        train_denoisers(given.pop("denoisers"), given.pop("data"), OU(), **given)
